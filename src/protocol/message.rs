//! Messages (§5.4, §5.6): fragments put together, control frames in between, text checked as it arrives.

use super::close::CloseFrame;
use super::frame::{Header, Opcode, apply_mask};
use crate::error::ProtocolError;

/// What an application sends and receives (§5.6), however many fragments carried it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Text; on the wire it is UTF-8.
    Text(String),
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
}

impl From<&str> for Message {
    fn from(text: &str) -> Message {
        Message::Text(text.to_owned())
    }
}

impl From<String> for Message {
    fn from(text: String) -> Message {
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
/// let mut first = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f];
/// assert_eq!(decoder.decode(&mut first), Ok((7, None)));
/// let mut second = [0x9f, 0x4d, 0x51, 0x58];
/// assert_eq!(decoder.decode(&mut second), Ok((4, Some(Event::Message(Message::from("Hello"))))));
/// ```
#[derive(Debug)]
pub struct MessageDecoder {
    limit: usize,
    /// The frame whose payload is still arriving.
    frame: Option<Arriving>,
    /// The message whose last fragment has not come yet.
    message: Option<Open>,
    /// The payload of a control frame: it may arrive in the middle of a message (§5.4).
    control: Vec<u8>,
}

#[derive(Debug)]
struct Arriving {
    header: Header,
    key: Option<[u8; 4]>,
    arrived: u64,
}

impl Arriving {
    fn is_complete(&self) -> bool {
        self.key.is_some() && self.arrived == self.header.length
    }
}

#[derive(Debug)]
enum Open {
    Text(Utf8Text),
    Binary(Vec<u8>),
}

impl MessageDecoder {
    /// A decoder for the frames of one client. A message may have at most `limit` bytes, summed over its fragments.
    pub fn new(limit: usize) -> MessageDecoder {
        MessageDecoder { limit, frame: None, message: None, control: Vec::new() }
    }

    /// Takes bytes from the front of `input`, unmasking them in place, up to the end of one event. Returns how
    /// many it took and the event. `None`: more bytes are needed, and what it did not take, a part of a header or masking
    /// key, must be given again with the bytes that follow. An error is the first rule that is broken, told as soon as the
    /// header shows it or, in text, at the first bad byte; the decoder is of no use afterwards.
    pub fn decode(&mut self, input: &mut [u8]) -> Result<(usize, Option<Event>), ProtocolError> {
        let mut used = 0;
        loop {
            if self.frame.is_none() {
                let Some((header, length)) = Header::decode(&input[used..])? else { return Ok((used, None)) };
                used += length;
                self.begin_frame(header)?;
            }
            used += self.take_key(&input[used..]);
            used += self.take_payload(&mut input[used..])?;
            let Some(frame) = self.frame.take_if(|frame| frame.is_complete()) else { return Ok((used, None)) };
            if let Some(event) = self.end_frame(frame.header)? {
                return Ok((used, Some(event)));
            }
        }
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
            (Opcode::Text, None) => self.message = Some(Open::Text(Utf8Text::default())),
            (Opcode::Binary, None) => self.message = Some(Open::Binary(Vec::new())),
            _ => {}
        }
        // A control frame does not count towards the message that it interrupts, and has a limit of its own.
        if !header.opcode.is_control() && header.length > (self.limit - self.message_length()) as u64 {
            return Err(ProtocolError::MessageTooBig(self.limit));
        }
        self.frame = Some(Arriving { header, key: None, arrived: 0 });
        Ok(())
    }

    /// The masking key, if it is to come and all four bytes are there. It is new with each frame (§5.3).
    fn take_key(&mut self, input: &[u8]) -> usize {
        match (&mut self.frame, input.first_chunk()) {
            (Some(Arriving { key: key @ None, .. }), Some(bytes)) => {
                *key = Some(*bytes);
                4
            }
            _ => 0,
        }
    }

    fn message_length(&self) -> usize {
        match &self.message {
            None => 0,
            Some(Open::Text(text)) => text.length(),
            Some(Open::Binary(bytes)) => bytes.len(),
        }
    }

    /// Moves what is there of the frame's payload to where it belongs. Memory grows with what has arrived, never
    /// with what was announced.
    fn take_payload(&mut self, input: &mut [u8]) -> Result<usize, ProtocolError> {
        let Some(Arriving { header, key: Some(key), arrived }) = &mut self.frame else { return Ok(0) };
        let length = (header.length - *arrived).min(input.len() as u64) as usize;
        let payload = &mut input[..length];
        apply_mask(payload, *key, *arrived);
        *arrived += length as u64;
        match &mut self.message {
            _ if header.opcode.is_control() => self.control.extend_from_slice(payload),
            Some(Open::Text(text)) => text.push(payload)?,
            Some(Open::Binary(bytes)) => bytes.extend_from_slice(payload),
            None => unreachable!("begin_frame has opened a message"),
        }
        Ok(length)
    }

    fn end_frame(&mut self, header: Header) -> Result<Option<Event>, ProtocolError> {
        Ok(match header.opcode {
            Opcode::Ping => Some(Event::Ping(std::mem::take(&mut self.control))),
            Opcode::Pong => Some(Event::Pong(std::mem::take(&mut self.control))),
            Opcode::Close => Some(Event::Close(CloseFrame::decode(&std::mem::take(&mut self.control))?)),
            _ if !header.fin => None,
            _ => match self.message.take() {
                Some(Open::Text(text)) => Some(Event::Message(Message::Text(text.finish()?))),
                Some(Open::Binary(bytes)) => Some(Event::Message(Message::Binary(bytes))),
                None => None,
            },
        })
    }
}

/// Text that arrives in pieces, which may cut a character in two (§5.6: "a particular text frame might include a
/// partial UTF-8 sequence; however, the whole message MUST contain valid UTF-8").
#[derive(Debug, Default)]
struct Utf8Text {
    text: String,
    /// The bytes of a character that is not complete: three at most.
    cut: Vec<u8>,
}

impl Utf8Text {
    fn length(&self) -> usize {
        self.text.len() + self.cut.len()
    }

    /// Appends `bytes`, or fails at the first that no UTF-8 text could have in its place.
    fn push(&mut self, mut bytes: &[u8]) -> Result<(), ProtocolError> {
        while !self.cut.is_empty() && !bytes.is_empty() {
            self.cut.push(bytes[0]);
            bytes = &bytes[1..];
            match str::from_utf8(&self.cut) {
                Ok(character) => {
                    self.text.push_str(character);
                    self.cut.clear();
                }
                Err(error) if error.error_len().is_some() => return Err(ProtocolError::InvalidUtf8),
                Err(_) => {}
            }
        }
        match str::from_utf8(bytes) {
            Ok(text) => self.text.push_str(text),
            // `error_len` is `None` where the bytes so far are right and the end came too early.
            Err(error) if error.error_len().is_some() => return Err(ProtocolError::InvalidUtf8),
            Err(error) => {
                let (whole, cut) = bytes.split_at(error.valid_up_to());
                // It is valid, so this goes no deeper.
                self.push(whole)?;
                self.cut.extend_from_slice(cut);
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<String, ProtocolError> {
        if self.cut.is_empty() { Ok(self.text) } else { Err(ProtocolError::InvalidUtf8) }
    }
}
