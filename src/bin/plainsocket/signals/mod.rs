//! Signals: the first one shuts the server down gracefully, a later second one ends the program at once.
//!
//! On Unix a thread of our own waits for them from the start, elsewhere one of `ctrlc`.

use plainsocket::Handle;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use std::{io, process};

#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix::wait_for_signals;

#[cfg(not(unix))]
mod portable;
#[cfg(not(unix))]
use portable::wait_for_signals;

/// Signals within this time are one request: a terminal's process group, npm and systemd send pairs.
const ONE_REQUEST: Duration = Duration::from_secs(1);

/// The server that the first signal shuts down.
pub struct Signals(Arc<OnceLock<Handle>>);

/// Takes over the signals. Call it before any other thread starts. The error is that the system has no thread left.
pub fn start() -> io::Result<Signals> {
    let server = Arc::<OnceLock<Handle>>::default();
    let mut requests = Requests { server: Arc::clone(&server), first: None };
    wait_for_signals(move |number| requests.take(number))?;
    Ok(Signals(server))
}

impl Signals {
    /// Makes the first signal shut this server down. Without a server it ends the program.
    pub fn shut_down(&self, server: Handle) {
        // The error is a second server, and there is only one.
        let _ = self.0.set(server);
    }
}

/// The requests that have arrived as signals.
struct Requests {
    server: Arc<OnceLock<Handle>>,
    first: Option<Instant>,
}

impl Requests {
    /// Takes another signal. A shell reports 128 plus the signal's number for a process that a signal ended.
    fn take(&mut self, number: i32) {
        match (self.first, self.server.get()) {
            (None, Some(server)) => {
                self.first = Some(Instant::now());
                server.shutdown();
            }
            (Some(first), _) if first.elapsed() < ONE_REQUEST => {}
            _ => process::exit(128 + number),
        }
    }
}
