//! The bytes of a load, prepared in advance: while the clock runs, nothing must be masked or formatted, and each byte
//! of a reply is known.
//!
//! Sender and receiver both see an endless tape, on which a few messages repeat forever. All have the same length,
//! so a position on the tape, counted in bytes from its beginning, gives the message and the place in it.

use crate::scenario::Load;
use anyhow::{Result, bail};
use plainsocket::protocol::frame::{self, Header, Opcode, apply_mask};

/// The first messages of each client are compared completely, and later every sixteenth.
const COMPARED_AT_FIRST: u64 = 16;
const COMPARED_THEN: u64 = 16;

pub struct Tape {
    requests: Vec<u8>,
    replies: Vec<u8>,
    /// The number of different messages: it is odd, so that each of them is compared at some time.
    pub count: u64,
    pub request_length: u64,
    pub reply_length: u64,
    /// The part of each reply that is always compared: its header, and so its length.
    header_length: usize,
}

impl Tape {
    pub fn new(load: &Load, is_raw: bool) -> Tape {
        let count = (256 * 1024 / load.payload).clamp(2, 60) | 1;
        let mut random = Random(0x2545_F491_4F6C_DD1D);
        let frames: Vec<_> = (0..count).map(|_| request_and_reply(load, &mut random)).collect();
        let (request_length, plain_length) = (frames[0].0.len(), frames[0].1.len());
        // The first messages are repeated at the end, so that all messages in flight together are contiguous in memory.
        let requests: Vec<u8> =
            frames.iter().cycle().take(count + load.in_flight).flat_map(|(r, _)| r.clone()).collect();
        let (replies, reply_length) = if is_raw {
            // The raw server knows no frames, so it returns the same bytes.
            (requests[..count * request_length].to_vec(), request_length)
        } else {
            (frames.iter().flat_map(|(_, reply)| reply.clone()).collect(), plain_length)
        };
        Tape {
            requests,
            replies,
            count: count as u64,
            request_length: request_length as u64,
            reply_length: reply_length as u64,
            header_length: reply_length - load.payload,
        }
    }

    /// Returns the bytes to send between two positions, at most as many as can be in flight.
    pub fn requests(&self, from: u64, to: u64) -> &[u8] {
        let start = (from % (self.count * self.request_length)) as usize;
        &self.requests[start..start + (to - from) as usize]
    }

    /// Checks that `bytes` are the expected reply at this position. `first` is the first message of this client.
    pub fn check(&self, mut position: u64, mut bytes: &[u8], first: u64) -> Result<()> {
        while !bytes.is_empty() {
            let (message, offset) = (position / self.reply_length, (position % self.reply_length) as usize);
            let length = bytes.len().min(self.reply_length as usize - offset);
            let (piece, rest) = bytes.split_at(length);
            let in_full = message - first < COMPARED_AT_FIRST || message.is_multiple_of(COMPARED_THEN);
            let compared = if in_full { length } else { self.header_length.saturating_sub(offset).min(length) };
            let start = ((message % self.count) * self.reply_length) as usize + offset;
            if piece[..compared] != self.replies[start..start + compared] {
                bail!("reply {} is not what was sent", message - first);
            }
            position += length as u64;
            bytes = rest;
        }
        Ok(())
    }
}

/// Returns a client's frame with a random key, and the server's frame with the same random payload.
fn request_and_reply(load: &Load, random: &mut Random) -> (Vec<u8>, Vec<u8>) {
    let byte = |_| match (load.opcode, random.next()) {
        (Opcode::Text, number) => b' ' + (number % 95) as u8,
        (_, number) => number as u8,
    };
    let payload: Vec<u8> = (0..load.payload).map(byte).collect();
    (masked_frame(load.opcode, &payload, random.next().to_be_bytes()), unmasked_frame(load.opcode, &payload))
}

pub fn masked_frame(opcode: Opcode, payload: &[u8], key: [u8; 4]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Header { fin: true, rsv1: false, opcode, masked: true, length: payload.len() as u64 }.encode(&mut bytes);
    bytes.extend(key);
    let start = bytes.len();
    bytes.extend_from_slice(payload);
    apply_mask(&mut bytes[start..], key, 0);
    bytes
}

fn unmasked_frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::encode(opcode, payload, &mut bytes);
    bytes
}

/// Marsaglia's xorshift: the same numbers on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Traffic;

    const LOAD: Load = Load { clients: 1, payload: 64, in_flight: 4, opcode: Opcode::Binary, traffic: Traffic::Echo };

    #[test]
    fn replies_are_checked_wherever_they_are_cut() {
        let tape = Tape::new(&LOAD, false);
        let replies = tape.replies.repeat(2);
        for cut in 0..tape.reply_length as usize * 2 {
            let (first, second) = replies.split_at(cut);
            tape.check(0, first, 0).unwrap();
            tape.check(cut as u64, second, 0).unwrap();
        }
    }

    #[test]
    fn bench_client_notices_wrong_bytes_in_header_and_payload() {
        let tape = Tape::new(&LOAD, false);
        for at in 0..tape.reply_length as usize {
            let mut reply = tape.replies[..tape.reply_length as usize].to_vec();
            reply[at] ^= 1;
            assert!(tape.check(0, &reply, 0).is_err(), "byte {at}");
            // The same frame, when it is sent for the 18th time.
            let later = 17 * tape.count;
            assert_eq!(tape.check(later * tape.reply_length, &reply, 0).is_err(), at < 2, "byte {at}");
        }
    }
}
