//! Protocol errors explained: the field that broke a rule, and the rule.

use super::fields::{EXTENDED_LENGTH, FIN, LENGTH, MASK, OPCODE, PAYLOAD, RSV};
use super::frame::Frame;
use crate::error::ProtocolError;
use crate::protocol::close::{CloseCode, CloseFrame};
use crate::protocol::frame::Opcode;

/// The rule that a frame broke.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// The name of the field that broke the rule, as in [`Frame::fields`], or `"payload"`.
    pub field: &'static str,
    /// The rule in words.
    pub rule: String,
    /// The section of RFC 6455 with the rule, or of another: `"6.1 of RFC 7692"`.
    pub section: &'static str,
    /// The length in bytes that a message over the limit would have with this frame. `None` for other rules, and for a
    /// compressed message, which is given up before it is inflated whole.
    pub message_length: Option<u64>,
    /// The Close code with which the server fails the connection.
    pub code: CloseCode,
}

impl Frame {
    /// Returns the rule that the frame broke, if it did.
    pub fn fault(&self) -> Option<Fault> {
        let error = self.error?;
        let (field, code) = (self.guilty_field(error), CloseFrame::from(error).code);
        // A short fragment can be the one that exceeds the limit.
        let is_too_big = matches!(error, ProtocolError::MessageTooBig(_));
        let message_length = (is_too_big && !self.is_compressed).then_some(self.length_so_far);
        let (rule, section) = match error {
            ProtocolError::ReservedBit if self.may_be_compressed && field == RSV[0] => {
                (rule_of_rsv1(self.opcode()), "6.1 of RFC 7692")
            }
            ProtocolError::ReservedBit if self.may_be_compressed => {
                ("it must be 0: permessage-deflate does not use it".to_owned(), "5.2")
            }
            ProtocolError::MessageTooBig(limit) if self.is_compressed => {
                (format!("this server inflates messages of up to {limit} bytes"), error.section())
            }
            _ => (rule(error), error.section()),
        };
        Some(Fault { field, rule, section, message_length, code })
    }

    fn guilty_field(&self, error: ProtocolError) -> &'static str {
        use ProtocolError::*;
        match error {
            ReservedBit => RSV[(self.wrong_bits() << 1).leading_zeros().min(2) as usize],
            FragmentedControl => FIN,
            ReservedOpcode(_) | NothingToContinue | MessageInsideMessage => OPCODE,
            Unmasked => MASK,
            ControlTooLong => LENGTH,
            LengthNotMinimal | LengthTopBit => EXTENDED_LENGTH,
            MessageTooBig(_) if self.is_compressed => PAYLOAD,
            MessageTooBig(_) if self.header.len() > 2 => EXTENDED_LENGTH,
            MessageTooBig(_) => LENGTH,
            CloseCodeCut | CloseCodeForbidden(_) | InvalidUtf8 | InvalidDeflate => PAYLOAD,
        }
    }

    /// Returns the first byte without RSV1 where that is allowed.
    fn wrong_bits(&self) -> u8 {
        let begins_message = matches!(self.opcode(), Some(Opcode::Text | Opcode::Binary));
        if self.may_be_compressed && begins_message { self.first() & !0x40 } else { self.first() }
    }
}

fn rule_of_rsv1(opcode: Option<Opcode>) -> String {
    let rule = match opcode {
        Some(Opcode::Continuation) => "only the first frame of a compressed message has it",
        Some(_) => "a control frame is never compressed",
        None => "only a text or binary frame can have it",
    };
    rule.to_owned()
}

/// Returns the rule in words.
fn rule(error: ProtocolError) -> String {
    use ProtocolError::*;
    let rule = match error {
        ReservedBit => "it must be 0 unless an extension is negotiated, and none is",
        ReservedOpcode(_) => "the opcodes 3 to 7 and B to F are reserved",
        Unmasked => "a client must mask every frame",
        LengthNotMinimal => "the length must be written in as few bytes as possible",
        LengthTopBit => "the top bit of a 64-bit length must be 0",
        FragmentedControl => "a control frame must not be fragmented",
        ControlTooLong => "a control frame has at most 125 bytes of payload",
        NothingToContinue => "a continuation needs a message that is not over yet",
        MessageInsideMessage => "a message must be over before the next begins",
        CloseCodeCut => "a Close has no payload, or a code of two bytes at its start",
        CloseCodeForbidden(code) => return format!("the Close code {code} must not be sent"),
        InvalidUtf8 => "text must be valid UTF-8",
        InvalidDeflate => "a compressed message must be DEFLATE, and whole",
        MessageTooBig(limit) => return format!("this server takes messages of up to {limit} bytes"),
    };
    rule.to_owned()
}
