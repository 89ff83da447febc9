//! A second decoder for compressed messages, written from RFC 1951 and RFC 7692 alone. It is plain and slow: it needs
//! the whole payload, reads single bits, and keeps all of its output.

/// The bytes that a receiver appends to a message (RFC 7692 §7.2.2), and an empty block that ends the stream. They can
/// end it only if the message ends between two blocks.
const FINISH: [u8; 6] = [0x00, 0x00, 0xFF, 0xFF, 0x03, 0x00];

/// RFC 1951 §3.2.5: the shortest length of each symbol from 257 on, and the number of extra bits.
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

/// §3.2.7: the order of the lengths for the alphabet of code lengths.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The payload is not DEFLATE, refers beyond the window, or is cut.
    Invalid,
    /// The message inflates to more than the limit.
    TooLong,
}

/// How to inflate a message.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The messages before this one, if this one can refer to them.
    pub before: &'a [u8],
    /// How far back in bytes it can refer.
    pub window: usize,
    /// The most bytes that can come out.
    pub limit: usize,
    /// Returns whether a message can have this number of streams, in this number of bytes of its payload.
    pub allows: fn(streams: usize, taken: usize) -> bool,
}

/// Inflates the payload of a whole message.
///
/// The error comes with all that comes out before it.
pub fn inflate(payload: &[u8], rules: Rules) -> Result<Vec<u8>, (Fault, Vec<u8>)> {
    let bytes = [payload, &FINISH].concat();
    let mut inflate = Inflate { bytes, at: 0, out: rules.before.to_vec(), start: rules.before.len(), rules };
    let result = inflate.streams(payload.len());
    let out = inflate.out.split_off(inflate.start);
    result.map_or_else(|fault| Err((fault, out.clone())), |()| Ok(out.clone()))
}

struct Inflate<'a> {
    bytes: Vec<u8>,
    /// Which bit is the next.
    at: usize,
    out: Vec<u8>,
    start: usize,
    rules: Rules<'a>,
}

