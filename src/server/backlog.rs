//! What waits to be written to a client. It may become megabytes, which the process is not to keep.

use crate::protocol::memory::make_room;
use std::mem;

/// How much is written at a time.
pub(super) const PIECE: usize = 64 * 1024;

#[derive(Default)]
pub(super) struct Backlog {
    bytes: Vec<u8>,
    /// So many of them, at the front, have been taken; none if all together are no more than a piece.
    taken: usize,
}

impl Backlog {
    /// How many bytes wait.
    pub(super) fn length(&self) -> usize {
        self.bytes.len() - self.taken
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let length = self.bytes.len() + bytes.len();
        make_room(&mut self.bytes, length);
        self.bytes.extend_from_slice(bytes);
    }

    /// Puts another one behind this one.
    pub(super) fn append(&mut self, other: &Backlog) {
        self.push(&other.bytes[other.taken..]);
    }

    /// Takes what is at the front: a piece, or all if it is less.
    pub(super) fn pop(&mut self) -> Option<Vec<u8>> {
        if self.bytes.len() <= PIECE {
            let all = mem::take(&mut self.bytes);
            return (!all.is_empty()).then_some(all);
        }
        let end = self.bytes.len().min(self.taken + PIECE);
        let piece = self.bytes[self.taken..end].to_vec();
        self.taken = end;
        if self.taken > self.length() {
            // To move the rest to the front would keep the memory of what has been taken.
            let mut rest = Backlog::default();
            rest.append(self);
            *self = rest;
        }
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::memory::LONG;

    fn pieces(mut backlog: Backlog) -> Vec<Vec<u8>> {
        let pieces: Vec<_> = std::iter::from_fn(|| backlog.pop()).collect();
        assert_eq!(backlog.length(), 0);
        pieces
    }

    #[test]
    fn what_is_pushed_comes_out_in_its_order_in_pieces_with_a_bound() {
        let bytes: Vec<u8> = (0..=255).cycle().take(3 * PIECE).collect();
        let mut backlog = Backlog::default();
        let mut pushed = 0;
        for length in [0, 1, 1000, PIECE - 1001, 7, 2 * PIECE - 7] {
            backlog.push(&bytes[pushed..pushed + length]);
            pushed += length;
            assert_eq!(backlog.length(), pushed);
        }
        let pieces = pieces(backlog);
        assert_eq!(pieces.iter().map(Vec::len).collect::<Vec<_>>(), [65_536; 3]);
        assert!(pieces.concat() == bytes);
    }

    #[test]
    fn what_is_taken_while_more_comes_is_all_that_came_and_memory_is_for_what_waits() {
        let bytes: Vec<u8> = (0..=250).cycle().take(40 * PIECE).collect();
        let mut backlog = Backlog::default();
        let mut taken = Vec::new();
        backlog.push(&bytes[..3 * PIECE]);
        for piece in bytes[3 * PIECE..].chunks(PIECE - 1) {
            backlog.push(piece);
            taken.extend(backlog.pop().unwrap());
            assert_eq!(backlog.length(), backlog.bytes.len() - backlog.taken);
            assert!(backlog.bytes.len() <= 2 * 3 * PIECE + PIECE, "what has been taken is given up");
        }
        taken.extend(pieces(backlog).concat());
        assert!(taken == bytes);
    }

    #[test]
    fn what_has_been_taken_is_given_up_once_it_is_more_than_what_waits() {
        let mut backlog = Backlog::default();
        backlog.push(&[0; 4 * PIECE]);
        let kept = |backlog: &Backlog| (backlog.taken / PIECE, backlog.bytes.len() / PIECE);
        let mut seen = Vec::new();
        while backlog.pop().is_some() {
            seen.push(kept(&backlog));
        }
        assert_eq!(seen, [(1, 4), (2, 4), (0, 1), (0, 0)]);
    }

    #[test]
    fn a_long_backlog_has_memory_of_its_own_and_what_is_left_of_it_has_not() {
        let mut backlog = Backlog::default();
        backlog.push(&[0; LONG]);
        assert_eq!(backlog.bytes.capacity(), LONG);
        backlog.push(&[0]);
        if cfg!(all(unix, target_pointer_width = "64")) {
            assert!(backlog.bytes.capacity() > 32 << 20, "no heap holds it");
        }
        while let Some(piece) = backlog.pop() {
            assert!(piece.capacity() <= 2 * PIECE, "a piece that is slowly written keeps no more");
            assert!(backlog.length() > LONG / 2 || backlog.bytes.capacity() <= LONG);
        }
        assert_eq!(backlog.bytes.capacity(), 0);
    }

    #[test]
    fn one_backlog_goes_behind_another() {
        let (mut first, mut second) = (Backlog::default(), Backlog::default());
        first.push(b"one");
        second.push(b"two");
        first.append(&second);
        first.append(&Backlog::default());
        assert_eq!(first.length(), 6);
        first.push(b", three");
        assert_eq!(pieces(first), [b"onetwo, three"]);
    }
}
