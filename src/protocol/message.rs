//! Messages (§5.4, §5.6): fragments put together, control frames in between, text checked as it arrives.

use super::close::CloseFrame;
use super::frame::{Header, Opcode, apply_mask};
use super::text::Text;
use crate::error::ProtocolError;
use std::mem;

/// How much more memory than twice its length a message may own.
const LITTLE: usize = 4 * 1024;

/// What an application sends and receives (§5.6), however many fragments carried it.
///
/// A received message owns about twice the memory that it needs at most, and 4 KiB. Beyond 256 KiB its vector may have
/// reserved more addresses than that, which cost no memory.
///
/// ```
/// use plainsocket::Message;
/// assert_eq!(Message::from("Hello"), Message::Text("Hello".into()));
/// assert_eq!(Message::from(vec![1, 2, 3]).as_bytes(), [1, 2, 3]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Text; on the wire it is UTF-8.
    Text(Text),
    /// Any bytes.
    Binary(Vec<u8>),
}

impl Message {
    /// The opcode of the message's first frame.
    pub fn opcode(&self) -> Opcode {
        match self {
            Message::Text(_) => Opcode::Text,
            Message::Binary(_) => Opcode::Binary,
        }
    }

    /// The payload as it goes on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(bytes) => bytes,
        }
    }

    /// The payload, for whoever is done with the message.
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            Message::Text(text) => text.into_bytes(),
            Message::Binary(bytes) => bytes,
        }
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Message {
        Message::Text(text.into())
    }
}

impl From<String> for Message {
    fn from(text: String) -> Message {
        Message::Text(text.into())
    }
}

impl From<Text> for Message {
    fn from(text: Text) -> Message {
        Message::Text(text)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Message {
        Message::Binary(bytes)
    }
}

/// What the bytes of a client amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A message is complete.
    Message(Message),
    /// A Ping, to be answered with the same bytes (§5.5.2).
    Ping(Vec<u8>),
    /// A Pong: the bytes of a Ping, or any if nobody asked (§5.5.3).
    Pong(Vec<u8>),
    /// A Close: the client's last frame (§5.5.1).
    Close(Option<CloseFrame>),
}

/// Turns a client's bytes into [`Event`]s, in whatever pieces they arrive.
///
/// ```
/// use plainsocket::protocol::message::{Event, Message, MessageDecoder};
/// let mut decoder = MessageDecoder::new(1024);
/// // The masked "Hello" of §5.7, in two reads.
/// let first = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f];
/// assert_eq!(decoder.decode(&first), Ok((7, None)));
/// let second = [0x9f, 0x4d, 0x51, 0x58];
/// assert_eq!(decoder.decode(&second), Ok((4, Some(Event::Message(Message::from("Hello"))))));
/// ```
#[derive(Debug)]
pub struct MessageDecoder {
    limit: usize,
    growth: &'static Growth,
    step: Step,
    /// The message whose last fragment has not come yet.
    message: Option<Open>,
    /// The payload of a control frame: it may arrive in the middle of a message (§5.4).
    control: Payload,
    /// Memory for the next message.
    memory: Option<Vec<u8>>,
}

/// What is to come next of the frame that is arriving.
#[derive(Debug, Clone, Copy)]
enum Step {
    Header,
    Key(Header),
    Payload(Arriving),
}

#[derive(Debug, Clone, Copy)]
struct Arriving {
    header: Header,
    key: [u8; 4],
    arrived: u64,
}

impl Arriving {
    fn missing(&self) -> u64 {
        self.header.length - self.arrived
    }
}

/// How the memory of messages grows, and which payloads are read straight into it: for an owner that knows its allocator
/// and its processor.
#[derive(Debug)]
pub(crate) struct Growth {
    /// Gives a vector capacity for this many bytes in all, and perhaps for more. If it gives none, the vector grows by
    /// itself.
    pub(crate) reserve: fn(&mut Vec<u8>, usize),
    /// A larger capacity is address space, of which only the bytes written to are memory.
    pub(crate) long: usize,
    /// The least and the most bytes that [`MessageDecoder::reserve_room`] offers.
    pub(crate) small: usize,
    pub(crate) large: usize,
}

/// Leaves growth to the vector, and offers no room.
static PLAIN: Growth = Growth { reserve: |_, _| {}, long: usize::MAX, small: usize::MAX, large: usize::MAX };

impl MessageDecoder {
    /// Returns a decoder for the frames of one client. A message may have at most `limit` bytes, summed over its fragments.
    pub fn new(limit: usize) -> MessageDecoder {
        MessageDecoder::with_growth(limit, &PLAIN)
    }

    /// Returns a decoder whose messages take memory in its owner's way.
    pub(crate) fn with_growth(limit: usize, growth: &'static Growth) -> MessageDecoder {
        MessageDecoder { limit, growth, step: Step::Header, message: None, control: Payload::default(), memory: None }
    }

