//! A message on the bus: its id, and the fields of its entry in a stream.

use crate::rooms::check_name;
use plainsocket::Message;
use redis::Value;
use std::fmt;

/// The longest message that the bus carries. One answer of Redis has many, so it is less than what one server passes
/// on.
pub const LARGEST: usize = 256 * 1024;

/// The id of an entry: Redis's clock in milliseconds, and the number of the message in its stream, which begins at 1.
/// The number counts on from message to message, so a hole is seen, and its size too. Ids are compared as pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Id {
    pub milliseconds: u64,
    pub number: u64,
}

impl Id {
    /// Parses `1764272820123-17`. Without a number it is the first of the millisecond, as for Redis.
    pub fn parse(text: &str) -> Option<Id> {
        let (milliseconds, number) = text.split_once('-').unwrap_or((text, "0"));
        // `parse` itself takes a plus sign.
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        Some(Id { milliseconds: digits(milliseconds)?, number: digits(number)? })
    }

    /// Returns what is missing between this message and the next one that is there, if anything is.
    pub fn missing_before(self, next: Id) -> Option<Missing> {
        match next.number.checked_sub(self.number) {
            Some(1) => None,
            // The stream has begun again: it expired, or Redis has lost it.
            Some(0) | None => Some(Missing::Unknown),
            Some(step) => Some(Missing::Count(step - 1)),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.milliseconds, self.number)
    }
}

/// How many messages are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    Count(u64),
    Unknown,
}

/// An entry of a stream.
#[derive(Debug, PartialEq)]
pub struct Entry {
    pub id: Id,
    /// `None`: it breaks a rule, so it comes from no server of ours, and nobody gets it.
    pub said: Option<Said>,
}

/// A message with the name of its sender.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    pub from: String,
    pub message: Message,
}

impl Entry {
    /// Reads one element of an answer to `XRANGE`. `None`: it is no entry.
    pub fn from_value(value: Value) -> Option<Entry> {
        let Value::Array(parts) = value else { return None };
        let [Value::BulkString(id), Value::Array(fields)] = <[Value; 2]>::try_from(parts).ok()? else { return None };
        let id = Id::parse(str::from_utf8(&id).ok()?)?;
        let bytes = |value| if let Value::BulkString(bytes) = value { Some(bytes) } else { None };
        let fields: Option<Vec<Vec<u8>>> = fields.into_iter().map(bytes).collect();
        Some(Entry { id, said: fields.and_then(Said::from_fields) })
    }
}

impl Said {
    /// Returns the letter that marks a message on the bus as text or binary.
    pub fn kind(&self) -> &'static str {
        if matches!(self.message, Message::Text(_)) { "t" } else { "b" }
    }

    /// Checks everything, as if a client had sent it: anyone who reaches Redis can write to a stream.
    fn from_fields(fields: Vec<Vec<u8>>) -> Option<Said> {
        let [k, kind, n, from, d, data] = <[Vec<u8>; 6]>::try_from(fields).ok()?;
        if (&*k, &*n, &*d) != (b"k", b"n", b"d") || data.len() > LARGEST {
            return None;
        }
        let from = String::from_utf8(from).ok()?;
        if check_name(&from) != Ok(Some(&*from)) {
            return None;
        }
        let message = match &*kind {
            b"t" => String::from_utf8(data).ok()?.into(),
            b"b" => data.into(),
            _ => return None,
        };
        Some(Said { from, message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(milliseconds: u64, number: u64) -> Id {
        Id { milliseconds, number }
    }

    #[test]
    fn id_is_read_strictly_and_written_as_redis_does() {
        assert_eq!(Id::parse("1764272820123-17"), Some(id(1_764_272_820_123, 17)));
        assert_eq!(Id::parse("0"), Some(id(0, 0)));
        assert_eq!(id(5, 6).to_string(), "5-6");
        for wrong in
            ["", "-", "1-", "-1", "+1-2", "1-+2", "1-2-3", " 1-2", "1-2 ", "$", "*", "99999999999999999999-1", "١-1"]
        {
            assert_eq!(Id::parse(wrong), None, "{wrong:?}");
        }
        assert!(id(5, 6) < id(5, 7) && id(5, 7) < id(6, 1));
    }

    #[test]
    fn hole_is_counted_by_the_numbers() {
        assert_eq!(id(0, 0).missing_before(id(9, 1)), None);
        assert_eq!(id(9, 7).missing_before(id(9, 8)), None);
        assert_eq!(id(9, 7).missing_before(id(10, 11)), Some(Missing::Count(3)));
        assert_eq!(id(0, 0).missing_before(id(10, 11)), Some(Missing::Count(10)));
        assert_eq!(id(9, 7).missing_before(id(10, 1)), Some(Missing::Unknown));
        assert_eq!(id(9, 7).missing_before(id(10, 7)), Some(Missing::Unknown));
    }

    fn entry(fields: &[&[u8]]) -> Option<Entry> {
        let bytes = |bytes: &[u8]| Value::BulkString(bytes.to_vec());
        let fields = fields.iter().map(|field| bytes(field)).collect();
        Entry::from_value(Value::Array(vec![bytes(b"5-6"), Value::Array(fields)]))
    }

    #[test]
    fn entry_keeps_whether_it_was_text() {
        let said = |fields: &[&[u8]]| entry(fields).unwrap().said;
        let text = Said { from: "Ann".into(), message: "Grüße".into() };
        assert_eq!(said(&[b"k", b"t", b"n", b"Ann", b"d", "Grüße".as_bytes()]), Some(text.clone()));
        let bytes = Said { from: "Ann".into(), message: vec![0xff, 0].into() };
        assert_eq!(said(&[b"k", b"b", b"n", b"Ann", b"d", b"\xff\0"]), Some(bytes.clone()));
        assert_eq!((text.kind(), bytes.kind()), ("t", "b"));
    }

    #[test]
    fn entry_of_a_stranger_has_its_id_and_says_nothing() {
        let largest = vec![b'x'; LARGEST];
        let too_large = vec![b'x'; LARGEST + 1];
        assert!(entry(&[b"k", b"t", b"n", b"Ann", b"d", &largest]).unwrap().said.is_some());
        let wrong: [&[&[u8]]; 9] = [
            &[],
            &[b"k", b"t", b"n", b"Ann"],
            &[b"x", b"t", b"n", b"Ann", b"d", b"hi"],
            &[b"k", b"x", b"n", b"Ann", b"d", b"hi"],
            &[b"k", b"t", b"n", b"Ann", b"d", b"\xff"],
            &[b"k", b"t", b"n", b"\xff", b"d", b"hi"],
            &[b"k", b"t", b"n", b"A\nnn", b"d", b"hi"],
            &[b"k", b"t", b"n", b"", b"d", b"hi"],
            &[b"k", b"t", b"n", b"Ann", b"d", &too_large],
        ];
        for fields in wrong {
            assert_eq!(entry(fields), Some(Entry { id: id(5, 6), said: None }), "{fields:?}");
        }
    }
}
