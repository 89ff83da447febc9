//! A client's signs of life: how long it has been waited for in vain, and whether it was asked meanwhile.

use super::lock;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub(super) struct Life {
    born: Instant,
    /// When the client last gave a sign, or a wait for one began, in nanoseconds since `born`: an atomic, since each read
    /// sets it.
    since: AtomicU64,
    /// How many waits for the client are going on: none while its handler is busy. Then nobody hears anything, and silence
    /// proves nothing.
    waiting: AtomicU32,
    ping: Mutex<Option<Ping>>,
}

/// The last Ping that went out.
#[derive(Clone, Copy)]
struct Ping {
    sent: Instant,
    /// Its payload: how many there were before it.
    number: u64,
    answered: bool,
}

impl Life {
    pub(super) fn new() -> Life {
        let (since, waiting) = (AtomicU64::new(0), AtomicU32::new(0));
        Life { born: Instant::now(), since, waiting, ping: Mutex::new(None) }
    }

    /// How long the client has been connected.
    pub(super) fn age(&self) -> Duration {
        self.born.elapsed()
    }

    /// A thread waits for the client until the guard is dropped.
    pub(super) fn wait(&self) -> Wait<'_> {
        self.show();
        self.waiting.fetch_add(1, Ordering::Release);
        Wait(self)
    }

    /// A sign of life during a wait.
    pub(super) fn show(&self) {
        self.since.store(self.born.elapsed().as_nanos() as u64, Ordering::Relaxed);
    }

    /// How long the client has been silent while somebody waited for it; not at all while nobody does.
    pub(super) fn silence(&self) -> Duration {
        if self.waiting.load(Ordering::Acquire) == 0 {
            return Duration::ZERO;
        }
        self.born.elapsed().saturating_sub(Duration::from_nanos(self.since.load(Ordering::Relaxed)))
    }

    /// How long ago the last Ping went out.
    pub(super) fn since_ping(&self) -> Option<Duration> {
        lock(&self.ping).map(|ping| ping.sent.elapsed())
    }

    /// The payload for a Ping that goes out now: another one each time, so that a late Pong is known as such.
    pub(super) fn new_ping(&self) -> [u8; 8] {
        let mut last = lock(&self.ping);
        let number = last.map_or(0, |ping| ping.number + 1);
        *last = Some(Ping { sent: Instant::now(), number, answered: false });
        number.to_be_bytes()
    }

    /// How long the round trip took, if `payload` is the first answer to the last Ping.
    pub(super) fn round_trip(&self, payload: &[u8]) -> Option<Duration> {
        let mut last = lock(&self.ping);
        let ping = last.as_mut().filter(|ping| !ping.answered && payload == ping.number.to_be_bytes())?;
        ping.answered = true;
        Some(ping.sent.elapsed())
    }
}

/// A guard: whichever way the wait ends, it counts no longer.
pub(super) struct Wait<'a>(&'a Life);

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
        let life = Life::new();
        let nap = || thread::sleep(Duration::from_millis(2));
        nap();
        assert_eq!(life.silence(), Duration::ZERO, "nobody has waited yet");
        let (first, second) = (life.wait(), life.wait());
        drop(first);
        nap();
        assert!(life.silence() > Duration::ZERO, "one still waits");
        drop(second);
        assert_eq!(life.silence(), Duration::ZERO);
    }

    #[test]
    fn a_round_trip_is_that_of_the_last_ping_only() {
        let life = Life::new();
        assert_eq!((life.since_ping(), life.round_trip(&[0; 8])), (None, None));
        let (first, second) = (life.new_ping(), life.new_ping());
        assert!(life.since_ping().is_some() && first != second);
        assert_eq!((life.round_trip(&first), life.round_trip(b"unasked")), (None, None));
        assert!(life.round_trip(&second).is_some());
        assert_eq!(life.round_trip(&second), None, "only once");
    }
}
