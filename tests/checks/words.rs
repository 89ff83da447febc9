//! The types that your server and its checks share: plain data, nothing to edit.

use std::fmt;
use std::io;
use std::time::Duration;

/// The opcodes (§5.2).
pub const CONTINUATION: u8 = 0x0;
pub const TEXT: u8 = 0x1;
pub const BINARY: u8 = 0x2;
pub const CLOSE: u8 = 0x8;
pub const PING: u8 = 0x9;
pub const PONG: u8 = 0xA;

/// The head of an HTTP request: `GET path HTTP/1.1` and the lines `Name: value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub path: String,
    /// Name and value, in the order of the lines.
    pub headers: Vec<(String, String)>,
}

/// The three answers to the question whether `bytes` begin with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head {
    /// Not all of it has arrived yet.
    Incomplete,
    /// The request is here, and takes `length` bytes, including the blank line.
    Complete { request: Request, length: usize },
    /// The request is wrong. The number is the HTTP status to answer with.
    Refused(u16),
}

/// The first bytes of a frame (§5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub fin: bool,
    pub opcode: u8,
    pub masked: bool,
    /// The payload length in bytes.
    pub length: u64,
    /// The size of the header itself in bytes, without the masking key: 2, 4 or 10.
    pub size: usize,
}

/// A whole frame, its payload unmasked.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    pub fin: bool,
    pub opcode: u8,
    pub payload: Vec<u8>,
}

/// A whole message: its opcode is `TEXT` or `BINARY`.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    pub opcode: u8,
    pub payload: Vec<u8>,
}

/// `{:?}` shows only the beginning of a long payload, and its length.
impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Frame { fin, opcode, payload } = self;
        write!(f, "Frame {{ fin: {fin}, opcode: {opcode}, payload: {} }}", Short(payload))
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message {{ opcode: {}, payload: {} }}", self.opcode, Short(&self.payload))
    }
}

/// Bytes as text with escapes, cut if there are many.
struct Short<'a>(&'a [u8]);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 40;
        let Short(bytes) = *self;
        match bytes.get(..SHOWN) {
            Some(first) if bytes.len() > SHOWN => write!(f, "b\"{}\"... ({} bytes)", first.escape_ascii(), bytes.len()),
            _ => write!(f, "b\"{}\"", bytes.escape_ascii()),
        }
    }
}

/// The reason why no frame could be read.
#[derive(Debug)]
pub enum Failure {
    /// The socket failed, or a read took longer than the socket's read timeout.
    Io(io::Error),
    /// The client broke a rule. The number is the Close code for it.
    Close(u16),
}

/// These two let `?` turn either error into a `Failure`.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Io(error)
    }
}

impl From<u16> for Failure {
    fn from(code: u16) -> Failure {
        Failure::Close(code)
    }
}

/// The heartbeat's decision about a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Fine,
    Ping,
    Drop,
}

/// The limits and times of a server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The largest message in bytes.
    pub max_message: usize,
    /// The longest wait for a client to take a frame, before the client is given up.
    pub send_timeout: Duration,
    /// The longest wait for the client's part of the closing handshake.
    pub close_timeout: Duration,
    /// The silence after which a client gets a Ping.
    pub ping_interval: Duration,
    /// The further silence after that Ping, after which the client is dropped.
    pub pong_timeout: Duration,
    /// The time from one tick on `/ticks` to the next.
    pub tick_interval: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            max_message: 16 * 1024 * 1024,
            send_timeout: Duration::from_millis(250),
            close_timeout: Duration::from_secs(2),
            ping_interval: Duration::from_secs(20),
            pong_timeout: Duration::from_secs(20),
            tick_interval: Duration::from_secs(1),
        }
    }
}
