//! The explanations as JSON (RFC 8259), written by hand: one function escapes, two assemble.

use super::fault::Fault;
use super::fields::Field;
use super::frame::{Direction, Frame};
use super::handshake::{Handshake, Line};
use super::hex::hex_joined;
use std::fmt::Display;

impl Frame {
    /// Returns the frame explained, as a JSON object in one line.
    pub fn to_json(&self) -> String {
        let close = self.close().map(|close| {
            object(&[
                ("code", close.code.to_string()),
                ("name", string(close.code.name())),
                ("reason", string(&close.reason)),
            ])
        });
        let message = self
            .message
            .map(|end| object(&[("fragments", end.fragments.to_string()), ("length", end.length.to_string())]));
        object(&[
            ("type", string("frame")),
            ("direction", string(if self.direction == Direction::In { "in" } else { "out" })),
            ("header", bytes(&self.header)),
            ("key", or_null(self.key.map(|key| bytes(&key)))),
            ("masked", bytes(&self.payload)),
            ("unmasked", bytes(&self.unmasked())),
            ("text", or_null(self.text().map(|text| string(&text)))),
            ("length", or_null(self.length)),
            ("shown", self.payload.len().to_string()),
            ("opcode", string(self.opcode_name())),
            ("fin", self.fin().to_string()),
            ("fields", array(self.fields().iter().map(field))),
            ("compressed", self.is_compressed.to_string()),
            ("inflated", or_null(inflated(self))),
            ("close", or_null(close)),
            ("round_trip_us", or_null(self.round_trip_us)),
            ("message", or_null(message)),
            ("error", or_null(self.fault().as_ref().map(fault))),
        ])
    }
}

/// Returns the inflated message, with its length and that of the compressed one.
fn inflated(frame: &Frame) -> Option<String> {
    let inflated = frame.inflated.as_ref()?;
    Some(object(&[
        ("bytes", bytes(&inflated.bytes)),
        ("shown", inflated.bytes.len().to_string()),
        ("length", or_null(inflated.length)),
        ("from", frame.length_so_far.to_string()),
    ]))
}

fn field(field: &Field) -> String {
    object(&[
        ("name", string(field.name)),
        ("bits", string(&field.bits)),
        ("value", string(&field.value)),
        ("about", string(field.about)),
        ("section", string(field.section)),
    ])
}

fn fault(fault: &Fault) -> String {
    object(&[
        ("field", string(fault.field)),
        ("rule", string(&fault.rule)),
        ("section", string(fault.section)),
        ("message_length", or_null(fault.message_length)),
        ("code", fault.code.to_string()),
    ])
}

impl Handshake {
    /// Returns the handshake explained, as a JSON object in one line.
    pub fn to_json(&self) -> String {
        let accept = object(&[
            ("key", string(&self.key)),
            ("guid", string(self.guid())),
            ("joined", string(&self.joined())),
            ("sha1", string(&self.sha1_hex())),
            ("base64", string(&self.base64())),
        ]);
        object(&[
            ("type", string("handshake")),
            ("request", array(self.request.iter().map(line))),
            ("response", array(self.response.iter().map(line))),
            ("accept", accept),
        ])
    }
}

fn line(line: &Line) -> String {
    object(&[
        ("line", string(&line.line)),
        ("about", string(line.about)),
        ("section", string(line.section)),
        ("parts", array(line.parts.iter().map(self::line))),
    ])
}

fn bytes(bytes: &[u8]) -> String {
    string(&hex_joined(bytes))
}

fn or_null(value: Option<impl Display>) -> String {
    value.map_or_else(|| "null".to_owned(), |value| value.to_string())
}

/// Assembles an object from values that are JSON already.
fn object(members: &[(&str, String)]) -> String {
    let members: Vec<String> = members.iter().map(|(name, value)| format!("{}:{value}", string(name))).collect();
    format!("{{{}}}", members.join(","))
}

fn array(elements: impl Iterator<Item = String>) -> String {
    format!("[{}]", elements.collect::<Vec<_>>().join(","))
}

/// Returns a JSON string that is safe for a terminal and a page: unprintable characters and those of tags are escaped.
fn string(text: &str) -> String {
    let mut out = "\"".to_owned();
    for c in text.chars() {
        // Rust escapes quotes, control characters, and whatever is invisible.
        let is_plain = c.escape_debug().len() == 1 || c == '\'';
        if is_plain && !matches!(c, '<' | '>') {
            out.push(c);
        } else {
            // A character beyond 16 bits is a pair of surrogates (RFC 8259 §7).
            out.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    out + "\""
}
