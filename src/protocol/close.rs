//! The Close frame (§5.5.1), its codes (§7.4), and the code for each protocol error (§7.1.7).

use crate::error::ProtocolError;
use std::fmt;

/// A status code that a Close frame can carry (§7.4).
///
/// An API reports 1005 if no code arrived, 1006 if no Close arrived, and 1015 if TLS failed. They "MUST NOT be set as a
/// status code in a Close control frame" (§7.4.1). Of these, only 1005 is a `CloseCode`, for a Close that arrived:
/// [`NO_STATUS`](CloseCode::NO_STATUS).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseCode(u16);

impl CloseCode {
    /// The purpose of the connection is fulfilled.
    pub const NORMAL: CloseCode = CloseCode(1000);
    /// The server shuts down, or the browser leaves the page.
    pub const GOING_AWAY: CloseCode = CloseCode(1001);
    /// The other side broke a rule of the protocol.
    pub const PROTOCOL_ERROR: CloseCode = CloseCode(1002);
    /// The endpoint cannot accept this type of data.
    pub const UNSUPPORTED_DATA: CloseCode = CloseCode(1003);
    /// A Close frame without a code (§7.1.5). It never goes over the wire: a Close sent with it has no payload.
    pub const NO_STATUS: CloseCode = CloseCode(1005);
    /// The payload does not match its type: text that is not UTF-8.
    pub const INVALID_PAYLOAD: CloseCode = CloseCode(1007);
    /// A message breaks the endpoint's policy.
    pub const POLICY_VIOLATION: CloseCode = CloseCode(1008);
    /// A message is too big.
    pub const MESSAGE_TOO_BIG: CloseCode = CloseCode(1009);
    /// The server met an unexpected condition.
    pub const INTERNAL_ERROR: CloseCode = CloseCode(1011);
    /// The server is overloaded; the client can try again later.
    pub const TRY_AGAIN_LATER: CloseCode = CloseCode(1013);

    /// Returns the code, or `None` if a Close frame must not carry it. Codes from 4000 to 4999 are for your own use,
    /// and those from 3000 on for registered ones (§7.4.2).
    ///
    /// ```
    /// use plainsocket::CloseCode;
    /// assert_eq!(CloseCode::new(1000), Some(CloseCode::NORMAL));
    /// assert_eq!(CloseCode::new(4001).unwrap().get(), 4001);
    /// assert_eq!(CloseCode::new(1005), None);
    /// ```
    pub fn new(code: u16) -> Option<CloseCode> {
        // §7.4.2: 1000-2999 are for the RFC and its registry (which added 1012-1014), 3000-3999 for registration with
        // IANA, 4000-4999 for private use.
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(CloseCode(code)),
            _ => None,
        }
    }

    /// Returns the code as its number on the wire.
    pub fn get(self) -> u16 {
        self.0
    }

    /// Returns the meaning in a few words (§7.4).
    pub fn name(self) -> &'static str {
        match self.0 {
            1000 => "normal closure",
            1001 => "going away",
            1002 => "protocol error",
            1003 => "unsupported data",
            1005 => "no code",
            1007 => "invalid payload",
            1008 => "policy violation",
            1009 => "message too big",
            1010 => "extension missing",
            1011 => "internal error",
            1012 => "service restart",
            1013 => "try again later",
            1014 => "bad gateway",
            3000..=3999 => "registered by a library, framework or application",
            _ => "the application's own",
        }
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The payload of a Close frame that has one: a code and a reason (§5.5.1).
///
/// A Close frame without payload is `None` where a `CloseFrame` is optional.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive] // only `new` and `decode` make one, so that it fits a control frame
pub struct CloseFrame {
    /// The status code.
    pub code: CloseCode,
    /// The reason in words, for debugging; can be empty.
    pub reason: String,
}

impl CloseFrame {
    /// Returns a payload that fits a control frame (§5.5): a reason over 123 bytes is cut between characters.
    pub fn new(code: CloseCode, reason: &str) -> CloseFrame {
        let mut end = reason.len().min(123);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        CloseFrame { code, reason: reason[..end].to_owned() }
    }

    /// Decodes the payload of a Close frame; `None` if it is empty.
    ///
    /// The error is a single byte, a code that must not be sent, or a reason that is not UTF-8.
    ///
    /// ```
    /// use plainsocket::{CloseCode, CloseFrame};
    /// let close = CloseFrame::decode(b"\x03\xe8bye").unwrap();
    /// assert_eq!(close, Some(CloseFrame::new(CloseCode::NORMAL, "bye")));
    /// ```
    pub fn decode(payload: &[u8]) -> Result<Option<CloseFrame>, ProtocolError> {
        let (code, reason) = match payload {
            [] => return Ok(None),
            [_] => return Err(ProtocolError::CloseCodeCut),
            [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
        };
        let code = CloseCode::new(code).ok_or(ProtocolError::CloseCodeForbidden(code))?;
        let reason = str::from_utf8(reason).map_err(|_| ProtocolError::InvalidUtf8)?;
        Ok(Some(CloseFrame { code, reason: reason.to_owned() }))
    }

    /// Encodes the code and the reason as the payload of a Close frame; [`CloseCode::NO_STATUS`] as an empty one.
    pub fn encode(&self) -> Vec<u8> {
        if self.code == CloseCode::NO_STATUS {
            return Vec::new();
        }
        [&self.code.get().to_be_bytes(), self.reason.as_bytes()].concat()
    }
}

impl From<ProtocolError> for CloseFrame {
    /// Maps a protocol error to its Close code (§7.1.7), and names the rule as the reason. No other place does.
    fn from(error: ProtocolError) -> CloseFrame {
        let code = match error {
            ProtocolError::InvalidUtf8 | ProtocolError::InvalidDeflate => CloseCode::INVALID_PAYLOAD,
            ProtocolError::MessageTooBig(_) => CloseCode::MESSAGE_TOO_BIG,
            _ => CloseCode::PROTOCOL_ERROR,
        };
        CloseFrame::new(code, &error.to_string())
    }
}
