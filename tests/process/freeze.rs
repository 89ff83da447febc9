//! The process is stopped for a while, as by a debugger, a busy machine or a snapshot. Bytes that arrived meanwhile
//! count as received in time.

use crate::support::program::{OWN_THREADS, Program};
use crate::support::{Client, PING, PONG, TEXT, frame, request, status, wait_for};
use std::thread;
use std::time::Duration;

/// Stops the program for longer than `timeout` while `act` runs.
fn freeze(program: &Program, timeout: Duration, act: impl FnOnce()) {
    program.signal("STOP");
    act();
    thread::sleep(timeout + timeout / 2);
    program.signal("CONT");
}

#[test]
fn pongs_that_arrived_while_the_process_was_stopped_count() {
    const CLIENTS: usize = 50;
    let program = Program::start(&["--ping-interval", "1", "--pong-timeout", "2"]);
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| Client::connect(program.address, "/echo")).collect();
    let pings: Vec<Vec<u8>> = clients
        .iter_mut()
        .map(|client| {
            let (first, payload) = client.read_frame();
            assert_eq!(first, PING);
            payload
        })
        .collect();
    freeze(&program, Duration::from_secs(2), || {
        clients.iter_mut().zip(&pings).for_each(|(client, payload)| client.send(frame(PONG, payload)));
    });
    for client in &mut clients {
        client.send(frame(TEXT, b"still here"));
        let (mut first, mut payload) = client.read_frame();
        while first == PING {
            client.send(frame(PONG, &payload));
            (first, payload) = client.read_frame();
        }
        assert_eq!((first, &payload[..]), (TEXT, &b"still here"[..]));
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "reads /proc")]
fn request_that_arrived_while_the_process_was_stopped_is_served() {
    const CLIENTS: usize = 20;
    let program = Program::start(&["--handshake-timeout", "2"]);
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| Client::tcp(program.address)).collect();
    wait_for("a thread for each", || program.status("Threads") == OWN_THREADS + CLIENTS);
    freeze(&program, Duration::from_secs(2), || {
        // A request that takes several reads, because the buffer begins with 1 KiB.
        let long = request("/echo").replace("Host", &format!("X: {}\r\nHost", "y".repeat(5000)));
        clients.iter_mut().for_each(|client| client.send(&long));
    });
    for client in &mut clients {
        assert_eq!(status(&client.read_head()), 101);
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "reads /proc")]
fn request_that_did_not_arrive_is_still_answered_with_408() {
    let program = Program::start(&["--handshake-timeout", "2"]);
    let mut client = Client::tcp(program.address);
    wait_for("its thread", || program.status("Threads") == OWN_THREADS + 1);
    freeze(&program, Duration::from_secs(2), || client.send("GET /echo HTTP/1.1\r\n"));
    assert_eq!(status(&client.read_head()), 408);
}
