//! The server's decoder for the fuzz targets `frames` and `deflate`: the hooks that only this crate sees.

use crate::error::ProtocolError;
use crate::protocol::decoder::{Event, MessageDecoder};
use crate::server::speed;

/// A decoder as the server has it.
pub struct ServersDecoder(MessageDecoder);

impl ServersDecoder {
    pub fn new(limit: usize) -> ServersDecoder {
        ServersDecoder(speed::decoder(limit))
    }

    /// Lets the client compress messages.
    #[cfg(feature = "deflate")]
    pub fn with_compression(self, agreement: crate::protocol::deflate::Agreement) -> ServersDecoder {
        ServersDecoder(self.0.with_compression(agreement))
    }

    /// Returns whether it can go on without more bytes.
    pub fn has_more(&self) -> bool {
        self.0.has_more()
    }

    pub fn decode(&mut self, input: &[u8]) -> Result<(usize, Option<Event>), ProtocolError> {
        self.0.decode(input)
    }

    pub fn reserve_room(&mut self) -> Option<&mut [u8]> {
        self.0.reserve_room()
    }

    pub fn filled(&mut self, count: usize) -> Result<Option<Event>, ProtocolError> {
        self.0.filled(count)
    }

    /// Lends memory between two messages, as the server does.
    pub fn lend_memory(&mut self, memory: Vec<u8>) {
        if self.0.is_idle() {
            self.0.lend_memory(Some(memory));
        }
    }
}
