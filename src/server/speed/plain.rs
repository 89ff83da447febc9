//! The plain forms of the devices of `fast`: each client has buffers of its own, each thread blocks at once, all bytes
//! go through the inbox, and vectors grow as usual.

use crate::error::ProtocolError;
use crate::protocol::decoder::{Event, MessageDecoder};
use crate::protocol::message::Message;
use crate::server::batch::Batch;
use crate::server::budget::Share;
use crate::server::inbox::Inbox;
use crate::server::outbox::Outbox;
use crate::server::receive::Receiver;
use crate::server::socket::Until;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The buffer in bytes that each client reads into. A longer head of a request makes it grow.
pub(in crate::server) const INBOX: usize = 16 * 1024;

/// From this many bytes on, a message can take a memory mapping of its own: glibc's threshold.
pub(in crate::server) const MAPPED: usize = 128 * 1024;

/// Returns a decoder that grows as any vector does.
pub(in crate::server) fn decoder(limit: usize) -> MessageDecoder {
    MessageDecoder::new(limit)
}

/// No pool: nothing is kept for other threads.
#[derive(Default)]
pub(in crate::server) struct BufferPool;

impl BufferPool {
    pub(in crate::server) fn tidy(&self) {}
}

pub(in crate::server) struct Devices;

impl Devices {
    pub(in crate::server) fn new(_: Arc<BufferPool>, _: Duration) -> Devices {
        Devices
    }

    /// Reads once, into the inbox. Returns how many bytes.
    pub(in crate::server) fn read(&self, inbox: &mut Inbox, _: &mut MessageDecoder, until: Until) -> io::Result<usize> {
        inbox.fill(until)
    }

    /// Decodes nothing, because no read has gone past the inbox.
    pub(in crate::server) fn decode_direct(&self, _: &mut MessageDecoder) -> Result<Option<Event>, ProtocolError> {
        Ok(None)
    }

    pub(in crate::server) fn stop_direct_reads(&self) {}
}

/// Lets the thread block at once.
pub(in crate::server) fn before_blocking(
    _: &mut Receiver,
    _: &mut Batch,
    _: Option<Instant>,
) -> Option<io::Result<()>> {
    None
}

pub(in crate::server) fn after_blocking(_: &mut Receiver, _: &mut Batch) {}

pub(in crate::server) fn return_buffers(_: &mut Receiver, _: &mut Batch) {}

/// Frees the memory of a message.
pub(in crate::server) fn reuse(_: &mut Receiver, _: Message) {}

/// The outboxes of clients on one path.
pub(in crate::server) type Members = Arc<[Arc<Outbox>]>;

/// No lists: each broadcast builds its own.
pub(in crate::server) struct MemberLists<A>(PhantomData<A>);

impl<A> Default for MemberLists<A> {
    fn default() -> MemberLists<A> {
        MemberLists(PhantomData)
    }
}

impl<A> MemberLists<A> {
    pub(in crate::server) fn get(&self, _: &A, build: impl FnOnce() -> Members) -> Members {
        build()
    }

    pub(in crate::server) fn forget(&self) {}
}

/// Returns the members in order.
pub(in crate::server) fn prefetched(members: &[Arc<Outbox>]) -> impl Iterator<Item = &Arc<Outbox>> {
    members.iter()
}

/// A copy of frames, for all clients that have to wait.
#[derive(Clone)]
pub(in crate::server) struct Frame(Arc<(Vec<u8>, Option<Share>)>);

/// No segments: each copy is a vector of its own.
#[derive(Default)]
pub(in crate::server) struct Segments;

impl Segments {
    /// Copies frames whose bytes `share` counts.
    pub(in crate::server) fn copy(&self, pieces: [&[u8]; 2], share: Share) -> Frame {
        Frame(Arc::new((pieces.concat(), Some(share))))
    }
}

impl Frame {
    /// Copies frames that do not count.
    pub(in crate::server) fn uncounted(pieces: [&[u8]; 2]) -> Frame {
        Frame(Arc::new((pieces.concat(), None)))
    }

    pub(in crate::server) fn length(&self) -> usize {
        self.0.0.len()
    }

    /// Gives the bytes after the first `written` to `act`.
    pub(in crate::server) fn with_rest<T>(&self, written: usize, act: impl FnOnce(&[u8]) -> T) -> T {
        act(&self.0.0[written..])
    }
}

/// Calls `function`.
pub(in crate::server) fn out_of_line<T>(function: impl FnOnce() -> T) -> T {
    function()
}
