//! Properties of every frame, mask and stream, tried on random ones. Pure: no socket.

use crate::support::{BINARY, CLOSE, PING, PONG, TEXT, frame};
use plainsocket::protocol::decoder::{Event, MessageDecoder};
use plainsocket::protocol::frame::{Header, Opcode, apply_mask, encode};
use plainsocket::{CloseCode, CloseFrame, Message, ProtocolError as E};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// A case that fails is printed in full and becomes a test of its own, so proptest need not write it to a file.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

const LIMIT: usize = 100_000;

/// All events of `wire` given in pieces that end at `cuts`, and the error that ended them if one did.
fn decode(wire: &[u8], cuts: &[Index]) -> (Vec<Event>, Option<E>) {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(wire.len() + 1)).collect();
    ends.sort();
    ends.push(wire.len());
    let mut decoder = MessageDecoder::new(LIMIT);
    let (mut events, mut start) = (Vec::new(), 0);
    for end in ends {
        loop {
            match decoder.decode(&wire[start..end]) {
                Err(error) => return (events, Some(error)),
                Ok((used, event)) => {
                    start += used;
                    let Some(event) = event else { break };
                    events.push(event);
                }
            }
        }
    }
    (events, None)
}

// §5.2: frames

fn opcode() -> impl Strategy<Value = Opcode> {
    select(vec![Opcode::Continuation, Opcode::Text, Opcode::Binary, Opcode::Close, Opcode::Ping, Opcode::Pong])
}

/// A payload length of each of the three forms, often right at the edge of one.
fn length() -> impl Strategy<Value = u64> {
    prop_oneof![0..=125u64, 126..=0xFFFFu64, 0x1_0000..=i64::MAX as u64, select(vec![125, 126, 0xFFFF, 0x1_0000])]
}

fn header() -> impl Strategy<Value = Header> {
    (any::<bool>(), opcode(), any::<bool>(), length()).prop_map(|(fin, opcode, masked, length)| {
        let is_control = opcode.is_control();
        let length = if is_control { length % 126 } else { length };
        Header { fin: fin || is_control, rsv1: false, opcode, masked, length }
    })
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn a_header_comes_back_and_no_part_of_it_is_enough(header in header(), behind in vec(any::<u8>(), 0..20)) {
        let mut bytes = Vec::new();
        header.encode(&mut bytes);
        let length = bytes.len();
        for cut in 0..length {
            prop_assert_eq!(Header::decode(&bytes[..cut]), Ok(None));
        }
        bytes.extend(behind);
        prop_assert_eq!(Header::decode(&bytes), Ok(Some((header, length))));
    }
}

/// A server's frame, masked as if a client had sent it.
fn with_mask(server_frame: &[u8], payload_length: usize, key: [u8; 4]) -> Vec<u8> {
    let (header, payload) = server_frame.split_at(server_frame.len() - payload_length);
    let mut wire = header.to_vec();
    wire[1] |= 0x80;
    wire.extend(key);
    wire.extend(payload.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]));
    wire
}

fn payload_length() -> impl Strategy<Value = usize> {
    prop_oneof![0..300usize, select(vec![125, 126, 127, 0xFFFF, 0x1_0000, LIMIT])]
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn encoded_frames_decode_to_the_same_messages(
        bytes in payload_length().prop_flat_map(|length| vec(any::<u8>(), length)),
        opcode in select(vec![Opcode::Binary, Opcode::Ping, Opcode::Pong]),
        key: [u8; 4],
        cuts in vec(any::<Index>(), 0..6),
    ) {
        let payload = if opcode.is_control() { bytes[..bytes.len().min(125)].to_vec() } else { bytes };
        let mut sent = Vec::new();
        encode(opcode, &payload, &mut sent);
        let wire = with_mask(&sent, payload.len(), key);
        let event = match opcode {
            Opcode::Ping => Event::Ping(payload),
            Opcode::Pong => Event::Pong(payload),
            _ => Event::Message(Message::Binary(payload)),
        };
        prop_assert_eq!(decode(&wire, &cuts), (vec![event], None));
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn text_that_is_encoded_is_decoded(text: String, key: [u8; 4], cuts in vec(any::<Index>(), 0..6)) {
        let mut sent = Vec::new();
        encode(Opcode::Text, text.as_bytes(), &mut sent);
        let wire = with_mask(&sent, text.len(), key);
        prop_assert_eq!(decode(&wire, &cuts), (vec![Event::Message(Message::from(text))], None));
    }

    #[test]
    fn a_close_that_is_encoded_is_decoded(code in 1000..5000u16, reason: String) {
        prop_assume!(CloseCode::new(code).is_some());
        let close = CloseFrame::new(CloseCode::new(code).unwrap(), &reason);
        prop_assert_eq!(decode(&frame(CLOSE, &close.encode()), &[]), (vec![Event::Close(Some(close))], None));
    }
}

// §5.3: masking

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn masking_is_what_the_definition_says_and_its_own_inverse(
        bytes in vec(any::<u8>(), 0..200),
        start in 0..64usize, // of the slice in memory: its address must not matter
        key: [u8; 4],
        offset: u64,
    ) {
        let start = start.min(bytes.len());
        let original = &bytes[start..];
        let expected: Vec<u8> =
            original.iter().zip(0..).map(|(byte, i)| byte ^ key[((offset % 4 + i) % 4) as usize]).collect();
        let mut masked = bytes.clone();
        apply_mask(&mut masked[start..], key, offset);
        prop_assert_eq!(&masked[start..], expected);
        apply_mask(&mut masked[start..], key, offset);
        prop_assert_eq!(masked, bytes);
    }

    #[test]
    fn masking_in_two_pieces_is_masking_at_once(bytes in vec(any::<u8>(), 0..200), cut: Index, key: [u8; 4]) {
        let (mut whole, mut pieces) = (bytes.clone(), bytes);
        apply_mask(&mut whole, key, 0);
        let (first, second) = pieces.split_at_mut(cut.index(whole.len() + 1));
        apply_mask(first, key, 0);
        apply_mask(second, key, first.len() as u64);
        prop_assert_eq!(pieces, whole);
    }
}

