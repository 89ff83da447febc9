//! The receiving side of a connection: waits for bytes, counts the memory that they take, and decodes them.

use super::batch::Batch;
use super::budget::Share;
use super::inbox::Inbox;
use super::outbox::Outbox;
use super::socket::Until;
use super::speed::{self, BufferPool, Devices};
use super::trace;
use crate::error::ProtocolError;
use crate::protocol::decoder::{Event, MessageDecoder};
use crate::protocol::frame::Header;
use crate::protocol::message::Message;
use crate::protocol::wire::{Dissector, Frame};
use std::io::{self, ErrorKind};
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A message of up to this many bytes that a handler works with is not counted.
const UNCOUNTED: usize = 4 * 1024;

/// The result of [`Connection::recv_timeout`](crate::Connection::recv_timeout).
///
/// ```
/// use plainsocket::{Message, Received};
///
/// fn words(received: Received) -> &'static str {
///     match received {
///         Received::Message(_) => "the client has sent something",
///         Received::Nothing => "the time is over",
///         Received::Closed => "the connection is closed",
///     }
/// }
/// assert_eq!(words(Received::Message(Message::from("Hello"))), "the client has sent something");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "it can be a message"]
pub enum Received {
    /// The client's next message.
    Message(Message),
    /// The time is over, and no whole message has arrived.
    Nothing,
    /// The connection is closed properly (§7.1.4), or an error came before.
    Closed,
}

pub(super) struct Receiver {
    outbox: Arc<Outbox>,
    pub(super) inbox: Inbox,
    pub(super) decoder: MessageDecoder,
    pub(super) devices: Devices,
    /// This client's part of the server's memory: its request, and a message that arrives or is handled.
    share: Share,
    /// The part of the share that stays until the connection ends.
    request_bytes: usize,
    /// Whether something was read since the last look of [`look_and_wait`](Receiver::look_and_wait).
    has_read: bool,
}

impl Receiver {
    pub(super) fn new(
        outbox: Arc<Outbox>,
        inbox: Inbox,
        share: Share,
        pool: Arc<BufferPool>,
        max_message_size: usize,
    ) -> Receiver {
        let (decoder, request_bytes) = (speed::decoder(max_message_size), share.bytes);
        let devices = Devices::new(pool, outbox.activity.age());
        // Frames can have arrived with the request.
        outbox.incoming.count_bytes(inbox.unread().len());
        Receiver { outbox, inbox, decoder, devices, share, request_bytes, has_read: true }
    }

    /// Decodes the next event from the bytes received. `None`: more bytes are needed.
    pub(super) fn decode(&mut self) -> Result<Option<Event>, ProtocolError> {
        let mut event = self.devices.decode_direct(&mut self.decoder)?;
        if event.is_none() {
            let (used, decoded) = self.decoder.decode(self.inbox.unread())?;
            self.inbox.consume(used);
            event = decoded;
        }
        if let Some(Event::Pong(payload)) = &event {
            self.note_pong(payload);
        }
        Ok(event)
    }

    /// Decodes up to the end of the next frame while `dissector` looks on. From then on all bytes go through the inbox.
    pub(super) fn dissect(
        &mut self,
        dissector: &mut Dissector,
    ) -> Option<(Frame, Result<Option<Event>, ProtocolError>)> {
        self.devices.stop_direct_reads();
        let step = dissector.dissect_with(&mut self.decoder, self.inbox.unread());
        self.inbox.consume(step.used);
        let mut frame = step.frame?;
        if let Ok(Some(Event::Pong(payload))) = &step.event {
            frame.round_trip_us = self.note_pong(payload).map(|time| time.as_micros() as u64);
        }
        trace::received(self.outbox.peer, &frame);
        Some((frame, step.event))
    }

    /// Returns the round trip, if the Pong answers our last Ping.
    fn note_pong(&self, payload: &[u8]) -> Option<Duration> {
        let (peer, time) = (self.outbox.peer, self.outbox.activity.round_trip(payload));
        match time {
            Some(time) => log::debug!("{peer}: Pong after {time:.1?}"),
            None => log::debug!("{peer}: Pong that nobody asked for, payload length {}", payload.len()),
        }
        time
    }

