//! Memory for waiting frames. In the allocator's heaps, one block after them that stays in use would keep all of it
//! from the system: after 16 MiB in frames of 16 KiB, 16 MiB stayed. A segment has addresses of its own instead, and
//! goes back as a whole once no queue refers to it.

use super::memory::RESERVE;
use crate::server::budget::Share;
use crate::server::lock;
use std::mem;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

/// How many bytes of shorter frames one segment holds.
const SEGMENT: usize = 1024 * 1024;

/// A copy of frames, for all clients that have to wait: a part of a segment.
#[derive(Clone)]
pub(in crate::server) struct Frame {
    segment: Arc<Segment>,
    range: Range<usize>,
}

/// All of it counts until the last frame in it is gone.
#[derive(Default)]
struct Segment {
    bytes: RwLock<Vec<u8>>,
    share: Mutex<Option<Share>>,
}

/// The segment that takes the next frames.
#[derive(Default)]
pub(in crate::server) struct Segments(Mutex<Weak<Segment>>);

impl Segments {
    /// Copies frames whose bytes `share` counts.
    pub(in crate::server) fn copy(&self, pieces: [&[u8]; 2], share: Share) -> Frame {
        self.with_room(pieces[0].len() + pieces[1].len()).append(pieces, Some(share))
    }

    /// Returns a segment that has room for `length` bytes.
    fn with_room(&self, length: usize) -> Arc<Segment> {
        let mut current = lock(&self.0);
        if let Some(segment) = current.upgrade().filter(|segment| segment.length() + length <= SEGMENT) {
            return segment;
        }
        let mut bytes = Vec::new();
        // Where addresses are few it grows as any other vector does.
        let _ = bytes.try_reserve_exact(RESERVE.max(length));
        let segment = Arc::new(Segment { bytes: RwLock::new(bytes), share: Mutex::default() });
        *current = Arc::downgrade(&segment);
        segment
    }
}

impl Frame {
    /// Copies frames that do not count.
    pub(in crate::server) fn uncounted(pieces: [&[u8]; 2]) -> Frame {
        Arc::<Segment>::default().append(pieces, None)
    }

    pub(in crate::server) fn length(&self) -> usize {
        self.range.len()
    }

    /// Gives the bytes after the first `written` to `act`, which must not wait: meanwhile nothing is added to the
    /// segment.
    pub(in crate::server) fn with_rest<T>(&self, written: usize, act: impl FnOnce(&[u8]) -> T) -> T {
        let bytes = self.segment.bytes.read().unwrap_or_else(PoisonError::into_inner);
        act(&bytes[self.range.start + written..self.range.end])
    }
}

impl Segment {
    fn length(&self) -> usize {
        self.bytes.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn append(self: Arc<Segment>, pieces: [&[u8]; 2], share: Option<Share>) -> Frame {
        if let Some(mut new) = share {
            match &mut *lock(&self.share) {
                Some(held) => held.bytes += mem::take(&mut new.bytes),
                none => *none = Some(new),
            }
        }
        let mut bytes = self.bytes.write().unwrap_or_else(PoisonError::into_inner);
        let start = bytes.len();
        pieces.iter().for_each(|piece| bytes.extend_from_slice(piece));
        let range = start..bytes.len();
        drop(bytes);
        Frame { segment: self, range }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::frames::Frames;
    use crate::server::registry::Registry;

    fn shared(bytes: &[u8], registry: &Registry) -> Frame {
        Frames::new([&bytes[..1], &bytes[1..]], registry).shared().unwrap()
    }

    #[test]
    fn short_frames_share_a_segment_until_it_is_full() {
        let registry = Registry::default();
        registry.budget().set_limits(usize::MAX, usize::MAX);
        let bytes: Vec<u8> = (0..=255).cycle().take(SEGMENT / 4).collect();
        let frames: Vec<Frame> = (0..5).map(|_| shared(&bytes, &registry)).collect();
        let first = &frames[0].segment;
        let together = frames.iter().filter(|frame| Arc::ptr_eq(&frame.segment, first)).count();
        assert_eq!(together, 4);
        for frame in &frames {
            assert_eq!(frame.length(), bytes.len());
            frame.with_rest(100, |rest| assert!(rest == &bytes[100..]));
        }
    }

    #[test]
    fn segment_counts_until_its_last_frame_is_gone() {
        let registry = Registry::default();
        let budget = registry.budget();
        budget.set_limits(150, usize::MAX);
        let (first, second) = (shared(&[1; 100], &registry), shared(&[2; 50], &registry));
        assert!(Frames::new([&[3], &[]], &registry).shared().is_none());
        drop(first);
        assert_eq!(budget.used(), 150);
        drop(second);
        assert_eq!(budget.used(), 0);
        let large = shared(&[4; 150], &registry);
        assert_eq!((large.length(), budget.used()), (150, 150));
    }
}
