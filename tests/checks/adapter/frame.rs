use crate::checks::words::{Failure, Frame, Header};
use plainsocket::protocol::frame::{self, Opcode};
use plainsocket::{CloseFrame, ProtocolError};
use std::io::Read;
use std::net::TcpStream;

/// Returns the Close code for a protocol error.
pub fn code(error: ProtocolError) -> u16 {
    CloseFrame::from(error).code.get()
}

fn opcode(number: u8) -> Opcode {
    use Opcode::*;
    [Continuation, Text, Binary, Close, Ping, Pong]
        .into_iter()
        .find(|known| *known as u8 == number)
        .expect("a known opcode")
}

pub fn decode_header(bytes: &[u8]) -> Result<Option<Header>, u16> {
    let found = frame::Header::decode(bytes).map_err(code)?;
    Ok(found.map(|(frame::Header { fin, opcode, masked, length, .. }, size)| Header {
        fin,
        opcode: opcode as u8,
        masked,
        length,
        size,
    }))
}

pub fn unmask(payload: &mut [u8], key: [u8; 4]) {
    frame::apply_mask(payload, key, 0);
}

pub fn encode_frame(number: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::encode(opcode(number), payload, &mut out);
    out
}

/// Returns the frame as a client sends it, for the real decoder.
pub fn wire(frame: &Frame) -> Vec<u8> {
    let Frame { fin, opcode: number, payload } = frame;
    let mut out = Vec::new();
    frame::Header { fin: *fin, rsv1: false, opcode: opcode(*number), masked: true, length: payload.len() as u64 }
        .encode(&mut out);
    out.extend([0; 4]);
    out.extend_from_slice(payload);
    out
}

pub fn take_frame(buffer: &mut Vec<u8>, limit: usize) -> Result<Option<Frame>, u16> {
    let Some((header, size)) = frame::Header::decode(buffer).map_err(code)? else { return Ok(None) };
    if !header.masked {
        return Err(code(ProtocolError::Unmasked));
    }
    if header.length > limit as u64 {
        return Err(code(ProtocolError::MessageTooBig(limit)));
    }
    let (start, end) = (size + 4, size + 4 + header.length as usize);
    if buffer.len() < end {
        return Ok(None);
    }
    let key = *buffer[size..].first_chunk().expect("the key is there");
    let mut payload = buffer[start..end].to_vec();
    frame::apply_mask(&mut payload, key, 0);
    buffer.drain(..end);
    Ok(Some(Frame { fin: header.fin, opcode: header.opcode as u8, payload }))
}

pub fn read_frame(stream: &mut TcpStream, buffer: &mut Vec<u8>, limit: usize) -> Result<Option<Frame>, Failure> {
    loop {
        if let Some(frame) = take_frame(buffer, limit)? {
            return Ok(Some(frame));
        }
        let mut bytes = [0; 4096];
        match stream.read(&mut bytes)? {
            0 => return Ok(None),
            count => buffer.extend_from_slice(&bytes[..count]),
        }
    }
}
