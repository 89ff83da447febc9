//! Frames to messages (§5.4): fragments assembled, control frames in between, each rule checked as the bytes arrive.

#[allow(dead_code, reason = "an owner that does without speed calls none of them")]
mod hooks;
mod inflate;
#[cfg(test)]
mod tests;

use super::close::CloseFrame;
use super::deflate::{Agreement, Incoming};
use super::frame::{Header, Opcode};
use super::message::Message;
use super::payload::{Growth, PLAIN, Payload, Unfinished};
use super::text::Text;
use crate::error::ProtocolError;

/// The meaning of a client's bytes: a message, or a control frame (§5.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A complete message.
    Message(Message),
    /// A Ping, to be answered with the same bytes (§5.5.2).
    Ping(Vec<u8>),
    /// A Pong: the bytes of a Ping, or any bytes if nobody asked (§5.5.3).
    Pong(Vec<u8>),
    /// A Close: the client's last frame (§5.5.1).
    Close(Option<CloseFrame>),
}

/// Turns a client's bytes into [`Event`]s, in whatever pieces they arrive.
///
/// ```
/// use plainsocket::Message;
/// use plainsocket::protocol::decoder::{Event, MessageDecoder};
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
    expected: Expected,
    /// The message whose last fragment has not arrived yet.
    message: Option<Unfinished>,
    /// The payload of a control frame, which can arrive in the middle of a message (§5.4).
    control: Payload,
    growth: &'static Growth,
    /// Memory lent to the next message.
    memory: Option<Vec<u8>>,
    /// Only if permessage-deflate is negotiated.
    incoming: Option<Incoming>,
}

/// The part of a frame that the next bytes belong to.
#[derive(Debug, Clone, Copy)]
enum Expected {
    Header,
    Key(Header),
    Payload(ArrivingFrame),
}

#[derive(Debug, Clone, Copy)]
struct ArrivingFrame {
    header: Header,
    key: [u8; 4],
    arrived: u64,
}

impl ArrivingFrame {
    fn missing(&self) -> u64 {
        self.header.length - self.arrived
    }
}

impl MessageDecoder {
    /// Returns a decoder for one client, whose messages can have up to `limit` bytes, summed over their fragments.
    pub fn new(limit: usize) -> MessageDecoder {
        let (expected, control) = (Expected::Header, Payload::default());
        MessageDecoder { limit, expected, message: None, control, growth: &PLAIN, memory: None, incoming: None }
    }

    /// Lets the client compress messages, as the handshake has agreed on. The limit is for what they inflate to.
    ///
    /// ```
    /// use plainsocket::Message;
    /// use plainsocket::protocol::decoder::{Event, MessageDecoder};
    /// use plainsocket::protocol::deflate::{Agreement, Compression};
    /// use plainsocket::protocol::request::Request;
    /// let bytes = b"GET / HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    /// let (request, _) = Request::parse(bytes).unwrap().unwrap();
    /// let agreement = Agreement::negotiate(&request, Compression::PerMessage).unwrap();
    /// // The "Hello" of RFC 7692 §7.2.3.1. A masking key of zeros changes nothing.
    /// let frame = [0xc1, 0x87, 0, 0, 0, 0, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    /// let mut decoder = MessageDecoder::new(1024).with_compression(agreement);
    /// assert_eq!(decoder.decode(&frame), Ok((13, Some(Event::Message(Message::from("Hello"))))));
    /// ```
    #[cfg(feature = "deflate")]
    pub fn with_compression(mut self, agreement: Agreement) -> MessageDecoder {
        self.allow_compression(agreement);
        self
    }

    /// Does what `with_compression` does.
    pub(crate) fn allow_compression(&mut self, agreement: Agreement) {
        self.incoming = Some(Incoming::new(agreement));
    }

    /// Decodes bytes from the front of `input`, up to the end of one event. Returns how many bytes it took, and the
    /// event.
    ///
    /// `None`: more bytes are needed, unless it [`has_more`](MessageDecoder::has_more). Give what it did not take, a
    /// part of a header or masking key, again with the bytes that follow. The error is the first rule that the bytes
    /// break, reported as soon as the header shows it or, in text, at the first bad byte; the decoder is of no use
    /// afterwards.
    pub fn decode(&mut self, input: &[u8]) -> Result<(usize, Option<Event>), ProtocolError> {
        let mut used = 0;
        while let Some(frame) = self.take_header_and_key(input, &mut used)? {
            let rest = &input[used..];
            let (count, event) =
                if self.is_compressed(&frame) { self.inflate(frame, rest)? } else { self.take_payload(frame, rest)? };
            used += count;
            if event.is_some() || matches!(self.expected, Expected::Payload(_)) {
                return Ok((used, event));
            }
        }
        Ok((used, None))
    }

