//! The real server, with a meddler between it and the client, who changes the server's frames.

use crate::checks::subject::MY_SERVER;
use crate::checks::words::Settings;
use crate::my_server::frame::decode_header;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

/// Takes a frame from the server, and returns the bytes for the client.
pub type Change = fn(Vec<u8>) -> Vec<u8>;

/// Leaves out the frames whose first byte is this one.
pub const fn without(first: u8) -> Change {
    match first {
        0x88 => |frame| if frame[0] == 0x88 { Vec::new() } else { frame },
        _ => |frame| if frame[0] == 0x8A { Vec::new() } else { frame },
    }
}

pub fn without_fault_codes(frame: Vec<u8>) -> Vec<u8> {
    if matches!(frame[..], [0x88, _, 0x03, 0xEA | 0xEF | 0xF1, ..]) { Vec::new() } else { frame }
}

pub fn masked(frame: Vec<u8>) -> Vec<u8> {
    let size = decode_header(&frame).unwrap().unwrap().size;
    let mut frame = frame;
    frame[1] |= 0x80;
    frame.splice(size..size, [0; 4]);
    frame
}

pub fn talks_on(frame: Vec<u8>) -> Vec<u8> {
    if frame == b"\x88\x02\x03\xE8" { [&frame[..], b"\x81\x04late"].concat() } else { frame }
}

pub fn code_1005(frame: Vec<u8>) -> Vec<u8> {
    if frame[..2] == *b"\x88\x00" { b"\x88\x02\x03\xED".to_vec() } else { frame }
}

pub fn serve(client: TcpStream, settings: &Settings, change: Change) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, settings) = (listener.accept().unwrap().0, settings.clone());
    thread::spawn(move || (MY_SERVER.serve_client)(stream, &settings));
    between(&client, &server, change);
}

pub fn run(listener: TcpListener, settings: Settings, change: Change) {
    for stream in listener.incoming().flatten() {
        let settings = settings.clone();
        thread::spawn(move || serve(stream, &settings, change));
    }
}

/// Carries bytes in both directions; the server's frames go through `change`.
fn between(mut client: &TcpStream, mut server: &TcpStream, change: Change) {
    for stream in [client, server] {
        let _ = stream.set_nodelay(true);
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = std::io::copy(&mut &*client, &mut &*server);
            let _ = server.shutdown(Shutdown::Write);
        });
        let mut unread = Vec::new();
        let mut buffer = [0; 65536];
        let mut after_head = false;
        while let Ok(count @ 1..) = server.read(&mut buffer) {
            unread.extend_from_slice(&buffer[..count]);
            if !after_head && let Some(at) = unread.windows(4).position(|window| window == b"\r\n\r\n") {
                let head: Vec<u8> = unread.drain(..at + 4).collect();
                let _ = client.write_all(&head);
                after_head = true;
            }
            while after_head && let Some(frame) = take(&mut unread) {
                let _ = client.write_all(&change(frame));
            }
        }
        let _ = client.shutdown(Shutdown::Write);
    });
}

fn take(unread: &mut Vec<u8>) -> Option<Vec<u8>> {
    let header = decode_header(unread).unwrap()?;
    let end = header.size + header.length as usize;
    (unread.len() >= end).then(|| unread.drain(..end).collect())
}
