//! One client's socket: reads that wait, and writes that wait, for its own thread; and for all threads writes that
//! never do.

#[cfg(not(any(test, fuzzing)))]
use super::system;
pub(super) use super::system::{Sleeper, Waker};
use std::io::{self, ErrorKind, IoSlice};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many reads can still succeed after their deadline. Without a limit, a client that floods would have no deadline.
const LATE_READS: u32 = 100;

/// The same for a limit of the handler's own, which has other work to do then.
const LATE_READS_OF_A_LIMIT: u32 = 16;

#[cfg(not(any(test, fuzzing)))]
type Stream = system::Stream;
/// TCP's stream too, or one in memory that fails when a test tells it to.
#[cfg(any(test, fuzzing))]
type Stream = super::tests::Stream;

/// The socket, as all threads share it.
pub(super) struct Socket {
    stream: Stream,
}

impl Socket {
    pub(super) fn new(stream: impl Into<Stream>) -> Socket {
        Socket { stream: stream.into() }
    }

    pub(super) fn set_nodelay(&self) -> io::Result<()> {
        self.stream.set_nodelay()
    }

    /// Reads what has arrived. The error is `WouldBlock` if nothing has.
    pub(super) fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read_now(buffer)
    }

    /// Returns whether bytes have arrived that nobody has read, or the end of the stream.
    pub(super) fn has_unread(&self) -> bool {
        self.stream.has_unread()
    }

    /// Writes as much as there is room for, which can be nothing, and returns how much.
    pub(super) fn write_some(&self, pieces: &[IoSlice]) -> io::Result<usize> {
        loop {
            return match self.stream.write_now(pieces) {
                Ok(0) => Err(ErrorKind::WriteZero.into()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
                result => result,
            };
        }
    }

    /// Waits until the socket has room or has failed, at most for `timeout`.
    pub(super) fn wait_for_room(&self, timeout: Duration) -> io::Result<()> {
        match self.stream.wait_for_room(timeout) {
            // Then the next write shows whether there is room.
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => Ok(()),
            result => result,
        }
    }

    /// Writes everything, waiting for room; only while no other thread writes to this socket. The error is `TimedOut`
    /// if it takes longer than the deadline.
    pub(super) fn write_all(&self, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
        while !bytes.is_empty() {
            let count = self.write_some(&[IoSlice::new(bytes)])?;
            bytes = &bytes[count..];
            if count == 0 {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(ErrorKind::TimedOut.into());
                }
                self.wait_for_room(left)?;
            }
        }
        Ok(())
    }

    /// Waits until one of the sockets has room or has failed, or the waker is used. Returns the positions of those
    /// sockets.
    pub(super) fn wait_for_any(sockets: &[&Socket], sleeper: &Sleeper, timeout: Duration) -> io::Result<Vec<usize>> {
        let streams: Vec<&Stream> = sockets.iter().map(|socket| &socket.stream).collect();
        Stream::wait_for_any(&streams, sleeper, timeout)
    }

    pub(super) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.stream.shutdown(how)
    }
}

/// How long a read waits.
#[derive(Debug, Clone, Copy)]
pub(super) enum Until {
    Now,
    Deadline(Instant),
    Forever,
}

/// The reading side: only the client's own thread reads.
pub(super) struct Reader {
    socket: Arc<Socket>,
    /// The socket's read timeout, kept here because setting it costs a system call.
    timeout: Option<Duration>,
    late_reads: u32,
}

impl Reader {
    pub(super) fn new(socket: Arc<Socket>) -> Reader {
        Reader { socket, timeout: None, late_reads: LATE_READS }
    }

    /// Reads once. The error is `UnexpectedEof` if the client has closed its side, `WouldBlock` or `TimedOut` if
    /// nothing has arrived now or by the deadline, or the socket's.
    pub(super) fn read(&mut self, buffer: &mut [u8], until: Until) -> io::Result<usize> {
        let count = match until {
            Until::Now => self.poll(buffer),
            Until::Deadline(deadline) => self.block(buffer, Some(deadline)),
            Until::Forever => self.block(buffer, None),
        }?;
        if count == 0 { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(count) }
    }

    /// Lets reads succeed after the next deadline, as after the first, but fewer of them.
    pub(super) fn renew_late_reads(&mut self) {
        self.late_reads = LATE_READS_OF_A_LIMIT;
    }

    fn poll(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.socket.read_now(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => Err(ErrorKind::WouldBlock.into()),
            result => result,
        }
    }

    fn block(&mut self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        loop {
            let timeout = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if timeout == Some(Duration::ZERO) {
                return self.read_late(buffer);
            }
            if self.timeout != timeout {
                self.socket.stream.set_read_timeout(timeout)?;
                self.timeout = timeout;
            }
            match self.socket.stream.read(buffer) {
                // A timeout is `WouldBlock` on Unix and `TimedOut` on Windows; the clock decides.
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {
                }
                result => return result,
            }
        }
    }

    /// Reads once more after the deadline: if the process was stopped meanwhile, the bytes have arrived in time.
    fn read_late(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.late_reads = self.late_reads.checked_sub(1).ok_or(ErrorKind::TimedOut)?;
        self.poll(buffer).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
            _ => error,
        })
    }
}
