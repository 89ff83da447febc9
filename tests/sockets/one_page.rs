//! The server on one page, docs/one-page.rs, as a process of its own. It works, and it breaks in each way that
//! docs/one-page.md describes. Each row of the chapter's table has a test in `attacks`, and each test has a row.

use crate::support::one_page::OnePage;
use crate::support::{
    BINARY, Client, DEADLINE, PING, PONG, TEXT, close_frame, frame, header, request, status, wait_for,
};
use socket2::{Domain, Socket, Type};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message, WebSocket};

const SOURCE: &str = include_str!("../../docs/one-page.rs");
const CHAPTER: &str = include_str!("../../docs/one-page.md");
const FAILED_CASES: &str = include_str!("../conformance/one-page.txt");

impl OnePage {
    fn connect(&self, path: &str) -> Client {
        Client::connect(self.address, path)
    }

    /// A client whose system accepts only a few bytes until the client reads.
    fn connect_with_small_buffer(&self, path: &str) -> Client {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.connect(&self.address.into()).unwrap();
        let mut client = Client::from_stream(socket.into());
        client.send(request(path));
        assert_eq!(status(&client.read_head()), 101);
        client
    }

    fn tungstenite(&self, path: &str) -> WebSocket<TcpStream> {
        let stream = Client::tcp(self.address).stream;
        let (socket, response) = tungstenite::client(format!("ws://{}{path}", self.address), stream).unwrap();
        assert_eq!(response.status(), 101);
        socket
    }

    /// Connects newcomers until a newcomer gets no answer, and returns that one. A newcomer without an answer for 0.2 s
    /// counts as stuck. The tests then check that it really was.
    fn wait_for_a_stuck_newcomer(&self) -> Client {
        let mut stuck = None;
        wait_for("a newcomer without an answer", || {
            let mut newcomer = Client::tcp(self.address);
            newcomer.send(request("/echo"));
            newcomer.stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
            let mut byte = [0];
            let waits = newcomer.stream.peek(&mut byte).is_err_and(|error| is_timeout(error.kind()));
            newcomer.stream.set_read_timeout(Some(DEADLINE)).unwrap();
            stuck = waits.then_some(newcomer);
            waits
        });
        stuck.unwrap()
    }
}

