//! `/inspect` and the parts that it is made of, over real sockets.

use crate::support::program::Program;
use crate::support::{BINARY, CLOSE, Client, KEY, PING, PONG, TEXT, close_frame, frame, header, request};
use plainsocket::{Error, Server};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// A client of `/inspect`.
struct Inspected {
    client: Client,
}

impl Inspected {
    fn text(address: SocketAddr) -> Inspected {
        Inspected { client: Client::connect(address, "/inspect") }
    }

    /// Returns a client that asked for JSON, and its first report, which explains the handshake.
    fn json(address: SocketAddr) -> (Inspected, Value) {
        let mut client = Client::tcp(address);
        client.send(request("/inspect").replace("Host", "Sec-WebSocket-Protocol: other, plainsocket.json\r\nHost"));
        assert_eq!(header(&client.read_head(), "Sec-WebSocket-Protocol"), Some("plainsocket.json"));
        let mut inspected = Inspected { client };
        let handshake = inspected.object();
        (inspected, handshake)
    }

    fn read_text(&mut self) -> String {
        let (first, payload) = self.client.read_frame();
        assert_eq!(first, TEXT);
        String::from_utf8(payload).unwrap()
    }

    fn object(&mut self) -> Value {
        let line = self.read_text();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }
}

#[test]
fn each_frame_is_answered_with_one_text() {
    let program = Program::start(&[]);
    let mut inspected = Inspected::text(program.address);
    inspected.client.send([frame(TEXT, b"Hello"), frame(0x01, b"Hel"), frame(0x80, b"lo")].concat());
    let hello = inspected.read_text();
    assert!(hello.starts_with("text frame from the client, 11 bytes: 81 85 37 fa 21 3d 7f 9f 4d 51 58\n"), "{hello}");
    assert!(hello.ends_with("\n  unmasked        48 65 6c 6c 6f\n  as text         \"Hello\"\n"), "{hello}");
    assert!(inspected.read_text().starts_with("text frame from the client, 9 bytes: 01 83"));
    assert!(inspected.read_text().starts_with("continuation frame from the client, 8 bytes: 80 82"));
}

