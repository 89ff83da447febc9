//! One client: a socket that never waits, and its places on the [`Tape`].

use super::tape::{Tape, masked_frame};
use anyhow::{Context as _, Result, bail};
use mio::net::TcpStream;
use plainsocket::CloseCode;
use plainsocket::protocol::frame::Opcode;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::ops::Range;

pub struct Client {
    pub stream: TcpStream,
    /// The number of its first message.
    first: u64,
    /// On the tape of requests: what the kernel has taken, and what it is to take.
    sent: u64,
    due: u64,
    /// On the tape of replies.
    received: u64,
}

impl Client {
    pub fn new(stream: std::net::TcpStream, first: u64, tape: &Tape) -> Result<Client> {
        stream.set_nonblocking(true)?;
        let start = first * tape.request_length;
        let received = first * tape.reply_length;
        Ok(Client { stream: TcpStream::from_std(stream), first, sent: start, due: start, received })
    }

    /// Sends the next `count` messages, in one write as far as the socket takes them.
    pub fn send(&mut self, count: usize, tape: &Tape) -> Result<()> {
        self.due += count as u64 * tape.request_length;
        self.flush(tape)
    }

    /// Sends what the socket did not take before.
    pub fn flush(&mut self, tape: &Tape) -> Result<()> {
        while self.sent < self.due {
            match self.stream.write(tape.requests(self.sent, self.due)) {
                Ok(count) => self.sent += count as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("cannot send"),
            }
        }
        Ok(())
    }

    /// Takes what has come, and checks it. Returns the numbers of the messages that are complete by it.
    pub fn receive(&mut self, tape: &Tape, buffer: &mut [u8]) -> Result<Range<u64>> {
        let before = self.received / tape.reply_length;
        loop {
            match self.stream.read(buffer) {
                Ok(0) => bail!("the server has hung up"),
                Ok(count) => {
                    tape.check(self.received, &buffer[..count], self.first)?;
                    self.received += count as u64;
                    // epoll(7): less than asked for means that there is no more, and that more will be an event.
                    if count < buffer.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("cannot receive"),
            }
        }
        Ok(before..self.received / tape.reply_length)
    }

    /// Says that nothing more will come; with a Close frame, if the server knows what that is.
    pub fn say_goodbye(&mut self, is_raw: bool) {
        if !is_raw {
            let close = masked_frame(Opcode::Close, &CloseCode::NORMAL.get().to_be_bytes(), [1, 2, 3, 4]);
            // If it does not go out, the end of TCP says the same.
            let _ = self.stream.write(&close);
        }
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Whether the server still has not ended its side.
    pub fn is_open(&mut self, buffer: &mut [u8]) -> bool {
        match self.stream.read(buffer) {
            Ok(count) => count > 0,
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        }
    }
}
