//! §5.4, §5.6, §8.1: messages out of frames. Pure: no socket.

use crate::support::{BINARY, CLOSE, PING, PONG, TEXT, close_frame, frame};
use plainsocket::protocol::decoder::{Event, MessageDecoder};
use plainsocket::{CloseCode, CloseFrame, Message, ProtocolError as E, Text};
use std::time::{Duration, Instant};

const LIMIT: usize = 1000;

/// All events of `bytes` given in pieces of `size`, and the error that ended them if one did.
fn decode_in_pieces(bytes: &[u8], size: usize) -> (Vec<Event>, Option<E>) {
    let mut decoder = MessageDecoder::new(LIMIT);
    let (mut events, mut unread) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(size) {
        unread.extend_from_slice(piece);
        loop {
            match decoder.decode(&unread) {
                Err(error) => return (events, Some(error)),
                Ok((used, event)) => {
                    unread.drain(..used);
                    match event {
                        Some(event) => events.push(event),
                        None => break,
                    }
                }
            }
        }
    }
    (events, None)
}

/// Decodes `bytes` at once, byte by byte, and in pieces of sizes in between. The result must not depend on the size.
fn decode(bytes: &[u8]) -> (Vec<Event>, Option<E>) {
    let whole = decode_in_pieces(bytes, bytes.len().max(1));
    for size in [1, 2, 3, 5, 7, 11, 64] {
        assert_eq!(decode_in_pieces(bytes, size), whole, "in pieces of {size}");
    }
    whole
}

fn text(text: &str) -> Event {
    Event::Message(Message::from(text))
}

fn binary(bytes: &[u8]) -> Event {
    Event::Message(Message::Binary(bytes.to_vec()))
}

fn assert_events(frames: &[Vec<u8>], events: &[Event]) {
    assert_eq!(decode(&frames.concat()), (events.to_vec(), None));
}

fn assert_error(frames: &[Vec<u8>], error: E) {
    assert_eq!(decode(&frames.concat()).1, Some(error));
}

// §5.1 Overview

#[test]
fn an_unmasked_frame_is_refused() {
    assert_error(&[b"\x81\x05Hello".to_vec()], E::Unmasked);
    assert_error(&[b"\x89\x00".to_vec()], E::Unmasked);
    assert_error(&[frame(0x01, b"Hel"), b"\x80\x02lo".to_vec()], E::Unmasked);
}

#[test]
fn a_mask_of_zeros_is_a_mask() {
    assert_events(&[b"\x81\x85\0\0\0\0Hello".to_vec()], &[text("Hello")]);
}

// §5.4 Fragmentation

#[test]
fn one_frame_is_one_message() {
    assert_events(&[frame(TEXT, b"Hello")], &[text("Hello")]);
    assert_events(&[frame(BINARY, &[0, 1, 255])], &[binary(&[0, 1, 255])]);
}

#[test]
fn frames_that_come_together_are_messages_in_their_order() {
    assert_events(
        &[frame(TEXT, b"one"), frame(BINARY, b"two"), frame(TEXT, b"three")],
        &[text("one"), binary(b"two"), text("three")],
    );
}

#[test]
fn empty_messages_are_messages() {
    assert_events(&[frame(TEXT, b""), frame(BINARY, b"")], &[text(""), binary(b"")]);
}

#[test]
fn fragments_are_one_message_and_can_be_empty() {
    assert_events(&[frame(0x01, b"Hel"), frame(0x80, b"lo")], &[text("Hello")]);
    assert_events(&[frame(0x02, b""), frame(0x00, b"ab"), frame(0x00, b""), frame(0x80, b"")], &[binary(b"ab")]);
    assert_events(&[frame(0x01, b""), frame(0x80, b"")], &[text("")]);
}

#[test]
fn control_frames_between_fragments_are_no_part_of_the_message() {
    assert_events(
        &[frame(0x01, b"Hel"), frame(PING, b"are you there"), frame(PONG, b""), frame(0x80, b"lo")],
        &[Event::Ping(b"are you there".to_vec()), Event::Pong(vec![]), text("Hello")],
    );
    assert_events(&[frame(0x02, b"ab"), frame(CLOSE, b"")], &[Event::Close(None)]);
}

#[test]
fn a_continuation_of_nothing_is_refused() {
    assert_error(&[frame(0x80, b"lo")], E::NothingToContinue);
    assert_error(&[frame(0x00, b"lo")], E::NothingToContinue);
    assert_error(&[frame(TEXT, b"whole"), frame(0x80, b"lo")], E::NothingToContinue);
    assert_error(&[frame(0x01, b"a"), frame(0x80, b"b"), frame(0x80, b"c")], E::NothingToContinue);
}

#[test]
fn a_new_message_inside_another_is_refused() {
    assert_error(&[frame(0x01, b"Hel"), frame(TEXT, b"lo")], E::MessageInsideMessage);
    assert_error(&[frame(0x02, b""), frame(0x02, b"")], E::MessageInsideMessage);
}

