//! Your server: the opening handshake (§4.2).

use super::accept::accept_key;
use crate::checks::words::{Head, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io::{self, Read, Write};
use std::net::TcpStream;

// ---- step 02 ----

/// Looks for a request at the front of `bytes`.
pub fn parse_request(bytes: &[u8]) -> Head {
    todo!("step 02: the head of a request")
}

// ---- step 03 ----

/// Returns the 101 for a request, as text with its blank line, or the HTTP status for a request that must not become a
/// WebSocket.
pub fn answer(request: &Request) -> Result<String, u16> {
    todo!("step 03: the answer to a request")
}

// ---- step 04 ----

/// Reads a request from the socket and answers it. Returns the request and the bytes received after it, or `None` if
/// there is no WebSocket connection, because the request was refused or the client has left.
pub fn shake_hands(stream: &mut TcpStream) -> io::Result<Option<(Request, Vec<u8>)>> {
    todo!("step 04: the handshake over a socket")
}
