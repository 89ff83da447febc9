//! The wire explained where permessage-deflate is negotiated (RFC 7692). Pure: no socket.

use super::wire::{LIMIT, assert_printable, assert_text, only, parse, split, watch_with};
use crate::support::{KEY, PING, TEXT, frame, request};
use flate2::write::DeflateEncoder;
use plainsocket::Compression;
use plainsocket::ProtocolError as E;
use plainsocket::protocol::decoder::MessageDecoder;
use plainsocket::protocol::deflate::Agreement;
use plainsocket::protocol::request::Request;
use plainsocket::protocol::wire::{Direction, Dissector, Frame, Handshake, SHOWN};
use serde_json::{Value, json};
use std::io::Write;

/// The "Hello" of RFC 7692 §7.2.3.1, without a frame around it.
const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

/// The first byte of a whole compressed text message: FIN, RSV1, opcode 1.
const COMPRESSED: u8 = 0xC1;

fn request_with(offer: &str) -> Request {
    let head = request("/").replace("Host", &format!("Sec-WebSocket-Extensions: {offer}\r\nHost"));
    Request::parse(head.as_bytes()).unwrap().unwrap().0
}

fn decoder(compression: Compression) -> MessageDecoder {
    let agreement = Agreement::negotiate(&request_with("permessage-deflate"), compression).unwrap();
    MessageDecoder::new(LIMIT).with_compression(agreement)
}

fn watch(wire: &[u8]) -> (Vec<Frame>, Option<E>) {
    let (frames, error) = watch_with(decoder(Compression::PerMessage), wire, [wire.len()]);
    let single = watch_with(decoder(Compression::PerMessage), wire, 0..=wire.len());
    let whole = frames.len() - usize::from(error.is_some());
    assert_eq!((&single.0[..whole], single.1), (&frames[..whole], error), "one byte at a time");
    frames.iter().for_each(assert_printable);
    (frames, error)
}

/// A compressed payload, as a sender makes it (RFC 7692 §7.2.1).
fn deflated(message: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(message).and_then(|()| encoder.flush()).expect("a Vec takes all");
    let mut bytes = encoder.get_ref().clone();
    assert_eq!(bytes.split_off(bytes.len() - 4), [0x00, 0x00, 0xff, 0xff]);
    bytes
}

/// A compressed message as a server sends it, in one frame.
fn from_server(message: &[u8]) -> Vec<u8> {
    let payload = deflated(message);
    let length = (payload.len() as u16).to_be_bytes();
    let header =
        if payload.len() < 126 { vec![COMPRESSED, length[1]] } else { vec![COMPRESSED, 126, length[0], length[1]] };
    [header, payload].concat()
}

// RFC 7692 §7.2.3.1 A Message Compressed Using One Compressed DEFLATE Block

#[test]
fn compressed_hello_shows_the_inflated_text_and_both_sizes() {
    let (frames, _) = watch(&frame(COMPRESSED, &HELLO));
    assert_text(
        &frames[0],
        r#"
text frame from the client, 13 bytes: c1 87 37 fa 21 3d c5 b2 ec f4 fe fd 21
  FIN             1        the last fragment of its message (§5.2)
  RSV1-3          100      compressed: the message is DEFLATE (§6 of RFC 7692)
  opcode          0001     text: a message in UTF-8 begins (§5.6)
  MASK            1        a client always masks (§5.1)
  payload length  0000111  7: length in bytes (§5.2)
  masking key     37 fa 21 3d  the payload is XORed with it (§5.3)
  masked          c5 b2 ec f4 fe fd 21
  unmasked        f2 48 cd c9 c9 07 00
  inflated        length 7 became 5 (§7.2.2 of RFC 7692)
                  48 65 6c 6c 6f
  as text         "Hello"
"#,
    );
    let line = r#"text FIN RSV1 masked 37fa213d length 7 inflates to length 5 "Hello" [c1 87 37 fa 21 3d c5 b2 ec f4 fe fd 21]"#;
    assert_eq!(frames[0].to_line(), line);
    let json = parse(&frames[0].to_json());
    assert_eq!(json["inflated"], json!({"bytes": "48656c6c6f", "shown": 5, "length": 5, "from": 7}));
    assert_eq!((&json["compressed"], &json["text"]), (&json!(true), &json!("Hello")));
    assert_eq!((&json["unmasked"], &json["length"]), (&json!("f248cdc9c90700"), &json!(7)));
    assert_eq!((&json["fields"][1]["name"], &json["fields"][1]["section"]), (&json!("RSV1"), &json!("6 of RFC 7692")));
}

