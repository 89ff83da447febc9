use crate::checks::subject::{MY_SERVER, ReadOutcome};
use crate::checks::words::{Failure, Frame, Header};
use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

type Decoded = Result<Option<Header>, u16>;

/// Changes a good header.
pub fn change(bytes: &[u8], change: impl Fn(&mut Header)) -> Decoded {
    let mut decoded = (MY_SERVER.decode_header)(bytes)?;
    decoded.iter_mut().for_each(change);
    Ok(decoded)
}

/// Changes a good header's length.
fn change_length(bytes: &[u8], change: impl Fn(Header) -> u64) -> Decoded {
    let header = (MY_SERVER.decode_header)(bytes)?;
    Ok(header.map(|header| Header { length: change(header), ..header }))
}

pub fn marker_as_length(bytes: &[u8]) -> Decoded {
    change_length(bytes, |_| u64::from(bytes[1] & 0x7F))
}

pub fn marker_and_nothing_behind_it(bytes: &[u8]) -> Decoded {
    Ok(marker_as_length(bytes)?.map(|header| Header { size: 2, ..header }))
}

pub fn little_endian(bytes: &[u8]) -> Decoded {
    change_length(bytes, |header| match header.size {
        2 => header.length,
        4 => u64::from((header.length as u16).swap_bytes()),
        _ => header.length.swap_bytes(),
    })
}

pub fn signed(bytes: &[u8]) -> Decoded {
    change_length(bytes, |header| if header.size == 4 { header.length as i16 as u64 } else { header.length })
}

pub fn four_bytes_of_eight(bytes: &[u8]) -> Decoded {
    let header = (MY_SERVER.decode_header)(bytes)?;
    Ok(header.map(|header| match header.size {
        10 => Header { length: header.length >> 32, size: 6, ..header },
        _ => header,
    }))
}

pub fn waits_for_the_key(bytes: &[u8]) -> Decoded {
    let header = (MY_SERVER.decode_header)(bytes)?;
    Ok(header.filter(|header| bytes.len() >= header.size + 4))
}

pub fn continuation_refused(bytes: &[u8]) -> Decoded {
    let refused = bytes.first().is_some_and(|byte| byte & 0x0F == 0);
    if refused { Err(1002) } else { (MY_SERVER.decode_header)(bytes) }
}

pub fn mask_asked(bytes: &[u8]) -> Decoded {
    let refused = bytes.get(1).is_some_and(|byte| byte & 0x80 == 0);
    if refused { Err(1002) } else { (MY_SERVER.decode_header)(bytes) }
}

pub fn two_bytes_of_eight(bytes: &[u8]) -> Decoded {
    match (MY_SERVER.decode_header)(bytes)? {
        // Two bytes cannot hold a length that is legal in this form.
        Some(header) if header.size == 10 => Err(1002),
        header => Ok(header),
    }
}

pub fn last_four_of_eight(bytes: &[u8]) -> Decoded {
    let header = (MY_SERVER.decode_header)(bytes)?;
    match header.map(|header| (header.size, header.length & 0xFFFF_FFFF)) {
        Some((10, 0..65536)) => Err(1002),
        Some((10, length)) => Ok(header.map(|header| Header { length, ..header })),
        _ => Ok(header),
    }
}

pub fn a_byte_too_early(bytes: &[u8]) -> Decoded {
    change_length(bytes, |header| match header.size {
        4 => u64::from(u16::from_be_bytes([bytes[1], bytes[2]])),
        _ => header.length,
    })
}

pub fn boundary(bytes: &[u8]) -> Decoded {
    match (MY_SERVER.decode_header)(bytes) {
        Ok(Some(header)) if matches!(header.length, 126 | 65536) => Err(1002),
        decoded => decoded,
    }
}

pub fn too_eager(bytes: &[u8]) -> Decoded {
    match (MY_SERVER.decode_header)(bytes) {
        Ok(None) if bytes.len() > 1 => Err(1002),
        decoded => decoded,
    }
}

pub fn reserved_accepted(bytes: &[u8]) -> Decoded {
    if bytes.len() < 2 || bytes[0] & 0x70 == 0 {
        return (MY_SERVER.decode_header)(bytes);
    }
    (MY_SERVER.decode_header)(&[&[bytes[0] & 0x8F], &bytes[1..]].concat())
}

/// Treats a control frame as a binary one, so only the other rules apply to it.
pub fn control_rules(bytes: &[u8]) -> Decoded {
    if bytes.is_empty() || !matches!(bytes[0] & 0x7F, 0x08..=0x0A) {
        return (MY_SERVER.decode_header)(bytes);
    }
    let header = (MY_SERVER.decode_header)(&[&[bytes[0] & 0x80 | 2], &bytes[1..]].concat())?;
    Ok(header.map(|header| Header { opcode: bytes[0] & 0x0F, ..header }))
}

