//! What waits to be written to one client. A frame that waits for many clients exists once: each queue holds a reference
//! to it, and how much of it is written.

use super::budget::{Budget, Share};
use crate::protocol::memory::make_room;
use std::collections::VecDeque;
use std::io::IoSlice;
use std::mem;
use std::sync::Arc;
use std::time::Instant;

/// How much is taken for one write, if a single frame is not longer, and of how many frames.
pub(super) const PIECE: usize = 64 * 1024;
const MOST_FRAMES: usize = 32;

/// What an entry counts beside the bytes of its frame, so that many tiny frames have a bound too.
const ENTRY: usize = 2 * mem::size_of::<Waiting>();

/// Encoded frames that wait for one client or more. Their bytes count once, as long as one queue holds them.
pub(super) struct Frame {
    bytes: Vec<u8>,
    _share: Option<Share>,
}

impl Frame {
    pub(super) fn new(pieces: [&[u8]; 2], share: Option<Share>) -> Frame {
        let mut bytes = Vec::new();
        make_room(&mut bytes, pieces[0].len() + pieces[1].len());
        pieces.iter().for_each(|piece| bytes.extend_from_slice(piece));
        Frame { bytes, _share: share }
    }
}

/// A place in the queue.
#[derive(Clone)]
pub(super) struct Waiting {
    frame: Arc<Frame>,
    /// How many bytes of it are written.
    written: usize,
    since: Instant,
    /// It comes from the client's own thread.
    is_own: bool,
    /// The trace log has shown it.
    pub(super) is_traced: bool,
}

impl Waiting {
    pub(super) fn new(frame: Arc<Frame>, is_own: bool) -> Waiting {
        Waiting { frame, written: 0, since: Instant::now(), is_own, is_traced: false }
    }

    /// The rest of a frame that a thread has begun to write, and has shown in the trace log.
    pub(super) fn rest_of(frame: Arc<Frame>, written: usize) -> Waiting {
        Waiting { written, is_traced: true, ..Waiting::new(frame, false) }
    }

    pub(super) fn rest(&self) -> &[u8] {
        &self.frame.bytes[self.written..]
    }
}

pub(super) struct Backlog {
    queue: VecDeque<Waiting>,
    /// The bytes that wait, and an [`ENTRY`] for each frame.
    length: usize,
    /// The bytes among them that the client's own thread has left.
    own: usize,
    budget: Arc<Budget>,
}

impl Backlog {
    pub(super) fn new(budget: Arc<Budget>) -> Backlog {
        Backlog { queue: VecDeque::new(), length: 0, own: 0, budget }
    }

    /// How many bytes wait, with some for each frame.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    pub(super) fn own_length(&self) -> usize {
        self.own
    }

    /// Since when the byte at the front waits.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.queue.front().map(|waiting| waiting.since)
    }

    pub(super) fn push(&mut self, waiting: Waiting) {
        self.count(&waiting);
        self.queue.push_back(waiting);
    }

    /// Puts what is left of a frame in front of the others.
    pub(super) fn push_front(&mut self, waiting: Waiting) {
        self.count(&waiting);
        self.queue.push_front(waiting);
    }

    fn count(&mut self, waiting: &Waiting) {
        let length = waiting.rest().len();
        self.length += length + ENTRY;
        self.own += if waiting.is_own { length } else { 0 };
        self.budget.add(ENTRY);
    }

    /// References to the frames for the next write; none if nothing waits.
    pub(super) fn front(&mut self) -> Vec<Waiting> {
        let mut length = 0;
        let fits = |waiting: &&mut Waiting| {
            let is_first = length == 0;
            length += waiting.rest().len();
            is_first || length <= PIECE
        };
        let take = |waiting: &mut Waiting| {
            let copy = waiting.clone();
            waiting.is_traced = true;
            copy
        };
        self.queue.iter_mut().take(MOST_FRAMES).take_while(fits).map(take).collect()
    }

    /// Notes that the first `count` bytes are written. Returns the frames that are done: whoever holds the last reference
    /// frees the memory, and that must not happen under a lock.
    pub(super) fn advance(&mut self, mut count: usize) -> Vec<Waiting> {
        let mut done = Vec::new();
        while let Some(front) = self.queue.front_mut() {
            let step = count.min(front.rest().len());
            front.written += step;
            count -= step;
            self.length -= step;
            self.own -= if front.is_own { step } else { 0 };
            if !front.rest().is_empty() {
                break;
            }
            self.length -= ENTRY;
            self.budget.give_back(ENTRY);
            done.extend(self.queue.pop_front());
        }
        if self.queue.is_empty() {
            // After a long wait the empty queue would keep its memory.
            self.queue = VecDeque::new();
        }
        done
    }
}

