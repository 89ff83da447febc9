//! The sending side of a client, for its own thread and for all the others that have something for it.
//!
//! **Whoever comes first writes; the others leave their bytes.** The lock guards a queue and a flag, and is never held
//! over I/O. A thread that finds `writing` set leaves its bytes in the queue and goes: the writer takes them along. So
//! frames never interleave, and while nobody is writing the queue is empty.
//!
//! **Only a client's own thread waits for it.** The socket's write timeout is short. A guest (a broadcaster, the
//! heartbeat) that runs into it leaves the rest to a thread that is started for it then and ends with it; a client for
//! which too much waits is evicted. Its own thread waits as long as the client lives: that is TCP's backpressure.
//!
//! Unix says how much a write has done when its timeout ends it, so that the next one goes on from there. Windows promises
//! nothing: there a client that reads slowly may get bytes twice or not at all.

use super::backlog::{Backlog, PIECE};
use super::life::Life;
use super::lock;
use super::socket::Socket;
use super::trace;
use crate::error::Error;
use std::cell::Cell;
use std::hint;
use std::io::{self, ErrorKind, IoSlice, Write as _};
use std::mem;
use std::net::{Shutdown, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// The longest that a guest waits for a client whose socket is full.
const SHORT_WAIT: Duration = Duration::from_millis(5);

/// How many full sockets a guest waits for on one round through many clients.
const PATIENCE: u32 = 4;

/// How often the client's own thread, while it waits, looks how far the client has come.
const LONG_WAIT: Duration = Duration::from_millis(100);

/// How long a backlog waits while the client's own thread looks for more from a client that does not read.
const LOOK_WAIT: Duration = Duration::from_millis(1);

/// Bytes for the wire in two pieces, so that a large payload need not be copied behind its header.
pub(super) type Pieces<'a> = [&'a [u8]; 2];

/// Who writes.
#[derive(Clone, Copy)]
pub(super) enum Writer<'a> {
    /// The client's own thread; it waits, to the deadline if there is one.
    Own(Option<Instant>),
    /// The thread that works off a backlog; it waits as long as the client lives.
    StandIn,
    /// Any other thread.
    Guest(&'a Round),
}

/// A guest's round through many clients. Short waits add up: three hundred members that stall at the same message would
/// hold up its sender for seconds. So after a few of them the round goes on without trying the sockets itself.
#[derive(Default)]
pub(super) struct Round {
    full_sockets: Cell<u32>,
}

pub(super) struct Outbox {
    peer: SocketAddr,
    socket: Arc<Socket>,
    life: Arc<Life>,
    /// A client for which more bytes than this wait already gets no more.
    limit: usize,
    state: Mutex<State>,
    /// Signalled when the queue has become shorter or the writer has gone, if somebody waits for that.
    progress: Condvar,
}

#[derive(Default)]
struct State {
    queue: Backlog,
    writing: bool,
    waiting: usize,
    end: End,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum End {
    #[default]
    Open,
    /// A Close frame is the last in the queue or on the wire: no data may follow it (§5.5.1), and nothing else does.
    CloseSent,
    /// The socket has failed, or the client was given up.
    Dead,
}

impl Outbox {
    pub(super) fn new(peer: SocketAddr, socket: Arc<Socket>, life: Arc<Life>, limit: usize) -> io::Result<Outbox> {
        socket.set_write_timeout(SHORT_WAIT)?;
        Ok(Outbox { peer, socket, life, limit, state: Mutex::default(), progress: Condvar::new() })
    }

    /// Reads what a write will need, and does nothing with it. In a broadcast to a thousand none of it is in the cache;
    /// asked for one after the other without a write in between, many come in the time of one. The broadcast is 1.08
    /// times as fast.
    pub(super) fn fetch(&self) {
        hint::black_box((self.state.is_poisoned(), self.socket.is_nonblocking()));
    }

    /// Writes whole frames, or leaves them for whoever is writing.
    pub(super) fn write(self: &Arc<Self>, frames: Pieces, writer: Writer<'_>) -> Result<(), Error> {
        self.put(frames, writer, End::Open)
    }

    /// Writes frames of which the last is a Close; [`Error::Closed`] if there was one before.
    pub(super) fn write_close(self: &Arc<Self>, frames: &[u8], writer: Writer<'_>) -> Result<(), Error> {
        self.put([frames, &[]], writer, End::CloseSent)
    }

