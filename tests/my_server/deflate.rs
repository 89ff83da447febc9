//! Your server: permessage-deflate (RFC 7692), which is optional.

use super::frame::take_frame;
use super::message::check_size;
use crate::checks::inflate::Inflate;
use crate::checks::words::Frame;

// ---- step 20 ----

/// The value of `Sec-WebSocket-Extensions` in the reply, for the value in the request. `None`: leave the header out.
pub fn agree(offers: &str) -> Option<String> {
    todo!("step 20: the agreement")
}

/// `take_frame` for a connection that has agreed on the extension. The `bool`: RSV1 is set, so a compressed message begins.
pub fn take_deflated(buffer: &mut Vec<u8>, limit: usize) -> Result<Option<(Frame, bool)>, u16> {
    todo!("step 20: the bit RSV1")
}

/// A compressed message as it was before; `payload` is that of all its fragments together. The error is a Close code.
pub fn inflate_message(payload: &[u8], limit: usize) -> Result<Vec<u8>, u16> {
    todo!("step 20: the message")
}
