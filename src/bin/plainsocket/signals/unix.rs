//! Unix: the signals are blocked in all threads, so that the system keeps them until a thread asks with `sigwait`.
//! That thread is an ordinary one. A signal handler may call next to nothing, and would need `unsafe`.

use super::Wish;
use nix::sys::signal::{SigSet, Signal};
use plainsocket::Handle;
use std::{fs, io, thread};

/// The signals that end the server.
pub struct Signals(SigSet);

impl Signals {
    /// Blocks the signals in this thread. Threads that it starts inherit this, so call it first.
    pub fn block() -> io::Result<Signals> {
        // Without that file, as on other systems than Linux, nothing tells safely what is ignored.
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mut set = SigSet::empty();
        for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM] {
            if !is_ignored(&status, signal) {
                set.add(signal);
            }
        }
        set.thread_block()?;
        Ok(Signals(set))
    }

    /// Starts the thread that waits for them.
    pub fn shut_down(self, handle: Handle) -> io::Result<()> {
        let mut wish = Wish::new(handle);
        let wait = move || {
            loop {
                // An error is a signal that nobody asked for.
                if let Ok(signal) = self.0.wait() {
                    wish.take(signal as i32);
                }
            }
        };
        thread::Builder::new().name("signals".to_owned()).spawn(wait).map(drop)
    }
}

/// Whoever started us has decided that this signal does not concern us: `nohup` does so with SIGHUP, and a shell with
/// SIGINT for a job in the background.
fn is_ignored(status: &str, signal: Signal) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & 1 << (signal as i32 - 1) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_bits_of_the_process_status() {
        let status = "SigBlk:\tffffffffffffffff\nSigIgn:\t0000000000001001\nSigCgt:\tffffffffffffffff\n";
        let ignored = |signal| is_ignored(status, signal);
        assert_eq!([Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM].map(ignored), [true, false, false]);
        assert!(is_ignored("SigIgn:\t0000000000004000\n", Signal::SIGTERM));
        assert!(!is_ignored("", Signal::SIGHUP) && !is_ignored("SigIgn:\tnonsense\n", Signal::SIGHUP));
    }
}
