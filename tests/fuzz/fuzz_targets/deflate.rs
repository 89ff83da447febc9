//! Compressed messages in any fragments and pieces: plainsocket's decoder is compared with a plain inflate. In the
//! other direction, the plain inflate reads what plainsocket compresses, with a window of exactly the size that was
//! agreed on.
//!
//! The first byte of the input is the size of the pieces. The second says whether the client keeps its window and
//! whether the message is text, and the rest is the payload of a message that is sent twice. If the first byte is zero,
//! the rest is choices from which messages are made.
#![no_main]

use arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use plainsocket::inside::ServersDecoder;
use plainsocket::protocol::decoder::Event;
use plainsocket::protocol::deflate::{Agreement, Compression, Deflater};
use plainsocket::protocol::request::Request;
use plainsocket::{CloseCode, CloseFrame, Message};
use plainsocket_fuzz::arrival::{Arrival, read};
use plainsocket_fuzz::inflate::{Fault, Rules, inflate};
use plainsocket_fuzz::utf8::first_bad_byte;
use plainsocket_fuzz::wire::frame;

const RSV1: u8 = 0x40;

/// The largest payload of a message here: the server refuses a payload of twice its limit, and a little more.
const LONGEST: usize = 1000;

/// A message in the form in which it is sent.
struct Sent {
    is_text: bool,
    /// Whether RSV1 is set.
    is_compressed: bool,
    payload: Vec<u8>,
    /// The length of each of its fragments.
    fragments: Vec<u8>,
}

fuzz_target!(|input: &[u8]| {
    match input {
        [0, choices @ ..] => check_made(&mut Unstructured::new(choices)).unwrap_or_default(),
        [size, flags, payload @ ..] if payload.len() <= LONGEST => {
            let keeps_window = flags & 1 != 0;
            let sent =
                || Sent { is_text: flags & 2 != 0, is_compressed: true, payload: payload.to_vec(), fragments: vec![] };
            let wire_length = 2 * payload.len() + 30;
            let arrival =
                Arrival { pieces: vec![(*size).into(); wire_length / usize::from(*size)], ..Arrival::default() };
            check(&[sent(), sent()], keeps_window, 10_000, &[Arrival::default(), arrival]);
        }
        _ => {}
    }
});

/// Fails only if there are too few choices, which is no error.
fn check_made(choices: &mut Unstructured) -> Result<()> {
    let arrival: Arrival = choices.arbitrary()?;
    let limit = usize::from(choices.arbitrary::<u16>()?) / 4;
    let keeps_window = choices.arbitrary()?;
    let bits = choices.int_in_range(8..=15)?;
    let mut deflater = Deflater::new(agreement(keeps_window, bits));
    let mut before = Vec::new();
    let mut messages = Vec::new();
    while !choices.is_empty() && messages.len() < 20 {
        let is_compressed = choices.ratio(7, 8)?;
        let (is_text, fragments) = (choices.arbitrary()?, choices.arbitrary()?);
        let mut payload = data(choices)?;
        if is_compressed && choices.ratio(7, 8)? {
            let message = payload;
            payload = compress(&mut deflater, &message, &mut before, keeps_window, bits);
            damage(&mut payload, choices)?;
        }
        // The target `frames` tests messages without compression that are too long.
        payload.truncate(if is_compressed { LONGEST } else { limit });
        messages.push(Sent { is_text, is_compressed, payload, fragments });
    }
    check(&messages, keeps_window, limit, &[Arrival::default(), arrival]);
    Ok(())
}

/// Returns bytes that repeat, which DEFLATE can shorten.
fn data(choices: &mut Unstructured) -> Result<Vec<u8>> {
    let count = choices.int_in_range(0..=200)?;
    let bytes = choices.bytes(choices.len().min(count))?;
    let times = if choices.ratio(1, 4)? { choices.int_in_range(0..=60)? } else { 1 };
    Ok(bytes.repeat(times))
}

/// Compresses a message as the server does, and checks that it can be inflated.
fn compress(deflater: &mut Deflater, message: &[u8], before: &mut Vec<u8>, keeps: bool, bits: u8) -> Vec<u8> {
    if !keeps {
        deflater.reset();
        before.clear();
    }
    let mut payload = b"in front".to_vec();
    deflater.compress(message, &mut payload);
    assert!(payload.starts_with(b"in front"));
    let payload = payload.split_off(8);
    let rules = Rules { before, window: 1 << bits, limit: usize::MAX, allows: |streams, _| streams <= 2 };
    assert_eq!(inflate(&payload, rules).as_deref(), Ok(message));
    remember(before, message);
    payload
}

/// Keeps the bytes that the next message can refer to.
fn remember(before: &mut Vec<u8>, message: &[u8]) {
    before.extend_from_slice(message);
    before.drain(..before.len().saturating_sub(1 << 15));
}

/// Changes some payloads, and leaves most as they are.
fn damage(payload: &mut Vec<u8>, choices: &mut Unstructured) -> Result<()> {
    match choices.int_in_range(0..=15)? {
        0 if !payload.is_empty() => {
            let at = choices.choose_index(payload.len())?;
            payload[at] = choices.arbitrary()?;
        }
        1 => payload.truncate(choices.choose_index(payload.len() + 1)?),
        2 => payload.extend_from_slice(choices.bytes(choices.len().min(7))?),
        // An empty block with BFINAL, and a new stream.
        3 => payload.extend_from_slice(&[0x00, 0x00, 0xFF, 0xFF, 0x03, 0x00]),
        _ => {}
    }
    Ok(())
}

