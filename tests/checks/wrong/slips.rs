//! Slips that were found in walks through the exercises, and by mutations of a finished solution.

use crate::checks::inflate::Inflate;
use crate::checks::random::random_bytes;
use crate::checks::subject::{Assembler, Deflated, MY_SERVER, Opened, ReadOutcome, Shaken};
use crate::checks::words::{CONTINUATION, Frame, Head, PING, PONG, Request, Settings, TEXT, Verdict};
use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// Serves at most `threads` clients at once, as a pool of threads does.
fn pool(listener: TcpListener, threads: usize, serve: impl Fn(TcpStream) + Send + Sync + 'static) {
    let shared = Arc::new((Mutex::new(threads), Condvar::new(), serve));
    for stream in listener.incoming().flatten() {
        let (free, freed, _) = &*shared;
        *freed.wait_while(free.lock().unwrap(), |free| *free == 0).unwrap() -= 1;
        let shared = Arc::clone(&shared);
        thread::spawn(move || {
            let (free, freed, serve) = &*shared;
            serve(stream);
            *free.lock().unwrap() += 1;
            freed.notify_one();
        });
    }
}

pub fn echo_in_a_pool(listener: TcpListener) {
    pool(listener, 3, |mut stream| {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            let _ = stream.write_all(&buffer[..count]);
        }
    });
}

pub fn echo_of_full_arrays(listener: TcpListener) {
    for mut stream in listener.incoming().flatten() {
        thread::spawn(move || {
            let mut buffer = [0; 1024];
            while stream.read_exact(&mut buffer).is_ok() {
                let _ = stream.write_all(&buffer);
            }
        });
    }
}

pub fn echo_at_the_end(listener: TcpListener) {
    for mut stream in listener.incoming().flatten() {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = stream.read_to_end(&mut bytes);
            let _ = stream.write_all(&bytes);
        });
    }
}

pub fn run_in_a_pool(listener: TcpListener, settings: Settings) {
    pool(listener, 3, move |stream| (MY_SERVER.serve_client)(stream, &settings));
}

/// Finds a header, such as `Host`, under a name that only resembles its own.
pub fn renamed(request: &Request, from: &str, to: &str) -> Result<String, u16> {
    let mut request = request.clone();
    for (name, _) in request.headers.iter_mut().filter(|(name, _)| name == from) {
        *name = to.to_owned();
    }
    (MY_SERVER.answer)(&request)
}

/// Accepts a header without the token that it should have.
pub fn any_token(request: &Request, header: &str, token: &str) -> Result<String, u16> {
    let mut request = request.clone();
    for (_, value) in request.headers.iter_mut().filter(|(name, _)| name == header) {
        *value = token.to_owned();
    }
    (MY_SERVER.answer)(&request)
}

/// Adds a missing header, and so never refuses a request without it.
pub fn not_asked(request: &Request, header: &str, value: &str) -> Result<String, u16> {
    let mut request = request.clone();
    if !request.headers.iter().any(|(name, _)| name == header) {
        request.headers.push((header.to_owned(), value.to_owned()));
    }
    (MY_SERVER.answer)(&request)
}

pub fn trimmed_at_its_start(request: &Request) -> Result<String, u16> {
    let value = |name: &str| request.headers.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value);
    if value("Connection").contains("Upgrade ,") { Err(400) } else { (MY_SERVER.answer)(request) }
}

pub fn first_of_upgrade_only(request: &Request) -> Result<String, u16> {
    let value = |name: &str| request.headers.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value);
    if value("Upgrade").starts_with("h2c,") { Err(426) } else { (MY_SERVER.answer)(request) }
}

/// Writes the high byte twice.
pub fn high_byte_twice(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let [_, second, high, low, ..] = &mut bytes[..]
        && *second & 0x7F == 126
    {
        *low = *high;
    }
    bytes
}

/// Never closes a message of several fragments, and never opens one of a single frame.
pub fn open_after_fragments(limit: usize) -> Assembler {
    let mut real = (MY_SERVER.assembler)(limit);
    let mut open = false;
    Box::new(move |frame| {
        if matches!(frame.opcode, 1 | 2) && open {
            return Err(1002);
        }
        open |= frame.opcode == CONTINUATION && frame.fin;
        real(frame)
    })
}

