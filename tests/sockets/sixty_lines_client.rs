//! The client in 60 lines from the chapter "The client's side", against the server, and against a peer that breaks
//! rules.

use crate::support::{self, DEADLINE, start_default};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use client::Client;
use plainsocket::protocol::frame::apply_mask;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

/// The program itself: `cargo run --example sixty-lines-client`.
#[allow(dead_code)] // its `main`
#[path = "../../docs/sixty-lines-client.rs"]
pub mod client;

const SOURCE: &str = include_str!("../../docs/sixty-lines-client.rs");

fn connect(address: SocketAddr) -> io::Result<Client> {
    let client = Client::connect(&address.to_string(), "/echo")?;
    client.0.get_ref().set_read_timeout(Some(DEADLINE))?;
    Ok(client)
}

/// A server for one connection: reads the request, and then runs the script of the test with the socket and the key.
fn peer(script: impl FnOnce(TcpStream, String) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(read::<1>(&mut stream)[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let key = support::header(&head, "Sec-WebSocket-Key").expect("a key").to_owned();
        script(stream, key);
    });
    address
}

fn read<const N: usize>(stream: &mut TcpStream) -> [u8; N] {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// The 101 and the frames that follow it, for a single write.
fn upgraded(key: &str, frames: &[u8]) -> Vec<u8> {
    let accept = plainsocket::protocol::upgrade::accept_key(key);
    let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade";
    [format!("{head}\r\nsec-websocket-accept: {accept}\r\n\r\n").as_bytes(), frames].concat()
}

fn peer_that_sends(frames: &'static [u8]) -> SocketAddr {
    peer(move |mut stream, key| stream.write_all(&upgraded(&key, frames)).unwrap())
}

#[test]
fn client_has_sixty_lines_of_code() {
    let (client, _main) = SOURCE.split_once("fn main").unwrap();
    let code = client.lines().filter(|line| !line.is_empty() && !line.trim_start().starts_with("//")).count();
    assert!(code <= 60, "{code} lines");
}

#[test]
fn client_gets_back_messages_of_each_form_of_length() {
    let mut client = connect(start_default()).unwrap();
    for length in [0, 5, 125, 126, 65_535, 65_536, 1_000_000] {
        let text = "a".repeat(length);
        client.send(0x1, text.as_bytes()).unwrap();
        assert!(client.recv().unwrap() == (0x1, text.into_bytes()), "{length} bytes");
    }
    client.send(0x2, &[0xFF]).unwrap();
    assert_eq!(client.recv().unwrap(), (0x2, vec![0xFF]));
}

#[test]
fn client_close_is_answered_with_its_code() {
    let mut client = connect(start_default()).unwrap();
    client.send(0x8, &3000_u16.to_be_bytes()).unwrap();
    assert_eq!(client.recv().unwrap(), (0x8, 3000_u16.to_be_bytes().to_vec()));
    assert_eq!(client.recv().unwrap_err().kind(), ErrorKind::UnexpectedEof, "the server closes TCP (§7.1.1)");
}

#[test]
fn client_draws_a_key_for_each_connection_and_each_frame() {
    let address = peer(|mut stream, key| {
        stream.write_all(&upgraded(&key, b"")).unwrap();
        assert_eq!(BASE64_STANDARD.decode(&key).unwrap().len(), 16);
        let masks: Vec<[u8; 4]> = (0..20)
            .map(|_| {
                assert_eq!(read(&mut stream), [0x81, 0x85]);
                let mask = read::<4>(&mut stream);
                let mut text = read::<5>(&mut stream);
                apply_mask(&mut text, mask, 0);
                assert_eq!(&text, b"Hello");
                mask
            })
            .collect();
        let mut unique = masks.clone();
        unique.sort_unstable();
        unique.dedup();
        // Two of twenty random keys are equal once in 20 million runs.
        assert_eq!(unique.len(), 20, "{masks:02x?}");
        stream.write_all(b"\x81\x04done").unwrap();
    });
    let mut client = connect(address).unwrap();
    for _ in 0..20 {
        client.send(0x1, b"Hello").unwrap();
    }
    assert_eq!(client.recv().unwrap(), (0x1, b"done".to_vec()));
}

#[test]
fn client_answers_a_ping_inside_a_fragmented_message() {
    let address = peer(|mut stream, key| {
        // The 101 and these frames arrive in one read.
        stream.write_all(&upgraded(&key, b"\x01\x03Hel\x89\x02ok\x80\x02lo")).unwrap();
        assert_eq!(read(&mut stream), [0x8A, 0x82]);
        let mask = read::<4>(&mut stream);
        let mut payload = read::<2>(&mut stream);
        apply_mask(&mut payload, mask, 0);
        assert_eq!(&payload, b"ok");
        stream.write_all(b"\x88\x02\x03\xe8").unwrap();
    });
    let mut client = connect(address).unwrap();
    assert_eq!(client.recv().unwrap(), (0x1, b"Hello".to_vec()));
    assert_eq!(client.recv().unwrap(), (0x8, b"\x03\xe8".to_vec()));
}

#[test]
fn client_rejects_another_answer_than_101_and_a_wrong_proof() {
    for reply in ["HTTP/1.1 403 Forbidden\r\n\r\n", "HTTP/1.1 101 Sure\r\nSec-WebSocket-Accept: AAAA\r\n\r\n", ""] {
        let address = peer(move |mut stream, _| stream.write_all(reply.as_bytes()).unwrap());
        let Err(error) = connect(address) else { panic!("connected after {reply:?}") };
        assert_eq!(error.to_string(), reply);
    }
}

#[test]
fn client_rejects_a_masked_frame_and_a_frame_that_ends_early() {
    for (frames, kind) in [
        (&b"\x81\x85\0\0\0\0Hello"[..], ErrorKind::Other),
        (b"\x81\x05Hel", ErrorKind::UnexpectedEof),
        // The header announces four exbibytes, and the client must reserve nothing for them.
        (b"\x82\x7f\x40\0\0\0\0\0\0\0abc", ErrorKind::UnexpectedEof),
    ] {
        let mut client = connect(peer_that_sends(frames)).unwrap();
        assert_eq!(client.recv().unwrap_err().kind(), kind, "{frames:02x?}");
    }
}
