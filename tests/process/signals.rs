//! How signals end the program, and when they do not.

use crate::support::program::{OWN_THREADS, Program};
use crate::support::{CLOSE, Client, TEXT, close_frame, frame, header, request, status, wait_for};
use std::io::{ErrorKind, Read as _};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// A time after which a second signal no longer counts as a repetition of the first.
const LATER: Duration = Duration::from_millis(1200);

/// A program inherits ignored signals: what this test's process ignores, as under `nohup`, the program ignores too.
fn is_ignored_here(number: u32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or("0");
    u64::from_str_radix(mask.trim(), 16).unwrap() & 1 << (number - 1) != 0
}

fn expect_going_away(client: &mut Client) {
    let (first, payload) = client.read_frame();
    assert_eq!((first, &payload[..2]), (CLOSE, &1001u16.to_be_bytes()[..]));
}

/// The client answers the server's Close, and then the program must end.
fn expect_graceful_end(program: &mut Program, mut client: Client) {
    client.send(close_frame(1001, ""));
    assert_eq!(client.read_to_end(), b"");
    drop(client);
    assert_eq!(program.wait(), Some(0));
}

#[test]
fn signal_sends_1001_and_ends_the_program_with_exit_code_0() {
    for (number, signal) in [(15, "TERM"), (2, "INT"), (1, "HUP")] {
        if is_ignored_here(number) {
            continue;
        }
        let mut program = Program::start(&[]);
        let mut client = Client::connect(program.address, "/chat");
        program.signal(signal);
        expect_going_away(&mut client);
        expect_graceful_end(&mut program, client);
    }
}

/// Each client has sent a whole request, and its thread has not read the request yet.
#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "reads /proc")]
fn requests_received_before_sigterm_get_their_replies() {
    const OF_A_KIND: usize = 10;
    let get = "GET /x HTTP/1.1\r\nHost: x\r\n\r\n".to_owned();
    let post = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n{}", "x".repeat(9000));
    let kinds = [(get, 404), (post, 405), (request("/echo"), 503), ("nonsense\r\n\r\n".to_owned(), 400)];
    let mut program = Program::start(&[]);
    let mut clients: Vec<Client> = (0..kinds.len() * OF_A_KIND).map(|_| Client::tcp(program.address)).collect();
    let mut half = Client::tcp(program.address);
    half.send("GET /x HTTP/1.1\r\nHo");
    let idle = Client::tcp(program.address);
    wait_for("a thread for each", || program.status("Threads") == OWN_THREADS + clients.len() + 2);
    program.signal("STOP");
    for (client, (sent, _)) in clients.iter_mut().zip(kinds.iter().cycle()) {
        client.send(sent);
    }
    program.signal("TERM");
    program.signal("CONT");
    for (client, (_, expected)) in clients.iter_mut().zip(kinds.iter().cycle()) {
        let head = client.read_head();
        if status(&head) == 101 {
            // The client's thread was faster than the signal.
            assert_eq!(*expected, 503);
            expect_going_away(client);
            continue;
        }
        assert_eq!(status(&head), *expected);
        let length: usize = header(&head, "Content-Length").unwrap().parse().unwrap();
        assert_eq!(client.read_to_end().len(), length, "{head}");
    }
    drop(clients);
    for mut cut_off in [half, idle] {
        cut_off.expect_gone();
    }
    assert_eq!(program.wait(), Some(0));
}

#[test]
fn two_signals_within_a_second_count_as_one() {
    let mut program = Program::start(&["--close-timeout", "60"]);
    let mut client = Client::connect(program.address, "/chat");
    let pair = format!("kill -s TERM {0}; kill -s INT {0}", program.child.id());
    assert!(Command::new("sh").args(["-c", &pair]).status().unwrap().success());
    expect_going_away(&mut client);
    expect_graceful_end(&mut program, client);
}

#[test]
fn later_second_signal_ends_at_once_with_128_and_its_number() {
    for (number, signal) in [(15, "TERM"), (2, "INT"), (1, "HUP")] {
        if is_ignored_here(number) {
            continue;
        }
        let mut program = Program::start(&["--close-timeout", "60"]);
        let mut silent = Client::connect(program.address, "/chat");
        program.signal("TERM");
        expect_going_away(&mut silent);
        thread::sleep(LATER);
        let start = Instant::now();
        program.signal(signal);
        assert_eq!(program.wait(), Some(128 + number as i32), "SIG{signal}");
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "no other system reports which signals are ignored")]
fn signal_ignored_at_the_start_stays_ignored() {
    for ignored in ["HUP", "INT", "TERM"] {
        let mut command = Command::new("sh");
        let script = format!("trap '' {ignored}; exec \"$0\" --listen 127.0.0.1:0");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_plainsocket")]).env_remove("RUST_LOG");
        command.stdin(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut program = Program::spawn_with_log(command);
        let mut client = Client::connect(program.address, "/echo");
        program.signal(ignored);
        client.stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let unread = client.stream.read(&mut [0; 64]);
        assert_eq!(unread.unwrap_err().kind(), ErrorKind::WouldBlock, "no Close: SIG{ignored} is ignored");
        client.stream.set_read_timeout(Some(crate::support::DEADLINE)).unwrap();
        client.send(frame(TEXT, b"still here"));
        assert_eq!(client.read_frame().1, b"still here");
        // The other signals still end the program, except for those that this process ignores itself.
        let mut others = [(15, "TERM"), (1, "HUP"), (2, "INT")].into_iter().filter(|(_, name)| *name != ignored);
        let Some((_, other)) = others.find(|(number, _)| !is_ignored_here(*number)) else { continue };
        program.signal(other);
        expect_going_away(&mut client);
        expect_graceful_end(&mut program, client);
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "the limit counts threads on Linux only")]
fn sigterm_ends_the_program_when_no_thread_is_left() {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    if !is_root || Command::new("prlimit").arg("--version").output().is_err() {
        eprintln!("needs root and prlimit: not tested here");
        return;
    }
    let mut program = Program::start_with_threads(1000);
    let mut client = Client::connect(program.address, "/chat");
    // Runs as the program's own user, because root can be forbidden to change another user's process.
    let pid = format!("--pid={}", program.child.id());
    let mut lower = Command::new("setpriv");
    lower.args(["--reuid=65534", "--regid=65534", "--clear-groups", "prlimit", &pid, "--nproc=1"]);
    assert!(lower.status().unwrap().success());
    let mut refused = Client::tcp(program.address);
    assert_eq!(status(&refused.read_head()), 503, "no thread is left");
    program.signal("TERM");
    expect_going_away(&mut client);
    expect_graceful_end(&mut program, client);
}
