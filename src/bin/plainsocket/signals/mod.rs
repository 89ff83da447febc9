//! Signals: the first one shuts the server down gracefully, a later second one ends the program at once.
//!
//! On Unix a thread that exists from the start waits for them. Elsewhere `ctrlc` has such a thread.

use plainsocket::Handle;
use std::process;
use std::time::{Duration, Instant};

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::Signals;

#[cfg(not(unix))]
mod portable;
#[cfg(not(unix))]
pub use portable::Signals;

/// Signals within this time are one wish: a terminal's process group, npm and systemd send pairs.
const ONE_WISH: Duration = Duration::from_secs(1);

/// What the signals so far have asked for.
struct Wish {
    handle: Handle,
    first: Option<Instant>,
}

impl Wish {
    fn new(handle: Handle) -> Wish {
        Wish { handle, first: None }
    }

    /// Takes another signal. A process that a signal ends has, for its shell, the exit code 128 and the signal's number.
    fn take(&mut self, number: i32) {
        match self.first {
            None => {
                self.first = Some(Instant::now());
                self.handle.shutdown();
            }
            Some(first) if first.elapsed() < ONE_WISH => {}
            Some(_) => process::exit(128 + number),
        }
    }
}
