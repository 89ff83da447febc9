//! Frames that a handler has sent and nobody has written yet. While the client's next message is there already, replies
//! are gathered, so that messages received together are answered with one write.

use super::budget::Share;
use super::closing::{Closing, unless_closed};
use super::frames::{Frames, LONG};
use super::outbox::Outbox;
use super::registry::{Audience, Registry};
use super::speed;
use crate::error::Error;
use crate::protocol::close::CloseFrame;
use crate::protocol::deflate::{Agreement, Deflater, SMALL_IN_CONTEXT};
use crate::protocol::frame::{self, Header, Opcode};
use crate::protocol::message::Message;
use std::sync::Arc;

/// A batch of this many bytes is written at once.
const MOST_BYTES: usize = LONG;

/// And so is a batch of this many replies: a slow handler holds no more of them back.
const MOST_REPLIES: usize = 16;

pub(super) struct Batch {
    pub(super) outbox: Arc<Outbox>,
    /// The key of its broadcasts: the resource name without its query.
    path: Arc<str>,
    registry: Arc<Registry>,
    /// Frames for this client.
    pub(super) out: Vec<u8>,
    /// Frames for the others of `audience`.
    pub(super) out_to_others: Vec<u8>,
    audience: Audience,
    replies: usize,
    has_pong: bool,
    /// Only if our window goes on from message to message (RFC 7692 §7.1.1).
    with_context: Option<Agreement>,
    deflater: Option<Box<Deflater>>,
}

impl Batch {
    pub(super) fn new(outbox: Arc<Outbox>, path: Arc<str>, registry: Arc<Registry>) -> Batch {
        let (out, out_to_others, audience) = (Vec::new(), Vec::new(), Audience::Everybody);
        let (replies, has_pong, with_context, deflater) = (0, false, None, None);
        Batch { outbox, path, registry, out, out_to_others, audience, replies, has_pong, with_context, deflater }
    }

    /// Lets messages to this client refer to earlier ones, if that was agreed on. Otherwise its outbox compresses them.
    pub(super) fn allow_compression(&mut self, agreement: Agreement) {
        self.with_context = Some(agreement).filter(|agreement| !agreement.server_no_context_takeover);
    }

    pub(super) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Adds a message for this client. A large one is written at once, from where it is in memory.
    pub(super) fn send(&mut self, message: &Message, closing: &mut Closing) -> Result<(), Error> {
        let compressed = self.compress(message.as_bytes());
        let payload = compressed.as_ref().map_or(message.as_bytes(), |(bytes, _)| bytes);
        let (rsv1, opcode, length) = (compressed.is_some(), message.opcode(), payload.len() as u64);
        Header { fin: true, rsv1, opcode, masked: false, length }.encode(&mut self.out);
        if payload.len() >= LONG {
            return self.write_with(payload, closing);
        }
        self.out.extend_from_slice(payload);
        self.replies += 1;
        Ok(())
    }

    /// Compresses a message with the window that this client keeps, if it does and there is memory for it.
    fn compress(&mut self, message: &[u8]) -> Option<(Vec<u8>, Share)> {
        let agreement = self.with_context.filter(|_| message.len() >= SMALL_IN_CONTEXT)?;
        let share = self.registry.budget().reserve(message.len())?;
        let mut compressed = Vec::new();
        self.deflater.get_or_insert_with(|| Deflater::new(agreement).into()).compress(message, &mut compressed);
        Some((compressed, share))
    }

    /// Adds a message for the audience, and for this client if it `is_mine` too. A large one is written at once.
    /// Returns whether anything is to be written.
    pub(super) fn broadcast(
        &mut self,
        message: &Message,
        audience: Audience,
        is_mine: bool,
        closing: &mut Closing,
    ) -> Result<bool, Error> {
        let payload = message.as_bytes();
        if payload.len() >= LONG {
            // The batch goes first, so that these frames are the same for all and one copy serves all who have to wait.
            let before = self.write(closing);
            self.audience = audience;
            frame::encode_header(message.opcode(), payload.len(), &mut self.out);
            let frames = Frames::new([&self.out, payload], &self.registry);
            self.write_to_others(&frames);
            let written = before.and_then(|()| if is_mine { closing.write(&frames) } else { Ok(()) });
            self.out.clear();
            return written.map(|()| false);
        }
        if self.turn_to(audience) {
            let start = self.out_to_others.len();
            frame::encode(message.opcode(), payload, &mut self.out_to_others);
            if is_mine {
                self.out.extend_from_slice(&self.out_to_others[start..]);
            }
            self.replies += 1;
            Ok(true)
        } else {
            if is_mine {
                self.send(message, closing)?;
            }
            Ok(is_mine)
        }
    }