/// Refuses a broken rule with another code.
pub fn other_code(limit: usize) -> Assembler {
    let mut real = (MY_SERVER.assembler)(limit);
    Box::new(move |frame| real(frame).map_err(|code| if code == 1002 { 1003 } else { code }))
}

pub fn pong_of_text(frame: &Frame) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(&frame.payload).into_owned();
    (MY_SERVER.answer_ping)(frame).map(|_| (MY_SERVER.encode_frame)(PONG, text.as_bytes()))
}

pub fn signed_sizes(so_far: usize, more: u64, limit: usize) -> Result<(), u16> {
    if more as i64 > (limit as i64).wrapping_sub(so_far as i64) { Err(1009) } else { Ok(()) }
}

/// Adds a fragment, and then asks whether it fits once more.
pub fn counted_twice(limit: usize) -> Assembler {
    let mut real = (MY_SERVER.assembler)(limit);
    let mut length = 0;
    Box::new(move |frame| {
        if frame.opcode < 8 {
            length = if frame.opcode == CONTINUATION { length } else { 0 } + frame.payload.len();
            (MY_SERVER.check_size)(length.min(limit), frame.payload.len() as u64, limit)?;
        }
        real(frame)
    })
}

/// Subtracts with a bound at 0, so that nothing panics.
pub fn buffer_counted(buffer: &mut Vec<u8>, limit: usize) -> Result<Option<Frame>, u16> {
    let left = limit.saturating_sub(buffer.len());
    match (MY_SERVER.decode_header)(buffer)? {
        Some(header) if header.length > left as u64 => Err(1009),
        _ => (MY_SERVER.take_frame)(buffer, limit),
    }
}

/// Reads each byte of a code as Java does, from -128 to 127.
pub fn signed_bytes(payload: &[u8]) -> Vec<u8> {
    match payload {
        [high, low, reason @ ..] => {
            let code = ((i16::from(*high as i8) << 8) | i16::from(*low as i8)).to_be_bytes();
            (MY_SERVER.answer_close)(&[&code[..], reason].concat())
        }
        _ => (MY_SERVER.answer_close)(payload),
    }
}

pub fn sleeps(stream: TcpStream, patience: Duration) {
    let _ = stream.shutdown(std::net::Shutdown::Write);
    thread::sleep(patience);
}

pub fn pinged_first(silent: Duration, pinged: Option<Duration>, settings: &Settings) -> Verdict {
    match pinged {
        Some(since) if since >= settings.pong_timeout => Verdict::Drop,
        _ => (MY_SERVER.verdict)(silent, pinged, settings),
    }
}

pub fn first_piece_alone(payload: &[u8], _: usize) -> Result<Vec<u8>, u16> {
    let bytes = [payload, &[0, 0, 0xFF, 0xFF]].concat();
    Inflate::new(&bytes).next().map_or(Ok(Vec::new()), |piece| piece.map(|piece| piece.to_vec()).map_err(|_| 1007))
}

pub fn first_byte_unasked(buffer: &mut Vec<u8>, limit: usize) -> Deflated {
    let _ = buffer[0];
    (MY_SERVER.take_deflated)(buffer, limit)
}

/// A client that accepts each reply for which `is_good` returns true; it gets the head and the right accept value.
pub fn open(stream: &mut TcpStream, host: &str, path: &str, is_good: fn(&str, &str) -> bool) -> Opened {
    let key = super::beyond::random_key(host);
    super::beyond::send_request(stream, path, &key)?;
    let whole = |bytes: &[u8]| super::beyond::blank_line(bytes).is_some();
    let Some(mut bytes) = super::beyond::reply_until(stream, whole)? else { return Ok(None) };
    let at = super::beyond::blank_line(&bytes).expect("a blank line");
    let head = String::from_utf8_lossy(&bytes[..at]).to_lowercase();
    let accept = (MY_SERVER.accept_key)(key.split("\r\n").next().unwrap_or_default());
    let exact = String::from_utf8_lossy(&bytes[..at]).contains(&format!("sec-websocket-accept: {accept}"));
    Ok((exact && is_good(&head, &accept)).then(|| bytes.split_off(at + 4)))
}