fn is_timeout(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn echoes(client: &mut Client) {
    client.send(frame(TEXT, b"Hello"));
    assert_eq!(client.read_frame(), (TEXT, b"Hello".to_vec()));
}

/// The header of a masked text frame of this length, without a payload.
fn announce(length: u64) -> Vec<u8> {
    [&[TEXT, 0xFF][..], &length.to_be_bytes(), &crate::support::KEY].concat()
}

// The server works.

#[test]
fn handshake_of_the_rfc_gets_its_accept_value() {
    let server = OnePage::start();
    let mut client = Client::tcp(server.address);
    // This frame arrives together with the request.
    client.send([request("/echo").as_bytes(), &frame(TEXT, b"early")].concat());
    let head = client.read_head();
    assert_eq!(status(&head), 101);
    assert_eq!(header(&head, "Upgrade"), Some("websocket"));
    assert_eq!(header(&head, "Connection"), Some("Upgrade"));
    assert_eq!(header(&head, "Sec-WebSocket-Accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(client.read_frame(), (TEXT, b"early".to_vec()));
}

#[test]
fn request_without_key_or_for_unknown_path_gets_404() {
    let server = OnePage::start();
    for text in [request("/nowhere"), "GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()] {
        let mut client = Client::tcp(server.address);
        client.send(text);
        assert_eq!(status(&client.read_head()), 404);
        assert_eq!(client.read_to_end(), b"Only WebSocket here, at /echo and /chat.\n");
    }
}

#[test]
fn messages_of_each_length_form_come_back_as_they_were() {
    let server = OnePage::start();
    for path in ["/", "/echo"] {
        let mut socket = server.tungstenite(path);
        for length in [0, 1, 125, 126, 65_535, 65_536, 300_000] {
            for message in [Message::text("x".repeat(length)), Message::binary(vec![0xFF; length])] {
                socket.send(message.clone()).unwrap();
                assert!(socket.read().unwrap() == message, "{path}, {length} bytes");
            }
        }
    }
}

#[test]
fn chat_message_reaches_every_client_of_its_path_only() {
    let server = OnePage::start();
    let (mut one, mut two, mut other) = (server.connect("/chat"), server.connect("/chat"), server.connect("/echo"));
    for (opcode, text) in [(TEXT, "Grüße"), (BINARY, "\0")] {
        one.send(frame(opcode, text.as_bytes()));
        for member in [&mut one, &mut two] {
            assert_eq!(member.read_frame(), (opcode, text.as_bytes().to_vec()));
        }
    }
    echoes(&mut other);
}

#[test]
fn ping_gets_its_pong_and_close_its_close() {
    let server = OnePage::start();
    let mut socket = server.tungstenite("/echo");
    socket.send(Message::Ping("are you there".into())).unwrap();
    assert_eq!(socket.read().unwrap(), Message::Pong("are you there".into()));
    let close = tungstenite::protocol::CloseFrame { code: CloseCode::Library(4000), reason: "bye".into() };
    socket.close(Some(close.clone())).unwrap();
    assert_eq!(socket.read().unwrap(), Message::Close(Some(close)));
    assert!(matches!(socket.read(), Err(Error::ConnectionClosed)));

    let mut client = server.connect("/chat");
    client.send(close_frame(1000, ""));
    client.expect_close(Some(1000));
}

#[test]
fn member_that_left_gets_no_message_and_harms_nobody() {
    let server = OnePage::start();
    let (mut one, mut two) = (server.connect("/chat"), server.connect("/chat"));
    two.send(close_frame(1000, ""));
    two.expect_close(Some(1000));
    for _ in 0..3 {
        one.send(frame(TEXT, b"alone"));
        assert_eq!(one.read_frame(), (TEXT, b"alone".to_vec()));
    }
}

#[test]
fn heartbeat_pings_and_drops_silent_clients_only() {
    let server = OnePage::start_with_interval("0.3");
    let (mut silent, mut answers) = (server.connect("/echo"), server.connect("/echo"));
    let pings = thread::spawn(move || {
        let mut pings = 0;
        while silent.stream.read(&mut [0; 2]).is_ok_and(|count| count == 2) {
            pings += 1;
        }
        pings
    });
    let mut answered = 0;
    while answered < 4 || !pings.is_finished() {
        assert_eq!(answers.read_frame(), (PING, Vec::new()));
        answers.send(frame(PONG, b""));
        answered += 1;
    }
    assert!(pings.join().unwrap() > 0, "no Ping before the end");
    server.wait_for_log("silent for too long");
}

#[test]
fn page_has_at_most_200_lines_of_at_most_120_columns() {
    assert!(SOURCE.lines().count() <= 200);
    assert!(SOURCE.lines().all(|line| line.chars().count() <= 120));
}

// The server breaks: a test for each row of the chapter's table.

mod attacks {
    use super::*;

    #[test]
    fn unfinished_request_keeps_its_thread_forever() {
        let server = OnePage::start_with_interval("0.05");
        let mut unfinished = Client::tcp(server.address);
        let (begin, rest) = ("GET /ec", request("/echo").split_off("GET /ec".len()));
        unfinished.send(begin);
        // A later client that is silent after its handshake is dropped.
        let mut silent = server.connect("/echo");
        while silent.stream.read(&mut [0; 64]).is_ok_and(|count| count > 0) {}
        unfinished.send(rest);
        assert_eq!(status(&unfinished.read_head()), 101);
    }

    #[test]
    fn request_of_two_megabytes_gets_101() {
        let server = OnePage::start();
        let mut client = Client::tcp(server.address);
        let more = format!("\r\nX-Line: {}", "x".repeat(1_000_000)) + &"\r\nX: y".repeat(200_000);
        client.send(request("/echo").replacen("\r\n", &(more + "\r\n"), 1));
        assert_eq!(status(&client.read_head()), 101);
    }

    #[test]
    fn request_that_is_no_upgrade_gets_101() {
        let server = OnePage::start();
        let mut client = Client::tcp(server.address);
        client.send("POST /echo HTTP/1.0\r\nSec-WebSocket-Version: 99\r\nSec-WebSocket-Key: no key\r\n\r\n");
        assert_eq!(status(&client.read_head()), 101);
    }

    #[test]
    fn request_from_another_sites_page_gets_101() {
        let server = OnePage::start();
        let mut client = Client::tcp(server.address);
        client.send(request("/chat").replace("Upgrade: ", "Origin: https://evil.example\r\nUpgrade: "));
        assert_eq!(status(&client.read_head()), 101);
    }

    #[test]
    fn escape_code_in_a_path_reaches_the_terminal() {
        let server = OnePage::start();
        Client::tcp(server.address).send(request("/\x1b[2J\rroot"));
        server.wait_for_log("asks for /\x1b[2J\rroot");
    }

    #[test]
    fn unmasked_frame_is_taken() {
        let server = OnePage::start();
        let mut client = server.connect("/echo");
        client.send([TEXT, 5, b'H', b'e', b'l', b'l', b'o']);
        assert_eq!(client.read_frame(), (TEXT, b"Hello".to_vec()));
    }

    #[test]
    fn length_of_2_to_the_63_leaves_a_client_without_thread() {
        let server = OnePage::start();
        let (mut rude, mut good) = (server.connect("/echo"), server.connect("/echo"));
        rude.send(announce(1 << 63));
        server.wait_for_log("capacity overflow");
        echoes(&mut good);
        // The registry holds a clone of the socket, so the connection stays open.
        rude.stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let error = rude.stream.read(&mut [0]).expect_err("neither a byte nor an end");
        assert!(is_timeout(error.kind()), "{error}");
    }

    #[test]
    fn length_of_2_to_the_62_ends_the_process() {
        let mut server = OnePage::start();
        let (mut rude, mut good) = (server.connect("/echo"), server.connect("/echo"));
        rude.send(announce(1 << 62));
        good.expect_gone();
        assert!(!server.wait_for_end());
        server.wait_for_log("memory allocation of 4611686018427387904 bytes failed");
    }

    #[test]
    fn fragmented_message_comes_back_cut() {
        let server = OnePage::start();
        let mut client = server.connect("/echo");
        const CONTINUATION_AND_FIN: u8 = 0x80;
        for (first, payload) in [(0x01, "one "), (0x00, "two "), (CONTINUATION_AND_FIN, "three"), (TEXT, "next")] {
            client.send(frame(first, payload.as_bytes()));
        }
        assert_eq!(client.read_frame(), (TEXT, b"one ".to_vec()));
        assert_eq!(client.read_frame(), (TEXT, b"next".to_vec()));
    }

    #[test]
    fn invalid_utf_8_fails_the_members_that_check_it() {
        let server = OnePage::start();
        let (mut rude, mut good) = (server.connect("/chat"), server.tungstenite("/chat"));
        rude.send(frame(TEXT, b"\xFF"));
        assert!(matches!(good.read(), Err(Error::Utf8(_))));
    }

    #[test]
    fn member_that_does_not_read_stops_the_server() {
        let server = OnePage::start();
        let mut slow = server.connect_with_small_buffer("/chat");
        let (mut speaker, message) = (server.connect("/chat"), frame(BINARY, &[0; 65_536]));
        let mut hears = Client::from_stream(speaker.stream.try_clone().unwrap());
        let stops = Arc::new(AtomicBool::new(false));
        let speaks_until = Arc::clone(&stops);
        thread::spawn(move || {
            while !speaks_until.load(Ordering::Relaxed) {
                speaker.send(&message);
            }
            speaker.send(close_frame(1000, ""));
        });
        thread::spawn(move || while hears.stream.read(&mut [0; 65_536]).is_ok_and(|count| count > 0) {});

        let mut newcomer = server.wait_for_a_stuck_newcomer();
        stops.store(true, Ordering::Relaxed);
        // Once the member reads, the newcomer gets in.
        thread::spawn(move || while slow.stream.read(&mut [0; 65_536]).is_ok_and(|count| count > 0) {});
        assert_eq!(status(&newcomer.read_head()), 101);
        echoes(&mut newcomer);
    }

    /// This exceeds what a Linux socket buffers.
    #[cfg(target_os = "linux")]
    const LENGTH: usize = 4_000_000;

    /// Other systems keep the bytes of one write together.
    #[cfg(target_os = "linux")]
    #[test]
    fn ping_of_the_heartbeat_tears_an_echo() {
        let server = OnePage::start_with_interval("0.3");
        // On a busy machine the heartbeat can be too early, or can drop the client, so there are several tries.
        let message = frame(TEXT, &[b'x'; LENGTH]);
        assert!((0..8).any(|_| has_a_torn_echo(&server, &message)), "no Ping within an echo");
    }

    /// Waits for the server to begin a large echo and for the heartbeat to pass, and only then reads on.
    #[cfg(target_os = "linux")]
    fn has_a_torn_echo(server: &OnePage, message: &[u8]) -> bool {
        let mut slow = server.connect_with_small_buffer("/echo");
        let mut byte = [0];
        let mut is_sent = slow.stream.write_all(message).is_ok();
        while is_sent && byte != [TEXT] {
            is_sent = slow.stream.read_exact(&mut byte).is_ok();
        }
        let mut witness = Client::tcp(server.address);
        witness.send(request("/echo"));
        // The witness gets its Ping, or gets nothing for a whole interval: then the heartbeat is waiting for the slow
        // client.
        witness.stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let (mut heard, mut buffer) = (Vec::new(), [0; 65_536]);
        while !heard.ends_with(&[PING, 0]) {
            let Ok(count) = witness.stream.read(&mut buffer) else { break };
            heard.extend(&buffer[..count]);
        }

        let mut bytes = Vec::new();
        while bytes.len() < LENGTH {
            let Some(count) = slow.stream.read(&mut buffer).ok().filter(|count| *count > 0) else { return false };
            bytes.extend(&buffer[..count]);
        }
        // After its header an echo is all `x`, up to the Ping.
        let begin = bytes.iter().position(|byte| *byte == b'x').unwrap();
        let echo = &bytes[begin..];
        let ping = echo.iter().position(|byte| *byte != b'x').unwrap_or(echo.len());
        let pings = echo[ping..].chunks(2).take_while(|pair| *pair == [PING, 0]).count();
        pings > 0 && echo.get(ping + 2 * pings) == Some(&b'x')
    }

    #[test]
    fn member_that_is_gone_ends_each_speaker() {
        let server = OnePage::start();
        let mut gone = server.connect("/chat");
        gone.send(announce(1 << 63));
        server.wait_for_log("capacity overflow");
        drop(gone);
        for _ in 0..2 {
            let mut speaker = server.connect("/chat");
            wait_for("the end of a speaker", || {
                // The first message can still reach a socket that no thread serves.
                let _ = speaker.stream.write_all(&frame(TEXT, b"x"));
                !speaker.stream.read(&mut [0; 64]).is_ok_and(|count| count > 0)
            });
        }
    }

    #[test]
    fn slow_upload_is_dropped_as_silent() {
        let server = OnePage::start_with_interval("0.1");
        let mut uploads = server.connect("/echo");
        uploads.stream.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
        let mut bytes = frame(BINARY, &[0; 65_000]).into_iter();
        wait_for("its end", || {
            let sent = uploads.stream.write_all(&[bytes.next().unwrap()]);
            let came = uploads.stream.read(&mut [0; 2]);
            sent.is_err() || !came.map_or_else(|error| is_timeout(error.kind()), |count| count > 0)
        });
        server.wait_for_log("silent for too long");
    }

    #[test]
    fn bytes_after_a_close_turn_the_end_into_a_reset() {
        let server = OnePage::start();
        let mut client = server.connect("/echo");
        client.send([close_frame(1000, ""), frame(BINARY, &[0; 60_000])].concat());
        let error = loop {
            match client.stream.read(&mut [0; 64]) {
                Ok(0) => panic!("an end without a reset"),
                Ok(_) => {}
                Err(error) => break error.kind(),
            }
        };
        assert!(matches!(error, ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn sigterm_ends_clients_without_a_close() {
        let mut server = OnePage::start();
        let mut client = server.connect("/echo");
        server.signal("TERM");
        client.expect_gone();
        assert!(!server.wait_for_end());
    }

    #[cfg(unix)]
    #[test]
    fn lack_of_descriptors_ends_the_server() {
        let mut server = OnePage::start_with_descriptors("12");
        let _clients: Vec<TcpStream> = (0..12).map_while(|_| TcpStream::connect(server.address).ok()).collect();
        assert!(!server.wait_for_end());
        server.wait_for_log("Too many open files");
    }
}

// The chapter's tables.

/// The cells of the rows below the heading, without the table's head.
fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, section) = CHAPTER.split_once(&format!("\n## {heading}\n")).expect("the heading");
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let rows: Vec<Vec<&str>> = rows.map(|row| row.split(" | ").collect()).collect();
    assert!(rows.len() > 2 && rows[1].iter().all(|cell| *cell == "---"), "a table");
    rows[2..].to_vec()
}

/// The text between the backticks of a cell.
fn code(cell: &str) -> &str {
    cell.split('`').nth(1).expect("code")
}

#[test]
fn each_attack_has_a_row_and_each_row_an_attack() {
    let source = include_str!("one_page.rs");
    let attacks = source.split_once("mod attacks {").and_then(|(_, rest)| rest.split_once("\n}\n")).expect("attacks").0;
    let tests: BTreeSet<&str> = attacks
        .split("#[test]\n")
        .skip(1)
        .map(|test| test.trim_start().trim_start_matches("fn ").split('(').next().unwrap())
        .collect();
    let rows = rows("What strangers do");
    let named: BTreeSet<&str> = rows.iter().map(|row| code(row[4])).collect();
    assert_eq!(named.len(), rows.len(), "a row for each test");
    assert_eq!(named, tests);
    assert!(tests.len() >= 12);
    for row in rows {
        let line = code(row[1]).replace("\\|", "|");
        assert_eq!(SOURCE.lines().filter(|of_page| of_page.contains(&line)).count(), 1, "lines of the page: {line}");
    }
}

#[test]
fn each_failing_group_of_cases_has_its_row() {
    let mut failed = BTreeMap::new();
    for case in FAILED_CASES.lines().flat_map(|line| line.split('#').next().unwrap().split_whitespace()) {
        *failed.entry(case.split('.').next().unwrap().parse::<u8>().unwrap()).or_insert(0) += 1;
    }
    let group =
        |row: &Vec<&str>| (row[0].parse::<u8>().unwrap(), row[2].split(" of ").next().unwrap().parse().unwrap());
    let told: BTreeMap<u8, u32> = rows("What the Autobahn suite finds").iter().map(group).collect();
    assert_eq!(told, failed);
}
