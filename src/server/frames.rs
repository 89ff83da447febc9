//! Encoded frames on their way out: borrowed while the sockets take them at once, shared once a client has to wait.

use super::registry::Registry;
use super::speed::Frame;
use std::cell::OnceCell;

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

impl<'a> Frames<'a> {
    pub(super) fn new(pieces: [&'a [u8]; 2], registry: &'a Registry) -> Frames<'a> {
        Frames { pieces, registry: Some(registry), ..Frames::ping(&[]) }
    }

    /// Takes a Ping of the server's own. It must go out when memory is at its bound too.
    pub(super) fn ping(frame: &'a [u8]) -> Frames<'a> {
        let pieces = [frame, &[]];
        Frames { pieces, registry: None, ends_with_close: false, may_follow_close: false, shared: OnceCell::new() }
    }

    /// Takes a Pong for a Ping that arrived between our Close and the client's.
    pub(super) fn late_pong(frame: &'a [u8]) -> Frames<'a> {
        Frames { may_follow_close: true, ..Frames::ping(frame) }
    }

    /// Takes frames that end with a Close. They must go out when memory is at its bound, too.
    pub(super) fn close(frames: &'a [u8]) -> Frames<'a> {
        Frames { ends_with_close: true, ..Frames::ping(frames) }
    }

    pub(super) fn length(&self) -> usize {
        self.pieces[0].len() + self.pieces[1].len()
    }

    /// Returns the shared copy, which the first call makes. `None`: memory is at its bound. Hold no lock here, because
    /// the copy can be megabytes.
    pub(super) fn shared(&self) -> Option<Frame> {
        if self.shared.get().is_none() {
            let frame = match self.registry {
                Some(registry) => {
                    let share = registry.reserve(self.length())?;
                    registry.segments().copy(self.pieces, share)
                }
                None => Frame::uncounted(self.pieces),
            };
            let _ = self.shared.set(frame);
        }
        self.shared.get().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_is_shared_once_however_many_ask() {
        let registry = Registry::default();
        registry.budget().set_limits(10, usize::MAX);
        let frames = Frames::new([&[1; 10], &[]], &registry);
        assert!(frames.shared().is_some() && frames.shared().is_some());
        assert_eq!(registry.budget().used(), 10);
    }
}
