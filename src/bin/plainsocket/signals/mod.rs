//! Signals: the first one shuts the server down gracefully, a later second one ends the program at once.
//!
//! On Unix a thread that exists from the start waits for them. Elsewhere `ctrlc` has such a thread.

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

/// Signals within this time are one wish: a terminal's process group, npm and systemd send pairs.
const ONE_WISH: Duration = Duration::from_secs(1);

/// What to do when a signal arrives.
pub struct Signals(Arc<OnceLock<Handle>>);

/// Takes the signals from here on. Call it before any other thread is started. The error is that there is no thread.
pub fn start() -> io::Result<Signals> {
    let server = Arc::<OnceLock<Handle>>::default();
    let mut wish = Wish { server: Arc::clone(&server), first: None };
    wait_for_signals(move |number| wish.take(number))?;
    Ok(Signals(server))
}

impl Signals {
    /// From here on the first signal shuts this server down. Without a server it ends the program.
    pub fn shut_down(&self, server: Handle) {
        // It is the first server.
        let _ = self.0.set(server);
    }
}

/// What the signals so far have asked for.
struct Wish {
    server: Arc<OnceLock<Handle>>,
    first: Option<Instant>,
}

impl Wish {
    /// Takes another signal. A process that a signal ends has, for its shell, the exit code 128 and the signal's number.
    fn take(&mut self, number: i32) {
        match (self.first, self.server.get()) {
            (None, Some(server)) => {
                self.first = Some(Instant::now());
                server.shutdown();
            }
            (Some(first), _) if first.elapsed() < ONE_WISH => {}
            _ => process::exit(128 + number),
        }
    }
}
