//! Inflates bytes that were compressed with DEFLATE (RFC 1951), piece by piece. This file is given: nothing to edit.

use std::cell::Cell;

/// Iterates over the inflated bytes, in pieces of 1 to 4096 bytes: `for piece in Inflate::new(&bytes) { ... }`. An
/// error means that `bytes` are not DEFLATE, or that they are cut short.
pub struct Inflate<'a> {
    bits: Bits<'a>,
    block: Block,
    /// The inflated bytes; a match can repeat a part of them.
    window: Vec<u8>,
    /// A match: how many bytes to repeat, and from how far back.
    repeat: (usize, usize),
}

/// The bytes are not DEFLATE, or are cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadData;

#[allow(clippy::large_enum_variant)] // only one value exists at a time
enum Block {
    /// Between two blocks.
    None,
    Stored {
        left: usize,
        last: bool,
    },
    Coded {
        literals: Code,
        distances: Code,
        last: bool,
    },
    /// After the last block, or an error.
    End,
}

const PIECE: usize = 4096;
const WINDOW: usize = 32768;

thread_local! {
    static PRODUCED: Cell<usize> = const { Cell::new(0) };
}

/// Returns how many bytes this thread has inflated so far.
pub fn produced() -> usize {
    PRODUCED.get()
}

impl<'a> Inflate<'a> {
    pub fn new(bytes: &'a [u8]) -> Inflate<'a> {
        Inflate { bits: Bits { bytes, at: 0 }, block: Block::None, window: Vec::new(), repeat: (0, 0) }
    }

    /// Appends to the window until a piece is full. Returns `false` at the end.
    fn fill(&mut self, target: usize) -> Result<bool, BadData> {
        while self.window.len() < target {
            if self.repeat.0 > 0 {
                let byte = self.window[self.window.len() - self.repeat.1];
                self.window.push(byte);
                self.repeat.0 -= 1;
                continue;
            }
            match &mut self.block {
                Block::None if self.bits.is_empty() => return Ok(false),
                Block::End => return Ok(false),
                Block::None => self.block = self.bits.block()?,
                Block::Stored { left: 0, last } => self.block = if *last { Block::End } else { Block::None },
                Block::Stored { left, .. } => {
                    *left -= 1;
                    self.window.push(self.bits.take(8)? as u8);
                }
                Block::Coded { literals, distances, last } => match literals.symbol(&mut self.bits)? {
                    byte @ 0..256 => self.window.push(byte as u8),
                    256 => self.block = if *last { Block::End } else { Block::None },
                    length => {
                        let length = self.bits.extended(length - 257, &LENGTHS)?;
                        let distance = distances.symbol(&mut self.bits)?;
                        let distance = self.bits.extended(distance, &DISTANCES)?;
                        if distance > self.window.len() {
                            return Err(BadData);
                        }
                        self.repeat = (length, distance);
                    }
                },
            }
        }
        Ok(true)
    }
}

impl Iterator for Inflate<'_> {
    type Item = Result<Vec<u8>, BadData>;

    fn next(&mut self) -> Option<Result<Vec<u8>, BadData>> {
        let before = self.window.len().min(WINDOW);
        self.window.drain(..self.window.len() - before);
        if let Err(error) = self.fill(before + PIECE) {
            self.block = Block::End;
            return Some(Err(error));
        }
        let piece = self.window[before..].to_vec();
        PRODUCED.set(PRODUCED.get() + piece.len());
        (!piece.is_empty()).then_some(Ok(piece))
    }
}

/// Bits, the lowest of each byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    /// The position in bits.
    at: usize,
}

