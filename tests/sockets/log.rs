//! The contents of the log, and that no client can forge a line in it.
#![cfg(unix)]

use crate::support::program::{OWN_THREADS, Program, plainsocket, with_descriptors};
use crate::support::{BINARY, CLOSE, Client, PING, PONG, TEXT, close_frame, frame, request, wait_for, wait_for_a_seat};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

struct Logged {
    program: Program,
    file: PathBuf,
}

impl Logged {
    fn start(name: &str, levels: &str, arguments: &[&str]) -> Logged {
        let mut command = plainsocket(&["--listen", "127.0.0.1:0"]);
        command.args(arguments).env("RUST_LOG", levels);
        Logged::spawn(name, command)
    }

    fn spawn(name: &str, mut command: Command) -> Logged {
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.log", std::process::id()));
        command.stderr(File::create(&file).unwrap());
        Logged { program: Program::spawn_with_log(command), file }
    }

    fn connect(&self, path: &str) -> (Client, String) {
        let client = Client::connect(self.program.address, path);
        let address = client.stream.local_addr().unwrap().to_string();
        (client, address)
    }

    fn wait_for(&self, text: &str) {
        wait_for(text, || fs::read_to_string(&self.file).unwrap().contains(text));
    }

    /// Ends the program and returns the lines of its log.
    fn end(self) -> Vec<String> {
        self.program.signal("TERM");
        self.read()
    }

    /// Reads the whole log of a program that is about to end. Each line must be whole: a time, a level, a module.
    fn read(mut self) -> Vec<String> {
        assert_eq!(self.program.wait(), Some(0));
        let log = fs::read_to_string(&self.file).unwrap();
        fs::remove_file(&self.file).unwrap();
        assert!(log.ends_with('\n') && !log.replace('\n', "").contains(char::is_control));
        let levels = ["ERROR", "WARN ", "INFO ", "DEBUG", "TRACE"];
        let whole = |line: &str| line.starts_with("[20") && levels.contains(&&line[22..27]) && line.contains("] ");
        assert!(log.lines().all(whole), "{log}");
        log.lines().map(|line| line.split_once("] ").unwrap().1.to_owned()).collect()
    }
}

fn read_text(client: &mut Client) -> String {
    let (first, payload) = client.read_frame();
    assert_eq!(first, TEXT);
    String::from_utf8(payload).unwrap()
}

fn close(mut client: Client, code: u16) {
    client.send(close_frame(code, ""));
    client.expect_close(Some(code));
}

/// Returns the rest of each line that begins with `start`.
fn of<'a>(log: &'a [String], start: &str) -> Vec<&'a str> {
    log.iter().filter_map(|line| line.strip_prefix(start)).collect()
}

#[test]
fn debug_shows_each_connections_life() {
    let logged = Logged::start("debug", "plainsocket=debug", &["--ping-interval", "0.5"]);
    let (mut client, address) = logged.connect("/echo?room=7");
    client.send([frame(TEXT, b"one"), frame(PING, b"p"), frame(TEXT, b"two")].concat());
    assert_eq!([client.read_frame().0, client.read_frame().0, client.read_frame().0], [TEXT, PONG, TEXT]);
    let (first, payload) = client.read_frame();
    assert_eq!(first, PING);
    client.send(frame(PONG, &payload));
    client.send(close_frame(4000, "bye"));
    client.expect_close(Some(4000));
    drop(client);
    logged.wait_for(": closed");
    let log = logged.end();
    let (measured, life): (Vec<&str>, Vec<&str>) = of(&log, &format!("{address}: "))
        .into_iter()
        .partition(|line| ["silent for ", "Pong after ", "over after "].iter().any(|start| line.starts_with(start)));
    assert!(measured[0].starts_with("silent for ") && measured[0].ends_with(": a Ping"), "{measured:?}");
    assert!(measured[1].starts_with("Pong after "), "{measured:?}");
    // The client was silent for half a second.
    let over = measured[2].strip_prefix("over after ").unwrap();
    assert!(!over.starts_with("0.0") && !over.contains("µs,") && over.ends_with("s, messages in: 2"), "{measured:?}");
    assert_eq!(
        life,
        [
            r#"connected to "/echo", accept value s3pPLMBiTxaQ9kYGzzhZRbK+xOo="#,
            "Ping, payload length 1",
            r#"Close 4000 "bye", begun by the client"#,
            "closed",
        ]
    );
}

