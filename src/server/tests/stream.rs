//! The stream of a [`Socket`](crate::server::socket::Socket) in tests: TCP's, or one in memory that fails on demand. It
//! has the methods of [`system::Stream`].

use crate::server::lock;
use crate::server::system;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::mem;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// No wait of a test is longer.
pub const DEADLINE: Duration = Duration::from_secs(20);

pub enum Stream {
    Tcp(system::Stream),
    Memory(ServersEnd),
}

/// A way in which a call fails, or falls short of its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Moves one byte, however many there are.
    OneByte,
    /// Moves half of the bytes.
    Half,
    WouldBlock,
    Interrupted,
    ConnectionReset,
    BrokenPipe,
}

impl Fault {
    pub const ALL: [Fault; 6] = {
        use Fault::*;
        [OneByte, Half, WouldBlock, Interrupted, ConnectionReset, BrokenPipe]
    };

    /// Whether the connection is lost; otherwise a second try loses nothing.
    pub fn is_fatal(self) -> bool {
        matches!(self, Fault::ConnectionReset | Fault::BrokenPipe)
    }

    fn error(self) -> Option<ErrorKind> {
        match self {
            Fault::OneByte | Fault::Half => None,
            Fault::WouldBlock => Some(ErrorKind::WouldBlock),
            Fault::Interrupted => Some(ErrorKind::Interrupted),
            Fault::ConnectionReset => Some(ErrorKind::ConnectionReset),
            Fault::BrokenPipe => Some(ErrorKind::BrokenPipe),
        }
    }

    /// How many of `length` bytes are moved.
    fn part(self, length: usize) -> usize {
        match self {
            Fault::OneByte => length.min(1),
            _ => length.div_ceil(2),
        }
    }
}

