//! The hooks for an owner that wants speed: memory lent, and payloads read straight into their place. They change
//! nothing in what is decoded.

use super::{Event, Expected, MessageDecoder};
use crate::error::ProtocolError;
use crate::protocol::payload::Growth;

impl MessageDecoder {
    /// Returns a decoder whose messages take memory in its owner's way.
    pub(crate) fn with_growth(limit: usize, growth: &'static Growth) -> MessageDecoder {
        MessageDecoder { growth, ..MessageDecoder::new(limit) }
    }

    /// Returns how many of the next bytes of a large payload a read can put straight into its message. `None`: the next
    /// bytes are for [`decode`](MessageDecoder::decode).
    ///
    /// These are no more than have arrived, or than an earlier message's memory has left: memory grows with what
    /// arrives and not with what is announced.
    pub(crate) fn room(&self) -> Option<usize> {
        let (Expected::Payload(frame), Some(message)) = (&self.expected, &self.message) else { return None };
        if message.inflater.is_some() {
            return None;
        }
        let payload = &message.payload;
        let length = payload.arrived.max(payload.memory.len() - payload.arrived).min(self.growth.large);
        let length = frame.missing().min(length as u64) as usize;
        (!frame.header.opcode.is_control() && length >= self.growth.small).then_some(length)
    }

    /// Reserves the [`room`](MessageDecoder::room) and returns it.
    pub(crate) fn reserve_room(&mut self) -> Option<&mut [u8]> {
        let length = self.room()?;
        let message = self.message.as_mut()?;
        Some(message.payload.reserve_room(length, self.growth))
    }

    /// Decodes the first `count` bytes of the room. Panics if there was less room.
    pub(crate) fn filled(&mut self, count: usize) -> Result<Option<Event>, ProtocolError> {
        let room = self.room().unwrap_or(0);
        assert!(count <= room, "{count} bytes in room for {room}");
        match self.expected {
            Expected::Payload(frame) => self.advance(frame, count),
            _ => Ok(None),
        }
    }

    /// Returns whether no message is arriving.
    pub(crate) fn is_idle(&self) -> bool {
        self.message.is_none()
    }

    /// Lends memory of any content to the next message, so that it need not ask the allocator.
    pub(crate) fn lend_memory(&mut self, memory: Option<Vec<u8>>) {
        if memory.is_some() {
            self.memory = memory;
        }
    }

    /// Reclaims the memory lent, unless a message has taken it.
    pub(crate) fn reclaim_memory(&mut self) -> Option<Vec<u8>> {
        self.memory.take()
    }
}
