//! One client: a non-blocking socket, and its positions on the [`Tape`].

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
    /// Positions on the tape of requests: the bytes that the kernel has taken, and the bytes that it shall take.
    sent: u64,
    due: u64,
    /// The position on the tape of replies.
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

    /// Reads and checks the received bytes. Returns the numbers of the messages that they complete.
    pub fn receive(&mut self, tape: &Tape, buffer: &mut [u8]) -> Result<Range<u64>> {
        let before = self.received / tape.reply_length;
        loop {
            match self.stream.read(buffer) {
                Ok(0) => bail!("the server has hung up"),
                Ok(count) => {
                    tape.check(self.received, &buffer[..count], self.first)?;
                    self.received += count as u64;
                    // epoll(7): a read that returns less than asked for means that no more is there, and that more will
                    // be an event.
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

    /// Tells the server that no more messages follow, with a Close frame if the server knows such frames.
    pub fn say_goodbye(&mut self, is_raw: bool) {
        if !is_raw {
            let close = masked_frame(Opcode::Close, &CloseCode::NORMAL.get().to_be_bytes(), [1, 2, 3, 4]);
            // If the Close cannot be sent, the end of TCP says the same.
            let _ = self.stream.write(&close);
        }
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Returns whether the server still has its side open.
    pub fn is_open(&mut self, buffer: &mut [u8]) -> bool {
        match self.stream.read(buffer) {
            Ok(count) => count > 0,
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        }
    }
}
