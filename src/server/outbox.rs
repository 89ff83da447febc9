//! The sending side of a client, for its own thread and for all the others that have something for it.
//!
//! **The first thread that arrives writes; the others leave their frames.** The lock guards a queue and a flag, and is
//! never held over I/O. A thread that finds `writing` set leaves its frames in the queue: the writer takes them along.
//! So frames never interleave, and while nobody writes the queue is empty.
//!
//! **Writing waits for no client.** What the socket does not take at once stays in the queue, and the right to write goes
//! to the [drain thread](super::drain). Only then a client's own thread waits until most of its own bytes are out: that is
//! TCP's backpressure. Any other thread goes on.

use super::activity::Activity;
use super::backlog::{Backlog, Waiting};
use super::budget::Budget;
use super::drain::Drain;
use super::frames::Frames;
use super::lock;
use super::socket::Socket;
use super::trace;
use super::turn::Turn;
use crate::error::Error;
use std::io::{self, ErrorKind, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How many of others' frames a thread writes before it leaves the rest to the drain thread.
const MOST_FRAMES: usize = 16;

/// A client's own thread waits while more of its own bytes are queued.
const MOST_OWN: usize = 64 * 1024;

/// What a thread that waits for its client keeps busy beside its message: the buffers of its [desk](super::desk).
const DESK: usize = 128 * 1024;

pub(super) struct Outbox {
    pub(super) peer: SocketAddr,
    pub(super) socket: Arc<Socket>,
    pub(super) activity: Activity,
    pub(super) turn: Turn,
    drain: Arc<Drain>,
    budget: Arc<Budget>,
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
    /// A Close frame is the last in the queue or on the wire: no data may follow it (§5.5.1), but a Pong may.
    CloseSent,
    /// The socket has failed, or the client was evicted or dropped.
    Dead,
}

impl Outbox {
    /// Until [`open`](Outbox::open) nothing is written.
    pub(super) fn new(peer: SocketAddr, socket: Arc<Socket>, drain: Arc<Drain>, budget: Arc<Budget>) -> Outbox {
        let backlog = Backlog::new(&budget);
        let state = Mutex::new(State { backlog, writing: true, waiting: 0, end: End::Open });
        let (activity, turn) = (Activity::new(), Turn::default());
        Outbox { peer, socket, activity, turn, drain, budget, state, progress: Condvar::new() }
    }

    /// Writes the response to the handshake, and then what others have left meanwhile. A client that is entered before
    /// its 101 goes out misses nothing that is sent after it.
    pub(super) fn open(self: &Arc<Self>, response: &[u8], deadline: Instant) -> io::Result<()> {
        self.socket.write_all(response, deadline).inspect_err(|_| self.kill())?;
        if !self.drain() {
            self.drain.take_over(Arc::clone(self));
        }
        Ok(())
    }

    /// Reads what a write will need, and does nothing with it. In a broadcast to a thousand none of it is in the cache;
    /// asked for one after the other without a write in between, many arrive in the time of one. The broadcast is 1.08
    /// times as fast.
    pub(super) fn fetch(&self) {
        std::hint::black_box((self.state.is_poisoned(), self.socket.touch()));
    }

    /// Writes whole frames, or leaves what does not go out at once in the queue. Never waits. The error is
    /// [`Error::Closed`] after a Close.
    pub(super) fn write(self: &Arc<Self>, frames: &Frames) -> Result<(), Error> {
        self.put(frames, false).map(drop)
    }

    /// The same for the client's own thread: while much of what it has left is queued, it waits, to the deadline if there
    /// is one. That is backpressure.
    pub(super) fn write_own(self: &Arc<Self>, frames: &Frames, deadline: Option<Instant>) -> Result<(), Error> {
        if !self.put(frames, true)? {
            return Ok(());
        }
        let is_much = |state: &State| state.backlog.own > MOST_OWN;
        // Without memory for its buffers the client is evicted.
        let _share = self.budget.reserve(DESK).ok_or_else(|| self.evict_for_memory())?;
        // One that takes no bytes is as silent as one that sends none.
        let _wait = self.activity.wait();
        let state = self.wait_while(deadline, is_much);
        if is_much(&state) || state.end == End::Dead { Err(Error::Io(ErrorKind::TimedOut.into())) } else { Ok(()) }
    }

    /// Waits until all that was left here is written; only for the client's own thread.
    pub(super) fn wait_until_out(&self, deadline: Option<Instant>) {
        drop(self.wait_while(deadline, |state| state.writing));
    }

    /// No Close frame of ours is sent, and the client is not dead.
    pub(super) fn is_open(&self) -> bool {
        lock(&self.state).end == End::Open
    }

    /// How many bytes wait, and since when the oldest of them that another thread has left.
    pub(super) fn waiting(&self) -> (usize, Option<Instant>) {
        let state = lock(&self.state);
        (state.backlog.length, state.backlog.oldest())
    }

    /// Disconnects a slow consumer, for the sake of the others.
    pub(super) fn evict(&self, reason: std::fmt::Arguments) -> Error {
        log::info!("{}: evicted: {reason}", self.peer);
        self.kill();
        Error::Io(ErrorKind::TimedOut.into())
    }

    /// Disconnects a client because memory is at its bound, and it needs more or has waited longest.
    pub(super) fn evict_for_memory(&self) -> Error {
        self.budget.log_full(self.peer);
        self.kill();
        Error::MemoryLimit
    }

    /// Ends the connection at once: its own thread wakes from whatever it waits for.
    pub(super) fn kill(&self) {
        let mut state = lock(&self.state);
        state.end = End::Dead;
        let backlog = std::mem::replace(&mut state.backlog, Backlog::new(&self.budget));
        self.signal(&state);
        drop(state);
        // Megabytes perhaps, so not under the lock.
        drop(backlog);
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Returns whether much of what the client's own thread has left is queued.
    fn put(self: &Arc<Self>, frames: &Frames, is_own: bool) -> Result<bool, Error> {
        let mut shared = None;
        loop {
            let mut state = lock(&self.state);
            match state.end {
                End::Open => {}
                End::CloseSent if frames.may_follow_close => {}
                End::CloseSent => return Err(Error::Closed),
                End::Dead => return Err(Error::Io(ErrorKind::BrokenPipe.into())),
            }
            let length = state.backlog.length;
            if !state.writing {
                state.begin(frames);
                drop(state);
                return self.write_out(frames, is_own);
            } else if length > self.budget.max_backlog() {
                drop(state);
                return Err(self.evict(format_args!("{length} bytes wait for it")));
            } else if let Some(frame) = shared.take() {
                state.begin(frames);
                state.backlog.push(Waiting { frame, written: 0, since: Instant::now(), is_own, is_traced: false });
                return Ok(state.backlog.own > MOST_OWN);
            }
            drop(state);
            shared = Some(frames.shared().ok_or_else(|| self.evict_for_memory())?);
        }
    }

    /// The writer's part: `frames`, then some of what others have left meanwhile.
    fn write_out(self: &Arc<Self>, frames: &Frames, is_own: bool) -> Result<bool, Error> {
        trace::sent(self.peer, frames.pieces);
        // If it fails, `writing` stays set: a dead outbox has no writer after this one, and every wait ends.
        let written =
            self.socket.write_some(&frames.pieces.map(IoSlice::new)).inspect_err(|_| self.kill()).map_err(Error::Io)?;
        let is_out = written == frames.length();
        if is_out && self.drain() {
            return Ok(false);
        } else if !is_out {
            let frame = frames.shared().ok_or_else(|| self.evict_for_memory())?;
            let mut state = lock(&self.state);
            if state.end != End::Dead {
                state.backlog.push(Waiting { frame, written, since: Instant::now(), is_own, is_traced: true });
            }
        }
        // The drain thread writes from here on, and so `writing` stays set.
        self.drain.take_over(Arc::clone(self));
        Ok(frames.length() - written > MOST_OWN)
    }

    /// Writes some of what waits; `true`: nothing is left, and nobody writes any more. Bounded, so that a client whose
    /// socket takes everything keeps no thread from its own work.
    pub(super) fn drain(&self) -> bool {
        for _ in 0..MOST_FRAMES {
            let mut state = lock(&self.state);
            let Some(front) = state.backlog.front() else {
                state.writing = false;
                self.signal(&state);
                return true;
            };
            drop(state);
            if !front.is_traced && trace::is_on() {
                trace::sent(self.peer, [&front.frame.with_rest(0, <[u8]>::to_vec), &[]]);
            }
            let written = front.frame.with_rest(front.written, |rest| self.socket.write_some(&[IoSlice::new(rest)]));
            match written {
                Ok(0) => return false,
                // A client that takes bytes is alive.
                Ok(count) => self.advance(count),
                Err(_) => self.kill(),
            }
        }
        false
    }

    fn advance(&self, count: usize) {
        self.activity.record();
        let mut state = lock(&self.state);
        let done = state.backlog.advance(count);
        self.signal(&state);
        // Megabytes perhaps, so not under the lock.
        drop(state);
        drop(done);
    }

    fn signal(&self, state: &State) {
        // Waking nobody would cost a system call each time.
        if state.waiting > 0 {
            self.progress.notify_all();
        }
    }

    /// Waits while `condition` holds, the client lives and the deadline has not passed.
    fn wait_while(&self, deadline: Option<Instant>, condition: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let left = deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
        let mut state = lock(&self.state);
        state.waiting += 1;
        let goes_on = |state: &mut State| state.end != End::Dead && condition(state);
        let waited = self.progress.wait_timeout_while(state, left, goes_on);
        state = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        state.waiting -= 1;
        state
    }
}

impl State {
    /// Somebody writes from here on, and a Close is the last that goes out, Pongs aside.
    fn begin(&mut self, frames: &Frames) {
        self.writing = true;
        if frames.ends_with_close {
            self.end = End::CloseSent;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::registry::Registry;
    use crate::server::tests::{ClientsEnd, wait_until};
    use std::thread;

    /// Outboxes with a drain thread, without a server.
    struct House {
        registry: Registry,
        drain: Arc<Drain>,
    }

    impl House {
        fn new() -> House {
            let drain = Drain::start().unwrap();
            let registry = Registry::default();
            registry.budget().set_limits(usize::MAX, usize::MAX);
            House { registry, drain }
        }

        fn outbox(&self, client: &ClientsEnd) -> Arc<Outbox> {
            let socket = Arc::new(Socket::new(client.servers_end()));
            let peer = SocketAddr::from(([192, 0, 2, 1], 1));
            let budget = Arc::clone(self.registry.budget());
            let outbox = Arc::new(Outbox::new(peer, socket, Arc::clone(&self.drain), budget));
            outbox.open(&[], Instant::now()).unwrap();
            outbox
        }

        fn write(&self, outbox: &Arc<Outbox>, bytes: &[u8]) -> Result<(), Error> {
            outbox.write(&Frames::new([&bytes[..1], &bytes[1..]], &self.registry))
        }

        fn write_own(&self, outbox: &Arc<Outbox>, bytes: &[u8], deadline: Option<Instant>) -> Result<(), Error> {
            outbox.write_own(&Frames::new([&bytes[..1], &bytes[1..]], &self.registry), deadline)
        }
    }

    fn waits(outbox: &Outbox) -> usize {
        lock(&outbox.state).backlog.length
    }

    #[test]
    fn other_threads_never_wait_and_the_drain_thread_delivers() {
        let house = House::new();
        let clients: Vec<_> = (0..100).map(|_| ClientsEnd::new(Some(10), [])).collect();
        let outboxes: Vec<_> = clients.iter().map(|client| house.outbox(client)).collect();
        for round in 1..=3 {
            let bytes = [round; 100];
            let frames = Frames::new([&bytes, &[]], &house.registry);
            outboxes.iter().for_each(|outbox| outbox.write(&frames).unwrap());
        }
        assert!(outboxes.iter().all(|outbox| waits(outbox) > 290 && outbox.waiting().1.is_some()));
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
        let outbox = house.outbox(&client);
        house.write(&outbox, &[1; 1_000_000]).unwrap();
        // It would wait for 20 s.
        house.write_own(&outbox, &[2; 100], Some(Instant::now() + Duration::from_secs(20))).unwrap();
        assert!(waits(&outbox) > 1_000_000);
    }

    #[test]
    fn own_thread_waits_with_more_than_a_piece_of_its_own() {
        let house = House::new();
        let client = ClientsEnd::new(Some(10), []);
        let outbox = house.outbox(&client);
        house.write(&outbox, &[1; 100]).unwrap();
        let (begin, patience) = (Instant::now(), Duration::from_millis(300));
        let own = |length: usize| house.write_own(&outbox, &vec![2; length], Some(begin + patience));
        own(MOST_OWN - 1000).unwrap();
        own(1000).unwrap();
        assert!(begin.elapsed() < patience, "a piece, to the byte");
        assert!(matches!(own(2), Err(Error::Io(error)) if error.kind() == ErrorKind::TimedOut));
        assert!(begin.elapsed() >= patience);
    }

    #[test]
    fn own_thread_that_waits_goes_on_once_its_bytes_are_out() {
        let house = House::new();
        let client = ClientsEnd::new(Some(10), []);
        let outbox = house.outbox(&client);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| house.write_own(&outbox, &[2; MOST_OWN + 100], None));
            wait_until(|| lock(&outbox.state).waiting == 1);
            // It is woken, because it has no deadline.
            wait_until(|| {
                client.take(usize::MAX);
                waiting.is_finished()
            });
            waiting.join().unwrap().unwrap();
        });
        assert!(waits(&outbox) > 0, "the rest may wait");
    }

    #[test]
    fn writer_leaves_the_bytes_of_others_after_a_few_batches() {
        let house = House::new();
        let client = ClientsEnd::new(None, []);
        let outbox = house.outbox(&client);
        let bytes = [2; MOST_OWN];
        lock(&outbox.state).writing = true;
        let left = MOST_FRAMES + 1;
        (0..left).for_each(|_| house.write(&outbox, &bytes).unwrap());
        assert!(!outbox.drain());
        assert_eq!(client.wait_for(0).len(), MOST_FRAMES * MOST_OWN);
        assert!(outbox.drain());
        assert_eq!((client.wait_for(0).len(), lock(&outbox.state).writing), (left * MOST_OWN, false));
    }

    #[test]
    fn client_that_takes_a_little_at_a_time_is_alive() {
        let house = House::new();
        let client = ClientsEnd::new(Some(1000), []);
        let outbox = house.outbox(&client);
        let begin = Instant::now();
        thread::scope(|scope| {
            let writing = scope.spawn(|| house.write_own(&outbox, &[1; MOST_OWN + 30_000], None));
            // A busy machine may hold up this thread for a while, but not each time.
            let was_active = |thousands: usize| {
                client.wait_for(1000 * thousands);
                thread::sleep(Duration::from_millis(10));
                let was_active = outbox.activity.silence() < begin.elapsed() / 2;
                client.take(1000);
                was_active
            };
            let times = (1..30).map(was_active).filter(|was_active| *was_active).count();
            assert!(times > 10, "{times} times of 29");
            wait_until(|| {
                client.take(1000);
                writing.is_finished()
            });
            writing.join().unwrap().unwrap();
        });
        assert_eq!(outbox.activity.silence(), Duration::ZERO, "nobody waits for it any more");
    }

    #[test]
    fn backlog_over_its_limit_evicts_with_the_next_frame() {
        let house = House::new();
        let client = ClientsEnd::new(Some(10), []);
        let outbox = house.outbox(&client);
        house.write(&outbox, &[1; 800]).unwrap();
        house.registry.budget().set_limits(usize::MAX, waits(&outbox));
        // However large it is, one message may wait on top of what is just allowed.
        house.write(&outbox, &[1; 100_000]).unwrap();
        let evicted = house.write(&outbox, &[1]);
        assert!(matches!(evicted, Err(Error::Io(error)) if error.kind() == ErrorKind::TimedOut));
        assert_eq!((waits(&outbox), house.registry.budget().used()), (0, 0));
    }

    #[test]
    fn own_thread_that_need_not_wait_needs_no_desk() {
        let house = House::new();
        // Enough for what is queued, and not for a desk.
        house.registry.budget().set_limits(MOST_OWN + DESK, usize::MAX);
        let outbox = house.outbox(&ClientsEnd::new(Some(10), []));
        house.write_own(&outbox, &[1; MOST_OWN + 10], None).unwrap();
        let outbox = house.outbox(&ClientsEnd::new(Some(0), []));
        house.write(&outbox, &[1; 10]).unwrap();
        house.write_own(&outbox, &[1; MOST_OWN - 10], None).unwrap();
        house.write_own(&outbox, &[1; 10], None).unwrap();
        assert_eq!(lock(&outbox.state).backlog.own, MOST_OWN);
    }

    // §5.5.1, §5.5.2.
    #[test]
    fn pong_may_follow_a_close_and_nothing_else_may() {
        let (house, client) = (House::new(), ClientsEnd::default());
        let outbox = house.outbox(&client);
        outbox.write(&Frames::close(b"close ")).unwrap();
        assert!(matches!(house.write(&outbox, b"data"), Err(Error::Closed)));
        outbox.write(&Frames::late_pong(b"pong")).unwrap();
        assert!(matches!(house.write(&outbox, b"data"), Err(Error::Closed)));
        assert_eq!(client.wait_for(10), b"close pong");
    }

    #[test]
    fn frame_that_memory_has_no_room_for_evicts_its_client_only() {
        let house = House::new();
        house.registry.budget().set_limits(1000, usize::MAX);
        let clients = [Some(10), None].map(|room| ClientsEnd::new(room, []));
        let [slow, healthy] = [0, 1].map(|i| house.outbox(&clients[i]));
        let bytes = [1; 1001];
        let frames = Frames::new([&bytes, &[]], &house.registry);
        assert!(slow.write(&frames).is_err());
        healthy.write(&frames).unwrap();
        assert_eq!(clients[1].wait_for(1001), bytes);
        // A Ping must go out all the same.
        let slow = house.outbox(&ClientsEnd::new(Some(0), []));
        slow.write(&Frames::ping(&bytes)).unwrap();
    }

    #[test]
    fn own_thread_that_waits_counts_its_desk() {
        const LENGTH: usize = MOST_OWN + 100;
        let house = House::new();
        let budget = house.registry.budget();
        let client = ClientsEnd::new(Some(10), []);
        let outbox = house.outbox(&client);
        thread::scope(|scope| {
            let writing = scope.spawn(|| house.write_own(&outbox, &[1; LENGTH], None));
            wait_until(|| budget.used() > LENGTH + DESK);
            // Ten bytes are out. After 90 more no more is queued than may be.
            for count in 1..=9 {
                client.wait_for(10 * count);
                client.take(10);
            }
            wait_until(|| writing.is_finished());
        });
        assert_eq!(lock(&outbox.state).waiting, 0);
        assert!(budget.used() < DESK, "what is queued still counts, the desk does not");
        outbox.kill();
        wait_until(|| budget.used() == 0);
        budget.set_limits(LENGTH + DESK, usize::MAX);
        let outbox = house.outbox(&ClientsEnd::new(Some(10), []));
        assert!(matches!(house.write_own(&outbox, &[1; LENGTH], None), Err(Error::MemoryLimit)));
    }
}