    /// Takes bytes from the front of `input`, up to the end of one event. Returns how many it took and the event. `None`:
    /// more bytes are needed, and what it did not take, a part of a header or masking key, must be given again with the
    /// bytes that follow. An error is the first rule that is broken, told as soon as the header shows it or, in text, at
    /// the first bad byte; the decoder is of no use afterwards.
    pub fn decode(&mut self, input: &[u8]) -> Result<(usize, Option<Event>), ProtocolError> {
        let mut used = 0;
        while let Some(frame) = self.take_header_and_key(input, &mut used)? {
            let rest = &input[used..];
            let count = frame.missing().min(rest.len() as u64) as usize;
            let growth = self.growth;
            self.payload(frame.header.opcode).reserve_room(count, growth).copy_from_slice(&rest[..count]);
            used += count;
            let event = self.arrived(frame, count)?;
            if event.is_some() || matches!(self.step, Step::Payload(_)) {
                return Ok((used, event));
            }
        }
        Ok((used, None))
    }

    /// Reserves room for the next bytes of a large payload, so that a read can put them there without a copy. `None`:
    /// the next bytes are for [`decode`](MessageDecoder::decode).
    ///
    /// There is no more room than bytes have arrived, or than an earlier message's memory has left: memory grows with
    /// what arrives and not with what is announced.
    pub(crate) fn reserve_room(&mut self) -> Option<&mut [u8]> {
        let Step::Payload(frame) = self.step else { return None };
        let growth = self.growth;
        let payload = self.payload(frame.header.opcode);
        let length = payload.arrived.max(payload.memory.len() - payload.arrived).min(growth.large);
        let length = frame.missing().min(length as u64) as usize;
        (length >= growth.small).then(|| payload.reserve_room(length, growth))
    }

    /// Decodes the first `count` bytes of the room as [`decode`](MessageDecoder::decode) does its input. Panics if there
    /// was less room.
    // Inlined, it would take a page more of each client's stack, 4 KiB.
    #[inline(never)]
    pub(crate) fn filled(&mut self, count: usize) -> Result<Option<Event>, ProtocolError> {
        let room = self.reserve_room().map_or(0, |room| room.len());
        assert!(count <= room, "{count} bytes in room for {room}");
        match self.step {
            Step::Payload(frame) => self.arrived(frame, count),
            _ => Ok(None),
        }
    }

    /// Returns whether no message is arriving.
    pub(crate) fn is_idle(&self) -> bool {
        self.message.is_none()
    }

    /// How many bytes of memory an unfinished message holds; 0 between two messages.
    pub fn held(&self) -> usize {
        self.message.as_ref().map_or(0, |message| message.payload.memory.len())
    }

