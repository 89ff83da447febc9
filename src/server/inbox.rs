//! The receiving side of a client: a buffer between the socket, which gives bytes in any portion it likes, and the
//! decoders, which take whole heads and frames. What one read brought too much of stays here for the next turn.

use std::io::{self, ErrorKind, Read as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Instant;

/// The buffer of a client that sends little. It grows while reads fill it, up to [`LARGEST`].
const SMALLEST: usize = 2 * 1024;
const LARGEST: usize = 64 * 1024;

pub(super) struct Inbox {
    stream: Arc<TcpStream>,
    buffer: Vec<u8>,
    /// `buffer[start..end]` has been read from the socket, but not consumed.
    start: usize,
    end: usize,
}

impl Inbox {
    pub(super) fn new(stream: Arc<TcpStream>) -> Inbox {
        Inbox { stream, buffer: vec![0; SMALLEST], start: 0, end: 0 }
    }

    /// What has come and has not been consumed. To be changed in place: unmasking does.
    pub(super) fn unread(&mut self) -> &mut [u8] {
        &mut self.buffer[self.start..self.end]
    }

    /// Takes `used` bytes off the front of [`unread`](Inbox::unread).
    pub(super) fn consume(&mut self, used: usize) {
        self.start += used;
    }

    /// Waits for bytes and appends them to [`unread`](Inbox::unread), with one successful read. The error is
    /// `UnexpectedEof` where the client has ended its side, `TimedOut` where `deadline` has passed, or the socket's.
    pub(super) fn fill(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        // The decoders leave less than a header behind (in the handshake less than a head), so there is little to move.
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let count = read_before(&self.stream, &mut self.buffer[self.end..], deadline)?;
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.end += count;
        // A read that filled the buffer: there may be more, and the next read needs room.
        if self.end == self.buffer.len() {
            self.grow();
        }
        Ok(())
    }

    fn grow(&mut self) {
        let length = (self.buffer.len() * 4).min(LARGEST);
        self.buffer.resize(length, 0);
    }

    /// Throws away what the client still sends until it ends its side or `deadline` passes. A socket that is
    /// closed with bytes unread sends a reset, and a reset takes our last frame away from a client that has not
    /// read it yet (§1.4; the remedy is in §7.1.1).
    pub(super) fn drain(&mut self, deadline: Instant) {
        while read_before(&self.stream, &mut self.buffer, Some(deadline)).is_ok_and(|count| count > 0) {}
    }
}

/// One successful read, or `TimedOut`; a deadline costs a system call to set the timeout, `None` costs nothing.
fn read_before(mut stream: &TcpStream, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
    loop {
        if let Some(deadline) = deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            stream.set_read_timeout(Some(left))?;
        }
        match stream.read(buffer) {
            // A timeout is `WouldBlock` on Unix and `TimedOut` on Windows; the loop asks the clock.
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) && deadline.is_some() => {}
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
