//! The server over real sockets: the replies of the handshake, the frame loop, the closing handshake.

use crate::support::{
    BINARY, CLOSE, Client, DEADLINE, PING, PONG, TEXT, close_frame, frame, header, request, start, start_default,
    status,
};
use plainsocket::protocol::response::Response;
use plainsocket::{CloseCode, Config, Error, Server};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Sends `bytes` and returns the reply's head and body, up to the server's FIN.
fn ask(bytes: impl AsRef<[u8]>) -> (String, String) {
    let mut client = Client::tcp(start_default());
    client.send(bytes);
    let head = client.read_head();
    (head, String::from_utf8(client.read_to_end()).unwrap())
}

// §4.2 The opening handshake

#[test]
fn the_example_of_section_1_3_is_answered_as_there() {
    let mut client = Client::tcp(start_default());
    client.send(request("/echo"));
    let head = client.read_head();
    assert_eq!(status(&head), 101);
    assert_eq!(header(&head, "Sec-WebSocket-Accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
}

#[test]
fn subprotocol_is_selected_by_path_and_known_to_handler() {
    let address = start_default();
    for (path, line, expected) in [
        ("/subprotocol", "Sec-WebSocket-Protocol: v1, v2", Some("v2")),
        ("/subprotocol", "Sec-WebSocket-Protocol: v3\r\nSec-WebSocket-Protocol: v1", Some("v1")),
        ("/subprotocol", "Sec-WebSocket-Protocol: V1", None),
        ("/subprotocol", "X: v1", None),
        ("/subprotocol?v1", "Sec-WebSocket-Protocol: v1", Some("v1")),
        ("/echo", "Sec-WebSocket-Protocol: v1", None),
    ] {
        let mut client = Client::tcp(address);
        client.send(request(path).replace("Host", &format!("{line}\r\nHost")));
        let head = client.read_head();
        assert_eq!((status(&head), header(&head, "Sec-WebSocket-Protocol")), (101, expected), "{path} {line}");
        if path.starts_with("/subprotocol") {
            assert_eq!(client.read_frame(), (TEXT, format!("{expected:?}").into_bytes()));
        }
    }
}

#[test]
fn a_handshake_in_single_bytes_is_a_handshake() {
    let mut client = Client::tcp(start_default());
    for byte in request("/echo").bytes() {
        client.send([byte]);
    }
    assert_eq!(status(&client.read_head()), 101);
}

#[test]
fn frames_glued_to_the_handshake_are_frames() {
    let mut client = Client::tcp(start_default());
    client.send([request("/echo").as_bytes(), &frame(TEXT, b"one"), &frame(TEXT, b"two")].concat());
    assert_eq!(status(&client.read_head()), 101);
    assert_eq!(client.read_frame(), (TEXT, b"one".to_vec()));
    assert_eq!(client.read_frame(), (TEXT, b"two".to_vec()));
}

#[test]
fn the_table_of_replies() {
    let plain = |line: &str| format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n");
    let good = request("/echo");
    for (bytes, expected) in [
        (plain("GET /"), 200),
        (plain("HEAD /"), 200),
        (plain("GET /?query"), 200),
        (plain("GET /echo"), 426),
        (plain("HEAD /echo"), 426),
        (plain("GET /nothing"), 404),
        (request("/nothing"), 404),
        (plain("POST /"), 405),
        (plain("PUT /nothing"), 405),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello".to_owned(), 405),
        ("nonsense\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.0\r\n\r\n".to_owned(), 200),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n".to_owned(), 200),
        ("\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), 200),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/2.0\r\nHost: x\r\n\r\n".to_owned(), 505),
        ("GET / HTTP/9.9\r\nHost: x\r\n\r\n".to_owned(), 505),
        (good.replace("HTTP/1.1", "HTTP/1.0"), 400),
        (good.replace("/echo", &format!("/echo?{}", "x".repeat(8192))), 414),
        (good.replace("Connection: Upgrade\r\n", ""), 400),
        (good.replace("Sec-WebSocket-Key", "X"), 400),
        (good.replace("Host: ", "Content-Length: 3\r\nHost: ") + "abc", 400),
        (good.replace("Version: 13", "Version: 8"), 426),
        (good.replace("Host: ", &format!("X: {}\r\nHost: ", "x".repeat(8192))), 431),
        (good.replace("Host: ", &format!("{}Host: ", "A: b\r\n".repeat(100))), 431),
    ] {
        let (head, body) = ask(&bytes);
        assert_eq!(status(&head), expected, "{bytes:?}");
        assert!(header(&head, "Connection").unwrap().starts_with("close"));
        let length: usize = header(&head, "Content-Length").unwrap().parse().unwrap();
        assert!(length > 0);
        assert_eq!(body.len(), if bytes.starts_with("HEAD") { 0 } else { length });
        assert_has_date(&head);
    }
}

/// RFC 9110 §6.6.1: the head has a date, and it is today's.
fn assert_has_date(head: &str) {
    let dates: Vec<&str> = head.lines().filter_map(|line| line.strip_prefix("Date: ")).collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut recent = (now - 60..=now).map(|second| Response::page("").with_date(second));
    assert!(dates.len() == 1 && recent.any(|page| page.header_value("Date") == Some(dates[0])), "{head}");
}

#[test]
fn every_reply_has_a_date() {
    let config = || Config { handshake_timeout: Duration::from_millis(50), ..Config::default() };
    let full = start(Config { max_clients: 1, ..config() });
    let (mut first, mut second) = (Client::connect(full, "/echo"), Client::tcp(full));
    let full_for_address = start(Config { max_clients_per_ip: Some(1), ..config() });
    let (_guest, mut other) = (Client::connect(full_for_address, "/echo"), Client::tcp(full_for_address));
    let mut silent = Client::tcp(start(config()));
    let mut upgraded = Client::tcp(start_default());
    upgraded.send(request("/echo"));
    for (client, expected) in [(&mut second, 503), (&mut other, 429), (&mut silent, 408), (&mut upgraded, 101)] {
        let head = client.read_head();
        assert_eq!(status(&head), expected);
        assert_has_date(&head);
    }
    assert_echo(&mut first, b"still here");
}

#[test]
fn a_client_that_speaks_tls_reads_why_it_is_refused() {
    let (head, body) = ask([&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], &[7; 400]].concat());
    assert_eq!(status(&head), 400);
    assert!(body.contains("TLS"), "{body}");
}

#[test]
fn an_origin_that_is_neither_the_servers_nor_allowed_is_refused() {
    let mut config = Config::default();
    config.allow_origin("https://good.example").unwrap();
    let mut open = Config::default();
    open.allow_origin("any").unwrap();
    let [default, listed, open] = [Config::default(), config, open].map(start);
    for (address, origin, expected) in [
        (default, "http://server.example.com", 101),
        (default, "https://server.example.com", 101),
        (default, "https://good.example", 403),
        (listed, "http://server.example.com", 101),
        (listed, "https://good.example", 101),
        (listed, "https://evil.example", 403),
        (open, "https://evil.example", 101),
        (open, "null", 101),
    ] {
        let mut client = Client::tcp(address);
        client.send(request("/echo").replace("Host: ", &format!("Origin: {origin}\r\nHost: ")));
        assert_eq!(status(&client.read_head()), expected, "{origin}");
    }
}

#[test]
fn the_reply_403_names_the_flag_that_would_allow_the_origin() {
    let (head, body) = ask(request("/echo").replace("Host: ", "Origin: https://evil.example\r\nHost: "));
    assert_eq!(status(&head), 403);
    assert!(body.contains("--allow-origin \"https://evil.example\""), "{body}");
    for origin in [
        "http://localhost:3000",
        "http://[::1]:3000",
        "http://a_b.example.",
        "chrome-extension://abcdefgh",
        "file://",
        "null",
    ] {
        let (head, body) = ask(request("/echo").replace("Host: ", &format!("Origin: {origin}\r\nHost: ")));
        assert_eq!(status(&head), 403);
        assert!(body.ends_with(&format!("the flag --allow-origin \"{origin}\"\n")), "{body}");
        // The flag keeps its promise: with it, the page connects.
        let mut config = Config::default();
        config.allow_origin(origin).unwrap();
        let mut client = Client::tcp(start(config));
        client.send(request("/echo").replace("Host: ", &format!("Origin: {origin}\r\nHost: ")));
        assert_eq!(status(&client.read_head()), 101, "{origin}");
    }
}

#[test]
fn reply_403_names_only_flags_that_are_valid_and_safe() {
    let long = format!("http://{}", "a".repeat(250));
    for origin in [
        // Within double quotation marks a shell would run or change these.
        "http://a$(echo${IFS}x>/tmp/pwned)",
        "http://a`id`",
        "http://$HOME",
        "http://a!b",
        "http://a\"b",
        "http://a\\b",
        "app://a;id",
        "app://a'b",
        "app://a&b",
        // The flag would refuse these values.
        "",
        "*",
        "HTTP://a",
        "http://B",
        "http://b/",
        "http://b:80",
        "file:///",
        "http://a:8000/x",
        "ws://a:8000",
        "http://127.1",
        "chrome-extension://",
        "evil.example",
        // These flags would allow more origins, or a different one.
        "any",
        &long,
    ] {
        let (head, body) = ask(request("/echo").replace("Host: ", &format!("Origin: {origin}\r\nHost: ")));
        assert_eq!(status(&head), 403, "{origin}");
        assert!(!body.contains("--") && body.contains("allows only its own Origin"), "{origin}: {body}");
    }
}

// RFC 9112 §3.2 and §3.2.2: Host, and the host of an absolute target

#[test]
fn a_bad_host_or_target_gets_400_and_the_form() {
    for host in [":80", "a:b", "a:99999", "::1", "[::1", "[::1]x", "[]", "%zz"] {
        for head in [request("/echo"), "GET / HTTP/1.1\r\nHost: server.example.com\r\n\r\n".to_owned()] {
            let (head, body) = ask(head.replace("server.example.com", host));
            assert_eq!((status(&head), body.contains("host or host:port")), (400, true), "{host}: {body}");
        }
    }
    for target in ["http:///echo", "http://:80/echo", "https://", "http://u:p@x/"] {
        for head in [request(target), format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n")] {
            let (head, body) = ask(head);
            assert_eq!((status(&head), body.contains("http://host:port/path")), (400, true), "{target}: {body}");
        }
    }
}

#[test]
fn an_absolute_targets_host_decides_about_the_origin() {
    for (origin, expected) in [("http://evil", 403), ("http://good:8000", 101)] {
        let mut client = Client::tcp(start(Config::default()));
        let lines = format!("Host: evil\r\nOrigin: {origin}");
        client.send(request("http://good:8000/echo").replace("Host: server.example.com", &lines));
        assert_eq!(status(&client.read_head()), expected, "{origin}");
    }
}

#[test]
fn a_refusal_reaches_a_client_that_is_still_sending() {
    // This is far longer than a head can be and than the sockets' buffers, so the server must go on reading.
    let (head, body) = ask(["GET / HTTP/1.1\r\n".as_bytes(), &vec![b'x'; 30_000_000]].concat());
    assert_eq!((status(&head), body.as_str()), (431, "the request head is over 8192 bytes\n"));
}

#[test]
fn the_handshake_timeout_counts_in_total_and_not_per_byte() {
    let timeout = Duration::from_millis(300);
    let address = start(Config { handshake_timeout: timeout, ..Config::default() });
    let started = Instant::now();
    let mut client = Client::tcp(address);
    let mut slow = Client::tcp(address);
    slow.send("GET /");
    assert_eq!(status(&client.read_head()), 408);
    // A byte now and then does not extend the time.
    let mut writer = slow.stream.try_clone().unwrap();
    std::thread::spawn(move || {
        while std::io::Write::write_all(&mut writer, b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    assert_eq!(status(&slow.read_head()), 408);
    assert!(started.elapsed() >= timeout && started.elapsed() < timeout * 10, "{:?}", started.elapsed());
}

#[test]
fn the_handshake_timeout_ends_with_the_handshake() {
    let timeout = Duration::from_millis(100);
    let mut client = Client::connect(start(Config { handshake_timeout: timeout, ..Config::default() }), "/echo");
    std::thread::sleep(timeout * 3);
    assert_echo(&mut client, b"idle is fine");
}

#[test]
fn a_head_request_gets_no_body_even_if_it_is_malformed() {
    for bad in ["HEAD / HTTP/1.1\r\n\r\n", "\r\nHEAD / HTTP/1.1\r\n\r\n"] {
        let (head, body) = ask(bad);
        assert_eq!((status(&head), body.as_str()), (400, ""));
    }
}

#[test]
fn a_client_that_leaves_within_the_handshake_harms_nobody() {
    let address = start_default();
    for part in ["", "GET /echo HTTP/1.1\r\n"] {
        let mut client = Client::tcp(address);
        client.send(part);
        client.hang_up();
        client.expect_gone();
    }
    assert_echo(&mut Client::connect(address, "/echo"), b"still here");
}

// §5.4, §5.6 Messages

fn assert_echo(client: &mut Client, payload: &[u8]) {
    client.send(frame(BINARY, payload));
    assert_eq!(client.read_frame(), (BINARY, payload.to_vec()));
}

#[test]
fn every_length_form_is_echoed_with_its_type() {
    let mut client = Client::connect(start_default(), "/echo");
    for length in [0, 1, 125, 126, 127, 65535, 65536, 200_000] {
        assert_echo(&mut client, &vec![7; length]);
        client.send(frame(TEXT, &vec![b'a'; length]));
        assert_eq!(client.read_frame(), (TEXT, vec![b'a'; length]));
    }
}

#[test]
fn a_frame_in_single_bytes_is_a_frame() {
    let mut client = Client::connect(start_default(), "/");
    for byte in frame(TEXT, "grüß dich".as_bytes()) {
        client.send([byte]);
    }
    assert_eq!(client.read_frame(), (TEXT, "grüß dich".as_bytes().to_vec()));
}

#[test]
fn many_messages_in_one_segment_come_back_in_order() {
    let mut client = Client::connect(start_default(), "/echo");
    let messages: Vec<_> = (0..1000).map(|i| format!("message {i}")).collect();
    client.send(messages.iter().flat_map(|message| frame(TEXT, message.as_bytes())).collect::<Vec<_>>());
    for message in messages {
        assert_eq!(client.read_frame(), (TEXT, message.into_bytes()));
    }
}

#[test]
fn ping_between_fragments_is_answered_before_the_message() {
    let mut client = Client::connect(start_default(), "/echo");
    client.send([frame(0x01, b"Hel"), frame(PING, b"in between"), frame(0x80, b"lo")].concat());
    assert_eq!(client.read_frame(), (PONG, b"in between".to_vec()));
    assert_eq!(client.read_frame(), (TEXT, b"Hello".to_vec()));
}

#[test]
fn hundred_thousand_tiny_fragments_take_under_a_second() {
    const COUNT: usize = 100_000;
    let mut client = Client::connect(start_default(), "/echo");
    let mut wire: Vec<u8> = (0..COUNT).flat_map(|_| frame(0x00, b"x")).collect();
    wire[0] = 0x01;
    let last = wire.len() - 7;
    wire[last] = 0x80;
    let started = Instant::now();
    client.send(wire);
    assert_eq!(client.read_frame(), (TEXT, vec![b'x'; COUNT]));
    assert!(started.elapsed() < Duration::from_secs(1), "took {:?}", started.elapsed());
}

#[test]
fn a_message_of_the_limit_is_fine_and_one_more_byte_is_1009() {
    let address = start(Config { max_message_size: 1000, ..Config::default() });
    assert_echo(&mut Client::connect(address, "/echo"), &[1; 1000]);
    for frames in [vec![frame(BINARY, &[1; 1001])], vec![frame(0x02, &[1; 999]), frame(0x80, &[1; 2])]] {
        let mut client = Client::connect(address, "/echo");
        client.send(frames.concat());
        assert_eq!(client.expect_close(Some(1009)), "message over 1000 bytes (§10.4)");
    }
}

// §5.5 Control Frames

#[test]
fn pong_carries_its_pings_bytes_and_clients_pong_is_accepted() {
    let mut client = Client::connect(start_default(), "/echo");
    for payload in [&b""[..], b"x", &[0xFF; 125]] {
        client.send(frame(PONG, payload));
        client.send(frame(PING, payload));
        assert_eq!(client.read_frame(), (PONG, payload.to_vec()));
    }
}

// §7.1.7 Fail the WebSocket Connection

#[test]
fn each_broken_rule_is_answered_with_its_close_code() {
    let address = start_default();
    for (bytes, code) in [
        (b"\x81\x05Hello".to_vec(), 1002),
        (frame(0xC1, b"rsv1"), 1002),
        (frame(0xA1, b"rsv2"), 1002),
        (frame(0x91, b"rsv3"), 1002),
        (frame(0x83, b""), 1002),
        (frame(0x8B, b""), 1002),
        (frame(0x09, b""), 1002),
        (frame(PING, &[0; 126]), 1002),
        (b"\x82\xFE\x00\x7D\0\0\0\0".to_vec(), 1002),
        (b"\x82\xFF\x80\0\0\0\0\0\0\0\0\0\0\0".to_vec(), 1002),
        (b"\x82\xFF\x40\0\0\0\0\0\0\0\0\0\0\0".to_vec(), 1009),
        (frame(0x80, b"of nothing"), 1002),
        ([frame(0x01, b"a"), frame(TEXT, b"b")].concat(), 1002),
        (frame(CLOSE, b"\x03"), 1002),
        (close_frame(999, ""), 1002),
        (close_frame(1005, ""), 1002),
        (close_frame(1006, ""), 1002),
        (close_frame(1015, ""), 1002),
        (close_frame(5000, ""), 1002),
        (frame(TEXT, b"\xFF"), 1007),
        (frame(CLOSE, b"\x03\xE8\xFF"), 1007),
    ] {
        let mut client = Client::connect(address, "/echo");
        // The message before the violation is answered, and the message after it is ignored.
        client.send([frame(TEXT, b"before"), bytes.clone(), frame(TEXT, b"after")].concat());
        assert_eq!(client.read_frame(), (TEXT, b"before".to_vec()), "{bytes:02x?}");
        let reason = client.expect_close(Some(code));
        assert!(reason.contains('§'), "the reason names the rule: {reason}");
    }
}

#[test]
fn invalid_text_fails_before_its_frame_is_complete() {
    let mut client = Client::connect(start_default(), "/echo");
    client.send(&frame(TEXT, b"good \xFF and the rest is never sent")[..12]);
    client.expect_close(Some(1007));
}

#[test]
fn failed_connection_ends_without_reset_while_client_sends() {
    let mut client = Client::connect(start_default(), "/echo");
    client.send([frame(0xC1, b""), vec![0; 30_000_000]].concat());
    client.expect_close(Some(1002));
}

// §5.5.1 Close, §7 Closing the Connection

#[test]
fn a_close_is_answered_with_its_code() {
    for code in [1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999] {
        let mut client = Client::connect(start_default(), "/echo");
        client.send(close_frame(code, "bye"));
        client.expect_close(Some(code));
    }
}

#[test]
fn an_empty_close_is_answered_with_an_empty_one() {
    let mut client = Client::connect(start_default(), "/echo");
    client.send(frame(CLOSE, b""));
    client.expect_close(None);
}

#[test]
fn close_is_preceded_by_replies_and_later_data_dropped() {
    let mut client = Client::connect(start_default(), "/echo");
    client.send([frame(TEXT, b"first"), close_frame(1000, ""), frame(TEXT, b"too late"), frame(PING, b"")].concat());
    assert_eq!(client.read_frame(), (TEXT, b"first".to_vec()));
    client.expect_close(Some(1000));
}

#[test]
fn a_close_in_the_middle_of_a_message_closes() {
    let mut client = Client::connect(start_default(), "/echo");
    client.send([frame(0x01, b"Hel"), close_frame(1000, "")].concat());
    client.expect_close(Some(1000));
}

#[test]
fn a_handler_closes_with_a_code_and_a_reason() {
    let mut client = Client::connect(start_default(), "/leave");
    assert_eq!(client.read_frame(), (TEXT, b"see you".to_vec()));
    assert_eq!(client.read_frame(), (CLOSE, b"\x03\xF0enough".to_vec()));
    // Messages that were on the way when the Close was sent are not answered.
    client.send([frame(TEXT, b"crossed"), close_frame(1008, "")].concat());
    assert_eq!(client.read_to_end(), b"");
}

// §5.5.2: a Ping MUST be answered "unless it already received a Close frame"

#[test]
fn a_ping_between_our_close_and_the_clients_gets_its_pong() {
    let mut client = Client::connect(start_default(), "/leave");
    assert_eq!(client.read_frame(), (TEXT, b"see you".to_vec()));
    assert_eq!(client.read_frame().0, CLOSE);
    client.send([frame(PING, b"one"), frame(TEXT, b"crossed")].concat());
    assert_eq!(client.read_frame(), (PONG, b"one".to_vec()));
    // The last Ping before the client's Close is in the same segment, and another Ping follows the Close.
    client.send([frame(0x01, b"cro"), frame(PING, b"two"), close_frame(1008, ""), frame(PING, b"late")].concat());
    assert_eq!(client.read_frame(), (PONG, b"two".to_vec()));
    assert_eq!(client.read_to_end(), b"");
}

#[test]
fn a_ping_after_the_1001_of_a_shutdown_gets_its_pong() {
    let server =
        Server::bind("127.0.0.1:0").unwrap().route("/recv", crate::support::echo).route("/recv_frame", |connection| {
            while connection.recv_frame()?.is_some() {}
            Ok(())
        });
    let (address, handle) = (server.local_addr().unwrap(), server.handle().unwrap());
    let running = thread::spawn(|| server.run());
    let mut clients = ["/recv", "/recv_frame"].map(|path| Client::connect(address, path));
    crate::support::wait_for("both clients", || handle.clients() == 2);
    handle.shutdown();
    for client in &mut clients {
        let (first, payload) = client.read_frame();
        assert_eq!((first, &payload[..2]), (CLOSE, &1001u16.to_be_bytes()[..]));
        client.send(frame(PING, b"one"));
        assert_eq!(client.read_frame(), (PONG, b"one".to_vec()));
        client.send([frame(PING, b"two"), close_frame(1001, "")].concat());
        assert_eq!(client.read_frame(), (PONG, b"two".to_vec()));
        assert_eq!(client.read_to_end(), b"");
    }
    drop(clients);
    running.join().unwrap().unwrap();
}

#[test]
fn handler_can_send_nothing_after_its_close() {
    let (tell, told) = mpsc::channel();
    let server = Server::bind("127.0.0.1:0").unwrap().route("/", move |connection| {
        connection.close(CloseCode::NORMAL, "")?;
        for sent in
            [connection.send("too late"), connection.broadcast("too late"), connection.close(CloseCode::NORMAL, "")]
        {
            tell.send(sent).unwrap();
        }
        Ok(())
    });
    let address = server.local_addr().unwrap();
    thread::spawn(|| server.run());
    let mut client = Client::connect(address, "/");
    assert_eq!(client.read_frame(), (CLOSE, b"\x03\xE8".to_vec()));
    client.send(close_frame(1000, ""));
    assert_eq!(client.read_to_end(), b"");
    let next = || told.recv_timeout(DEADLINE).unwrap();
    assert!(matches!(next(), Err(Error::Closed)));
    assert!(next().is_ok(), "a broadcast goes to the others");
    assert!(next().is_ok(), "to close twice does no harm");
}

#[test]
fn a_handler_that_returns_closes_with_1000() {
    let mut client = Client::connect(start_default(), "/return");
    assert_eq!(client.read_frame(), (CLOSE, 1000u16.to_be_bytes().to_vec()));
    client.send(close_frame(1000, ""));
    assert_eq!(client.read_to_end(), b"");
}

#[test]
fn close_timeout_bounds_the_wait_for_the_clients_close() {
    let timeout = Duration::from_millis(300);
    let address = start(Config { close_timeout: timeout, ..Config::default() });
    let started = Instant::now();
    let mut silent = Client::connect(address, "/return");
    assert_eq!(silent.read_frame().0, CLOSE);
    let mut chatty = Client::connect(address, "/return");
    assert_eq!(chatty.read_frame().0, CLOSE);
    let mut writer = chatty.stream.try_clone().unwrap();
    std::thread::spawn(move || {
        while std::io::Write::write_all(&mut writer, &frame(TEXT, b"and another thing")).is_ok() {
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    // A client that reads no Pongs, however many are due.
    let mut deaf = Client::connect(address, "/return");
    assert_eq!(deaf.read_frame().0, CLOSE);
    let mut writer = deaf.stream.try_clone().unwrap();
    let flood = std::thread::spawn(move || {
        let pings = frame(PING, &[7; 125]).repeat(1000);
        while std::io::Write::write_all(&mut writer, &pings).is_ok() {}
    });
    silent.expect_gone();
    chatty.expect_gone();
    flood.join().unwrap();
    assert!(started.elapsed() >= timeout && started.elapsed() < timeout * 10, "{:?}", started.elapsed());
}

#[test]
fn failing_handler_ends_only_its_client_with_1011() {
    let address = start_default();
    let mut bystander = Client::connect(address, "/echo");
    for path in ["/error", "/panic"] {
        let mut client = Client::connect(address, path);
        assert_eq!(client.read_frame(), (CLOSE, 1011u16.to_be_bytes().to_vec()));
        client.send(close_frame(1011, ""));
        assert_eq!(client.read_to_end(), b"");
    }
    assert_echo(&mut bystander, b"not my business");
}

#[test]
fn a_client_that_vanishes_harms_nobody() {
    let address = start_default();
    let mut bystander = Client::connect(address, "/echo");
    for part in [&b""[..], b"\x81", &frame(BINARY, &[0; 1000])[..500]] {
        let mut client = Client::connect(address, "/echo");
        client.send(part);
        client.hang_up();
        client.expect_gone();
    }
    assert_echo(&mut bystander, b"still here");
}

// What a handler sees

#[test]
fn a_handler_sees_the_request() {
    let mut client = Client::tcp(start_default());
    client.send(request("/whoami?q=1").replace("Host: ", "Cookie: a=b\r\nHost: "));
    assert_eq!(status(&client.read_head()), 101);
    assert_eq!(client.read_frame(), (TEXT, b"/whoami?q=1 Some(\"a=b\")".to_vec()));
}
