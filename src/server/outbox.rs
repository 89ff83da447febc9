//! The sending side of a client, for its own thread and for all the others that have something for it.
//!
//! **The first thread that arrives writes; the others leave their bytes.** The lock guards a queue and a flag, and is
//! never held over I/O. A thread that finds `writing` set leaves its frames in the queue: the writer takes them along.
//! So frames never interleave, and while nobody writes the queue is empty.
//!
//! **Only a client's own thread waits for it.** Another thread (a broadcaster, the heartbeat) writes what the socket
//! takes at once. It leaves the rest in the queue and hands the right to write to the [drain thread](super::drain).

use super::backlog::{Backlog, Frame, PIECE, Waiting, slices};
use super::budget::Budget;
use super::drain::Drain;
use super::life::Life;
use super::lock;
use super::registry::Registry;
use super::socket::Socket;
use super::trace;
use crate::error::Error;
use std::cell::OnceCell;
use std::fmt;
use std::hint;
use std::io::{self, ErrorKind, IoSlice};
use std::mem;
use std::net::{Shutdown, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How often the client's own thread, while it waits, checks its deadline.
const CHECK: Duration = Duration::from_millis(100);

/// How many batches of others' frames a thread writes before it leaves the rest to the drain thread.
const MOST_BATCHES: usize = 4;

/// What a thread that waits for its client keeps busy beside its message: the buffers of its [desk](super::desk).
const DESK: usize = 128 * 1024;

/// Whole frames for one client or many, in two pieces, so that a large payload need not be copied to its header.
pub(super) struct Frames<'a> {
    pieces: [&'a [u8]; 2],
    /// For the memory of the copy; `None` for a control frame, which is short and does not count.
    registry: Option<&'a Registry>,
    /// The copy that all queues share, once there is a client that cannot take the frames at once.
    shared: OnceCell<Arc<Frame>>,
}

impl<'a> Frames<'a> {
    pub(super) fn new(pieces: [&'a [u8]; 2], registry: &'a Registry) -> Frames<'a> {
        Frames { pieces, registry: Some(registry), shared: OnceCell::new() }
    }

    /// A Ping or a Close of the server's own: there are few of them, and they must go out when memory is at its bound too.
    pub(super) fn control(frame: &'a [u8]) -> Frames<'a> {
        Frames { pieces: [frame, &[]], registry: None, shared: OnceCell::new() }
    }

    fn length(&self) -> usize {
        self.pieces[0].len() + self.pieces[1].len()
    }

    /// The shared copy; `None` if memory is at its bound. Takes its time, so no lock may be held.
    fn shared(&self) -> Option<Arc<Frame>> {
        if self.shared.get().is_none() {
            let share = match self.registry {
                Some(registry) => Some(registry.reserve(self.length())?),
                None => None,
            };
            let _ = self.shared.set(Arc::new(Frame::new(self.pieces, share)));
        }
        self.shared.get().cloned()
    }
}

/// Who writes.
#[derive(Clone, Copy)]
pub(super) enum Writer {
    /// The client's own thread; it waits, to the deadline if there is one.
    Own(Option<Instant>),
    /// Any other thread: it never waits.
    Other,
}

/// Why a slow consumer is disconnected.
#[derive(Debug, Clone, Copy)]
pub(super) enum Eviction {
    /// The oldest byte has waited for this long.
    Age(Duration),
    /// This many bytes wait.
    Backlog(usize),
    /// The server holds too much for all clients together.
    Memory,
}

impl fmt::Display for Eviction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Eviction::Age(age) => write!(f, "a byte has waited for it for {age:.1?}"),
            Eviction::Backlog(bytes) => write!(f, "{bytes} bytes wait for it"),
            Eviction::Memory => write!(f, "memory is at its bound"),
        }
    }
}

pub(super) struct Outbox {
    peer: SocketAddr,
    socket: Arc<Socket>,
    life: Arc<Life>,
    drain: Arc<Drain>,
    budget: Arc<Budget>,
    /// A client for which more bytes than this wait already gets no more.
    limit: usize,
    state: Mutex<State>,
    /// Signalled when the queue has become shorter or the writer has gone, if a thread waits for that.
    progress: Condvar,
}

struct State {
    backlog: Backlog,
    writing: bool,
    waiting: usize,
    end: End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    /// A Close frame is the last in the queue or on the wire: no data may follow it (§5.5.1), and nothing else does.
    CloseSent,
    /// The socket has failed, or the client was evicted or dropped.
    Dead,
}

