//! Frames (§5.2): the header's bits, the three payload lengths, masking.
//!
//! ```text
//!  0               1               2               3
//!  0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7
//! +-+-+-+-+-------+-+-------------+-------------------------------+
//! |F|R|R|R| opcode|M| length      | 126: the length, 16 bits      |
//! |I|S|S|S|       |A| 0-125, or   | 127: the length, 64 bits      |
//! |N|V|V|V|       |S| 126, or     |                               |
//! | |1|2|3|       |K| 127         |                               |
//! +-+-+-+-+-------+-+-------------+-------------------------------+
//! | masking key, 4 bytes, if MASK is set    | payload             |
//! +-----------------------------------------+---------------------+
//! ```

use crate::error::ProtocolError;

/// The type of a frame (§5.2), with its number on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// A fragment of a message after its first.
    Continuation = 0x0,
    /// A text message, or its first fragment.
    Text = 0x1,
    /// A binary message, or its first fragment.
    Binary = 0x2,
    /// Begins the closing handshake, or answers in it (§5.5.1).
    Close = 0x8,
    /// Asks for a Pong (§5.5.2).
    Ping = 0x9,
    /// Answers a Ping, or shows unasked that its sender is alive (§5.5.3).
    Pong = 0xA,
}

impl Opcode {
    /// Decodes the lower four bits of a frame's first byte. The error is a reserved opcode.
    pub(super) fn decode(bits: u8) -> Result<Opcode, ProtocolError> {
        match bits {
            0x0 => Ok(Opcode::Continuation),
            0x1 => Ok(Opcode::Text),
            0x2 => Ok(Opcode::Binary),
            0x8 => Ok(Opcode::Close),
            0x9 => Ok(Opcode::Ping),
            0xA => Ok(Opcode::Pong),
            _ => Err(ProtocolError::ReservedOpcode(bits)),
        }
    }

    /// Returns whether this is Close, Ping or Pong: "opcodes where the most significant bit of the opcode is 1" (§5.5).
    pub fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }
}

/// The bytes of a frame before its masking key and payload (§5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Whether this is the last fragment of its message.
    pub fin: bool,
    /// RSV1: the message is compressed, if permessage-deflate is negotiated (RFC 7692 §6). Otherwise it is never set.
    pub rsv1: bool,
    /// The type of the frame.
    pub opcode: Opcode,
    /// Whether a masking key of four bytes follows. A client always masks, a server never (§5.1).
    pub masked: bool,
    /// The payload length in bytes.
    pub length: u64,
}

impl Header {
    /// Decodes the header at the start of `bytes`. Returns it and how many bytes it took.
    ///
    /// `None`: more bytes are needed. The error is a rule that a header breaks in either direction; a bad bit or opcode
    /// is reported at its byte, before the rest arrives.
    ///
    /// ```
    /// use plainsocket::protocol::frame::{Header, Opcode};
    /// // The masked "Hello" of §5.7: header, masking key, payload.
    /// let bytes = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    /// let header = Header { fin: true, rsv1: false, opcode: Opcode::Text, masked: true, length: 5 };
    /// assert_eq!(Header::decode(&bytes), Ok(Some((header, 2))));
    /// assert_eq!(Header::decode(&bytes[..1]), Ok(None));
    /// ```
    pub fn decode(bytes: &[u8]) -> Result<Option<(Header, usize)>, ProtocolError> {
        let Some(&first) = bytes.first() else { return Ok(None) };
        let fin = first & 0x80 != 0;
        // §5.2: "MUST be 0 unless an extension is negotiated ...".
        if first & 0x70 != 0 {
            return Err(ProtocolError::ReservedBit);
        }
        let opcode = Opcode::decode(first & 0x0F)?;
        if opcode.is_control() && !fin {
            return Err(ProtocolError::FragmentedControl);
        }

        let Some(&second) = bytes.get(1) else { return Ok(None) };
        let masked = second & 0x80 != 0;
        if opcode.is_control() && second & 0x7F > 125 {
            return Err(ProtocolError::ControlTooLong);
        }
        let Some((length, used)) = decode_length(second & 0x7F, &bytes[2..])? else { return Ok(None) };
        Ok(Some((Header { fin, rsv1: false, opcode, masked, length }, used)))
    }