pub fn not_minimal(bytes: &[u8]) -> Decoded {
    match ((MY_SERVER.decode_header)(bytes), bytes) {
        (Err(1002), &[0x82, 0xFE, high, low, ..]) => {
            let length = u64::from(u16::from_be_bytes([high, low]));
            Ok(Some(Header { fin: true, opcode: 2, masked: true, length, size: 4 }))
        }
        (decoded, _) => decoded,
    }
}

pub fn top_bit_accepted(bytes: &[u8]) -> Decoded {
    match ((MY_SERVER.decode_header)(bytes), bytes) {
        (Err(1002), &[0x82, 0xFF, 0x80, ..]) => {
            Ok(Some(Header { fin: true, opcode: 2, masked: true, length: 1 << 63, size: 10 }))
        }
        (decoded, _) => decoded,
    }
}

/// Two `if`s, one for each marker, and no `else`: the second one tests the length that the first has read.
pub fn marker_taken_twice(bytes: &[u8], too_short: impl Fn() -> Decoded) -> Decoded {
    match (MY_SERVER.decode_header)(bytes) {
        Ok(Some(Header { length: 127, .. })) if bytes.len() < 10 => too_short(),
        decoded => decoded,
    }
}

pub fn index_from_the_header(payload: &mut [u8], mut key: [u8; 4]) {
    key.rotate_left(2);
    (MY_SERVER.unmask)(payload, key);
}

pub fn reply_masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = (MY_SERVER.encode_frame)(opcode, payload);
    frame[1] |= 0x80;
    frame.splice(2..2, [0; 4]);
    frame
}

pub fn fin_missing(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = (MY_SERVER.encode_frame)(opcode, payload);
    frame[0] &= 0x7F;
    frame
}

pub fn encoded_little_endian(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = (MY_SERVER.encode_frame)(opcode, payload);
    let end = frame.len() - payload.len();
    frame[2..end].reverse();
    frame
}

pub fn encoded_boundary(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let frame = (MY_SERVER.encode_frame)(opcode, payload);
    if payload.len() != 126 {
        return frame;
    }
    [&[frame[0], 126], payload].concat()
}

pub fn length_in_four_bytes(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = (MY_SERVER.encode_frame)(opcode, payload);
    if payload.len() > 65535 {
        frame.drain(2..6);
    }
    frame
}

pub fn always_two_bytes(opcode: u8, payload: &[u8]) -> Vec<u8> {
    match payload.len() {
        length @ 0..126 => [&[0x80 | opcode, 126, 0, length as u8], payload].concat(),
        _ => (MY_SERVER.encode_frame)(opcode, payload),
    }
}

type Taken = Result<Option<Frame>, u16>;

pub fn half_a_frame(buffer: &mut Vec<u8>, limit: usize) -> Taken {
    match (MY_SERVER.take_frame)(buffer, limit) {
        Ok(None) if buffer.len() > 6 => {
            let payload = buffer.split_off(6);
            buffer.clear();
            Ok(Some(Frame { fin: true, opcode: 1, payload }))
        }
        taken => taken,
    }
}

pub fn part_dropped(buffer: &mut Vec<u8>, limit: usize) -> Taken {
    let taken = (MY_SERVER.take_frame)(buffer, limit);
    if taken == Ok(None) {
        buffer.clear();
    }
    taken
}

pub fn rest_dropped(buffer: &mut Vec<u8>, limit: usize) -> Taken {
    let taken = (MY_SERVER.take_frame)(buffer, limit);
    if matches!(taken, Ok(Some(_))) {
        buffer.clear();
    }
    taken
}

/// Unmasks as if one index ran on through all frames, with three bytes before this one.
pub fn index_goes_on(buffer: &mut Vec<u8>, limit: usize) -> Taken {
    let key: Option<[u8; 4]> = buffer.get(2..6).and_then(|key| key.try_into().ok());
    let taken = (MY_SERVER.take_frame)(buffer, limit);
    match (taken, key) {
        (Ok(Some(mut frame)), Some(key)) if frame.payload == b"three" => {
            (MY_SERVER.unmask)(&mut frame.payload, key);
            index_from_the_third_byte(&mut frame.payload, key);
            Ok(Some(frame))
        }
        (taken, _) => taken,
    }
}

fn index_from_the_third_byte(payload: &mut [u8], mut key: [u8; 4]) {
    key.rotate_left(3);
    (MY_SERVER.unmask)(payload, key);
}