#[test]
fn last_fragment_shows_the_inflated_message() {
    let wire = [frame(0x41, &HELLO[..3]), frame(PING, b"?"), frame(0x80, &HELLO[3..])].concat();
    let (frames, error) = watch(&wire);
    let [first, ping, last] = &frames[..] else { panic!("{frames:?} {error:?}") };
    assert!(first.to_text().ends_with("  inflated        shown with the last fragment (§6.2 of RFC 7692)\n"));
    assert_eq!((first.text(), first.is_compressed), (None, true), "no text: it is a piece of DEFLATE");
    assert_eq!((ping.text().as_deref(), ping.is_compressed), (Some("?"), false));
    assert!(ping.to_text().contains("  RSV1-3          000      never in a control frame (§6.1 of RFC 7692)\n"));
    assert!(
        last.to_text().contains("  RSV1-3          000      the message's first frame has it (§6.1 of RFC 7692)\n")
    );
    let end = r#"
  inflated        length 7 became 5 (§7.2.2 of RFC 7692)
                  48 65 6c 6c 6f
  as text         "Hello"
  message         complete: 2 fragments, length 7 (§5.4)
"#;
    assert!(last.to_text().ends_with(end), "{}", last.to_text());
    assert_eq!(parse(&last.to_json())["inflated"]["from"], 7);
}

#[test]
fn uncompressed_message_says_so_beside_compressed_ones() {
    let (frames, _) = watch(&[frame(TEXT, b"Hello"), frame(COMPRESSED, &HELLO)].concat());
    let row = "  RSV1-3          000      the message is not compressed (§6 of RFC 7692)\n";
    assert!(frames[0].to_text().contains(row), "{}", frames[0].to_text());
    assert!(!frames[0].to_text().contains("inflated") && frames[1].to_text().contains("inflated"));
    assert_eq!(parse(&frames[0].to_json())["inflated"], Value::Null);
}

#[test]
fn long_message_is_shown_at_its_start_with_its_whole_size() {
    let (frames, _) = watch(&frame(COMPRESSED, &deflated(&[b'x'; LIMIT])));
    let inflated = frames[0].inflated.as_ref().unwrap();
    assert_eq!((inflated.bytes.len(), inflated.length), (SHOWN, Some(LIMIT as u64)));
    let text = frames[0].to_text();
    assert!(text.contains(" became 1000 (") && text.ends_with("the first 128 of 1000 bytes\n"), "{text}");
    assert!(frames[0].to_line().contains("xxx\"... ["), "{}", frames[0].to_line());
    let empty = &watch(&frame(COMPRESSED, &[0x00])).0[0];
    assert!(empty.to_text().contains("inflated        length 1 became 0"), "{}", empty.to_text());
}

// Frames from the server