    /// Sends a message to the others of the audience at once, after the connection has ended.
    pub(super) fn announce(&mut self, message: &Message, audience: Audience) {
        self.flush_to_others();
        self.audience = audience;
        self.write_to_others(&Frames::message(message, &mut Vec::new(), &self.registry));
    }

    /// Lets what is gathered for others be for this audience. Returns `false`, and changes nothing, if nobody else is
    /// in it: rooms in which all speak the same subprotocol gather as well as with broadcasts to everybody.
    fn turn_to(&mut self, audience: Audience) -> bool {
        if audience == self.audience {
            return true;
        }
        let is_heard = self.others(&self.registry.members(&self.path, &audience)).next().is_some();
        if is_heard {
            self.flush_to_others();
            self.audience = audience;
        }
        is_heard
    }

    /// Answers a Ping with the same bytes (§5.5.3).
    pub(super) fn answer_ping(&mut self, payload: &[u8], closing: &mut Closing) -> Result<(), Error> {
        log::debug!("{}: Ping, payload length {}", self.outbox.peer, payload.len());
        if closing.is_open() {
            frame::encode(Opcode::Pong, payload, &mut self.out);
            self.has_pong = true;
            self.replies += 1;
            return Ok(());
        }
        // Our Close is sent. §5.5.2: a Pong is due, "unless it already received a Close frame".
        let mut pong = Vec::new();
        frame::encode(Opcode::Pong, payload, &mut pong);
        closing.write(&Frames::late_pong(&pong))
    }

    pub(super) fn has_pong(&self) -> bool {
        self.has_pong
    }

    /// Returns whether the batch is written even if more messages are waiting to be handled. Nothing is gathered while
    /// there is a [`Sender`](super::Sender), whose messages would overtake it.
    pub(super) fn is_full(&self) -> bool {
        self.replies >= MOST_REPLIES
            || self.out.len().max(self.out_to_others.len()) >= MOST_BYTES
            || self.registry.is_stopping()
            || Arc::weak_count(&self.outbox) > 0
    }

    /// Writes the batch. The error is [`Error::Closed`] if another thread's Close went out before it.
    pub(super) fn write(&mut self, closing: &mut Closing) -> Result<(), Error> {
        self.write_with(&[], closing)
    }

    /// Writes the batch, and after it a large payload whose header ends the batch.
    fn write_with(&mut self, payload: &[u8], closing: &mut Closing) -> Result<(), Error> {
        self.flush_to_others();
        (self.replies, self.has_pong) = (0, false);
        if self.out.is_empty() {
            return Ok(());
        }
        let written = closing.write(&Frames::new([&self.out, payload], &self.registry));
        self.out.clear();
        written
    }

    /// Writes the batch, and a Close after it.
    pub(super) fn write_close(&mut self, close: Option<CloseFrame>, closing: &mut Closing) -> Result<(), Error> {
        self.flush_to_others();
        let payload = close.map_or_else(Vec::new, |close| close.encode());
        frame::encode(Opcode::Close, &payload, &mut self.out);
        let written = closing.write(&Frames::close(&self.out));
        self.out.clear();
        unless_closed(written)
    }

    /// Drops what nobody can be sent any more.
    pub(super) fn clear(&mut self) {
        self.out.clear();
        self.out_to_others.clear();
    }

    pub(super) fn flush_to_others(&mut self) {
        if !self.out_to_others.is_empty() {
            self.write_to_others(&Frames::new([&self.out_to_others, &[]], &self.registry));
            self.out_to_others.clear();
        }
    }

    fn write_to_others(&self, frames: &Frames) {
        for other in self.others(&self.registry.members(&self.path, &self.audience)) {
            // An error is the other client's own affair.
            let _ = other.write(frames);
        }
    }

    fn others<'a>(&self, members: &'a [Arc<Outbox>]) -> impl Iterator<Item = &'a Arc<Outbox>> {
        speed::prefetched(members).filter(|member| !Arc::ptr_eq(member, &self.outbox))
    }
}
