//! The buffer between the socket, which delivers bytes in any portions, and the decoders, which take whole heads and
//! frames. The bytes of the next frame stay here until its turn.

use super::socket::{Reader, Until};
use super::speed::INBOX;
use std::io::{self, ErrorKind};
use std::time::Instant;

pub(super) struct Inbox {
    pub(super) reader: Reader,
    pub(super) buffer: Vec<u8>,
    /// `buffer[start..end]` has been read from the socket, but not consumed.
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Inbox {
    pub(super) fn new(reader: Reader) -> Inbox {
        Inbox { reader, buffer: vec![0; INBOX], start: 0, end: 0 }
    }

    /// Returns the bytes received and not consumed.
    pub(super) fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Removes `used` bytes from the front of [`unread`](Inbox::unread).
    pub(super) fn consume(&mut self, used: usize) {
        self.start += used;
    }

    /// Returns the size of the buffer in bytes.
    pub(super) fn size(&self) -> usize {
        self.buffer.len()
    }

    /// Reads once, and appends the bytes to [`unread`](Inbox::unread). Returns how many, and the errors of
    /// [`Reader::read`].
    pub(super) fn fill(&mut self, until: Until) -> io::Result<usize> {
        // The decoders leave less than a header, or less than a request's head, so there is little to move.
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.is_full() {
            self.buffer.resize(self.end * 2, 0);
        }
        let count = self.reader.read(&mut self.buffer[self.end..], until)?;
        self.end += count;
        Ok(count)
    }

    /// Returns whether the buffer has no room left, so that there can be more to read.
    pub(super) fn is_full(&self) -> bool {
        self.end == self.buffer.len()
    }

    /// Drops the unread bytes.
    pub(super) fn discard(&mut self) {
        self.start = self.end;
    }

    /// Reads and drops what the client still sends, until it closes its side or `deadline` passes: a *lingering close*.
    /// Closing a socket with unread bytes sends a reset, which destroys our last frame at a client that has not read it
    /// yet (§1.4, §7.1.1). Returns the error that ended it, which is `TimedOut` for the deadline.
    pub(super) fn linger(&mut self, deadline: Instant) -> ErrorKind {
        loop {
            if let Err(error) = self.reader.read(&mut self.buffer, Until::Deadline(deadline)) {
                return error.kind();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::socket::Socket;
    use crate::server::tests::ClientsEnd;
    use std::io::ErrorKind;
    use std::sync::Arc;

    fn inbox(client: &ClientsEnd) -> Inbox {
        Inbox::new(Reader::new(Arc::new(Socket::new(client.servers_end()))))
    }

    #[test]
    fn a_long_head_takes_few_reads_as_the_buffer_doubles() {
        let client = ClientsEnd::default();
        let mut inbox = inbox(&client);
        const LENGTH: usize = 4 * INBOX + 904;
        client.send([7; LENGTH]);
        let mut lengths = Vec::new();
        while inbox.unread().len() < LENGTH {
            inbox.fill(Until::Forever).unwrap();
            lengths.push(inbox.unread().len());
        }
        assert_eq!(lengths, [INBOX, 2 * INBOX, 4 * INBOX, LENGTH]);
    }

    #[test]
    fn bytes_that_arrived_before_the_deadline_are_read_after_it() {
        let client = ClientsEnd::default();
        let mut inbox = inbox(&client);
        let over = Until::Deadline(Instant::now());
        assert_eq!(inbox.fill(over).unwrap_err().kind(), ErrorKind::TimedOut);
        client.send([1, 2]);
        client.send([3]);
        inbox.fill(over).unwrap();
        inbox.fill(over).unwrap();
        assert_eq!(inbox.unread(), [1, 2, 3]);
        assert_eq!(inbox.fill(over).unwrap_err().kind(), ErrorKind::TimedOut);
        client.end();
        assert_eq!(inbox.fill(over).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn flood_does_not_extend_the_deadline_for_long() {
        let client = ClientsEnd::default();
        let mut inbox = inbox(&client);
        (0..1000).for_each(|_| client.send([7]));
        let over = Until::Deadline(Instant::now());
        while inbox.fill(over).is_ok() {}
        assert_eq!(inbox.unread().len(), 100);
        assert_eq!(inbox.fill(over).unwrap_err().kind(), ErrorKind::TimedOut);
        inbox.reader.renew_late_reads();
        while inbox.fill(over).is_ok() {}
        assert_eq!(inbox.unread().len(), 116, "a limit of the handler's own is passed for less long");
    }
}
