//! Rules that are kept for some frames and not for others, found in walks through the exercises.

use crate::checks::subject::{Assembler, Deflated, MY_SERVER, Opened, ReadOutcome};
use crate::checks::words::{BINARY, CONTINUATION, Failure, Frame, Header, Message, PING, TEXT};
use std::io::{ErrorKind, Read};
use std::net::TcpStream;

type Decoded = Result<Option<Header>, u16>;
type Taken = Result<Option<Frame>, u16>;

/// Decodes other bytes instead, if the first two are such.
fn instead(bytes: &[u8], which: impl Fn(u8, u8) -> bool, first: u8) -> Decoded {
    match bytes {
        [a, b, rest @ ..] if which(*a, *b) => (MY_SERVER.decode_header)(&[&[first, *b][..], rest].concat()),
        _ => (MY_SERVER.decode_header)(bytes),
    }
}

pub fn reserved_with_fin_alone(bytes: &[u8]) -> Decoded {
    instead(bytes, |first, _| matches!(first, 3..=7), TEXT)
}

pub fn rsv_of_a_text_alone(bytes: &[u8]) -> Decoded {
    instead(bytes, |first, _| matches!(first, 0x90 | 0xA0 | 0xC0), 0x80)
}

pub fn control_rules_with_a_mask(bytes: &[u8]) -> Decoded {
    instead(bytes, |first, second| matches!(first, 8..=10) && second & 0x80 == 0, 0x89)
}

pub fn not_minimal_in_fragments(bytes: &[u8]) -> Decoded {
    match (MY_SERVER.decode_header)(bytes) {
        Err(1002) if bytes.starts_with(&[0x01, 0xFE]) => {
            Ok(Some(Header { fin: false, opcode: TEXT, masked: true, length: u64::from(bytes[3]), size: 4 }))
        }
        decoded => decoded,
    }
}

pub fn rest_dropped_after_control(buffer: &mut Vec<u8>, limit: usize) -> Taken {
    let taken = (MY_SERVER.take_frame)(buffer, limit);
    if matches!(&taken, Ok(Some(frame)) if frame.opcode == CONTINUATION && frame.payload.is_empty()) {
        buffer.clear();
    }
    taken
}

/// Takes a timeout for the end, as long as no byte has arrived.
pub fn idle_timeout_is_the_end(stream: &mut TcpStream, buffer: &mut Vec<u8>, limit: usize) -> ReadOutcome {
    match (MY_SERVER.read_frame)(stream, buffer, limit) {
        Err(Failure::Io(error))
            if buffer.is_empty() && matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
        {
            Ok(None)
        }
        outcome => outcome,
    }
}

/// Looks for the end before it takes the frame that has just been read.
pub fn last_frame_lost(stream: &mut TcpStream, buffer: &mut Vec<u8>, limit: usize) -> ReadOutcome {
    let outcome = (MY_SERVER.read_frame)(stream, buffer, limit)?;
    stream.set_nonblocking(true)?;
    let ended = matches!(stream.peek(&mut [0]), Ok(0));
    stream.set_nonblocking(false)?;
    Ok(outcome.filter(|_| !ended))
}

/// Reads on as long as each read fills the array.
pub fn full_array_awaited(stream: &mut TcpStream, buffer: &mut Vec<u8>, limit: usize) -> ReadOutcome {
    loop {
        if let Some(frame) = (MY_SERVER.take_frame)(buffer, limit)? {
            return Ok(Some(frame));
        }
        loop {
            let mut bytes = [0; 1024];
            let count = stream.read(&mut bytes)?;
            buffer.extend_from_slice(&bytes[..count]);
            match count {
                0 => return Ok(None),
                1024 => {}
                _ => break,
            }
        }
    }
}

