//! A client's signs of life: when it was last heard, and whether it has been asked since.

use super::lock;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub(super) struct Life {
    born: Instant,
    /// When the client last showed life, in nanoseconds since `born`: an atomic, since its thread sets it with each read.
    shown: AtomicU64,
    /// When the last Ping went out, and its payload: how many there were before it.
    ping: Mutex<Option<(Instant, u64)>>,
}

impl Life {
    pub(super) fn new() -> Life {
        Life { born: Instant::now(), shown: AtomicU64::new(0), ping: Mutex::new(None) }
    }

    /// Any bytes from the client are a sign of life.
    pub(super) fn show(&self) {
        self.shown.store(self.born.elapsed().as_nanos() as u64, Ordering::Relaxed);
    }

    /// How long the client has been silent.
    pub(super) fn silent(&self) -> Duration {
        self.born.elapsed().saturating_sub(Duration::from_nanos(self.shown.load(Ordering::Relaxed)))
    }

    /// How long ago the last Ping went out.
    pub(super) fn pinged(&self) -> Option<Duration> {
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