pub fn unmasked_accepted(buffer: &mut Vec<u8>, limit: usize) -> Taken {
    if buffer == b"\x81\x05Hello" {
        buffer.clear();
        return Ok(Some(Frame { fin: true, opcode: 1, payload: b"Hello".to_vec() }));
    }
    (MY_SERVER.take_frame)(buffer, limit)
}

/// Removes a wrong number of bytes. `how_many` gets the sizes of the frame and of its payload.
pub fn removes(buffer: &mut Vec<u8>, limit: usize, how_many: fn(usize, usize) -> usize) -> Taken {
    let before = buffer.clone();
    let taken = (MY_SERVER.take_frame)(buffer, limit);
    if let Ok(Some(frame)) = &taken {
        let whole = before.len() - buffer.len();
        *buffer = before[how_many(whole, frame.payload.len())..].to_vec();
    }
    taken
}

/// Copies the payload from `skip` bytes after the header, and unmasks it or not.
fn takes_from(buffer: &mut Vec<u8>, limit: usize, skip: usize, unmasks: bool) -> Taken {
    let before = buffer.clone();
    let mut taken = (MY_SERVER.take_frame)(buffer, limit);
    if let Ok(Some(frame)) = &mut taken {
        let size = before.len() - buffer.len() - frame.payload.len() - 4;
        let length = frame.payload.len();
        frame.payload = before[size + skip..size + skip + length].to_vec();
        if unmasks {
            (MY_SERVER.unmask)(&mut frame.payload, *before[size..].first_chunk().expect("the key"));
        }
    }
    taken
}

pub fn payload_at_the_key(buffer: &mut Vec<u8>, limit: usize) -> Taken {
    takes_from(buffer, limit, 0, true)
}

pub fn not_unmasked(buffer: &mut Vec<u8>, limit: usize) -> Taken {
    takes_from(buffer, limit, 4, false)
}

pub fn fin_not_copied(buffer: &mut Vec<u8>, limit: usize) -> Taken {
    let taken = (MY_SERVER.take_frame)(buffer, limit)?;
    Ok(taken.map(|frame| Frame { fin: true, ..frame }))
}

pub fn payload_to_the_end(buffer: &mut Vec<u8>, limit: usize) -> Taken {
    let mut taken = (MY_SERVER.take_frame)(buffer, limit);
    if let Ok(Some(frame)) = &mut taken {
        frame.payload.append(buffer);
    }
    taken
}

pub fn header_of_two_bytes(buffer: &mut Vec<u8>, limit: usize) -> Taken {
    let before = buffer.clone();
    let mut taken = (MY_SERVER.take_frame)(buffer, limit);
    if let Ok(Some(frame)) = &mut taken {
        frame.payload = before[6..6 + frame.payload.len()].to_vec();
        (MY_SERVER.unmask)(&mut frame.payload, [before[2], before[3], before[4], before[5]]);
    }
    taken
}

pub fn one_byte_more(buffer: &mut Vec<u8>, limit: usize) -> Taken {
    let before = buffer.clone();
    let taken = (MY_SERVER.take_frame)(buffer, limit);
    if matches!(taken, Ok(Some(_))) && buffer.is_empty() {
        *buffer = before;
        return Ok(None);
    }
    taken
}

pub fn unmasked_told_late(buffer: &mut Vec<u8>, limit: usize) -> Taken {
    match (MY_SERVER.take_frame)(buffer, limit) {
        Err(1002) if buffer.len() < 6 => Ok(None),
        taken => taken,
    }
}

pub fn one_read(stream: &mut TcpStream, buffer: &mut Vec<u8>, limit: usize) -> ReadOutcome {
    if buffer.is_empty() {
        let mut bytes = [0; 4096];
        let count = stream.read(&mut bytes)?;
        buffer.extend_from_slice(&bytes[..count]);
    }
    Ok((MY_SERVER.take_frame)(buffer, limit)?)
}

pub fn read_exact(stream: &mut TcpStream, buffer: &mut Vec<u8>, limit: usize) -> ReadOutcome {
    buffer.clear();
    let mut header = [0; 6];
    match stream.read_exact(&mut header) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let mut payload = vec![0; usize::from(header[1] & 0x7F)];
    if header[1] & 0x80 == 0 {
        return Err(Failure::Close(1002));
    }
    stream.read_exact(&mut payload)?;
    let mut frame = [&header[..], &payload].concat();
    Ok((MY_SERVER.take_frame)(&mut frame, limit)?)
}

pub fn fresh_buffer(stream: &mut TcpStream, buffer: &mut Vec<u8>, limit: usize) -> ReadOutcome {
    buffer.clear();
    let frame = (MY_SERVER.read_frame)(stream, buffer, limit)?;
    buffer.clear();
    Ok(frame)
}