    /// Returns whether the bytes received begin with a whole frame that ends a message.
    pub(super) fn has_message(&self) -> bool {
        const KEY: u64 = 4;
        let unread = self.inbox.unread();
        match Header::decode_with(unread, true) {
            Ok(Some((header, used))) => {
                let length = header.length.saturating_add(KEY + used as u64);
                header.fin && !header.opcode.is_control() && unread.len() as u64 >= length
            }
            _ => false,
        }
    }

    /// Begins a limit of the handler's own for its next waits. A client that floods does not pass it for long, and the
    /// next limit is another one.
    pub(super) fn begin_limit(&mut self, deadline: Option<Instant>) {
        if deadline.is_none_or(|deadline| Instant::now() < deadline) {
            self.inbox.reader.renew_late_reads();
        }
    }

    /// Waits until the client sends something, and reads. `false`: the handler's own limit came first. A deadline that
    /// comes first is an error. The batch must be written.
    pub(super) fn wait(
        &mut self,
        batch: &mut Batch,
        limit: Option<Instant>,
        deadline: Option<Instant>,
    ) -> io::Result<bool> {
        let limit = limit.filter(|limit| deadline.is_none_or(|deadline| *limit < deadline));
        let end = limit.or(deadline);
        if let Some(received) = speed::before_blocking(self, batch, end) {
            return received.map(|()| true);
        }
        let read = match limit {
            Some(limit) => speed::out_of_line(|| self.look_and_wait(limit)),
            None => {
                // The heartbeat counts silence only while a thread waits.
                let wait = self.outbox.activity.wait();
                let until = end.map_or(Until::Forever, Until::Deadline);
                let read = self.devices.read(&mut self.inbox, &mut self.decoder, until);
                drop(wait);
                read
            }
        };
        match read {
            Err(error) if limit.is_some() && error.kind() == ErrorKind::TimedOut => Ok(false),
            read => {
                let received = self.note_read(read);
                speed::after_blocking(self, batch);
                received.map(|()| true)
            }
        }
    }

    /// Reads what has arrived, and waits only if nothing has. A handler can begin such a wait every few milliseconds,
    /// so its start is no activity, in contrast to bytes that were unread until now.
    fn look_and_wait(&mut self, limit: Instant) -> io::Result<usize> {
        let now = Instant::now();
        if mem::take(&mut self.has_read) {
            self.outbox.activity.record();
        }
        let is_over = now >= limit;
        let until = if is_over { Until::Deadline(limit) } else { Until::Now };
        match self.devices.read(&mut self.inbox, &mut self.decoder, until) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                let _wait = self.outbox.activity.go_on_waiting(now);
                let until = Until::Deadline(limit);
                if is_over { Err(error) } else { self.devices.read(&mut self.inbox, &mut self.decoder, until) }
            }
            read => read,
        }
    }

    /// Reads once.
    pub(super) fn read(&mut self, until: Until) -> io::Result<()> {
        let read = self.devices.read(&mut self.inbox, &mut self.decoder, until);
        self.note_read(read)
    }

    fn note_read(&mut self, read: io::Result<usize>) -> io::Result<()> {
        self.outbox.incoming.count_bytes(read?);
        self.has_read = true;
        Ok(())
    }

    /// Counts the message that is arriving. `false`: the memory for all clients has no room for it.
    pub(super) fn count_unfinished(&mut self) -> bool {
        self.count(self.decoder.held())
    }

    /// Counts a message for as long as the handler works with it; a small one is not worth it.
    pub(super) fn count_message(&mut self, message: &Message) -> bool {
        let length = message.as_bytes().len();
        length <= UNCOUNTED || self.count(length)
    }

    fn count(&mut self, bytes: usize) -> bool {
        let bytes = self.request_bytes + bytes;
        bytes == self.share.bytes || self.share.resize(bytes)
    }

    /// Gives up the unfinished message for lack of memory, before the client has answered our Close.
    pub(super) fn give_up_message(&mut self) {
        self.share.log_full(self.outbox.peer);
        self.decoder.discard();
        self.share.resize(self.request_bytes);
    }

    /// Drops what the client still sends, as [`Inbox::linger`] does, if there is a deadline for it.
    pub(super) fn linger(&mut self, batch: &mut Batch, deadline: Option<Instant>) -> Option<ErrorKind> {
        batch.clear();
        self.inbox.discard();
        speed::return_buffers(self, batch);
        deadline.map(|deadline| self.inbox.linger(deadline))
    }
}
