//! What happens in the chat, as JSON (RFC 8259): the text messages of a client with the subprotocol `plainsocket.json`.

use plainsocket::Message;
use std::fmt::Write as _;

/// A client is welcome: its name, and the others who are there.
pub fn welcome<'a>(name: &str, room: &str, others: impl Iterator<Item = &'a String>) -> String {
    let others: Vec<String> = others.map(|other| string(other)).collect();
    let (name, room) = (string(name), string(room));
    format!(r#"{{"type":"welcome","name":{name},"room":{room},"members":[{}]}}"#, others.join(","))
}

/// Somebody has joined; `members` is how many are there now.
pub fn joined(name: &str, members: usize) -> String {
    format!(r#"{{"type":"joined","name":{},"members":{members}}}"#, string(name))
}

/// Somebody has left; `members` is how many are there now.
pub fn left(name: &str, members: usize) -> String {
    format!(r#"{{"type":"left","name":{},"members":{members}}}"#, string(name))
}

/// Somebody has said something: the text, or the length of what is no text.
pub fn message(from: &str, message: &Message) -> String {
    let from = string(from);
    match message {
        Message::Text(text) => format!(r#"{{"type":"message","from":{from},"text":{}}}"#, string(text.as_str())),
        Message::Binary(bytes) => format!(r#"{{"type":"message","from":{from},"bytes":{}}}"#, bytes.len()),
    }
}

/// Returns the text as a JSON string. Escaped are those that JSON asks for, and those that a terminal would obey or that
/// end a line in JavaScript.
fn string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '\n' => out.push_str("\\n"),
            // All of these have four hex digits (§7 of RFC 8259). Writing to a String cannot fail.
            _ if letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}') => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            _ => out.push(letter),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn parse(text: &str) -> Value {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    #[test]
    fn string_survives_a_parser_whatever_it_contains() {
        let all: String = (0..0x3000).filter_map(char::from_u32).chain(['\u{fffe}', '👋', '\u{10ffff}']).collect();
        assert_eq!(parse(&string(&all)), json!(all));
        assert_eq!(string("a\"b\\c\nd\r\u{0}\u{7f}\u{9b}\u{2028}ü"), r#""a\"b\\c\nd\u000d\u0000\u007f\u009b\u2028ü""#);
    }

    #[test]
    fn events_have_their_members_and_are_one_line() {
        let name = "Ann\"\n";
        let others = ["Bob".to_owned(), "\\".to_owned()];
        let events = [
            (
                welcome(name, "/chat", others.iter()),
                json!({"type": "welcome", "name": name, "room": "/chat", "members": others}),
            ),
            (joined(name, 2), json!({"type": "joined", "name": name, "members": 2})),
            (left(name, 1), json!({"type": "left", "name": name, "members": 1})),
            (message(name, &"h\ni".into()), json!({"type": "message", "from": name, "text": "h\ni"})),
            (message(name, &vec![0; 5].into()), json!({"type": "message", "from": name, "bytes": 5})),
        ];
        for (event, expected) in events {
            assert_eq!(parse(&event), expected);
            assert!(!event.contains('\n'), "{event}");
        }
        assert_eq!(
            parse(&welcome("Ann", "/chat", [].iter())),
            json!({"type": "welcome", "name": "Ann", "room": "/chat", "members": []})
        );
    }
}