impl Outbox {
    /// An outbox that is evicted when more than `limit` bytes wait in it.
    pub(super) fn new(
        peer: SocketAddr,
        socket: Arc<Socket>,
        life: Arc<Life>,
        drain: Arc<Drain>,
        budget: Arc<Budget>,
        limit: usize,
    ) -> Outbox {
        let backlog = Backlog::new(Arc::clone(&budget));
        let state = Mutex::new(State { backlog, writing: false, waiting: 0, end: End::Open });
        Outbox { peer, socket, life, drain, budget, limit, state, progress: Condvar::new() }
    }

    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Reads what a write will need, and does nothing with it. In a broadcast to a thousand none of it is in the cache;
    /// asked for one after the other without a write in between, many arrive in the time of one. The broadcast is 1.08
    /// times as fast.
    pub(super) fn fetch(&self) {
        hint::black_box((self.state.is_poisoned(), self.socket.touch()));
    }

    /// Writes whole frames, or leaves them for the thread that is writing. The error is [`Error::Closed`] after a Close.
    pub(super) fn write(self: &Arc<Self>, frames: &Frames, writer: Writer) -> Result<(), Error> {
        self.put(frames, writer, End::Open)
    }

    /// Writes frames that end with a Close; [`Error::Closed`] if there was one before.
    pub(super) fn write_close(self: &Arc<Self>, frames: &Frames, writer: Writer) -> Result<(), Error> {
        self.put(frames, writer, End::CloseSent)
    }