impl Bits<'_> {
    fn is_empty(&self) -> bool {
        self.at.div_ceil(8) >= self.bytes.len()
    }

    fn take(&mut self, count: u32) -> Result<usize, BadData> {
        (0..count).try_fold(0, |number, i| {
            let byte = self.bytes.get(self.at / 8).ok_or(BadData)?;
            let bit = usize::from(byte >> (self.at % 8) & 1);
            self.at += 1;
            Ok(number | bit << i)
        })
    }

    /// Reads a length or a distance: the smallest of its group, plus the value of some more bits.
    fn extended(&mut self, symbol: usize, groups: &[(usize, u32)]) -> Result<usize, BadData> {
        let &(smallest, extra) = groups.get(symbol).ok_or(BadData)?;
        Ok(smallest + self.take(extra)?)
    }

    fn block(&mut self) -> Result<Block, BadData> {
        let last = self.take(1)? == 1;
        match self.take(2)? {
            0 => {
                self.at = self.at.next_multiple_of(8);
                let (left, turned) = (self.take(16)?, self.take(16)?);
                if left ^ turned == 0xFFFF { Ok(Block::Stored { left, last }) } else { Err(BadData) }
            }
            1 => {
                let lengths: Vec<u8> = (0..288)
                    .map(|symbol| match symbol {
                        0..144 => 8,
                        144..256 => 9,
                        256..280 => 7,
                        _ => 8,
                    })
                    .collect();
                Ok(Block::Coded { literals: Code::new(&lengths), distances: Code::new(&[5; 30]), last })
            }
            2 => {
                let (literals, distances) = self.codes()?;
                Ok(Block::Coded { literals, distances, last })
            }
            _ => Err(BadData),
        }
    }

    /// Reads the two codes of a block that defines its own (RFC 1951 §3.2.7).
    fn codes(&mut self) -> Result<(Code, Code), BadData> {
        const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
        let (literals, distances, count) = (self.take(5)? + 257, self.take(5)? + 1, self.take(4)? + 4);
        let mut lengths = [0; 19];
        for &at in &ORDER[..count] {
            lengths[at] = self.take(3)? as u8;
        }
        let code = Code::new(&lengths);
        let mut lengths: Vec<u8> = Vec::new();
        while lengths.len() < literals + distances {
            let (length, times) = match code.symbol(self)? {
                16 => (*lengths.last().ok_or(BadData)?, self.take(2)? + 3),
                17 => (0, self.take(3)? + 3),
                18 => (0, self.take(7)? + 11),
                length => (length as u8, 1),
            };
            lengths.extend(std::iter::repeat_n(length, times));
        }
        if lengths.len() > literals + distances {
            return Err(BadData);
        }
        Ok((Code::new(&lengths[..literals]), Code::new(&lengths[literals..])))
    }
}

/// A Huffman code: the number of symbols of each length, and the symbols in order.
struct Code {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Code {
    fn new(lengths: &[u8]) -> Code {
        let mut counts = [0; 16];
        let mut symbols: Vec<usize> = (0..lengths.len()).filter(|symbol| lengths[*symbol] > 0).collect();
        symbols.iter().for_each(|symbol| counts[usize::from(lengths[*symbol])] += 1);
        symbols.sort_by_key(|symbol| lengths[*symbol]);
        Code { counts, symbols }
    }

    fn symbol(&self, bits: &mut Bits) -> Result<usize, BadData> {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in &self.counts[1..] {
            code |= bits.take(1)?;
            if code < first + count {
                return self.symbols.get(index + code - first).copied().ok_or(BadData);
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        Err(BadData)
    }
}

/// The smallest length of each group, and the number of extra bits.
const LENGTHS: [(usize, u32); 29] = [
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 0),
    (9, 0),
    (10, 0),
    (11, 1),
    (13, 1),
    (15, 1),
    (17, 1),
    (19, 2),
    (23, 2),
    (27, 2),
    (31, 2),
    (35, 3),
    (43, 3),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 4),
    (115, 4),
    (131, 5),
    (163, 5),
    (195, 5),
    (227, 5),
    (258, 0),
];
const DISTANCES: [(usize, u32); 30] = [
    (1, 0),
    (2, 0),
    (3, 0),
    (4, 0),
    (5, 1),
    (7, 1),
    (9, 2),
    (13, 2),
    (17, 3),
    (25, 3),
    (33, 4),
    (49, 4),
    (65, 5),
    (97, 5),
    (129, 6),
    (193, 6),
    (257, 7),
    (385, 7),
    (513, 8),
    (769, 8),
    (1025, 9),
    (1537, 9),
    (2049, 10),
    (3073, 10),
    (4097, 11),
    (6145, 11),
    (8193, 12),
    (12289, 12),
    (16385, 13),
    (24577, 13),
];
