//! A client's signs of life: how long its thread has waited for it in vain, and whether it was asked meanwhile.

use super::lock;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub(super) struct Life {
    born: Instant,
    /// When the last wait began, in nanoseconds since `born`: an atomic, since each read of its thread begins one.
    since: AtomicU64,
    /// Whether the thread waits at all. While its handler is busy it hears nothing, and silence proves nothing.
    listening: AtomicBool,
    /// When the last Ping went out, and its payload: how many there were before it.
    ping: Mutex<Option<(Instant, u64)>>,
}

impl Life {
    pub(super) fn new() -> Life {
        let (since, listening) = (AtomicU64::new(0), AtomicBool::new(false));
        Life { born: Instant::now(), since, listening, ping: Mutex::new(None) }
    }

    /// The client's thread begins to wait for it, or has got something and waits for more.
    pub(super) fn listen(&self) {
        self.since.store(self.born.elapsed().as_nanos() as u64, Ordering::Relaxed);
        self.listening.store(true, Ordering::Release);
    }

    /// The client's thread has something else to do.
    pub(super) fn look_away(&self) {
        self.listening.store(false, Ordering::Release);
    }

    /// How long the client has been silent while its thread listened; none at all while it does not.
    pub(super) fn silent(&self) -> Duration {
        if !self.listening.load(Ordering::Acquire) {
            return Duration::ZERO;
        }
        self.born.elapsed().saturating_sub(Duration::from_nanos(self.since.load(Ordering::Relaxed)))
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