pub fn reads_first(stream: &mut TcpStream, buffer: &mut Vec<u8>, limit: usize) -> ReadOutcome {
    loop {
        let mut bytes = [0; 4096];
        match stream.read(&mut bytes)? {
            0 => return Ok(None),
            count => buffer.extend_from_slice(&bytes[..count]),
        }
        if let Some(frame) = (MY_SERVER.take_frame)(buffer, limit)? {
            return Ok(Some(frame));
        }
    }
}

pub fn whole_array(stream: &mut TcpStream, buffer: &mut Vec<u8>, limit: usize) -> ReadOutcome {
    loop {
        if let Some(frame) = (MY_SERVER.take_frame)(buffer, limit)? {
            return Ok(Some(frame));
        }
        let mut bytes = [0; 4096];
        if stream.read(&mut bytes)? == 0 {
            return Ok(None);
        }
        buffer.extend_from_slice(&bytes);
    }
}

pub fn timeout_swallowed(stream: &mut TcpStream, buffer: &mut Vec<u8>, limit: usize) -> ReadOutcome {
    loop {
        match (MY_SERVER.read_frame)(stream, buffer, limit) {
            Err(Failure::Io(error)) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            outcome => return outcome,
        }
    }
}

pub fn timeout_is_the_end(stream: &mut TcpStream, buffer: &mut Vec<u8>, limit: usize) -> ReadOutcome {
    match (MY_SERVER.read_frame)(stream, buffer, limit) {
        Err(Failure::Io(_)) => Ok(None),
        read => read,
    }
}

pub fn end_ignored(stream: &mut TcpStream, buffer: &mut Vec<u8>, limit: usize) -> ReadOutcome {
    let read = (MY_SERVER.read_frame)(stream, buffer, limit);
    if matches!(read, Ok(None)) {
        // This pause is in place of a loop that reads 0 bytes forever.
        thread::sleep(Duration::from_secs(60));
    }
    read
}

/// `(bytes[2] as u64) << 8 + bytes[3] as u64`
pub fn shift_of_a_sum(bytes: &[u8]) -> Decoded {
    change_length(bytes, |header| match header.size {
        4 => u64::from(bytes[2]).checked_shl(8 + u32::from(bytes[3])).expect("attempt to shift left with overflow"),
        _ => header.length,
    })
}

pub fn no_form_of_eight(opcode: u8, payload: &[u8]) -> Vec<u8> {
    match payload.len() {
        0..126 => (MY_SERVER.encode_frame)(opcode, payload),
        length => [&[0x80 | opcode, 126][..], &(length as u16).to_be_bytes(), payload].concat(),
    }
}

/// Takes it for granted that there is a key.
pub fn no_mask_asked(buffer: &mut Vec<u8>, limit: usize) -> Taken {
    match buffer.get_mut(1) {
        Some(second) if *second & 0x80 == 0 => {
            *second |= 0x80;
            let taken = (MY_SERVER.take_frame)(buffer, limit);
            if taken == Ok(None) {
                buffer[1] &= 0x7F;
            }
            taken
        }
        _ => (MY_SERVER.take_frame)(buffer, limit),
    }
}

pub fn key_of_the_example(buffer: &mut Vec<u8>, limit: usize) -> Taken {
    let key: Option<[u8; 4]> = buffer.get(2..6).and_then(|key| key.try_into().ok());
    let mut taken = (MY_SERVER.take_frame)(buffer, limit);
    if let (Ok(Some(frame)), Some(key)) = (&mut taken, key)
        && frame.payload.len() == 2
    {
        (MY_SERVER.unmask)(&mut frame.payload, key);
        (MY_SERVER.unmask)(&mut frame.payload, [0x37, 0xFA, 0x21, 0x3D]);
    }
    taken
}

/// Treats the end of the stream as `end` says.
pub fn end_as(stream: &mut TcpStream, buffer: &mut Vec<u8>, limit: usize, end: fn() -> ReadOutcome) -> ReadOutcome {
    match (MY_SERVER.read_frame)(stream, buffer, limit) {
        Ok(None) => end(),
        read => read,
    }
}

/// Has room for one array of bytes and no more.
pub fn one_array(stream: &mut TcpStream, buffer: &mut Vec<u8>, limit: usize) -> ReadOutcome {
    match (MY_SERVER.read_frame)(stream, buffer, limit) {
        Ok(Some(mut frame)) if frame.payload.len() > 65536 => {
            frame.payload.truncate(65536);
            Ok(Some(frame))
        }
        read => read,
    }
}