fn agreement(keeps_window: bool, bits: u8) -> Agreement {
    let offer = format!("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits={bits}");
    let head = format!("GET / HTTP/1.1\r\nHost: x\r\n{offer}\r\n\r\n");
    let (request, _) = Request::parse(head.as_bytes()).expect("a request").expect("a whole one");
    let compression = if keeps_window { Compression::Context } else { Compression::PerMessage };
    Agreement::negotiate(&request, compression).expect("an offer that can be kept")
}

/// Panics unless the decoder yields the messages of the plain inflate, and then the same Close code.
fn check(messages: &[Sent], keeps_window: bool, limit: usize, arrivals: &[Arrival]) {
    let (events, codes) = expected(messages, keeps_window, limit);
    let wire: Vec<u8> = messages.iter().flat_map(frames).collect();
    for arrival in arrivals {
        let mut decoder = ServersDecoder::new(limit).with_compression(agreement(keeps_window, 15));
        let (mut unread, mut told) = (Vec::new(), Vec::new());
        let (mut pieces, mut rest) = (arrival.pieces.iter(), &wire[..]);
        while !rest.is_empty() && !matches!(told.last(), Some(Err(_))) {
            let size = pieces.next().map_or(rest.len(), |&size| rest.len().min(size.into()));
            let (piece, later) = rest.split_at(size);
            rest = later;
            if arrival.memory > 0 {
                // Memory of an earlier message, so its bytes are not zeros.
                decoder.lend_memory(vec![0xA5; arrival.memory.into()]);
            }
            told.extend(read(&mut decoder, piece, &mut unread, arrival.uses_room));
        }
        let error = told.pop_if(|last| last.is_err()).and_then(Result::err);
        let code = error.map(|error| CloseFrame::from(error).code);
        assert!(codes.contains(&code), "{error:?}, not {codes:?}, limit {limit}: {wire:02x?}");
        let told: Vec<Event> = told.into_iter().flatten().filter(|event| !matches!(event, Event::Ping(_))).collect();
        assert!(told == events, "{told:?}\n{events:?}");
    }
}

/// Returns the messages, and the codes that are right for the Close after them. `None`: no Close.
fn expected(messages: &[Sent], keeps_window: bool, limit: usize) -> (Vec<Event>, Vec<Option<CloseCode>>) {
    let (mut events, mut before) = (Vec::new(), Vec::new());
    for sent in messages {
        let result = if sent.is_compressed {
            // A stream of a few bytes costs as much as a long one, so only a limited number of them is allowed.
            let allows = |streams: usize, taken: usize| streams == 1 || streams * 64 <= taken + 256;
            let rules = Rules { before: &before, window: 1 << 15, limit, allows };
            let result = inflate(&sent.payload, rules);
            // zlib has room for one byte over the limit, and reads what follows that byte before it returns.
            if matches!(result, Err((Fault::TooLong, _)))
                && matches!(inflate(&sent.payload, Rules { limit: limit + 1, ..rules }), Err((Fault::Invalid, _)))
            {
                return (events, vec![Some(CloseCode::MESSAGE_TOO_BIG), Some(CloseCode::INVALID_PAYLOAD)]);
            }
            result
        } else {
            Ok(sent.payload.clone())
        };
        let (fault, bytes) = match result {
            Ok(bytes) => (None, bytes),
            Err((fault, bytes)) => (Some(fault), bytes),
        };
        if sent.is_text && (first_bad_byte(&bytes).is_some() || fault.is_none() && str::from_utf8(&bytes).is_err()) {
            // Within a step of 64 KiB the limit is checked first.
            let is_too_long = (fault == Some(Fault::TooLong)).then_some(Some(CloseCode::MESSAGE_TOO_BIG));
            return (events, is_too_long.into_iter().chain([Some(CloseCode::INVALID_PAYLOAD)]).collect());
        }
        match fault {
            Some(Fault::Invalid) => return (events, vec![Some(CloseCode::INVALID_PAYLOAD)]),
            Some(Fault::TooLong) => return (events, vec![Some(CloseCode::MESSAGE_TOO_BIG)]),
            None => {}
        }
        if sent.is_compressed && keeps_window {
            remember(&mut before, &bytes);
        }
        let text = if sent.is_text { String::from_utf8(bytes).map(Message::from) } else { Ok(Message::Binary(bytes)) };
        events.push(Event::Message(text.expect("UTF-8")));
    }
    (events, vec![None])
}

/// The frames of a message, with a Ping after each but the last.
fn frames(sent: &Sent) -> Vec<u8> {
    let rsv1 = if sent.is_compressed { RSV1 } else { 0 };
    let mut first = if sent.is_text { 0x01 } else { 0x02 } | rsv1;
    let (mut wire, mut rest) = (Vec::new(), &sent.payload[..]);
    for &length in &sent.fragments {
        let (fragment, later) = rest.split_at(rest.len().min(length.into()));
        wire.extend(frame(first, fragment));
        wire.extend(frame(0x89, b""));
        (first, rest) = (0x00, later);
    }
    wire.extend(frame(first | 0x80, rest));
    wire
}
