//! Your server: messages (§5.4, §5.5, §5.6).

use super::frame::encode_frame;
use crate::checks::words::{BINARY, CONTINUATION, Frame, Message, PING, PONG, TEXT};

// ---- step 09 ----

/// Returns the bytes of the Pong if `frame` is a Ping.
pub fn answer_ping(frame: &Frame) -> Option<Vec<u8>> {
    todo!("step 09: Ping and Pong")
}

// ---- step 10 ----

/// Assembles the messages of one client from their fragments.
pub struct Assembler {
    limit: usize,
    // What must it remember from one frame to the next?
}

impl Assembler {
    /// `limit` is for step 12; until then nothing checks it.
    pub fn new(limit: usize) -> Assembler {
        Assembler { limit }
    }

    /// Takes the next frame. Returns the message that this frame completes, if any. The error is a Close code.
    pub fn take(&mut self, frame: Frame) -> Result<Option<Message>, u16> {
        todo!("step 10: fragments")
    }
}

// ---- step 11 ----

/// Checks that a text is UTF-8. The error is a Close code.
pub fn check_text(payload: &[u8]) -> Result<(), u16> {
    todo!("step 11: text is UTF-8")
}

// ---- step 12 ----

/// Checks that `more` bytes fit into a message that has `so_far` bytes and can have `limit`. The error is a Close code.
pub fn check_size(so_far: usize, more: u64, limit: usize) -> Result<(), u16> {
    todo!("step 12: limits")
}
