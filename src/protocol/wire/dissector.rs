//! Dissects bytes into [`Frame`]s, beside the decoder that turns the same bytes into messages.

use super::frame::{Direction, Frame, MessageEnd};
use crate::error::ProtocolError;
use crate::protocol::decoder::{Event, MessageDecoder};
use crate::protocol::frame::{Header, Opcode};
use std::mem;

/// How many bytes of a payload are kept to be shown.
pub const SHOWN: usize = 128;

/// The longest header with its masking key, in bytes.
const LONGEST_HEAD: usize = 14;

/// Dissects the bytes of one direction into [`Frame`]s, in whatever pieces they arrive.
///
/// It holds no more than a header and the first [`SHOWN`] bytes of a payload, however long that is.
#[derive(Debug)]
pub struct Dissector {
    direction: Direction,
    /// Whether RSV1 can be set, because permessage-deflate is negotiated.
    may_be_compressed: bool,
    /// The header and the masking key of the arriving frame, as far as they have arrived.
    head: Vec<u8>,
    /// The start of its payload, and how many bytes of it have arrived.
    payload: Vec<u8>,
    arrived: u64,
    /// The opcode and the length so far of a message whose last fragment has not arrived yet.
    unfinished: Option<(Opcode, MessageEnd)>,
}

/// One step of a decoder, and the frame that it read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dissected {
    /// How many bytes were taken from the front of the input.
    pub used: usize,
    /// The frame that ended with them, or broke a rule. `None`: more bytes are needed.
    pub frame: Option<Frame>,
    /// The decoder's answer: no event if the frame is not the last fragment of its message.
    pub event: Result<Option<Event>, ProtocolError>,
}

/// The lengths of a frame's parts, by its bytes alone: a frame that is refused is to be explained too.
struct Layout {
    header: usize,
    key: usize,
    length: u64,
}

impl Layout {
    /// Returns `None` if the header is not complete.
    fn of(head: &[u8]) -> Option<Layout> {
        let second = *head.get(1)?;
        let header = match second & 0x7F {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        let length = match head.get(2..header)? {
            [] => (second & 0x7F).into(),
            extended => extended.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)),
        };
        Some(Layout { header, key: if second & 0x80 != 0 { 4 } else { 0 }, length })
    }
}

impl Dissector {
    /// Returns a dissector for all bytes that go one way after the handshake.
    pub fn new(direction: Direction) -> Dissector {
        let may_be_compressed = direction == Direction::Out;
        Dissector { direction, may_be_compressed, head: Vec::new(), payload: Vec::new(), arrived: 0, unfinished: None }
    }

    /// Takes bytes from the front of `input`, up to the end of one frame. Returns how many it took, and the frame if it is
    /// complete or its header breaks a rule.
    ///
    /// After a broken frame there is nothing more to dissect. Rules about messages, such as a continuation of nothing, are
    /// checked by [`dissect_with`](Dissector::dissect_with) only.
    pub fn dissect(&mut self, input: &[u8]) -> (usize, Option<Frame>) {
        let used = self.length_in(input);
        self.take(&input[..used]);
        let error = match Header::decode_with(&self.head, self.may_be_compressed) {
            Ok(Some((header, _))) if !header.masked && self.direction == Direction::In => Some(ProtocolError::Unmasked),
            Ok(_) => None,
            Err(error) => Some(error),
        };
        let is_over = error.is_some() || self.is_complete();
        (used, is_over.then(|| self.end(error)))
    }

    /// Lets `decoder` decode what it can of the frame at the front of `input`, and dissects the same bytes.
    ///
    /// The decoder must have been given the same bytes as this dissector from the start. Give what was not used again, as
    /// to [`MessageDecoder::decode`].
    pub fn dissect_with(&mut self, decoder: &mut MessageDecoder, input: &[u8]) -> Dissected {
        // No more than one frame at a time, so that an error is known to belong to this one.
        let input = &input[..self.length_in(input)];
        self.may_be_compressed = decoder.allows_compression();
        match decoder.decode(input) {
            Ok((used, event)) => {
                let (_, frame) = self.dissect(&input[..used]);
                Dissected { used, frame, event: Ok(event) }
            }
            Err(error) => {
                self.take(input);
                Dissected { used: input.len(), frame: Some(self.end(Some(error))), event: Err(error) }
            }
        }
    }

    /// Returns how many bytes of `input` belong to the arriving frame.
    fn length_in(&self, input: &[u8]) -> usize {
        let head: Vec<u8> = self.head.iter().chain(input).copied().take(LONGEST_HEAD).collect();
        // An input that does not even complete the header is a part of it.
        let Some(layout) = Layout::of(&head) else { return input.len() };
        let missing_head = layout.header + layout.key - self.head.len();
        let missing = (layout.length - self.arrived).saturating_add(missing_head as u64);
        missing.min(input.len() as u64) as usize
    }

    /// Keeps the part to be shown of bytes that belong to the frame.
    fn take(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !self.has_head() && !rest.is_empty() {
            self.head.push(rest[0]);
            rest = &rest[1..];
        }
        let shown = rest.len().min(SHOWN - self.payload.len());
        self.payload.extend_from_slice(&rest[..shown]);
        self.arrived += rest.len() as u64;
    }

    fn has_head(&self) -> bool {
        Layout::of(&self.head).is_some_and(|layout| self.head.len() == layout.header + layout.key)
    }

    fn is_complete(&self) -> bool {
        self.has_head() && Layout::of(&self.head).is_some_and(|layout| self.arrived == layout.length)
    }

    /// Ends the arriving frame and returns it.
    fn end(&mut self, error: Option<ProtocolError>) -> Frame {
        let mut header = mem::take(&mut self.head);
        let layout = Layout::of(&header);
        let key = header.split_off(layout.as_ref().map_or(header.len(), |layout| layout.header));
        let mut frame = Frame {
            direction: self.direction,
            header,
            key: key.first_chunk().copied(),
            payload: mem::take(&mut self.payload),
            length: layout.map(|layout| layout.length),
            kind: None,
            length_so_far: 0,
            message: None,
            error,
            round_trip_us: None,
        };
        self.arrived = 0;
        frame.length_so_far = self.length_with(&frame);
        (frame.kind, frame.message) = self.place(&frame);
        frame
    }

    /// Returns the length of the frame's message up to the frame's end: only a continuation has something before it (§5.4).
    fn length_with(&self, frame: &Frame) -> u64 {
        let unfinished = self.unfinished.filter(|_| frame.opcode() == Some(Opcode::Continuation));
        unfinished.map_or(0, |(_, message)| message.length).saturating_add(frame.length.unwrap_or_default())
    }

    /// Returns the opcode of the frame's message (§5.4), and the message itself if the frame ends one of several fragments.
    fn place(&mut self, frame: &Frame) -> (Option<Opcode>, Option<MessageEnd>) {
        let length = frame.length.unwrap_or_default();
        match frame.opcode() {
            Some(Opcode::Continuation) => {
                let Some((kind, message)) = &mut self.unfinished else { return (None, None) };
                message.fragments += 1;
                message.length = message.length.saturating_add(length);
                let (kind, message) = (*kind, *message);
                if !frame.fin() || frame.error.is_some() {
                    return (Some(kind), None);
                }
                self.unfinished = None;
                (Some(kind), Some(message))
            }
            Some(opcode) => {
                if !opcode.is_control() && !frame.fin() {
                    self.unfinished = Some((opcode, MessageEnd { fragments: 1, length }));
                }
                (Some(opcode), None)
            }
            None => (None, None),
        }
    }
}
