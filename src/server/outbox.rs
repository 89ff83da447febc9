//! The sending side of a client, for its own thread and for all the others that have something for it.
//!
//! **The first thread that arrives writes; the others leave their frames.** The lock guards a queue and a flag, and is
//! never held over I/O. A thread that finds `writing` set leaves its frames in the queue: the writer takes them along.
//! So frames never interleave, and while nobody writes the queue is empty.
//!
//! **Writing waits for no client.** Bytes that the socket does not take at once stay in the queue, and the right to
//! write goes to the [drain thread](super::drain). Only then a client's own thread waits until most of its own bytes
//! are out: that is TCP's backpressure. Any other thread goes on.

mod ending;

use super::activity::Activity;
use super::backlog::{Backlog, Waiting};
use super::budget::Budget;
use super::closing::{CloseState, End};
use super::counters::{Incoming, Outgoing};
use super::drain::Drain;
use super::frames::Frames;
use super::lock;
use super::socket::Socket;
use super::trace;
use super::turn::Turn;
use crate::error::Error;
use crate::protocol::close::CloseFrame;
use crate::protocol::deflate::Agreement;
use crate::protocol::frame::{self, Opcode};
use std::io::{self, ErrorKind, IoSlice};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

#[cfg(test)]
#[path = "tests/outbox.rs"]
mod tests;

/// How many of others' frames a thread writes before it leaves the rest to the drain thread.
const MOST_FRAMES: usize = 16;

/// A client's own thread waits while more of its own bytes are queued.
const MOST_OWN: usize = 64 * 1024;

/// The bytes that a thread keeps busy while it waits for its client, beside its message: its inbox and its batch.
const BUFFERS: usize = 128 * 1024;

pub(super) struct Outbox {
    pub(super) peer: SocketAddr,
    pub(super) socket: Arc<Socket>,
    pub(super) activity: Activity,
    pub(super) incoming: Incoming,
    pub(super) turn: Turn,
    drain: Arc<Drain>,
    budget: Arc<Budget>,
    pub(super) state: Mutex<State>,
    /// Signalled when the queue has become shorter or the writer has gone, if a thread waits for that.
    progress: Condvar,
    /// Apart, for a [`Sender`](super::Sender) that outlives the outbox and its socket.
    pub(super) end: Arc<OnceLock<End>>,
}

pub(super) struct State {
    backlog: Backlog,
    writing: bool,
    waiting: usize,
    /// How many bytes the threads have in hand that have waited for room in the queue.
    promised: usize,
    /// Says what can still be written: the last frame in the queue or on the wire can be a Close.
    close: CloseState,
    pub(super) outgoing: Outgoing,
    /// Only if the client has agreed to messages that are compressed one by one, for every thread that sends.
    compression: Option<Agreement>,
}

impl Outbox {
    /// Makes an outbox in which everything waits until [`write_response`](Outbox::write_response).
    pub(super) fn new(peer: SocketAddr, socket: Arc<Socket>, drain: Arc<Drain>, budget: Arc<Budget>) -> Outbox {
        let backlog = Backlog::new(&budget);
        let (close, outgoing) = (CloseState::Open, Outgoing::default());
        let state = State { backlog, writing: true, waiting: 0, promised: 0, close, outgoing, compression: None };
        let (activity, incoming, turn) = (Activity::new(), Incoming::default(), Turn::default());
        let (progress, end) = (Condvar::new(), Arc::default());
        Outbox { peer, socket, activity, incoming, turn, drain, budget, state: Mutex::new(state), progress, end }
    }

    /// Compresses messages for this client, unless they can refer to earlier ones: only the client's own thread knows
    /// their order.
    pub(super) fn allow_compression(&self, agreement: Agreement) {
        lock(&self.state).compression = Some(agreement).filter(|agreement| agreement.server_no_context_takeover);
    }

    /// Writes the response to the handshake, and then what others have left meanwhile. The client is in the registry
    /// before its 101 goes out, so it misses nothing that is sent after it.
    pub(super) fn write_response(self: &Arc<Self>, response: &[u8], deadline: Instant) -> io::Result<()> {
        self.socket.write_all(response, deadline).inspect_err(|_| self.disconnect())?;
        if !self.drain() {
            self.drain.take_over(Arc::clone(self));
        }
        Ok(())
    }

    /// Writes whole frames, or leaves what does not go out at once in the queue. Never waits. The error is
    /// [`Error::Closed`] after a Close.
    pub(super) fn write(self: &Arc<Self>, frames: &Frames) -> Result<(), Error> {
        self.write_or_leave(frames, false).map(drop)
    }

    /// Writes whole frames once little is queued. Of many threads that wait for that, one at a time goes on. The error
    /// is `TimedOut` after the deadline.
    pub(super) fn write_when_ready(self: &Arc<Self>, frames: &Frames, deadline: Instant) -> Result<(), Error> {
        let is_much = |state: &State| state.backlog.length + state.promised > MOST_OWN;
        let mut state = self.wait_while(Some(deadline), |state| self.is_open() && is_much(state));
        if let Some(end) = self.end.get() {
            return Err(end.error());
        } else if is_much(&state) {
            return Err(Error::Io(ErrorKind::TimedOut.into()));
        }
        state.promised += frames.length();
        drop(state);
        let written = self.write(frames);
        let mut state = lock(&self.state);
        state.promised -= frames.length();
        self.signal(&state);
        written
    }

