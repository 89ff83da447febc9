//! The server: sockets and threads. The accept loop, and one client's life from top to bottom.

mod accept;
mod activity;
mod backlog;
mod budget;
mod client;
mod connection;
mod desk;
mod drain;
mod frames;
mod handle;
mod heartbeat;
mod inbox;
mod listeners;
mod machine;
mod opening;
mod outbox;
mod refusal;
mod registry;
mod reply;
mod seat;
#[expect(clippy::module_inception, reason = "the file of the type `Server`")]
mod server;
mod socket;
mod speed;
mod system;
#[cfg(any(test, fuzzing))]
pub mod tests;
mod trace;
mod turn;

pub use connection::Connection;
pub use handle::Handle;
pub use server::Server;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A thread that panicked while it held a lock is no reason for all others to panic too: no lock of this server is held
/// where its data would be left half-changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
