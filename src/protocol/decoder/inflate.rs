//! The payload of a compressed message (RFC 7692 §6.2): unmasked in small pieces, and inflated into the message's
//! memory.

use super::{ArrivingFrame, Event, Expected, MessageDecoder};
use crate::error::ProtocolError;
use crate::protocol::deflate::{self, Zlib};
use crate::protocol::frame::apply_mask;
use crate::protocol::payload::{Growth, Unfinished};
use std::mem;

/// A call that has made this many bytes returns, so that the decoder's owner can count the next ones before they are
/// there. The first call of a message, which nobody has counted, makes fewer.
const STEP: usize = 64 * 1024;
const FIRST_STEP: usize = 4 * 1024;

/// The least room in bytes for what a piece inflates to.
const LITTLE: usize = 1024;

/// How many bytes are unmasked at a time.
const PIECE: usize = 1024;

impl MessageDecoder {
    /// Returns whether [`decode`](MessageDecoder::decode) can go on without more bytes. A short input can inflate to a
    /// long message, and a call stops after 64 KiB of it.
    pub fn has_more(&self) -> bool {
        self.message.as_ref().is_some_and(|message| message.is_held_back)
    }

    /// Lends what the next compressed message needs, so that it need not make its own.
    pub(crate) fn lend_inflater(&mut self, lent: impl FnOnce() -> Option<Zlib>) {
        if let Some(incoming) = &mut self.incoming
            && self.message.is_none()
        {
            incoming.spare = incoming.spare.take().or_else(lent);
        }
    }

    /// Reclaims what was lent, or what a message has left, unless a message uses it.
    pub(crate) fn reclaim_inflater(&mut self) -> Option<Zlib> {
        self.incoming.as_mut()?.spare.take()
    }

    /// Inflates the payload at the front of `input`. Returns how many bytes it took, and the event.
    ///
    /// It never takes a frame's last byte before all that it inflates to is there. So a frame is complete for everybody
    /// who counts its bytes when it is complete here.
    pub(super) fn inflate(
        &mut self,
        mut frame: ArrivingFrame,
        input: &[u8],
    ) -> Result<(usize, Option<Event>), ProtocolError> {
        let (limit, growth) = (self.limit, self.growth);
        let Some(message) = &mut self.message else { return Ok((0, None)) };
        if message.is_held_back && input.is_empty() {
            return Ok((0, None));
        }
        // The byte held back is here again, and the inflater has it already.
        let mut used = usize::from(mem::take(&mut message.is_held_back));
        let before = message.payload.arrived;
        let step = if before == 0 { FIRST_STEP } else { STEP };
        loop {
            let (took, is_full) = message.inflate(&frame, &input[used..], limit, growth)?;
            used += took;
            frame.arrived += took as u64;
            let is_whole = frame.missing() == 0;
            if is_full && message.payload.arrived - before >= step {
                (message.is_held_back, self.expected) = (true, Expected::Payload(frame));
                return Ok((used - 1, None));
            } else if !is_full && is_whole {
                self.expected = Expected::Header;
                return Ok((used, if frame.header.fin { self.end_message()? } else { None }));
            } else if !is_full && used == input.len() {
                self.expected = Expected::Payload(frame);
                return Ok((used, None));
            }
        }
    }
}

impl Unfinished {
    /// Returns how many bytes of memory it takes, with those that the next call can make.
    pub(super) fn held(&self) -> usize {
        let inflating = if self.inflater.is_some() { deflate::INFLATER + STEP } else { 0 };
        self.payload.memory.len() + inflating
    }

    /// Inflates some bytes of a frame, and after the last of the message what is left. Returns how many bytes it took,
    /// and whether there can be more to come of them.
    fn inflate(
        &mut self,
        frame: &ArrivingFrame,
        input: &[u8],
        limit: usize,
        growth: &Growth,
    ) -> Result<(usize, bool), ProtocolError> {
        let Some(inflater) = &mut self.inflater else { return Ok((0, false)) };
        let mut piece = [0; PIECE];
        let piece = unmask(frame, input, &mut piece);
        let arrived = self.payload.arrived;
        // At the limit there is room for one byte more, which must not be made.
        let room = arrived.clamp(LITTLE, STEP).min((limit - arrived).saturating_add(1));
        self.payload.reserve_room(room, growth);
        let memory = &mut self.payload.memory[..arrived + room];
        let (took, mut made) = inflater.inflate(piece, memory, arrived)?;
        let mut is_full = arrived + made == memory.len();
        let is_last = frame.header.fin && frame.missing() == took as u64;
        if is_last && !is_full {
            let (rest, is_complete) = inflater.finish(memory, arrived + made)?;
            made += rest;
            is_full = !is_complete;
        }
        if arrived + made > limit {
            return Err(ProtocolError::MessageTooBig(limit));
        }
        self.payload.arrived += made;
        let is_ascii = self.payload.memory[arrived..arrived + made].is_ascii();
        self.check_text(made, is_ascii)?;
        Ok((took, is_full))
    }
}

/// Unmasks the next bytes of a frame's payload into `piece`, as many as there are and fit.
fn unmask<'a>(frame: &ArrivingFrame, input: &[u8], piece: &'a mut [u8; PIECE]) -> &'a [u8] {
    let count = frame.missing().min(input.len().min(PIECE) as u64) as usize;
    piece[..count].copy_from_slice(&input[..count]);
    apply_mask(&mut piece[..count], frame.key, frame.arrived);
    &piece[..count]
}
