//! The receiving side of a connection: waits for bytes, counts the memory that they take, and decodes them.
//!
//! **Polling before blocking.** Blocking and being woken is a third of what a small message costs. So the thread of a busy
//! client polls the socket a few times, and yields to the other threads in between, before it blocks: one client alone gets
//! 1.5 times as many replies, 64 at once 1.1 times. The price is a few calls in vain each time a busy client falls silent.

use super::batch::Batch;
use super::budget::Share;
use super::desk::{Desk, Desks};
use super::inbox::Inbox;
use super::outbox::Outbox;
use super::socket::Until;
use super::speed::memory::GROWTH;
use super::trace;
use crate::error::ProtocolError;
use crate::protocol::decoder::{Event, MessageDecoder};
use crate::protocol::frame::Header;
use crate::protocol::message::Message;
use crate::protocol::wire::{Dissector, Frame};
use std::io::{self, ErrorKind};
use std::mem;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How often a thread polls before it blocks.
pub(super) const POLLS: usize = 4;

/// A message of up to this many bytes that a handler works with is not counted.
const UNCOUNTED: usize = 4 * 1024;

pub(super) struct Receiver {
    outbox: Arc<Outbox>,
    inbox: Inbox,
    decoder: MessageDecoder,
    /// How many bytes the last read has put directly into the decoder's message, past the inbox.
    read_directly: usize,
    is_dissected: bool,
    desks: Arc<Desks>,
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
        desks: Arc<Desks>,
        max_message_size: usize,
    ) -> Receiver {
        let (decoder, request_bytes) = (MessageDecoder::with_growth(max_message_size, &GROWTH), share.bytes());
        Receiver { outbox, inbox, decoder, read_directly: 0, is_dissected: false, desks, share, request_bytes }
    }

    /// Decodes the next event from the bytes received. `None`: more bytes are needed.
    pub(super) fn decode(&mut self) -> Result<Option<Event>, ProtocolError> {
        let mut event = match mem::take(&mut self.read_directly) {
            0 => None,
            count => self.decoder.filled(count)?,
        };
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
        self.is_dissected = true;
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

    /// Waits until the client sends something or the deadline passes, and reads. Nothing may be in the batch: its buffers
    /// are left to other threads meanwhile.
    pub(super) fn wait(&mut self, batch: &mut Batch, deadline: Option<Instant>) -> io::Result<()> {
        // The more of a large payload arrives together the better, and the end of a connection is worth no polling.
        let polls =
            if self.inbox.is_busy() && deadline.is_none() && self.decoder.reserve_room().is_none() { POLLS } else { 0 };
        for _ in 0..polls {
            self.return_buffers(batch);
            thread::yield_now();
            self.borrow_buffers(batch);
            match self.read(Until::Now) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
        self.return_buffers(batch);
        let outbox = Arc::clone(&self.outbox);
        let wait = outbox.activity.wait();
        let result = self.read(deadline.map_or(Until::Forever, Until::Deadline));
        drop(wait);
        let is_full = self.inbox.is_full();
        self.borrow_buffers(batch);
        if result.is_ok() && is_full && self.read_directly == 0 {
            // What did not fit the small buffer belongs to the same batch. If this read fails, the bytes before it still
            // count; a stream that has ended says so again at the next read.
            let _ = self.read(Until::Now);
        }
        result
    }

    /// Reads once: into the inbox, or directly into a large message.
    pub(super) fn read(&mut self, until: Until) -> io::Result<()> {
        match self.decoder.reserve_room() {
            Some(room) if !self.is_dissected && self.inbox.unread().is_empty() => {
                self.read_directly = self.inbox.read_into(room, until)?;
                Ok(())
            }
            _ => self.inbox.fill(until),
        }
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
        bytes == self.share.bytes() || self.share.resize(bytes)
    }

    /// Gives up the unfinished message for lack of memory, before the client has answered our Close.
    pub(super) fn give_up_message(&mut self) {
        self.share.log_full(self.outbox.peer);
        self.decoder.discard();
        self.share.resize(self.request_bytes);
    }

    /// Keeps the memory of a message that nobody needs any more for the next one.
    pub(super) fn reuse(&mut self, message: Message) {
        self.decoder.lend_memory(Some(message.into_bytes()));
    }

    fn borrow_buffers(&mut self, batch: &mut Batch) {
        let desk = self.desks.take(self.decoder.is_idle());
        self.inbox.take_large(desk.input);
        (batch.out, batch.out_to_others) = (desk.out, desk.out_to_others);
        self.decoder.lend_memory(desk.message);
    }

    fn return_buffers(&mut self, batch: &mut Batch) {
        if let Some(input) = self.inbox.give_large() {
            let (out, out_to_others) = (mem::take(&mut batch.out), mem::take(&mut batch.out_to_others));
            self.desks.put_back(Desk { input, out, out_to_others, message: self.decoder.reclaim_memory() });
        }
    }

    /// Drops what the client still sends until it closes its side. Returns what ended it; `TimedOut`: the deadline.
    pub(super) fn linger(&mut self, batch: &mut Batch, deadline: Option<Instant>) -> Option<ErrorKind> {
        batch.clear();
        self.inbox.discard();
        self.return_buffers(batch);
        deadline.map(|deadline| self.inbox.drain(deadline))
    }
}
