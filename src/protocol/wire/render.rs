//! The explanations as text for a terminal of 80 columns, and as one line for the log.
//!
//! Everything that a client sent is escaped, so that it begins no line and moves no cursor.

use super::fields::{EXTENDED_LENGTH, Field, MASKING_KEY, RSV};
use super::frame::{Direction, Frame, Inflated};
use super::handshake::{Handshake, Line};
use super::hex::{hex, hex_joined, hex_start};
use crate::error::shown;
use crate::protocol::frame::Opcode;

const WIDTH: usize = 80;

/// The column where the values begin.
const SECOND: usize = 18;

/// The most bytes in a row, and in a line of the log.
const ROW: usize = 16;
const LOG: usize = 32;

impl Frame {
    /// Returns the frame explained, a field a line.
    pub fn to_text(&self) -> String {
        let mut text = self.headline();
        let guilty = self.fault().map_or("", |fault| fault.field);
        let fields = self.fields();
        for field in &fields {
            let is_guilty = field.name == guilty;
            match field.name {
                name if name == RSV[0] => text += &marked(self.rsv_row(&fields), RSV.contains(&guilty)),
                name if RSV.contains(&name) => {}
                _ => text += &marked(field_row(field), is_guilty),
            }
        }
        self.add_payload(&mut text);
        self.add_meaning(&mut text);
        text
    }

    /// Returns what the frame is, how long, and its first bytes.
    fn headline(&self) -> String {
        let broken = if self.error.is_some() { "broken " } else { "" };
        let kind = self.opcode_name();
        let from = if self.direction == Direction::In { "client" } else { "server" };
        let start = match self.length {
            Some(length) => {
                let whole = length.saturating_add(self.bytes().len() as u64 - self.payload.len() as u64);
                format!("{broken}{kind} frame from the {from}, {whole} bytes:")
            }
            None => format!("{broken}{kind} frame from the {from}, cut short:"),
        };
        let room = (WIDTH - " ...".len()).saturating_sub(start.len()) / 3;
        start + " " + &hex_start(&self.bytes(), self.hidden(), room) + "\n"
    }

    fn add_payload(&self, text: &mut String) {
        let payload = self.unmasked();
        if payload.is_empty() {
            return;
        }
        if self.key.is_some() {
            add_rows(text, "masked", self.payload.chunks(ROW).map(hex));
        }
        let name = if self.key.is_some() { "unmasked" } else { "payload" };
        add_rows(text, name, payload.chunks(ROW).map(hex));
        if self.is_compressed {
            self.add_cut(text);
            self.add_inflated(text);
        } else {
            self.add_shown_text(text);
            self.add_cut(text);
        }
    }

    fn add_shown_text(&self, text: &mut String) {
        // A Close's reason has a row of its own.
        if let (Some(shown), None) = (self.text(), self.close()) {
            let quoted: Vec<char> = format!("{shown:?}").chars().collect();
            add_rows(text, "as text", quoted.chunks(WIDTH - SECOND).map(String::from_iter));
        }
    }

    fn add_cut(&self, text: &mut String) {
        if self.hidden() > 0 {
            let all = self.length.unwrap_or_default();
            *text += &row("", &format!("the first {} of {all} bytes", self.payload.len()), "");
        }
    }

    /// Adds the inflated message, with both sizes.
    fn add_inflated(&self, text: &mut String) {
        let Some(inflated) = &self.inflated else {
            let (why, section) = match (&self.error, self.fin()) {
                (Some(_), _) => return,
                (None, false) => ("shown with the last fragment", "6.2 of RFC 7692"),
                (None, true) => ("not known: it refers to earlier messages", "7.1.1 of RFC 7692"),
            };
            *text += &row("inflated", why, section);
            return;
        };
        let sizes = format!("length {} became {}", self.length_so_far, inflated.size());
        *text += &row("inflated", &sizes, "7.2.2 of RFC 7692");
        add_rows(text, "", inflated.bytes.chunks(ROW).map(hex));
        self.add_shown_text(text);
        if inflated.is_cut() {
            *text += &row("", &format!("the first {} of {} bytes", inflated.bytes.len(), inflated.size()), "");
        }
    }

    /// Returns one row for the three bits, which are 0 in nearly every frame.
    fn rsv_row(&self, fields: &[Field]) -> String {
        let bits: String =
            fields.iter().filter(|field| RSV.contains(&field.name)).map(|field| &field.bits[..]).collect();
        let (about, section) = self.meaning_of_rsv1();
        row("RSV1-3", &format!("{bits:<9}{about}"), section)
    }