#[test]
fn debug_counts_messages_received_as_frames_too() {
    let logged = Logged::start("frames", "plainsocket=debug", &[]);
    let (mut client, address) = logged.connect("/inspect");
    client.send([frame(0x01, b"o"), frame(PING, b""), frame(0x80, b"ne"), frame(TEXT, b"two")].concat());
    client.send(close_frame(1000, ""));
    drop(client);
    logged.wait_for(&format!("{address}: over after"));
    let log = logged.end();
    let over = of(&log, &format!("{address}: over after "));
    assert!(over[0].ends_with(", messages in: 2"), "{over:?}");
}

#[test]
fn debug_shows_who_began_the_close() {
    let logged = Logged::start("who", "plainsocket=debug", &[]);
    let (mut broken, its_address) = logged.connect("/echo");
    broken.send([TEXT, 0]);
    broken.expect_close(Some(1002));
    drop(broken);
    let (mut client, address) = logged.connect("/echo");
    logged.wait_for(&format!("{address}: connected"));
    logged.program.signal("TERM");
    assert_eq!(client.read_frame().0, CLOSE);
    client.send(close_frame(1001, ""));
    assert_eq!(client.read_to_end(), b"");
    drop(client);
    let log = logged.read();
    let began = format!("{its_address}: Close 1002, begun by the server: frame not masked (§5.1)");
    assert!(log.contains(&began), "{log:#?}");
    assert!(log.contains(&format!("{address}: Close 1001 \"\", the client's answer")), "{log:#?}");
}

#[test]
fn trace_shows_every_frame_in_one_line() {
    let logged = Logged::start("trace", "plainsocket::wire=trace", &[]);
    let (mut client, address) = logged.connect("/chat");
    client.send([frame(0x01, b"Hel"), frame(0x80, b"lo")].concat());
    assert_eq!(client.read_frame(), (TEXT, b"Hello".to_vec()));
    client.send(frame(PING, b""));
    assert_eq!(client.read_frame().0, PONG);
    client.send(frame(BINARY, &[0; 70_000]));
    client.read_frame();
    close(client, 1000);
    let log = logged.end();
    let zeros = "00 ".repeat(22);
    let masked: String = (0..18).map(|i| format!("{:02x} ", [0x37, 0xfa, 0x21, 0x3d][i % 4])).collect();
    assert_eq!(
        of(&log, &format!("{address} "))[11..],
        [
            r#"-> text masked 37fa213d length 3 "Hel" [01 83 37 fa 21 3d 7f 9f 4d]"#.to_owned(),
            r#"-> continuation FIN masked 37fa213d length 2 "lo" [80 82 37 fa 21 3d 5b 95] ends a message of 2 fragments, length 5"#.to_owned(),
            r#"<- text FIN length 5 "Hello" [81 05 48 65 6c 6c 6f]"#.to_owned(),
            "-> ping FIN masked 37fa213d length 0 [89 80 37 fa 21 3d]".to_owned(),
            "<- pong FIN length 0 [8a 00]".to_owned(),
            format!("-> binary FIN masked 37fa213d length 70000 [82 ff 00 00 00 00 00 01 11 70 37 fa 21 3d {masked}...]"),
            format!("<- binary FIN length 70000 [82 7f 00 00 00 00 00 01 11 70 {zeros}...]"),
            r#"-> close FIN masked 37fa213d length 2 code 1000 "" [88 82 37 fa 21 3d 34 12]"#.to_owned(),
            r#"<- close FIN length 2 code 1000 "" [88 02 03 e8]"#.to_owned(),
        ]
    );
}

