use super::accept::accept_key;
use super::frame::{decode_header, encode_frame, unmask};
use crate::checks::random::random_bytes;
use crate::checks::words::{CLOSE, PING, PONG, TEXT};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

pub fn mask_frame(opcode: u8, payload: &[u8], key: [u8; 4]) -> Vec<u8> {
    let mut frame = encode_frame(opcode, payload);
    let start = frame.len() - payload.len();
    frame[1] |= 0x80;
    unmask(&mut frame[start..], key);
    frame.splice(start..start, key);
    frame
}

fn read_more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<bool> {
    let mut bytes = [0; 4096];
    let count = stream.read(&mut bytes)?;
    buffer.extend_from_slice(&bytes[..count]);
    Ok(count > 0)
}

pub fn open(stream: &mut TcpStream, host: &str, path: &str) -> io::Result<Option<Vec<u8>>> {
    let key = STANDARD.encode(random_bytes::<16>());
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )?;
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if !read_more(stream, &mut bytes)? {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let value = |name: &str| {
        let mut headers = head.split("\r\n").filter_map(|line| line.split_once(':'));
        headers.find(|(came, _)| came.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value.trim())
    };
    let good = head.starts_with("HTTP/1.1 101 ")
        && value("Upgrade").eq_ignore_ascii_case("websocket")
        && value("Connection").eq_ignore_ascii_case("upgrade")
        && value("Sec-WebSocket-Accept") == accept_key(&key);
    Ok(good.then(|| bytes.split_off(end)))
}

pub fn say(stream: &mut TcpStream, buffer: &mut Vec<u8>, text: &str) -> io::Result<Option<String>> {
    stream.write_all(&mask_frame(TEXT, text.as_bytes(), random_bytes()))?;
    loop {
        let header = decode_header(buffer).map_err(|_| io::Error::from(ErrorKind::InvalidData))?;
        let Some(header) = header.filter(|header| buffer.len() >= header.size + header.length as usize) else {
            if !read_more(stream, buffer)? {
                return Ok(None);
            }
            continue;
        };
        if header.masked {
            return Err(ErrorKind::InvalidData.into());
        }
        let frame: Vec<u8> = buffer.drain(..header.size + header.length as usize).collect();
        let payload = frame[header.size..].to_vec();
        match header.opcode {
            PING => stream.write_all(&mask_frame(PONG, &payload, random_bytes()))?,
            CLOSE => return Ok(None),
            TEXT => return String::from_utf8(payload).map(Some).map_err(|_| ErrorKind::InvalidData.into()),
            _ => {}
        }
    }
}