    /// Decodes like [`decode`](Header::decode). If the frame `may_be_compressed`, because permessage-deflate is
    /// negotiated, RSV1 can be set on the first frame of a message.
    ///
    /// ```
    /// use plainsocket::protocol::frame::Header;
    /// let (first, continuation) = ([0xC1, 0x00], [0xC0, 0x00]);
    /// assert!(Header::decode(&first).is_err());
    /// assert!(Header::decode_with(&first, true).unwrap().unwrap().0.rsv1);
    /// assert!(Header::decode_with(&continuation, true).is_err());
    /// ```
    pub fn decode_with(bytes: &[u8], may_be_compressed: bool) -> Result<Option<(Header, usize)>, ProtocolError> {
        // RFC 7692 §6.1: not on "control frames and non-first fragments".
        let rsv1 = bytes.first().is_some_and(|first| first & 0x40 != 0 && matches!(first & 0x0F, 0x1 | 0x2));
        if !(may_be_compressed && rsv1) {
            return Header::decode(bytes);
        }
        let mut plain = [0; 10];
        let length = bytes.len().min(plain.len());
        plain[..length].copy_from_slice(&bytes[..length]);
        plain[0] &= !0x40;
        Ok(Header::decode(&plain[..length])?.map(|(header, used)| (Header { rsv1, ..header }, used)))
    }

    /// Encodes the header onto the end of `out`, with the length in its shortest form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let fin = if self.fin { 0x80 } else { 0 };
        let rsv1 = if self.rsv1 { 0x40 } else { 0 };
        let mask = if self.masked { 0x80 } else { 0 };
        out.push(fin | rsv1 | self.opcode as u8);
        match self.length {
            0..=125 => out.push(mask | self.length as u8),
            126..=0xFFFF => {
                out.push(mask | 126);
                out.extend_from_slice(&(self.length as u16).to_be_bytes());
            }
            _ => {
                out.push(mask | 127);
                out.extend_from_slice(&self.length.to_be_bytes());
            }
        }
    }
}

/// Decodes the payload length from the seven bits of the second byte and the `rest` after that byte. Returns the length
/// and how many bytes the header has.
fn decode_length(bits: u8, rest: &[u8]) -> Result<Option<(u64, usize)>, ProtocolError> {
    // §5.2: "the minimal number of bytes MUST be used to encode the length".
    match (bits, rest) {
        (126, &[a, b, ..]) => match u16::from_be_bytes([a, b]) {
            0..=125 => Err(ProtocolError::LengthNotMinimal),
            length => Ok(Some((length.into(), 4))),
        },
        (127, &[a, b, c, d, e, f, g, h, ..]) => match u64::from_be_bytes([a, b, c, d, e, f, g, h]) {
            0..=0xFFFF => Err(ProtocolError::LengthNotMinimal),
            length if length >> 63 != 0 => Err(ProtocolError::LengthTopBit),
            length => Ok(Some((length, 10))),
        },
        (126 | 127, _) => Ok(None),
        _ => Ok(Some((bits.into(), 2))),
    }
}

/// Masks or unmasks `payload` in place (§5.3), and returns whether the result is all ASCII.
///
/// "Octet i of the transformed data ... is the XOR of octet i of the original data ... with octet at index i modulo 4
/// of the masking key" (§5.3). `offset` is how many bytes of the frame's payload came before these, for a payload in
/// pieces. The check of text needs the answer about ASCII, which costs nothing here.
///
/// ```
/// let mut payload = *b"Hello";
/// plainsocket::protocol::frame::apply_mask(&mut payload, [0x37, 0xfa, 0x21, 0x3d], 0);
/// assert_eq!(payload, [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
/// ```
pub fn apply_mask(payload: &mut [u8], mut key: [u8; 4], offset: u64) -> bool {
    key.rotate_left((offset % 4) as usize);
    // The compiler turns a loop over words into vector instructions, 16 times as fast as byte by byte.
    let wide = u64::from_ne_bytes(std::array::from_fn(|i| key[i % 4]));
    let mut seen = 0;
    let (words, rest) = payload.as_chunks_mut::<8>();
    for bytes in words {
        let word = u64::from_ne_bytes(*bytes) ^ wide;
        seen |= word;
        *bytes = word.to_ne_bytes();
    }
    // The top bit of each byte.
    let mut is_ascii = seen & 0x8080_8080_8080_8080 == 0;
    for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
        is_ascii &= byte.is_ascii();
    }
    is_ascii
}

/// Encodes a whole frame, as a server sends it, onto the end of `out`.
///
/// ```
/// use plainsocket::protocol::frame::{Opcode, encode};
/// let mut out = Vec::new();
/// encode(Opcode::Text, b"Hello", &mut out);
/// assert_eq!(out, b"\x81\x05Hello");
/// ```
pub fn encode(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    encode_header(opcode, payload.len(), out);
    out.extend_from_slice(payload);
}

/// Encodes only the header of such a frame, whose payload of `length` bytes follows as it is.
///
/// FIN is set and MASK is not, because a server "MUST NOT mask any frames that it sends to the client" (§5.1).
pub fn encode_header(opcode: Opcode, length: usize, out: &mut Vec<u8>) {
    Header { fin: true, rsv1: false, opcode, masked: false, length: length as u64 }.encode(out);
}
