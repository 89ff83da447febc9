//! Where there is no `sigwait`, as on Windows: `ctrlc` waits for Ctrl-C and its like in a thread of its own.

use std::io;

/// The number of SIGINT: which event it was, `ctrlc` does not tell.
const SIGINT: i32 = 2;

/// Starts the thread that calls `act`.
pub fn wait_for_signals(mut act: impl FnMut(i32) + Send + 'static) -> io::Result<()> {
    ctrlc::set_handler(move || act(SIGINT)).map_err(io::Error::other)
}