    /// Gives up the unfinished message and its memory. The decoder is of no use afterwards.
    pub fn discard(&mut self) {
        self.message = None;
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

    /// The frame whose payload comes next in `input`, unless its header or key is not complete.
    fn take_header_and_key(&mut self, input: &[u8], used: &mut usize) -> Result<Option<Arriving>, ProtocolError> {
        let header = match self.step {
            Step::Payload(frame) => return Ok(Some(frame)),
            Step::Key(header) => header,
            Step::Header => {
                let Some((header, length)) = Header::decode(&input[*used..])? else { return Ok(None) };
                self.begin_frame(header)?;
                *used += length;
                header
            }
        };
        // Noted only where the key has not come: to note each step of each frame costs a tenth of the decoder's time.
        let Some(&key) = input[*used..].first_chunk() else {
            self.step = Step::Key(header);
            return Ok(None);
        };
        *used += key.len();
        Ok(Some(Arriving { header, key, arrived: 0 }))
    }

    /// The rules that a header alone does not show: they depend on the direction and on what came before. Checked when the
    /// length is announced, not when it has come.
    fn begin_frame(&mut self, header: Header) -> Result<(), ProtocolError> {
        // §5.1: "The server MUST close the connection upon receiving a frame that is not masked."
        if !header.masked {
            return Err(ProtocolError::Unmasked);
        }
        match (header.opcode, &self.message) {
            (Opcode::Continuation, None) => return Err(ProtocolError::NothingToContinue),
            (Opcode::Text | Opcode::Binary, Some(_)) => return Err(ProtocolError::MessageInsideMessage),
            (kind @ (Opcode::Text | Opcode::Binary), None) => {
                self.message = Some(Open::new(kind, self.memory.take()));
            }
            _ => {}
        }
        // A control frame does not count towards the message that it interrupts, and has a limit of its own.
        if !header.opcode.is_control() {
            let before = self.payload(header.opcode).arrived;
            if header.length > (self.limit - before) as u64 {
                return Err(ProtocolError::MessageTooBig(self.limit));
            }
        }
        Ok(())
    }

    /// Where the payload of the frame that is arriving belongs.
    fn payload(&mut self, opcode: Opcode) -> &mut Payload {
        match &mut self.message {
            Some(message) if !opcode.is_control() => &mut message.payload,
            _ => &mut self.control,
        }
    }

    /// `count` bytes more of the payload are in their place, still masked.
    fn arrived(&mut self, mut frame: Arriving, count: usize) -> Result<Option<Event>, ProtocolError> {
        let opcode = frame.header.opcode;
        let is_ascii = self.payload(opcode).unmask(count, frame.key, frame.arrived);
        frame.arrived += count as u64;
        let complete = frame.missing() == 0;
        self.step = if complete { Step::Header } else { Step::Payload(frame) };
        if opcode.is_control() {
            return if complete { self.end_control(opcode).map(Some) } else { Ok(None) };
        }
        if let Some(message) = &mut self.message {
            message.check(count, is_ascii)?;
        }
        if complete && frame.header.fin { self.end_message() } else { Ok(None) }
    }

    fn end_message(&mut self) -> Result<Option<Event>, ProtocolError> {
        let Some(message) = self.message.take() else { return Ok(None) };
        // A character was cut, and its rest has not come.
        if message.checked < message.payload.arrived {
            return Err(ProtocolError::InvalidUtf8);
        }
        let kind = message.kind;
        let payload = self.own_memory(message.payload);
        Ok(Some(Event::Message(match kind {
            Opcode::Text => Message::Text(Text::checked(payload)),
            _ => Message::Binary(payload),
        })))
    }

    /// The bytes of a complete payload. A short one in the memory of a long one moves to memory of its own, because an
    /// application that keeps it would keep all of that.
    fn own_memory(&mut self, mut payload: Payload) -> Vec<u8> {
        let is_reserved = payload.memory.capacity() > self.growth.long;
        // Only what was written to is memory there, and a vector that is cut forgets how much that was.
        let (owned, most) = if is_reserved {
            (payload.memory.len(), payload.arrived + LITTLE)
        } else {
            (payload.memory.capacity(), 2 * payload.arrived + LITTLE)
        };
        if owned <= most {
            return payload.take();
        }
        let mut bytes = Vec::new();
        (self.growth.reserve)(&mut bytes, payload.arrived);
        bytes.extend_from_slice(&payload.memory[..payload.arrived]);
        self.memory = Some(payload.memory);
        bytes
    }

    fn end_control(&mut self, opcode: Opcode) -> Result<Event, ProtocolError> {
        let payload = self.control.take();
        Ok(match opcode {
            Opcode::Ping => Event::Ping(payload),
            Opcode::Pong => Event::Pong(payload),
            _ => Event::Close(CloseFrame::decode(&payload)?),
        })
    }
}

/// A payload, as far as it has arrived.
#[derive(Debug, Default)]
struct Payload {
    /// What lies behind `arrived` is room: memory of an earlier message, or zeros.
    memory: Vec<u8>,
    arrived: usize,
}

impl Payload {
    fn reserve_room(&mut self, length: usize, growth: &Growth) -> &mut [u8] {
        let end = self.arrived + length;
        if end > self.memory.len() {
            (growth.reserve)(&mut self.memory, end);
            self.memory.resize(end, 0);
        }
        &mut self.memory[self.arrived..end]
    }

    /// Takes the mask off the next `count` bytes; whether they are ASCII.
    fn unmask(&mut self, count: usize, key: [u8; 4], offset: u64) -> bool {
        let start = self.arrived;
        self.arrived += count;
        apply_mask(&mut self.memory[start..self.arrived], key, offset)
    }

    fn take(&mut self) -> Vec<u8> {
        self.memory.truncate(self.arrived);
        self.arrived = 0;
        mem::take(&mut self.memory)
    }
}

/// A message whose last fragment has not come yet.
#[derive(Debug)]
struct Open {
    kind: Opcode,
    payload: Payload,
    /// How much of a text is known to be right.
    checked: usize,
}

impl Open {
    fn new(kind: Opcode, memory: Option<Vec<u8>>) -> Open {
        Open { kind, payload: Payload { memory: memory.unwrap_or_default(), arrived: 0 }, checked: 0 }
    }

    /// Checks text as it arrives, so that it fails at its first bad byte. It may end within a character (§5.6: "a
    /// particular text frame might include a partial UTF-8 sequence; however, the whole message MUST contain valid
    /// UTF-8"): that is looked at again when more has come.
    fn check(&mut self, new: usize, new_is_ascii: bool) -> Result<(), ProtocolError> {
        let arrived = self.payload.arrived;
        // With nothing cut in front of it, ASCII needs no second look.
        if self.kind == Opcode::Binary || new_is_ascii && self.checked + new == arrived {
            self.checked = arrived;
            return Ok(());
        }
        let unchecked = &self.payload.memory[self.checked..arrived];
        self.checked += match str::from_utf8(unchecked) {
            Ok(text) => text.len(),
            // `error_len` is `None` where the bytes so far are right and the end came too early.
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => return Err(ProtocolError::InvalidUtf8),
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests;