    /// Adds the consequences of the frame.
    fn add_meaning(&self, text: &mut String) {
        if let Some(close) = self.close() {
            *text += &row("Close code", &format!("{} {}", close.code, close.code.name()), "7.4");
            let reason: Vec<char> = format!("{:?}", close.reason).chars().collect();
            add_rows(text, "reason", reason.chunks(WIDTH - SECOND).map(String::from_iter));
        } else if self.kind == Some(Opcode::Close) && self.error.is_none() {
            *text += &row("Close code", "none was given", "7.1.5");
        }
        if let Some(message) = self.message {
            let sum = format!("complete: {} fragments, length {}", message.fragments, message.length);
            *text += &row("message", &sum, "5.4");
        }
        if let Some(micros) = self.round_trip_us {
            *text += &row("round trip", &milliseconds(micros), "5.5.3");
        }
        if let Some(fault) = self.fault() {
            *text += &row("broken rule", &format!("{}:", fault.field), fault.section);
            *text += &row("", &fault.rule, "");
            if let Some(length) = fault.message_length {
                *text += &row("", &format!("the message would have {length} bytes"), "");
            }
            let code = format!("Close {} {} ends the connection", fault.code, fault.code.name());
            *text += &row("what follows", &code, "7.1.7");
        }
    }

    /// Returns the frame explained in one line for the log, without an end of line.
    pub fn to_line(&self) -> String {
        let mut line = self.opcode_name().to_owned();
        if self.fin() {
            line += " FIN";
        }
        if self.rsv1() {
            line += " RSV1";
        }
        if let Some(key) = self.key {
            line += &format!(" masked {}", hex_joined(&key));
        }
        if let Some(length) = self.length {
            line += &format!(" length {length}");
        }
        if let Some(inflated) = &self.inflated {
            line += &format!(" inflates to length {}", inflated.size());
        }
        if let Some(close) = self.close() {
            line += &format!(" code {} \"{}\"", close.code, shown(&close.reason));
        } else if let Some(text) = self.text().filter(|text| !text.is_empty()) {
            line += &format!(" \"{}\"", shown(&text));
            let is_cut = self.inflated.as_ref().map_or(self.hidden() > 0, Inflated::is_cut);
            line += if is_cut { "..." } else { "" };
        }
        line += &format!(" [{}]", hex_start(&self.bytes(), self.hidden(), LOG));
        if let Some(message) = self.message {
            line += &format!(" ends a message of {} fragments, length {}", message.fragments, message.length);
        }
        if let Some(micros) = self.round_trip_us {
            line += &format!(" after {}", milliseconds(micros));
        }
        if let Some(fault) = self.fault() {
            line += &format!(" BROKEN: {}: {} (§{})", fault.field, fault.rule, fault.section);
        }
        line
    }
}

impl Handshake {
    /// Returns the handshake explained, line by line.
    pub fn to_text(&self) -> String {
        let mut text = "the client's request\n".to_owned();
        self.request.iter().for_each(|line| add_line(&mut text, line));
        text += "the server's response\n";
        self.response.iter().for_each(|line| add_line(&mut text, line));
        text += "how the accept value came about (§4.2.2)\n";
        for (name, value) in [
            ("key", &self.key[..]),
            ("GUID", self.guid()),
            ("key + GUID", &self.joined()),
            ("SHA-1", &self.sha1_hex()),
            ("base64", &self.base64()),
        ] {
            text += &row(name, &value.escape_debug().to_string(), "");
        }
        text
    }
}

/// Returns a line of the handshake as one row.
fn cut_row(start: &str, line: &Line) -> String {
    let line = line.to_string();
    let shown: String = line.chars().take(WIDTH - start.len() - " ...".len()).collect();
    let cut = if shown.len() < line.len() { " ..." } else { "" };
    format!("{start}{shown}{cut}\n")
}

/// Adds a line of the handshake, and below it its purpose.
fn add_line(text: &mut String, line: &Line) {
    *text += &cut_row("  ", line);
    *text += &spread("      ", line.about, line.section);
    for part in &line.parts {
        *text += &cut_row("      - ", part);
        *text += &spread("        ", part.about, part.section);
    }
}

fn field_row(field: &Field) -> String {
    let Field { name, bits, value, about, section } = field;
    match *name {
        // 64 bits are too long for a line.
        EXTENDED_LENGTH if bits.len() > 16 => {
            let number = u64::from_str_radix(bits, 2).unwrap_or_default();
            row("  extended", &format!("0x{number:016x} {value} bytes"), section)
        }
        EXTENDED_LENGTH => row("  extended", &format!("{bits} {value}: {about}"), section),
        MASKING_KEY => row(name, &format!("{value:<13}{about}"), section),
        _ if value == bits => row(name, &format!("{bits:<9}{about}"), section),
        _ => row(name, &format!("{bits:<9}{value}: {about}"), section),
    }
}

/// Marks the field that broke a rule with an exclamation mark at the left edge.
fn marked(row: String, guilty: bool) -> String {
    if guilty { row.replacen(' ', "!", 1) } else { row }
}

fn row(name: &str, text: &str, section: &str) -> String {
    spread(&format!("  {name:<width$}", width = SECOND - 2), text, section)
}

/// Returns a line with the section at its end.
fn spread(start: &str, text: &str, section: &str) -> String {
    if section.is_empty() { format!("{start}{text}\n") } else { format!("{start}{text} (§{section})\n") }
}

fn add_rows(text: &mut String, name: &str, rows: impl Iterator<Item = String>) {
    for (i, line) in rows.enumerate() {
        *text += &row(if i == 0 { name } else { "" }, &line, "");
    }
}

fn milliseconds(micros: u64) -> String {
    format!("{}.{:03} ms", micros / 1000, micros % 1000)
}
