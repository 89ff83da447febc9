//! A whole connection in memory. Whatever a client sends, in whatever pieces, and whichever calls of its socket do less
//! than they could, each byte of the server's answer is right. So it writes nothing after a Close, and it ends. Its
//! memory grows with the bytes received, not with announced lengths: the allocator gives no more than that.
//!
//! The first byte of the input says how to read the rest: as a request and the bytes after it, or as choices from which
//! pieces, faults and frames are made.
#![no_main]

use arbitrary::Unstructured;
use cap::Cap;
use libfuzzer_sys::fuzz_target;
use plainsocket::inside::{Fault, converse, request};
use plainsocket::protocol::decoder::Event;
use plainsocket::protocol::frame::{Opcode, encode};
use plainsocket::protocol::request::{Method, Request};
use plainsocket::protocol::response::Response;
use plainsocket::{CloseFrame, Config, HandshakeError};
use plainsocket_fuzz::naive;
use plainsocket_fuzz::wire::frames;
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// The memory that a connection needs for itself: 64 KiB to read into, 64 KiB of gathered replies, twice that while a
/// vector grows, and small things.
const OWN: usize = 512 * 1024;

/// The size of what the server reserves for frames that have to wait, which is address space and not memory.
const SEGMENT: usize = 33 << 20;

fuzz_target!(|input: &[u8]| {
    let Some((first, rest)) = input.split_first() else { return };
    match first {
        0 => check_made(&mut Unstructured::new(rest)).unwrap_or_default(),
        size => {
            let pieces = rest.chunks((*size).into()).map(<[u8]>::to_vec).collect();
            check(rest, pieces, vec![], 1000);
        }
    }
});

/// Fails only if there are too few choices, which is no error.
fn check_made(choices: &mut Unstructured) -> arbitrary::Result<()> {
    let limit = if choices.arbitrary()? { usize::from(choices.arbitrary::<u16>()?) * 2 } else { 1 << 40 };
    let sizes: Vec<u16> = choices.arbitrary()?;
    let harmless = [None, Some(Fault::OneByte), Some(Fault::Half), Some(Fault::WouldBlock), Some(Fault::Interrupted)];
    let mut faults = Vec::new();
    for _ in 0..choices.int_in_range(0..=100)? {
        faults.push(*choices.choose(&harmless)?);
    }
    let wire = [request("/").into_bytes(), frames(choices)?].concat();

    let mut pieces = Vec::new();
    let mut rest = &wire[..];
    for size in sizes {
        let (piece, behind) = rest.split_at(rest.len().min(size.into()));
        if !piece.is_empty() {
            pieces.push(piece.to_vec());
        }
        rest = behind;
    }
    if !rest.is_empty() {
        pieces.push(rest.to_vec());
    }
    check(&wire, pieces, faults, limit);
    Ok(())
}

fn check(wire: &[u8], pieces: Vec<Vec<u8>>, faults: Vec<Option<Fault>>, limit: usize) {
    let expected = answer(wire, limit);
    let config = Config { max_message_size: limit, ..Config::default() };
    let most = OWN + SEGMENT + 8 * wire.len();
    ALLOCATOR.set_limit(ALLOCATOR.allocated() + most).expect("more than is in use");
    let answered = converse(config, pieces, faults);
    ALLOCATOR.set_limit(usize::MAX).expect("no limit");
    assert!(answered == expected, "{}\n{}", answered.escape_ascii(), expected.escape_ascii());
}

/// Returns what a server with an echo at the path `/` must answer to `wire`. Under the fuzzer its clock is at 0.
fn answer(wire: &[u8], limit: usize) -> Vec<u8> {
    let (request, used) = match Request::parse(wire) {
        Ok(None) => return vec![],
        Ok(Some(parsed)) => parsed,
        Err(fault) => {
            let first_line = wire.strip_prefix(b"\r\n").unwrap_or(wire);
            let method = if first_line.starts_with(b"HEAD ") { Method::Head } else { Method::Get };
            return Response::from(&fault).with_date(0).encode(method);
        }
    };
    let accepted = match (request.path(), request.wants_websocket()) {
        ("/", true) => request.accept(&[]),
        ("/", false) => Err(HandshakeError::UpgradeRequired),
        _ => Err(HandshakeError::NotFound),
    };
    match accepted {
        Ok(response) => [response.with_date(0).encode(request.method), echo(&wire[used..], limit)].concat(),
        Err(fault) => Response::from(&fault).with_date(0).encode(request.method),
    }
}

fn echo(wire: &[u8], limit: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for told in naive::decode(wire, limit) {
        match told.what {
            Ok(Event::Message(message)) => encode(message.opcode(), message.as_bytes(), &mut out),
            Ok(Event::Ping(payload)) => encode(Opcode::Pong, &payload, &mut out),
            Ok(Event::Pong(_)) => {}
            Ok(Event::Close(close)) => {
                let payload = close.map(|close| CloseFrame::new(close.code, "").encode()).unwrap_or_default();
                encode(Opcode::Close, &payload, &mut out);
                break;
            }
            Err(error) => encode(Opcode::Close, &CloseFrame::from(error).encode(), &mut out),
        }
    }
    out
}
