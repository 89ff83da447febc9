//! A look into a compressed frame on its way to the client, as far as it is shown. A decoder looks at those from the
//! client; for the others there is none.

use super::frame::{Inflated, MOST, SHOWN};
use crate::protocol::deflate::Inflater;

/// Inflates one frame with an empty window.
#[derive(Debug)]
pub(super) struct Peek {
    inflater: Inflater,
    /// The inflated bytes, and room for one byte too many.
    memory: Vec<u8>,
    arrived: usize,
    is_wrong: bool,
}

impl Peek {
    /// Returns `None` without the feature `deflate`.
    pub(super) fn new() -> Option<Peek> {
        Some(Peek { inflater: Inflater::alone()?, memory: vec![0; MOST + 1], arrived: 0, is_wrong: false })
    }

    /// Takes the next bytes of the payload.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        if self.has_room() {
            let made = self.inflater.inflate(bytes, &mut self.memory, self.arrived);
            self.note(made.map(|(_, made)| made));
        }
    }

    /// Returns the inflated message, after its last byte. `None`: it is no DEFLATE by itself, so it refers to earlier
    /// ones.
    pub(super) fn end(mut self) -> Option<Inflated> {
        if self.has_room() {
            let made = self.inflater.finish(&mut self.memory, self.arrived);
            self.note(made.map(|(made, _)| made));
        }
        let length = (self.arrived <= MOST).then_some(self.arrived as u64);
        let bytes = self.memory[..self.arrived.min(SHOWN)].to_vec();
        (!self.is_wrong).then_some(Inflated { bytes, length })
    }

    fn has_room(&self) -> bool {
        !self.is_wrong && self.arrived <= MOST
    }

    fn note<E>(&mut self, made: Result<usize, E>) {
        match made {
            Ok(made) => self.arrived += made,
            Err(_) => self.is_wrong = true,
        }
    }
}
