//! The number of system calls that a message costs, counted by `strace`:
//! `cargo test --release --test syscalls -- --ignored`. The figures hold with the feature
//! `speed`, the default, and not for the plain server.
#![cfg(target_os = "linux")]

mod support;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;
use support::{Client, PING, PONG, TEXT, close_frame, frame};

const MESSAGES: usize = 10_000;

/// The calls that a conversation needs beside its messages: handshakes, Pings, Closes, and the end of TCP.
const OVERHEAD: usize = 20;

/// Returns how often the server has successfully read and written on a socket, (reads, writes), while `talk` runs.
fn count(path: &str, talk: impl FnOnce(&mut Client, SocketAddr)) -> (usize, usize) {
    let table = trace(path, talk);
    (table.successful(&["recvfrom", "recvmsg", "readv"]), table.successful(&["sendto", "sendmsg", "writev"]))
}

/// The table that `strace -c` prints.
struct Table(String);

impl Table {
    fn successful(&self, names: &[&str]) -> usize {
        let rows = self.0.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        rows.filter(|row| row.last().is_some_and(|name| names.contains(name)))
            .map(|row| row[0].parse::<usize>().unwrap() - if row.len() == 3 { row[1].parse().unwrap() } else { 0 })
            .sum()
    }
}

/// Counts the system calls of a server while `talk` runs.
fn trace(path: &str, talk: impl FnOnce(&mut Client, SocketAddr)) -> Table {
    let counts =
        std::env::temp_dir().join(format!("plainsocket-syscalls-{}-{:?}", std::process::id(), thread::current().id()));
    let mut strace = Command::new("strace")
        .args(["-c", "-f", "-U", "calls,errors,name", "-o"])
        .arg(&counts)
        .args([env!("CARGO_BIN_EXE_plainsocket"), "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("strace is installed");
    let mut line = String::new();
    BufReader::new(strace.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().rsplit(' ').next().unwrap().parse().expect("the first line ends with the address");

    let mut client = Client::connect(address, path);
    talk(&mut client, address);
    client.send(close_frame(1000, ""));
    client.expect_close(Some(1000));

    // strace writes its table when the server, its only child, ends.
    let children = format!("/proc/{0}/task/{0}/children", strace.id());
    let server = std::fs::read_to_string(children).unwrap();
    assert!(Command::new("kill").arg(server.trim()).status().unwrap().success());
    strace.wait().unwrap();
    let table = std::fs::read_to_string(&counts).unwrap();
    let _ = std::fs::remove_file(&counts);
    Table(table)
}

fn assert_about(count: usize, expected: usize, what: &str) {
    assert!((expected..=expected + OVERHEAD).contains(&count), "{count} {what}, expected {expected}");
}

#[test]
#[ignore = "needs strace"]
fn ping_pong_costs_one_read_and_one_write_per_message() {
    let (reads, writes) = count("/echo", |client, _| {
        for _ in 0..MESSAGES {
            client.send(frame(TEXT, b"Hello"));
            assert_eq!(client.read_frame(), (TEXT, b"Hello".to_vec()));
        }
    });
    assert_about(reads, MESSAGES, "reads");
    assert_about(writes, MESSAGES, "writes");
}

#[test]
#[ignore = "needs strace"]
fn sixteen_pipelined_messages_cost_one_read_and_one_write() {
    let (reads, writes) = count("/echo", |client, _| {
        let sixteen = frame(TEXT, b"Hello").repeat(16);
        for _ in 0..MESSAGES / 16 {
            client.send(&sixteen);
            for _ in 0..16 {
                assert_eq!(client.read_frame(), (TEXT, b"Hello".to_vec()));
            }
        }
    });
    assert_about(reads, MESSAGES / 16, "reads");
    assert_about(writes, MESSAGES / 16, "writes");
}

#[test]
#[ignore = "needs strace"]
fn sixteen_broadcasts_cost_one_write_per_member() {
    const MEMBERS: usize = 5;
    let (reads, writes) = count("/chat", |client, address| {
        let mut members: Vec<Client> = (1..MEMBERS).map(|_| Client::connect(address, "/chat")).collect();
        // A member's own thread answers its Ping, so after the Pong the member is in the room.
        for member in &mut members {
            member.send(frame(PING, b""));
            assert_eq!(member.read_frame(), (PONG, vec![]));
        }
        let sixteen = frame(TEXT, b"Hello").repeat(16);
        for _ in 0..MESSAGES / 16 {
            client.send(&sixteen);
            for _ in 0..16 {
                assert_eq!(client.read_frame(), (TEXT, b"Hello".to_vec()));
                for member in &mut members {
                    assert_eq!(member.read_frame(), (TEXT, b"Hello".to_vec()));
                }
            }
        }
    });
    assert_about(reads, MESSAGES / 16, "reads");
    assert_about(writes, MEMBERS * (MESSAGES / 16), "writes");
}

#[test]
#[ignore = "needs strace"]
fn thread_polls_for_a_busy_client_and_not_for_a_quiet_one() {
    let quiet = trace("/echo", |client, _| {
        for _ in 0..10 {
            // The pause is part of the test: after it the client counts as quiet.
            thread::sleep(Duration::from_millis(100));
            client.send(frame(TEXT, b"Hello"));
            client.read_frame();
        }
    });
    // The Close arrives at once, so the thread can have polled for it.
    assert!(quiet.successful(&["sched_yield"]) <= 4, "{}", quiet.0);
    let busy = trace("/echo", |client, _| {
        for _ in 0..100 {
            client.send(frame(TEXT, b"Hello"));
            client.read_frame();
        }
    });
    // The calls that poll carry the flag "do not wait" themselves, so no socket is switched to non-blocking and back.
    let flags = |table: &Table| table.successful(&["ioctl", "fcntl"]);
    assert!(flags(&busy) <= flags(&quiet) + 2, "{}", busy.0);
    assert!(busy.successful(&["sched_yield"]) >= 90, "{}", busy.0);
}
