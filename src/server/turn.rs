//! Whose turn it is: the client's, while its thread waits for it, or the handler's. When the server goes down, that says
//! who sends the Close 1001. For a client whose thread waits, whoever ends the server does it at once. A handler that is
//! busy with a message comes first with its replies; then its own thread sends the Close.

use super::lock;
use std::sync::Mutex;

/// It begins with the handler's turn.
#[derive(Default)]
pub(super) struct Turn(Mutex<State>);

#[derive(Default)]
struct State {
    is_clients: bool,
    is_last: bool,
}

impl Turn {
    /// Before the client's own thread waits for it. `true`: the server goes down, so the thread is to say goodbye.
    pub(super) fn give(&self) -> bool {
        let mut state = lock(&self.0);
        state.is_clients = !state.is_last;
        state.is_last
    }

    /// After the wait. `true`: the server goes down, and the client may have been told so.
    pub(super) fn take(&self) -> bool {
        let mut state = lock(&self.0);
        state.is_clients = false;
        state.is_last
    }

    /// No turn comes after this one. If it is the client's, `say_goodbye` tells it, and the handler's does not begin
    /// before that has been done: so it must not wait for anything.
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
        assert!(!clients.give() && told(&clients) && clients.take());
        let handlers_again = Turn::default();
        assert!(!handlers_again.give() && !handlers_again.take() && !told(&handlers_again));
        assert!(handlers_again.give() && !told(&handlers_again), "its own thread says goodbye");
    }
}
