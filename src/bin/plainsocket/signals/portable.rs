//! Where there is no `sigwait`, as on Windows: `ctrlc` waits for Ctrl-C and its like in a thread of its own.

use super::Wish;
use plainsocket::Handle;
use std::io;

/// The number of SIGINT: which event it was, `ctrlc` does not tell.
const SIGINT: i32 = 2;

/// What ends the server.
pub struct Signals;

impl Signals {
    /// There is nothing to prepare.
    pub fn block() -> io::Result<Signals> {
        Ok(Signals)
    }

    /// Starts the thread that waits for them.
    pub fn shut_down(self, handle: Handle) -> io::Result<()> {
        let mut wish = Wish::new(handle);
        ctrlc::set_handler(move || wish.take(SIGINT)).map_err(io::Error::other)
    }
}