    /// Ends our side of TCP behind the last byte that was left here; only for the client's own thread, since it waits.
    pub(super) fn hang_up(&self, deadline: Option<Instant>) {
        drop(self.wait_while(lock(&self.state), deadline, |state| state.writing));
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// A Close frame of ours is out.
    pub(super) fn is_closing(&self) -> bool {
        lock(&self.state).end == End::CloseSent
    }

    /// Gives the client up: its own thread wakes from whatever it waits for.
    pub(super) fn kill(&self) {
        let mut state = lock(&self.state);
        state.end = End::Dead;
        state.queue = Backlog::default();
        self.signal(&state);
        drop(state);
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    fn put(self: &Arc<Self>, frames: Pieces, writer: Writer<'_>, end: End) -> Result<(), Error> {
        let length = frames[0].len() + frames[1].len();
        let mut state = lock(&self.state);
        if let Writer::Own(deadline) = writer {
            let full = |state: &State| state.writing && state.queue.length() + length > PIECE;
            state = self.wait_while(state, deadline, full);
        }
        match state.end {
            End::Open => state.end = end,
            End::CloseSent => return Err(Error::Closed),
            End::Dead => return Err(Error::Io(ErrorKind::BrokenPipe.into())),
        }
        if state.writing {
            return self.leave(state, frames);
        }
        state.writing = true;
        trace::sent(self.peer, frames);
        drop(state);
        match writer {
            Writer::Guest(round) if round.full_sockets.get() >= PATIENCE => self.hand_over(frames),
            _ => self.write_out(frames, writer),
        }
    }

    /// The writer's part: `frames`, then what the others have left meanwhile, until nothing is left.
    fn write_out(self: &Arc<Self>, frames: Pieces, writer: Writer<'_>) -> Result<(), Error> {
        let mut piece: Vec<u8>;
        let mut rest = frames;
        loop {
            // If it fails, `writing` stays set: a dead outbox has no writer after this one, and every wait ends.
            rest = self.write_all(rest, writer).map_err(|error| self.give_up(error))?;
            if rest != EMPTY {
                // It stays set for the thread that takes over, too.
                return self.hand_over(rest);
            }
            let mut state = lock(&self.state);
            self.signal(&state);
            let Some(next) = state.queue.pop() else {
                state.writing = false;
                return Ok(());
            };
            piece = next;
            rest = [&piece, &[]];
        }
    }

    /// Writes `bytes`; what it returns is what a guest could not write in its short time.
    fn write_all<'a>(&self, mut bytes: Pieces<'a>, writer: Writer<'_>) -> io::Result<Pieces<'a>> {
        // Set once a short wait was in vain. Then the timeout is a longer one, to be put back at the end, and the heartbeat
        // watches this wait as it watches that for a read.
        let mut patient = false;
        while bytes != EMPTY {
            let written = match write_once(&self.socket, bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => count,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => 0,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            bytes = advance(bytes, written);
            if bytes == EMPTY {
                break;
            }
            let deadline = match writer {
                // The last look has left the socket non-blocking: nobody has waited yet.
                Writer::Own(_) if self.socket.set_nonblocking(false)? => continue,
                Writer::Own(deadline) => deadline,
                Writer::StandIn => {
                    // The client's own thread looks, and whoever made the socket blocking would put it to sleep.
                    if self.socket.is_nonblocking() {
                        thread::sleep(LOOK_WAIT);
                    }
                    None
                }
                Writer::Guest(round) => {
                    round.full_sockets.update(|count| count + 1);
                    return Ok(bytes);
                }
            };
            // A client that takes bytes is alive; one that takes none is as silent as one that sends none.
            if !patient {
                self.life.begin_wait();
            } else if written > 0 {
                self.life.show();
            }
            let wait = next_wait(deadline);
            if wait.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            // Nobody else writes while `writing` is set, so nobody else is held up by a longer timeout.
            patient = true;
            self.socket.set_write_timeout(wait)?;
        }
        if patient {
            self.life.end_wait();
            self.socket.set_write_timeout(SHORT_WAIT)?;
        }
        Ok(bytes)
    }

    /// What a guest does with the rest: a thread of its own takes over the writing and lives as long as the backlog.
    fn hand_over(self: &Arc<Self>, rest: Pieces) -> Result<(), Error> {
        let mut state = lock(&self.state);
        let left_meanwhile = mem::take(&mut state.queue);
        rest.iter().for_each(|bytes| state.queue.push(bytes));
        state.queue.append(&left_meanwhile);
        drop(state);
        drop(left_meanwhile);
        let outbox = Arc::clone(self);
        let thread = thread::Builder::new().name(format!("backlog-{}", self.peer)).stack_size(super::STACK_SIZE);
        match thread.spawn(move || outbox.write_out(EMPTY, Writer::StandIn)) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.give_up(error)),
        }
    }

    /// Leaves frames for whoever is writing. A client that lets more than the limit pile up is evicted, for the sake of
    /// the others' memory; one message on top of little always may wait, however large it is.
    fn leave(&self, mut state: MutexGuard<State>, frames: Pieces) -> Result<(), Error> {
        let backlog = state.queue.length();
        if backlog <= self.limit {
            frames.iter().for_each(|bytes| state.queue.push(bytes));
            trace::sent(self.peer, frames);
            return Ok(());
        }
        drop(state);
        log::info!("{}: evicted, since it does not read: {backlog} bytes wait for it", self.peer);
        Err(self.give_up(ErrorKind::TimedOut.into()))
    }

    fn give_up(&self, error: io::Error) -> Error {
        self.kill();
        Error::Io(error)
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
            let wait = next_wait(deadline);
            if wait.is_zero() {
                break;
            }
            state.waiting += 1;
            state = self.progress.wait_timeout(state, wait).unwrap_or_else(|poisoned| poisoned.into_inner()).0;
            state.waiting -= 1;
        }
        state
    }
}

/// How long the client's own thread waits before it looks again; zero once the deadline has passed.
fn next_wait(deadline: Option<Instant>) -> Duration {
    deadline.map_or(LONG_WAIT, |deadline| deadline.saturating_duration_since(Instant::now()).min(LONG_WAIT))
}

const EMPTY: Pieces = [&[], &[]];

fn write_once(mut socket: &Socket, [first, second]: Pieces) -> io::Result<usize> {
    if second.is_empty() {
        return socket.write(first);
    }
    socket.write_vectored(&[IoSlice::new(first), IoSlice::new(second)])
}

/// What is left when `written` bytes have gone.
fn advance([first, second]: Pieces, written: usize) -> Pieces {
    match written.checked_sub(first.len()) {
        None => [&first[written..], second],
        Some(more) => [&second[more..], &[]],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::tests::{ClientsEnd, wait_until};

    fn outbox(client: &ClientsEnd) -> Arc<Outbox> {
        let socket = Arc::new(Socket::new(client.servers_end()));
        let peer = SocketAddr::from(([192, 0, 2, 1], 1));
        Arc::new(Outbox::new(peer, socket, Arc::new(Life::new()), usize::MAX).unwrap())
    }

    /// An outbox with a stand-in that has nowhere to write, and with an empty queue.
    fn stuck() -> (ClientsEnd, Arc<Outbox>) {
        let client = ClientsEnd::new(Some(PIECE), []);
        let outbox = outbox(&client);
        outbox.write([&[1; PIECE + 100], &[]], Writer::Guest(&Round::default())).unwrap();
        wait_until(|| lock(&outbox.state).queue.length() == 0);
        (client, outbox)
    }

    #[test]
    fn the_clients_own_thread_leaves_up_to_a_piece_and_waits_with_more() {
        let (_client, outbox) = stuck();
        let waits = |length| {
            let (begin, patience) = (Instant::now(), Duration::from_millis(300));
            outbox.write([&vec![2; length - 1], &[2]], Writer::Own(Some(begin + patience))).unwrap();
            begin.elapsed() >= patience
        };
        assert!(!waits(PIECE - 1000));
        assert!(!waits(1000), "a piece, to the byte");
        assert!(waits(2));
        outbox.kill();
    }

    #[test]
    fn a_client_that_takes_a_little_at_a_time_shows_that_it_lives() {
        let client = ClientsEnd::new(Some(10), []);
        let outbox = outbox(&client);
        let (begin, its) = (Instant::now(), Arc::clone(&outbox));
        let writing = thread::spawn(move || its.write([&[1; 300], &[]], Writer::Own(None)));
        // A busy machine may hold up this thread for a while, but not each time.
        let has_shown = |tens: usize| {
            client.wait_for(10 * tens);
            thread::sleep(Duration::from_millis(10));
            let has_shown = outbox.life.silence() < begin.elapsed() / 2;
            client.take(10);
            has_shown
        };
        let times = (1..30).map(has_shown).filter(|has_shown| *has_shown).count();
        assert!(times > 10, "{times} times of 29");
        writing.join().unwrap().unwrap();
        assert_eq!(outbox.life.silence(), Duration::ZERO, "nobody waits for it any more");
    }

    #[test]
    fn the_clients_own_thread_is_woken_and_need_not_look_for_itself() {
        let time_to_wake = |_| {
            let (client, outbox) = stuck();
            let its = Arc::clone(&outbox);
            let waiting = thread::spawn(move || its.write([&[2; PIECE], &[2]], Writer::Own(None)));
            wait_until(|| lock(&outbox.state).waiting == 1);
            let begin = Instant::now();
            wait_until(|| {
                client.take(usize::MAX);
                waiting.is_finished()
            });
            waiting.join().unwrap().unwrap();
            assert_eq!(lock(&outbox.state).waiting, 0);
            begin.elapsed()
        };
        // By itself it would look after 100 ms; a busy machine may need some tries.
        assert!((0..10).map(time_to_wake).any(|time| time < LONG_WAIT / 2));
    }

    #[test]
    fn a_round_waits_for_a_few_full_sockets_and_leaves_the_others_to_their_stand_ins() {
        let clients: Vec<_> = (0..10).map(|_| ClientsEnd::new(Some(10), [])).collect();
        let outboxes: Vec<_> = clients.iter().map(outbox).collect();
        let round = Round::default();
        for outbox in &outboxes {
            outbox.write([&[1; 100], &[]], Writer::Guest(&round)).unwrap();
        }
        assert_eq!(round.full_sockets.get(), PATIENCE);
        // None loses anything.
        for client in &clients {
            for tens in 1..=10 {
                assert_eq!(client.wait_for(10 * tens), vec![1; 10 * tens]);
                client.take(10);
            }
        }
    }
}