    /// Sends a Close frame, after what is queued already, without waiting. The error is [`Error::Closed`] after another
    /// Close.
    pub(super) fn send_close(self: &Arc<Self>, close: &CloseFrame) -> Result<(), Error> {
        let mut out = Vec::new();
        frame::encode(Opcode::Close, &close.encode(), &mut out);
        self.write(&Frames::close(&out))
    }

    /// Writes frames of the client's own thread. While much of what it has left is queued, the thread waits, at most to
    /// the deadline: that is backpressure.
    pub(super) fn write_own(self: &Arc<Self>, frames: &Frames, deadline: Option<Instant>) -> Result<(), Error> {
        if !self.write_or_leave(frames, true)? {
            return Ok(());
        }
        let is_much = |state: &State| state.backlog.own > MOST_OWN;
        // Without memory for its buffers the client is evicted.
        let _share = self.budget.reserve(BUFFERS).ok_or_else(|| self.evict_for_memory())?;
        // A client that takes no bytes is as silent as one that sends none.
        let _wait = self.activity.wait();
        let state = self.wait_while(deadline, is_much);
        match state.close {
            CloseState::Lost => Err(self.why()),
            _ if is_much(&state) => Err(Error::Io(ErrorKind::TimedOut.into())),
            _ => Ok(()),
        }
    }

    /// Waits until all that was left here is written; only for the client's own thread.
    pub(super) fn wait_until_out(&self, deadline: Option<Instant>) {
        drop(self.wait_while(deadline, |state| state.writing));
    }

    /// Returns how many bytes of frames wait.
    pub(super) fn waiting_bytes(&self) -> usize {
        lock(&self.state).backlog.bytes()
    }

    /// Returns how many bytes wait, and since when the oldest that another thread has left.
    pub(super) fn waiting(&self) -> (usize, Option<Instant>) {
        let state = lock(&self.state);
        (state.backlog.length, state.backlog.oldest())
    }

    /// Writes the frames, or leaves them to the thread that is writing. Returns whether much of what the client's own
    /// thread has left is queued.
    fn write_or_leave(self: &Arc<Self>, frames: &Frames, is_own: bool) -> Result<bool, Error> {
        let (mut state, mut frames) = (self.lock_for(frames)?, frames);
        if let Some(agreement) = state.compression {
            drop(state);
            frames = frames.compressed(agreement);
            state = self.lock_for(frames)?;
        }
        if state.writing {
            drop(state);
            // Copied without the lock, because it can be megabytes; so the writer can have gone meanwhile.
            let frame = frames.shared().ok_or_else(|| self.evict_for_memory())?;
            state = self.lock_for(frames)?;
            if state.writing {
                self.begin(&mut state, frames);
                state.backlog.push(Waiting { frame, written: 0, since: Instant::now(), is_own, is_traced: false });
                return Ok(state.backlog.own > MOST_OWN);
            }
        }
        self.begin(&mut state, frames);
        drop(state);
        self.write_out(frames, is_own)
    }

    /// Locks the state, if these frames can still be sent and not too much waits already.
    fn lock_for(&self, frames: &Frames) -> Result<MutexGuard<'_, State>, Error> {
        let state = lock(&self.state);
        match state.close {
            CloseState::Open if self.is_open() => {}
            CloseState::CloseSent if frames.may_follow_close => {}
            CloseState::CloseSent => return Err(Error::Closed),
            _ => return Err(self.why()),
        }
        let length = state.backlog.length;
        if length > self.budget.max_backlog() {
            drop(state);
            return Err(self.evict(format_args!("{length} bytes wait for it")));
        }
        Ok(state)
    }

    /// Writes `frames`, and then some of what others have left meanwhile.
    fn write_out(self: &Arc<Self>, frames: &Frames, is_own: bool) -> Result<bool, Error> {
        trace::sent(self.peer, frames.pieces());
        // If it fails, `writing` stays set: a dead outbox has no writer after this one, and every wait ends.
        let written = self.socket.write_some(&frames.pieces().map(IoSlice::new));
        let written = written.inspect_err(|_| self.disconnect()).map_err(|error| self.unless_evicted(error))?;
        let is_out = written == frames.length();
        if is_out && self.drain() {
            return Ok(false);
        } else if !is_out {
            let frame = frames.shared().ok_or_else(|| self.evict_for_memory())?;
            let mut state = lock(&self.state);
            if state.close != CloseState::Lost {
                state.backlog.push(Waiting { frame, written, since: Instant::now(), is_own, is_traced: true });
            }
        }
        // The drain thread writes from here on, and so `writing` stays set.
        self.drain.take_over(Arc::clone(self));
        Ok(frames.length() - written > MOST_OWN)
    }

    /// Writes some of what waits. Returns `true` if nothing is left and nobody writes any more. Bounded, because a
    /// client whose socket takes everything must not keep a thread from its own work.
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
                Err(_) => self.disconnect(),
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

    /// Notes that a thread writes from here on. After a Close nothing follows, Pongs aside.
    fn begin(&self, state: &mut State, frames: &Frames) {
        state.writing = true;
        state.outgoing.count(frames);
        if frames.ends_with_close {
            state.close = CloseState::CloseSent;
            let _ = self.end.set(End::now(CloseState::CloseSent));
            self.signal(state);
        }
    }

    /// Waits while `condition` holds, the socket is in order and the deadline has not passed.
    fn wait_while(&self, deadline: Option<Instant>, condition: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let left = deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
        let mut state = lock(&self.state);
        state.waiting += 1;
        let goes_on = |state: &mut State| state.close != CloseState::Lost && condition(state);
        let waited = self.progress.wait_timeout_while(state, left, goes_on);
        state = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        state.waiting -= 1;
        state
    }
}