impl Drop for Backlog {
    fn drop(&mut self) {
        self.budget.give_back(self.queue.len() * ENTRY);
    }
}

/// The bytes of a batch, for one write.
pub(super) fn slices(batch: &[Waiting]) -> Vec<IoSlice<'_>> {
    batch.iter().map(|waiting| IoSlice::new(waiting.rest())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backlog() -> Backlog {
        Backlog::new(Arc::default())
    }

    fn waiting(bytes: &[u8]) -> Waiting {
        Waiting::new(Arc::new(Frame::new([bytes, &[]], None)), false)
    }

    /// What the backlog gives, `step` bytes at a time.
    fn drained(backlog: &mut Backlog, step: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let batch = backlog.front();
            if batch.is_empty() {
                return bytes;
            }
            let all = batch.iter().flat_map(|waiting| waiting.rest().to_vec()).collect::<Vec<u8>>();
            let count = step.min(all.len());
            bytes.extend_from_slice(&all[..count]);
            backlog.advance(count);
        }
    }

    #[test]
    fn frames_come_out_in_order_whatever_a_write_takes() {
        for step in [1, 3, 100, usize::MAX] {
            let mut backlog = backlog();
            let frames: Vec<Vec<u8>> = (0..100).map(|i| vec![i; usize::from(i) % 7 + 1]).collect();
            frames[1..].iter().for_each(|frame| backlog.push(waiting(frame)));
            backlog.push_front(Waiting::rest_of(Arc::new(Frame::new([&[9, 9], &frames[0]], None)), 2));
            assert!(drained(&mut backlog, step) == frames.concat(), "step {step}");
            assert_eq!((backlog.length(), backlog.own_length(), backlog.oldest()), (0, 0, None));
        }
    }

    #[test]
    fn a_batch_is_one_long_frame_or_up_to_64_kib_and_32_frames() {
        let mut backlog = backlog();
        [PIECE + 1, 1, PIECE - 1, 1].into_iter().for_each(|length| backlog.push(waiting(&vec![0; length])));
        let mut lengths = Vec::new();
        loop {
            let batch = backlog.front();
            let length = batch.iter().map(|waiting| waiting.rest().len()).sum::<usize>();
            if batch.is_empty() {
                break;
            }
            lengths.push((batch.len(), length));
            backlog.advance(length);
        }
        assert_eq!(lengths, [(1, PIECE + 1), (2, PIECE), (1, 1)]);
        (0..100).for_each(|_| backlog.push(waiting(&[1])));
        assert_eq!(backlog.front().len(), 32);
    }

    #[test]
    fn a_frame_in_many_queues_counts_once_and_each_place_a_little() {
        let budget: Arc<Budget> = Arc::default();
        budget.set_limit(10_000_000);
        let share = budget.reserve(1_000_000);
        let frame = Arc::new(Frame::new([&[1; 999_999], &[2]], share));
        let mut backlogs: Vec<_> = (0..100).map(|_| Backlog::new(Arc::clone(&budget))).collect();
        backlogs.iter_mut().for_each(|backlog| backlog.push(Waiting::new(Arc::clone(&frame), false)));
        drop(frame);
        assert_eq!(budget.used(), 1_000_000 + 100 * ENTRY);
        backlogs.iter_mut().skip(1).for_each(|backlog| drop(backlog.advance(1_000_000)));
        assert_eq!(budget.used(), 1_000_000 + ENTRY);
        backlogs.clear();
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn only_frames_of_its_own_thread_are_its_own() {
        let mut backlog = backlog();
        backlog.push(waiting(&[1; 10]));
        backlog.push(Waiting::new(Arc::new(Frame::new([&[2; 5], &[]], None)), true));
        assert_eq!((backlog.length(), backlog.own_length()), (15 + 2 * ENTRY, 5));
        backlog.advance(12);
        assert_eq!((backlog.length(), backlog.own_length()), (3 + ENTRY, 3));
        // An outbox that was emptied meanwhile.
        assert_eq!((backlog.advance(100).len(), backlog.length(), backlog.advance(7).len()), (1, 0, 0));
    }

    #[test]
    fn a_frame_is_traced_once() {
        let mut backlog = backlog();
        backlog.push(waiting(&[1]));
        assert!(!backlog.front()[0].is_traced && backlog.front()[0].is_traced);
    }
}
