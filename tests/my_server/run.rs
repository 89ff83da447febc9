//! Your server: one client's life, and the accept loop.

use super::close::{answer_close, hang_up};
use super::frame::{encode_frame, read_frame};
use super::heartbeat;
use super::message::{Assembler, answer_ping};
use super::push;
use super::registry::{Client, Registry};
use super::request::shake_hands;
use crate::checks::words::{CLOSE, Failure, Frame, Settings};
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

// ---- step 14 ----

/// Serves one client, from its handshake to its end. `registry` is for step 16.
pub fn serve_client(mut stream: TcpStream, registry: &Registry, settings: &Settings) {
    todo!("step 14: one client's life")
}

// ---- step 15 ----

/// Accepts clients forever.
pub fn run(listener: TcpListener, settings: Settings) {
    todo!("step 15: a thread for each client")
}
