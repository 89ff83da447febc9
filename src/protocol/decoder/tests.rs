//! The hooks of a decoder's owner, which only this crate sees; `tests/message.rs` tests the rest.

use super::*;

const BINARY: u8 = 0x82;
const TEXT: u8 = 0x81;
const PING: u8 = 0x89;
const LIMIT: usize = 1000;

/// Portions as a server likes them, and growth of the vector's own.
static PORTIONS: Growth = Growth { small: 16 << 10, large: 256 << 10, ..PLAIN };

fn decoder(limit: usize) -> MessageDecoder {
    MessageDecoder::with_growth(limit, &PORTIONS)
}

fn binary(bytes: &[u8]) -> Event {
    Event::Message(Message::Binary(bytes.to_vec()))
}

/// Returns a client's frame with the masking key of §5.7.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let key = [0x37, 0xFA, 0x21, 0x3D];
    let mut bytes = Vec::new();
    let opcode = Opcode::decode(first & 0x0F).unwrap();
    Header { fin: first & 0x80 != 0, rsv1: false, opcode, masked: true, length: payload.len() as u64 }
        .encode(&mut bytes);
    bytes.extend(key);
    bytes.extend(payload.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]));
    bytes
}

/// As the server does: into the room wherever there is some, in reads of at most `size` bytes.
fn decode_with_room(decoder: &mut MessageDecoder, mut bytes: &[u8], size: usize) -> Result<Vec<Event>, ProtocolError> {
    let mut events = Vec::new();
    while !bytes.is_empty() {
        let (used, event) = match decoder.reserve_room() {
            Some(room) => {
                let count = room.len().min(bytes.len()).min(size);
                room[..count].copy_from_slice(&bytes[..count]);
                (count, decoder.filled(count)?)
            }
            None => decoder.decode(&bytes[..bytes.len().min(size)])?,
        };
        bytes = &bytes[used..];
        events.extend(event);
    }
    Ok(events)
}

#[test]
fn large_payload_read_into_its_room_is_the_same_message() {
    let payload: Vec<u8> = "large, größer, 最大 ".bytes().cycle().take(22 * 20_000).collect();
    let fragments =
        [frame(TEXT & 0x7F, &payload[..200_001]), frame(PING, b"?"), frame(0x80, &payload[200_001..])].concat();
    for size in [1 << 20, 65536, 20_011] {
        let mut decoder = decoder(1 << 20);
        // The second time there is memory of another message.
        for _ in 0..2 {
            let events = decode_with_room(&mut decoder, &fragments, size).unwrap();
            let expected = Message::from(String::from_utf8(payload.clone()).unwrap());
            assert_eq!(events, [Event::Ping(b"?".to_vec()), Event::Message(expected)]);
            let events = decode_with_room(&mut decoder, &frame(BINARY, &payload), size).unwrap();
            assert_eq!(events, [binary(&payload)]);
            decoder.lend_memory(Some(vec![0xAA; 300_000]));
        }
    }
}

#[test]
fn invalid_utf8_in_the_room_is_refused() {
    let mut payload = vec![b'x'; 100_000];
    payload[90_000] = 0xFF;
    let mut decoder = decoder(1 << 20);
    // It is not the end of the message that shows it.
    let wire = frame(TEXT, &payload);
    assert_eq!(decode_with_room(&mut decoder, &wire[..95_000], 1 << 20), Err(ProtocolError::InvalidUtf8));
}

#[test]
fn room_is_bounded_by_what_arrived_and_none_if_small() {
    let wire = frame(BINARY, &[7; 300_000]);
    let mut decoder = decoder(1 << 20);
    assert_eq!(decoder.reserve_room(), None);
    let come = 20_000;
    decoder.decode(&wire[..14 + come]).unwrap();
    assert_eq!(decoder.reserve_room().map(|room| room.len()), Some(come));
    decoder.filled(come).unwrap();
    assert_eq!(decoder.reserve_room().map(|room| room.len()), Some(2 * come));
    decoder.decode(&wire[14 + 2 * come..wire.len() - 10_000]).unwrap();
    assert_eq!(decoder.reserve_room(), None, "10,000 bytes are read with what follows them");
}