/// A connection in memory, as both ends see it.
#[derive(Default)]
pub struct Pipe {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The bytes that the client has sent; a read takes no more than one piece of them.
    sent: VecDeque<Vec<u8>>,
    /// The client has closed its side.
    ended: bool,
    /// The bytes that the server has written, and the number that the client has not taken yet.
    written: Vec<u8>,
    untaken: usize,
    /// How much can be untaken before a write waits; `None`: any amount.
    room: Option<usize>,
    read_timeout: Option<Duration>,
    shut_for_reading: bool,
    shut_for_writing: bool,
    /// The server has let go of its end.
    closed: bool,
    /// One for each call to come.
    faults: VecDeque<Option<Fault>>,
    /// The calls that had a fault, each with its name.
    faulty: Vec<(&'static str, Fault)>,
    /// How much was written before the first fatal fault.
    written_before_fatal: Option<usize>,
    /// The reads and writes, each with how many bytes it has moved: none if it should have waited and must not.
    transfers: Vec<(&'static str, usize)>,
    /// A read or write of the server has had to wait.
    has_waited: bool,
}

/// The client's end.
#[derive(Clone, Default)]
pub struct ClientsEnd(Arc<Pipe>);

/// The server's end: the connection is closed when it is dropped, as with a descriptor.
pub struct ServersEnd(Arc<Pipe>);

impl Drop for ServersEnd {
    fn drop(&mut self) {
        lock(&self.0.state).closed = true;
        self.0.changed.notify_all();
    }
}

impl ClientsEnd {
    /// `room`: how many bytes the server can write before the client takes them. `faults`: one for each call to come.
    pub fn new(room: Option<usize>, faults: impl IntoIterator<Item = Option<Fault>>) -> ClientsEnd {
        let client = ClientsEnd::default();
        *lock(&client.0.state) = State { room, faults: faults.into_iter().collect(), ..State::default() };
        client
    }

    /// To be called once.
    pub fn servers_end(&self) -> Stream {
        Stream::Memory(ServersEnd(Arc::clone(&self.0)))
    }

    pub fn send(&self, bytes: impl Into<Vec<u8>>) {
        lock(&self.0.state).sent.push_back(bytes.into());
        self.0.changed.notify_all();
    }

    /// Ends the client's side: behind what has been sent the server reads the end.
    pub fn end(&self) {
        lock(&self.0.state).ended = true;
        self.0.changed.notify_all();
    }

    /// Takes up to `most` of what the server has written, which makes room for more.
    pub fn take(&self, most: usize) {
        let mut state = lock(&self.0.state);
        state.untaken = state.untaken.saturating_sub(most);
        self.0.changed.notify_all();
    }

    /// Waits until the server has written at least `length` bytes in all, or has closed. Returns all of them.
    pub fn wait_for(&self, length: usize) -> Vec<u8> {
        self.wait_while(|state| state.written.len() < length && !state.closed)
    }

    /// Waits until the server has closed its side. Returns all that it has written.
    pub fn wait_for_end(&self) -> Vec<u8> {
        self.wait_while(|state| !state.shut_for_writing && !state.closed)
    }

    fn wait_while(&self, condition: impl Fn(&State) -> bool) -> Vec<u8> {
        let state = lock(&self.0.state);
        let waited = self.0.changed.wait_timeout_while(state, DEADLINE, |state| condition(state));
        let (state, timeout) = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
        assert!(!timeout.timed_out(), "the server hangs; it has written {:02x?}", state.written);
        state.written.clone()
    }

    pub fn is_closed(&self) -> bool {
        lock(&self.0.state).closed
    }

    /// The calls that had a fault.
    pub fn faulty(&self) -> Vec<(&'static str, Fault)> {
        lock(&self.0.state).faulty.clone()
    }

    /// Waits until the server waits for the first time.
    pub fn wait_for_wait(&self) {
        self.wait_while(|state| !state.has_waited);
    }

    /// The reads and writes so far, each with how many bytes it has moved.
    pub fn transfers(&self) -> Vec<(&'static str, usize)> {
        lock(&self.0.state).transfers.clone()
    }

    /// How much had been written when the connection was lost, if it was.
    pub fn written_before_fatal(&self) -> Option<usize> {
        lock(&self.0.state).written_before_fatal
    }
}

impl Pipe {
    /// Begins a call that moves bytes: the fault that it is to have, or its error.
    fn begin_transfer(&self, name: &'static str) -> io::Result<(MutexGuard<'_, State>, Option<Fault>)> {
        let mut state = lock(&self.state);
        let fault = state.faults.pop_front().flatten();
        if let Some(fault) = fault {
            state.note(name, fault);
        }
        match fault.and_then(Fault::error) {
            Some(kind) => Err(kind.into()),
            None => Ok((state, fault)),
        }
    }

    /// A call that sets something: it fails for good or not at all.
    fn set(&self, name: &'static str, change: impl FnOnce(&mut State)) -> io::Result<()> {
        let mut state = lock(&self.state);
        let fault = state.faults.pop_front().flatten();
        if let Some((fault, kind)) =
            fault.filter(|fault| fault.is_fatal()).and_then(|fault| Some((fault, fault.error()?)))
        {
            state.note(name, fault);
            return Err(kind.into());
        }
        change(&mut state);
        self.changed.notify_all();
        Ok(())
    }

    fn read(&self, name: &'static str, buffer: &mut [u8]) -> io::Result<usize> {
        let (state, fault) = self.begin_transfer(name)?;
        let nothing = |state: &State| state.sent.is_empty() && !state.ended && !state.shut_for_reading;
        let timeout = if name == "read_now" { Some(Duration::ZERO) } else { state.read_timeout };
        let mut state = self.wait_for_transfer(name, state, timeout, nothing)?;
        if state.shut_for_reading {
            return Ok(0);
        }
        let Some(piece) = state.sent.front_mut() else { return Ok(0) };
        let most = piece.len().min(buffer.len());
        let count = fault.map_or(most, |fault| fault.part(most));
        buffer[..count].copy_from_slice(&piece[..count]);
        piece.drain(..count);
        if piece.is_empty() {
            state.sent.pop_front();
        }
        state.transfers.push(("read", count));
        Ok(count)
    }

    fn write(&self, name: &'static str, pieces: &[&[u8]]) -> io::Result<usize> {
        let (state, fault) = self.begin_transfer(name)?;
        let mut state = self.wait_for_transfer(name, state, Some(Duration::ZERO), State::is_full)?;
        if state.shut_for_writing {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let bytes = pieces.concat();
        let most = bytes.len().min(state.free());
        let count = fault.map_or(most, |fault| fault.part(most));
        state.written.extend_from_slice(&bytes[..count]);
        state.untaken += count;
        state.transfers.push((name, count));
        self.changed.notify_all();
        Ok(count)
    }

    fn wait_for_room(&self, timeout: Duration) -> io::Result<()> {
        let (state, _) = self.begin_transfer("wait_for_room")?;
        match self.wait_for_transfer("wait_for_room", state, Some(timeout), State::is_full) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }

    /// Waits as a socket does: not at all, for the timeout, or forever.
    fn wait_for_transfer<'a>(
        &self,
        name: &'static str,
        mut state: MutexGuard<'a, State>,
        timeout: Option<Duration>,
        must_wait: impl Fn(&State) -> bool,
    ) -> io::Result<MutexGuard<'a, State>> {
        let end = timeout.map(|timeout| Instant::now() + timeout);
        while must_wait(&state) {
            let left = end.map_or(DEADLINE, |end| end.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                state.transfers.push((if name == "read_now" { "read" } else { name }, 0));
                self.changed.notify_all();
                return Err(ErrorKind::WouldBlock.into());
            }
            // Once only: two threads that wait would wake each other forever.
            if !mem::replace(&mut state.has_waited, true) {
                self.changed.notify_all();
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
        Ok(state)
    }
}

impl State {
    fn free(&self) -> usize {
        self.room.map_or(usize::MAX, |room| room - self.untaken)
    }

    fn is_full(&self) -> bool {
        self.free() == 0 && !self.shut_for_writing
    }

    fn note(&mut self, name: &'static str, fault: Fault) {
        self.faulty.push((name, fault));
        if fault.is_fatal() && name != "shutdown" {
            self.written_before_fatal.get_or_insert(self.written.len());
        }
    }
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Stream {
        Stream::Tcp(stream.into())
    }
}

impl Stream {
    pub fn set_nodelay(&self) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.set_nodelay(),
            Stream::Memory(end) => end.0.set("set_nodelay", |_| ()),
        }
    }

    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.set_read_timeout(timeout),
            Stream::Memory(end) => end.0.set("set_read_timeout", |state| state.read_timeout = timeout),
        }
    }

    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.shutdown(how),
            Stream::Memory(end) => end.0.set("shutdown", |state| {
                state.shut_for_reading |= how != Shutdown::Write;
                state.shut_for_writing |= how != Shutdown::Read;
            }),
        }
    }

    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(buffer),
            Stream::Memory(end) => end.0.read("read", buffer),
        }
    }

    pub fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read_now(buffer),
            Stream::Memory(end) => end.0.read("read_now", buffer),
        }
    }

    pub fn has_unread(&self) -> bool {
        match self {
            Stream::Tcp(stream) => stream.has_unread(),
            Stream::Memory(end) => {
                let state = lock(&end.0.state);
                !state.sent.is_empty() || state.ended
            }
        }
    }

    pub fn write_now(&self, pieces: &[IoSlice]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.write_now(pieces),
            Stream::Memory(end) => {
                let pieces: Vec<&[u8]> =
                    pieces.iter().map(|piece| &**piece).filter(|piece| !piece.is_empty()).collect();
                end.0.write(if pieces.len() > 1 { "write_vectored" } else { "write" }, &pieces)
            }
        }
    }

    pub fn wait_for_room(&self, timeout: Duration) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.wait_for_room(timeout),
            Stream::Memory(end) => end.0.wait_for_room(timeout),
        }
    }

    /// No `poll` can wait for memory, so those streams are looked at again and again.
    pub fn wait_for_any(streams: &[&Stream], sleeper: &system::Sleeper, timeout: Duration) -> io::Result<Vec<usize>> {
        let has_room = |end: &ServersEnd| {
            let state = lock(&end.0.state);
            !state.is_full() || state.shut_for_writing
        };
        let position = |(position, stream): (usize, &&Stream)| match stream {
            Stream::Tcp(_) => None,
            Stream::Memory(end) => has_room(end).then_some(position),
        };
        if streams.is_empty() {
            system::Stream::wait_for_any(&[], sleeper, timeout)?;
        } else {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(streams.iter().enumerate().filter_map(position).collect())
    }
}
