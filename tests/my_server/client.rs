//! A client of your own, which is optional: the other end of the connection.

use super::accept::accept_key;
use super::frame::{decode_header, encode_frame, unmask};
use crate::checks::random::random_bytes;
use crate::checks::words::{CLOSE, PING, PONG, TEXT};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io::{self, Read, Write};
use std::net::TcpStream;

// ---- step 21 ----

/// Returns a whole frame as a client sends it.
pub fn mask_frame(opcode: u8, payload: &[u8], key: [u8; 4]) -> Vec<u8> {
    todo!("step 21: a masked frame")
}

/// Does the client's part of the handshake. Returns the bytes received after the reply, or `None` if the server
/// refused, or if it is no WebSocket server.
pub fn open(stream: &mut TcpStream, host: &str, path: &str) -> io::Result<Option<Vec<u8>>> {
    todo!("step 21: the client's handshake")
}

/// Sends a text and waits for the next text from the server. `buffer` holds bytes that were read and not used yet.
/// Returns `None` when the server has closed.
pub fn say(stream: &mut TcpStream, buffer: &mut Vec<u8>, text: &str) -> io::Result<Option<String>> {
    todo!("step 21: a text, and the next one")
}