/// Returns the value of a header; the head is in lower case.
pub fn value<'a>(head: &'a str, name: &str) -> &'a str {
    let mut headers = head.split("\r\n").filter_map(|line| line.split_once(':'));
    headers.find(|(came, _)| *came == name).map_or("", |(_, value)| value.trim())
}

/// Does what `value` does, and is content with the end of a name.
pub fn value_by_suffix<'a>(head: &'a str, name: &str) -> &'a str {
    let mut headers = head.split("\r\n").filter_map(|line| line.split_once(':'));
    headers.find(|(came, _)| came.ends_with(name)).map_or("", |(_, value)| value.trim())
}

/// A client that takes the last blank line for the end of the head.
pub fn last_blank_line(stream: &mut TcpStream, host: &str, path: &str) -> Opened {
    let opened = (MY_SERVER.open)(stream, host, path)?;
    Ok(opened.map(|rest| if rest.ends_with(b"\r\n\r\n") { Vec::new() } else { rest }))
}

/// Leaves the returned frame in the buffer, where the next call finds it again.
pub fn say_and_keep(stream: &mut TcpStream, buffer: &mut Vec<u8>, text: &str) -> io::Result<Option<String>> {
    let said = (MY_SERVER.say)(stream, buffer, text)?;
    if let Some(text) = &said {
        buffer.splice(..0, (MY_SERVER.encode_frame)(TEXT, text.as_bytes()));
    }
    Ok(said)
}

/// Takes the bytes of one read for the whole answer.
pub fn say_with_one_read(stream: &mut TcpStream, buffer: &mut Vec<u8>, text: &str) -> io::Result<Option<String>> {
    stream.write_all(&(MY_SERVER.mask_frame)(TEXT, text.as_bytes(), random_bytes()))?;
    loop {
        if buffer.is_empty() {
            let mut bytes = [0; 4096];
            let count = stream.read(&mut bytes)?;
            buffer.extend_from_slice(&bytes[..count]);
        }
        let Ok(Some(header)) = (MY_SERVER.decode_header)(buffer) else { return Ok(Some(String::new())) };
        let end = buffer.len().min(header.size + header.length as usize);
        let payload = buffer[header.size..end].to_vec();
        buffer.drain(..end);
        match header.opcode {
            PING => stream.write_all(&(MY_SERVER.mask_frame)(PONG, &payload, random_bytes()))?,
            TEXT => return Ok(Some(String::from_utf8_lossy(&payload).into_owned())),
            _ => {}
        }
    }
}

pub fn version_in_a_list(request: &Request) -> Result<String, u16> {
    let mut request = request.clone();
    for (name, value) in &mut request.headers {
        if name == "Sec-WebSocket-Version" && value.split(',').any(|element| element.trim() == "13") {
            *value = "13".to_owned();
        }
    }
    (MY_SERVER.answer)(&request)
}

/// Keeps whole arrays although a read fills only their beginning, and drops the bytes after the head.
pub fn zeros_and_no_rest(stream: &mut TcpStream) -> Shaken {
    let mut bytes = Vec::new();
    loop {
        let mut array = [0; 1024];
        if stream.read(&mut array)? == 0 {
            return Ok(None);
        }
        // The exercise's own parser takes a zero for a character as any other; the real one does not.
        bytes.extend(array.map(|byte| if byte == 0 { b'x' } else { byte }));
        match (MY_SERVER.parse_request)(&bytes) {
            Head::Complete { request, .. } => {
                let reply = (MY_SERVER.answer)(&request);
                let refusal = |status| format!("HTTP/1.1 {status} \r\n\r\n");
                stream.write_all(reply.as_ref().map_or_else(refusal, String::clone).as_bytes())?;
                return Ok(reply.is_ok().then(|| (request, Vec::new())));
            }
            Head::Refused(status) => {
                stream.write_all(format!("HTTP/1.1 {status} \r\n\r\n").as_bytes())?;
                return Ok(None);
            }
            Head::Incomplete => {}
        }
    }
}

