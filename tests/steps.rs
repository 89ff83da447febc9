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

/// The part of the checks that your server can see.
#[allow(dead_code)] // a stub uses nothing yet
mod checks {
    pub mod inflate;
    pub mod random;
    pub mod words;
}
// A stub uses none of its parameters, and a half-written solution uses only some of them.
#[allow(unused, clippy::ptr_arg)]
mod my_server;

fn main() -> std::process::ExitCode {
    // The block hides the checks: no path leads into it, so rustc suggests none of their names for what you have not
    // defined yet.
    #[path = "checks/all.rs"]
    mod all;
    all::runner::main()
}
