//! What waits to be written to a client. It may become megabytes, which are gone again a moment later.

use std::mem;

/// How much is written at a time.
pub(super) const PIECE: usize = 64 * 1024;

/// Address space for a backlog that is longer than a piece; memory becomes only what is written to. The allocator gives
/// memory back from the end of its heaps, so that a few bytes of another client's behind a backlog would keep all of it:
/// after five backlogs of 16 MiB, 64 MiB stayed half of the times. Linux's allocator asks the system separately for
/// anything above 32 MiB, whatever it has learned of the program, and gives it back at once.
const RESERVE: usize = if cfg!(all(unix, target_pointer_width = "64")) { 33 * 1024 * 1024 } else { 0 };

#[derive(Default)]
pub(super) struct Backlog {
    bytes: Vec<u8>,
    /// So many of them, at the front, have been taken.
    taken: usize,
}

impl Backlog {
    /// How many bytes wait.
    pub(super) fn length(&self) -> usize {
        self.bytes.len() - self.taken
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.bytes.len() + bytes.len() > PIECE {
            // Without so much address space it grows as any other vector does.
            let _ = self.bytes.try_reserve_exact(RESERVE.saturating_sub(self.bytes.len()));
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Puts another one behind this one.
    pub(super) fn append(&mut self, other: &Backlog) {
        self.push(&other.bytes[other.taken..]);
    }

    /// Takes what is at the front: a piece, or all if it is less.
    pub(super) fn pop(&mut self) -> Option<Vec<u8>> {
        if self.length() == 0 {
            return None;
        }
        if self.length() <= PIECE {
            let Backlog { mut bytes, taken } = mem::take(self);
            bytes.drain(..taken);
            return Some(bytes);
        }
        let piece = self.bytes[self.taken..][..PIECE].to_vec();
        self.taken += PIECE;
        if self.taken > self.length() {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(pieces.iter().map(Vec::len).collect::<Vec<_>>(), [PIECE; 3]);
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
    fn a_large_backlog_has_memory_of_its_own_and_an_empty_one_has_none() {
        let mut backlog = Backlog::default();
        backlog.push(&[0; PIECE]);
        assert!(backlog.bytes.capacity() <= 2 * PIECE);
        backlog.push(&[0]);
        if cfg!(all(unix, target_pointer_width = "64")) {
            assert!(backlog.bytes.capacity() > 32 << 20, "glibc may take less from a heap");
        }
        assert_eq!(backlog.pop().unwrap().len(), PIECE);
        assert_eq!(backlog.pop().unwrap().len(), 1);
        assert_eq!((backlog.pop(), backlog.bytes.capacity()), (None, 0));
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