#[test]
fn events_before_an_error_are_delivered_first() {
    let (events, error) = decode(&[frame(TEXT, b"good"), frame(0xC1, b"bad")].concat());
    assert_eq!((events, error), (vec![text("good")], Some(E::ReservedBit)));
}

// §5.5 Control Frames

#[test]
fn pings_and_pongs_carry_up_to_125_bytes() {
    for length in [0, 1, 124, 125] {
        let payload = vec![0xFE; length];
        assert_events(
            &[frame(PING, &payload), frame(PONG, &payload)],
            &[Event::Ping(payload.clone()), Event::Pong(payload.clone())],
        );
    }
}

#[test]
fn a_close_carries_its_code_and_reason() {
    let close = CloseFrame::new(CloseCode::NORMAL, "bye");
    assert_events(&[close_frame(1000, "bye")], &[Event::Close(Some(close))]);
    assert_events(&[frame(CLOSE, b"")], &[Event::Close(None)]);
    assert_error(&[frame(CLOSE, b"\x03")], E::CloseCodeCut);
    assert_error(&[close_frame(1005, "")], E::CloseCodeForbidden(1005));
}

// §5.6 and §8.1: UTF-8

/// Valid text with characters of each length, and with the first and last code points of each length.
const EDGES: &str = "\0\x7F\u{80}\u{7FF}\u{800}\u{D7FF}\u{E000}\u{FFFD}\u{FFFE}\u{10000}\u{10FFFF} κόσμε 🦀";

#[test]
fn a_character_can_be_split_over_fragments_at_any_byte() {
    let bytes = EDGES.as_bytes();
    for cut in 0..=bytes.len() {
        assert_events(&[frame(0x01, &bytes[..cut]), frame(0x80, &bytes[cut..])], &[text(EDGES)]);
    }
    let mut single: Vec<_> = bytes.iter().map(|byte| frame(0x00, &[*byte])).collect();
    single[0][0] = 0x01;
    single.last_mut().unwrap()[0] = 0x80;
    assert_events(&single, &[text(EDGES)]);
}

/// Bytes that are not UTF-8, and how many of them could still begin a character.
const INVALID: &[(&[u8], usize)] = &[
    (b"\x80", 0),
    (b"\xC0\xAF", 0),
    (b"\xC1\xBF", 0),
    (b"\xC3\x28", 1),
    (b"\xE0\x80\xAF", 1),
    (b"\xE2\x82\x28", 2),
    (b"\xED\xA0\x80", 1),
    (b"\xF0\x80\x80\xAF", 1),
    (b"\xF4\x90\x80\x80", 1),
    (b"\xF5", 0),
    (b"\xFF", 0),
];

#[test]
fn invalid_utf8_in_unfinished_frame_fails_at_first_bad_byte() {
    for (bad, can_still_become_text) in INVALID {
        let sent = [b"good ", *bad, b" and much more to come"].concat();
        let wire = frame(0x01, &sent);
        let mut decoder = MessageDecoder::new(LIMIT);
        let header = 6;
        let good = header + 5 + can_still_become_text;
        assert_eq!(decoder.decode(&wire[..good]), Ok((good, None)), "{bad:02x?}");
        assert_eq!(decoder.decode(&wire[good..=good]), Err(E::InvalidUtf8), "{bad:02x?}");
        assert_error(&[wire], E::InvalidUtf8);
    }
}

#[test]
fn a_message_that_ends_within_a_character_is_refused() {
    assert_error(&[frame(TEXT, &EDGES.as_bytes()[..EDGES.len() - 1])], E::InvalidUtf8);
    assert_error(&[frame(0x01, b"\xE2\x82"), frame(0x80, b"")], E::InvalidUtf8);
}

#[test]
fn binary_messages_are_not_looked_at() {
    assert_events(&[frame(BINARY, b"\xFF\xC0")], &[binary(b"\xFF\xC0")]);
}

// §10.4 Implementation-Specific Limits

#[test]
fn a_message_of_the_limit_is_fine_and_one_more_byte_is_not() {
    assert_events(&[frame(BINARY, &[1; LIMIT])], &[binary(&[1; LIMIT])]);
    assert_error(&[frame(BINARY, &[1; LIMIT + 1])], E::MessageTooBig(LIMIT));
    assert_error(&[frame(TEXT, &[b'a'; LIMIT + 1])], E::MessageTooBig(LIMIT));
}

#[test]
fn limit_is_summed_over_fragments_and_cut_characters() {
    assert_events(&[frame(0x02, &[1; 999]), frame(0x80, &[1])], &[binary(&[1; LIMIT])]);
    assert_error(&[frame(0x02, &[1; 999]), frame(0x00, &[1]), frame(0x80, &[1])], E::MessageTooBig(LIMIT));
    let almost = ["a".repeat(998).as_bytes(), b"\xC3"].concat();
    assert_error(&[frame(0x01, &almost), frame(0x80, b"\xA4\xA4")], E::MessageTooBig(LIMIT));
}

