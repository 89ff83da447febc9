use crate::checks::subject::{Assembler, MY_SERVER};
use crate::checks::words::{CONTINUATION, Frame, Message, PING, PONG, TEXT};
use std::io::Read as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

pub fn pong(payload: &[u8]) -> Vec<u8> {
    (MY_SERVER.encode_frame)(PONG, payload)
}

pub fn ping_for_a_ping(frame: &Frame) -> Option<Vec<u8>> {
    (frame.opcode == PING).then(|| (MY_SERVER.encode_frame)(PING, &frame.payload))
}

fn is_control(frame: &Frame) -> bool {
    frame.opcode >= 8
}

pub fn ping_spliced(limit: usize) -> Assembler {
    let mut real = (MY_SERVER.assembler)(limit);
    let mut open = false;
    Box::new(move |frame| {
        let control = is_control(&frame);
        if control && open {
            return real(Frame { fin: false, opcode: CONTINUATION, ..frame });
        }
        open = if control { open } else { !frame.fin };
        real(frame)
    })
}

pub fn ping_ends_the_message(limit: usize) -> Assembler {
    let mut real = (MY_SERVER.assembler)(limit);
    let mut open = false;
    Box::new(move |frame| {
        if is_control(&frame) && open {
            return real(Frame { fin: true, opcode: CONTINUATION, payload: Vec::new() });
        }
        open = !frame.fin;
        real(frame)
    })
}

pub fn ping_refused(limit: usize) -> Assembler {
    let mut real = (MY_SERVER.assembler)(limit);
    let mut open = false;
    Box::new(move |frame| {
        if is_control(&frame) && open {
            return Err(1002);
        }
        open = if is_control(&frame) { open } else { !frame.fin };
        real(frame)
    })
}

/// Forgets whether a message is text or binary.
pub fn always_text(limit: usize) -> Assembler {
    let mut real = (MY_SERVER.assembler)(limit);
    Box::new(move |frame| {
        let opcode = if frame.opcode == 2 { TEXT } else { frame.opcode };
        real(Frame { opcode, ..frame })
    })
}

pub fn fin_not_asked(limit: usize) -> Assembler {
    let mut real = (MY_SERVER.assembler)(limit);
    Box::new(move |frame| real(Frame { fin: true, ..frame }))
}

/// Has one answer for every continuation.
pub fn continuation_is(limit: usize, answer: Result<Option<Message>, u16>) -> Assembler {
    let mut real = (MY_SERVER.assembler)(limit);
    Box::new(move |frame| if frame.opcode == CONTINUATION { answer.clone() } else { real(frame) })
}

pub fn nothing_continued(limit: usize) -> Assembler {
    let mut real = (MY_SERVER.assembler)(limit);
    let mut open = false;
    Box::new(move |frame| {
        let opcode = if frame.opcode == CONTINUATION && !open { TEXT } else { frame.opcode };
        open = if is_control(&frame) { open } else { !frame.fin };
        real(Frame { opcode, ..frame })
    })
}

pub fn message_inside_message(limit: usize) -> Assembler {
    let mut real = (MY_SERVER.assembler)(limit);
    Box::new(move |frame| match real(frame.clone()) {
        Err(1002) if frame.opcode == TEXT => {
            real = (MY_SERVER.assembler)(limit);
            real(frame)
        }
        outcome => outcome,
    })
}

pub fn opcode_of_the_last(limit: usize) -> Assembler {
    let mut real = (MY_SERVER.assembler)(limit);
    Box::new(move |frame| {
        let opcode = frame.opcode;
        Ok(real(frame)?.map(|message| Message { opcode, ..message }))
    })
}

pub fn not_reset(limit: usize) -> Assembler {
    let mut real = (MY_SERVER.assembler)(limit);
    let mut all = Vec::new();
    Box::new(move |frame| {
        let Some(message) = real(frame)? else { return Ok(None) };
        all.extend(message.payload);
        Ok(Some(Message { opcode: message.opcode, payload: all.clone() }))
    })
}