#[test]
#[cfg(feature = "deflate")]
fn trace_shows_compressed_messages_with_both_sizes() {
    let logged = Logged::start("compressed", "plainsocket::wire=trace", &["--compress"]);
    let mut client = Client::tcp(logged.program.address);
    client.send(request("/echo").replace("Host", "Sec-WebSocket-Extensions: permessage-deflate\r\nHost"));
    client.read_head();
    client.send(frame(0xC1, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]));
    assert_eq!(client.read_frame(), (TEXT, b"Hello".to_vec()), "under 256 bytes it is not compressed");
    client.send(frame(TEXT, &[b'x'; 300]));
    let (first, payload) = client.read_frame();
    assert_eq!(first, 0xC1);
    close(client, 1000);
    let log = logged.end().join("\n");
    for words in [
        " -> Sec-WebSocket-Extensions: permessage-deflate (the extensions that the client offers; the server agrees to one, §9.1)",
        " <-   - server_no_context_takeover (the server compresses each message by itself, §7.1.1.1 of RFC 7692)",
        r#" -> text FIN RSV1 masked 37fa213d length 7 inflates to length 5 "Hello" [c1 87 "#,
        r#" <- text FIN length 5 "Hello" ["#,
        &format!(r#" <- text FIN RSV1 length {} inflates to length 300 "xxx"#, payload.len()),
    ] {
        assert!(log.contains(words), "{words}: {log}");
    }
}

#[test]
fn trace_shows_the_handshake_but_no_secret() {
    let logged = Logged::start("handshake", "plainsocket::wire=trace", &[]);
    let mut client = Client::tcp(logged.program.address);
    let secrets = "Cookie: session=secret\r\nAUTHORIZATION: Basic secret\r\nSec-WebSocket-Protocol: bearer.secret\r\n\
                   User-Agent: open\r\nX-Api-Key: secret\r\nHost";
    client.send(request("/echo?token=secret").replace("Host", secrets));
    client.read_head();
    close(client, 1000);
    let log = logged.end().join("\n");
    assert!(
        log.contains(" -> GET /echo?(not shown) HTTP/1.1 (") && log.contains(" <- HTTP/1.1 101 Switching Protocols ("),
        "{log}"
    );
    assert!(log.contains(" -> Cookie: (not shown) (") && log.contains(" -> User-Agent: open ("), "{log}");
    assert!(
        log.contains(" -> AUTHORIZATION: (not shown)")
            && log.contains(" -> X-Api-Key: (not shown)")
            && !log.contains("secret"),
        "{log}"
    );
}

#[test]
fn text_of_a_client_is_cut_in_every_log_line() {
    let logged = Logged::start("cut", "plainsocket=debug,plainsocket::wire=trace", &[]);
    let long = "\u{9b}".repeat(3700);
    for line in [format!("Origin: {long}"), format!("User-Agent: {long}")] {
        let mut client = Client::tcp(logged.program.address);
        client.send(request(&format!("/echo?{}", "%9b".repeat(100))).replace("Host", &format!("{line}\r\nHost")));
        if client.read_head().starts_with("HTTP/1.1 101 ") {
            // A text of 128 bytes, and later a Close whose reason has the 123 bytes that fit.
            client.send(frame(TEXT, &[0x1B; 128]));
            client.read_frame();
            client.send(close_frame(4000, &"\u{1b}".repeat(123)));
            client.expect_close(Some(4000));
        }
    }
    logged.wait_for(": closed");
    let log = logged.end();
    let quoted = |start: &str| log.iter().filter(|line| line.contains(start)).count();
    assert_eq!((quoted("refused with 403"), quoted("-> User-Agent: "), quoted("Close 4000 \"\\u{1b}")), (1, 1, 1));
    let longest = log.iter().max_by_key(|line| line.chars().count()).unwrap();
    assert!(longest.chars().count() < 500, "{longest}");
}

#[test]
fn a_client_that_says_nothing_is_no_refusal_at_level_info() {
    let logged = Logged::start("mute", "plainsocket=info", &["--handshake-timeout", "0.05"]);
    let mut mute = Client::tcp(logged.program.address);
    assert!(mute.read_head().starts_with("HTTP/1.1 408 "));
    let mut slow = Client::tcp(logged.program.address);
    slow.send("G");
    assert!(slow.read_head().starts_with("HTTP/1.1 408 "));
    let addresses = [&mute, &slow].map(|client| client.stream.local_addr().unwrap());
    let log = logged.end();
    assert_eq!(of(&log, &format!("{}: ", addresses[0])), [""; 0]);
    let refused = of(&log, &format!("{}: ", addresses[1]));
    assert_eq!(refused, ["refused with 408: the request took too long to arrive"]);
}

