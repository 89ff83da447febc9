//! Your server: before there is WebSocket, there is TCP.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

// ---- step 00 ----

/// Accepts clients forever, and sends each client's bytes back to it.
pub fn echo_bytes(listener: TcpListener) {
    todo!("step 00: an echo over TCP")
}
