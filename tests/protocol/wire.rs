//! The wire explained. Pure: no socket.

use crate::support::{BINARY, CLOSE, KEY, PING, PONG, TEXT, close_frame, frame, request};
use plainsocket::ProtocolError as E;
use plainsocket::protocol::decoder::MessageDecoder;
use plainsocket::protocol::frame::Header;
use plainsocket::protocol::request::Request;
use plainsocket::protocol::wire::{Direction, Dissector, Frame, Handshake, SHOWN};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

pub(super) const LIMIT: usize = 1000;

/// The frames that a dissector sees in `wire`, in pieces of `size` bytes, without a decoder beside it.
pub(super) fn split(direction: Direction, wire: &[u8], size: usize) -> Vec<Frame> {
    let mut dissector = Dissector::new(direction);
    let mut frames = Vec::new();
    for mut piece in wire.chunks(size) {
        while !piece.is_empty() {
            let (used, frame) = dissector.dissect(piece);
            frames.extend(frame);
            piece = &piece[used..];
        }
    }
    frames
}

/// Does the same beside a decoder, with pieces that end at `ends`, up to the first broken frame. Returns its error too.
fn watch(wire: &[u8], ends: impl IntoIterator<Item = usize>) -> (Vec<Frame>, Option<E>) {
    watch_with(MessageDecoder::new(LIMIT), wire, ends)
}

pub(super) fn watch_with(
    mut decoder: MessageDecoder,
    wire: &[u8],
    ends: impl IntoIterator<Item = usize>,
) -> (Vec<Frame>, Option<E>) {
    let mut dissector = Dissector::new(Direction::In);
    let (mut frames, mut start) = (Vec::new(), 0);
    for end in ends {
        loop {
            let step = dissector.dissect_with(&mut decoder, &wire[start..end]);
            start += step.used;
            let is_frame = step.frame.is_some();
            frames.extend(step.frame);
            match step.event {
                Err(error) => return (frames, Some(error)),
                Ok(event) => assert!(event.is_none() || is_frame, "an event comes with its frame"),
            }
            if !is_frame && !decoder.has_more() {
                break;
            }
        }
    }
    (frames, None)
}

fn watch_all(wire: &[u8]) -> (Vec<Frame>, Option<E>) {
    let (frames, error) = watch(wire, [wire.len()]);
    let (single, _) = watch(wire, 0..=wire.len());
    // A broken frame is reported as soon as its bytes break a rule, and single bytes show that earlier.
    let whole = frames.len() - usize::from(error.is_some());
    assert_eq!(single[..whole], frames[..whole], "one byte at a time");
    assert_eq!(single.len(), frames.len());
    (frames, error)
}