pub fn markers_exchanged(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = (MY_SERVER.encode_frame)(opcode, payload);
    frame[1] = match frame[1] {
        126 => 127,
        127 => 126,
        length => length,
    };
    frame
}

pub fn always_eight_bytes(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len() as u64;
    match length {
        126.. => [&[0x80 | opcode, 127][..], &length.to_be_bytes(), payload].concat(),
        _ => (MY_SERVER.encode_frame)(opcode, payload),
    }
}

pub fn header_counted(buffer: &mut Vec<u8>, limit: usize) -> Result<Option<Frame>, u16> {
    match (MY_SERVER.decode_header)(buffer)? {
        Some(header) if header.length.saturating_add(header.size as u64) > limit as u64 => Err(1009),
        _ => (MY_SERVER.take_frame)(buffer, limit),
    }
}

pub fn unwraps_the_shutdown(stream: TcpStream, patience: Duration) {
    // On some systems the shutdown itself succeeds after a reset.
    let gone = stream.take_error().is_ok_and(|error| error.is_some()) || stream.peer_addr().is_err();
    assert!(!gone, "called `Result::unwrap()` on an `Err` value");
    (MY_SERVER.hang_up)(stream, patience);
}

pub fn error_ignored(stream: TcpStream, patience: Duration) {
    let gone = stream.peer_addr().is_err();
    (MY_SERVER.hang_up)(stream, patience);
    if gone {
        thread::sleep(patience);
    }
}

/// Keeps an array for its bytes alone where a frame is complete, and with its zeros where it is not.
pub fn zeros_in_the_buffer(stream: &mut TcpStream, buffer: &mut Vec<u8>, limit: usize) -> ReadOutcome {
    let mut bytes = [0; 4096];
    let count = if buffer.is_empty() { stream.read(&mut bytes)? } else { 0 };
    buffer.extend_from_slice(&bytes[..if count > 0 && count < 11 { 64 } else { count }]);
    (MY_SERVER.read_frame)(stream, buffer, limit)
}

/// Has a limit for the characters of a head.
pub fn limit_in_characters(bytes: &[u8]) -> Head {
    let text: Vec<u8> =
        String::from_utf8_lossy(bytes).chars().map(|char| if char.is_ascii() { char as u8 } else { b'x' }).collect();
    match (MY_SERVER.parse_request)(&text) {
        Head::Complete { request, .. } if bytes.len() > text.len() => Head::Complete { request, length: bytes.len() },
        _ => (MY_SERVER.parse_request)(bytes),
    }
}

/// Joins the values of headers with the same name.
pub fn names_joined(bytes: &[u8]) -> Head {
    super::handshake::change_request(bytes, |request| {
        let mut joined: Vec<(String, String)> = Vec::new();
        for (name, value) in request.headers.drain(..) {
            match joined.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known += &format!(", {value}"),
                None => joined.push((name, value)),
            }
        }
        request.headers = joined;
    })
}

/// Splits lists at another character too.
pub fn split_at(request: &Request, separator: char) -> Result<String, u16> {
    let mut request = request.clone();
    for (_, value) in request.headers.iter_mut().filter(|(name, _)| name == "Connection") {
        *value = value.replace(separator, ",");
    }
    (MY_SERVER.answer)(&request)
}