#[test]
fn lent_memory_gives_room_before_as_much_arrived() {
    let mut decoder = decoder(1_000_000);
    decoder.lend_memory(Some(vec![0xA5; 100_000]));
    let wire = frame(BINARY, &[7; 200_000]);
    decoder.decode(&wire[..14 + 20_000]).unwrap();
    assert_eq!(decoder.reserve_room().map(|room| room.len()), Some(80_000), "what is left of the memory");
    decoder.decode(&wire[14 + 20_000..14 + 90_000]).unwrap();
    assert_eq!(decoder.reserve_room().map(|room| room.len()), Some(90_000), "as much as has arrived");
}

#[test]
fn lent_memory_goes_to_the_next_message_or_back() {
    let mut decoder = decoder(1000);
    assert_eq!(decoder.reclaim_memory(), None);
    decoder.lend_memory(Some(vec![0xA5; 10]));
    decoder.lend_memory(None);
    assert_eq!(decoder.reclaim_memory(), Some(vec![0xA5; 10]), "no message has needed it");

    let memory = Vec::with_capacity(500);
    let place = memory.as_ptr();
    decoder.lend_memory(Some(memory));
    let Ok((_, Some(Event::Message(message)))) = decoder.decode(&frame(TEXT, b"Hello")) else { panic!("a message") };
    let bytes = message.into_bytes();
    assert_eq!((bytes.as_slice(), bytes.as_ptr()), (&b"Hello"[..], place));
    assert_eq!(decoder.reclaim_memory(), None);
}

#[test]
fn decoder_is_idle_between_messages_not_fragments() {
    let mut decoder = decoder(1000);
    assert!(decoder.is_idle());
    decoder.decode(&frame(0x01, b"Hel")).unwrap();
    assert!(!decoder.is_idle());
    decoder.decode(&frame(PING, b"")).unwrap();
    assert!(!decoder.is_idle(), "a control frame is no end");
    decoder.decode(&frame(0x80, b"lo")).unwrap();
    assert!(decoder.is_idle());
}

#[test]
#[should_panic(expected = "1 bytes in room for 0")]
fn filling_without_room_panics() {
    let mut decoder = decoder(LIMIT);
    assert_eq!(decoder.filled(0), Ok(None));
    let _ = decoder.filled(1);
}

#[test]
#[should_panic(expected = "20001 bytes in room for 20000")]
fn filling_more_than_the_room_panics() {
    let mut decoder = decoder(1 << 20);
    decoder.lend_memory(Some(vec![0; 30_000]));
    decoder.decode(&frame(BINARY, &[7; 30_000])[..8 + 10_000]).unwrap();
    let _ = decoder.filled(20_001);
}

#[test]
fn short_message_in_long_memory_owns_little() {
    let mut decoder = decoder(1 << 20);
    let mut length = 256 << 10;
    while length > 4 {
        // As it arrives from a socket, in portions.
        let bytes = frame(BINARY, &vec![7; length]);
        let event = bytes.chunks(64 << 10).find_map(|portion| decoder.decode(portion).unwrap().1);
        let Some(Event::Message(message)) = event else { panic!("a message") };
        let bytes = message.into_bytes();
        assert!(bytes == vec![7; length]);
        assert!(bytes.capacity() <= 2 * length + 4096, "{length}: {}", bytes.capacity());
        decoder.lend_memory(Some(bytes));
        length /= 2;
    }
}

#[test]
fn long_memory_left_by_a_short_message_is_kept() {
    for (length, is_kept) in [(100_000, false), (50_000, false), (5, true)] {
        let mut decoder = decoder(1 << 20);
        decoder.lend_memory(Some(vec![0; 100_000]));
        decoder.decode(&frame(BINARY, &vec![7; length])).unwrap();
        assert_eq!(decoder.reclaim_memory().is_some_and(|memory| memory.len() == 100_000), is_kept, "{length}");
    }
}
