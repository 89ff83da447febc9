//! The Python of the book: the server of the appendix sends a client the same replies as ours, and the chat of the
//! first chapter works in each of its three ways.

use super::at;
use super::java::{Ended, says_what_ours_says};
use super::support::{Client, header, status};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

/// Starts the program and returns its address, or returns nothing on a machine without Python.
fn start(script: &str) -> Option<(Ended, SocketAddr)> {
    let version = Command::new("python3").arg("--version").stdout(Stdio::null()).status();
    if !version.is_ok_and(|status| status.success()) {
        eprintln!("not tested: python3 is not installed, so nobody has run {script}");
        return None;
    }
    let mut python = Command::new("python3");
    python.arg(at(script)).arg("0").stdout(Stdio::piped()).stderr(Stdio::null());
    let mut python = Ended(python.spawn().unwrap());
    let mut first_line = String::new();
    BufReader::new(python.0.stdout.take().unwrap()).read_line(&mut first_line).unwrap();
    let address = first_line.trim().rsplit(' ').next().unwrap().parse().unwrap();
    Some((python, address))
}

#[test]
fn python_server_says_what_ours_says() {
    let Some((_server, theirs)) = start("docs/python/echo_server.py") else { return };
    says_what_ours_says(theirs);
}

/// Returns the status and the body of a reply.
fn ask(address: SocketAddr, request: &str, body: &str) -> (u16, String) {
    let mut client = Client::tcp(address);
    client.send(format!(
        "{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    let head = client.read_head();
    (status(&head), String::from_utf8(client.read_to_end()).unwrap())
}

#[test]
fn chat_of_the_first_chapter_delivers_in_three_ways() {
    let Some((_server, address)) = start("docs/chat/four-ways.py") else { return };
    assert_eq!(ask(address, "GET /poll?after=0", ""), (200, "[]".to_owned()));
    // Both clients wait for a message before there is one.
    let mut waiting = Client::tcp(address);
    waiting.send(format!("GET /long-poll?after=0 HTTP/1.1\r\nHost: {address}\r\n\r\n"));
    let mut events = Client::tcp(address);
    events.send(format!("GET /events HTTP/1.1\r\nHost: {address}\r\n\r\n"));
    assert_eq!(header(&events.read_head(), "Content-Type"), Some("text/event-stream"));

    assert_eq!(ask(address, "POST /say", "Hello").0, 204);
    assert_eq!(ask(address, "GET /poll?after=0", ""), (200, "[\"Hello\"]".to_owned()));
    assert_eq!(header(&waiting.read_head(), "Content-Length"), Some("9"));
    // The chapter counts 19 bytes.
    assert_eq!(events.take(19), b"id: 1\ndata: Hello\n\n");

    // An `EventSource` that reconnects names the last message that it has seen.
    assert_eq!(ask(address, "POST /say", "two\nlines").0, 204);
    let mut again = Client::tcp(address);
    again.send(format!("GET /events HTTP/1.1\r\nHost: {address}\r\nLast-Event-ID: 1\r\n\r\n"));
    again.read_head();
    assert_eq!(again.take(29), b"id: 2\ndata: two\ndata: lines\n\n");
}
