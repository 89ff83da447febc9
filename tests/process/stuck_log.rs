//! stderr blocks, as a pipe that nobody reads or a terminal that was stopped with Ctrl-S does: the server must go on.

use crate::support::program::{OWN_THREADS, Program, plainsocket};
use crate::support::{CLOSE, Client, DEADLINE, PING, TEXT, close_frame, frame, request, status, wait_for};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

/// Starts the program with a full stderr. Returns the reading end too.
fn start_with_full_log(levels: &str, arguments: &[&str]) -> (Program, UnixStream) {
    let (theirs, ours) = UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    // Only line breaks, so that the program's first log line begins a line of its own.
    for piece in [&[b'\n'; 65536][..], b"\n"] {
        while (&theirs).write(piece).is_ok() {}
    }
    theirs.set_nonblocking(false).unwrap();
    let mut command = plainsocket(&["--listen", "127.0.0.1:0"]);
    command.args(arguments).env("RUST_LOG", levels).stderr(OwnedFd::from(theirs));
    (Program::spawn_with_log(command), ours)
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "reads /proc")]
fn unread_log_stops_neither_service_nor_shutdown() {
    let flags = ["--max-clients", "25", "--ping-interval", "1", "--pong-timeout", "1"];
    let (mut program, _unread) = start_with_full_log("debug", &flags);
    for _ in 0..20 {
        let mut stranger = Client::tcp(program.address);
        stranger.send(request("/nowhere"));
        assert_eq!(status(&stranger.read_head()), 404);
    }
    let mut clients = Vec::new();
    let mut refused = 0;
    while refused < 20 {
        let mut client = Client::tcp(program.address);
        client.send(request("/echo"));
        match status(&client.read_head()) {
            101 => clients.push(client),
            503 => refused += 1,
            other => panic!("{other}"),
        }
    }
    let mut silent = clients.pop().unwrap();
    assert_eq!(silent.read_frame().0, PING, "the heartbeat goes on");
    silent.expect_close(Some(1001));
    drop(clients);
    wait_for("all to leave", || program.status("Threads") == OWN_THREADS);
    let mut client = Client::connect(program.address, "/echo");
    client.send(frame(TEXT, b"Hello"));
    while client.read_frame() != (TEXT, b"Hello".to_vec()) {}
    program.signal("TERM");
    while client.read_frame().0 != CLOSE {}
    client.send(close_frame(1001, ""));
    drop(client);
    assert_eq!(program.wait(), Some(0));
}

#[test]
fn lines_that_found_no_room_are_counted_once_there_is_room() {
    const MESSAGES: usize = 8000;
    let (mut program, mut log) = start_with_full_log("plainsocket::wire=trace", &[]);
    let mut client = Client::connect(program.address, "/echo");
    // The messages are sent in groups, so that neither side blocks the other.
    for _ in 0..MESSAGES / 100 {
        client.send(frame(TEXT, b"Hello").repeat(100));
        (0..100).for_each(|_| assert_eq!(client.read_frame().1, b"Hello"));
    }
    log.set_read_timeout(Some(DEADLINE)).unwrap();
    let (mut text, mut buffer, mut seen) = (Vec::new(), [0; 65536], 0);
    let marker = " lines of this log are lost here: ";
    while !String::from_utf8_lossy(&text[seen..]).contains(marker) {
        seen = text.len().saturating_sub(marker.len());
        let count = log.read(&mut buffer).expect("a line about those that are lost");
        text.extend_from_slice(&buffer[..count]);
    }
    client.send(close_frame(1000, ""));
    client.expect_close(Some(1000));
    drop(client);
    program.signal("TERM");
    log.read_to_end(&mut text).unwrap();
    assert_eq!(program.wait(), Some(0));
    let text = String::from_utf8(text).unwrap();
    let lost: Vec<&str> = text.lines().filter(|line| line.contains(marker)).collect();
    assert_eq!(lost.len(), 1, "{lost:?}");
    let (time_and_level, rest) = lost[0].split_once("] ").unwrap();
    assert!(time_and_level.ends_with(" WARN  plainsocket::logger"), "{lost:?}");
    let lost: usize = rest.split(' ').next().unwrap().parse().unwrap();
    let written = text.lines().filter(|line| line.contains("\"Hello\"")).count();
    assert!(lost > 0 && written > 0);
    assert_eq!(written + lost, 2 * MESSAGES);
    assert!(text.lines().last().unwrap().contains("<- close FIN "), "the log goes on after the gap");
}

#[test]
fn log_that_is_closed_does_no_harm() {
    let (theirs, ours) = UnixStream::pair().unwrap();
    let mut command = plainsocket(&["--listen", "127.0.0.1:0"]);
    command.env("RUST_LOG", "debug").stderr(OwnedFd::from(theirs));
    let mut program = Program::spawn_with_log(command);
    drop(ours);
    let mut client = Client::connect(program.address, "/echo");
    client.send(frame(TEXT, b"Hello"));
    assert_eq!(client.read_frame(), (TEXT, b"Hello".to_vec()));
    program.signal("TERM");
    assert_eq!(client.read_frame().0, CLOSE);
    drop(client);
    assert_eq!(program.wait(), Some(0));
}

#[test]
fn log_that_others_have_made_non_blocking_loses_nothing() {
    const REFUSED: usize = 200;
    let (theirs, mut ours) = UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    while (&theirs).write(&[b'\n'; 4096]).is_ok() {}
    let mut command = plainsocket(&["--listen", "127.0.0.1:0"]);
    command.stderr(OwnedFd::from(theirs));
    let mut program = Program::spawn_with_log(command);
    for _ in 0..REFUSED {
        let mut stranger = Client::tcp(program.address);
        stranger.send(request("/nowhere"));
        assert_eq!(status(&stranger.read_head()), 404);
    }
    ours.set_read_timeout(Some(DEADLINE)).unwrap();
    let (mut text, mut buffer) = (String::new(), [0; 65536]);
    while text.matches("refused with 404").count() < REFUSED {
        match ours.read(&mut buffer) {
            Ok(count) => text.push_str(std::str::from_utf8(&buffer[..count]).unwrap()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("{error} after {} lines", text.matches("refused with 404").count()),
        }
    }
    program.signal("TERM");
    assert_eq!(program.wait(), Some(0));
}
