//! The trace log: every frame in and out, explained, with `RUST_LOG=plainsocket::wire=trace`. One record is one line,
//! so that the lines of two threads never mix. While the log is off, it costs a comparison.

use super::speed;
use crate::protocol::request::Request;
use crate::protocol::response::Response;
use crate::protocol::wire::{Direction, Dissector, Frame, Handshake};
use std::net::SocketAddr;

const TARGET: &str = "plainsocket::wire";

pub(super) fn is_on() -> bool {
    log::log_enabled!(target: TARGET, log::Level::Trace)
}

/// Logs the lines of a handshake.
pub(super) fn handshake(peer: SocketAddr, request: &Request, response: &Response) {
    if is_on() {
        speed::out_of_line(|| explain_handshake(peer, request, response));
    }
}

fn explain_handshake(peer: SocketAddr, request: &Request, response: &Response) {
    let handshake = Handshake::new(request, response);
    for (arrow, lines) in [("->", &handshake.request), ("<-", &handshake.response)] {
        for line in lines {
            log::trace!(target: TARGET, "{peer} {arrow} {line} ({}, §{})", line.about, line.section);
            for part in &line.parts {
                log::trace!(target: TARGET, "{peer} {arrow}   - {part} ({}, §{})", part.about, part.section);
            }
        }
    }
}

/// Logs a frame received.
pub(super) fn received(peer: SocketAddr, frame: &Frame) {
    log::trace!(target: TARGET, "{peer} -> {}", frame.to_line());
}

/// Logs whole frames that are about to be written, in pieces. Only the thread that writes to a client calls this, so
/// the lines are in the order of the wire.
pub(super) fn sent(peer: SocketAddr, pieces: [&[u8]; 2]) {
    if is_on() {
        speed::out_of_line(|| explain_sent(peer, pieces));
    }
}

fn explain_sent(peer: SocketAddr, pieces: [&[u8]; 2]) {
    let mut dissector = Dissector::new(Direction::Out);
    for mut rest in pieces {
        while !rest.is_empty() {
            let (used, frame) = dissector.dissect(rest);
            rest = &rest[used..];
            if let Some(frame) = frame {
                log::trace!(target: TARGET, "{peer} <- {}", frame.to_line());
            }
        }
    }
}