#[test]
fn control_frames_do_not_count_towards_the_limit() {
    assert_events(
        &[frame(0x02, &[1; LIMIT]), frame(PING, &[2; 125]), frame(0x80, b"")],
        &[Event::Ping(vec![2; 125]), binary(&[1; LIMIT])],
    );
}

#[test]
fn the_limit_is_checked_when_a_length_is_announced() {
    for length in [LIMIT as u64 + 1, 1 << 32, 1 << 62, i64::MAX as u64] {
        let wire = match length {
            0..65536 => [&[BINARY, 0xFE], &(length as u16).to_be_bytes()[..]].concat(),
            _ => [&[BINARY, 0xFF], &length.to_be_bytes()[..]].concat(),
        };
        // Not even the masking key has been received.
        assert_eq!(MessageDecoder::new(LIMIT).decode(&wire), Err(E::MessageTooBig(LIMIT)), "{length}");
    }
    // A length near 2^63, added to the bytes received so far, must not overflow into a small one.
    let second = [&[0x80, 0xFF], &i64::MAX.to_be_bytes()[..]].concat();
    assert_error(&[frame(0x02, b"ab"), second], E::MessageTooBig(LIMIT));
}

#[test]
fn hundred_thousand_tiny_fragments_take_under_a_second() {
    const COUNT: usize = 100_000;
    for (first, last) in [(0x01, 0x80), (0x02, 0x80)] {
        let mut wire: Vec<u8> = (0..COUNT).flat_map(|_| frame(0x00, b"x")).collect();
        wire[0] = first;
        let length = wire.len();
        wire[length - 7] = last;
        let decode = || {
            let started = Instant::now();
            let (used, event) = MessageDecoder::new(COUNT).decode(&wire).unwrap();
            (started.elapsed(), used, event)
        };
        // There are up to 20 tries, because other processes can use the processor meanwhile.
        let quick = (0..20).map(|_| decode()).find(|(took, ..)| *took < Duration::from_secs(1));
        let (_, used, event) = quick.expect("under a second");
        assert_eq!(used, length);
        let Some(Event::Message(message)) = event else { panic!("no message") };
        assert_eq!(message.as_bytes(), [b'x'; COUNT]);
    }
}

// Text, messages, and what a decoder holds

#[test]
fn ascii_after_a_cut_character_does_not_hide_it() {
    for (right, more) in (0..8).flat_map(|right| (1..8).map(move |more| (right, more))) {
        let begun = [&vec![b'a'; right][..], &[0xC3]].concat();
        let wire = [frame(0x01, &begun), frame(0x00, &vec![b'x'; more])].concat();
        assert_eq!(decode_in_pieces(&wire, wire.len()), (vec![], Some(E::InvalidUtf8)), "{right} and {more}");
    }
}

#[test]
fn text_equals_and_prints_the_string_it_is_made_of() {
    let text = Text::from("H\u{e9}llo\n");
    assert_eq!((text.as_str(), text.to_string()), ("H\u{e9}llo\n", "H\u{e9}llo\n".to_owned()));
    assert_eq!(format!("{text:?}"), r#""Héllo\n""#);
    assert!(text == *"H\u{e9}llo\n" && text != *"Hello" && text == "H\u{e9}llo\n" && text != "Hello");
    assert_eq!(Message::from(text.clone()), Message::Text(text.clone()));
    assert_eq!(text.into_string(), "H\u{e9}llo\n");
}

#[test]
fn a_message_is_made_of_text_or_of_bytes() {
    assert_eq!(Message::from(vec![0xFF]), Message::Binary(vec![0xFF]));
    assert_eq!(Message::from("Hello"), Message::from("Hello".to_owned()));
    assert_eq!(Message::from("Hello").into_bytes(), b"Hello");
    assert_eq!(Message::Binary(vec![1, 2]).into_bytes(), [1, 2]);
}

#[test]
fn unfinished_message_says_how_much_it_holds() {
    let mut decoder = MessageDecoder::new(1 << 20);
    assert_eq!(decoder.held(), 0);
    decoder.decode(&frame(BINARY, &[7; 1000])[..508]).unwrap();
    assert_eq!(decoder.held(), 500);
    decoder.discard();
    assert_eq!(decoder.held(), 0);
}

#[test]
fn message_owns_at_most_twice_its_length_and_a_little() {
    for length in [1, 100, 5000, 70_000, 300_000] {
        for portion in [1000, 65_536] {
            let mut decoder = MessageDecoder::new(1 << 20);
            let mut unread = Vec::new();
            let mut message = None;
            for piece in frame(BINARY, &vec![7; length]).chunks(portion) {
                unread.extend_from_slice(piece);
                let (used, event) = decoder.decode(&unread).unwrap();
                unread.drain(..used);
                message = event;
            }
            let Some(Event::Message(message)) = message else { panic!("no message") };
            let bytes = message.into_bytes();
            assert_eq!(bytes.len(), length);
            assert!(bytes.capacity() <= 2 * length + 4096, "{length}: {}", bytes.capacity());
        }
    }
}
