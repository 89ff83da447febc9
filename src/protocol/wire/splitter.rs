//! Bytes to [`Frame`]s, beside the decoder that turns them into messages.

use super::frame::{Direction, Frame, MessageEnd};
use crate::error::ProtocolError;
use crate::protocol::frame::{Header, Opcode};
use crate::protocol::message::{Event, MessageDecoder};
use std::mem;

/// How many bytes of a payload are kept to be shown.
pub const SHOWN: usize = 128;

/// The longest header with its masking key.
const LONGEST_HEAD: usize = 14;

/// Turns the bytes of one direction into [`Frame`]s, in whatever pieces they come. It holds no more than a header and the
/// first [`SHOWN`] bytes of a payload, however long that is.
#[derive(Debug)]
pub struct Splitter {
    direction: Direction,
    /// The header and the masking key of the frame that is arriving, as far as they have come.
    head: Vec<u8>,
    /// The start of its payload, and how much of it went by.
    payload: Vec<u8>,
    arrived: u64,
    /// The message whose last fragment has not come yet: its first opcode, and what came so far.
    open: Option<(Opcode, MessageEnd)>,
}

/// What [`Splitter::watch`] saw: one step of a decoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// How many bytes were taken from the front of the input.
    pub used: usize,
    /// The frame that ended with them, or broke a rule. `None`: more bytes are needed.
    pub frame: Option<Frame>,
    /// What the decoder made of it: nothing if the frame is not the last fragment of its message.
    pub event: Result<Option<Event>, ProtocolError>,
}

/// Where the parts of a frame lie, going by its bytes alone, whether they keep the rules or not: a frame that is refused is
/// to be explained too.
struct Layout {
    header: usize,
    key: usize,
    length: u64,
}

impl Layout {
    /// `None`: the header is not complete.
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

impl Splitter {
    /// A splitter for all bytes that go one way, from the first behind the handshake.
    pub fn new(direction: Direction) -> Splitter {
        Splitter { direction, head: Vec::new(), payload: Vec::new(), arrived: 0, open: None }
    }

    /// Takes bytes from the front of `input`, up to the end of one frame. Returns how many it took, and the frame if it is
    /// complete or its header breaks a rule; behind a broken one there is nothing more to be told. What only the messages
    /// show, such as a continuation of nothing, is not seen here but by [`watch`](Splitter::watch).
    pub fn split(&mut self, input: &[u8]) -> (usize, Option<Frame>) {
        let used = self.belonging(input);
        self.take(&input[..used]);
        let error = match Header::decode(&self.head) {
            Ok(Some((header, _))) if !header.masked && self.direction == Direction::In => Some(ProtocolError::Unmasked),
            Ok(_) => None,
            Err(error) => Some(error),
        };
        let is_over = error.is_some() || self.is_complete();
        (used, is_over.then(|| self.end(error)))
    }

    /// Lets `decoder` take what it can of the frame at the front of `input`, and looks on. The decoder must have been given
    /// the same bytes as this splitter from the start; what was not used must be given again, as to
    /// [`MessageDecoder::decode`].
    pub fn watch(&mut self, decoder: &mut MessageDecoder, input: &[u8]) -> Step {
        // No more than one frame at a time: so an error is known to be this one's.
        let input = &input[..self.belonging(input)];
        match decoder.decode(input) {
            Ok((used, event)) => {
                let (_, frame) = self.split(&input[..used]);
                Step { used, frame, event: Ok(event) }
            }
            Err(error) => {
                self.take(input);
                Step { used: input.len(), frame: Some(self.end(Some(error))), event: Err(error) }
            }
        }
    }

    /// How many bytes of `input` belong to the frame that is arriving.
    fn belonging(&self, input: &[u8]) -> usize {
        let head: Vec<u8> = self.head.iter().chain(input).copied().take(LONGEST_HEAD).collect();
        // An input that does not even complete the header is a part of it.
        let Some(layout) = Layout::of(&head) else { return input.len() };
        let missing_head = layout.header + layout.key - self.head.len();
        let missing = (layout.length - self.arrived).saturating_add(missing_head as u64);
        missing.min(input.len() as u64) as usize
    }

    /// Keeps what is to be shown of bytes that belong to the frame.
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

    /// The frame, and nothing is left of it here.
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

    /// The length of the frame's message up to the frame's end: only a continuation has something before it (§5.4).
    fn length_with(&self, frame: &Frame) -> u64 {
        let open = self.open.filter(|_| frame.opcode() == Some(Opcode::Continuation));
        open.map_or(0, |(_, message)| message.length).saturating_add(frame.length.unwrap_or_default())
    }

    /// Where the frame stands in its message (§5.4): the opcode of that, and the message itself if it is over.
    fn place(&mut self, frame: &Frame) -> (Option<Opcode>, Option<MessageEnd>) {
        let length = frame.length.unwrap_or_default();
        match frame.opcode() {
            Some(Opcode::Continuation) => {
                let Some((kind, message)) = &mut self.open else { return (None, None) };
                message.fragments += 1;
                message.length = message.length.saturating_add(length);
                let (kind, message) = (*kind, *message);
                if !frame.fin() || frame.error.is_some() {
                    return (Some(kind), None);
                }
                self.open = None;
                (Some(kind), Some(message))
            }
            Some(opcode) => {
                if !opcode.is_control() && !frame.fin() {
                    self.open = Some((opcode, MessageEnd { fragments: 1, length }));
                }
                (Some(opcode), None)
            }
            None => (None, None),
        }
    }
}
