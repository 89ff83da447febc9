//! Messages (§5.6): the application's unit, text or binary.

use super::frame::Opcode;
use super::text::Text;

/// A message, as an application sends and receives it (§5.6), however many fragments carried it.
///
/// A received message owns at most twice the memory of its length, and 4 KiB. Beyond 256 KiB its vector can also have
/// reserved address space, which costs no memory.
///
/// ```
/// use plainsocket::Message;
/// assert_eq!(Message::from("Hello"), Message::Text("Hello".into()));
/// assert_eq!(Message::from(vec![1, 2, 3]).as_bytes(), [1, 2, 3]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Text; on the wire it is UTF-8.
    Text(Text),
    /// Any bytes.
    Binary(Vec<u8>),
}

impl Message {
    /// Returns the opcode of the message's first frame.
    pub fn opcode(&self) -> Opcode {
        match self {
            Message::Text(_) => Opcode::Text,
            Message::Binary(_) => Opcode::Binary,
        }
    }

    /// Returns the payload as it crosses the wire.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(bytes) => bytes,
        }
    }

    /// Turns the message into its payload, without a copy.
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            Message::Text(text) => text.into_bytes(),
            Message::Binary(bytes) => bytes,
        }
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Message {
        Message::Text(text.into())
    }
}

impl From<String> for Message {
    fn from(text: String) -> Message {
        Message::Text(text.into())
    }
}

impl From<Text> for Message {
    fn from(text: Text) -> Message {
        Message::Text(text)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Message {
        Message::Binary(bytes)
    }
}
