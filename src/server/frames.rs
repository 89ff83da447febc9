//! Encoded frames on their way out: borrowed while the sockets take them at once, shared once a client has to wait.

use super::budget::Share;
use super::compression::{self, Compressed};
use super::registry::Registry;
use super::speed::Frame;
use crate::protocol::deflate::{Agreement, DEFLATER};
use crate::protocol::frame::{self, Header};
use crate::protocol::message::Message;
use std::borrow::Cow;
use std::cell::OnceCell;

/// A payload of this many bytes is not copied to its header: the copy costs more than a second piece in the write.
pub(super) const LONG: usize = 64 * 1024;

/// Whole frames for one client or many, in two pieces, so that a large payload need not be copied to its header.
pub(super) struct Frames<'a> {
    pieces: [Cow<'a, [u8]>; 2],
    /// A Close frame is the last of them.
    pub(super) ends_with_close: bool,
    /// A Pong, which is allowed after a Close.
    pub(super) may_follow_close: bool,
    /// How many messages they are, for the counters.
    pub(super) messages: u64,
    /// For the memory of the copy; `None` for a control frame, which is short and does not count.
    registry: Option<&'a Registry>,
    shared: OnceCell<Frame>,
    compressed: Compressed<'a>,
    /// For the memory of compressed frames.
    _share: Option<Share>,
}

impl<'a> Frames<'a> {
    pub(super) fn new(pieces: [&'a [u8]; 2], registry: &'a Registry) -> Frames<'a> {
        Frames { messages: messages(pieces[0]), registry: Some(registry), ..Frames::of(pieces.map(Cow::Borrowed)) }
    }

