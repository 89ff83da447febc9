//! Your server: permessage-deflate (RFC 7692), which is optional.

use super::frame::take_frame;
use super::message::check_size;
use crate::checks::inflate::Inflate;
use crate::checks::words::Frame;

// ---- step 20 ----

/// Returns the value of `Sec-WebSocket-Extensions` in the reply, for the value in the request. `None`: leave the header
/// out.
pub fn agree(offers: &str) -> Option<String> {
    todo!("step 20: the agreement")
}

/// Does what `take_frame` does, on a connection that has agreed on the extension. The `bool` says whether RSV1 is set,
/// which marks the first frame of a compressed message.
pub fn take_deflated(buffer: &mut Vec<u8>, limit: usize) -> Result<Option<(Frame, bool)>, u16> {
    todo!("step 20: the bit RSV1")
}

/// Decompresses a message; `payload` is the payload of all its fragments together. The error is a Close code.
pub fn inflate_message(payload: &[u8], limit: usize) -> Result<Vec<u8>, u16> {
    todo!("step 20: the message")
}
