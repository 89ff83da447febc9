//! Dissects bytes into [`Frame`]s, beside the decoder that turns the same bytes into messages.

use super::frame::{Direction, Frame, Inflated, MessageEnd, SHOWN};
use super::peek::Peek;
use crate::error::ProtocolError;
use crate::protocol::decoder::{Event, MessageDecoder};
use crate::protocol::frame::{Header, Opcode};
use std::mem;

/// The longest header with its masking key, in bytes.
const LONGEST_HEAD: usize = 14;

/// Dissects the bytes of one direction into [`Frame`]s, in whatever pieces they arrive.
///
/// It holds no more than a header and the first [`SHOWN`] bytes of a payload, however long that is.
#[derive(Debug)]
pub struct Dissector {
    direction: Direction,
    /// Whether it is known that permessage-deflate is negotiated.
    has_compression: bool,
    /// The header and the masking key of the arriving frame, as far as they have arrived.
    head: Vec<u8>,
    /// The start of its payload, and how many bytes of it have arrived.
    payload: Vec<u8>,
    arrived: u64,
    /// Only for a frame to the client that is a whole compressed message.
    peek: Option<Peek>,
    /// A message whose last fragment has not arrived yet.
    unfinished: Option<Unfinished>,
}

#[derive(Debug, Clone, Copy)]
struct Unfinished {
    kind: Opcode,
    is_compressed: bool,
    so_far: MessageEnd,
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
        let (head, payload, arrived, peek, unfinished) = (Vec::new(), Vec::new(), 0, None, None);
        Dissector { direction, has_compression: false, head, payload, arrived, peek, unfinished }
    }

    /// Lets RSV1 mean that a message is compressed, after a handshake that has agreed on permessage-deflate.
    ///
    /// Frames from a client need this only for [`dissect`](Dissector::dissect), because a decoder knows it. A frame to
    /// the client says it with RSV1 itself, so there it only changes what RSV1 means in the others.
    ///
    /// ```
    /// use plainsocket::protocol::wire::{Direction, Dissector};
    /// // The compressed "Hello" of RFC 7692 §7.2.3.1, with a masking key of zeros.
    /// let bytes = [0xc1, 0x87, 0, 0, 0, 0, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    /// let (_, frame) = Dissector::new(Direction::In).with_compression().dissect(&bytes);
    /// assert!(frame.is_some_and(|frame| frame.is_compressed && frame.error.is_none()));
    /// let (_, frame) = Dissector::new(Direction::In).dissect(&bytes);
    /// assert!(frame.is_some_and(|frame| frame.error.is_some()));
    /// ```
    pub fn with_compression(self) -> Dissector {
        Dissector { has_compression: true, ..self }
    }

    /// Takes bytes from the front of `input`, up to the end of one frame. Returns how many it took, and the frame if it
    /// is complete or its header breaks a rule.
    ///
    /// After a broken frame there is nothing more to dissect. Rules about messages, such as a continuation of nothing,
    /// are checked by [`dissect_with`](Dissector::dissect_with) only.
    pub fn dissect(&mut self, input: &[u8]) -> (usize, Option<Frame>) {
        let used = self.length_in(input);
        self.take(&input[..used]);
        let may_be_compressed = self.has_compression || self.direction == Direction::Out;
        let error = match Header::decode_with(&self.head, may_be_compressed) {
            Ok(Some((header, _))) if !header.masked && self.direction == Direction::In => Some(ProtocolError::Unmasked),
            Ok(_) => None,
            Err(error) => Some(error),
        };
        let is_over = error.is_some() || self.is_complete();
        (used, is_over.then(|| self.end(error)))
    }

    /// Lets `decoder` decode what it can of the frame at the front of `input`, and dissects the same bytes.
    ///
    /// The decoder must have been given the same bytes as this dissector from the start. Give what was not used again,
    /// as to [`MessageDecoder::decode`].
    pub fn dissect_with(&mut self, decoder: &mut MessageDecoder, input: &[u8]) -> Dissected {
        // No more than one frame at a time, so that an error is known to belong to this one.
        let input = &input[..self.length_in(input)];
        self.has_compression = decoder.allows_compression();
        match decoder.decode(input) {
            Ok((used, event)) => {
                let (_, mut frame) = self.dissect(&input[..used]);
                if let (Some(frame), Some(Event::Message(message))) = (&mut frame, &event) {
                    frame.inflated = frame.is_compressed.then(|| Inflated::of(message.as_bytes()));
                }
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
        if self.arrived == 0 && self.is_whole_compressed_message() {
            self.peek = Peek::new();
        }
        if let Some(peek) = &mut self.peek {
            peek.take(rest);
        }
        let shown = rest.len().min(SHOWN - self.payload.len());
        self.payload.extend_from_slice(&rest[..shown]);
        self.arrived += rest.len() as u64;
    }

    fn has_head(&self) -> bool {
        Layout::of(&self.head).is_some_and(|layout| self.head.len() == layout.header + layout.key)
    }

    /// Returns whether the arriving frame is one to the client that is to be looked into.
    fn is_whole_compressed_message(&self) -> bool {
        let header = Header::decode_with(&self.head, true);
        self.direction == Direction::Out && matches!(header, Ok(Some((Header { fin: true, rsv1: true, .. }, _))))
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
            may_be_compressed: self.has_compression,
            is_compressed: false,
            inflated: None,
            message: None,
            error,
            round_trip_us: None,
        };
        self.arrived = 0;
        frame.may_be_compressed |= self.direction == Direction::Out && frame.rsv1();
        frame.length_so_far = self.length_with(&frame);
        self.place(&mut frame);
        let peek = self.peek.take().filter(|_| frame.is_compressed && frame.error.is_none());
        frame.inflated = peek.and_then(Peek::end);
        frame
    }

    /// Returns the length of the frame's message up to the frame's end: only a continuation has something before it
    /// (§5.4).
    fn length_with(&self, frame: &Frame) -> u64 {
        let unfinished = self.unfinished.filter(|_| frame.opcode() == Some(Opcode::Continuation));
        let before = unfinished.map_or(0, |message| message.so_far.length);
        before.saturating_add(frame.length.unwrap_or_default())
    }

    /// Finds the message that the frame belongs to (§5.4): its opcode, whether it is compressed, and the message itself
    /// if the frame ends one of several fragments.
    fn place(&mut self, frame: &mut Frame) {
        let length = frame.length.unwrap_or_default();
        match frame.opcode() {
            Some(Opcode::Continuation) => {
                let Some(message) = &mut self.unfinished else { return };
                message.so_far.fragments += 1;
                message.so_far.length = message.so_far.length.saturating_add(length);
                (frame.kind, frame.is_compressed) = (Some(message.kind), message.is_compressed);
                if frame.fin() && frame.error.is_none() {
                    frame.message = Some(message.so_far);
                    self.unfinished = None;
                }
            }
            Some(kind) => {
                let is_compressed = !kind.is_control() && frame.may_be_compressed && frame.rsv1();
                (frame.kind, frame.is_compressed) = (Some(kind), is_compressed);
                if !kind.is_control() && !frame.fin() {
                    let so_far = MessageEnd { fragments: 1, length };
                    self.unfinished = Some(Unfinished { kind, is_compressed, so_far });
                }
            }
            None => {}
        }
    }
}
