//! The trace log: every frame in and out, explained, with `RUST_LOG=plainsocket::wire=trace`. One record is one line, so that
//! the lines of two threads never mix. While it is off it costs a comparison.

use crate::protocol::request::Request;
use crate::protocol::response::Response;
use crate::protocol::wire::{Direction, Dissector, Frame, Handshake};
use std::net::SocketAddr;

const TARGET: &str = "plainsocket::wire";

pub(super) fn is_on() -> bool {
    log::log_enabled!(target: TARGET, log::Level::Trace)
}

/// The lines of a handshake. Not inlined: what it needs of the stack would cost each client a page, 4 KiB.
#[inline(never)]
pub(super) fn handshake(peer: SocketAddr, request: &Request, response: &Response) {
    if !is_on() {
        return;
    }
    let handshake = Handshake::new(request, response);
    for line in &handshake.request {
        log::trace!(target: TARGET, "{peer} -> {line} ({}, §{})", line.about, line.section);
    }
    for line in &handshake.response {
        log::trace!(target: TARGET, "{peer} <- {line} ({}, §{})", line.about, line.section);
    }
}

/// A frame that has come.
pub(super) fn received(peer: SocketAddr, frame: &Frame) {
    log::trace!(target: TARGET, "{peer} -> {}", frame.to_line());
}

/// Whole frames that go out, in pieces. Only the thread that writes to a client calls this, just before it writes, so the
/// lines are in the order of the wire.
pub(super) fn sent(peer: SocketAddr, pieces: [&[u8]; 2]) {
    if is_on() {
        explain_sent(peer, pieces);
    }
}

// Apart, because what it needs of the stack would cost each client a page, 4 KiB.
#[inline(never)]
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