    /// Half-closes TCP after the last byte that was left here; only for the client's own thread, because it waits.
    pub(super) fn hang_up(&self, deadline: Option<Instant>) {
        drop(self.wait_while(lock(&self.state), deadline, |state| state.writing));
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Whether a Close frame of ours is sent.
    pub(super) fn is_closing(&self) -> bool {
        lock(&self.state).end == End::CloseSent
    }

    /// Since when the oldest byte waits, if one does.
    pub(super) fn oldest(&self) -> Option<Instant> {
        lock(&self.state).backlog.oldest()
    }

    /// Disconnects a slow consumer, for the sake of the others.
    pub(super) fn evict(&self, reason: Eviction) {
        match reason {
            Eviction::Memory => self.budget.log_full(self.peer),
            _ => log::info!("{}: evicted: {reason}", self.peer),
        }
        self.kill();
    }

    /// Ends the connection at once: its own thread wakes from whatever it waits for.
    pub(super) fn kill(&self) {
        let mut state = lock(&self.state);
        state.end = End::Dead;
        let backlog = mem::replace(&mut state.backlog, Backlog::new(Arc::clone(&self.budget)));
        self.signal(&state);
        drop(state);
        // Megabytes perhaps, so not under the lock.
        drop(backlog);
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    fn put(self: &Arc<Self>, frames: &Frames, writer: Writer, end: End) -> Result<(), Error> {
        let is_own = matches!(writer, Writer::Own(_));
        let mut shared = None;
        loop {
            let mut state = lock(&self.state);
            if let Writer::Own(deadline) = writer {
                let own_is_full = |state: &State| {
                    let own = state.backlog.own_length();
                    state.writing && own > 0 && own + frames.length() > PIECE
                };
                state = self.wait_while(state, deadline, own_is_full);
            }
            match state.end {
                End::Open => {}
                End::CloseSent => return Err(Error::Closed),
                End::Dead => return Err(Error::Io(ErrorKind::BrokenPipe.into())),
            }
            if !state.writing {
                (state.end, state.writing) = (end, true);
                drop(state);
                return self.write_out(frames, writer);
            }
            let length = state.backlog.length();
            if length > self.limit {
                drop(state);
                return Err(self.evicted(Eviction::Backlog(length)));
            }
            if let Some(frame) = shared.take() {
                state.end = end;
                state.backlog.push(Waiting::new(frame, is_own));
                return Ok(());
            }
            drop(state);
            shared = Some(frames.shared().ok_or_else(|| self.evicted(Eviction::Memory))?);
        }
    }

    /// The writer's part: `frames`, then some of what others have left meanwhile.
    fn write_out(self: &Arc<Self>, frames: &Frames, writer: Writer) -> Result<(), Error> {
        trace::sent(self.peer, frames.pieces);
        // If it fails, `writing` stays set: a dead outbox has no writer after this one, and every wait ends.
        let written = self.write_frames(frames, writer).inspect_err(|_| self.kill())?;
        if written < frames.length() {
            let frame = frames.shared().ok_or_else(|| self.evicted(Eviction::Memory))?;
            let mut state = lock(&self.state);
            if state.end == End::Dead {
                return Err(Error::Io(ErrorKind::BrokenPipe.into()));
            }
            state.backlog.push_front(Waiting::rest_of(frame, written));
        } else if self.write_batches().inspect_err(|_| self.kill())? {
            return Ok(());
        }
        // The drain thread writes from here on, and so `writing` stays set.
        self.drain.take_over(Arc::clone(self));
        Ok(())
    }

    /// Writes `frames`; how much of them. Only the client's own thread waits until it is all.
    fn write_frames(&self, frames: &Frames, writer: Writer) -> Result<usize, Error> {
        let mut written = 0;
        let mut wait = None;
        loop {
            let count = write_now(&self.socket, &rest(frames.pieces, written))?;
            written += count;
            let Writer::Own(deadline) = writer else { return Ok(written) };
            if written == frames.length() {
                return Ok(written);
            }
            if wait.is_none() {
                let share = self.budget.reserve(DESK).ok_or_else(|| self.evicted(Eviction::Memory))?;
                wait = Some((self.life.wait(), share));
            }
            // A client that takes bytes is alive; one that takes none is as silent as one that sends none.
            if count > 0 {
                self.life.show();
            }
            let left = until_check(deadline);
            if left.is_zero() {
                return Err(Error::Io(ErrorKind::TimedOut.into()));
            }
            self.socket.wait_for_room(left)?;
        }
    }

    /// Writes what the drain thread was left; `true`: nothing is left.
    pub(super) fn drain(&self) -> bool {
        self.write_batches().inspect_err(|_| self.kill()).unwrap_or(true)
    }

    /// Writes some of what waits; `true`: nothing is left, and nobody writes any more. Bounded, so that a client whose
    /// socket takes everything keeps no thread from its own work.
    fn write_batches(&self) -> io::Result<bool> {
        for _ in 0..MOST_BATCHES {
            let mut state = lock(&self.state);
            let batch = state.backlog.front();
            if batch.is_empty() {
                state.writing = false;
                self.signal(&state);
                return Ok(true);
            }
            drop(state);
            batch.iter().filter(|waiting| !waiting.is_traced).for_each(|w| trace::sent(self.peer, [w.rest(), &[]]));
            let count = write_now(&self.socket, &slices(&batch))?;
            if count == 0 {
                return Ok(false);
            }
            self.life.show();
            let mut state = lock(&self.state);
            let done = state.backlog.advance(count);
            self.signal(&state);
            drop(state);
            drop((batch, done));
        }
        Ok(false)
    }

    fn evicted(&self, reason: Eviction) -> Error {
        self.evict(reason);
        Error::Io(ErrorKind::TimedOut.into())
    }

    fn signal(&self, state: &State) {
        // Waking nobody would cost a system call each time.
        if state.waiting > 0 {
            self.progress.notify_all();
        }
    }

    /// Waits while `condition` holds, the client lives and the deadline has not passed.
    fn wait_while<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        deadline: Option<Instant>,
        condition: impl Fn(&State) -> bool,
    ) -> MutexGuard<'a, State> {
        while state.end != End::Dead && condition(&state) {
            let left = until_check(deadline);
            if left.is_zero() {
                break;
            }
            state.waiting += 1;
            state = self.progress.wait_timeout(state, left).unwrap_or_else(|poisoned| poisoned.into_inner()).0;
            state.waiting -= 1;
        }
        state
    }
}

/// How long the client's own thread waits before it checks its deadline; zero once that has passed.
fn until_check(deadline: Option<Instant>) -> Duration {
    deadline.map_or(CHECK, |deadline| deadline.saturating_duration_since(Instant::now()).min(CHECK))
}

/// What is left when `written` bytes are written.
fn rest<'a>([first, second]: [&'a [u8]; 2], written: usize) -> [IoSlice<'a>; 2] {
    let (first, second) = match written.checked_sub(first.len()) {
        None => (&first[written..], second),
        Some(more) => (&second[more..], &[][..]),
    };
    [IoSlice::new(first), IoSlice::new(second)]
}

