//! stdout, or stderr at the start, blocks or fails: the server still starts, serves and shuts down, with the usual exit
//! code.

use crate::support::program::{Program, plainsocket};
use crate::support::{CLOSE, Client, DEADLINE, TEXT, close_frame, frame};
use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

/// A stream that is full of line breaks, and its reading end.
fn full(stays_non_blocking: bool) -> (OwnedFd, UnixStream) {
    let (theirs, ours) = UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    for piece in [&[b'\n'; 65536][..], b"\n"] {
        while (&theirs).write(piece).is_ok() {}
    }
    theirs.set_nonblocking(stays_non_blocking).unwrap();
    (theirs.into(), ours)
}

/// A full stream, a stream whose reader is gone, and a stream that always fails, as on a full disk.
fn streams() -> Vec<(&'static str, OwnedFd, Option<UnixStream>)> {
    let (stuck, unread) = full(false);
    let mut streams = vec![("stuck", stuck, Some(unread)), ("reader gone", UnixStream::pair().unwrap().0.into(), None)];
    // Only some systems have this device.
    if let Ok(device) = OpenOptions::new().write(true).open("/dev/full") {
        streams.push(("/dev/full", device.into(), None));
    }
    streams
}

fn exit_code(command: &mut Command) -> Option<i32> {
    let child = command.spawn().unwrap();
    let mut program = Program { child, address: ([0; 4], 0).into(), first_lines: Vec::new() };
    program.wait()
}

fn assert_echoes(program: &Program) -> Client {
    let mut client = Client::connect(program.address, "/echo");
    client.send(frame(TEXT, b"Hello"));
    assert_eq!(client.read_frame(), (TEXT, b"Hello".to_vec()));
    client
}

/// Checks that the program serves, and that the first SIGTERM sends 1001 and ends it with exit code 0.
fn assert_serves_and_ends(mut program: Program) {
    let mut client = assert_echoes(&program);
    program.signal("TERM");
    let (first, payload) = client.read_frame();
    assert_eq!((first, &payload[..2]), (CLOSE, &1001u16.to_be_bytes()[..]));
    client.send(close_frame(1001, ""));
    drop(client);
    assert_eq!(program.wait(), Some(0));
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "reads /proc")]
fn server_whose_stdout_is_stuck_or_fails_serves_and_ends() {
    for (name, stdout, _unread) in streams() {
        eprintln!("{name}");
        let mut command = plainsocket(&["--listen", "127.0.0.1:0"]);
        command.stdout(stdout).stderr(Stdio::null());
        assert_serves_and_ends(Program::spawn_with_stdout(command));
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "reads /proc")]
fn server_started_with_closed_streams_serves_and_ends() {
    let mut command = Command::new("sh");
    let script = "exec \"$0\" --listen 127.0.0.1:0 <&- >&- 2>&-";
    command.args(["-c", script, env!("CARGO_BIN_EXE_plainsocket")]).env_remove("RUST_LOG");
    assert_serves_and_ends(Program::spawn_with_stdout(command));
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "reads /proc")]
fn first_lines_follow_once_stdout_takes_bytes_again() {
    for non_blocking in [false, true] {
        let (stdout, mut unread) = full(non_blocking);
        let mut command = plainsocket(&["--listen", "127.0.0.1:0"]);
        command.stdout(stdout).stderr(Stdio::null());
        let program = Program::spawn_with_stdout(command);
        assert_echoes(&program);
        unread.set_read_timeout(Some(DEADLINE)).unwrap();
        let (mut text, mut buffer) = (String::new(), [0; 65536]);
        while !text.ends_with("/inspect\n") {
            let count = unread.read(&mut buffer).expect("the first lines");
            text.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        }
        let lines: Vec<&str> = text.trim_start().lines().collect();
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert!(lines[0].ends_with(&format!("listening on {}", program.address)), "{lines:?}");
    }
}

#[test]
fn exit_code_of_an_error_does_not_depend_on_stderr() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (arguments, code) in [(&["--no-such-flag"][..], 2), (&["--listen", &taken], 1)] {
        for (name, stderr, _unread) in streams() {
            let ended = exit_code(plainsocket(arguments).stderr(stderr));
            assert_eq!(ended, Some(code), "{arguments:?}, stderr: {name}");
        }
    }
}

#[test]
fn help_and_version_end_with_a_stdout_that_takes_nothing() {
    for flag in ["--help", "--version"] {
        for (name, stdout, _unread) in streams() {
            assert_eq!(exit_code(plainsocket(&[flag]).stdout(stdout)), Some(0), "{flag}, stdout: {name}");
        }
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "reads /proc")]
fn wrong_rust_log_without_stderr_stops_nothing() {
    for (name, stderr, _unread) in streams() {
        eprintln!("{name}");
        let mut command = plainsocket(&["--listen", "127.0.0.1:0"]);
        command.env("RUST_LOG", "a=b=c").stdout(Stdio::null()).stderr(stderr);
        assert_serves_and_ends(Program::spawn_with_stdout(command));
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "the limit counts threads on Linux only")]
fn lack_of_threads_at_the_start_is_one_line_and_exit_code_1() {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    if !is_root || Command::new("prlimit").arg("--version").output().is_err() {
        eprintln!("needs root and prlimit: not tested here");
        return;
    }
    // The program gets a user of its own, because the limit counts the threads of all processes of a user.
    let copy = std::env::temp_dir().join(format!("plainsocket-threads-{}", std::process::id()));
    std::fs::copy(env!("CARGO_BIN_EXE_plainsocket"), &copy).unwrap();
    let mut command = Command::new("prlimit");
    command.args(["--nproc=1", "setpriv", "--reuid=64321", "--regid=64321", "--clear-groups"]);
    let ended = command.arg(&copy).args(["--listen", "127.0.0.1:0"]).stdin(Stdio::null()).output().unwrap();
    std::fs::remove_file(copy).unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert_eq!((ended.status.code(), stderr.lines().count()), (Some(1), 1), "{stderr}");
    assert!(stderr.starts_with("plainsocket: cannot listen on 127.0.0.1:0: "), "{stderr}");
}
