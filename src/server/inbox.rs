//! The receiving side of a client: a buffer between the socket, which gives bytes in any portion it likes, and the
//! decoders, which take whole heads and frames. What one read brought too much of stays here for the next turn.

use super::socket::{Reader, Until};
use std::io::{self, ErrorKind};
use std::mem;
use std::time::Instant;

/// The buffer that a client keeps while it waits; at a desk there is a large one. A request's head that is longer makes
/// it grow.
const SMALL: usize = 1024;

pub(super) struct Inbox {
    reader: Reader,
    /// What is in use: the small one, or that of a desk.
    buffer: Vec<u8>,
    /// The small one, while that of a desk is in use.
    aside: Option<Vec<u8>>,
    /// `buffer[start..end]` has been read from the socket, but not consumed.
    start: usize,
    end: usize,
}

impl Inbox {
    pub(super) fn new(reader: Reader) -> Inbox {
        Inbox { reader, buffer: vec![0; SMALL], aside: None, start: 0, end: 0 }
    }

    /// What has come and has not been consumed.
    pub(super) fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Takes `used` bytes off the front of [`unread`](Inbox::unread).
    pub(super) fn consume(&mut self, used: usize) {
        self.start += used;
    }

    /// How much memory the buffer takes.
    pub(super) fn size(&self) -> usize {
        self.buffer.len()
    }

    /// [`Reader::is_busy`].
    pub(super) fn is_busy(&self) -> bool {
        self.reader.is_busy()
    }

    /// Appends to [`unread`](Inbox::unread) what [`Reader::read`] brings.
    pub(super) fn fill(&mut self, until: Until) -> io::Result<()> {
        // The decoders leave less than a header behind (in the handshake less than a head), so there is little to move.
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.is_full() {
            self.buffer.resize(self.end * 2, 0);
        }
        self.end += self.reader.read(&mut self.buffer[self.end..], until)?;
        Ok(())
    }

    /// The buffer has no room left: there may be more to read.
    pub(super) fn is_full(&self) -> bool {
        self.end == self.buffer.len()
    }

    /// Reads past the buffer; nothing may be unread.
    pub(super) fn read_into(&mut self, room: &mut [u8], until: Until) -> io::Result<usize> {
        debug_assert!(self.unread().is_empty());
        self.reader.read(room, until)
    }

    /// Works with the buffer of a desk from now on.
    pub(super) fn take_large(&mut self, large: Vec<u8>) {
        self.aside = Some(self.change_buffer(large));
    }

    /// Gives the buffer of the desk back, if there is one.
    pub(super) fn give_large(&mut self) -> Option<Vec<u8>> {
        let small = self.aside.take()?;
        Some(self.change_buffer(small))
    }

    /// Takes along what is unread: less than a header.
    fn change_buffer(&mut self, mut buffer: Vec<u8>) -> Vec<u8> {
        let unread = self.unread();
        buffer[..unread.len()].copy_from_slice(unread);
        (self.start, self.end) = (0, unread.len());
        mem::replace(&mut self.buffer, buffer)
    }

    /// Throws away what is unread.
    pub(super) fn discard(&mut self) {
        self.start = self.end;
    }

    /// Throws away what the client still sends until it ends its side or `deadline` passes. A socket that is
    /// closed with bytes unread sends a reset, and a reset takes our last frame away from a client that has not
    /// read it yet (§1.4; the remedy is in §7.1.1). Returns what ended it; `TimedOut`: the deadline.
    pub(super) fn drain(&mut self, deadline: Instant) -> ErrorKind {
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
    fn a_long_head_takes_few_reads_since_the_buffer_doubles() {
        let client = ClientsEnd::default();
        let mut inbox = inbox(&client);
        client.send([7; 5000]);
        let mut lengths = Vec::new();
        while inbox.unread().len() < 5000 {
            inbox.fill(Until::Forever).unwrap();
            lengths.push(inbox.unread().len());
        }
        assert_eq!(lengths, [1024, 2048, 4096, 5000]);
    }

    #[test]
    fn the_large_buffer_is_read_into_and_given_back_and_what_is_unread_moves_along() {
        let client = ClientsEnd::default();
        let mut inbox = inbox(&client);
        client.send([1, 2, 3]);
        inbox.fill(Until::Forever).unwrap();
        inbox.consume(1);
        let large = vec![0; 60_000];
        let place = large.as_ptr();
        inbox.take_large(large);
        assert_eq!(inbox.unread(), [2, 3]);
        client.send([4; 50_000]);
        inbox.fill(Until::Forever).unwrap();
        assert_eq!((inbox.unread().len(), &inbox.unread()[..3]), (50_002, &[2, 3, 4][..]));
        inbox.consume(50_000);
        let large = inbox.give_large().unwrap();
        assert_eq!((large.as_ptr(), large.len()), (place, 60_000));
        assert_eq!(inbox.unread(), [4, 4]);
        assert_eq!(inbox.give_large(), None);
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
    fn client_that_floods_after_the_deadline_does_not_pass_it_for_long() {
        let client = ClientsEnd::default();
        let mut inbox = inbox(&client);
        (0..1000).for_each(|_| client.send([7]));
        let over = Until::Deadline(Instant::now());
        while inbox.fill(over).is_ok() {}
        assert_eq!(inbox.unread().len(), 100);
        assert_eq!(inbox.fill(over).unwrap_err().kind(), ErrorKind::TimedOut);
    }

    #[test]
    fn a_client_is_busy_once_it_has_not_let_its_thread_sleep_for_long() {
        let client = ClientsEnd::default();
        let mut inbox = inbox(&client);
        assert!(!inbox.is_busy(), "it has said nothing yet");
        client.send([1]);
        inbox.fill(Until::Forever).unwrap();
        assert!(inbox.is_busy());
    }
}