    /// Takes the payload at the front of `input`. Returns how many bytes it took, and the event.
    fn take_payload(&mut self, frame: ArrivingFrame, input: &[u8]) -> Result<(usize, Option<Event>), ProtocolError> {
        let count = frame.missing().min(input.len() as u64) as usize;
        let growth = self.growth;
        self.payload(frame.header.opcode).reserve_room(count, growth).copy_from_slice(&input[..count]);
        Ok((count, self.advance(frame, count)?))
    }

    /// Returns how many bytes of memory an unfinished message holds; 0 between two messages.
    pub fn held(&self) -> usize {
        self.message.as_ref().map_or(0, Unfinished::held)
    }

    /// Discards the unfinished message with its memory. The decoder is of no use afterwards.
    pub fn discard(&mut self) {
        self.message = None;
    }

    /// Returns the frame whose payload `input` goes on with, or `None` if its header or key is not complete.
    fn take_header_and_key(&mut self, input: &[u8], used: &mut usize) -> Result<Option<ArrivingFrame>, ProtocolError> {
        let header = match self.expected {
            Expected::Payload(frame) => return Ok(Some(frame)),
            Expected::Key(header) => header,
            Expected::Header => {
                let Some((header, length)) = Header::decode_with(&input[*used..], self.allows_compression())? else {
                    return Ok(None);
                };
                self.begin_frame(header)?;
                *used += length;
                header
            }
        };
        // Stored only where the key is missing: storing each step of each frame costs a tenth of the decoder's time.
        let Some(&key) = input[*used..].first_chunk() else {
            self.expected = Expected::Key(header);
            return Ok(None);
        };
        *used += key.len();
        Ok(Some(ArrivingFrame { header, key, arrived: 0 }))
    }

    /// Checks the rules that depend on the direction and on earlier frames, when the length is announced.
    fn begin_frame(&mut self, header: Header) -> Result<(), ProtocolError> {
        // §5.1: "The server MUST close the connection upon receiving a frame that is not masked."
        if !header.masked {
            return Err(ProtocolError::Unmasked);
        }
        match (header.opcode, &self.message) {
            (Opcode::Continuation, None) => return Err(ProtocolError::NothingToContinue),
            (Opcode::Text | Opcode::Binary, Some(_)) => return Err(ProtocolError::MessageInsideMessage),
            (kind @ (Opcode::Text | Opcode::Binary), None) => {
                let inflater = self.incoming.as_mut().filter(|_| header.rsv1).map(Incoming::begin);
                self.message = Some(Unfinished::new(kind, self.memory.take(), inflater));
            }
            _ => {}
        }
        // A control frame does not count towards the message that it interrupts, and has a limit of its own.
        match &mut self.message {
            Some(message) if !header.opcode.is_control() => message.announce(header.length, self.limit),
            _ => Ok(()),
        }
    }

    /// Returns whether the client can compress messages.
    pub(super) fn allows_compression(&self) -> bool {
        self.incoming.is_some()
    }

    /// Returns whether the frame is a part of a compressed message.
    fn is_compressed(&self, frame: &ArrivingFrame) -> bool {
        !frame.header.opcode.is_control() && self.message.as_ref().is_some_and(|message| message.inflater.is_some())
    }

    /// Returns where the payload of the arriving frame belongs.
    fn payload(&mut self, opcode: Opcode) -> &mut Payload {
        match &mut self.message {
            Some(message) if !opcode.is_control() => &mut message.payload,
            _ => &mut self.control,
        }
    }

    /// Processes the next `count` bytes of a payload, which are in their place, still masked.
    fn advance(&mut self, mut frame: ArrivingFrame, count: usize) -> Result<Option<Event>, ProtocolError> {
        let opcode = frame.header.opcode;
        let is_ascii = self.payload(opcode).unmask(count, frame.key, frame.arrived);
        frame.arrived += count as u64;
        let complete = frame.missing() == 0;
        self.expected = if complete { Expected::Header } else { Expected::Payload(frame) };
        if opcode.is_control() {
            return if complete { self.end_control(opcode).map(Some) } else { Ok(None) };
        }
        if let Some(message) = &mut self.message {
            message.check_text(count, is_ascii)?;
        }
        if complete && frame.header.fin { self.end_message() } else { Ok(None) }
    }

    fn end_message(&mut self) -> Result<Option<Event>, ProtocolError> {
        let Some(message) = self.message.take() else { return Ok(None) };
        // The message ends within a character.
        if message.checked < message.payload.arrived {
            return Err(ProtocolError::InvalidUtf8);
        }
        if let (Some(incoming), Some(inflater)) = (&mut self.incoming, message.inflater) {
            incoming.end(inflater, &message.payload.memory[..message.payload.arrived]);
        }
        let (payload, left) = message.payload.take_fitting(self.growth);
        self.lend_memory(left);
        Ok(Some(Event::Message(match message.kind {
            Opcode::Text => Message::Text(Text::checked(payload)),
            _ => Message::Binary(payload),
        })))
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
