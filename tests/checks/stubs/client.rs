//! A client of your own, which is optional: the other side of everything.

use super::accept::accept_key;
use super::frame::{decode_header, encode_frame, unmask};
use crate::checks::random::random_bytes;
use crate::checks::words::{CLOSE, PING, PONG, TEXT};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io::{self, Read, Write};
use std::net::TcpStream;

// ---- step 21 ----

/// A whole frame, as a client sends it.
pub fn mask_frame(opcode: u8, payload: &[u8], key: [u8; 4]) -> Vec<u8> {
    todo!("step 21: a masked frame")
}

/// The client's part of the handshake. Returns the bytes that came behind the reply. `None`: the server has refused, or
/// what has answered is no WebSocket server.
pub fn open(stream: &mut TcpStream, host: &str, path: &str) -> io::Result<Option<Vec<u8>>> {
    todo!("step 21: the client's handshake")
}

/// Sends a text, and waits for the next one. `buffer` holds what has been read and not used. `None`: the server has closed.
pub fn say(stream: &mut TcpStream, buffer: &mut Vec<u8>, text: &str) -> io::Result<Option<String>> {
    todo!("step 21: a text, and the next one")
}
