//! Signals where there is no `sigwait`, as on Windows: a thread of `ctrlc` waits for Ctrl-C and its like.

use std::io;

/// The number of SIGINT, because `ctrlc` does not report which event it was.
const SIGINT: i32 = 2;

/// Starts the thread that calls `act` for each event.
pub fn wait_for_signals(mut act: impl FnMut(i32) + Send + 'static) -> io::Result<()> {
    ctrlc::set_handler(move || act(SIGINT)).map_err(io::Error::other)
}
