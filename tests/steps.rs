//! The exercises: build a WebSocket server of your own, step by step, in `tests/my_server/`. `tests/README.md` is the map.
//!
//! ```console
//! $ cargo steps             # in order, up to the first that is not done
//! $ cargo steps 04          # one step
//! $ cargo steps --hint      # the next hint for the step where you are
//! $ cargo steps --watch     # again whenever you save a file
//! $ cargo steps --reset 04  # put a stub back
//! $ cargo steps --echo      # run the echo of step 00, for websocat in raw mode
//! $ cargo steps --serve     # run your server
//! ```

/// All that your server sees of the checks.
#[allow(dead_code)] // a stub uses nothing yet
mod checks {
    pub mod inflate;
    pub mod random;
    pub mod words;
}
// Stubs use nothing yet, half of a solution uses half.
#[allow(unused, clippy::ptr_arg)]
mod my_server;

fn main() -> std::process::ExitCode {
    // In a block, where no path leads to the checks: what you have not defined yet, rustc shall not look for in there.
    #[path = "checks/all.rs"]
    mod all;
    all::runner::main()
}
