//! Receives: makes the next event out of the client's bytes, waits for more bytes while they are too few, and does what
//! control frames ask for.

use super::Connection;
use crate::error::Error;
use crate::protocol::close::{CloseCode, CloseFrame};
use crate::protocol::decoder::Event;
use crate::protocol::wire::Frame;
use crate::server::closing::unless_closed;
use crate::server::dissect::{Dissection, Due};
use crate::server::receive::Received;
use crate::server::registry::going_away;
use crate::server::socket::Until;
use crate::server::speed;
use std::io::{self, ErrorKind};
use std::time::Instant;

impl Connection {
    /// Receives the next message, or waits for it at most until `limit`.
    pub(super) fn receive(&mut self, limit: Option<Instant>) -> Result<Received, Error> {
        self.finish_last_frame()?;
        while !self.closing.is_over() {
            match self.next_event(limit)? {
                // Messages that arrive after our Close are dropped (our choice).
                Some(Event::Message(_)) if !self.closing.is_open() => {}
                Some(Event::Message(message)) => {
                    self.outbox().incoming.count_message();
                    if !self.receiver.count_message(&message) {
                        return Err(speed::out_of_line(|| self.give_up_message()));
                    }
                    self.flush_pong()?;
                    return Ok(Received::Message(message));
                }
                Some(Event::Ping(payload)) => self.batch.answer_ping(&payload, &mut self.closing)?,
                // The receiver has noted that the client is alive, and a Pong needs no answer.
                Some(Event::Pong(_)) => {}
                Some(Event::Close(close)) => self.closing.answer(close, &mut self.batch)?,
                None => return Ok(Received::Nothing),
            }
        }
        Ok(Received::Closed)
    }

    /// Does what [`recv_frame`](Connection::recv_frame) has left to the next call.
    pub(super) fn finish_last_frame(&mut self) -> Result<(), Error> {
        match self.dissection.as_mut().and_then(|dissection| dissection.due.take()) {
            Some(Due::AnswerClose(close)) => self.closing.answer(close, &mut self.batch),
            Some(Due::Fail(error)) => Err(self.closing.fail(error, &mut self.batch)),
            None => Ok(()),
        }
    }

    /// Makes an event out of the client's bytes. `None`: the limit has passed.
    fn next_event(&mut self, limit: Option<Instant>) -> Result<Option<Event>, Error> {
        loop {
            let event = match &mut self.dissection {
                None => self.receiver.decode(),
                Some(dissection) => speed::out_of_line(|| dissection.next_event(&mut self.receiver)),
            };
            if let Some(event) = event.map_err(|error| self.closing.fail(error, &mut self.batch))? {
                return Ok(Some(event));
            }
            // Flush before you block: the client can be waiting for these replies.
            unless_closed(self.flush())?;
            if !self.wait(limit)? {
                return Ok(None);
            }
        }
    }

    /// Makes a frame out of the client's bytes, and its event, which `recv` would have got.
    pub(super) fn next_frame(&mut self) -> Result<(Frame, Option<Event>), Error> {
        loop {
            // `recv` returns between two messages, so the first call begins at the start of a frame.
            let dissection = self.dissection.get_or_insert_with(Dissection::new);
            if let Some(decoded) = dissection.next_frame(&mut self.receiver) {
                if let Some(Due::AnswerClose(close)) = &dissection.due {
                    self.closing.note_received(close.as_ref());
                }
                return Ok(decoded);
            }
            unless_closed(self.flush())?;
            self.wait(None)?;
        }
    }

    /// Waits for the client, and reads what it sends. `false`: the limit has passed.
    fn wait(&mut self, limit: Option<Instant>) -> Result<bool, Error> {
        if !self.receiver.count_unfinished() {
            return Err(speed::out_of_line(|| self.give_up_message()));
        } else if self.receiver.decoder.has_more() {
            // A few bytes can inflate to many messages' worth of memory, and it is counted on the way.
            return Ok(true);
        }
        self.batch.registry().inflaters().take_back(&mut self.receiver.decoder);
        let is_last = self.is_open() && self.outbox().turn.give();
        let received = if is_last {
            speed::out_of_line(|| self.receive_last(limit))?
        } else {
            self.receiver.wait(&mut self.batch, limit, self.closing.deadline())
        };
        self.outbox().turn.take();
        self.batch.registry().inflaters().lend(&mut self.receiver.decoder);
        received.map_err(|error| self.closing.note_failure(Error::Io(error)))
    }

    /// During shutdown: what has been received before is still answered, and then the Close follows.
    fn receive_last(&mut self, limit: Option<Instant>) -> Result<io::Result<bool>, Error> {
        match self.receiver.read(Until::Now) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.closing.send_close(Some(going_away()), &mut self.batch)?;
                Ok(self.receiver.wait(&mut self.batch, limit, self.closing.deadline()))
            }
            received => Ok(received.map(|()| true)),
        }
    }

    /// Fails the connection with 1013: the client can try again later, when others hold less.
    pub(super) fn give_up_message(&mut self) -> Error {
        self.receiver.give_up_message();
        let close = CloseFrame::new(CloseCode::TRY_AGAIN_LATER, "the server holds too much");
        self.closing.fail_with(close, &mut self.batch);
        Error::MemoryLimit
    }
}
