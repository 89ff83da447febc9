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
    /// How many threads wait for the client: its own in a read or write, and the stand-in that works off a backlog. While
    /// there is none, since the handler is busy, nobody hears anything and silence proves nothing.
    waiting: AtomicU32,
    /// When the last Ping went out, and its payload: how many there were before it.
    ping: Mutex<Option<(Instant, u64)>>,
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

    /// A thread begins to wait for the client.
    pub(super) fn begin_wait(&self) {
        self.show();
        self.waiting.fetch_add(1, Ordering::Release);
    }

    /// The wait is over.
    pub(super) fn end_wait(&self) {
        self.waiting.fetch_sub(1, Ordering::Release);
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
        lock(&self.ping).map(|(sent, _)| sent.elapsed())
    }

    /// The payload for a Ping that goes out now: another one each time, so that a late Pong is known as such.
    pub(super) fn new_ping(&self) -> [u8; 8] {
        let mut ping = lock(&self.ping);
        let number = ping.map_or(0, |(_, number)| number + 1);
        *ping = Some((Instant::now(), number));
        number.to_be_bytes()
    }

    /// How long the round trip took, if `payload` answers the last Ping.
    pub(super) fn round_trip(&self, payload: &[u8]) -> Option<Duration> {
        lock(&self.ping).filter(|(_, number)| payload == number.to_be_bytes()).map(|(sent, _)| sent.elapsed())
    }
}
