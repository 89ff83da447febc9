//! The fields of a frame's header, in the order of the drawing in §5.2.

use super::frame::{Direction, Frame};
use super::hex::hex;
use crate::protocol::frame::Opcode;

pub(super) const FIN: &str = "FIN";
pub(super) const RSV: [&str; 3] = ["RSV1", "RSV2", "RSV3"];
pub(super) const OPCODE: &str = "opcode";
pub(super) const MASK: &str = "MASK";
pub(super) const LENGTH: &str = "payload length";
pub(super) const EXTENDED_LENGTH: &str = "extended payload length";
pub(super) const MASKING_KEY: &str = "masking key";
pub(super) const PAYLOAD: &str = "payload";

/// A field of a frame's header.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Field {
    /// The name in §5.2.
    pub name: &'static str,
    /// The bits as they crossed the wire.
    pub bits: String,
    /// The bits as a number or a name.
    pub value: String,
    /// The meaning of the value.
    pub about: &'static str,
    /// The section of RFC 6455 with that meaning, or of another: `"6 of RFC 7692"`.
    pub section: &'static str,
}

impl Field {
    fn new(name: &'static str, bits: String, value: String, about: &'static str, section: &'static str) -> Field {
        Field { name, bits, value, about, section }
    }

    /// Returns a field of one bit.
    fn bit(name: &'static str, set: bool, about: &'static str, section: &'static str) -> Field {
        let bit = if set { "1" } else { "0" };
        Field::new(name, bit.to_owned(), bit.to_owned(), about, section)
    }
}

impl Frame {
    /// Returns the fields of the header and the masking key, as far as they arrived.
    pub fn fields(&self) -> Vec<Field> {
        let mut fields = self.fields_of_first_byte();
        if let Some(&second) = self.header.get(1) {
            fields.extend(self.fields_of_second_byte(second));
        }
        if let Some(extended @ [_, ..]) = self.header.get(2..) {
            let value = self.length.map_or_else(|| "not complete".to_owned(), |length| length.to_string());
            fields.push(Field::new(EXTENDED_LENGTH, bits(extended), value, "length in bytes", "5.2"));
        }
        if let Some(key) = self.key {
            fields.push(Field::new(MASKING_KEY, bits(&key), hex(&key), "the payload is XORed with it", "5.3"));
        }
        fields
    }

    fn fields_of_first_byte(&self) -> Vec<Field> {
        let first = self.first();
        let is_control = self.opcode().is_some_and(Opcode::is_control);
        let fin = match (self.fin(), is_control) {
            (_, true) => Field::bit(FIN, self.fin(), "a control frame is never fragmented", "5.5"),
            (true, _) => Field::bit(FIN, true, "the last fragment of its message", "5.2"),
            (false, _) => Field::bit(FIN, false, "more fragments of the message follow", "5.4"),
        };
        let mut fields = vec![fin];
        let meanings = [self.meaning_of_rsv1(), self.meaning_of_rsv2_and_3(), self.meaning_of_rsv2_and_3()];
        for ((name, bit), (about, section)) in RSV.into_iter().zip([0x40, 0x20, 0x10]).zip(meanings) {
            fields.push(Field::bit(name, first & bit != 0, about, section));
        }
        let (about, section) = match self.opcode() {
            Some(Opcode::Continuation) => ("goes on with the message before", "5.4"),
            Some(Opcode::Text) => ("a message in UTF-8 begins", "5.6"),
            Some(Opcode::Binary) => ("a message of any bytes begins", "5.6"),
            Some(Opcode::Close) => ("the last frame of this side", "5.5.1"),
            Some(Opcode::Ping) => ("asks for a Pong with the same payload", "5.5.2"),
            Some(Opcode::Pong) => ("answers a Ping, or shows activity", "5.5.3"),
            None => ("means nothing yet", "5.2"),
        };
        let name = self.opcode_name().to_owned();
        fields.push(Field::new(OPCODE, format!("{:04b}", first & 0x0F), name, about, section));
        fields
    }

    /// Returns what RSV1 says, and the section.
    pub(super) fn meaning_of_rsv1(&self) -> (&'static str, &'static str) {
        match self.opcode() {
            _ if !self.may_be_compressed => self.meaning_of_rsv2_and_3(),
            Some(Opcode::Text | Opcode::Binary) if self.rsv1() => {
                ("compressed: the message is DEFLATE", "6 of RFC 7692")
            }
            Some(Opcode::Text | Opcode::Binary) => ("the message is not compressed", "6 of RFC 7692"),
            Some(Opcode::Continuation) => ("the message's first frame has it", "6.1 of RFC 7692"),
            Some(_) => ("never in a control frame", "6.1 of RFC 7692"),
            None => ("only a first frame has it", "6.1 of RFC 7692"),
        }
    }

    fn meaning_of_rsv2_and_3(&self) -> (&'static str, &'static str) {
        match self.may_be_compressed {
            true => ("the extension negotiated does not use it", "5.2"),
            false => ("no extension is negotiated", "5.2"),
        }
    }

    fn fields_of_second_byte(&self, second: u8) -> [Field; 2] {
        let mask = match self.direction {
            Direction::In => "a client always masks",
            Direction::Out => "a server never masks",
        };
        let length = second & 0x7F;
        let about = match length {
            126 => "the length is in the next 16 bits",
            127 => "the length is in the next 64 bits",
            _ => "length in bytes",
        };
        [
            Field::bit(MASK, second & 0x80 != 0, mask, "5.1"),
            Field::new(LENGTH, format!("{length:07b}"), length.to_string(), about, "5.2"),
        ]
    }
}

fn bits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:08b}")).collect()
}