pub fn still_open(limit: usize) -> Assembler {
    let mut real = (MY_SERVER.assembler)(limit);
    let mut open = false;
    Box::new(move |frame| {
        if frame.opcode != CONTINUATION && !is_control(&frame) && std::mem::replace(&mut open, true) {
            return Err(1002);
        }
        real(frame)
    })
}

/// Considers a message closed if its first fragment was empty.
pub fn empty_is_not_open(limit: usize) -> Assembler {
    let mut real = (MY_SERVER.assembler)(limit);
    let mut bytes = 0;
    Box::new(move |frame| {
        if is_control(&frame) {
            return real(frame);
        }
        if frame.opcode != CONTINUATION && bytes == 0 {
            real = (MY_SERVER.assembler)(limit);
        }
        bytes = if frame.fin { 0 } else { bytes + frame.payload.len() };
        real(frame)
    })
}

/// Does the same, and reports it when the message continues.
pub fn empty_then_nothing(limit: usize) -> Assembler {
    let mut real = (MY_SERVER.assembler)(limit);
    let mut bytes = 0;
    Box::new(move |frame| {
        if frame.opcode == CONTINUATION && bytes == 0 {
            return Err(1002);
        }
        if !is_control(&frame) {
            bytes = if frame.fin { 0 } else { bytes + frame.payload.len() };
        }
        real(frame)
    })
}

pub fn first_fragment_lost(limit: usize) -> Assembler {
    let mut real = (MY_SERVER.assembler)(limit);
    Box::new(move |mut frame| {
        if !frame.fin && frame.opcode != CONTINUATION {
            frame.payload.clear();
        }
        real(frame)
    })
}

pub fn whole_messages_only(limit: usize) -> Assembler {
    let mut simple = simple(limit, |_, _| Ok(()));
    Box::new(move |frame| {
        if frame.opcode == TEXT && frame.fin {
            (MY_SERVER.check_text)(&frame.payload)?;
        }
        simple(frame)
    })
}

pub fn repaired(limit: usize) -> Assembler {
    let mut simple = simple(limit, |_, _| Ok(()));
    Box::new(move |frame| {
        let message = simple(frame)?;
        Ok(message.map(|Message { opcode, payload }| match opcode {
            TEXT => Message { opcode, payload: String::from_utf8_lossy(&payload).into_owned().into_bytes() },
            _ => Message { opcode, payload },
        }))
    })
}

pub fn control_counted(limit: usize) -> Assembler {
    let mut real = (MY_SERVER.assembler)(limit);
    let mut so_far = 0;
    Box::new(move |frame| {
        (MY_SERVER.check_size)(so_far, frame.payload.len() as u64, limit)?;
        so_far = if frame.fin { 0 } else { so_far + frame.payload.len() };
        real(frame)
    })
}

/// Joins fragments without checking their text, and then calls `check` for the message.
pub fn simple(limit: usize, check: fn(u8, &[u8]) -> Result<(), u16>) -> Assembler {
    let mut real = (MY_SERVER.assembler)(limit);
    let mut kind = TEXT;
    Box::new(move |mut frame| {
        if matches!(frame.opcode, 1 | 2) {
            // The real decoder does not check a binary message.
            kind = std::mem::replace(&mut frame.opcode, 2);
        }
        let Some(message) = real(frame)? else { return Ok(None) };
        check(kind, &message.payload)?;
        Ok(Some(Message { opcode: kind, ..message }))
    })
}

/// Adds the fragment first, and then checks whether it fits.
pub fn added_before_asked(limit: usize) -> Assembler {
    let mut real = (MY_SERVER.assembler)(usize::MAX);
    let mut so_far = 0;
    Box::new(move |frame| {
        if !is_control(&frame) {
            so_far += frame.payload.len();
            // `check_size(so_far, 0, limit)`
            left(limit, so_far);
            so_far = if frame.fin { 0 } else { so_far };
        }
        real(frame)
    })
}

/// Compares the size of the buffer with the limit, not that of the payload.
pub fn buffer_counted(buffer: &mut Vec<u8>, limit: usize) -> Result<Option<Frame>, u16> {
    if let Some(header) = (MY_SERVER.decode_header)(buffer)?
        && header.length > left(limit, buffer.len()) as u64
    {
        return Err(1009);
    }
    (MY_SERVER.take_frame)(buffer, limit)
}

