//! A raw client on std only, as rude as a check needs. Unexpected bytes become a lesson.

#[path = "../support/bytes.rs"]
mod bytes;

use super::lesson::{Lesson, Trial, hex};
use super::words::{BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT};
pub use bytes::{KEY, frame as masked, request};
use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::mem;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

pub const FIN: u8 = 0x80;

/// This exceeds all buffers between a client and an echo.
const FLOOD: usize = 64 << 20;

pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Both ends of a TCP connection over loopback: the client's and the server's.
pub fn connected_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
    let client = TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
    let (server, _) = listener.accept().expect("our own connection");
    (client, server)
}

/// Ends a connection with a reset, so that the other side gets an error instead of the end of the stream.
pub fn reset(stream: TcpStream) {
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("set_linger");
}

/// The next thing that a client finds on its socket.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    Frame { first: u8, masked: bool, payload: Vec<u8> },
    Nothing,
    End,
    Reset,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Seen::Frame { first, masked, payload } => {
                write!(f, "{}{}", if *masked { "masked: " } else { "" }, describe(*first, payload))
            }
            Seen::Nothing => f.write_str("nothing, and the connection is still open"),
            Seen::End => f.write_str("the end of the stream"),
            Seen::Reset => f.write_str("a reset of the connection"),
        }
    }
}

/// Describes a frame on a card.
pub fn describe(first: u8, payload: &[u8]) -> String {
    let name = match first & 0x0F {
        CONTINUATION => "continuation",
        TEXT => "text",
        BINARY => "binary",
        CLOSE => "Close",
        PING => "Ping",
        PONG => "Pong",
        _ => "reserved",
    };
    let rest = match (first & 0x0F, payload) {
        (CLOSE, &[high, low, ..]) => format!(" {}", u16::from_be_bytes([high, low])),
        (CLOSE, []) => " without a code".to_owned(),
        (_, []) => ", empty".to_owned(),
        _ => format!(", payload {}", hex(payload)),
    };
    let fin = if first & FIN == 0 { " without FIN" } else { "" };
    let reserved = if first & 0x70 == 0 { "" } else { " with an RSV bit" };
    format!("a {name} frame{fin}{reserved}{rest}")
}

/// A client, and the trial that it is part of.
pub struct Talk<'a> {
    pub trial: &'a Trial,
    pub stream: TcpStream,
    /// The masking key of the last frame, if it had one, which happens only if the subject is a client.
    pub key: [u8; 4],
    unread: Vec<u8>,
}

