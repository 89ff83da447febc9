//! Signals on Unix: they are blocked in all threads, so that the system keeps them until one thread calls `sigwait`.
//! That thread is an ordinary one, whereas a signal handler can call next to nothing and needs `unsafe`.

use nix::sys::signal::{SigSet, Signal};
use std::{fs, io, thread};

/// Blocks the signals in this thread and those that it starts, and starts one that gives their numbers to `act`.
pub fn wait_for_signals(mut act: impl FnMut(i32) + Send + 'static) -> io::Result<()> {
    // Only Linux has this file. Elsewhere we know no safe way to see which signals are ignored.
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM] {
        if !is_ignored(&status, signal) {
            signals.add(signal);
        }
    }
    signals.thread_block()?;
    let wait = move || {
        loop {
            // The only error is an unknown signal in the set.
            if let Ok(signal) = signals.wait() {
                act(signal as i32);
            }
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(wait).map(drop)
}

/// Returns whether our parent had this signal ignored, as `nohup` does with SIGHUP, and a shell with SIGINT for a job
/// in the background.
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
