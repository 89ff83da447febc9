//! How the sending side ends: by a Close, by a socket that fails, or because another thread disconnects the client.

use super::{Outbox, lock};
use crate::error::Error;
use crate::server::backlog::Backlog;
use crate::server::closing::{CloseState, End};
use std::net::Shutdown;
use std::time::Duration;
use std::{fmt, io, mem};

impl Outbox {
    /// Returns whether no Close of ours is sent and the socket is in order.
    pub(in crate::server) fn is_open(&self) -> bool {
        self.end.get().is_none()
    }

    /// Notes why nothing more can be sent, unless that has been noted, and wakes the threads that wait for room.
    pub(in crate::server) fn note_end(&self, cause: CloseState) {
        let state = lock(&self.state);
        let _ = self.end.set(End::now(cause));
        self.signal(&state);
    }

    /// Returns the error of the socket, or that another thread has shut it down.
    pub(in crate::server) fn unless_evicted(&self, error: io::Error) -> Error {
        match self.why() {
            Error::Evicted => Error::Evicted,
            _ => Error::Io(error),
        }
    }

    pub(super) fn why(&self) -> Error {
        self.end.get().map_or(Error::Closed, End::error)
    }

    /// Disconnects a slow consumer, for the sake of the others.
    pub(in crate::server) fn evict(&self, reason: fmt::Arguments) -> Error {
        log::info!("{}: evicted: {reason}", self.peer);
        self.cut(CloseState::Evicted);
        Error::Evicted
    }

    /// Disconnects a client because memory is at its bound, and it needs more or has waited longest.
    pub(in crate::server) fn evict_for_memory(&self) -> Error {
        self.budget.log_full(self.peer);
        self.cut(CloseState::Evicted);
        Error::Evicted
    }

    /// Disconnects a client whose end has taken longer than `timeout`. Returns whether it has.
    pub(in crate::server) fn expire(&self, timeout: Duration) -> bool {
        let is_over = self.end.get().is_some_and(|end| end.is_over(timeout));
        let is_late = is_over && lock(&self.state).close != CloseState::Lost;
        if is_late {
            self.disconnect();
        }
        is_late
    }

    /// Disconnects a client that is silent.
    pub(in crate::server) fn drop_silent(&self) {
        lock(&self.state).outgoing.is_dropped = true;
        self.disconnect();
    }

    /// Ends the connection at once: its own thread wakes from whatever it waits for.
    pub(in crate::server) fn disconnect(&self) {
        self.cut(CloseState::Lost);
    }

    fn cut(&self, cause: CloseState) {
        let mut state = lock(&self.state);
        state.close = CloseState::Lost;
        state.outgoing.is_evicted |= cause == CloseState::Evicted;
        let _ = self.end.set(End::now(cause));
        let backlog = mem::replace(&mut state.backlog, Backlog::new(&self.budget));
        self.signal(&state);
        drop(state);
        // Megabytes perhaps, so not under the lock.
        drop(backlog);
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}
