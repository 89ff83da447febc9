//! Compressors and inflaters belong to the threads that work, which borrow them. So an idle client costs no memory for
//! either.

use super::frames::Frames;
use super::lock;
use crate::protocol::decoder::MessageDecoder;
use crate::protocol::deflate::{Agreement, Deflater, SMALL, Zlib};
use crate::protocol::frame::Header;
use std::cell::OnceCell;
use std::sync::Mutex;

/// How many idle compressors are kept: 312 KiB each. More threads than that seldom work at the same time.
const MOST_IDLE: usize = 4;
/// How many idle inflaters are kept: 40 KiB each.
const MOST_INFLATERS: usize = 16;

/// The smallest window of ours, as the base-2 logarithm, and how many sizes there are.
const SMALLEST: usize = 9;
const SIZES: usize = 7;

/// Compressors that no thread works with.
#[derive(Default)]
pub(super) struct Deflaters(Mutex<Vec<(u8, Deflater)>>);

impl Deflaters {
    /// Lends a compressor whose window is as agreed, for messages that do not refer to one another.
    pub(super) fn lend<T>(&self, agreement: Agreement, work: impl FnOnce(&mut Deflater) -> T) -> T {
        let bits = agreement.window_bits();
        let mut idle = lock(&self.0);
        let found = idle.iter().position(|(of, _)| *of == bits).map(|index| idle.swap_remove(index).1);
        drop(idle);
        let mut deflater = found.unwrap_or_else(|| Deflater::new(agreement));
        let result = work(&mut deflater);
        let mut idle = lock(&self.0);
        if idle.len() == MOST_IDLE {
            idle.remove(0);
        }
        idle.push((bits, deflater));
        result
    }
}

/// Inflaters that no message uses. Freed instead, each would leave a gap in the heap, 34 KiB for each idle client.
#[derive(Default)]
pub(super) struct Inflaters(Mutex<Vec<Zlib>>);

impl Inflaters {
    /// Lends one to a client whose bytes have just arrived.
    pub(super) fn lend(&self, decoder: &mut MessageDecoder) {
        decoder.lend_inflater(|| lock(&self.0).pop());
    }

    /// Takes it back from a client whose thread is about to wait.
    pub(super) fn take_back(&self, decoder: &mut MessageDecoder) {
        if let Some(zlib) = decoder.reclaim_inflater() {
            let mut idle = lock(&self.0);
            if idle.len() < MOST_INFLATERS {
                idle.push(zlib);
            }
        }
    }
}

/// The same frames for each window that clients have agreed to, compressed when the first client needs them.
#[derive(Default)]
pub(super) struct Compressed<'a>(OnceCell<Option<Box<Sizes<'a>>>>);

/// `None`: memory was at its bound.
type Sizes<'a> = [OnceCell<Option<Frames<'a>>>; SIZES];

impl<'a> Compressed<'a> {
    /// Returns the frames for a window. The first call asks whether that is worth it, and the first one for each window
    /// compresses them; both answers are kept, `None` too.
    pub(super) fn get(
        &self,
        agreement: Agreement,
        is_worth_it: impl FnOnce() -> bool,
        compress: impl FnOnce() -> Option<Frames<'a>>,
    ) -> Option<&Frames<'a>> {
        let sizes = self.0.get_or_init(|| is_worth_it().then(Box::default)).as_ref()?;
        sizes[usize::from(agreement.window_bits()) - SMALLEST].get_or_init(compress).as_ref()
    }
}

/// Returns whether there is a message among whole frames that is worth compressing.
pub(super) fn is_worth_it(mut frames: &[u8]) -> bool {
    while let Ok(Some((header, used))) = Header::decode(frames) {
        if is_long(&header) {
            return true;
        }
        frames = frames.get(used + header.length as usize..).unwrap_or_default();
    }
    false
}

/// Encodes whole frames again, with the messages compressed that are worth it. `last` is the payload of the last frame
/// if `frames` ends with its header.
pub(super) fn compress([mut frames, last]: [&[u8]; 2], deflater: &mut Deflater) -> Vec<u8> {
    let (mut out, mut compressed) = (Vec::new(), Vec::new());
    while let Ok(Some((header, used))) = Header::decode(frames) {
        let (payload, rest) = frames[used..].split_at_checked(header.length as usize).unwrap_or((last, &[]));
        frames = rest;
        deflater.reset();
        compressed.clear();
        let rsv1 = is_long(&header) && deflater.compress_if_shorter(payload, &mut compressed);
        let payload = if rsv1 { &compressed } else { payload };
        Header { rsv1, length: payload.len() as u64, ..header }.encode(&mut out);
        out.extend_from_slice(payload);
    }
    out
}

fn is_long(header: &Header) -> bool {
    !header.opcode.is_control() && header.length >= SMALL as u64
}
