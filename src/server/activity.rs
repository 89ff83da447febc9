//! A client's activity: what the heartbeat goes by. This file measures, [`heartbeat`](super::heartbeat) decides.
//!
//! Any byte that arrives is activity, and any byte that leaves the backlog of a client that is being waited for. A Pong
//! is no better than another byte; its number only tells how long the round trip took.

use super::lock;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// When a client was last active, and which Ping it was sent last.
pub(super) struct Activity {
    born: Instant,
    /// The last activity, or the start of the last wait, in nanoseconds since `born`. An atomic, because each read
    /// sets it.
    since: AtomicU64,
    /// How many threads wait for the client: none while its handler is busy. Then nobody reads, and silence proves
    /// nothing.
    waiting: AtomicU32,
    ping: Mutex<Option<Ping>>,
}

/// The last Ping that went out.
#[derive(Clone, Copy)]
struct Ping {
    sent: Instant,
    /// Its payload: the number of Pings before it.
    number: u64,
    answered: bool,
}

impl Activity {
    /// Starts with no wait and no Ping.
    pub(super) fn new() -> Activity {
        let (since, waiting) = (AtomicU64::new(0), AtomicU32::new(0));
        Activity { born: Instant::now(), since, waiting, ping: Mutex::new(None) }
    }

    /// Returns how long the client has been connected.
    pub(super) fn age(&self) -> Duration {
        self.born.elapsed()
    }

    /// Starts a wait for the client, which lasts until the guard is dropped. Its start counts as activity.
    pub(super) fn wait(&self) -> Wait<'_> {
        self.record();
        self.waiting.fetch_add(1, Ordering::Release);
        Wait(self)
    }

    /// Records activity during a wait.
    pub(super) fn record(&self) {
        self.since.store(self.born.elapsed().as_nanos() as u64, Ordering::Relaxed);
    }

    /// Returns how long the client has been silent while a thread waited for it; zero while none does.
    pub(super) fn silence(&self) -> Duration {
        if self.waiting.load(Ordering::Acquire) == 0 {
            return Duration::ZERO;
        }
        self.born.elapsed().saturating_sub(Duration::from_nanos(self.since.load(Ordering::Relaxed)))
    }

    /// Returns how long ago the last Ping went out.
    pub(super) fn since_ping(&self) -> Option<Duration> {
        lock(&self.ping).map(|ping| ping.sent.elapsed())
    }

    /// Returns the payload for a Ping that goes out now. Each has a new number, so that a late Pong is recognised.
    pub(super) fn new_ping(&self) -> [u8; 8] {
        let mut last = lock(&self.ping);
        let number = last.map_or(0, |ping| ping.number + 1);
        *last = Some(Ping { sent: Instant::now(), number, answered: false });
        number.to_be_bytes()
    }

    /// Returns how long the round trip took, if `payload` is the first answer to the last Ping.
    pub(super) fn round_trip(&self, payload: &[u8]) -> Option<Duration> {
        let mut last = lock(&self.ping);
        let ping = last.as_mut().filter(|ping| !ping.answered && payload == ping.number.to_be_bytes())?;
        ping.answered = true;
        Some(ping.sent.elapsed())
    }
}

/// A guard: the wait ends when it is dropped, on any way out of the function.
pub(super) struct Wait<'a>(&'a Activity);

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn silence_counts_only_while_somebody_waits() {
        let activity = Activity::new();
        let nap = || thread::sleep(Duration::from_millis(2));
        nap();
        assert_eq!(activity.silence(), Duration::ZERO, "nobody has waited yet");
        let (first, second) = (activity.wait(), activity.wait());
        drop(first);
        nap();
        assert!(activity.silence() > Duration::ZERO, "one still waits");
        drop(second);
        assert_eq!(activity.silence(), Duration::ZERO);
    }

    #[test]
    fn a_round_trip_is_that_of_the_last_ping_only() {
        let activity = Activity::new();
        assert_eq!((activity.since_ping(), activity.round_trip(&[0; 8])), (None, None));
        let (first, second) = (activity.new_ping(), activity.new_ping());
        assert!(activity.since_ping().is_some() && first != second);
        assert_eq!((activity.round_trip(&first), activity.round_trip(b"unasked")), (None, None));
        assert!(activity.round_trip(&second).is_some());
        assert_eq!(activity.round_trip(&second), None, "only once");
    }
}
