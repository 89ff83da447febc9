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
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A message of up to this many bytes that a handler works with is not counted.
const UNCOUNTED: usize = 4 * 1024;

pub(super) struct Receiver {
    outbox: Arc<Outbox>,
    pub(super) inbox: Inbox,
    pub(super) decoder: MessageDecoder,
    pub(super) devices: Devices,
    /// This client's part of the server's memory: its request, and a message that arrives or is handled.
    share: Share,
    /// The part of the share that stays until the connection ends.
    request_bytes: usize,
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
        Receiver { outbox, inbox, decoder, devices, share, request_bytes }
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
        match Header::decode(unread) {
            Ok(Some((header, used))) => {
                let length = header.length.saturating_add(KEY + used as u64);
                header.fin && !header.opcode.is_control() && unread.len() as u64 >= length
            }
            _ => false,
        }
    }

    /// Waits until the client sends something or the deadline passes, and reads. The batch must be written.
    pub(super) fn wait(&mut self, batch: &mut Batch, deadline: Option<Instant>) -> io::Result<()> {
        if let Some(received) = speed::before_blocking(self, batch, deadline) {
            return received;
        }
        // The heartbeat counts silence only while a thread waits.
        let wait = self.outbox.activity.wait();
        let until = deadline.map_or(Until::Forever, Until::Deadline);
        let received = self.devices.read(&mut self.inbox, &mut self.decoder, until);
        drop(wait);
        speed::after_blocking(self, batch);
        received
    }

    /// Reads once.
    pub(super) fn read(&mut self, until: Until) -> io::Result<()> {
        self.devices.read(&mut self.inbox, &mut self.decoder, until)
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
