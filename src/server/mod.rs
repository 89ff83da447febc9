//! The server: sockets and threads. Its files in reading order:
//!
//! | file | job |
//! | --- | --- |
//! | `server`, `service` | [`Server`]: what a program sets up and runs; what the threads of all clients share |
//! | `routes` | what is served at which path; a path that ends in `/*` |
//! | `handle`, `running` | [`Handle`]: counts clients, and shuts the server down; [`Running`]: a server in a thread |
//! | `listeners`, `machine` | the listening sockets; the limits of the machine |
//! | `accept`, `refusal` | the accept loop: a seat and a thread for each client; a 429 or 503 without a thread |
//! | `client` | **one client's life**, from top to bottom |
//! | `opening`, `reply` | the opening handshake's I/O; what all HTTP replies have in common |
//! | `seat`, `registry` | a connection slot: taken, entered, left; who is connected |
//! | `counters` | [`Counters`]: a running server in numbers; each client keeps its own |
//! | `connection` | [`Connection`], what a handler holds: `recv`, `send`, `broadcast`, `close` |
//! | `connection/events`, `connection/ending` | the client's next event, or a wait; the end after the handler |
//! | `connection/push` | the broadcast to other clients, and the Sender of this one |
//! | `sender` | [`Sender`]: what other threads hold of one client |
//! | `receive`, `inbox` | waits for bytes and decodes them; the buffer between the socket and the decoders |
//! | `batch`, `closing` | replies gathered into one write, and the broadcast; the closing handshake and its deadline |
//! | `outbox`, `outbox/ending` | the sending side: which thread writes, which one waits; how it ends |
//! | `frames`, `compression` | frames for one client or many; the compressors that threads borrow |
//! | `backlog`, `drain` | the frames that a slow client has not taken yet; the one thread that writes them |
//! | `heartbeat`, `activity` | decides about silent clients; measures how long each has been silent |
//! | `turn` | which thread sends the Close at shutdown |
//! | `budget` | one bound for what all clients make the server hold |
//! | `socket`, `system` | one client's socket; the system calls that std lacks |
//! | `dissect`, `trace` | shows each arriving frame to `recv_frame` and the log; can be left for last |
//! | `speed` | what exists only for speed or memory, and its plain version; can be left for last |

mod accept;
mod activity;
mod backlog;
mod batch;
mod budget;
mod client;
mod closing;
mod compression;
mod connection;
mod counters;
mod dissect;
mod drain;
mod frames;
mod handle;
mod heartbeat;
mod inbox;
mod listeners;
mod machine;
mod opening;
mod outbox;
mod receive;
mod refusal;
mod registry;
mod reply;
mod routes;
mod running;
mod seat;
mod sender;
#[expect(clippy::module_inception, reason = "the file of the type `Server`")]
mod server;
mod service;
mod socket;
mod speed;
mod system;
#[cfg(any(test, fuzzing))]
pub mod tests;
mod trace;
mod turn;

pub use connection::Connection;
pub use counters::Counters;
pub use handle::Handle;
pub use receive::Received;
pub use running::Running;
pub use sender::Sender;
pub use server::Server;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes a lock, also one that a panic has poisoned. A thread that panicked is no reason for all others to panic too,
/// because nothing that can panic runs between two changes that belong together.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
