//! Your server: frames (§5.2, §5.3).

use super::message::check_size;
use crate::checks::words::{Failure, Frame, Header};
use std::io::Read;
use std::net::TcpStream;

// ---- step 05 ----

/// Reads the header at the front of `bytes`. Returns `None` if more bytes are needed. The error is a Close code.
pub fn decode_header(bytes: &[u8]) -> Result<Option<Header>, u16> {
    todo!("step 05: the header of a frame")
}

// ---- step 06 ----

/// Unmasks a whole payload in place.
pub fn unmask(payload: &mut [u8], key: [u8; 4]) {
    todo!("step 06: unmasking")
}

/// Returns a whole frame as a server sends it.
pub fn encode_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    todo!("step 06: a frame of your own")
}

// ---- step 07 ----

/// Takes one frame from the front of `buffer` and leaves the rest in it. Returns `None` if more bytes are needed. The
/// error is a Close code. `limit` is for step 12; until then nothing checks it.
pub fn take_frame(buffer: &mut Vec<u8>, limit: usize) -> Result<Option<Frame>, u16> {
    todo!("step 07: half a frame, or three")
}

// ---- step 08 ----

/// Returns the next frame, from the buffer or from the socket, or `None` if the client has closed its side.
pub fn read_frame(stream: &mut TcpStream, buffer: &mut Vec<u8>, limit: usize) -> Result<Option<Frame>, Failure> {
    todo!("step 08: frames from a socket")
}
