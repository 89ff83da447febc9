//! One bound for the memory that all clients together make the server hold: unfinished messages, frames that wait, long
//! request heads. The limit for one client is harmless, but ten thousand times 16 MiB is not.

use super::lock;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The shortest time between two log lines about a full budget, however many clients meet it.
const LOG_PAUSE: Duration = Duration::from_secs(1);

/// How many bytes clients are allowed to make the server hold, and how many they do.
#[derive(Default)]
pub(super) struct Budget {
    limit: AtomicUsize,
    max_backlog: AtomicUsize,
    used: AtomicUsize,
    logged: Mutex<Option<Instant>>,
}

/// An RAII guard for bytes that count: dropping it returns them to the budget.
pub(super) struct Share {
    budget: Arc<Budget>,
    pub(super) bytes: usize,
}

impl Budget {
    /// Sets the limits in bytes: `limit` for everything, `max_backlog` for the queue of one client.
    pub(super) fn set_limits(&self, limit: usize, max_backlog: usize) {
        self.limit.store(limit, Ordering::Relaxed);
        self.max_backlog.store(max_backlog, Ordering::Relaxed);
    }

    /// Returns the limit in bytes for the queue of one client.
    pub(super) fn max_backlog(&self) -> usize {
        self.max_backlog.load(Ordering::Relaxed)
    }

    /// Returns a share of nothing, which can grow.
    pub(super) fn share(self: &Arc<Budget>) -> Share {
        Share { budget: Arc::clone(self), bytes: 0 }
    }

    /// Counts `bytes` more. `None`: the sum would pass the limit.
    pub(super) fn reserve(self: &Arc<Budget>, bytes: usize) -> Option<Share> {
        let mut share = self.share();
        share.resize(bytes).then_some(share)
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Returns how many bytes are held.
    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Logs that the limit is reached and a client is disconnected, unless that was logged a moment ago.
    pub(super) fn log_full(&self, peer: SocketAddr) {
        let mut logged = lock(&self.logged);
        if logged.is_none_or(|at| at.elapsed() >= LOG_PAUSE) {
            *logged = Some(Instant::now());
            drop(logged);
            let (used, limit) = (self.used(), self.limit.load(Ordering::Relaxed));
            log::warn!("{peer}: disconnected, and perhaps others: memory is at its bound, {used} of {limit} bytes");
        }
    }
}

impl Share {
    /// Changes the count to `bytes`. `false`, and no change: the sum would pass the limit.
    pub(super) fn resize(&mut self, bytes: usize) -> bool {
        self.resize_within(bytes, self.budget.limit.load(Ordering::Relaxed))
    }

    /// The same for memory that stays as long as a client does. It can use half of the limit: with all of it, idle
    /// clients would keep everybody else from sending anything.
    pub(super) fn resize_to_stay(&mut self, bytes: usize) -> bool {
        self.resize_within(bytes, self.budget.limit.load(Ordering::Relaxed) / 2)
    }

    fn resize_within(&mut self, bytes: usize, limit: usize) -> bool {
        if bytes <= self.bytes {
            self.budget.give_back(self.bytes - bytes);
        } else {
            let more = bytes - self.bytes;
            let fits = |used: usize| used.checked_add(more).filter(|sum| *sum <= limit);
            if self.budget.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_err() {
                return false;
            }
        }
        self.bytes = bytes;
        true
    }

    /// Counts `bytes` more, whatever the limit: a few that belong to bytes reserved before.
    pub(super) fn add(&mut self, bytes: usize) {
        self.budget.used.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
    }

    pub(super) fn remove(&mut self, bytes: usize) {
        self.budget.give_back(bytes);
        self.bytes -= bytes;
    }

    /// Logs that the budget is full, as [`Budget::log_full`] does.
    pub(super) fn log_full(&self, peer: SocketAddr) {
        self.budget.log_full(peer);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::tests::logged::{keep_log, lines_about};
    use log::Level;

    fn budget(limit: usize) -> Arc<Budget> {
        let budget = Arc::new(Budget::default());
        budget.set_limits(limit, usize::MAX);
        budget
    }

    #[test]
    fn shares_fit_the_limit_to_the_byte_and_come_back() {
        let budget = budget(100);
        let mut first = budget.reserve(60).unwrap();
        assert!(budget.reserve(41).is_none());
        let second = budget.reserve(40).unwrap();
        assert!(!first.resize(61));
        assert_eq!((first.bytes, budget.used()), (60, 100));
        drop(second);
        assert!(first.resize(100) && !first.resize(usize::MAX) && first.resize(10));
        assert_eq!(budget.used(), 10);
        drop(first);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn bytes_that_stay_have_half_of_the_limit_and_others_the_rest() {
        let budget = budget(100);
        let (mut stays, mut other) = (budget.share(), budget.share());
        assert!(!stays.resize_to_stay(51) && stays.resize_to_stay(50));
        assert!(other.resize(50) && !stays.resize_to_stay(51));
        // Whatever has the first half.
        assert!(stays.resize_to_stay(0) && other.resize(51) && !stays.resize_to_stay(1));
        assert_eq!(budget.used(), 51);
    }

    #[test]
    fn added_bytes_count_even_beyond_the_limit() {
        let budget = budget(10);
        let mut share = budget.share();
        share.add(20);
        assert!(budget.reserve(1).is_none());
        share.remove(11);
        assert_eq!((share.bytes, budget.used()), (9, 9));
        assert!(budget.reserve(2).is_none());
        drop(share);
        assert!(budget.reserve(10).is_some());
    }

    #[test]
    fn full_budget_is_logged_once_a_second_with_the_sum() {
        keep_log();
        let (first, second) = (SocketAddr::from(([203, 0, 113, 2], 1)), SocketAddr::from(([203, 0, 113, 2], 2)));
        let budget = budget(100);
        let _share = budget.reserve(60);
        budget.log_full(first);
        budget.log_full(second);
        let line = "disconnected, and perhaps others: memory is at its bound, 60 of 100 bytes".to_owned();
        assert_eq!(lines_about(first), [(Level::Warn, line.clone())]);
        assert_eq!(lines_about(second), []);
        *lock(&budget.logged) = Instant::now().checked_sub(LOG_PAUSE);
        budget.log_full(second);
        assert_eq!(lines_about(second), [(Level::Warn, line)]);
    }
}