#[test]
fn report_is_json_with_the_subprotocol() {
    let program = Program::start(&[]);
    let (mut inspected, handshake) = Inspected::json(program.address);
    assert_eq!(handshake["accept"]["base64"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(handshake["response"][4]["line"], "Sec-WebSocket-Protocol: plainsocket.json");
    inspected.client.send(frame(TEXT, b"Hello"));
    let hello = inspected.object();
    assert_eq!(
        (&hello["header"], &hello["key"], &hello["masked"]),
        (&json!("8185"), &json!("37fa213d"), &json!("7f9f4d5158"))
    );
    assert_eq!((&hello["text"], &hello["length"], &hello["error"]), (&json!("Hello"), &json!(5), &Value::Null));
}

/// Reads the next report of a server that compresses: a report over 256 bytes is itself compressed.
#[cfg(feature = "deflate")]
fn report(client: &mut Client) -> Value {
    let (first, mut payload) = client.read_frame();
    if first == 0xC1 {
        payload.extend([0x00, 0x00, 0xff, 0xff]);
        let mut message = Vec::with_capacity(64 * 1024);
        let mut zlib = flate2::Decompress::new(false);
        zlib.decompress_vec(&payload, &mut message, flate2::FlushDecompress::Sync).expect("DEFLATE");
        payload = message;
    }
    serde_json::from_slice(&payload).expect("JSON")
}

#[test]
#[cfg(feature = "deflate")]
fn compressed_message_is_reported_with_what_was_agreed() {
    for (options, agreed) in [
        (&["--compress"][..], "permessage-deflate; server_no_context_takeover; client_no_context_takeover"),
        (&["--compress", "context"], "permessage-deflate"),
    ] {
        let program = Program::start(options);
        let mut client = Client::tcp(program.address);
        let offer = "Sec-WebSocket-Protocol: plainsocket.json\r\n\
                     Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nHost";
        client.send(request("/inspect").replace("Host", offer));
        assert_eq!(header(&client.read_head(), "Sec-WebSocket-Extensions"), Some(agreed));
        let handshake = report(&mut client);
        let lines = |side: &str| handshake[side].as_array().unwrap().clone();
        let of = |side| lines(side).into_iter().find(|line| line["line"].as_str().unwrap().contains("-Extensions: "));
        let offered = of("request").unwrap();
        assert_eq!(offered["about"], "the extensions that the client offers; the server agrees to one");
        assert_eq!(offered["parts"][1]["line"], "client_max_window_bits");
        let answer = of("response").unwrap();
        assert_eq!(answer["line"], format!("Sec-WebSocket-Extensions: {agreed}"));
        assert_eq!(answer["parts"].as_array().unwrap().len(), agreed.split(';').count());
        if agreed == "permessage-deflate" {
            // This client's frames from the server can be inflated only with the window of all messages before them.
            continue;
        }
        client.send([frame(0xC1, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]), frame(0xC9, b"")].concat());
        let hello = report(&mut client);
        assert_eq!(hello["inflated"], json!({"bytes": "48656c6c6f", "shown": 5, "length": 5, "from": 7}));
        assert_eq!((&hello["text"], &hello["unmasked"]), (&json!("Hello"), &json!("f248cdc9c90700")));
        assert_eq!(hello["fields"][1]["about"], "compressed: the message is DEFLATE");
        let error = report(&mut client)["error"].clone();
        assert_eq!((&error["field"], &error["section"]), (&json!("RSV1"), &json!("6.1 of RFC 7692")));
        assert_eq!(client.read_frame().0, CLOSE);
    }
}

/// RSV1 without an agreement is a protocol violation, even if the client offered the extension.
#[test]
fn rsv1_without_an_agreement_names_no_extension() {
    let program = Program::start(&[]);
    let mut client = Client::tcp(program.address);
    let offer = "Sec-WebSocket-Protocol: plainsocket.json\r\nSec-WebSocket-Extensions: permessage-deflate\r\nHost";
    client.send(request("/inspect").replace("Host", offer));
    assert_eq!(header(&client.read_head(), "Sec-WebSocket-Extensions"), None);
    let mut inspected = Inspected { client };
    let offered = inspected.object()["request"][2].clone();
    let none = if cfg!(feature = "deflate") { "the server agrees to none" } else { "this server has none" };
    assert_eq!(offered["about"], format!("the extensions that the client knows; {none}"));
    inspected.client.send(frame(0xC1, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]));
    let broken = inspected.object();
    assert_eq!(broken["error"]["rule"], "it must be 0 unless an extension is negotiated, and none is");
    assert_eq!(
        (&broken["compressed"], &broken["fields"][1]["about"]),
        (&json!(false), &json!("no extension is negotiated"))
    );
}

/// Some clients lose bytes that arrive in the same read as the 101. They have 200 ms for that read.
#[test]
fn first_report_leaves_time_to_read_the_101() {
    let program = Program::start(&[]);
    let started = Instant::now();
    let (_, handshake) = Inspected::json(program.address);
    assert_eq!(handshake["type"], "handshake");
    assert!(started.elapsed() >= Duration::from_millis(200), "the report came {:?} after Connect", started.elapsed());

    // A client that sends at once gets its reports in the same order.
    let mut client = Client::tcp(program.address);
    let head = request("/inspect").replace("Host", "Sec-WebSocket-Protocol: plainsocket.json\r\nHost");
    client.send([head.as_bytes(), &frame(TEXT, b"eager")].concat());
    client.read_head();
    let mut eager = Inspected { client };
    assert_eq!((eager.object()["type"].clone(), eager.object()["text"].clone()), (json!("handshake"), json!("eager")));
}

/// A page of another site can be allowed to connect, and the browser then sends cookies that this page must not read.
#[test]
fn report_hides_the_credentials_of_the_client() {
    let program = Program::start(&["--allow-origin", "any"]);
    let mut client = Client::tcp(program.address);
    let secrets = "Sec-WebSocket-Protocol: plainsocket.json, bearer.secret\r\nCookie: id=secret\r\n\
                   Authorization: Basic secret\r\nOrigin: https://example.com\r\nHost";
    client.send(request("/inspect?token=secret").replace("Host", secrets));
    assert_eq!(header(&client.read_head(), "Sec-WebSocket-Protocol"), Some("plainsocket.json"));
    let mut inspected = Inspected { client };
    let handshake = inspected.object().to_string();
    assert!(handshake.contains("Cookie: (not shown)") && handshake.contains("https://example.com"), "{handshake}");
    assert!(!handshake.contains("secret"), "{handshake}");
}

