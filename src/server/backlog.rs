//! The queue of frames that wait to be written to one client. A frame that waits for many clients exists once: each
//! queue has a reference to it, and how much of it is written.

use super::budget::{Budget, Share};
use super::speed::Frame;
use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::Instant;

/// How many bytes an entry counts beside its frame, so that many tiny frames have a bound too.
const ENTRY: usize = 2 * mem::size_of::<Waiting>();

/// A frame's place in the queue.
#[derive(Clone)]
pub(super) struct Waiting {
    pub(super) frame: Frame,
    /// How many bytes of it are written.
    pub(super) written: usize,
    pub(super) since: Instant,
    /// Whether the client's own thread has left it.
    pub(super) is_own: bool,
    /// Whether the trace log has shown it.
    pub(super) is_traced: bool,
}

impl Waiting {
    fn rest(&self) -> usize {
        self.frame.length() - self.written
    }
}

pub(super) struct Backlog {
    queue: VecDeque<Waiting>,
    /// How many bytes wait, with an [`ENTRY`] for each frame.
    pub(super) length: usize,
    /// How many of them the client's own thread has left.
    pub(super) own: usize,
    /// The entries' part of the budget.
    share: Share,
}

impl Backlog {
    pub(super) fn new(budget: &Arc<Budget>) -> Backlog {
        Backlog { queue: VecDeque::new(), length: 0, own: 0, share: budget.share() }
    }

    /// Returns since when the oldest byte of another thread waits. The client's own have backpressure instead.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.queue.iter().find(|waiting| !waiting.is_own).map(|waiting| waiting.since)
    }

    /// Returns how many bytes of frames wait.
    pub(super) fn bytes(&self) -> usize {
        self.length - self.queue.len() * ENTRY
    }

    /// Adds a frame at the end, or at the front if a thread has begun to write it.
    pub(super) fn push(&mut self, waiting: Waiting) {
        self.length += waiting.rest() + ENTRY;
        self.own += if waiting.is_own { waiting.rest() } else { 0 };
        self.share.add(ENTRY);
        if waiting.is_traced { self.queue.push_front(waiting) } else { self.queue.push_back(waiting) }
    }

    /// Returns a reference to the frame to write next.
    pub(super) fn front(&mut self) -> Option<Waiting> {
        let front = self.queue.front_mut()?;
        let copy = front.clone();
        front.is_traced = true;
        Some(copy)
    }

    /// Notes that `count` more bytes of the first frame are written. Returns the frame if it is done, so that the
    /// caller can free its memory without holding a lock.
    pub(super) fn advance(&mut self, count: usize) -> Option<Waiting> {
        let front = self.queue.front_mut()?;
        front.written += count;
        self.length -= count;
        self.own -= if front.is_own { count } else { 0 };
        if front.rest() > 0 {
            return None;
        }
        self.length -= ENTRY;
        self.share.remove(ENTRY);
        self.queue.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::frames::Frames;
    use crate::server::registry::Registry;

    fn backlog() -> Backlog {
        Backlog::new(&Arc::default())
    }

    fn waiting(bytes: &[u8], written: usize, is_own: bool) -> Waiting {
        let frame = Frames::ping(bytes).shared().unwrap();
        Waiting { frame, written, since: Instant::now(), is_own, is_traced: written > 0 }
    }

    #[test]
    fn frames_leave_in_order_whatever_a_write_takes() {
        for step in [1, 3, 100] {
            let mut backlog = backlog();
            let frames: Vec<Vec<u8>> = (0..100).map(|i| vec![i; usize::from(i) % 7 + 1]).collect();
            frames[1..].iter().for_each(|bytes| backlog.push(waiting(bytes, 0, false)));
            backlog.push(waiting(&[&[9, 9], &frames[0][..]].concat(), 2, false));
            let mut bytes = Vec::new();
            while let Some(front) = backlog.front() {
                let count = step.min(front.rest());
                front.frame.with_rest(front.written, |rest| bytes.extend_from_slice(&rest[..count]));
                assert_eq!(backlog.advance(count).is_some(), count == front.rest());
            }
            assert!(bytes == frames.concat(), "step {step}");
            assert_eq!((backlog.length, backlog.own, backlog.oldest()), (0, 0, None));
        }
    }

    #[test]
    fn a_frame_in_many_queues_counts_once_and_each_place_a_little() {
        let registry = Registry::default();
        let budget = registry.budget();
        budget.set_limits(10_000_000, usize::MAX);
        let (payload, header) = (vec![1; 999_999], [2]);
        let frames = Frames::new([&header, &payload], &registry);
        let mut backlogs: Vec<_> = (0..100).map(|_| Backlog::new(budget)).collect();
        for backlog in &mut backlogs {
            let frame = frames.shared().unwrap();
            backlog.push(Waiting { frame, ..waiting(&[], 0, false) });
        }
        drop(frames);
        assert_eq!(budget.used(), 1_000_000 + 100 * ENTRY);
        backlogs.iter_mut().skip(1).for_each(|backlog| drop(backlog.advance(1_000_000)));
        assert_eq!(budget.used(), 1_000_000 + ENTRY);
        backlogs.clear();
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn entry_counts_twice_because_a_queue_that_grows_doubles() {
        let mut backlog = backlog();
        backlog.push(waiting(&[], 0, false));
        assert!(backlog.length >= 2 * size_of::<Waiting>());
    }

    #[test]
    fn own_bytes_count_apart_and_have_no_age() {
        let mut backlog = backlog();
        backlog.push(waiting(&[2; 5], 0, true));
        assert_eq!((backlog.length, backlog.own, backlog.oldest()), (5 + ENTRY, 5, None));
        backlog.push(waiting(&[1; 10], 0, false));
        assert!(backlog.oldest().is_some());
        backlog.advance(2);
        assert_eq!((backlog.length, backlog.own), (13 + 2 * ENTRY, 3));
    }

    #[test]
    fn advance_of_a_queue_that_was_emptied_meanwhile_does_nothing() {
        assert!(backlog().advance(7).is_none());
    }

    #[test]
    fn a_frame_is_traced_once() {
        let mut backlog = backlog();
        backlog.push(waiting(&[1], 0, false));
        assert!(!backlog.front().unwrap().is_traced && backlog.front().unwrap().is_traced);
    }
}