pub fn body_promised(stream: &mut TcpStream) -> Shaken {
    let mut bytes = Vec::new();
    loop {
        match (MY_SERVER.parse_request)(&bytes) {
            Head::Complete { ref request, .. } if (MY_SERVER.answer)(request).is_err() => {
                stream.write_all(b"HTTP/1.1 426 \r\nContent-Length: 2\r\n\r\n")?;
                return Ok(None);
            }
            Head::Complete { request, length } => {
                stream.write_all((MY_SERVER.answer)(&request).unwrap_or_default().as_bytes())?;
                return Ok(Some((request, bytes.split_off(length))));
            }
            _ => {}
        }
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer)? {
            0 => return Ok(None),
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}

/// Takes a control frame as if it were masked.
pub fn mask_asked_of_data(buffer: &mut Vec<u8>, limit: usize) -> Result<Option<Frame>, u16> {
    match buffer[..] {
        [first, second, ..] if first & 0x08 != 0 && second & 0x80 == 0 => {
            buffer[1] |= 0x80;
            let taken = (MY_SERVER.take_frame)(buffer, limit);
            if taken == Ok(None) {
                buffer[1] = second;
            }
            taken
        }
        _ => (MY_SERVER.take_frame)(buffer, limit),
    }
}

pub fn byte_order_mark_cut(limit: usize) -> Assembler {
    let mut real = (MY_SERVER.assembler)(limit);
    Box::new(move |frame| {
        let mut taken = real(frame)?;
        if let Some(message) = &mut taken
            && message.payload.starts_with("\u{FEFF}".as_bytes())
        {
            message.payload.drain(..3);
        }
        Ok(taken)
    })
}

/// Asks the limit of continuations alone.
pub fn first_frame_unasked(limit: usize) -> Assembler {
    let mut real = (MY_SERVER.assembler)(usize::MAX);
    let mut length = 0;
    Box::new(move |frame| {
        if frame.opcode < 8 {
            length = if frame.opcode == CONTINUATION { length } else { 0 } + frame.payload.len();
        }
        if frame.opcode == CONTINUATION && length > limit { Err(1009) } else { real(frame) }
    })
}

/// Drains some bytes, and no more.
pub fn drains_a_little(mut stream: TcpStream, _: Duration) {
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
    let (mut drained, mut buffer) = (0, [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        drained += count;
        if drained >= 64 << 10 {
            return;
        }
    }
}

pub fn one_more_close(mut stream: TcpStream, patience: Duration) {
    let _ = stream.write_all(b"\x88\x00");
    (MY_SERVER.hang_up)(stream, patience);
}

/// Returns the next data frame of any kind.
pub fn any_frame_as_text(stream: &mut TcpStream, buffer: &mut Vec<u8>, text: &str) -> io::Result<Option<String>> {
    if buffer.is_empty() {
        // The checks answer with all at once, or with a Ping first, which the real one answers.
        stream.write_all(&(MY_SERVER.mask_frame)(TEXT, text.as_bytes(), random_bytes()))?;
        let mut bytes = [0; 4096];
        let count = stream.read(&mut bytes)?;
        buffer.extend_from_slice(&bytes[..count]);
        return next_frame(stream, buffer);
    }
    (MY_SERVER.say)(stream, buffer, text)
}

fn next_frame(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<String>> {
    while let Ok(Some(header)) = (MY_SERVER.decode_header)(buffer) {
        let end = header.size + header.length as usize;
        let payload = buffer[header.size..end].to_vec();
        buffer.drain(..end);
        match header.opcode {
            PING => stream.write_all(&(MY_SERVER.mask_frame)(PONG, &payload, random_bytes()))?,
            _ => return Ok(Some(String::from_utf8_lossy(&payload).into_owned())),
        }
    }
    Ok(None)
}

/// Repairs a text.
pub fn text_repaired(stream: &mut TcpStream, buffer: &mut Vec<u8>, text: &str) -> io::Result<Option<String>> {
    match (MY_SERVER.say)(stream, buffer, text) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData && buffer.is_empty() => {
            Ok(Some("\u{FFFD}".to_owned()))
        }
        said => said,
    }
}

/// Takes one read for the whole reply.
pub fn one_read_of_the_reply(stream: &mut TcpStream, host: &str, path: &str) -> Opened {
    let key = super::beyond::random_key(host);
    super::beyond::send_request(stream, path, &key)?;
    let count = stream.read(&mut [0; 4096])?;
    Ok((count > 0).then(Vec::new))
}

thread_local! {
    /// The Assembler that all clients of a thread share, and for which limit it is.
    static SHARED: RefCell<Option<Assembler>> = const { RefCell::new(None) };
}

/// A new Assembler begins with nothing, and takes the memory of the one before it.
pub fn state_shared(limit: usize) -> Assembler {
    SHARED.set(Some((MY_SERVER.assembler)(limit)));
    Box::new(|frame| SHARED.with_borrow_mut(|shared| shared.as_mut().map_or(Ok(None), |real| real(frame))))
}

/// Asks a socket that never waits again and again.
pub fn hangs_up_and_spins(mut stream: TcpStream, patience: Duration) {
    let deadline = std::time::Instant::now() + patience;
    let _ = stream.shutdown(std::net::Shutdown::Write);
    stream.set_nonblocking(true).unwrap();
    while std::time::Instant::now() < deadline {
        match stream.read(&mut [0; 4096]) {
            Ok(0) => return,
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return,
            _ => {}
        }
    }
}

/// Sets the timeout of its reads once.
pub fn timeout_set_once(mut stream: TcpStream, patience: Duration) {
    let deadline = std::time::Instant::now() + patience;
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = stream.set_read_timeout(Some(patience));
    while std::time::Instant::now() < deadline && stream.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {}
}
pub fn echo_with_a_timeout(listener: TcpListener) {
    for mut stream in listener.incoming().flatten() {
        let _ = stream.set_read_timeout(Some(Duration::from_millis(300)));
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                let _ = stream.write_all(&buffer[..count]);
            }
        });
    }
}

