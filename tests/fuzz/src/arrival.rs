//! How bytes arrive: in which pieces, and where the server puts them.

use crate::naive::{self, Told};
use arbitrary::Arbitrary;
use plainsocket::ProtocolError;
use plainsocket::inside::ServersDecoder;
use plainsocket::protocol::decoder::Event;

/// One way for bytes to arrive.
#[derive(Debug, Default, Arbitrary)]
pub struct Arrival {
    /// The sizes of the reads; the bytes after them arrive in one read.
    pub pieces: Vec<u16>,
    /// Whether large payloads are read into the room that the decoder offers.
    pub uses_room: bool,
    /// The size of the memory that the decoder is given for each message.
    pub memory: u16,
}

impl Arrival {
    pub fn in_pieces_of(size: u16, wire: &[u8]) -> Arrival {
        Arrival { pieces: vec![size; wire.len() / usize::from(size)], ..Arrival::default() }
    }
}

/// Panics unless the decoder yields the same events for `wire` as the naive one, however the bytes arrive. Each event
/// must appear with the piece that has its last byte, neither later nor earlier.
pub fn check(wire: &[u8], limit: usize, arrivals: &[Arrival]) {
    let expected = naive::decode(wire, limit);
    for arrival in arrivals {
        check_one(wire, limit, arrival, &expected);
    }
}

fn check_one(wire: &[u8], limit: usize, arrival: &Arrival, expected: &[Told]) {
    let mut expected = expected.iter().peekable();
    let mut decoder = ServersDecoder::new(limit);
    let mut unread = Vec::new();
    let mut pieces = arrival.pieces.iter();
    let mut at = 0;
    while at < wire.len() {
        let left = &wire[at..];
        let size = pieces.next().map_or(left.len(), |&size| left.len().min(size.into()));
        at += size;
        if arrival.memory > 0 {
            // Memory of an earlier message, so its bytes are not zeros.
            decoder.lend_memory(vec![0xA5; arrival.memory.into()]);
        }
        for what in read(&mut decoder, &left[..size], &mut unread, arrival.uses_room) {
            let is_error = what.is_err();
            let Told { at: needed, what: right } = expected.next().unwrap_or_else(|| panic!("too much: {what:?}"));
            assert_eq!(what, *right);
            assert!(*needed <= at, "reported at {at}, before its last byte at {needed}: {right:?}");
            if is_error {
                return;
            }
        }
        if let Some(told) = expected.peek() {
            assert!(told.at > at, "not reported at {at}: {told:?}");
        }
    }
}

/// Does what the server does with the bytes of one read, or of several where the room is smaller than the piece.
pub fn read(
    decoder: &mut ServersDecoder,
    mut piece: &[u8],
    unread: &mut Vec<u8>,
    uses_room: bool,
) -> Vec<Result<Event, ProtocolError>> {
    let mut told = Vec::new();
    while uses_room
        && unread.is_empty()
        && !piece.is_empty()
        && let Some(room) = decoder.reserve_room()
    {
        let (now, later) = piece.split_at(piece.len().min(room.len()));
        room[..now.len()].copy_from_slice(now);
        piece = later;
        told.extend(decoder.filled(now.len()).transpose());
        if matches!(told.last(), Some(Err(_))) {
            return told;
        }
    }
    unread.extend_from_slice(piece);
    loop {
        match decoder.decode(unread) {
            Ok((used, event)) => {
                unread.drain(..used);
                match event {
                    Some(event) => told.push(Ok(event)),
                    None if decoder.has_more() => {}
                    None => return told,
                }
            }
            Err(error) => {
                told.push(Err(error));
                return told;
            }
        }
    }
}