/// A debug build, which learners run, does this with `limit - so_far`.
fn left(limit: usize, so_far: usize) -> usize {
    limit.checked_sub(so_far).expect("attempt to subtract with overflow")
}

pub fn checked_per_frame(limit: usize) -> Assembler {
    let mut real = (MY_SERVER.assembler)(limit);
    let mut kind = TEXT;
    Box::new(move |frame| {
        if matches!(frame.opcode, 1 | 2) {
            kind = frame.opcode;
        }
        if kind == TEXT && frame.opcode != PING {
            (MY_SERVER.check_text)(&frame.payload)?;
        }
        real(frame)
    })
}

pub fn empty_close_as_1005(payload: &[u8]) -> Vec<u8> {
    if payload.is_empty() { 1005_u16.to_be_bytes().to_vec() } else { (MY_SERVER.answer_close)(payload) }
}

pub fn unknown_code_echoed(payload: &[u8]) -> Vec<u8> {
    match payload.first_chunk().map(|&bytes| u16::from_be_bytes(bytes)) {
        None | Some(1005 | 1006 | 1015) => (MY_SERVER.answer_close)(payload),
        Some(code) => code.to_be_bytes().to_vec(),
    }
}

/// Follows the RFC, without the codes that were registered later.
pub fn young_codes_refused(payload: &[u8]) -> Vec<u8> {
    match payload.first_chunk().map(|&bytes| u16::from_be_bytes(bytes)) {
        Some(1012..=1014) => 1002_u16.to_be_bytes().to_vec(),
        _ => (MY_SERVER.answer_close)(payload),
    }
}

pub fn read_little_endian(payload: &[u8]) -> Vec<u8> {
    match payload {
        [low, high, reason @ ..] => (MY_SERVER.answer_close)(&[&[*high, *low][..], reason].concat()),
        _ => (MY_SERVER.answer_close)(payload),
    }
}

pub fn reason_as_1002(payload: &[u8]) -> Vec<u8> {
    let answer = (MY_SERVER.answer_close)(payload);
    if answer == 1007_u16.to_be_bytes() && !payload.starts_with(&answer) {
        1002_u16.to_be_bytes().to_vec()
    } else {
        answer
    }
}

pub fn reason_not_checked(payload: &[u8]) -> Vec<u8> {
    (MY_SERVER.answer_close)(&payload[..payload.len().min(2)])
}

pub fn end_not_sent(mut stream: TcpStream, _: Duration) {
    while stream.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {}
}

pub fn drained_for_ever(mut stream: TcpStream, _: Duration) {
    let _ = stream.shutdown(std::net::Shutdown::Write);
    while stream.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {}
}

pub fn timeout_for_each_read(stream: TcpStream, patience: Duration) {
    let _ = stream.set_read_timeout(Some(patience));
    drained_for_ever(stream, patience);
}

/// Has a deadline, and goes on when no time is left. `set` gets the result of setting a timeout, which can be an error.
fn nothing_left(mut stream: TcpStream, patience: Duration, set: fn(std::io::Result<()>)) {
    let deadline = Instant::now() + patience;
    let _ = stream.shutdown(std::net::Shutdown::Write);
    loop {
        set(stream.set_read_timeout(Some(deadline.saturating_duration_since(Instant::now()))));
        if !stream.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {
            return;
        }
    }
}

pub fn nothing_left_ignored(stream: TcpStream, patience: Duration) {
    nothing_left(stream, patience, drop);
}

pub fn nothing_left_unwrapped(stream: TcpStream, patience: Duration) {
    nothing_left(stream, patience, |timeout| timeout.unwrap());
}

/// Reads on after the end of the stream until its time is over.
pub fn drain_spins(mut stream: TcpStream, patience: Duration) {
    let deadline = Instant::now() + patience;
    let _ = stream.shutdown(std::net::Shutdown::Write);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() || stream.read(&mut [0; 4096]).is_err() {
            return;
        }
        // A learner's loop would not pause; here other tests need the processor too.
        std::thread::sleep(Duration::from_millis(1));
    }
}
