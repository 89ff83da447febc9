//! Where there is no `MSG_DONTWAIT` and no safe `poll`, as on Windows: sockets that never block, and naps instead of
//! waits. It is right, and slow: a read looks again after a nap of 1 ms, then 2, and 16 at most; the drain thread after
//! 16 ms.

use std::io::{self, ErrorKind, IoSlice, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

const SHORTEST_NAP: Duration = Duration::from_millis(1);
const LONGEST_NAP: Duration = Duration::from_millis(16);

/// A TCP connection that several threads share.
#[derive(Debug)]
pub struct Stream(TcpStream);

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Stream {
        // A socket that refuses even this fails with its first read.
        let _ = stream.set_nonblocking(true);
        Stream(stream)
    }
}

impl Stream {
    /// Switches Nagle's algorithm off, which would hold back a small frame until the one before it is acknowledged.
    pub fn set_nodelay(&self) -> io::Result<()> {
        self.0.set_nodelay(true)
    }

    /// Sets how long [`read`](Stream::read) waits; `None`: until something arrives.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_read_timeout(timeout)
    }

    /// Reads, and waits for the first byte.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let (timeout, begin) = (self.0.read_timeout()?, Instant::now());
        let mut nap = SHORTEST_NAP;
        loop {
            match self.read_now(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return result,
            }
            if timeout.is_some_and(|timeout| begin.elapsed() >= timeout) {
                return Err(ErrorKind::WouldBlock.into());
            }
            thread::sleep(nap);
            nap = LONGEST_NAP.min(2 * nap);
        }
    }

    /// Reads what has arrived; `WouldBlock` if nothing has.
    pub fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(buffer)
    }

    /// Whether something has arrived, or the end of the stream, that nobody has read.
    pub fn has_unread(&self) -> bool {
        !matches!(self.0.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    /// Writes as much as the socket has room for; `WouldBlock` if it has none.
    pub fn write_now(&self, pieces: &[IoSlice]) -> io::Result<usize> {
        (&self.0).write_vectored(pieces)
    }

    /// Waits until the socket might have room.
    pub fn wait_for_room(&self, timeout: Duration) -> io::Result<()> {
        thread::sleep(timeout.min(SHORTEST_NAP));
        Ok(())
    }

    /// Waits until one of the streams might have room, or until the waker is used. Returns the positions of those
    /// streams.
    pub fn wait_for_any(streams: &[&Stream], sleeper: &Sleeper, _: Duration) -> io::Result<Vec<usize>> {
        if streams.is_empty() {
            // An error is the end of the waker, which the caller sees by itself.
            let _ = sleeper.0.recv();
        } else {
            thread::sleep(LONGEST_NAP);
        }
        sleeper.0.try_iter().for_each(drop);
        Ok((0..streams.len()).collect())
    }

    /// Half-closes the connection, or closes both directions, which ends every wait for it.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.shutdown(how)
    }
}

/// Ends the wait in [`Stream::wait_for_any`], also when it is dropped.
#[derive(Debug)]
pub struct Waker(Sender<()>);

/// The waiting thread's end of a waker.
#[derive(Debug)]
pub struct Sleeper(Receiver<()>);

impl Waker {
    /// Makes a pair; no error is possible here.
    pub fn new() -> io::Result<(Waker, Sleeper)> {
        let (waker, sleeper) = mpsc::channel();
        Ok((Waker(waker), Sleeper(sleeper)))
    }

    /// Ends the current wait, or the next one.
    pub fn wake(&self) {
        let _ = self.0.send(());
    }
}

/// The queue of connections that wait for `accept` stays as long as std makes it.
pub fn lengthen_accept_queue(_: &TcpListener) -> io::Result<()> {
    Ok(())
}

/// There is no such limit.
pub fn raise_descriptor_limit() -> io::Result<()> {
    Ok(())
}

/// There is no such limit.
pub fn process_limit() -> Option<usize> {
    None
}