impl Inflate<'_> {
    /// A block with BFINAL ends a stream, and another one can follow it at the next byte.
    fn streams(&mut self, payload_length: usize) -> Result<(), Fault> {
        let mut streams = 0;
        loop {
            self.at = self.at.next_multiple_of(8);
            // The empty message, and a sender that adds nothing after BFINAL.
            if self.at == 8 * payload_length || self.at == 8 * self.bytes.len() {
                return Ok(());
            }
            streams += 1;
            if !(self.rules.allows)(streams, self.at / 8) {
                return Err(Fault::Invalid);
            }
            while !self.block()? {}
        }
    }

    fn bit(&mut self) -> Result<usize, Fault> {
        let byte = *self.bytes.get(self.at / 8).ok_or(Fault::Invalid)?;
        let bit = byte >> (self.at % 8) & 1;
        self.at += 1;
        Ok(bit.into())
    }

    /// §3.1.1: numbers begin with their lowest bit.
    fn number(&mut self, bits: u32) -> Result<usize, Fault> {
        (0..bits).try_fold(0, |number, place| Ok(number | self.bit()? << place))
    }

    /// Inflates a block (§3.2.3). Returns BFINAL.
    fn block(&mut self) -> Result<bool, Fault> {
        let is_final = self.bit()? == 1;
        match self.number(2)? {
            0 => self.stored()?,
            1 => {
                let lengths: Vec<u8> = (0..288)
                    .map(|i| [8, 9, 7, 8][(i >= 144) as usize + (i >= 256) as usize + (i >= 280) as usize])
                    .collect();
                self.compressed(&Code::new(&lengths)?, &Code::new(&[5; 32])?)?;
            }
            2 => {
                let (symbols, distances) = self.codes()?;
                self.compressed(&symbols, &distances)?;
            }
            _ => return Err(Fault::Invalid),
        }
        Ok(is_final)
    }

    /// §3.2.4.
    fn stored(&mut self) -> Result<(), Fault> {
        self.at = self.at.next_multiple_of(8);
        let (length, complement) = (self.number(16)?, self.number(16)?);
        if length != complement ^ 0xFFFF {
            return Err(Fault::Invalid);
        }
        for _ in 0..length {
            let byte = self.number(8)?;
            self.push(byte as u8)?;
        }
        Ok(())
    }

    /// §3.2.7: the codes of a block with its own.
    fn codes(&mut self) -> Result<(Code, Code), Fault> {
        let (symbols, distances, lengths) = (self.number(5)? + 257, self.number(5)? + 1, self.number(4)? + 4);
        let mut of_lengths = [0; 19];
        for place in &ORDER[..lengths] {
            of_lengths[*place] = self.number(3)? as u8;
        }
        let of_lengths = Code::new(&of_lengths)?;
        if symbols > 286 || distances > 30 || !of_lengths.is_complete {
            return Err(Fault::Invalid);
        }
        let mut all = Vec::new();
        while all.len() < symbols + distances {
            let (length, times) = match self.symbol(&of_lengths)? {
                16 => (*all.last().ok_or(Fault::Invalid)?, 3 + self.number(2)?),
                17 => (0, 3 + self.number(3)?),
                18 => (0, 11 + self.number(7)?),
                length => (length as u8, 1),
            };
            all.extend(std::iter::repeat_n(length, times));
        }
        if all.len() > symbols + distances || all[256] == 0 {
            return Err(Fault::Invalid);
        }
        let (symbols, distances) = (Code::new(&all[..symbols])?, Code::new(&all[symbols..])?);
        let is_usable = |code: &Code| code.is_complete || code.longest <= 1;
        if is_usable(&symbols) && is_usable(&distances) { Ok((symbols, distances)) } else { Err(Fault::Invalid) }
    }

    /// §3.2.5.
    fn compressed(&mut self, symbols: &Code, distances: &Code) -> Result<(), Fault> {
        loop {
            match self.symbol(symbols)? {
                literal @ 0..256 => self.push(literal as u8)?,
                256 => return Ok(()),
                symbol => {
                    let &(shortest, extra) = LENGTHS.get(symbol - 257).ok_or(Fault::Invalid)?;
                    let length = shortest + self.number(extra)?;
                    let distance = match self.symbol(distances)? {
                        near @ 0..4 => near + 1,
                        far @ 4..30 => {
                            let extra = (far / 2 - 1) as u32;
                            1 + ((2 + far % 2) << extra) + self.number(extra)?
                        }
                        _ => return Err(Fault::Invalid),
                    };
                    self.copy(distance, length)?;
                }
            }
        }
    }

    fn copy(&mut self, distance: usize, length: usize) -> Result<(), Fault> {
        if distance > self.rules.window || distance > self.out.len() {
            return Err(Fault::Invalid);
        }
        (0..length).try_for_each(|_| self.push(self.out[self.out.len() - distance]))
    }

    fn push(&mut self, byte: u8) -> Result<(), Fault> {
        if self.out.len() - self.start == self.rules.limit {
            return Err(Fault::TooLong);
        }
        self.out.push(byte);
        Ok(())
    }

    /// §3.1.1: codes begin with their highest bit.
    fn symbol(&mut self, code: &Code) -> Result<usize, Fault> {
        let mut bits = 0;
        for length in 1..=15 {
            bits = bits << 1 | self.bit()?;
            if let Some(symbol) = code.find(length, bits) {
                return Ok(symbol);
            }
        }
        Err(Fault::Invalid)
    }
}

/// A Huffman code, as the lengths of its symbols give it (§3.2.2).
struct Code {
    /// For each length the first code, and the symbols in the order of their codes.
    by_length: Vec<(usize, Vec<usize>)>,
    is_complete: bool,
    longest: usize,
}

impl Code {
    fn new(lengths: &[u8]) -> Result<Code, Fault> {
        let (mut by_length, mut next, mut longest) = (vec![(0, Vec::new())], 0, 0);
        for length in 1..=15 {
            next *= 2;
            let symbols: Vec<usize> =
                (0..lengths.len()).filter(|&symbol| usize::from(lengths[symbol]) == length).collect();
            let first = next;
            next += symbols.len();
            if next > 1 << length {
                return Err(Fault::Invalid);
            }
            longest = if symbols.is_empty() { longest } else { length };
            by_length.push((first, symbols));
        }
        Ok(Code { by_length, is_complete: next == 1 << 15, longest })
    }

    fn find(&self, length: usize, bits: usize) -> Option<usize> {
        let (first, symbols) = &self.by_length[length];
        symbols.get(bits.checked_sub(*first)?).copied()
    }
}
