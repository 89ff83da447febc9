//! Whose turn it is: the client's, while its thread waits for it, or the handler's. At shutdown that decides which
//! thread sends the Close 1001. If the client's thread waits, the thread that shuts down sends it at once. If the
//! handler is busy with a message, its replies come first, and then its own thread sends the Close. The handshake takes
//! turns too: a client that has not sent its whole request is cut off, and one whose request is being answered is not.

use super::lock;
use std::sync::Mutex;

/// The turn of one client. It begins with the handler's.
#[derive(Default)]
pub(super) struct Turn(Mutex<State>);

#[derive(Default)]
struct State {
    is_clients: bool,
    is_last: bool,
}

impl Turn {
    /// Gives the turn to the client, before its own thread waits for it. Returns `true` at shutdown: the thread has to
    /// say goodbye.
    pub(super) fn give(&self) -> bool {
        let mut state = lock(&self.0);
        state.is_clients = !state.is_last;
        state.is_last
    }

    /// Takes the turn back after the wait. At shutdown the client can have got its Close meanwhile.
    pub(super) fn take(&self) {
        lock(&self.0).is_clients = false;
    }

    /// Makes this turn the last one. If it is the client's, calls `say_goodbye`, and the handler's turn does not begin
    /// before that returns: so it must not wait for anything.
    pub(super) fn end(&self, say_goodbye: impl FnOnce()) {
        let mut state = lock(&self.0);
        state.is_last = true;
        if state.is_clients {
            say_goodbye();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goodbye_is_said_by_whose_turn_it_is_not() {
        let told = |turn: &Turn| {
            let mut told = false;
            turn.end(|| told = true);
            told
        };
        let handlers = Turn::default();
        assert!(!told(&handlers) && handlers.give());
        let clients = Turn::default();
        assert!(!clients.give() && told(&clients));
        clients.take();
        let handlers_again = Turn::default();
        assert!(!handlers_again.give());
        handlers_again.take();
        assert!(!told(&handlers_again));
        assert!(handlers_again.give() && !told(&handlers_again), "its own thread says goodbye");
    }
}
