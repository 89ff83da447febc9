//! The text of a message (§5.6): UTF-8, checked once.

use std::fmt;

/// Text that was checked for UTF-8 while it arrived (§8.1).
///
/// It is no `String` because Rust makes one only of bytes that it checks itself, so that each text would be checked
/// twice. Text that only passes through, in an echo or a chat, never needs to be a `String`. The chapter on speed has
/// the figures.
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
    /// Always UTF-8.
    bytes: Vec<u8>,
}

impl Text {
    /// Wraps bytes that are known to be UTF-8.
    pub(super) fn checked(bytes: Vec<u8>) -> Text {
        debug_assert!(str::from_utf8(&bytes).is_ok());
        Text { bytes }
    }

    /// Returns the text as a `str`. Each call checks it once more: 40 microseconds for 1 MiB of ASCII.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes).expect("it was checked when it was made")
    }

    /// Turns the text into a `String`, checked once more and not copied.
    pub fn into_string(self) -> String {
        String::from_utf8(self.bytes).expect("it was checked when it was made")
    }

    /// Returns the bytes as they cross the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Turns the text into its bytes, without a copy.
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

/// Formats the text in quotes, as a `str` does.
impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