/// How many bytes the socket takes at once; none if it is full.
fn write_now(socket: &Socket, pieces: &[IoSlice]) -> io::Result<usize> {
    loop {
        return match socket.write_now(pieces) {
            Ok(0) => Err(ErrorKind::WriteZero.into()),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            result => result,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::drain::Draining;
    use crate::server::tests::{ClientsEnd, wait_until};
    use std::thread;

    /// Outboxes with a drain thread, without a server.
    struct House {
        registry: Registry,
        drain: Arc<Drain>,
        _draining: Draining,
    }

    impl House {
        fn new() -> House {
            let drain = Drain::new().unwrap();
            let registry = Registry::default();
            registry.budget().set_limit(usize::MAX);
            House { registry, _draining: drain.start().unwrap(), drain }
        }

        fn outbox(&self, client: &ClientsEnd, limit: usize) -> Arc<Outbox> {
            let socket = Arc::new(Socket::new(client.servers_end()));
            let peer = SocketAddr::from(([192, 0, 2, 1], 1));
            let budget = Arc::clone(self.registry.budget());
            Arc::new(Outbox::new(peer, socket, Arc::new(Life::new()), Arc::clone(&self.drain), budget, limit))
        }

        fn write(&self, outbox: &Arc<Outbox>, bytes: &[u8], writer: Writer) -> Result<(), Error> {
            outbox.write(&Frames::new([&bytes[..1], &bytes[1..]], &self.registry), writer)
        }
    }

    fn waits(outbox: &Outbox) -> usize {
        lock(&outbox.state).backlog.length()
    }

    #[test]
    fn other_threads_never_wait_and_the_drain_thread_delivers() {
        let house = House::new();
        let clients: Vec<_> = (0..100).map(|_| ClientsEnd::new(Some(10), [])).collect();
        let outboxes: Vec<_> = clients.iter().map(|client| house.outbox(client, usize::MAX)).collect();
        for round in 1..=3 {
            let bytes = [round; 100];
            let frames = Frames::new([&bytes, &[]], &house.registry);
            outboxes.iter().for_each(|outbox| outbox.write(&frames, Writer::Other).unwrap());
        }
        assert!(outboxes.iter().all(|outbox| waits(outbox) > 290 && outbox.oldest().is_some()));
        let expected: Vec<u8> = (1..=3).flat_map(|round| [round; 100]).collect();
        for client in &clients {
            for tens in 1..=30 {
                assert_eq!(client.wait_for(10 * tens), expected[..10 * tens]);
                client.take(10);
            }
        }
        wait_until(|| outboxes.iter().all(|outbox| !lock(&outbox.state).writing));
        assert_eq!(house.registry.budget().used(), 0);
    }

    #[test]
    fn own_small_reply_does_not_wait_for_bytes_of_others() {
        let house = House::new();
        let client = ClientsEnd::new(Some(10), []);
        let outbox = house.outbox(&client, usize::MAX);
        house.write(&outbox, &[1; 1_000_000], Writer::Other).unwrap();
        // It would wait for 20 s.
        house.write(&outbox, &[2; 100], Writer::Own(Some(Instant::now() + Duration::from_secs(20)))).unwrap();
        assert!(waits(&outbox) > 1_000_000);
    }

    #[test]
    fn own_thread_waits_with_more_than_a_piece_of_its_own() {
        let house = House::new();
        let client = ClientsEnd::new(Some(10), []);
        let outbox = house.outbox(&client, usize::MAX);
        house.write(&outbox, &[1; 100], Writer::Other).unwrap();
        let waits = |length: usize| {
            let (begin, patience) = (Instant::now(), Duration::from_millis(300));
            house.write(&outbox, &vec![2; length], Writer::Own(Some(begin + patience))).unwrap();
            begin.elapsed() >= patience
        };
        assert!(!waits(PIECE - 1000));
        assert!(!waits(1000), "a piece, to the byte");
        assert!(waits(2));
    }

    #[test]
    fn own_thread_that_waits_is_woken() {
        let time_to_wake = |_| {
            let house = House::new();
            let client = ClientsEnd::new(Some(10), []);
            let outbox = house.outbox(&client, usize::MAX);
            house.write(&outbox, &[1; 100], Writer::Other).unwrap();
            house.write(&outbox, &[2; PIECE], Writer::Own(None)).unwrap();
            thread::scope(|scope| {
                let waiting = scope.spawn(|| house.write(&outbox, &[3; 100], Writer::Own(None)));
                wait_until(|| lock(&outbox.state).waiting == 1);
                client.take(usize::MAX);
                let begin = std::cell::Cell::new(Instant::now());
                wait_until(|| {
                    client.take(usize::MAX);
                    if waits(&outbox) > 1000 {
                        begin.set(Instant::now());
                    }
                    waiting.is_finished()
                });
                waiting.join().unwrap().unwrap();
                assert_eq!(lock(&outbox.state).waiting, 0);
                begin.get().elapsed()
            })
        };
        // By itself it would check after 100 ms; a busy machine may need some tries.
        assert!((0..3).map(time_to_wake).any(|time| time < CHECK / 2));
    }

    #[test]
    fn own_thread_leaves_the_bytes_of_others_after_a_few_batches() {
        let house = House::new();
        let client = ClientsEnd::new(Some(100), []);
        let outbox = house.outbox(&client, usize::MAX);
        thread::scope(|scope| {
            let own = scope.spawn(|| house.write(&outbox, &[1; 1000], Writer::Own(None)));
            client.wait_for(100);
            // While it waits for its client, others leave more than it takes along.
            (0..20).for_each(|_| house.write(&outbox, &[2; PIECE], Writer::Other).unwrap());
            wait_until(|| {
                client.take(usize::MAX);
                own.is_finished()
            });
            own.join().unwrap().unwrap();
        });
        assert!(waits(&outbox) > 0, "the drain thread has the rest");
        let written = client.wait_for(1000).len();
        client.take(usize::MAX);
        client.wait_for(written + 100);
    }

    #[test]
    fn client_that_takes_a_little_at_a_time_is_alive() {
        let house = House::new();
        let client = ClientsEnd::new(Some(10), []);
        let outbox = house.outbox(&client, usize::MAX);
        let begin = Instant::now();
        thread::scope(|scope| {
            let writing = scope.spawn(|| house.write(&outbox, &[1; 300], Writer::Own(None)));
            // A busy machine may hold up this thread for a while, but not each time.
            let was_active = |tens: usize| {
                client.wait_for(10 * tens);
                thread::sleep(Duration::from_millis(10));
                let was_active = outbox.life.silence() < begin.elapsed() / 2;
                client.take(10);
                was_active
            };
            let times = (1..30).map(was_active).filter(|was_active| *was_active).count();
            assert!(times > 10, "{times} times of 29");
            writing.join().unwrap().unwrap();
        });
        assert_eq!(outbox.life.silence(), Duration::ZERO, "nobody waits for it any more");
    }

    #[test]
    fn backlog_over_its_limit_evicts_with_the_next_frame() {
        let house = House::new();
        let client = ClientsEnd::new(Some(10), []);
        let outbox = house.outbox(&client, 1000);
        // However large it is, one message may wait on top of little.
        house.write(&outbox, &[1; 900], Writer::Other).unwrap();
        house.write(&outbox, &[1; 100_000], Writer::Other).unwrap();
        let evicted = house.write(&outbox, &[1], Writer::Other);
        assert!(matches!(evicted, Err(Error::Io(error)) if error.kind() == ErrorKind::TimedOut));
        assert_eq!((waits(&outbox), house.registry.budget().used()), (0, 0));
    }

    #[test]
    fn frame_that_memory_has_no_room_for_evicts_its_client_only() {
        let house = House::new();
        house.registry.budget().set_limit(1000);
        let clients = [Some(10), None].map(|room| ClientsEnd::new(room, []));
        let [slow, healthy] = [0, 1].map(|i| house.outbox(&clients[i], usize::MAX));
        let bytes = [1; 1001];
        let frames = Frames::new([&bytes, &[]], &house.registry);
        assert!(slow.write(&frames, Writer::Other).is_err());
        healthy.write(&frames, Writer::Other).unwrap();
        assert_eq!(clients[1].wait_for(1001), bytes);
        // A Ping must go out all the same.
        let slow = house.outbox(&ClientsEnd::new(Some(0), []), usize::MAX);
        slow.write(&Frames::control(&bytes), Writer::Other).unwrap();
    }

    #[test]
    fn own_thread_that_waits_counts_its_desk() {
        let house = House::new();
        let client = ClientsEnd::new(Some(10), []);
        let outbox = house.outbox(&client, usize::MAX);
        thread::scope(|scope| {
            let writing = scope.spawn(|| house.write(&outbox, &[1; 100], Writer::Own(None)));
            wait_until(|| house.registry.budget().used() == DESK);
            client.take(usize::MAX);
            client.wait_for(20);
            wait_until(|| {
                client.take(usize::MAX);
                writing.is_finished()
            });
        });
        assert_eq!(house.registry.budget().used(), 0);
        house.registry.budget().set_limit(DESK - 1);
        let outbox = house.outbox(&ClientsEnd::new(Some(10), []), usize::MAX);
        assert!(house.write(&outbox, &[1; 100], Writer::Own(None)).is_err());
    }
}
