//! A client's activity: what the heartbeat goes by. This file measures, [`heartbeat`](super::heartbeat) decides.
//!
//! Any byte that arrives is activity, and any byte that leaves the backlog of a client that is being waited for. A Pong
//! is no better than another byte; its number only measures the round trip.
//!
//! Silence is proved only by a look: a thread waits for the client, or has found nothing unread. While its handler is
//! busy nobody looks, and bytes that lie unread are no silence.

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
    /// How many threads wait for the client: none while its handler is busy.
    waiting: AtomicU32,
    /// When its thread last found nothing unread, in nanoseconds since `born`; zero if it has not looked yet.
    looked: AtomicU64,
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
        let [since, looked] = [(); 2].map(|()| AtomicU64::new(0));
        Activity { born: Instant::now(), since, waiting: AtomicU32::new(0), looked, ping: Mutex::new(None) }
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

    /// Starts a wait like [`wait`](Activity::wait), but the silence so far goes on: the client had sent nothing by
    /// `looked`, so its start is no activity.
    pub(super) fn go_on_waiting(&self, looked: Instant) -> Wait<'_> {
        // `Release`: a thread that finds this look finds the activity recorded before it, too.
        self.looked.store(self.nanos(looked), Ordering::Release);
        self.waiting.fetch_add(1, Ordering::Release);
        Wait(self)
    }

    /// Records activity.
    pub(super) fn record(&self) {
        self.since.store(self.nanos(Instant::now()), Ordering::Relaxed);
    }

    /// Returns how long the client was silent until the last look, which is now while a thread waits for it; and how
    /// long before that look a Ping went out, if one did in this silence.
    pub(super) fn silence(&self) -> (Duration, Option<Duration>) {
        let is_waited_for = self.waiting.load(Ordering::Acquire) > 0;
        let looked = if is_waited_for { self.nanos(Instant::now()) } else { self.looked.load(Ordering::Acquire) };
        let since = self.since.load(Ordering::Relaxed);
        let until_look = |time: u64| Duration::from_nanos(looked.saturating_sub(time));
        let pinged = lock(&self.ping).map(|ping| self.nanos(ping.sent)).filter(|sent| *sent > since);
        (until_look(since), pinged.map(until_look))
    }

    fn nanos(&self, time: Instant) -> u64 {
        time.saturating_duration_since(self.born).as_nanos() as u64
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
        assert_eq!(activity.silence().0, Duration::ZERO, "nobody has waited yet");
        let (first, second) = (activity.wait(), activity.wait());
        drop(first);
        nap();
        assert!(activity.silence().0 > Duration::ZERO, "one still waits");
        drop(second);
        assert_eq!(activity.silence().0, Duration::ZERO);
    }

    #[test]
    fn silence_over_short_waits_adds_up_to_the_last_look() {
        let activity = Activity::new();
        let look = |seconds| activity.go_on_waiting(activity.born + Duration::from_secs(seconds));
        let thousands = |time: Duration| (time.as_secs_f64() / 1000.0).round();
        drop(look(1000));
        drop(look(3000));
        assert_eq!(activity.silence(), (Duration::from_secs(3000), None));
        activity.new_ping();
        assert_eq!(activity.silence().1.map(thousands), Some(3.0));
        thread::sleep(Duration::from_millis(1));
        activity.record();
        let (silent, pinged) = activity.silence();
        assert_eq!((thousands(silent), pinged), (3.0, None), "it has spoken since the Ping");
        assert_eq!(activity.silence().0, silent, "the handler is busy, and nobody looks");
        let wait = look(4000);
        assert_eq!(thousands(activity.silence().0), 0.0, "the thread that waits looks now");
        drop(wait);
        assert_eq!(thousands(activity.silence().0), 4.0);
    }

    #[test]
    fn a_round_trip_is_that_of_the_last_ping_only() {
        let activity = Activity::new();
        assert_eq!(activity.round_trip(&[0; 8]), None);
        let (first, second) = (activity.new_ping(), activity.new_ping());
        assert!(first != second);
        assert_eq!((activity.round_trip(&first), activity.round_trip(b"unasked")), (None, None));
        assert!(activity.round_trip(&second).is_some());
        assert_eq!(activity.round_trip(&second), None, "only once");
    }
}
