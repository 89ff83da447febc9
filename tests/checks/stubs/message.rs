//! Your server: messages (§5.4, §5.5, §5.6).

use super::frame::encode_frame;
use crate::checks::words::{BINARY, CONTINUATION, Frame, Message, PING, PONG, TEXT};

// ---- step 09 ----

/// The bytes of the Pong, if `frame` is a Ping.
pub fn answer_ping(frame: &Frame) -> Option<Vec<u8>> {
    todo!("step 09: Ping and Pong")
}

// ---- step 10 ----

/// Puts the fragments of one client's messages together.
pub struct Assembler {
    limit: usize,
    // What must it remember from one frame to the next?
}

impl Assembler {
    /// `limit` is for step 12; until then nobody looks at it.
    pub fn new(limit: usize) -> Assembler {
        Assembler { limit }
    }

    /// Takes the next frame. Returns the message that it completes, if it does. The error is a Close code.
    pub fn take(&mut self, frame: Frame) -> Result<Option<Message>, u16> {
        todo!("step 10: fragments")
    }
}

// ---- step 11 ----

/// Whether a text is UTF-8. The error is a Close code.
pub fn check_text(payload: &[u8]) -> Result<(), u16> {
    todo!("step 11: text is UTF-8")
}

// ---- step 12 ----

/// Whether `more` bytes fit into a message that may have `limit` and has `so_far`. The error is a Close code.
pub fn check_size(so_far: usize, more: u64, limit: usize) -> Result<(), u16> {
    todo!("step 12: limits")
}
