//! Text in any fragments and any pieces: bytes that the standard library accepts as UTF-8 become a message, and others
//! fail at their first bad byte.
//!
//! The first byte of the input is the size of the fragments, the second is the size of the pieces (0: all in one), and
//! the rest is the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plainsocket::protocol::decoder::{Event, MessageDecoder};
use plainsocket::{Message, ProtocolError};
use plainsocket_fuzz::utf8::first_bad_byte;
use plainsocket_fuzz::wire::frame;

fuzz_target!(|input: &[u8]| {
    let [fragment, piece, text @ ..] = input else { return };
    let (wire, ends) = fragments(text, size(*fragment));
    let expected = match (str::from_utf8(text), first_bad_byte(text)) {
        (Ok(text), _) => (wire.len(), Ok(Event::Message(Message::from(text)))),
        (Err(_), Some(bad)) => (ends[bad], Err(ProtocolError::InvalidUtf8)),
        // The text ends within a character, which can be seen only at its end.
        (Err(_), None) => (wire.len(), Err(ProtocolError::InvalidUtf8)),
    };
    check(&wire, size(*piece), expected);
});

fn size(byte: u8) -> usize {
    if byte == 0 { usize::MAX } else { byte.into() }
}

/// Returns the message in fragments, and for each byte of the text the length of the wire up to that byte.
fn fragments(text: &[u8], size: usize) -> (Vec<u8>, Vec<usize>) {
    const TEXT: u8 = 0x01;
    const FIN: u8 = 0x80;
    let (mut wire, mut ends) = (Vec::new(), Vec::new());
    let mut rest = text;
    loop {
        let first = if rest.len() == text.len() { TEXT } else { 0 };
        let (now, later) = rest.split_at(rest.len().min(size));
        let last = if later.is_empty() { FIN } else { 0 };
        wire.extend(frame(first | last, now));
        ends.extend((1..=now.len()).map(|i| wire.len() - now.len() + i));
        rest = later;
        if rest.is_empty() {
            return (wire, ends);
        }
    }
}

fn check(wire: &[u8], size: usize, (end, expected): (usize, Result<Event, ProtocolError>)) {
    let mut decoder = MessageDecoder::new(wire.len());
    let mut unread = Vec::new();
    let mut arrived = 0;
    for piece in wire.chunks(size) {
        unread.extend_from_slice(piece);
        arrived += piece.len();
        let told = decoder.decode(&unread);
        if arrived >= end {
            assert_eq!(told.map(|(_, event)| event), expected.map(Some), "at byte {arrived}");
            return;
        }
        let Ok((used, None)) = told else { panic!("reported at byte {arrived}, before {end}: {told:?}") };
        unread.drain(..used);
    }
}