#[test]
fn recv_frame_returns_fragments_and_answers_ping_between() {
    let program = Program::start(&[]);
    let (mut inspected, _) = Inspected::json(program.address);
    let pieces = [frame(0x01, "Gr\u{fc}".as_bytes()), frame(PING, b"p"), frame(0x00, b""), frame(0x80, b"\xC3\x9Fe")];
    inspected.client.send(pieces.concat());
    let first = inspected.object();
    assert_eq!((&first["opcode"], &first["fin"], &first["text"]), (&json!("text"), &json!(false), &json!("Gr\u{fc}")));
    assert_eq!(inspected.client.read_frame(), (PONG, b"p".to_vec()));
    let ping = inspected.object();
    assert_eq!((&ping["opcode"], &ping["text"], &ping["message"]), (&json!("ping"), &json!("p"), &Value::Null));
    let empty = inspected.object();
    assert_eq!(
        (&empty["opcode"], &empty["length"], &empty["message"]),
        (&json!("continuation"), &json!(0), &Value::Null)
    );
    let last = inspected.object();
    assert_eq!((&last["text"], &last["message"]), (&json!("\u{df}e"), &json!({"fragments": 3, "length": 7})));
}

#[test]
fn reports_of_single_bytes_are_the_same() {
    let program = Program::start(&[]);
    let (mut inspected, _) = Inspected::json(program.address);
    for byte in [frame(0x01, b"He"), frame(0x80, b"llo"), close_frame(1000, "bye")].concat() {
        inspected.client.send([byte]);
    }
    let opcodes: Vec<Value> = (0..3).map(|_| inspected.object()["opcode"].clone()).collect();
    assert_eq!(opcodes, ["text", "continuation", "close"]);
    inspected.client.expect_close(Some(1000));
}

#[test]
fn a_pong_that_answers_the_heartbeat_has_its_round_trip() {
    let program = Program::start(&["--ping-interval", "0.1"]);
    let (mut inspected, _) = Inspected::json(program.address);
    let (first, payload) = inspected.client.read_frame();
    assert_eq!(first, PING);
    inspected.client.send([frame(PONG, b"unasked"), frame(PONG, &payload), frame(PONG, &payload)].concat());
    assert_eq!(inspected.object()["round_trip_us"], Value::Null);
    assert!(inspected.object()["round_trip_us"].as_u64().unwrap() < 10_000_000);
    assert_eq!(inspected.object()["round_trip_us"], Value::Null, "it was answered already");
}

#[test]
fn a_close_is_explained_before_it_is_answered() {
    let program = Program::start(&[]);
    let (mut inspected, _) = Inspected::json(program.address);
    inspected.client.send(close_frame(4000, "bye"));
    assert_eq!(inspected.object()["close"], json!({"code": 4000, "name": "the application's own", "reason": "bye"}));
    inspected.client.expect_close(Some(4000));

    let mut inspected = Inspected::text(program.address);
    inspected.client.send(frame(CLOSE, b""));
    assert!(inspected.read_text().ends_with("\n  Close code      none was given (§7.1.5)\n"));
    inspected.client.expect_close(None);
}

#[test]
fn a_broken_frame_is_explained_and_then_the_connection_fails() {
    let program = Program::start(&["--max-message-size", "1000"]);
    for (bytes, field, code) in [
        (frame(0xC1, b"Hello"), "RSV1", 1002),
        (frame(0x80, b"Hello"), "opcode", 1002),
        (frame(TEXT, b"Hell\xFF"), "payload", 1007),
        (frame(BINARY, &[0; 1001]), "extended payload length", 1009),
    ] {
        let (mut inspected, _) = Inspected::json(program.address);
        inspected.client.send([frame(0x01, b"one"), frame(0x80, b"message"), bytes].concat());
        assert_eq!(inspected.object()["error"], Value::Null);
        assert_eq!(inspected.object()["message"]["fragments"], 2);
        assert_eq!(inspected.object()["error"]["field"], field);
        inspected.client.expect_close(Some(code));
    }
    let mut inspected = Inspected::text(program.address);
    inspected.client.send(frame(0xC1, b"Hello"));
    assert!(inspected.read_text().contains("\n  what follows    Close 1002 protocol error"));
    inspected.client.expect_close(Some(1002));
}

#[test]
fn two_clients_see_their_own_traffic_only() {
    let program = Program::start(&[]);
    let ((mut one, _), (mut two, _)) = (Inspected::json(program.address), Inspected::json(program.address));
    one.client.send(frame(TEXT, b"one"));
    assert_eq!(one.object()["text"], "one");
    two.client.send(frame(TEXT, b"two"));
    assert_eq!(two.object()["text"], "two");
    for mut client in [one.client, two.client] {
        client.send(frame(PING, b"end"));
        // The Pong is the next frame, so no report was sent before it.
        assert_eq!(client.read_frame(), (PONG, b"end".to_vec()));
    }
}