#[test]
fn a_client_that_speaks_tls_is_named_as_such() {
    let logged = Logged::start("tls", "plainsocket=info", &[]);
    let mut client = Client::tcp(logged.program.address);
    client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
    assert!(client.read_head().starts_with("HTTP/1.1 400 "));
    let address = client.stream.local_addr().unwrap();
    let log = logged.end();
    assert!(of(&log, &format!("{address}: refused with 400: "))[0].contains("TLS"), "{log:?}");
}

#[test]
fn ten_thousand_messages_from_several_clients_lose_none() {
    const CLIENTS: usize = 4;
    const MESSAGES: usize = 2500;
    let logged = Logged::start("many", "plainsocket::wire=trace", &[]);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (mut client, address) = logged.connect("/echo");
            let talk = thread::spawn(move || {
                for batch in (0..MESSAGES).collect::<Vec<_>>().chunks(50) {
                    let texts = batch.iter().map(|i| frame(TEXT, format!("{number}/{i}").as_bytes()));
                    client.send(texts.collect::<Vec<_>>().concat());
                    for i in batch {
                        assert_eq!(client.read_frame(), (TEXT, format!("{number}/{i}").into_bytes()));
                    }
                }
                close(client, 1000);
            });
            (address, talk)
        })
        .collect();
    let addresses: Vec<String> = clients
        .into_iter()
        .map(|(address, talk)| {
            talk.join().unwrap();
            address
        })
        .collect();
    let log = logged.end();
    for (number, address) in addresses.iter().enumerate() {
        for (arrow, start) in [("->", "text FIN masked 37fa213d length "), ("<-", "text FIN length ")] {
            let texts = of(&log, &format!("{address} {arrow} {start}"));
            let texts: Vec<&str> = texts.into_iter().map(|line| line.split('"').nth(1).unwrap()).collect();
            assert!(texts.into_iter().eq((0..MESSAGES).map(|i| format!("{number}/{i}"))), "{address} {arrow}");
        }
    }
}

#[test]
fn wire_log_shows_frames_of_many_threads_in_order() {
    const CLIENTS: usize = 4;
    const MESSAGES: usize = 200;
    let logged = Logged::start("order", "plainsocket::wire=trace", &[]);
    // A client is added to the chat a moment after its 101. When it hears its own message, it is in.
    let mut clients: Vec<(Client, String, Vec<String>)> = Vec::new();
    for _ in 0..CLIENTS {
        let (mut client, address) = logged.connect("/chat");
        client.send(frame(TEXT, b"here"));
        clients.push((client, address, Vec::new()));
        clients.iter_mut().for_each(|(client, _, heard)| heard.push(read_text(client)));
    }
    let talks = clients.into_iter().enumerate().map(|(number, (mut client, address, mut heard))| {
        thread::spawn(move || {
            let texts = (0..MESSAGES).map(|i| frame(TEXT, format!("{number}/{i}").as_bytes()));
            client.send(texts.collect::<Vec<_>>().concat());
            heard.extend((0..CLIENTS * MESSAGES).map(|_| read_text(&mut client)));
            (client, address, heard)
        })
    });
    let talks: Vec<_> = talks.collect::<Vec<_>>().into_iter().map(|talk| talk.join().unwrap()).collect();
    let (clients, heard): (Vec<_>, Vec<_>) =
        talks.into_iter().map(|(client, address, heard)| (client, (address, heard))).unzip();
    clients.into_iter().for_each(|client| close(client, 1000));
    let log = logged.end();
    for (address, heard) in heard {
        let texts = of(&log, &format!("{address} <- text FIN length "));
        let texts: Vec<&str> = texts.into_iter().map(|line| line.split('"').nth(1).unwrap()).collect();
        assert!(texts == heard, "{address}");
    }
}

