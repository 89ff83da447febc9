//! Faults of other servers, tried on this one over real sockets. The table in `docs/limits.md` says which server had
//! which fault. Attacks that other test files cover are not repeated here.

use crate::support::{CLOSE, Client, PING, TEXT, frame, header, request, start, start_default, status};
use plainsocket::Config;
use std::io::Write as _;
use std::time::{Duration, Instant};

/// The good request for `/echo` with one more header line.
fn request_with(line: &[u8]) -> Vec<u8> {
    let (first, rest) = request("/echo").split_once("\r\n").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    [first.as_bytes(), b"\r\n", line, b"\r\n", rest.as_bytes()].concat()
}

fn assert_echo(client: &mut Client) {
    client.send(frame(TEXT, b"Hello"));
    assert_eq!(client.read_frame(), (TEXT, b"Hello".to_vec()));
}

// The handshake

#[test]
fn regex_trap_in_header_is_answered_at_once() {
    let address = start_default();
    let long = 7000;
    for name in ["Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Connection", "Upgrade"] {
        for value in [" ".repeat(long) + "x", ", ".repeat(long / 2), "a; b=\"".to_owned() + &"\\c".repeat(long / 2)] {
            // §9.1: a list without an element and a quotation without an end are malformed.
            let expected = if name == "Sec-WebSocket-Extensions" && !value.ends_with('x') { 400 } else { 101 };
            let started = Instant::now();
            let mut client = Client::tcp(address);
            client.send(request_with(format!("{name}: {value}").as_bytes()));
            assert_eq!(status(&client.read_head()), expected, "{name}");
            assert!(started.elapsed() < Duration::from_secs(1), "{name} took {:?}", started.elapsed());
        }
    }
}

#[test]
fn extension_named_like_a_builtin_property_is_declined() {
    let address = start_default();
    for name in ["constructor", "__proto__", "hasOwnProperty", "toString; valueOf=1"] {
        let mut client = Client::tcp(address);
        client.send(request_with(format!("Sec-WebSocket-Extensions: {name}").as_bytes()));
        let head = client.read_head();
        assert_eq!((status(&head), header(&head, "Sec-WebSocket-Extensions")), (101, None), "{name}");
        assert_echo(&mut client);
    }
}

#[test]
fn bytes_beyond_ascii_in_a_header_harm_nobody() {
    let address = start_default();
    for value in [&b"\xFF\xFE"[..], b"\xC3\xA4", "ключ, 🦀".as_bytes()] {
        for (name, expected) in
            [("Sec-WebSocket-Protocol", 101), ("Sec-WebSocket-Extensions", 400), ("Cookie", 101), ("Origin", 403)]
        {
            let mut client = Client::tcp(address);
            client.send(request_with(&[name.as_bytes(), b": ", value].concat()));
            assert_eq!(status(&client.read_head()), expected, "{name}: {value:02x?}");
            if expected == 101 {
                assert_echo(&mut client);
            }
        }
    }
    assert_echo(&mut Client::connect(address, "/echo"));
}

#[test]
fn bytes_after_refused_request_are_no_second_request() {
    let second = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    let upgrade = request("/echo");
    for (first, expected) in [
        (upgrade.replace("Version: 13", "Version: 8"), 426),
        (upgrade.replace("/echo", "/nothing"), 404),
        (upgrade.replace("Upgrade: websocket\r\n", ""), 426),
        (upgrade.replace("Host: ", "Content-Length: 5\r\nHost: "), 400),
        (second.to_owned(), 200),
    ] {
        let mut client = Client::tcp(start_default());
        client.send(first + second);
        let head = client.read_head();
        assert_eq!(status(&head), expected);
        let length: usize = header(&head, "Content-Length").unwrap().parse().unwrap();
        assert_eq!(client.read_to_end().len(), length, "one answer, then the end");
    }
}

// Frames

#[test]
fn an_odd_request_or_frame_ends_its_own_client_and_no_other() {
    let address = start_default();
    let mut bystander = Client::connect(address, "/echo");
    for request in ["\r\n\r\n", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "GET * HTTP/1.1\r\n\r\n", "\u{16}\u{3}\u{1}\0"] {
        let mut client = Client::tcp(address);
        client.send(request);
        assert_eq!(status(&client.read_head()), 400, "{request:?}");
        client.read_to_end();
    }
    for bytes in [frame(0xF1, b""), frame(0x87, b""), frame(CLOSE, b"\0"), b"\x81\x00".to_vec()] {
        let mut client = Client::connect(address, "/echo");
        client.send(&bytes);
        client.expect_close(Some(1002));
    }
    assert_echo(&mut bystander);
}

