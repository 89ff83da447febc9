//! One frame, as it crossed the wire.

use crate::error::ProtocolError;
use crate::protocol::close::CloseFrame;
use crate::protocol::frame::{Opcode, apply_mask};

/// Which way a frame went, as the server sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client.
    In,
    /// To the client.
    Out,
}

/// A frame's bytes as they crossed the wire, a long payload cut. Made by a [`Dissector`](super::Dissector).
///
/// A frame that broke a rule may be incomplete: it has what came until the rule was seen to be broken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// Which way it went.
    pub direction: Direction,
    /// The bytes before the masking key: at least one; 2, 4 or 10 if they all came.
    pub header: Vec<u8>,
    /// The masking key, if there is one and it came.
    pub key: Option<[u8; 4]>,
    /// The payload as it came, the first [`SHOWN`](super::SHOWN) bytes of it.
    pub payload: Vec<u8>,
    /// The payload length as announced, in bytes; `None` if that did not come as a whole.
    pub length: Option<u64>,
    /// The opcode of the message that the frame is a part of: of its first fragment. `None` if nobody can tell.
    pub kind: Option<Opcode>,
    /// The length of its message up to the end of this frame, in bytes.
    pub length_so_far: u64,
    /// The message of several fragments that ends with this one.
    pub message: Option<MessageEnd>,
    /// The rule that the frame broke.
    pub error: Option<ProtocolError>,
    /// For a Pong that answers the server's last Ping: the round trip in microseconds.
    pub round_trip_us: Option<u64>,
}

/// What a message of several fragments came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageEnd {
    /// How many fragments carried it.
    pub fragments: u64,
    /// The sum of their lengths in bytes.
    pub length: u64,
}

impl Frame {
    /// FIN: the last fragment of its message.
    pub fn fin(&self) -> bool {
        self.first() & 0x80 != 0
    }

    /// The opcode; `None` if it is a reserved one.
    pub fn opcode(&self) -> Option<Opcode> {
        Opcode::decode(self.first() & 0x0F).ok()
    }

    /// The first byte is what makes it a frame; the rest may be missing.
    pub(super) fn first(&self) -> u8 {
        self.header.first().copied().unwrap_or_default()
    }

    /// The opcode's name in lower case, `"reserved"` for all that have none.
    pub fn opcode_name(&self) -> &'static str {
        match self.opcode() {
            Some(Opcode::Continuation) => "continuation",
            Some(Opcode::Text) => "text",
            Some(Opcode::Binary) => "binary",
            Some(Opcode::Close) => "close",
            Some(Opcode::Ping) => "ping",
            Some(Opcode::Pong) => "pong",
            None => "reserved",
        }
    }

    /// The part of the payload that is shown, without its mask (§5.3).
    pub fn unmasked(&self) -> Vec<u8> {
        let mut payload = self.payload.clone();
        apply_mask(&mut payload, self.key.unwrap_or_default(), 0);
        payload
    }

    /// The same as text, where it is a piece of a text message, the reason of a Close, or printable. A character that is
    /// cut at the end is left out. What a client sent is in here as it is: escape it before it is shown.
    pub fn text(&self) -> Option<String> {
        let payload = self.unmasked();
        let bytes = if self.kind == Some(Opcode::Close) { payload.get(2..)? } else { &payload };
        let text = match str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) if error.error_len().is_none() => str::from_utf8(&bytes[..error.valid_up_to()]).ok()?,
            Err(_) => return None,
        };
        let is_text = matches!(self.kind, Some(Opcode::Text | Opcode::Close));
        (is_text || !text.chars().any(char::is_control)).then(|| text.to_owned())
    }

    /// The code and reason of a Close that has a code, and a right one (§5.5.1).
    pub fn close(&self) -> Option<CloseFrame> {
        if self.opcode() != Some(Opcode::Close) || self.error.is_some() {
            return None;
        }
        CloseFrame::decode(&self.unmasked()).ok().flatten()
    }

    /// How many bytes of the payload are not shown.
    pub(super) fn hidden(&self) -> u64 {
        self.length.unwrap_or_default().saturating_sub(self.payload.len() as u64)
    }

    /// The frame's bytes in their order, as far as they are shown.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let key = self.key.as_ref().map_or(&[][..], |key| key);
        [&self.header[..], key, &self.payload].concat()
    }
}
