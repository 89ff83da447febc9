//! Memory for large messages and long backlogs: the process gives it back as soon as it is free.

use crate::protocol::decoder::MessageDecoder;
use crate::protocol::payload::Growth;

/// Up to this capacity in bytes a vector doubles, as it does by itself.
const LONG: usize = 256 * 1024;

/// The address space in bytes that a longer vector reserves. Only the pages written to become memory, and glibc returns
/// a block above 32 MiB to the system at once. No reservation where addresses are few (32 bits) or count as memory
/// (Windows).
pub(super) const RESERVE: usize = if cfg!(all(unix, target_pointer_width = "64")) { 33 * 1024 * 1024 } else { LONG };

/// How a connection's decoder takes memory: a payload of which under 16 KiB is missing is read together with what
/// follows it, and a portion of 256 KiB still fits the processor's cache.
static GROWTH: Growth = Growth { reserve, long: LONG, small: 16 * 1024, large: 256 * 1024 };

/// From this many bytes on, a message can take a memory mapping of its own.
pub(in crate::server) const MAPPED: usize = LONG;

/// Returns a decoder that takes memory this way.
pub(in crate::server) fn decoder(limit: usize) -> MessageDecoder {
    MessageDecoder::with_growth(limit, &GROWTH)
}

/// Gives `bytes` capacity for `length` bytes in all and for some more, if the system has it.
fn reserve(bytes: &mut Vec<u8>, length: usize) {
    if length <= bytes.capacity() {
        return;
    }
    let doubled = length.max(bytes.capacity().saturating_mul(2));
    let capacity = if length <= LONG { doubled.min(LONG) } else { doubled.max(RESERVE) };
    // Without so much address space the vector grows by itself when the bytes arrive.
    let _ = bytes.try_reserve_exact(capacity - bytes.len());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::decoder::Event;

    /// The capacities of a vector that grows by `step` bytes at a time.
    fn capacities(step: usize, length: usize) -> Vec<usize> {
        let mut bytes = Vec::new();
        let mut capacities = Vec::new();
        while bytes.len() < length {
            let length = bytes.len() + step;
            reserve(&mut bytes, length);
            bytes.resize(length, 0);
            capacities.push(bytes.capacity());
        }
        capacities.dedup();
        capacities
    }

    #[test]
    fn short_vector_doubles() {
        assert_eq!(capacities(1, 40), [1, 2, 4, 8, 16, 32, 64]);
        assert_eq!(capacities(1000, 4500), [1000, 2000, 4000, 8000]);
    }

    #[test]
    fn vector_up_to_long_gets_no_more_than_that() {
        assert_eq!(LONG, 262_144);
        assert_eq!(capacities(50_000, 250_000), [50_000, 100_000, 200_000, LONG]);
        assert_eq!(capacities(LONG, LONG), [LONG]);
    }

    #[test]
    fn long_vector_reserves_memory_outside_of_the_heap() {
        if cfg!(all(unix, target_pointer_width = "64")) {
            let capacities = capacities(LONG / 2 + 1, 3 << 20);
            assert_eq!(capacities, [LONG / 2 + 1, 33 << 20], "glibc can take 32 MiB from a heap");
        }
    }

    #[test]
    fn vector_beyond_the_reserve_doubles() {
        let length = 40 << 20;
        let mut bytes = Vec::with_capacity(length);
        reserve(&mut bytes, length + 1);
        assert_eq!(bytes.capacity(), 2 * length);
    }

    #[test]
    fn sufficient_capacity_stays() {
        let mut bytes = Vec::with_capacity(1000);
        reserve(&mut bytes, 1000);
        assert_eq!(bytes.capacity(), 1000);
    }

    #[test]
    fn reservation_that_fails_leaves_the_vector_alone() {
        let mut bytes = vec![7; 10];
        let capacity = bytes.capacity();
        reserve(&mut bytes, usize::MAX);
        assert_eq!((bytes.capacity(), &bytes[..]), (capacity, &[7; 10][..]));
    }

    #[test]
    fn message_reserves_for_received_not_announced_bytes() {
        let mut decoder = super::decoder(1 << 30);
        let length: usize = 3 << 20;
        let header = [&[0x82, 0xFF][..], &(length as u64).to_be_bytes(), &[0; 4], b"some"].concat();
        assert_eq!(decoder.decode(&header), Ok((header.len(), None)));
        assert_eq!(decoder.held(), 4);
        let (_, event) = decoder.decode(&vec![b'x'; length - 4]).unwrap();
        let Some(Event::Message(message)) = event else { panic!("no message") };
        let bytes = message.into_bytes();
        assert_eq!((bytes.len(), bytes.capacity()), (length, if RESERVE > LONG { RESERVE } else { length }));
    }

    #[test]
    fn short_message_in_reserved_memory_moves_to_its_own() {
        for (length, is_moved) in [(100_000, true), (250_000, true), (400_000, false)] {
            let mut decoder = super::decoder(1 << 20);
            let mut memory = Vec::with_capacity(RESERVE.max(400_000));
            memory.resize(400_000, 0);
            let lent = memory.as_ptr();
            decoder.lend_memory(Some(memory));
            let header = [&[0x82, 0xFF][..], &(length as u64).to_be_bytes(), &[0; 4]].concat();
            let (_, event) = decoder.decode(&[header, vec![7; length]].concat()).unwrap();
            let Some(Event::Message(message)) = event else { panic!("no message") };
            let bytes = message.into_bytes();
            assert_eq!(bytes.as_ptr() != lent, is_moved, "{length}");
        }
    }
}
