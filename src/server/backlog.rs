//! What waits to be written to a client, in pieces. In one piece it would need megabytes side by side, and what the
//! allocator once had to find in one place it does not give back to the system for a long time.

use std::collections::VecDeque;

/// The length of a piece, at most: what is written at a time.
pub(super) const PIECE: usize = 64 * 1024;

#[derive(Default)]
pub(super) struct Backlog {
    /// None is empty.
    pieces: VecDeque<Vec<u8>>,
    /// The sum over them.
    length: usize,
}

impl Backlog {
    /// How many bytes wait.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        self.length += bytes.len();
        while !bytes.is_empty() {
            match self.pieces.back_mut() {
                Some(last) if last.len() < PIECE => {
                    let (now, later) = bytes.split_at(bytes.len().min(PIECE - last.len()));
                    last.extend_from_slice(now);
                    bytes = later;
                }
                _ => self.pieces.push_back(Vec::new()),
            }
        }
    }

    /// Puts another one behind this one.
    pub(super) fn append(&mut self, mut other: Backlog) {
        self.length += other.length;
        self.pieces.append(&mut other.pieces);
    }

    /// The piece at the front.
    pub(super) fn pop(&mut self) -> Option<Vec<u8>> {
        let piece = self.pieces.pop_front()?;
        self.length -= piece.len();
        if self.pieces.is_empty() {
            // The list itself has grown with the backlog.
            self.pieces = VecDeque::new();
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
    fn one_backlog_goes_behind_another() {
        let (mut first, mut second) = (Backlog::default(), Backlog::default());
        first.push(b"one");
        second.push(b"two");
        first.append(second);
        first.append(Backlog::default());
        assert_eq!(first.length(), 6);
        first.push(b", three");
        assert_eq!(pieces(first), [&b"one"[..], b"two, three"]);
    }
}
