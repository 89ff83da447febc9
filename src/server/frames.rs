//! Encoded frames on their way out: borrowed while the sockets take them at once, shared once a client has to wait.

use super::budget::Share;
use super::lock;
use super::registry::Registry;
use super::speed::memory::RESERVE;
use std::cell::OnceCell;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

/// How much of shorter frames one segment holds.
const SEGMENT: usize = 1024 * 1024;

/// Whole frames for one client or many, in two pieces, so that a large payload need not be copied to its header.
pub(super) struct Frames<'a> {
    pub(super) pieces: [&'a [u8]; 2],
    /// A Close frame is the last of them.
    pub(super) ends_with_close: bool,
    /// A Pong, which may follow a Close.
    pub(super) may_follow_close: bool,
    /// For the memory of the copy; `None` for a control frame, which is short and does not count.
    registry: Option<&'a Registry>,
    shared: OnceCell<Frame>,
}

/// A copy for all clients that have to wait: a part of a segment.
#[derive(Clone)]
pub(super) struct Frame {
    segment: Arc<Segment>,
    range: Range<usize>,
}

/// Memory for waiting frames. In the allocator's heaps, some block after them that stays in use would keep all of it from
/// the system: after 16 MiB in frames of 16 KiB, 16 MiB stayed. A segment has addresses of its own instead, and goes back
/// as a whole once no queue refers to it. Until then all of it counts.
#[derive(Default)]
struct Segment {
    bytes: RwLock<Vec<u8>>,
    share: Mutex<Option<Share>>,
}

/// The segment that takes the next frames.
#[derive(Default)]
pub(super) struct Current(Mutex<Weak<Segment>>);

impl<'a> Frames<'a> {
    pub(super) fn new(pieces: [&'a [u8]; 2], registry: &'a Registry) -> Frames<'a> {
        Frames { pieces, registry: Some(registry), ..Frames::ping(&[]) }
    }

    /// A Ping of the server's own. It must go out when memory is at its bound too.
    pub(super) fn ping(frame: &'a [u8]) -> Frames<'a> {
        let pieces = [frame, &[]];
        Frames { pieces, registry: None, ends_with_close: false, may_follow_close: false, shared: OnceCell::new() }
    }

    /// A Pong for a Ping that arrives between our Close and the client's.
    pub(super) fn late_pong(frame: &'a [u8]) -> Frames<'a> {
        Frames { may_follow_close: true, ..Frames::ping(frame) }
    }

    /// Frames that end with a Close, which must go out as well.
    pub(super) fn close(frames: &'a [u8]) -> Frames<'a> {
        Frames { ends_with_close: true, ..Frames::ping(frames) }
    }

    pub(super) fn length(&self) -> usize {
        self.pieces[0].len() + self.pieces[1].len()
    }

    /// The shared copy, made at the first call; `None` if memory is at its bound. It may be megabytes, so no lock may be
    /// held here.
    pub(super) fn shared(&self) -> Option<Frame> {
        if self.shared.get().is_none() {
            let frame = match self.registry {
                Some(registry) => {
                    let share = registry.reserve(self.length())?;
                    registry.segment().with_room(self.length()).append(self.pieces, Some(share))
                }
                None => Arc::<Segment>::default().append(self.pieces, None),
            };
            let _ = self.shared.set(frame);
        }
        self.shared.get().cloned()
    }
}

impl Frame {
    pub(super) fn length(&self) -> usize {
        self.range.len()
    }

    /// Gives the bytes after the first `written` to `act`, which must not wait: meanwhile nothing is added to the segment.
    pub(super) fn with_rest<T>(&self, written: usize, act: impl FnOnce(&[u8]) -> T) -> T {
        let bytes = self.segment.bytes.read().unwrap_or_else(PoisonError::into_inner);
        act(&bytes[self.range.start + written..self.range.end])
    }
}

impl Current {
    /// A segment that has room for `length` bytes, or a new one.
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

impl Segment {
    fn length(&self) -> usize {
        self.bytes.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn append(self: Arc<Segment>, pieces: [&[u8]; 2], share: Option<Share>) -> Frame {
        if let Some(new) = share {
            lock(&self.share).get_or_insert_with(|| new.empty()).absorb(new);
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

    #[test]
    fn frame_is_shared_once_however_many_ask() {
        let registry = Registry::default();
        registry.budget().set_limits(10, usize::MAX);
        let frames = Frames::new([&[1; 10], &[]], &registry);
        assert!(frames.shared().is_some() && frames.shared().is_some());
        assert_eq!(registry.budget().used(), 10);
    }
}
