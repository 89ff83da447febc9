//! Direct reads: a large payload is read straight into its message, past the inbox, so that it is not copied.

use super::blocking::QUIET_AFTER;
use super::buffers::BufferPool;
use super::stack::out_of_line;
use crate::error::ProtocolError;
use crate::protocol::decoder::{Event, MessageDecoder};
use crate::server::inbox::Inbox;
use crate::server::socket::Until;
use std::io;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The notes of the devices about one client's receiving side.
pub(in crate::server) struct Devices {
    pub(super) pool: Arc<BufferPool>,
    /// The client's own small buffer, while a large one from the pool is in use.
    pub(super) small: Option<Vec<u8>>,
    /// The client did not keep its thread blocked for long the last time.
    pub(super) is_busy: bool,
    pub(super) blocked_at: Instant,
    /// How many bytes the last read has put straight into the decoder's message.
    read_directly: usize,
    may_read_directly: bool,
}

impl Devices {
    /// `age`: how long the handshake has taken.
    pub(in crate::server) fn new(pool: Arc<BufferPool>, age: Duration) -> Devices {
        let (is_busy, blocked_at) = (age < QUIET_AFTER, Instant::now());
        Devices { pool, small: None, is_busy, blocked_at, read_directly: 0, may_read_directly: true }
    }

    /// Reads once: straight into a large message, otherwise into the inbox. Returns how many bytes.
    pub(in crate::server) fn read(
        &mut self,
        inbox: &mut Inbox,
        decoder: &mut MessageDecoder,
        until: Until,
    ) -> io::Result<usize> {
        let is_direct = self.may_read_directly && inbox.unread().is_empty();
        let room = if is_direct { decoder.reserve_room() } else { None };
        match room {
            Some(room) => {
                self.read_directly = inbox.reader.read(room, until)?;
                Ok(self.read_directly)
            }
            None => inbox.fill(until),
        }
    }

    /// Decodes the bytes that the last read has put straight into their message.
    pub(in crate::server) fn decode_direct(
        &mut self,
        decoder: &mut MessageDecoder,
    ) -> Result<Option<Event>, ProtocolError> {
        match mem::take(&mut self.read_directly) {
            0 => Ok(None),
            count => out_of_line(|| decoder.filled(count)),
        }
    }

    /// Lets all bytes go through the inbox from now on.
    pub(in crate::server) fn stop_direct_reads(&mut self) {
        self.may_read_directly = false;
    }
}
