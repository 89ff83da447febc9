//! Wrong answers before the server and beyond it: an echo over TCP, compression, and a client.

use crate::checks::inflate::Inflate;
use crate::checks::random::random_bytes;
use crate::checks::subject::{Deflated, MY_SERVER};
use crate::checks::words::TEXT;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// Sends back the bytes of each read as `change` returns them.
pub fn echo(listener: TcpListener, change: fn(&[u8]) -> Vec<u8>) {
    for stream in listener.incoming().flatten() {
        thread::spawn(move || serve(stream, change));
    }
}

fn serve(mut stream: TcpStream, change: fn(&[u8]) -> Vec<u8>) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            count => stream.write_all(&change(&buffer[..count]))?,
        }
    }
}

pub fn reads_once(listener: TcpListener) {
    let mut kept = Vec::new();
    for mut stream in listener.incoming().flatten() {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).unwrap_or(0);
        let _ = stream.write_all(&buffer[..count]);
        kept.push(stream);
    }
}

pub fn one_after_the_other(listener: TcpListener) {
    for stream in listener.incoming().flatten() {
        let _ = serve(stream, <[u8]>::to_vec);
    }
}

pub fn end_ignored(listener: TcpListener) {
    for mut stream in listener.incoming().flatten() {
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count) = stream.read(&mut buffer) {
                let _ = stream.write_all(&buffer[..count]);
                // A learner's loop would not pause; here other tests need the processor too.
                thread::sleep(std::time::Duration::from_millis(1));
            }
        });
    }
}

pub fn agree_if(taken: bool) -> Option<String> {
    taken.then(|| (MY_SERVER.agree)("permessage-deflate").expect("a plain offer"))
}

/// Clears RSV1 in the buffer, if `for_which` accepts the first byte.
pub fn clears_rsv1(buffer: &mut Vec<u8>, limit: usize, for_which: fn(u8) -> bool) -> Deflated {
    match buffer.first() {
        Some(&first) if for_which(first) => {
            buffer[0] = first & 0xBF;
            Ok((MY_SERVER.take_frame)(buffer, limit)?.map(|frame| (frame, first & 0x40 != 0)))
        }
        _ => (MY_SERVER.take_deflated)(buffer, limit),
    }
}

pub fn all_rsv_bits(buffer: &mut Vec<u8>, limit: usize) -> Deflated {
    if let Some(first) = buffer.first_mut() {
        *first &= 0xCF;
    }
    (MY_SERVER.take_deflated)(buffer, limit)
}

pub fn tail_forgotten(payload: &[u8], _: usize) -> Result<Vec<u8>, u16> {
    let pieces: Result<Vec<Vec<u8>>, _> = Inflate::new(payload).collect();
    pieces.map(|pieces| pieces.concat()).map_err(|_| 1007)
}

pub fn limit_afterwards(payload: &[u8], limit: usize) -> Result<Vec<u8>, u16> {
    let all = (MY_SERVER.inflate_message)(payload, usize::MAX)?;
    (MY_SERVER.check_size)(0, all.len() as u64, limit).map(|()| all)
}

pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// Returns a random key and the other headers.
pub fn random_key(host: &str) -> String {
    format!("{}\r\nHost: {host}\r\nSec-WebSocket-Version: 13", STANDARD.encode(random_bytes::<16>()))
}

/// Sends a client's request. `key` is the key and the other headers.
pub fn send_request(stream: &mut TcpStream, path: &str, key: &str) -> io::Result<()> {
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    )
}

/// Reads until `is_whole` returns true for the bytes received. `None`: the stream ended before.
pub fn reply_until(stream: &mut TcpStream, is_whole: impl Fn(&[u8]) -> bool) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    while !is_whole(&bytes) {
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer)? {
            0 => return Ok(None),
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
    Ok(Some(bytes))
}

/// Returns where the first blank line begins.
pub fn blank_line(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n")
}

#[derive(Clone, Copy, PartialEq)]
pub enum Asks {
    All,
    WithCase,
    Status,
    Accept,
    StatusAndAccept,
}

/// Opens a connection. `key` is the key and further headers; `asks` says which part of the reply is checked.
pub fn open(stream: &mut TcpStream, path: &str, key: &str, asks: Asks) -> io::Result<Option<Vec<u8>>> {
    send_request(stream, path, key)?;
    let Some(mut bytes) = reply_until(stream, |bytes| blank_line(bytes).is_some())? else { return Ok(None) };
    let end = blank_line(&bytes).expect("a blank line") + 4;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.starts_with("HTTP/1.1 101 ");
    let key = key.split("\r\n").next().unwrap_or_default();
    let mut headers = head.split("\r\n").filter_map(|line| line.split_once(": "));
    let accept = headers
        .any(|(name, value)| name.eq_ignore_ascii_case("Sec-WebSocket-Accept") && value == (MY_SERVER.accept_key)(key));
    let good = match asks {
        Asks::All | Asks::StatusAndAccept => status && accept,
        Asks::WithCase => status && accept && head.contains("Upgrade: websocket"),
        Asks::Status => status,
        Asks::Accept => accept,
    };
    Ok(good.then(|| bytes.split_off(end)))
}

/// Sends a text, always with the same key if `same_key` is set, and accepts masked frames too.
pub fn say(stream: &mut TcpStream, buffer: &mut Vec<u8>, text: &str, same_key: bool) -> io::Result<Option<String>> {
    if same_key {
        let mut copy = stream.try_clone()?;
        copy.write_all(&(MY_SERVER.mask_frame)(TEXT, text.as_bytes(), [1, 2, 3, 4]))?;
        return next_text(stream, buffer);
    }
    stream.write_all(&(MY_SERVER.mask_frame)(TEXT, text.as_bytes(), random_bytes()))?;
    next_text(stream, buffer)
}

fn next_text(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<String>> {
    loop {
        if let Ok(Some(header)) = (MY_SERVER.decode_header)(buffer) {
            let start = header.size + if header.masked { 4 } else { 0 };
            let end = start + header.length as usize;
            if buffer.len() >= end {
                let payload = buffer[start..end].to_vec();
                buffer.drain(..end);
                match header.opcode {
                    9 => stream.write_all(&(MY_SERVER.mask_frame)(10, &payload, random_bytes()))?,
                    8 => return Ok(None),
                    1 => return Ok(Some(String::from_utf8_lossy(&payload).into_owned())),
                    _ => {}
                }
                continue;
            }
        }
        let mut bytes = [0; 4096];
        match stream.read(&mut bytes)? {
            0 => return Ok(None),
            count => buffer.extend_from_slice(&bytes[..count]),
        }
    }
}
