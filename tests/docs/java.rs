//! The Java of the appendix: it compiles, and its server sends a client the same replies as ours.

use super::support::program::Program;
use super::support::{BINARY, CLOSE, Client, PING, TEXT, close_frame, frame, header, request};
use super::{at, files};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// A child process that ends with the test, however the test ends.
pub(super) struct Ended(pub(super) Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn is_installed(program: &str) -> bool {
    let asked = Command::new(program).arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

/// Returns a server's replies: the accept key, and then all bytes up to its FIN.
fn converse(address: SocketAddr, frames: &[u8]) -> (String, Vec<u8>) {
    let mut client = Client::tcp(address);
    client.send([request("/echo").as_bytes(), frames].concat());
    let head = client.read_head();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let accept = header(&head, "Sec-WebSocket-Accept").expect("the key's answer").to_owned();
    (accept, client.read_to_end())
}

#[test]
fn the_java_server_says_what_ours_says() {
    if !is_installed("javac") || !is_installed("java") {
        eprintln!("not tested: javac and java are not installed, so nobody has compiled docs/java");
        return;
    }
    let classes = at("target/java");
    let sources = files("docs/java").into_iter().filter(|path| path.ends_with(".java")).map(|path| at(&path));
    let compiled = Command::new("javac").args(["-Xlint:all", "-Werror", "-d"]).arg(&classes).args(sources).output();
    let compiled = compiled.unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let mut java = Command::new("java");
    java.args(["-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp"]).arg(&classes).args(["EchoServer", "0"]);
    let mut java = Ended(java.stdout(Stdio::piped()).spawn().unwrap());
    let mut first_line = String::new();
    BufReader::new(java.0.stdout.take().unwrap()).read_line(&mut first_line).unwrap();
    let theirs = first_line.trim().rsplit(' ').next().unwrap().parse().unwrap();
    says_what_ours_says(theirs);
}

/// Holds the same conversations with a server of the appendix and with ours, and compares the replies.
pub(super) fn says_what_ours_says(theirs: SocketAddr) {
    let program = Program::start(&[]);
    let ours = program.address;

    let bye = close_frame(1000, "bye");
    for frames in [
        [frame(TEXT, b"Hello"), frame(PING, b"are you there"), bye.clone()].concat(),
        [frame(BINARY, &[7; 126]), frame(BINARY, &[7; 70_000]), frame(CLOSE, b"")].concat(),
        [frame(0x01, b"Hel"), frame(PING, b""), frame(0x80, b"lo"), frame(TEXT, "grün".as_bytes()), bye].concat(),
    ] {
        assert_eq!(converse(theirs, &frames), converse(ours, &frames));
    }
    // A protocol violation gets the same code; each server words the reason in its own way.
    for frames in [
        b"\x81\x05Hello".to_vec(),
        frame(0xC1, b""),
        frame(0x80, b""),
        frame(TEXT, b"\xFF"),
        frame(CLOSE, b"\x03"),
        close_frame(1005, ""),
        b"\x82\xFE\x00\x7D\0\0\0\0".to_vec(),
        [&[BINARY, 0xFF, 0x40][..], &[0; 11]].concat(),
    ] {
        let [theirs, ours] = [theirs, ours].map(|address| converse(address, &frames).1);
        assert_eq!((theirs[0], &theirs[2..4]), (ours[0], &ours[2..4]), "{frames:02x?}");
    }
    // A refusal has the same status, and the same headers that say what the client should do instead.
    for (old, new) in [
        ("Version: 13", "Version: 8"),
        ("Upgrade: websocket\r\n", ""),
        ("GET ", "POST "),
        ("Connection: Upgrade\r\n", ""),
        ("dGhlIHNhbXBsZSBub25jZQ==", "short"),
    ] {
        let request = request("/echo").replace(old, new);
        assert_eq!(refusal(theirs, &request), refusal(ours, &request), "{request}");
    }
}

/// Returns the status of a refusal, and whether it has the headers that a 405 and a 426 need (RFC 9110 §15.5.6,
/// §15.5.22; §4.4).
fn refusal(address: SocketAddr, request: &str) -> (String, [bool; 4]) {
    let mut client = Client::tcp(address);
    client.send(request.as_bytes());
    let head = client.read_head();
    let status = head.lines().next().unwrap_or_default().to_owned();
    let says = |name: &str, word: &str| {
        let words = header(&head, name).unwrap_or_default().split(',').map(str::trim);
        words.clone().any(|element| element == word)
    };
    let needed =
        [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"), ("Allow", "GET")];
    (status, needed.map(|(name, word)| says(name, word)))
}
