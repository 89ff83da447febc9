//! A payload while it arrives: memory that grows with the bytes, unmasking (§5.3), and UTF-8 checked on the way (§8.1).

use super::deflate::Inflater;
use super::frame::{Opcode, apply_mask};
use crate::error::ProtocolError;
use std::mem;

/// How much more than twice its length a message is allowed to own, in bytes.
const LITTLE: usize = 4 * 1024;

/// How many bytes more than twice its length a compressed message is allowed to take, for example in many fragments
/// with an empty block each.
const OVERHEAD: u64 = 1024;

/// How the memory of messages grows, and which payloads a read can put straight into it.
///
/// The owner of a decoder decides this, because it knows the allocator and the processor.
#[derive(Debug)]
pub(crate) struct Growth {
    /// Gives a vector capacity for this many bytes in all. Where it does nothing, the vector grows by itself.
    pub(crate) reserve: fn(&mut Vec<u8>, usize),
    /// A larger capacity is address space: only the bytes written to are memory.
    pub(crate) long: usize,
    /// The least and the most bytes that [`MessageDecoder::reserve_room`](super::decoder::MessageDecoder) offers.
    pub(crate) small: usize,
    pub(crate) large: usize,
}

/// Leaves growth to the vector, and offers no room.
pub(super) static PLAIN: Growth = Growth { reserve: |_, _| {}, long: usize::MAX, small: usize::MAX, large: usize::MAX };

/// A payload, as far as it has arrived.
#[derive(Debug, Default)]
pub(super) struct Payload {
    /// After the first `arrived` bytes there is room: memory of an earlier message, or zeros.
    pub(super) memory: Vec<u8>,
    pub(super) arrived: usize,
}

impl Payload {
    /// Reserves room for the next `length` bytes.
    pub(super) fn reserve_room(&mut self, length: usize, growth: &Growth) -> &mut [u8] {
        let end = self.arrived + length;
        if end > self.memory.len() {
            (growth.reserve)(&mut self.memory, end);
            self.memory.resize(end, 0);
        }
        &mut self.memory[self.arrived..end]
    }

    /// Unmasks the next `count` bytes, which are in their place already. Returns whether all of them are ASCII.
    pub(super) fn unmask(&mut self, count: usize, key: [u8; 4], offset: u64) -> bool {
        let start = self.arrived;
        self.arrived += count;
        apply_mask(&mut self.memory[start..self.arrived], key, offset)
    }

    /// Takes the bytes out, with all the memory that they are in.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.memory.truncate(self.arrived);
        self.arrived = 0;
        mem::take(&mut self.memory)
    }

    /// Takes the bytes out, and returns the memory that they were in if it is much too large for them: an application
    /// that keeps a short message must not keep the memory of a long one.
    pub(super) fn take_fitting(mut self, growth: &Growth) -> (Vec<u8>, Option<Vec<u8>>) {
        // A vector in reserved address space forgets how much was written to once it is truncated: so its length
        // counts.
        let (owned, most) = if self.memory.capacity() > growth.long {
            (self.memory.len(), self.arrived + LITTLE)
        } else {
            (self.memory.capacity(), 2 * self.arrived + LITTLE)
        };
        if owned <= most {
            return (self.take(), None);
        }
        let mut bytes = Vec::new();
        (growth.reserve)(&mut bytes, self.arrived);
        bytes.extend_from_slice(&self.memory[..self.arrived]);
        (bytes, Some(self.memory))
    }
}

/// A message whose last fragment has not arrived yet (§5.4).
#[derive(Debug)]
pub(super) struct Unfinished {
    pub(super) kind: Opcode,
    pub(super) payload: Payload,
    /// How many bytes of a text are known to be UTF-8.
    pub(super) checked: usize,
    /// Only for a compressed message.
    pub(super) inflater: Option<Inflater>,
    /// Whether the inflater has more to say about the last byte that it took.
    pub(super) is_held_back: bool,
    /// How many bytes its frames have announced.
    announced: u64,
}

impl Unfinished {
    /// Begins a message in `memory`, which can hold anything.
    pub(super) fn new(kind: Opcode, memory: Option<Vec<u8>>, inflater: Option<Inflater>) -> Unfinished {
        let payload = Payload { memory: memory.unwrap_or_default(), arrived: 0 };
        Unfinished { kind, payload, checked: 0, inflater, is_held_back: false, announced: 0 }
    }

    /// Notes the length of the next fragment. The error is a message over the limit.
    pub(super) fn announce(&mut self, length: u64, limit: usize) -> Result<(), ProtocolError> {
        // A compressed message is counted later, while it inflates. Before, it has an overhead at most.
        let most = match self.inflater {
            Some(_) => (limit as u64).saturating_mul(2).saturating_add(OVERHEAD),
            None => limit as u64,
        };
        self.announced = self.announced.saturating_add(length);
        if self.announced > most { Err(ProtocolError::MessageTooBig(limit)) } else { Ok(()) }
    }

    /// Checks text as it arrives, so that it fails at its first bad byte. §5.6: "a particular text frame might include
    /// a partial UTF-8 sequence; however, the whole message MUST contain valid UTF-8".
    pub(super) fn check_text(&mut self, new: usize, new_is_ascii: bool) -> Result<(), ProtocolError> {
        let arrived = self.payload.arrived;
        // ASCII that follows no cut character needs no second look.
        if self.kind == Opcode::Binary || new_is_ascii && self.checked + new == arrived {
            self.checked = arrived;
            return Ok(());
        }
        let unchecked = &self.payload.memory[self.checked..arrived];
        self.checked += match str::from_utf8(unchecked) {
            Ok(text) => text.len(),
            // `error_len` is `None` where a character is only cut: it is checked again when more bytes arrive.
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => return Err(ProtocolError::InvalidUtf8),
        };
        Ok(())
    }
}