    /// Encodes a message into `frame`. A long payload stays where it is, and becomes the second piece.
    pub(super) fn message(message: &'a Message, frame: &'a mut Vec<u8>, registry: &'a Registry) -> Frames<'a> {
        let mut payload = message.as_bytes();
        if payload.len() < LONG {
            frame::encode(message.opcode(), payload, frame);
            payload = &[];
        } else {
            frame::encode_header(message.opcode(), payload.len(), frame);
        }
        Frames::new([frame, payload], registry)
    }

    /// Takes a Ping of the server's own. It must go out when memory is at its bound too.
    pub(super) fn ping(frame: &'a [u8]) -> Frames<'a> {
        Frames::of([frame.into(), Cow::default()])
    }

    fn of(pieces: [Cow<'a, [u8]>; 2]) -> Frames<'a> {
        let (shared, compressed, _share) = (OnceCell::new(), Compressed::default(), None);
        let (ends_with_close, may_follow_close) = (false, false);
        Frames { pieces, registry: None, ends_with_close, may_follow_close, messages: 0, shared, compressed, _share }
    }

    pub(super) fn pieces(&self) -> [&[u8]; 2] {
        self.pieces.each_ref().map(|piece| &**piece)
    }

    /// Returns these frames as a client gets them that has agreed to compression: compressed once for all that have
    /// agreed alike. Hold no lock here, because it takes time.
    pub(super) fn compressed(&self, agreement: Agreement) -> &Frames<'a> {
        let Some(registry) = self.registry else { return self };
        let is_worth_it = || compression::is_worth_it(self.pieces()[0]);
        let compress = || self.compress(agreement, registry, self.pieces());
        self.compressed.get(agreement, is_worth_it, compress).unwrap_or(self)
    }

    /// Compresses the frames. `None`: memory is at its bound.
    fn compress(&self, agreement: Agreement, registry: &'a Registry, pieces: [&[u8]; 2]) -> Option<Frames<'a>> {
        let mut share = registry.budget().reserve(self.length() + DEFLATER)?;
        let out = registry.deflaters().lend(agreement, |deflater| compression::compress(pieces, deflater));
        share.resize(out.capacity());
        let frames = Frames::of([out.into(), Cow::default()]);
        Some(Frames { messages: self.messages, registry: self.registry, _share: Some(share), ..frames })
    }

    /// Takes a Pong for a Ping that arrived between our Close and the client's.
    pub(super) fn late_pong(frame: &'a [u8]) -> Frames<'a> {
        Frames { may_follow_close: true, ..Frames::ping(frame) }
    }

    /// Takes frames that end with a Close. They must go out when memory is at its bound, too.
    pub(super) fn close(frames: &'a [u8]) -> Frames<'a> {
        Frames { ends_with_close: true, messages: messages(frames), ..Frames::ping(frames) }
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
                    registry.segments().copy(self.pieces(), share)
                }
                None => Frame::uncounted(self.pieces()),
            };
            let _ = self.shared.set(frame);
        }
        self.shared.get().cloned()
    }
}

/// Counts the data frames that begin in `frames`. We send each message in one.
fn messages(mut frames: &[u8]) -> u64 {
    let mut count = 0;
    while let Ok(Some((header, used))) = Header::decode_with(frames, true) {
        count += u64::from(!header.opcode.is_control());
        frames = frames.get(used + header.length as usize..).unwrap_or_default();
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_without_control_frames() {
        let registry = Registry::default();
        let long = [&[0x82, 126, 1, 0][..], &[0x81; 256]].concat();
        let batch = [&[0x81, 0, 0x89, 2, 0x81, 0x81][..], &long, &[0x82, 1, 7]].concat();
        assert_eq!(Frames::new([&batch, &[]], &registry).messages, 3);
        let with_header = [&batch, &long[..4]].concat();
        assert_eq!(Frames::new([&with_header, &long[4..]], &registry).messages, 4);
        assert_eq!(Frames::close(&[0x81, 1, 7, 0x88, 0]).messages, 1);
        assert_eq!(Frames::ping(&[0x89, 0]).messages, 0);
    }

    #[test]
    fn frame_is_shared_once_however_many_ask() {
        let registry = Registry::default();
        registry.budget().set_limits(10, usize::MAX);
        let frames = Frames::new([&[1; 10], &[]], &registry);
        assert!(frames.shared().is_some() && frames.shared().is_some());
        assert_eq!(registry.budget().used(), 10);
    }

    #[cfg(feature = "deflate")]
    fn agreement(parameters: &str) -> Agreement {
        use crate::protocol::deflate::Compression;
        use crate::protocol::request::Request;
        let head =
            format!("GET / HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Extensions: permessage-deflate{parameters}\r\n\r\n");
        let (request, _) = Request::parse(head.as_bytes()).unwrap().unwrap();
        Agreement::negotiate(&request, Compression::PerMessage).unwrap()
    }

    #[cfg(feature = "deflate")]
    #[test]
    fn frames_are_compressed_once_for_all_that_agreed_alike() {
        let registry = Registry::default();
        registry.budget().set_limits(1 << 20, usize::MAX);
        let message = [&[0x82, 126, 0x10, 0x00][..], &[7; 4096]].concat();
        let frames = Frames::new([&message, &[]], &registry);
        let [large, nine, eight, ten] =
            ["", "; server_max_window_bits=9", "; server_max_window_bits=8", "; server_max_window_bits=10"]
                .map(|parameters| frames.compressed(agreement(parameters)));
        assert!(large.length() < 100 && large.pieces()[0][0] == 0xC2);
        for (parameters, made) in [("; server_max_window_bits=15", large), ("; server_max_window_bits=9", nine)] {
            assert!(std::ptr::eq(frames.compressed(agreement(parameters)), made), "compressed again for{parameters}");
        }
        // zlib has no window of 2^8.
        assert!(std::ptr::eq(eight, nine) && !std::ptr::eq(nine, ten) && !std::ptr::eq(ten, large));
        // The copy for those that have to wait is made once, too.
        assert!(large.shared().is_some());
        let used = registry.budget().used();
        assert!(large.shared().is_some() && registry.budget().used() == used);
    }

    #[cfg(feature = "deflate")]
    #[test]
    fn frames_go_out_uncompressed_when_memory_is_at_its_bound() {
        let registry = Registry::default();
        let message = [&[0x82, 126, 0x10, 0x00][..], &[7; 4096]].concat();
        registry.budget().set_limits(message.len() + DEFLATER - 1, usize::MAX);
        let frames = Frames::new([&message, &[]], &registry);
        assert_eq!(frames.compressed(agreement("")).pieces()[0], &message[..]);
        // Not tried again for each client.
        registry.budget().set_limits(1 << 20, usize::MAX);
        assert_eq!(frames.compressed(agreement("")).pieces()[0], &message[..]);
        assert_eq!(registry.budget().used(), 0);
        drop(frames);
        assert!(Frames::new([&message, &[]], &registry).compressed(agreement("")).length() < 100);
        assert_eq!(registry.budget().used(), 0, "and its memory comes back");
    }
}
