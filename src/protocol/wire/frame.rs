//! One frame, as it crossed the wire.

use crate::error::ProtocolError;
use crate::protocol::close::CloseFrame;
use crate::protocol::frame::{Opcode, apply_mask};

/// How many bytes of a payload are kept to be shown.
pub const SHOWN: usize = 128;

/// The most bytes that are inflated to be shown.
pub(super) const MOST: usize = 64 * 1024;

/// Which way a frame went, as the server sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client.
    In,
    /// To the client.
    Out,
}

/// A frame's bytes as they crossed the wire, with a long payload cut. A [`Dissector`](super::Dissector) makes it.
///
/// A frame that broke a rule can be incomplete: it holds the bytes that arrived until then.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// The direction of the frame.
    pub direction: Direction,
    /// The bytes before the masking key: at least one; 2, 4 or 10 if all arrived.
    pub header: Vec<u8>,
    /// The masking key, if the frame has one and it arrived.
    pub key: Option<[u8; 4]>,
    /// The first [`SHOWN`](super::SHOWN) bytes of the payload, still masked.
    pub payload: Vec<u8>,
    /// The payload length as announced, in bytes; `None` if the header is incomplete.
    pub length: Option<u64>,
    /// The opcode of the frame's message, from its first fragment; `None` if it is not known.
    pub kind: Option<Opcode>,
    /// The length of the message up to the end of this frame, in bytes as they crossed the wire.
    pub length_so_far: u64,
    /// Whether permessage-deflate is negotiated, so that RSV1 means something (RFC 7692 §6).
    pub may_be_compressed: bool,
    /// Whether the frame belongs to a compressed message: one with RSV1 on its first frame.
    pub is_compressed: bool,
    /// The inflated message, with the frame that ends a compressed one. `None` for other frames, and where it is not
    /// known: a frame to the client can refer to messages before it.
    pub inflated: Option<Inflated>,
    /// The message of several fragments that ends with this one.
    pub message: Option<MessageEnd>,
    /// The rule that the frame broke.
    pub error: Option<ProtocolError>,
    /// The round trip in microseconds, for a Pong that answers the server's last Ping.
    pub round_trip_us: Option<u64>,
}

/// A compressed message as its sender wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inflated {
    /// The first [`SHOWN`](super::SHOWN) bytes.
    pub bytes: Vec<u8>,
    /// The length in bytes. `None`: more than is inflated to be shown.
    pub length: Option<u64>,
}

impl Inflated {
    pub(super) fn of(message: &[u8]) -> Inflated {
        let shown = message.len().min(SHOWN);
        Inflated { bytes: message[..shown].to_vec(), length: Some(message.len() as u64) }
    }

    /// Returns the length in words, such as `"5"` or `"over 65536"`.
    pub(super) fn size(&self) -> String {
        self.length.map_or_else(|| format!("over {MOST}"), |length| length.to_string())
    }

    /// Returns whether there are bytes that are not shown.
    pub(super) fn is_cut(&self) -> bool {
        self.length.is_none_or(|length| length > self.bytes.len() as u64)
    }
}

/// The sums of a message of several fragments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageEnd {
    /// The number of fragments.
    pub fragments: u64,
    /// The sum of their lengths in bytes, as they crossed the wire.
    pub length: u64,
}

impl Frame {
    /// Returns FIN: whether this is the last fragment of its message.
    pub fn fin(&self) -> bool {
        self.first() & 0x80 != 0
    }

    /// Returns the opcode; `None` if it is reserved.
    pub fn opcode(&self) -> Option<Opcode> {
        Opcode::decode(self.first() & 0x0F).ok()
    }

    /// Returns the first byte, which every frame has.
    pub(super) fn first(&self) -> u8 {
        self.header.first().copied().unwrap_or_default()
    }

    /// Returns the opcode's name in lower case, or `"reserved"`.
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

    /// Returns the payload, as far as it is shown, without its mask (§5.3).
    pub fn unmasked(&self) -> Vec<u8> {
        let mut payload = self.payload.clone();
        apply_mask(&mut payload, self.key.unwrap_or_default(), 0);
        payload
    }

    /// Returns the unmasked payload as text, if it is a piece of a text message, the reason of a Close, or printable.
    /// Of a compressed message it is the inflated text.
    ///
    /// A character that is cut at the end is omitted. The text is as the client sent it: escape it before you show it.
    pub fn text(&self) -> Option<String> {
        let payload = match &self.inflated {
            Some(inflated) => inflated.bytes.clone(),
            None if self.is_compressed => return None,
            None => self.unmasked(),
        };
        let bytes = if self.kind == Some(Opcode::Close) { payload.get(2..)? } else { &payload };
        let text = match str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) if error.error_len().is_none() => str::from_utf8(&bytes[..error.valid_up_to()]).ok()?,
            Err(_) => return None,
        };
        let is_text = matches!(self.kind, Some(Opcode::Text | Opcode::Close));
        (is_text || !text.chars().any(char::is_control)).then(|| text.to_owned())
    }

    /// Returns the code and reason of a valid Close with a code (§5.5.1).
    pub fn close(&self) -> Option<CloseFrame> {
        if self.opcode() != Some(Opcode::Close) || self.error.is_some() {
            return None;
        }
        CloseFrame::decode(&self.unmasked()).ok().flatten()
    }

    /// Returns RSV1.
    pub(super) fn rsv1(&self) -> bool {
        self.first() & 0x40 != 0
    }

    /// Returns how many bytes of the payload are not shown.
    pub(super) fn hidden(&self) -> u64 {
        self.length.unwrap_or_default().saturating_sub(self.payload.len() as u64)
    }

    /// Returns the frame's bytes in their order, as far as they are shown.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let key = self.key.as_ref().map_or(&[][..], |key| key);
        [&self.header[..], key, &self.payload].concat()
    }
}