#[test]
fn log_does_not_call_unread_replies_silence() {
    let logged = Logged::start("no-replies", "info", &["--ping-interval", "0.2", "--pong-timeout", "0.3"]);
    let message = frame(BINARY, &vec![7; 1 << 20]);
    let (mut client, address) = logged.connect("/echo");
    // The writes fail once the system's buffers are full in both directions and the server has given up.
    while std::io::Write::write_all(&mut client.stream, &message).is_ok() {}
    logged.wait_for(": dropped after ");
    let log = logged.end();
    let dropped = of(&log, &format!("{address}: dropped after "));
    assert_eq!(dropped.len(), 1, "{log:?}");
    assert!(dropped[0].contains(": it does not read, and ") && dropped[0].ends_with(" bytes wait for it"), "{log:?}");
}

#[test]
fn log_says_whether_a_failed_client_closed_its_side() {
    let logged = Logged::start("ended", "debug", &["--close-timeout", "0.2", "--max-message-size", "5"]);
    let too_big = frame(BINARY, b"123456");
    let (mut polite, its_address) = logged.connect("/echo");
    polite.send(&too_big);
    polite.expect_close(Some(1009));
    polite.hang_up();
    let (mut rude, other_address) = logged.connect("/echo");
    rude.send(&too_big);
    rude.expect_close(Some(1009));
    logged.wait_for(&format!("{other_address}: failed: "));
    let log = logged.end();
    assert_eq!(of(&log, &format!("{its_address}: has ")), ["closed its side too"]);
    assert_eq!(of(&log, &format!("{other_address}: has ")), ["not closed its side within the close timeout"]);
}

#[test]
fn hostile_bytes_put_no_control_character_into_the_log() {
    let logged = Logged::start("hostile", "plainsocket=debug,plainsocket::wire=trace", &[]);
    let hostile = "\u{1b}[2J\r\n[ERROR] \u{9b}31m\u{7}\u{2028}\u{202e}\u{0}";
    let (mut client, address) = logged.connect("/echo?\\n");
    for (first, payload) in [(TEXT, hostile.as_bytes()), (BINARY, &[0x1B, 0xFF]), (PING, b"\x1b\n"), (PONG, b"\r\n")] {
        client.send(frame(first, payload));
    }
    assert_eq!([client.read_frame().0, client.read_frame().0, client.read_frame().0], [TEXT, BINARY, PONG]);
    client.send(close_frame(4000, "\n\u{1b}[31m"));
    client.expect_close(Some(4000));
    drop(client);
    let mut client = Client::tcp(logged.program.address);
    client.send(request("/echo").replace("Host", "X: \u{9b}31m\u{85}\r\nHost"));
    client.read_head();
    client.send(frame(TEXT, b"\x1b\xFF"));
    client.expect_close(Some(1007));
    drop(client);
    let log = logged.end();
    let text = r#"-> text FIN masked 37fa213d length 27 "\u{1b}[2J\r\n[ERROR] \u{9b}31m\u{7}\u{2028}\u{202e}\0" ["#;
    assert!(of(&log, &format!("{address} ")).iter().any(|line| line.starts_with(text)), "{log:#?}");
    assert!(!log.join("").contains(['\u{2028}', '\u{202e}']));
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "reads /proc")]
fn repeated_accept_failure_is_logged_once() {
    let logged = Logged::spawn("accept", with_descriptors("32"));
    let failures = || fs::read_to_string(&logged.file).unwrap().matches("accept: ").count();
    let mut before = 0;
    for _ in 0..2 {
        let clients: Vec<Client> = (0..32).map(|_| Client::tcp(logged.program.address)).collect();
        wait_for("the descriptors to run out", || logged.program.descriptors_below(32) == 32);
        // The server tries to accept ten times in a second.
        thread::sleep(Duration::from_millis(200));
        let begun = failures();
        assert!(begun > before, "each time again");
        thread::sleep(Duration::from_millis(250));
        assert_eq!(failures(), begun, "not at each try");
        drop(clients);
        // A client that waited for a descriptor is served before this one; then all of them leave.
        wait_for_a_seat(logged.program.address);
        wait_for("only its own threads", || logged.program.status("Threads") == OWN_THREADS);
        before = failures();
    }
    logged.end();
}
