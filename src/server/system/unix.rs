//! System calls of Unix, through `nix`, which wraps them so that no `unsafe` is needed here.
//!
//! Sockets stay blocking. A call that must not wait says so itself, with `MSG_DONTWAIT`: the usual non-blocking flag
//! would belong to the socket, and so to all threads that share it.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{self, Backlog, MsgFlags};
use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A write to a client that has gone is an error, and raises no signal.
#[cfg(target_os = "linux")]
const DONT_WAIT: MsgFlags = MsgFlags::MSG_DONTWAIT.union(MsgFlags::MSG_NOSIGNAL);
/// Rust's runtime ignores the signal here.
#[cfg(not(target_os = "linux"))]
const DONT_WAIT: MsgFlags = MsgFlags::MSG_DONTWAIT;

/// A TCP connection that several threads share.
#[derive(Debug)]
pub struct Stream(TcpStream);

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Stream {
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
        (&self.0).read(buffer)
    }

    /// Reads what has arrived; `WouldBlock` if nothing has.
    pub fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(socket::recv(self.0.as_raw_fd(), buffer, DONT_WAIT)?)
    }

    /// Whether something has arrived, or the end of the stream, that nobody has read.
    pub fn has_unread(&self) -> bool {
        !matches!(socket::recv(self.0.as_raw_fd(), &mut [0], DONT_WAIT | MsgFlags::MSG_PEEK), Err(Errno::EAGAIN))
    }

    /// Writes as much as the socket has room for; `WouldBlock` if it has none.
    pub fn write_now(&self, pieces: &[IoSlice]) -> io::Result<usize> {
        let fd = self.0.as_raw_fd();
        Ok(match pieces {
            [one] => socket::send(fd, one, DONT_WAIT)?,
            [one, empty] if empty.is_empty() => socket::send(fd, one, DONT_WAIT)?,
            _ => socket::sendmsg::<()>(fd, pieces, &[], DONT_WAIT, None)?,
        })
    }

    /// Waits until the socket has room or has failed, at most for `timeout`.
    pub fn wait_for_room(&self, timeout: Duration) -> io::Result<()> {
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLOUT)];
        poll(&mut fds, poll_timeout(timeout))?;
        Ok(())
    }

    /// Waits until one of the streams has room or has failed, or until the waker is used; at most for `timeout`, if
    /// there are streams. Returns the positions of those streams.
    pub fn wait_for_any(streams: &[&Stream], sleeper: &Sleeper, timeout: Duration) -> io::Result<Vec<usize>> {
        let mut fds = vec![PollFd::new(sleeper.0.as_fd(), PollFlags::POLLIN)];
        fds.extend(streams.iter().map(|stream| PollFd::new(stream.0.as_fd(), PollFlags::POLLOUT)));
        poll(&mut fds, if streams.is_empty() { PollTimeout::NONE } else { poll_timeout(timeout) })?;
        let _ = (&sleeper.0).read(&mut [0; 256]);
        Ok((0..streams.len()).filter(|position| fds[position + 1].any() != Some(false)).collect())
    }

    /// Half-closes the connection, or closes both directions, which ends every wait for it.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.shutdown(how)
    }
}

/// Rounded up, so that a wait does not end just before its deadline.
fn poll_timeout(timeout: Duration) -> PollTimeout {
    PollTimeout::try_from(timeout + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX)
}

/// Ends the wait in [`Stream::wait_for_any`], also when it is dropped: a descriptor among the sockets that another
/// thread can make readable.
#[derive(Debug)]
pub struct Waker(UnixStream);

/// The waiting thread's end of a waker.
#[derive(Debug)]
pub struct Sleeper(UnixStream);

impl Waker {
    /// Makes a pair; the error is that no descriptor is left.
    pub fn new() -> io::Result<(Waker, Sleeper)> {
        let (waker, sleeper) = UnixStream::pair()?;
        waker.set_nonblocking(true)?;
        sleeper.set_nonblocking(true)?;
        Ok((Waker(waker), Sleeper(sleeper)))
    }

    /// Ends the current wait, or the next one.
    pub fn wake(&self) {
        // If the pair is full, the waiting thread is about to wake anyway.
        let _ = (&self.0).write(&[0]);
    }
}

/// Lengthens the queue of connections that wait for `accept`: std's has room for 128, and when it is full the system
/// drops a client's SYN, so that the client tries again only after a second.
pub fn lengthen_accept_queue(listener: &TcpListener) -> io::Result<()> {
    // The system takes `net.core.somaxconn` where that is less.
    let backlog = Backlog::new(4096).unwrap_or(Backlog::MAXCONN);
    Ok(socket::listen(listener, backlog)?)
}

/// Raises the soft limit of file descriptors to the hard one. A connection needs one.
pub fn raise_descriptor_limit() -> io::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(())
}

/// How many threads and processes this user is allowed to have; `None`: any number, or the limit does not hold for
/// root.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn process_limit() -> Option<usize> {
    if nix::unistd::geteuid().is_root() {
        return None;
    }
    let (soft, _) = getrlimit(Resource::RLIMIT_NPROC).ok()?;
    usize::try_from(soft).ok()
}

/// Not known to count threads here.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn process_limit() -> Option<usize> {
    None
}