/// Decodes the key, and takes every key for base64.
pub fn key_unwrapped(request: &Request) -> Result<String, u16> {
    let key = request.headers.iter().find(|(name, _)| name == "Sec-WebSocket-Key").map_or("", |(_, value)| value);
    assert!(super::handshake::is_base64(key), "called `Result::unwrap()` on an `Err` value");
    (MY_SERVER.answer)(request)
}

/// Empties the buffer after a frame, and with it the frames that have arrived together with this one.
pub fn say_and_clear(stream: &mut TcpStream, buffer: &mut Vec<u8>, text: &str) -> io::Result<Option<String>> {
    say_with_a_loop(stream, buffer, text, |buffer, _| buffer.clear(), false)
}

/// Reads before each look into the buffer.
pub fn say_and_read_first(stream: &mut TcpStream, buffer: &mut Vec<u8>, text: &str) -> io::Result<Option<String>> {
    say_with_a_loop(stream, buffer, text, |buffer, end| drop(buffer.drain(..end)), true)
}

fn say_with_a_loop(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    text: &str,
    remove: fn(&mut Vec<u8>, usize),
    reads_first: bool,
) -> io::Result<Option<String>> {
    stream.write_all(&(MY_SERVER.mask_frame)(TEXT, text.as_bytes(), random_bytes()))?;
    loop {
        // The frames of these checks arrive whole.
        if buffer.is_empty() || reads_first {
            let mut bytes = [0; 4096];
            let count = stream.read(&mut bytes)?;
            buffer.extend_from_slice(&bytes[..count]);
        }
        let Ok(Some(header)) = (MY_SERVER.decode_header)(buffer) else { return Ok(None) };
        let end = header.size + header.length as usize;
        let payload = buffer[header.size..end].to_vec();
        remove(buffer, end);
        match header.opcode {
            PING => stream.write_all(&(MY_SERVER.mask_frame)(PONG, &payload, random_bytes()))?,
            TEXT => return Ok(Some(String::from_utf8_lossy(&payload).into_owned())),
            _ => {}
        }
    }
}

/// Empties the buffer before each read, unless there is a whole frame in it.
pub fn earlier_bytes_lost(stream: &mut TcpStream, buffer: &mut Vec<u8>, limit: usize) -> ReadOutcome {
    loop {
        if let Some(frame) = (MY_SERVER.take_frame)(buffer, limit)? {
            return Ok(Some(frame));
        }
        buffer.clear();
        let mut bytes = vec![0; 1 << 20];
        match stream.read(&mut bytes)? {
            0 => return Ok(None),
            count => buffer.extend_from_slice(&bytes[..count]),
        }
    }
}
