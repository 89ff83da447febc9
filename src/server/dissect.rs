//! Looks at the frames themselves while they are decoded, for the trace log or for a handler's `recv_frame`. Without
//! either there is no [`Dissection`], and frames become messages without being seen.

use super::receive::Receiver;
use super::trace;
use crate::error::ProtocolError;
use crate::protocol::close::CloseFrame;
use crate::protocol::decoder::Event;
use crate::protocol::wire::{Direction, Dissector, Frame};

pub(super) struct Dissection {
    dissector: Dissector,
    /// The work that a frame returned by `recv_frame` leaves to the next call.
    pub(super) due: Option<Due>,
}

pub(super) enum Due {
    AnswerClose(Option<CloseFrame>),
    Fail(ProtocolError),
}

impl Dissection {
    /// Returns one for a connection whose frames go to the trace log.
    pub(super) fn for_trace() -> Option<Box<Dissection>> {
        trace::is_on().then(Dissection::new)
    }

    /// Returns one that begins with the next frame.
    pub(super) fn new() -> Box<Dissection> {
        Box::new(Dissection { dissector: Dissector::new(Direction::In), due: None })
    }

    /// Decodes the next event from the bytes received. `None`: more bytes are needed.
    pub(super) fn next_event(&mut self, receiver: &mut Receiver) -> Result<Option<Event>, ProtocolError> {
        while let Some((_, event)) = receiver.dissect(&mut self.dissector) {
            if let Some(event) = event? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// Decodes the next frame from the bytes received, and its event. `None`: more are needed. A Close and a fault are
    /// kept for the next call.
    pub(super) fn next_frame(&mut self, receiver: &mut Receiver) -> Option<(Frame, Option<Event>)> {
        let (frame, event) = receiver.dissect(&mut self.dissector)?;
        let event = match event {
            Ok(Some(Event::Close(close))) => {
                self.due = Some(Due::AnswerClose(close));
                None
            }
            Err(error) => {
                self.due = Some(Due::Fail(error));
                None
            }
            Ok(event) => event,
        };
        Some((frame, event))
    }
}