// §5.4: streams of frames

/// The opcode and payload of a Ping or Pong.
type Control = (u8, Vec<u8>);

/// A message, the places where it is cut into fragments, and perhaps a control frame after each fragment but the last.
#[derive(Debug, Clone)]
struct Sent {
    message: Message,
    cuts: Vec<(Index, Option<Control>)>,
}

fn sent() -> impl Strategy<Value = Sent> {
    let message =
        prop_oneof![any::<String>().prop_map(Message::from), vec(any::<u8>(), 0..300).prop_map(Message::from),];
    let control = (select(vec![PING, PONG]), vec(any::<u8>(), 0..126));
    let cuts = vec((any::<Index>(), proptest::option::of(control)), 0..4);
    (message, cuts).prop_map(|(message, cuts)| Sent { message, cuts })
}

/// The bytes on the wire, and the events that they must yield.
fn stream(all: &[Sent]) -> (Vec<u8>, Vec<Event>) {
    let (mut wire, mut events) = (Vec::new(), Vec::new());
    for Sent { message, cuts } in all {
        let bytes = message.as_bytes();
        let mut ends: Vec<usize> = cuts.iter().map(|(cut, _)| cut.index(bytes.len() + 1)).collect();
        ends.sort();
        let mut first = message.opcode() as u8;
        let mut start = 0;
        for (end, (_, control)) in ends.into_iter().zip(cuts) {
            wire.extend(frame(first, &bytes[start..end]));
            (first, start) = (Opcode::Continuation as u8, end);
            if let Some((opcode, payload)) = control {
                wire.extend(frame(*opcode, payload));
                let payload = payload.clone();
                events.push(if *opcode == PING { Event::Ping(payload) } else { Event::Pong(payload) });
            }
        }
        wire.extend(frame(first | 0x80, &bytes[start..]));
        events.push(Event::Message(message.clone()));
    }
    (wire, events)
}

/// Bytes that break a rule wherever a new message can begin, and the error.
fn broken() -> impl Strategy<Value = (Vec<u8>, E)> {
    prop_oneof![
        (0..=255u8).prop_filter("RSV", |first| first & 0x70 != 0).prop_map(|first| (vec![first], E::ReservedBit)),
        select(vec![3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF])
            .prop_map(|code| (vec![0x80 | code], E::ReservedOpcode(code))),
        select(vec![0x08, 0x09, 0x0A]).prop_map(|first| (vec![first], E::FragmentedControl)),
        select(vec![CLOSE, PING, PONG]).prop_map(|first| (frame(first, &[0; 126]), E::ControlTooLong)),
        (0..126u8).prop_map(|length| (vec![BINARY, 0xFE, 0, length], E::LengthNotMinimal)),
        any::<u16>()
            .prop_map(|length| ([&[BINARY, 0xFF], &u64::from(length).to_be_bytes()[..]].concat(), E::LengthNotMinimal)),
        (1u64 << 63..).prop_map(|length| ([&[BINARY, 0xFF], &length.to_be_bytes()[..]].concat(), E::LengthTopBit)),
        (0..126u8).prop_map(|length| (vec![TEXT, length], E::Unmasked)),
        vec(any::<u8>(), 0..200).prop_map(|payload| (frame(0x80, &payload), E::NothingToContinue)),
        vec(any::<u8>(), 0..200)
            .prop_map(|payload| ([frame(0x02, &payload), frame(TEXT, b"")].concat(), E::MessageInsideMessage)),
        any::<u8>().prop_map(|byte| (frame(CLOSE, &[byte]), E::CloseCodeCut)),
        (0..1000u16).prop_map(|code| (frame(CLOSE, &code.to_be_bytes()), E::CloseCodeForbidden(code))),
        any::<String>().prop_map(|text| (frame(TEXT, &[text.as_bytes(), b"\xFF"].concat()), E::InvalidUtf8)),
        (LIMIT as u64 + 1..1 << 63)
            .prop_map(|length| ([&[BINARY, 0xFF], &length.to_be_bytes()[..]].concat(), E::MessageTooBig(LIMIT))),
    ]
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn the_pieces_of_a_stream_do_not_matter(all in vec(sent(), 0..4), cuts in vec(any::<Index>(), 0..40)) {
        let (wire, events) = stream(&all);
        prop_assert_eq!(decode(&wire, &cuts), (events.clone(), None));
        prop_assert_eq!(decode(&wire, &[]), (events, None));
    }

    #[test]
    fn a_broken_rule_is_one_error_after_all_that_went_before(
        all in vec(sent(), 0..3),
        (bad, error) in broken(),
        behind in vec(any::<u8>(), 0..50),
        cuts in vec(any::<Index>(), 0..40),
    ) {
        let (mut wire, events) = stream(&all);
        wire.extend(bad);
        // The error is the same without the bytes that follow.
        prop_assert_eq!(decode(&wire, &cuts), (events.clone(), Some(error)));
        wire.extend(behind);
        prop_assert_eq!(decode(&wire, &cuts), (events, Some(error)));
    }
}