impl<'a> Talk<'a> {
    pub fn over(trial: &'a Trial, stream: TcpStream) -> Talk<'a> {
        stream.set_nodelay(true).expect("set_nodelay");
        stream.set_write_timeout(Some(trial.patience * 3)).expect("set_write_timeout");
        Talk { trial, stream, key: [0; 4], unread: Vec::new() }
    }

    /// Opens a connection and does the handshake on `path`.
    pub fn connect(trial: &'a Trial, address: SocketAddr, path: &str) -> Result<Talk<'a>, Lesson> {
        trial.case(
            format!("GET {path} with an upgrade"),
            "HTTP/1.1 101",
            "§4.2.2: the handshake, as in the steps before.",
        );
        let stream = TcpStream::connect_timeout(&address, trial.patience)
            .map_err(|error| trial.came(format!("no connection: {error}")))?;
        let mut talk = Talk::over(trial, stream);
        talk.shake(path)?;
        Ok(talk)
    }

    /// Does the handshake on an open connection.
    pub fn shake(&mut self, path: &str) -> Result<(), Lesson> {
        self.send(request(path).as_bytes());
        match self.head() {
            Ok(head) if head.starts_with("HTTP/1.1 101 ") => Ok(()),
            Ok(head) => Err(self.trial.came(head.lines().next().unwrap_or_default())),
            Err(seen) => Err(self.trial.came(seen.to_string())),
        }
    }

    /// Sends bytes. If the server has hung up, the next look shows it.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Reads more bytes until the deadline. Returns `None` if some have arrived.
    fn read(&mut self, deadline: Instant) -> Option<Seen> {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        self.stream.set_read_timeout(Some(left)).expect("set_read_timeout");
        let mut buffer = [0; 65536];
        match self.stream.read(&mut buffer) {
            Ok(0) => Some(Seen::End),
            Ok(count) => {
                self.unread.extend_from_slice(&buffer[..count]);
                None
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => None,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Some(Seen::Nothing),
            Err(_) => Some(Seen::Reset),
        }
    }

    /// Returns the head of a reply, with its blank line.
    pub fn head(&mut self) -> Result<String, Seen> {
        let deadline = Instant::now() + self.trial.patience;
        loop {
            if let Some(at) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                return Ok(String::from_utf8_lossy(&self.unread.drain(..at + 4).collect::<Vec<u8>>()).into_owned());
            }
            if let Some(seen) = self.read(deadline) {
                return Err(seen);
            }
        }
    }

    /// Returns the bytes that were read and not used yet.
    pub fn unread(&self) -> &[u8] {
        &self.unread
    }

    /// Returns the next `count` bytes, or those that have arrived when the patience is over.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let deadline = Instant::now() + self.trial.patience;
        while self.unread.len() < count && self.read(deadline).is_none() {}
        self.unread.drain(..count.min(self.unread.len())).collect()
    }

    /// Returns how many bytes arrive, up to `most`, until the end of the stream or a pause. They are not kept.
    pub fn count(&mut self, most: usize) -> usize {
        const PAUSE: Duration = Duration::from_millis(200);
        let mut count = self.unread.len();
        while count < most && self.read(Instant::now() + PAUSE).is_none() {
            count += mem::take(&mut self.unread).len();
        }
        count
    }

    /// Returns the next frame, or what is there instead.
    pub fn look(&mut self) -> Seen {
        self.look_for(self.trial.patience)
    }

    pub fn look_for(&mut self, time: Duration) -> Seen {
        let deadline = Instant::now() + time;
        loop {
            if let Some(frame) = self.take_frame() {
                return frame;
            }
            if let Some(seen) = self.read(deadline) {
                return seen;
            }
        }
    }

    /// Returns the first frame of the bytes read, if it is whole.
    fn take_frame(&mut self) -> Option<Seen> {
        let (start, end) = payload_of_first_frame(&self.unread)?;
        // Large payloads are not copied, because dozens of servers are tried at once, with many MiB each.
        let rest = self.unread.split_off(end);
        let mut payload = mem::replace(&mut self.unread, rest);
        let (first, masked) = (payload[0], payload[1] & 0x80 != 0);
        if masked && let Some(key) = payload[..start].last_chunk() {
            self.key = *key;
        }
        payload.drain(..start);
        Some(Seen::Frame { first, masked, payload })
    }

    /// Sends `bytes`, and expects one frame as the reply.
    pub fn ask(&mut self, sent: &str, bytes: &[u8], first: u8, payload: &[u8], why: &'static str) -> Result<(), Asked> {
        self.trial.case(format!("{sent}: {}", hex(bytes)), describe(first, payload), why);
        self.send(bytes);
        self.expect(first, payload)
    }

    pub fn expect(&mut self, first: u8, payload: &[u8]) -> Result<(), Asked> {
        let seen = self.look();
        if seen == (Seen::Frame { first, masked: false, payload: payload.to_vec() }) {
            return Ok(());
        }
        Err(Asked { lesson: self.trial.came(seen.to_string()), seen, behind_close: false })
    }

    /// Expects the server's Close frame with this code (`None`: without a code), and then the end of the stream.
    pub fn expect_close(&mut self, code: Option<u16>) -> Result<(), Asked> {
        let came = match self.look() {
            Seen::Frame { first: 0x88, masked: false, payload }
                if payload.first_chunk().map(|&bytes| u16::from_be_bytes(bytes)) == code =>
            {
                let seen = self.look();
                if seen == Seen::End {
                    return Ok(());
                }
                let lesson = self.trial.came(format!("the Close frame, then {seen}"));
                return Err(Asked { lesson, seen, behind_close: true });
            }
            seen => seen,
        };
        Err(Asked { lesson: self.trial.came(came.to_string()), seen: came, behind_close: false })
    }

    /// Sends `bytes`, and expects a Close and the end of the stream.
    pub fn ask_close(&mut self, sent: &str, bytes: &[u8], code: Option<u16>, why: &'static str) -> Result<(), Asked> {
        let wanted = code.map_or("without a code".to_owned(), |code| code.to_string());
        self.trial.case(
            format!("{sent}: {}", hex(bytes)),
            format!("a Close frame {wanted}, then the end of the stream"),
            why,
        );
        self.send(bytes);
        self.expect_close(code)
    }

    /// Sends messages and reads no reply, until the server accepts no more because its write waits. On a busy machine
    /// this can happen earlier.
    pub fn flood(&mut self) {
        let message = masked(0x82, &[7; 1 << 16]);
        self.stream.set_write_timeout(Some(Duration::from_millis(100))).expect("set_write_timeout");
        for _ in 0..FLOOD / message.len() {
            if self.stream.write_all(&message).is_err() {
                break;
            }
        }
    }

    /// Closes this side of TCP (half-close).
    pub fn hang_up(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}

/// The result instead of the expected frame.
pub struct Asked {
    pub lesson: Lesson,
    pub seen: Seen,
    /// The Close is as expected; this is about the bytes after it.
    pub behind_close: bool,
}

impl From<Asked> for Lesson {
    fn from(asked: Asked) -> Lesson {
        asked.lesson
    }
}

/// The beginning and the end of its payload.
fn payload_of_first_frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let &second = bytes.get(1)?;
    let (length, header) = match second & 0x7F {
        126 => (u64::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?)), 4),
        127 => (u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?), 10),
        length => (u64::from(length), 2),
    };
    let start: usize = header + if second & 0x80 != 0 { 4 } else { 0 };
    let end = start.checked_add(usize::try_from(length).ok()?)?;
    (end <= bytes.len()).then_some((start, end))
}
