//! The events of the chat, as JSON (RFC 8259): the text messages of a client with the subprotocol `plainsocket.json`.

use plainsocket::Message;
use std::fmt::Write as _;

/// Tells a client its name, and the others who are there. Events between its 101 and this one can come first.
/// With a bus it also contains the client's position: the id of the message before the first that it gets.
pub fn welcome<'a>(name: &str, room: &str, position: Option<&str>, others: impl Iterator<Item = &'a String>) -> String {
    let others: Vec<String> = others.map(|other| string(other)).collect();
    let (id, name, room) = (member("id", position), string(name), string(room));
    format!(r#"{{"type":"welcome",{id}"name":{name},"room":{room},"members":[{}]}}"#, others.join(","))
}

/// Somebody has joined; `members` is how many are there now.
pub fn joined(name: &str, members: usize) -> String {
    format!(r#"{{"type":"joined","name":{},"members":{members}}}"#, string(name))
}

/// Somebody has left; `members` is how many are there now.
pub fn left(name: &str, members: usize) -> String {
    format!(r#"{{"type":"left","name":{},"members":{members}}}"#, string(name))
}

/// Somebody has said something: the text, or how many bytes of something that is no text. A text that would be more
/// than twice as long as an event, because control characters need six bytes, is treated as no text: the memory of an
/// event is not in the sum of `--max-memory`, and the message is. With a bus the message has an id.
pub fn message(from: &str, message: &Message, id: Option<&str>) -> String {
    let mut out = format!(r#"{{"type":"message",{}"from":{},"#, member("id", id), string(from));
    match message {
        Message::Text(text) if escaped_length(text.as_str()) <= 2 * text.as_bytes().len() + SLACK => {
            out.reserve_exact(escaped_length(text.as_str()) + r#""text":""}"#.len());
            out.push_str("\"text\":");
            push_string(&mut out, text.as_str());
        }
        other => out += &format!("\"bytes\":{}", other.as_bytes().len()),
    }
    out + "}"
}

/// Messages that a client was to get are gone; `null` if nobody knows how many.
#[cfg(feature = "redis")]
pub fn gap(missing: Option<u64>) -> String {
    let missing = missing.map_or("null".to_owned(), |count| count.to_string());
    format!(r#"{{"type":"gap","missing":{missing}}}"#)
}

/// The bus is `up` again, or `down`.
#[cfg(feature = "redis")]
pub fn bus(state: &str, words: &str) -> String {
    format!(r#"{{"type":"bus","state":{},"text":{}}}"#, string(state), string(words))
}

/// A message of the client, counted from 1, is not on the bus: `known` if that is sure.
#[cfg(feature = "redis")]
pub fn refused(number: u64, known: bool, words: &str) -> String {
    format!(r#"{{"type":"refused","number":{number},"known":{known},"text":{}}}"#, string(words))
}

/// The same for a client that gets no events: a text that is no member's.
#[cfg(feature = "redis")]
pub fn plain_notice(words: &str) -> String {
    format!("[plainsocket: {words}]")
}

/// Returns a member of an object with a comma after it, or nothing.
fn member(name: &str, value: Option<&str>) -> String {
    value.map_or(String::new(), |value| format!("{}:{},", string(name), string(value)))
}

/// By how many bytes a short text can grow.
const SLACK: usize = 4096;

fn string(text: &str) -> String {
    let mut out = String::new();
    push_string(&mut out, text);
    out
}

/// Appends the text as a JSON string. Escapes the characters that JSON asks for, and those that a terminal would obey
/// or that end a line in JavaScript.
fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '\n' => out.push_str("\\n"),
            // All of these have four hex digits (§7 of RFC 8259). Writing to a String cannot fail.
            _ if needs_digits(letter) => drop(write!(out, "\\u{:04x}", u32::from(letter))),
            _ => out.push(letter),
        }
    }
    out.push('"');
}

fn needs_digits(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}')
}

/// Returns how many bytes the text has as a JSON string, without the quotation marks.
fn escaped_length(text: &str) -> usize {
    let length = |letter: char| match letter {
        '"' | '\\' | '\n' => 2,
        _ if needs_digits(letter) => 6,
        _ => letter.len_utf8(),
    };
    text.chars().map(length).sum()
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
    fn message_is_at_most_twice_as_long_as_what_was_said() {
        let (quotes, controls) = ("\"".repeat(100_000), "\u{1}".repeat(100_000));
        let event = message("Ann", &quotes.as_str().into(), None);
        assert_eq!(parse(&event)["text"], json!(quotes));
        assert!(event.len() < 2 * quotes.len() + 100 && event.capacity() <= event.len(), "no byte is left over");
        let expected = json!({"type": "message", "from": "Ann", "bytes": 100_000});
        assert_eq!(parse(&message("Ann", &controls.as_str().into(), None)), expected);
        // A short one can consist of them.
        assert_eq!(parse(&message("Ann", &controls[..1000].into(), None))["text"], json!(controls[..1000]));
    }

    #[test]
    fn escaped_length_is_that_of_the_string() {
        for text in ["", "Grüße", "a\"b\\c\nd\r\u{0}\u{7f}\u{9b}\u{2028}ü👋"] {
            assert_eq!(escaped_length(text) + 2, string(text).len(), "{text:?}");
        }
    }

    #[test]
    fn events_have_their_members_and_are_one_line() {
        let name = "Ann\"\n";
        let others = ["Bob".to_owned(), "\\".to_owned()];
        let events = [
            (
                welcome(name, "/chat", None, others.iter()),
                json!({"type": "welcome", "name": name, "room": "/chat", "members": others}),
            ),
            (joined(name, 2), json!({"type": "joined", "name": name, "members": 2})),
            (left(name, 1), json!({"type": "left", "name": name, "members": 1})),
            (message(name, &"h\ni".into(), None), json!({"type": "message", "from": name, "text": "h\ni"})),
            (message(name, &vec![0; 5].into(), None), json!({"type": "message", "from": name, "bytes": 5})),
        ];
        for (event, expected) in events {
            assert_eq!(parse(&event), expected);
            assert!(!event.contains('\n'), "{event}");
        }
        assert_eq!(
            parse(&welcome("Ann", "/chat", None, [].iter())),
            json!({"type": "welcome", "name": "Ann", "room": "/chat", "members": []})
        );
    }
}