pub fn empty_end_ignored(limit: usize) -> Assembler {
    let mut real = (MY_SERVER.assembler)(limit);
    Box::new(move |frame| {
        let ignored = frame.opcode == CONTINUATION && frame.fin && frame.payload.is_empty();
        if ignored { Ok(None) } else { real(frame) }
    })
}

pub fn only_128_fragments(limit: usize) -> Assembler {
    let mut real = (MY_SERVER.assembler)(limit);
    let mut fragments = 0;
    Box::new(move |mut frame| {
        fragments = if frame.opcode == CONTINUATION { fragments + 1 } else { 1 };
        if fragments > 128 {
            frame.payload.clear();
        }
        real(frame)
    })
}

pub fn control_alone_refused(limit: usize) -> Assembler {
    let mut real = (MY_SERVER.assembler)(limit);
    let mut open = false;
    Box::new(move |frame| match frame.opcode {
        8.. if !open => Err(1002),
        8.. => Ok(None),
        _ => {
            open = !frame.fin;
            real(frame)
        }
    })
}

pub fn ping_is_a_message(limit: usize) -> Assembler {
    let mut real = (MY_SERVER.assembler)(limit);
    let mut open = false;
    Box::new(move |frame| {
        if frame.opcode == PING && !open {
            return Ok(Some(Message { opcode: PING, payload: frame.payload }));
        }
        open = if frame.opcode < 8 { !frame.fin } else { open };
        real(frame)
    })
}

/// Changes each text that is good.
pub fn text_cut(limit: usize, cut: fn(&[u8]) -> &[u8]) -> Assembler {
    let mut real = (MY_SERVER.assembler)(limit);
    Box::new(move |frame| {
        let mut message = real(frame)?;
        if let Some(message) = message.as_mut().filter(|message| message.opcode == TEXT) {
            message.payload = cut(&message.payload).to_vec();
        }
        Ok(message)
    })
}

pub fn limit_for_binary(limit: usize) -> Assembler {
    let mut real = (MY_SERVER.assembler)(usize::MAX);
    let (mut length, mut opcode) = (0, 0);
    Box::new(move |frame| {
        if frame.opcode < 8 {
            let first = frame.opcode != CONTINUATION;
            (length, opcode) = if first { (0, frame.opcode) } else { (length, opcode) };
            if opcode == BINARY {
                (MY_SERVER.check_size)(length, frame.payload.len() as u64, limit)?;
            }
            length += frame.payload.len();
        }
        real(frame)
    })
}

/// Adds the mask that is missing, with the key 0.
pub fn mask_added(buffer: &mut Vec<u8>, limit: usize) -> Deflated {
    if let Ok(Some(header)) = (MY_SERVER.decode_header)(&[&[0x81], buffer.get(1..).unwrap_or_default()].concat())
        && !header.masked
    {
        buffer[1] |= 0x80;
        buffer.splice(header.size..header.size, [0; 4]);
    }
    (MY_SERVER.take_deflated)(buffer, limit)
}

/// Ends the head at the end of its last line.
pub fn ends_at_a_line(stream: &mut TcpStream, host: &str, path: &str) -> Opened {
    let key = super::beyond::random_key(host);
    super::beyond::send_request(stream, path, &key)?;
    let four_lines = |bytes: &[u8]| bytes.windows(2).filter(|end| end == b"\r\n").count() >= 4;
    let Some(mut bytes) = super::beyond::reply_until(stream, four_lines)? else { return Ok(None) };
    let Some(end) = super::beyond::blank_line(&bytes) else { return Ok(None) };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let lower = head.to_lowercase();
    let accept = (MY_SERVER.accept_key)(key.split("\r\n").next().unwrap_or_default());
    let good = head.starts_with("HTTP/1.1 101 ")
        && super::slips::value(&lower, "upgrade") == "websocket"
        && super::slips::value(&lower, "connection") == "upgrade"
        && lower.contains("\r\nsec-websocket-accept: ")
        && head.contains(&accept);
    Ok(good.then(|| bytes.split_off(end + 4)))
}