#[test]
fn a_message_of_1_mib_gets_a_short_answer() {
    let program = Program::start(&[]);
    let text = frame(TEXT, "\u{1b}".repeat(1 << 20).as_bytes());
    let (mut inspected, _) = Inspected::json(program.address);
    inspected.client.send(&text);
    let line = inspected.read_text();
    assert!(line.len() < 3000 && line.contains(r#""length":1048576,"shown":128,"#), "{line}");
    let mut inspected = Inspected::text(program.address);
    inspected.client.send(&text);
    let text = inspected.read_text();
    assert!(text.len() < 3000 && text.ends_with("\n                  the first 128 of 1048576 bytes\n"), "{text}");
}

#[cfg(unix)]
#[test]
fn client_of_inspect_gets_1001_at_shutdown() {
    let mut program = Program::start(&[]);
    let (mut inspected, _) = Inspected::json(program.address);
    program.signal("TERM");
    let (first, payload) = inspected.client.read_frame();
    assert_eq!((first, &payload[..2]), (CLOSE, &1001u16.to_be_bytes()[..]));
    inspected.client.send([frame(TEXT, b"behind"), close_frame(1001, "")].concat());
    assert_eq!(inspected.client.read_to_end(), b"");
    drop(inspected);
    assert_eq!(program.wait(), Some(0));
}

// Connection::recv_frame

/// A server with one handler, and a channel with what the handler reports.
fn with_handler(
    handler: impl Fn(&mut plainsocket::Connection, &mpsc::Sender<String>) -> Result<(), Error> + Send + Sync + 'static,
) -> (Client, mpsc::Receiver<String>) {
    let (tell, told) = mpsc::channel();
    let server = Server::bind("127.0.0.1:0").unwrap().route("/", move |connection| handler(connection, &tell));
    let address = server.local_addr().unwrap();
    thread::spawn(move || server.run());
    (Client::connect(address, "/"), told)
}

#[test]
fn handler_that_returns_early_leaves_no_frame_unfinished() {
    let (mut client, _) = with_handler(|connection, _| connection.recv_frame().map(|_| ()));
    client.send(close_frame(4001, ""));
    client.expect_close(Some(4001));
    let (mut client, _) = with_handler(|connection, _| connection.recv_frame().map(|_| ()));
    client.send([TEXT, 0]);
    client.expect_close(Some(1002));
    let (mut client, _) = with_handler(|connection, _| connection.recv_frame().map(|_| ()));
    client.send(frame(TEXT, b"Hello"));
    assert_eq!(client.read_frame(), (CLOSE, 1000u16.to_be_bytes().to_vec()));
}

#[test]
fn recv_and_recv_frame_can_be_mixed() {
    let (mut client, told) = with_handler(|connection, tell| {
        let say = |text: String| tell.send(text).unwrap();
        say(format!("{:?}", connection.recv()?));
        say(format!("{:?}", connection.recv_frame()?.and_then(|frame| frame.text())));
        say(format!("{:?}", connection.recv()?));
        say(format!("{:?}", connection.recv_frame()?.and_then(|frame| frame.error)));
        say(format!("{:?}", connection.recv().map_err(|error| error.to_string())));
        say(format!("{:?}", connection.recv_frame()));
        Ok(())
    });
    let large = vec![b'x'; 200_000];
    let rest = [frame(0x01, b"He"), frame(PING, b""), frame(0x80, b"llo"), [TEXT, KEY[0] & 0x7F].to_vec()];
    client.send(frame(TEXT, &large));
    client.send(rest.concat());
    let told: Vec<String> = (0..6).map(|_| told.recv_timeout(crate::support::DEADLINE).unwrap()).collect();
    assert_eq!(told[0].len(), large.len() + "Ok(Some(Text(\"\")))".len() - "Ok()".len());
    assert_eq!(
        told[1..],
        [r#"Some("He")"#, r#"Some(Text("Hello"))"#, "Some(Unmasked)", r#"Err("frame not masked (§5.1)")"#, "Ok(None)",]
    );
    assert_eq!(client.read_frame(), (PONG, vec![]));
    client.expect_close(Some(1002));
}