#[test]
fn compression_is_offered_and_never_used() {
    let mut client = Client::tcp(start_default());
    client.send(request_with(b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"));
    let head = client.read_head();
    assert_eq!((status(&head), header(&head, "Sec-WebSocket-Extensions")), (101, None));
    // RSV1 would mark a compressed message.
    client.send(frame(0xC1, b"\xF2\x48\xCD\xC9\xC9\x07\x00"));
    client.expect_close(Some(1002));
}

// Threads and locks

#[test]
fn stalled_client_does_not_delay_the_heartbeat_of_others() {
    let ping_interval = Duration::from_millis(100);
    let address = start(Config { ping_interval, ..Config::default() });
    let mut stuck = Client::connect(address, "/echo");
    fill(&mut stuck, &frame(TEXT, &[b'x'; 60_000]));
    let started = Instant::now();
    for _ in 0..3 {
        let mut silent = Client::connect(address, "/echo");
        assert_eq!(silent.read_frame().0, PING);
    }
    assert!(started.elapsed() < ping_interval * 30, "{:?}", started.elapsed());
}

/// Sends and does not read, until the server accepts no more bytes because it waits for us.
fn fill(client: &mut Client, bytes: &[u8]) {
    client.stream.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
    let deadline = Instant::now() + crate::support::DEADLINE;
    while client.stream.write_all(bytes).is_ok() {
        assert!(Instant::now() < deadline, "the server takes everything");
    }
}

#[cfg(target_os = "linux")]
mod from_outside {
    use super::*;
    use crate::support::program::{Program, plainsocket};
    use crate::support::{PONG, close_frame};
    use std::io::Read as _;
    use std::process::Stdio;

    /// Returns by how many KiB the program's memory grows during `act`, at most, with one client.
    fn growth(act: impl FnOnce(&mut Client)) -> usize {
        let program = Program::start(&[]);
        let mut client = Client::connect(program.address, "/echo");
        assert_echo(&mut client);
        let before = program.status("VmHWM");
        act(&mut client);
        program.status("VmHWM") - before
    }

    /// Waits for the answer to a Ping, which shows that the server has handled all that was sent before it.
    fn wait_until_taken(client: &mut Client) {
        client.send(frame(PING, b"all?"));
        assert_eq!(client.read_frame(), (PONG, b"all?".to_vec()));
    }

    #[test]
    fn tiny_fragments_cost_their_bytes_and_no_more() {
        const COUNT: usize = 200_000;
        let grown = growth(|client| {
            client.send(frame(0x02, b"x"));
            client.send(frame(0x00, b"x").repeat(COUNT));
            wait_until_taken(client);
        });
        // With a hundred bytes for each one, the memory would grow by 20 MiB.
        assert!(grown < 2048, "{grown} KiB for {COUNT} bytes");
    }

    #[test]
    fn empty_fragments_cost_nothing() {
        const COUNT: usize = 200_000;
        let grown = growth(|client| {
            client.send(frame(0x01, b""));
            client.send(frame(0x00, b"").repeat(COUNT));
            wait_until_taken(client);
        });
        assert!(grown < 1024, "{grown} KiB for {COUNT} times nothing");
    }

    #[test]
    fn pings_whose_pongs_are_not_read_are_not_gathered() {
        let grown = growth(|client| fill(client, &frame(PING, &[7; 125]).repeat(400)));
        assert!(grown < 1024, "{grown} KiB");
    }

    #[test]
    fn a_message_costs_no_thread() {
        const COUNT: usize = 2000;
        let program = Program::start(&[]);
        let mut client = Client::connect(program.address, "/echo");
        assert_echo(&mut client);
        let before = program.status("Threads");
        client.send(frame(TEXT, b"Hello").repeat(COUNT));
        for i in 0..COUNT {
            assert_eq!(client.read_frame(), (TEXT, b"Hello".to_vec()));
            if i % 100 == 0 {
                // A thread that was running before the burst can have ended since then.
                assert!(program.status("Threads") <= before);
            }
        }
    }

    #[test]
    fn a_client_cannot_write_lines_or_escapes_into_the_log() {
        let mut command = plainsocket(&["--listen", "127.0.0.1:0", "--allow-origin", "https://good.example"]);
        command.env("RUST_LOG", "plainsocket=debug").stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = Ended(command.spawn().unwrap());
        let mut first_line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.0.stdout.take().unwrap()), &mut first_line)
            .unwrap();
        let address = first_line.trim().rsplit(' ').next().unwrap().parse().unwrap();
        // U+009B, one byte in Latin-1, begins an escape sequence of a terminal, as ESC [ does.
        let mut client = Client::tcp(address);
        client.send(request_with(b"Origin: \x9B31mred"));
        assert_eq!(status(&client.read_head()), 403);
        drop(client);
        let mut client = Client::connect(address, "/echo?\\n[ERROR]");
        client.send(close_frame(1000, "bye\n[ERROR] \u{1b}[31mforged"));
        client.expect_close(Some(1000));
        // The server would wait for clients that are still connected.
        drop(client);
        assert!(std::process::Command::new("kill").arg(child.0.id().to_string()).status().unwrap().success());
        let mut log = String::new();
        child.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert!(log.contains(r"\u{9b}31mred") && log.contains(r"bye\n[ERROR] \u{1b}[31mforged"), "{log}");
        assert!(!log.contains(['\u{9b}', '\u{1b}']) && log.lines().all(|line| line.starts_with("[20")), "{log}");
    }

    /// The child process ends with the test, however the test ends.
    struct Ended(std::process::Child);

    impl Drop for Ended {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}
