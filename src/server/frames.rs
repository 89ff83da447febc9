//! Encoded frames on their way out: borrowed while the sockets take them at once, shared once a client has to wait.

use super::budget::Share;
use super::registry::Registry;
use crate::protocol::memory::make_room;
use std::cell::OnceCell;
use std::sync::Arc;

/// Whole frames for one client or many, in two pieces, so that a large payload need not be copied to its header.
pub(super) struct Frames<'a> {
    pub(super) pieces: [&'a [u8]; 2],
    /// For the memory of the copy; `None` for a control frame, which is short and does not count.
    registry: Option<&'a Registry>,
    /// A Close frame is the last of them.
    pub(super) ends_with_close: bool,
    shared: OnceCell<Arc<Frame>>,
}

/// A copy for all clients that have to wait. Its bytes count once, as long as one queue refers to it.
pub(super) struct Frame {
    pub(super) bytes: Vec<u8>,
    _share: Option<Share>,
}

impl<'a> Frames<'a> {
    pub(super) fn new(pieces: [&'a [u8]; 2], registry: &'a Registry) -> Frames<'a> {
        Frames { pieces, registry: Some(registry), ends_with_close: false, shared: OnceCell::new() }
    }

    /// A Ping of the server's own. It must go out when memory is at its bound too.
    pub(super) fn ping(frame: &'a [u8]) -> Frames<'a> {
        Frames { pieces: [frame, &[]], registry: None, ends_with_close: false, shared: OnceCell::new() }
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
    pub(super) fn shared(&self) -> Option<Arc<Frame>> {
        if self.shared.get().is_none() {
            let share = match self.registry {
                Some(registry) => Some(registry.reserve(self.length())?),
                None => None,
            };
            let mut bytes = Vec::new();
            make_room(&mut bytes, self.length());
            self.pieces.iter().for_each(|piece| bytes.extend_from_slice(piece));
            let _ = self.shared.set(Arc::new(Frame { bytes, _share: share }));
        }
        self.shared.get().cloned()
    }
}