#[test]
fn frame_to_the_client_is_inflated_for_showing() {
    let hello = only(Direction::Out, &[&[COMPRESSED, 7][..], &HELLO].concat());
    assert_eq!(hello.to_line(), r#"text FIN RSV1 length 7 inflates to length 5 "Hello" [c1 07 f2 48 cd c9 c9 07 00]"#);
    assert!(hello.to_text().contains("  RSV1-3          100      compressed: the message is DEFLATE"));
    let long = only(Direction::Out, &from_server("€".repeat(300).as_bytes()));
    let inflated = long.inflated.as_ref().unwrap();
    assert_eq!((inflated.bytes.len(), inflated.length), (SHOWN, Some(900)));
    assert_eq!(long.text(), Some("€".repeat(SHOWN / 3)));
    let plain = only(Direction::Out, b"\x81\x05Hello");
    assert!(plain.to_text().contains("000      no extension is negotiated (§5.2)"));
    let (_, plain) = Dissector::new(Direction::Out).with_compression().dissect(b"\x81\x05Hello");
    assert!(plain.unwrap().to_text().contains("000      the message is not compressed (§6 of RFC 7692)"));
}

/// RFC 7692 §7.2.3.2: the second "Hello" of a connection, as five bytes that refer to the first.
#[test]
fn frame_that_needs_earlier_messages_is_not_guessed() {
    let second = only(Direction::Out, &[COMPRESSED, 5, 0xf2, 0x00, 0x11, 0x00, 0x00]);
    let row = "  inflated        not known: it refers to earlier messages (§7.1.1 of RFC 7692)\n";
    assert!(second.to_text().ends_with(row), "{}", second.to_text());
    assert_eq!((second.text(), second.is_compressed, &second.inflated), (None, true, &None));
    assert_eq!(parse(&second.to_json())["inflated"], Value::Null);
    // The client's frames are inflated by a decoder, which has the window.
    let wire = [frame(COMPRESSED, &HELLO), frame(COMPRESSED, &[0xf2, 0x00, 0x11, 0x00, 0x00])].concat();
    let (frames, _) = watch_with(decoder(Compression::Context), &wire, [wire.len()]);
    assert_eq!(frames[1].text().as_deref(), Some("Hello"));
}

#[test]
fn frame_to_the_client_is_inflated_up_to_a_bound() {
    for (length, known) in [(64 * 1024, Some(64 * 1024)), (64 * 1024 + 1, None), (32 << 20, None)] {
        let frame = only(Direction::Out, &from_server(&vec![b'a'; length]));
        let inflated = frame.inflated.as_ref().unwrap();
        assert_eq!((inflated.bytes.len(), inflated.length), (SHOWN, known), "{length}");
        let says =
            if known.is_none() { "the first 128 of over 65536 bytes\n" } else { "the first 128 of 65536 bytes\n" };
        assert!(frame.to_text().ends_with(says), "{}", frame.to_text());
        assert_printable(&frame);
    }
}

// Broken frames

#[test]
fn every_rule_about_compression_names_its_field_and_section() {
    let begun = frame(0x41, &HELLO[..3]);
    let bomb = deflated(&[0; LIMIT + 1]);
    let announced = [&[0xC2, 0xFE, 0xFF, 0xFF][..], &KEY].concat();
    for (wire, error, field, section, code) in [
        ([begun.clone(), frame(0xC0, &HELLO[3..])].concat(), E::ReservedBit, "RSV1", "6.1 of RFC 7692", 1002),
        (frame(0xC9, b"ping"), E::ReservedBit, "RSV1", "6.1 of RFC 7692", 1002),
        (frame(0xC8, b""), E::ReservedBit, "RSV1", "6.1 of RFC 7692", 1002),
        (frame(0xC3, b""), E::ReservedBit, "RSV1", "6.1 of RFC 7692", 1002),
        (frame(0xE1, &HELLO), E::ReservedBit, "RSV2", "5.2", 1002),
        (frame(0xD1, &HELLO), E::ReservedBit, "RSV3", "5.2", 1002),
        (frame(0xA1, &HELLO), E::ReservedBit, "RSV2", "5.2", 1002),
        (frame(COMPRESSED, &[0xff; 9]), E::InvalidDeflate, "payload", "7.2.2 of RFC 7692", 1007),
        (frame(COMPRESSED, &HELLO[..3]), E::InvalidDeflate, "payload", "7.2.2 of RFC 7692", 1007),
        (frame(COMPRESSED, &deflated(b"Hell\xff")), E::InvalidUtf8, "payload", "8.1", 1007),
        (frame(0xC2, &bomb), E::MessageTooBig(LIMIT), "payload", "10.4", 1009),
        (announced, E::MessageTooBig(LIMIT), "payload", "10.4", 1009),
    ] {
        let (frames, found) = watch(&wire);
        assert_eq!(found, Some(error), "{wire:x?}");
        let broken = frames.last().unwrap();
        let json = parse(&broken.to_json());
        let fault = ["field", "section", "code", "message_length"].map(|name| &json["error"][name]);
        assert_eq!(fault, [&json!(field), &json!(section), &json!(code), &Value::Null], "{wire:x?}");
        let (text, rule) = (broken.to_text(), json["error"]["rule"].as_str().unwrap());
        assert!(rule.len() > 10 && text.contains(rule) && text.contains(&format!("{field}: (§{section})")), "{text}");
        assert_eq!(text.lines().any(|line| line.starts_with("! ")), field != "payload", "{text}");
        assert!(!rule.contains("none is"), "an extension is negotiated: {rule}");
        assert_eq!(json["inflated"], Value::Null, "{text}");
    }
    let without = watch_with(MessageDecoder::new(LIMIT), &frame(COMPRESSED, &HELLO), [13]).0;
    assert!(without[0].to_text().contains("unless an extension is negotiated, and none is"));
    assert_eq!((without[0].fault().unwrap().section, without[0].is_compressed), ("5.2", false));
}

// §7.1: the handshake

/// The words of the client's offer and of the server's answer, each with its explanation.
fn explained(offer: &str, compression: Compression) -> (Handshake, Vec<String>, Vec<String>) {
    let request = request_with(offer);
    let mut response = request.accept(&["any".to_owned()]).unwrap();
    if let Some(agreement) = Agreement::negotiate(&request, compression) {
        response.headers.push(("Sec-WebSocket-Extensions".into(), agreement.to_string()));
    }
    let handshake = Handshake::new(&request, &response);
    let words = |lines: &[plainsocket::protocol::wire::Line]| {
        let parts = lines.iter().flat_map(|line| &line.parts);
        parts.map(|part| format!("{part}: {} (§{})", part.about, part.section)).collect()
    };
    let (offered, agreed) = (words(&handshake.request), words(&handshake.response));
    assert!(handshake.to_text().lines().all(|line| line.chars().count() <= 80), "{}", handshake.to_text());
    parse(&handshake.to_json());
    (handshake, offered, agreed)
}

#[test]
fn handshake_explains_all_four_parameters_on_both_sides() {
    let offer = "permessage-deflate; client_max_window_bits; server_max_window_bits=10; client_no_context_takeover; \
                 server_no_context_takeover";
    let (handshake, offered, agreed) = explained(offer, Compression::Context);
    assert_eq!(
        offered,
        [
            "permessage-deflate: messages can be DEFLATE, and RSV1 marks those (§7 of RFC 7692)",
            "client_max_window_bits: the client accepts a limit for its own window (§7.1.2.2 of RFC 7692)",
            "server_max_window_bits=10: asks the server for a window of 2 to that power (§7.1.2.1 of RFC 7692)",
            "client_no_context_takeover: the client can compress each message by itself (§7.1.1.2 of RFC 7692)",
            "server_no_context_takeover: asks for each message to be compressed by itself (§7.1.1.1 of RFC 7692)",
        ]
    );
    assert_eq!(
        agreed,
        [
            "permessage-deflate: messages can be DEFLATE, and RSV1 marks those (§7 of RFC 7692)",
            "server_no_context_takeover: the server compresses each message by itself (§7.1.1.1 of RFC 7692)",
            "client_no_context_takeover: the client compresses each message by itself (§7.1.1.2 of RFC 7692)",
            "server_max_window_bits=10: the server's window: 2 to that power, in bytes (§7.1.2.1 of RFC 7692)",
        ]
    );
    let text = handshake.to_text();
    assert!(text.contains("      the extensions that the client offers; the server agrees to one (§9.1)\n"), "{text}");
    assert!(text.contains("      the extension that both sides use from here on, as agreed (§4.2.2)\n"), "{text}");
    let json = parse(&handshake.to_json());
    let parts = json["request"][1]["parts"].as_array().unwrap();
    assert_eq!((parts.len(), &parts[1]["line"]), (5, &json!("client_max_window_bits")));
    assert_eq!(json["request"][0]["parts"], json!([]));
}

#[test]
fn offer_that_is_declined_is_explained_without_an_agreement() {
    for (offer, compression) in
        [("permessage-deflate", Compression::Off), ("permessage-deflate; x", Compression::Context)]
    {
        let (handshake, _, agreed) = explained(offer, compression);
        let about = "the extensions that the client knows; the server agrees to none";
        assert_eq!((handshake.request[1].about, agreed), (about, vec![]));
    }
    let (_, offered, _) = explained("x-other; y=1, permessage-deflate; z", Compression::Off);
    assert_eq!(
        offered,
        [
            "x-other: an extension that this server does not know (§9.1)",
            "y=1: a parameter of that extension (§9.1)",
            "permessage-deflate: messages can be DEFLATE, and RSV1 marks those (§7 of RFC 7692)",
            "z: no parameter of permessage-deflate: declined (§7 of RFC 7692)",
        ]
    );
}

#[test]
fn long_offers_are_explained_as_far_as_they_are_shown() {
    let (handshake, offered, _) =
        explained("permessage-deflate; client_max_window_bits, ".repeat(50).trim_end_matches(", "), Compression::Off);
    // 200 characters: the fifth offer is cut within its parameter.
    assert_eq!(offered.len(), 9, "{offered:?}");
    assert!(offered.iter().all(|words| !words.contains("declined")), "{offered:?}");
    let (_, offered, _) = explained("a, ".repeat(2000).trim_end_matches(", "), Compression::Off);
    assert_eq!(offered.len(), 16);
    assert!(handshake.to_json().len() < 5000);
}

#[test]
fn frames_split_anywhere_are_explained_alike() {
    let wire = [from_server(&[b'y'; 500]), b"\x89\x00".to_vec(), from_server(b"z"), from_server(&[0; 70_000])].concat();
    let whole = split(Direction::Out, &wire, wire.len());
    assert_eq!(whole.len(), 4);
    for size in [1, 2, 3, 7, 50] {
        assert_eq!(split(Direction::Out, &wire, size), whole);
    }
}