pub(super) fn parse(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

/// Returns the only frame of `wire`. It must be the same however the bytes are cut.
pub(super) fn only(direction: Direction, wire: &[u8]) -> Frame {
    let frames = split(direction, wire, wire.len());
    assert_eq!(split(direction, wire, 1), frames, "one byte at a time");
    let [frame] = &frames[..] else { panic!("{} frames", frames.len()) };
    frame.clone()
}

pub(super) fn assert_text(frame: &Frame, expected: &str) {
    let text = frame.to_text();
    assert_eq!(text, expected.trim_start_matches('\n'), "\n{text}");
}

// §5.7 Examples

#[test]
fn an_unmasked_hello() {
    assert_text(
        &only(Direction::Out, b"\x81\x05Hello"),
        r#"
text frame from the server, 7 bytes: 81 05 48 65 6c 6c 6f
  FIN             1        the last fragment of its message (§5.2)
  RSV1-3          000      no extension is negotiated (§5.2)
  opcode          0001     text: a message in UTF-8 begins (§5.6)
  MASK            0        a server never masks (§5.1)
  payload length  0000101  5: length in bytes (§5.2)
  payload         48 65 6c 6c 6f
  as text         "Hello"
"#,
    );
}

#[test]
fn a_masked_hello() {
    let frame = only(Direction::In, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    assert_text(
        &frame,
        r#"
text frame from the client, 11 bytes: 81 85 37 fa 21 3d 7f 9f 4d 51 58
  FIN             1        the last fragment of its message (§5.2)
  RSV1-3          000      no extension is negotiated (§5.2)
  opcode          0001     text: a message in UTF-8 begins (§5.6)
  MASK            1        a client always masks (§5.1)
  payload length  0000101  5: length in bytes (§5.2)
  masking key     37 fa 21 3d  the payload is XORed with it (§5.3)
  masked          7f 9f 4d 51 58
  unmasked        48 65 6c 6c 6f
  as text         "Hello"
"#,
    );
    assert_eq!(frame.to_line(), r#"text FIN masked 37fa213d length 5 "Hello" [81 85 37 fa 21 3d 7f 9f 4d 51 58]"#);
    let json = parse(&frame.to_json());
    let fields = &json["fields"];
    let bits: Vec<(&str, &str, &str)> = fields.as_array().unwrap().iter().map(name_bits_value).collect();
    assert_eq!(
        bits,
        [
            ("FIN", "1", "1"),
            ("RSV1", "0", "0"),
            ("RSV2", "0", "0"),
            ("RSV3", "0", "0"),
            ("opcode", "0001", "text"),
            ("MASK", "1", "1"),
            ("payload length", "0000101", "5"),
            ("masking key", "00110111111110100010000100111101", "37 fa 21 3d"),
        ]
    );
    assert_eq!(
        json,
        json!({
            "type": "frame", "direction": "in", "header": "8185", "key": "37fa213d", "masked": "7f9f4d5158",
            "unmasked": "48656c6c6f", "text": "Hello", "length": 5, "shown": 5, "opcode": "text", "fin": true,
            "fields": fields, "compressed": false, "inflated": null, "close": null, "round_trip_us": null,
            "message": null, "error": null,
        })
    );
    for field in fields.as_array().unwrap() {
        assert!(!field["about"].as_str().unwrap().is_empty() && field["section"].as_str().unwrap().starts_with('5'));
    }
}

fn name_bits_value(field: &Value) -> (&str, &str, &str) {
    let get = |name: &str| field[name].as_str().unwrap();
    (get("name"), get("bits"), get("value"))
}

#[test]
fn a_fragmented_hello() {
    let wire = b"\x01\x03Hel\x80\x02lo";
    let frames = split(Direction::Out, wire, wire.len());
    assert_eq!(split(Direction::Out, wire, 1), frames, "one byte at a time");
    let [first, last] = &frames[..] else { panic!("{frames:?}") };
    assert_text(
        first,
        r#"
text frame from the server, 5 bytes: 01 03 48 65 6c
  FIN             0        more fragments of the message follow (§5.4)
  RSV1-3          000      no extension is negotiated (§5.2)
  opcode          0001     text: a message in UTF-8 begins (§5.6)
  MASK            0        a server never masks (§5.1)
  payload length  0000011  3: length in bytes (§5.2)
  payload         48 65 6c
  as text         "Hel"
"#,
    );
    assert_text(
        last,
        r#"
continuation frame from the server, 4 bytes: 80 02 6c 6f
  FIN             1        the last fragment of its message (§5.2)
  RSV1-3          000      no extension is negotiated (§5.2)
  opcode          0000     continuation: goes on with the message before (§5.4)
  MASK            0        a server never masks (§5.1)
  payload length  0000010  2: length in bytes (§5.2)
  payload         6c 6f
  as text         "lo"
  message         complete: 2 fragments, length 5 (§5.4)
"#,
    );
    assert_eq!(first.to_line(), r#"text length 3 "Hel" [01 03 48 65 6c]"#);
    assert_eq!(
        last.to_line(),
        r#"continuation FIN length 2 "lo" [80 02 6c 6f] ends a message of 2 fragments, length 5"#
    );
    assert_eq!(parse(&first.to_json())["message"], Value::Null);
    assert_eq!(parse(&last.to_json())["message"], json!({"fragments": 2, "length": 5}));
}

#[test]
fn an_unmasked_ping_and_a_masked_pong() {
    let ping = only(Direction::Out, b"\x89\x05Hello");
    assert_text(
        &ping,
        r#"
ping frame from the server, 7 bytes: 89 05 48 65 6c 6c 6f
  FIN             1        a control frame is never fragmented (§5.5)
  RSV1-3          000      no extension is negotiated (§5.2)
  opcode          1001     ping: asks for a Pong with the same payload (§5.5.2)
  MASK            0        a server never masks (§5.1)
  payload length  0000101  5: length in bytes (§5.2)
  payload         48 65 6c 6c 6f
  as text         "Hello"
"#,
    );
    let mut pong = only(Direction::In, b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    pong.round_trip_us = Some(1_234);
    assert_text(
        &pong,
        r#"
pong frame from the client, 11 bytes: 8a 85 37 fa 21 3d 7f 9f 4d 51 58
  FIN             1        a control frame is never fragmented (§5.5)
  RSV1-3          000      no extension is negotiated (§5.2)
  opcode          1010     pong: answers a Ping, or shows activity (§5.5.3)
  MASK            1        a client always masks (§5.1)
  payload length  0000101  5: length in bytes (§5.2)
  masking key     37 fa 21 3d  the payload is XORed with it (§5.3)
  masked          7f 9f 4d 51 58
  unmasked        48 65 6c 6c 6f
  as text         "Hello"
  round trip      1.234 ms (§5.5.3)
"#,
    );
    assert_eq!(parse(&pong.to_json())["round_trip_us"], 1234);
}

#[test]
fn two_hundred_fifty_six_bytes() {
    let frame = only(Direction::Out, &[&b"\x82\x7E\x01\x00"[..], &[7; 256]].concat());
    let row = "07 07 07 07 07 07 07 07 07 07 07 07 07 07 07 07\n";
    let more = format!("                  {row}").repeat(7);
    assert_text(
        &frame,
        &format!(
            r#"
binary frame from the server, 260 bytes: 82 7e 01 00 07 07 07 07 07 07 07 07 ...
  FIN             1        the last fragment of its message (§5.2)
  RSV1-3          000      no extension is negotiated (§5.2)
  opcode          0010     binary: a message of any bytes begins (§5.6)
  MASK            0        a server never masks (§5.1)
  payload length  1111110  126: the length is in the next 16 bits (§5.2)
    extended      0000000100000000 256: length in bytes (§5.2)
  payload         {row}{more}                  the first 128 of 256 bytes
"#
        ),
    );
    let json = parse(&frame.to_json());
    assert_eq!(json["header"], "827e0100");
    assert_eq!(json["fields"][7]["name"], "extended payload length");
    assert_eq!(name_bits_value(&json["fields"][7]).1, "0000000100000000");
    assert_eq!((&json["length"], &json["shown"], &json["text"]), (&json!(256), &json!(128), &Value::Null));
}

#[test]
fn sixty_four_kibibytes() {
    let frame = only(Direction::Out, &[&b"\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00"[..], &[b'a'; 65536]].concat());
    let text = frame.to_text();
    let [first, lines @ ..] = &text.lines().collect::<Vec<_>>()[..] else { panic!() };
    assert_eq!(*first, "binary frame from the server, 65546 bytes: 82 7f 00 00 00 00 00 01 00 00 61 ...");
    assert_eq!(
        lines[4..6],
        [
            "  payload length  1111111  127: the length is in the next 64 bits (§5.2)",
            "    extended      0x0000000000010000 65536 bytes (§5.2)",
        ]
    );
    assert_eq!(lines.last(), Some(&"                  the first 128 of 65536 bytes"));
    let json = parse(&frame.to_json());
    assert_eq!(name_bits_value(&json["fields"][7]).1, format!("{:064b}", 65536));
    // Printable bytes are shown as text, even if the message is no text message.
    assert_eq!((&json["length"], &json["text"]), (&json!(65536), &json!("a".repeat(SHOWN))));
}

// §5.5.1 Close

#[test]
fn a_close_with_and_without_a_code() {
    let frame = only(Direction::In, &close_frame(1000, "bye"));
    assert!(frame.to_text().ends_with(
        r#"
  masked          34 12 43 44 52
  unmasked        03 e8 62 79 65
  Close code      1000 normal closure (§7.4)
  reason          "bye"
"#
    ));
    let json = parse(&frame.to_json());
    assert_eq!(json["close"], json!({"code": 1000, "name": "normal closure", "reason": "bye"}));
    assert_eq!(json["text"], "bye");

    let empty = only(Direction::In, &crate::support::frame(CLOSE, b""));
    let line = "  Close code      none was given (§7.1.5)\n";
    assert!(empty.to_text().ends_with(line));
    let json = parse(&empty.to_json());
    assert_eq!((&json["close"], &json["text"], &json["masked"]), (&Value::Null, &Value::Null, &json!("")));
}

#[test]
fn the_dissector_alone_sees_what_a_frame_shows_and_no_more() {
    let lines = |wire: &[u8]| split(Direction::In, wire, wire.len()).iter().map(Frame::to_line).collect::<Vec<_>>();
    assert!(lines(&[TEXT, 1, b'x'])[0].contains("BROKEN: MASK: "), "a client's frame must be masked");
    let stray = lines(&[frame(TEXT, b"whole"), frame(0x80, b"stray")].concat());
    assert!(!stray[1].contains("ends a message"), "nothing had begun: {}", stray[1]);
}

#[test]
fn long_field_is_cut_or_continues_in_the_next_line() {
    let close = only(Direction::In, &close_frame(1000, &"far ".repeat(30)));
    assert_printable(&close);
    assert!(close.to_text().contains("far far far"), "{}", close.to_text());
    let text = |length| only(Direction::In, &frame(TEXT, &vec![b'x'; length])).to_line();
    assert!(text(SHOWN).contains("x\" ["), "{}", text(SHOWN));
    assert!(text(SHOWN + 1).contains("x\"... ["), "{}", text(SHOWN + 1));
}

#[test]
fn only_a_close_has_a_code() {
    let code = [0x03, 0xE8];
    assert!(only(Direction::In, &frame(CLOSE, &code)).close().is_some_and(|close| close.code.get() == 1000));
    for other in [BINARY, PING, PONG] {
        assert_eq!(only(Direction::In, &frame(other, &code)).close(), None);
    }
}

// Broken frames

#[test]
fn every_broken_rule_names_its_field_and_its_section() {
    let begun = frame(0x01, b"begun");
    let unmasked = [TEXT, 5, 0, 0, 0, 0, 0].to_vec();
    let too_big = [&[BINARY, 0xFE, 0x10, 0x00][..], &KEY].concat();
    let much_too_big = [&[BINARY, 0xFF, 0x7F][..], &[0xFF; 7], &KEY].concat();
    let too_big_with_the_last = [frame(0x02, &[0; LIMIT - 50]), frame(0x80, &[0; 51])].concat();
    let top_bit = [&[BINARY, 0xFF, 0x80][..], &[0; 7], &KEY].concat();
    for (wire, error, field, section, code) in [
        (frame(0xC1, b"Hello"), E::ReservedBit, "RSV1", "5.2", 1002),
        (frame(0xA1, b"Hello"), E::ReservedBit, "RSV2", "5.2", 1002),
        (frame(0x91, b"Hello"), E::ReservedBit, "RSV3", "5.2", 1002),
        (frame(0x83, b"Hello"), E::ReservedOpcode(3), "opcode", "5.2", 1002),
        (unmasked, E::Unmasked, "MASK", "5.1", 1002),
        (vec![BINARY, 0xFE, 0, 5], E::LengthNotMinimal, "extended payload length", "5.2", 1002),
        (top_bit, E::LengthTopBit, "extended payload length", "5.2", 1002),
        (frame(0x09, b"Hello"), E::FragmentedControl, "FIN", "5.5", 1002),
        (frame(PING, &[0; 126]), E::ControlTooLong, "payload length", "5.5", 1002),
        (frame(0x80, b"Hello"), E::NothingToContinue, "opcode", "5.4", 1002),
        ([begun, frame(TEXT, b"Hello")].concat(), E::MessageInsideMessage, "opcode", "5.4", 1002),
        (frame(CLOSE, b"x"), E::CloseCodeCut, "payload", "5.5.1", 1002),
        (close_frame(1005, ""), E::CloseCodeForbidden(1005), "payload", "7.4", 1002),
        (frame(TEXT, b"Hell\xFF"), E::InvalidUtf8, "payload", "8.1", 1007),
        (too_big, E::MessageTooBig(LIMIT), "extended payload length", "10.4", 1009),
        (much_too_big, E::MessageTooBig(LIMIT), "extended payload length", "10.4", 1009),
        (too_big_with_the_last, E::MessageTooBig(LIMIT), "payload length", "10.4", 1009),
    ] {
        let (frames, found) = watch_all(&wire);
        assert_eq!(found, Some(error));
        let broken = frames.last().unwrap();
        let json = parse(&broken.to_json());
        assert_eq!(json["error"]["field"], field, "{error:?}");
        assert_eq!(json["error"]["section"], section, "{error:?}");
        assert_eq!(json["error"]["code"], code, "{error:?}");
        let rule = json["error"]["rule"].as_str().unwrap();
        let text = broken.to_text();
        assert!(rule.len() > 10 && text.contains(rule) && text.contains(&format!("{field}:")), "{text}");
        assert!(text.contains(&format!("  what follows    Close {code} ")), "{text}");
        assert_eq!(text.lines().any(|line| line.starts_with("! ")), field != "payload", "{text}");
        assert!(broken.to_line().ends_with(&format!("BROKEN: {field}: {rule} (§{section})")));
        assert_printable(broken);
    }
}

/// The frame that exceeds the limit can be short, so its own length says nothing.
#[test]
fn message_over_the_limit_reports_the_length_it_would_have() {
    for (wire, length) in [
        (frame(BINARY, &[0; LIMIT + 1]), LIMIT as u64 + 1),
        ([frame(0x02, &[0; LIMIT - 50]), frame(0x80, &[0; 51])].concat(), LIMIT as u64 + 1),
        (
            [frame(0x02, &[0; LIMIT - 50]), frame(PING, &[0; 9]), frame(0x00, &[0; 20]), frame(0x00, &[0; 31])]
                .concat(),
            1001,
        ),
        ([frame(0x02, b"first"), frame(0x80, b"one"), frame(BINARY, &[0; LIMIT + 7])].concat(), LIMIT as u64 + 7),
        ([frame(0x02, b"first"), [&[0x80, 0xFF, 0x7F][..], &[0xFF; 7], &KEY].concat()].concat(), (1 << 63) + 4),
    ] {
        let (frames, error) = watch_all(&wire);
        assert_eq!(error, Some(E::MessageTooBig(LIMIT)));
        let broken = frames.last().unwrap();
        assert_eq!(parse(&broken.to_json())["error"]["message_length"], length);
        let row = format!("\n                  the message would have {length} bytes\n");
        assert!(broken.to_text().contains(&row), "{}", broken.to_text());
        assert_printable(broken);
    }
    let other = watch_all(&frame(TEXT, b"Hell\xFF")).0;
    assert_eq!(parse(&other[0].to_json())["error"]["message_length"], Value::Null);
}

#[test]
fn a_frame_with_a_reserved_bit_is_shown_as_far_as_it_came() {
    let (frames, _) = watch_all(&frame(0xC1, b"Hello"));
    assert_text(
        &frames[0],
        r#"
broken text frame from the client, 11 bytes: c1 85 37 fa 21 3d 7f 9f 4d 51 ...
  FIN             1        the last fragment of its message (§5.2)
! RSV1-3          100      no extension is negotiated (§5.2)
  opcode          0001     text: a message in UTF-8 begins (§5.6)
  MASK            1        a client always masks (§5.1)
  payload length  0000101  5: length in bytes (§5.2)
  masking key     37 fa 21 3d  the payload is XORed with it (§5.3)
  masked          7f 9f 4d 51 58
  unmasked        48 65 6c 6c 6f
  as text         "Hello"
  broken rule     RSV1: (§5.2)
                  it must be 0 unless an extension is negotiated, and none is
  what follows    Close 1002 protocol error ends the connection (§7.1.7)
"#,
    );
    let json = parse(&watch(&[0xC1], [1]).0[0].to_json());
    let rest = ["header", "length", "key", "masked"].map(|name| json[name].clone());
    assert_eq!(rest, [json!("c1"), Value::Null, Value::Null, json!("")]);
    assert_eq!(json["fields"].as_array().unwrap().len(), 5);
}

// Text

#[test]
fn text_is_shown_where_it_is_text() {
    let text = |first, payload: &[u8]| only(Direction::In, &frame(first, payload)).text();
    assert_eq!(text(TEXT, b"a\nb"), Some("a\nb".to_owned()));
    assert_eq!(text(TEXT, b""), Some(String::new()));
    assert_eq!(text(BINARY, b"a\nb"), None, "not printable");
    assert_eq!(text(PONG, "Grüße".as_bytes()), Some("Grüße".to_owned()));
    assert_eq!(text(0x02, b"\x80"), None);
    // A character that is cut, by the end of a fragment or of what is shown, is left out.
    assert_eq!(text(0x01, &"ü".as_bytes()[..1]), Some(String::new()));
    let long = only(Direction::In, &frame(TEXT, "€".repeat(100).as_bytes()));
    assert_eq!(long.text(), Some("€".repeat(SHOWN / 3)));
    assert_eq!(long.payload.len(), SHOWN);
}

/// Texts with which an attacker could take over a terminal, a log or a page.
const HOSTILE: [&str; 7] = [
    "\u{1b}[2J\u{1b}]0;owned\u{7}",
    "\u{9b}31m",
    "line\r\n[ERROR] forged",
    "<script>alert(1)</script><!-- ]]>",
    "\u{2028}\u{2029}\u{202e}\u{200b}\u{feff}",
    "\"quoted\" and \\ and '",
    "\u{0}\u{8}\u{7f}\u{85}",
];

/// Checks that a frame can be printed, whatever was sent: no character moves a cursor, begins a tag or is invisible,
/// and no line is wider than a terminal.
pub(super) fn assert_printable(frame: &Frame) {
    let (text, line, json) = (frame.to_text(), frame.to_line(), frame.to_json());
    let invisible =
        |c: char| c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{feff}');
    assert!(!text.replace('\n', "").contains(invisible) && !line.contains(invisible), "{text:?} {line:?}");
    assert!(!json.contains(invisible) && !json.contains(['<', '>']), "{json:?}");
    for row in text.lines() {
        assert!(row.chars().count() <= 80, "{row:?}");
    }
    assert!(line.len() < 2000 && json.len() < 6000 && text.len() < 6000);
}

#[test]
fn hostile_text_is_escaped_and_its_json_means_the_same() {
    for hostile in HOSTILE {
        for bytes in [frame(TEXT, hostile.as_bytes()), close_frame(4000, hostile), frame(BINARY, hostile.as_bytes())] {
            let frame = only(Direction::In, &bytes);
            assert_printable(&frame);
            let text = frame.text().map_or(Value::Null, Value::String);
            assert_eq!(parse(&frame.to_json())["text"], text);
        }
        assert_eq!(only(Direction::In, &frame(TEXT, hostile.as_bytes())).text().as_deref(), Some(hostile));
    }
    let invalid = watch_all(&frame(TEXT, b"\x1b[31m\xFF")).0;
    assert_printable(&invalid[0]);
    assert_eq!(parse(&invalid[0].to_json())["text"], Value::Null);
}

// §1.3, §4: the handshake

fn handshake(head: &str) -> Handshake {
    let (request, _) = Request::parse(head.as_bytes()).unwrap().unwrap();
    Handshake::new(&request, &request.accept(&["any".to_owned()]).unwrap().with_subprotocol("chat"))
}

#[test]
fn the_handshake_of_section_1_3() {
    let handshake = handshake(&request("/chat"));
    let expected = r#"
the client's request
  GET /chat HTTP/1.1
      asks for what lives at this resource name (§4.1)
  Host: server.example.com
      the name by which the client knows the server (§4.1)
  Upgrade: websocket
      asks to leave HTTP and go on with WebSocket (§4.1)
  Connection: Upgrade
      names Upgrade: no proxy is to pass that on (§4.1)
  Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
      16 random bytes; the reply must prove that they were read (§4.1)
  Sec-WebSocket-Version: 13
      13 is the version that RFC 6455 describes (§4.1)
the server's response
  HTTP/1.1 101 Switching Protocols
      what follows the blank line are frames (§4.2.2)
  Upgrade: websocket
      goes on with WebSocket (§4.2.2)
  Connection: Upgrade
      names Upgrade: no proxy is to pass that on (§4.2.2)
  Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
      made from the key: proves that it was read (§4.2.2)
  Sec-WebSocket-Protocol: chat
      the subprotocol that the server selected (§4.2.2)
how the accept value came about (§4.2.2)
  key             dGhlIHNhbXBsZSBub25jZQ==
  GUID            258EAFA5-E914-47DA-95CA-C5AB0DC85B11
  key + GUID      dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11
  SHA-1           b37a4f2cc0624f1690f64606cf385945b2bec4ea
  base64          s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
"#;
    assert_eq!(handshake.to_text(), &expected[1..], "\n{}", handshake.to_text());
    let json = parse(&handshake.to_json());
    assert_eq!(
        json["accept"],
        json!({
            "key": "dGhlIHNhbXBsZSBub25jZQ==",
            "guid": "258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
            "joined": "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
            "sha1": "b37a4f2cc0624f1690f64606cf385945b2bec4ea",
            "base64": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        })
    );
    assert_eq!(json["type"], "handshake");
    assert_eq!(json["request"][2]["line"], "Upgrade: websocket");
    assert_eq!(json["response"][0]["section"], "4.2.2");
}

#[test]
fn each_header_that_clients_send_is_explained_in_its_own_words() {
    let plain = handshake(&request("/"));
    let more = "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate\r\nOrigin: https://example.com\r\n\
                Cookie: id=1\r\nAuthorization: Basic eA==\r\nAccept: */*\r\nHost";
    let full = handshake(&request("/").replace("Host", more));
    let added = &full.request[1..=full.request.len() - plain.request.len()];
    let told: Vec<_> = added.iter().map(|line| (&line.line[..], line.about, line.section)).collect();
    assert_eq!(
        told,
        [
            (
                "Sec-WebSocket-Protocol: (not shown)",
                "the subprotocols that the client can speak; some clients put a token here",
                "4.1"
            ),
            (
                "Sec-WebSocket-Extensions: permessage-deflate",
                if cfg!(feature = "deflate") {
                    "the extensions that the client knows; the server agrees to none"
                } else {
                    "the extensions that the client knows; this server has none"
                },
                "9.1"
            ),
            ("Origin: https://example.com", "the site whose page opens the connection; browsers send it", "10.2"),
            ("Cookie: (not shown)", "what the site has left in the browser", "4.1"),
            ("Authorization: (not shown)", "who the client is", "10.5"),
            ("Accept: */*", "any header of HTTP can come along; WebSocket needs none", "4.1"),
        ]
    );
}

#[test]
fn hostile_headers_are_escaped_and_long_ones_cut() {
    let hostile = "\u{9b}31m\u{85}<b>\u{ad}\"";
    let head = request("/").replace("Host", &format!("Accept: {}\r\nUser-Agent: {hostile}\r\nHost", "x".repeat(5000)));
    // Each byte of a head is read as one char.
    let handshake = handshake(&head);
    let (text, json) = (handshake.to_text(), handshake.to_json());
    assert!(!text.replace('\n', "").contains(char::is_control) && !json.contains(|c: char| c.is_control() || c == '<'));
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert_eq!(text.lines().filter(|line| line.ends_with(" ...")).count(), 1, "{text}");
    let latin_1: String = hostile.bytes().map(|byte| byte as char).collect();
    assert_eq!(parse(&json)["request"][2]["line"], format!("User-Agent: {latin_1}"));
}

#[test]
fn only_harmless_headers_are_shown_with_their_values() {
    let plain = handshake(&request("/"));
    let secrets = [
        "Authorization",
        "Proxy-Authorization",
        "Cookie",
        "Cookie2",
        "X-Forwarded-Access-Token",
        "X-Forwarded-User",
        "X-Forwarded-Email",
        "X-Forwarded-Client-Cert",
        "X-Auth-Request-Access-Token",
        "Cf-Access-Jwt-Assertion",
        "X-Amzn-Oidc-Data",
        "X-Goog-Iap-Jwt-Assertion",
        "X-Api-Key",
        "X-CSRF-Token",
        "Sec-WebSocket-Protocol",
        "Referer",
        "Host-Secret",
        "xhost",
        "Token",
    ];
    let more: String = secrets.iter().map(|name| format!("{name}: secret\r\n")).collect();
    let full = handshake(&request("/").replace("Host", &format!("{more}Host")));
    let added = &full.request[1..=full.request.len() - plain.request.len()];
    for (line, name) in added.iter().zip(secrets) {
        assert_eq!(line.line, format!("{name}: (not shown)"));
    }
    assert_eq!(added.len(), secrets.len());
    assert!(!full.to_text().contains(": secret") && !full.to_json().contains(": secret"));
}

#[test]
fn long_lines_of_a_handshake_are_cut_in_every_form() {
    let name = "N".repeat(3000);
    let agent = "\u{9b}".repeat(2000);
    let head = request("/").replace("Host", &format!("{name}: x\r\nUser-Agent: {agent}\r\nHost"));
    let handshake = handshake(&head);
    for line in &handshake.request {
        assert!(line.line.chars().count() <= 203 && line.to_string().chars().count() <= 203, "{line}");
    }
    assert_eq!(handshake.request[1].line, "N".repeat(200) + "...");
    assert!(handshake.to_json().len() < 5000, "{}", handshake.to_json());
}

// Arbitrary bytes

/// Frames that keep the rules, frames that break them, and random bytes.
fn anything() -> impl Strategy<Value = Vec<u8>> {
    let first = select(vec![TEXT, BINARY, 0x01, 0x02, 0x00, 0x80, PING, PONG, CLOSE, 0xC1, 0x83]);
    let payload = prop_oneof![
        vec(any::<u8>(), 0..200),
        any::<String>().prop_map(String::into_bytes),
        vec(select(vec![b'a', 0x1b, b'<', b'\n']), 0..700),
        select(HOSTILE.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
    ];
    let piece = prop_oneof![
        8 => (first, payload).prop_map(|(first, payload)| frame(first, &payload)),
        2 => vec(any::<u8>(), 0..20),
        1 => (1000..5000u16, any::<String>()).prop_map(|(code, reason)| close_frame(code, &reason)),
    ];
    vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn the_dissector_agrees_with_the_decoder(wire in anything(), cuts in vec(any::<Index>(), 0..20)) {
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(wire.len() + 1)).collect();
        ends.sort();
        ends.push(wire.len());
        let (frames, error) = watch(&wire, ends);
        let alone = decode(&wire);
        prop_assert_eq!(error, alone);
        prop_assert_eq!(frames.last().and_then(|frame| frame.error), error);
        let mut at = 0;
        for frame in &frames {
            assert_printable(frame);
            let json = parse(&frame.to_json());
            prop_assert_eq!(json["shown"].as_u64(), Some(frame.payload.len() as u64));
            prop_assert_eq!(json["unmasked"].as_str().unwrap().len(), 2 * frame.payload.len());
            prop_assert!(wire[at..].starts_with(&frame.header));
            if frame.error.is_none() {
                let (header, used) = Header::decode(&wire[at..]).unwrap().unwrap();
                prop_assert_eq!(&wire[at..at + used], &frame.header);
                prop_assert_eq!((header.fin, Some(header.opcode), Some(header.length)),
                    (frame.fin(), frame.opcode(), frame.length));
                prop_assert_eq!(&wire[at + used..at + used + 4], &frame.key.unwrap());
                let start = at + used + 4;
                prop_assert_eq!(&wire[start..start + frame.payload.len()], &frame.payload);
                prop_assert_eq!(frame.payload.len(), (header.length as usize).min(SHOWN));
                at = start + header.length as usize;
            }
        }
    }

    #[test]
    fn without_a_decoder_nothing_panics_either(bytes in vec(any::<u8>(), 0..300), size in 1..40usize, out: bool) {
        let direction = if out { Direction::Out } else { Direction::In };
        for frame in split(direction, &bytes, size) {
            assert_printable(&frame);
            parse(&frame.to_json());
        }
    }
}

/// Returns the error of a decoder that has no dissector beside it.
fn decode(wire: &[u8]) -> Option<E> {
    let mut decoder = MessageDecoder::new(LIMIT);
    let mut rest = wire;
    loop {
        match decoder.decode(rest) {
            Err(error) => return Some(error),
            Ok((used, None)) if used == 0 || used == rest.len() => return None,
            Ok((used, _)) => rest = &rest[used..],
        }
    }
}
