//! permessage-deflate (RFC 7692): what client and server agree on, and messages through DEFLATE (RFC 1951).
//!
//! A compressed message has RSV1 set on its first frame (§6), and its payload is a DEFLATE stream without the last four
//! bytes, `TAIL` (§7.2.1). Everything else about frames stays as it is. Sections in here are those of RFC 7692.

use super::request::Request;
use crate::error::ProtocolError;
use flate2::{Compress, Decompress, FlushCompress, FlushDecompress, Status};
use std::borrow::Cow;
use std::fmt;

/// The bytes that a flush leaves at the end of a message's stream: the rest of an empty block. It is the same for all
/// messages, so the sender removes it and the receiver puts it back (§7.2.1, §7.2.2).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// The tail, and an empty block with BFINAL. That block ends the stream only if the block before it was whole.
const FINISH: [u8; 6] = [0x00, 0x00, 0xFF, 0xFF, 0x03, 0x00];

/// How far back in bytes DEFLATE can refer (RFC 1951 §2).
const WINDOW: usize = 32 * 1024;

/// The fewest compressed bytes of a stream, on average, in a message of many.
const SHORTEST: usize = 64;

/// Whether this build can compress.
pub(super) const IS_BUILT: bool = true;

/// A message of fewer bytes than this is not compressed by itself: 8 us are too much for what it saves.
pub(crate) const SMALL: usize = 256;

/// The same with a window of earlier messages, where 64 bytes of JSON become 8 in 2 us.
pub(crate) const SMALL_IN_CONTEXT: usize = 32;

/// The memory in bytes of an [`Inflater`] and of a [`Deflater`], as measured.
pub(crate) const INFLATER: usize = 40 * 1024;
pub(crate) const DEFLATER: usize = 312 * 1024;

/// Whether a server compresses messages with clients that offer it, and for how long each side keeps its window.
///
/// ```
/// use plainsocket::{Compression, Config};
/// let _config = Config { compression: Compression::PerMessage, ..Config::default() };
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Declines every offer.
    #[default]
    Off,
    /// Compresses each message by itself (no context takeover, §7.1.1), so that an idle client keeps no window.
    PerMessage,
    /// Lets messages refer to the ones before them, in both directions. A client keeps 344 KiB of the server's memory,
    /// and without room for that in half of [`Config::max_memory`](crate::Config::max_memory) it gets `PerMessage`.
    Context,
}

/// The parameters that a handshake has agreed on (§7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Agreement {
    /// The server compresses each message with an empty window.
    pub server_no_context_takeover: bool,
    /// The client does.
    pub client_no_context_takeover: bool,
    /// The base-2 logarithm of the largest window of the server's, from 8 to 15, if the client has asked for a limit.
    pub server_max_window_bits: Option<u8>,
}

impl Agreement {
    /// Returns what the server agrees to of the client's offers: the first that it can keep (§5), if any.
    ///
    /// The list of offers must be in order, which [`Request::accept`] has checked.
    ///
    /// ```
    /// use plainsocket::protocol::{deflate::{Agreement, Compression}, request::Request};
    /// let bytes = b"GET / HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10\r\n\r\n";
    /// let (request, _) = Request::parse(bytes).unwrap().unwrap();
    /// let agreement = Agreement::negotiate(&request, Compression::Context).unwrap();
    /// assert_eq!(agreement.to_string(), "permessage-deflate; server_max_window_bits=10");
    /// ```
    pub fn negotiate(request: &Request, compression: Compression) -> Option<Agreement> {
        if compression == Compression::Off {
            return None;
        }
        // A quoted value is a token too (RFC 6455 §9.1), so no comma or semicolon is within an offer's words.
        let mut offers = request.headers("Sec-WebSocket-Extensions").flat_map(|line| line.split(','));
        let agreement = offers.find_map(Agreement::accept)?;
        Some(if compression == Compression::PerMessage { agreement.without_context() } else { agreement })
    }

    /// Returns this agreement with windows that end with each message.
    pub(crate) fn without_context(self) -> Agreement {
        Agreement { server_no_context_takeover: true, client_no_context_takeover: true, ..self }
    }

    /// Accepts an offer, unless it is one that a server MUST decline (§7): "not defined for use in an offer", an
    /// invalid value, the same name twice.
    fn accept(offer: &str) -> Option<Agreement> {
        let mut parts = offer.split(';').map(|part| part.trim_matches([' ', '\t']));
        if parts.next() != Some("permessage-deflate") {
            return None;
        }
        let mut names = Vec::new();
        let mut agreement = Agreement::default();
        for part in parts {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name.trim_end_matches([' ', '\t']), Some(unquoted(value))),
                None => (part, None),
            };
            match (name, value) {
                ("server_no_context_takeover", None) => agreement.server_no_context_takeover = true,
                ("client_no_context_takeover", None) => agreement.client_no_context_takeover = true,
                ("server_max_window_bits", Some(value)) => {
                    agreement.server_max_window_bits = Some(window_bits(&value)?);
                }
                // The client can be asked for a smaller window. We take any, up to the largest.
                ("client_max_window_bits", None) => {}
                ("client_max_window_bits", Some(value)) => drop(window_bits(&value)?),
                _ => return None,
            }
            if names.contains(&name) {
                return None;
            }
            names.push(name);
        }
        Some(agreement)
    }

    /// Returns the window in which the server compresses.
    pub(crate) fn window_bits(self) -> u8 {
        // zlib has no window of 2^8. In one of 2^9 it refers back by at most 250 bytes, which fits into both.
        self.server_max_window_bits.unwrap_or(15).max(9)
    }

    /// Returns how many bytes the windows of an idle client take.
    pub(crate) fn memory(self) -> usize {
        let ours = if self.server_no_context_takeover { 0 } else { DEFLATER };
        ours + if self.client_no_context_takeover { 0 } else { WINDOW }
    }
}

/// Writes the value of `Sec-WebSocket-Extensions` in the response, as short as it can be.
impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "permessage-deflate")?;
        if self.server_no_context_takeover {
            write!(f, "; server_no_context_takeover")?;
        }
        if self.client_no_context_takeover {
            write!(f, "; client_no_context_takeover")?;
        }
        // §7.1.2.1: an offer that names it is accepted by naming it, "with the same or smaller value".
        self.server_max_window_bits.map_or(Ok(()), |bits| write!(f, "; server_max_window_bits={bits}"))
    }
}

/// Returns a value without the white space and quotation marks around it.
fn unquoted(value: &str) -> String {
    value.trim_matches([' ', '\t']).replace(['"', '\\'], "")
}

/// Parses "a decimal integer value without leading zeroes between 8 to 15, inclusive" (§7.1.2.1).
fn window_bits(value: &str) -> Option<u8> {
    (8..=15).find(|bits| bits.to_string() == value)
}

/// Compresses messages.
#[derive(Debug)]
pub struct Deflater(Compress);

impl Deflater {
    /// Returns a compressor with the window that was agreed on.
    pub fn new(agreement: Agreement) -> Deflater {
        // Level 2 of 9. For 16 KiB of JSON it takes 33 us and makes 6.0 times less of it; level 6 takes 78 us for 6.4.
        Deflater(Compress::new_with_window_bits(flate2::Compression::new(2), false, agreement.window_bits()))
    }

    /// Empties the window, so that the next message refers to none before it.
    pub fn reset(&mut self) {
        self.0.reset();
    }

    /// Compresses a message onto the end of `out`. Returns `false` if that made it no shorter: then `out` is as before,
    /// and the window must be emptied or the connection given up, because the client does not get what is in there.
    pub fn compress_if_shorter(&mut self, message: &[u8], out: &mut Vec<u8>) -> bool {
        let start = out.len();
        // The tail is written too, before it is removed. zlib has more to say while it fills all the room.
        out.reserve(message.len() + TAIL.len());
        let room = out.capacity();
        self.run(message, out);
        let made = out.len() - start;
        // zlib makes nothing of nothing.
        let is_shorter = made > 0 && out.len() < room && made < message.len() + TAIL.len();
        out.truncate(if is_shorter { out.len() - TAIL.len() } else { start });
        is_shorter
    }

    /// Compresses a message onto the end of `out`, even if that makes it longer.
    pub fn compress(&mut self, message: &[u8], out: &mut Vec<u8>) {
        // zlib makes nothing of nothing, and the empty message is a byte (§7.2.3.6).
        if message.is_empty() {
            return out.push(0x00);
        }
        let mut rest = message;
        loop {
            out.reserve(rest.len() / 4 + 64);
            let taken = self.run(rest, out);
            rest = &rest[taken..];
            if rest.is_empty() && out.len() < out.capacity() {
                break;
            }
        }
        out.truncate(out.len() - TAIL.len());
    }

    /// Compresses into the room that `out` has. Returns how many bytes it took.
    fn run(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> usize {
        let before = self.0.total_in();
        // The only error is a call in an order that zlib does not know, for example after the end of a stream.
        let _ = self.0.compress_vec(bytes, out, FlushCompress::Sync);
        (self.0.total_in() - before) as usize
    }
}

/// The client's side of an agreement, as a decoder keeps it between two messages.
#[derive(Debug)]
pub(super) struct Incoming {
    /// The last bytes of the messages so far, if the client's window goes on from one message to the next.
    history: Option<Vec<u8>>,
    /// For the next message, if the decoder's owner or the last message has left it.
    pub(super) spare: Option<Zlib>,
}

/// zlib's state, which a message can have from an earlier one.
pub(crate) type Zlib = Decompress;
/// How many bytes were taken, and how many made.
type Step = Result<(usize, usize), ProtocolError>;

impl Incoming {
    pub(super) fn new(agreement: Agreement) -> Incoming {
        Incoming { history: (!agreement.client_no_context_takeover).then(Vec::new), spare: None }
    }

    /// Begins to inflate a message.
    pub(super) fn begin(&mut self) -> Inflater {
        let history = self.history.take();
        let zlib = self.spare.take().unwrap_or_else(|| Zlib::new(false));
        let mut inflater = Inflater { zlib, history, taken: 0, streams: 1, is_at_end: false, finished: 0 };
        inflater.fill_window(&[]);
        inflater
    }

    /// Keeps the end of a message for the window of the next one.
    pub(super) fn end(&mut self, mut inflater: Inflater, message: &[u8]) {
        inflater.zlib.reset(false);
        self.history = inflater.history.map(|history| window(&history, message).into_owned());
        self.spare = Some(inflater.zlib);
    }
}

/// Inflates one message, in whatever pieces it arrives.
#[derive(Debug)]
pub(super) struct Inflater {
    zlib: Zlib,
    /// The last bytes before this message, if the window goes on.
    history: Option<Vec<u8>>,
    /// How many compressed bytes it has taken, and in how many streams.
    taken: usize,
    streams: usize,
    /// Whether the last byte taken was the end of a stream.
    is_at_end: bool,
    /// How many bytes of [`FINISH`] it has taken.
    finished: usize,
}

impl Inflater {
    /// Returns an inflater for a message that refers to none before it.
    pub(super) fn alone() -> Option<Inflater> {
        Some(Incoming { history: None, spare: None }.begin())
    }

    /// Inflates bytes from the front of `input` into `memory`, from `arrived` on. Returns how many bytes it took, and
    /// how many it made. If that fills the memory, there can be more to come.
    ///
    /// A block with BFINAL ends a stream, but not the message (§7.2.3.4): the next byte begins another stream.
    pub(super) fn inflate(&mut self, input: &[u8], memory: &mut [u8], arrived: usize) -> Step {
        let (mut used, mut end) = (0, arrived);
        while used < input.len() || !self.is_at_end {
            if self.is_at_end {
                self.begin_stream(&memory[..end])?;
            }
            let (took, made) = self.step(&input[used..], &mut memory[end..])?;
            (used, end) = (used + took, end + made);
            if (took, made) == (0, 0) || end == memory.len() {
                break;
            }
        }
        Ok((used, end - arrived))
    }

    /// Puts the tail back after a message, and inflates what is left. Returns how many bytes it made, and whether the
    /// message is complete; otherwise it needs more memory. The error is a stream that was cut.
    pub(super) fn finish(&mut self, memory: &mut [u8], arrived: usize) -> Result<(usize, bool), ProtocolError> {
        // The empty message has a byte (§7.2.3.6), but none is clear enough. And some senders end a stream without it.
        if self.finished == 0 && (self.taken == 0 || self.is_at_end) {
            return Ok((0, true));
        }
        let (used, made) = self.inflate(&FINISH[self.finished..], memory, arrived)?;
        self.finished += used;
        let is_complete = self.finished == FINISH.len() && self.is_at_end;
        match is_complete || arrived + made == memory.len() {
            true => Ok((made, is_complete)),
            false => Err(ProtocolError::InvalidDeflate),
        }
    }

    fn step(&mut self, input: &[u8], room: &mut [u8]) -> Step {
        let before = (self.zlib.total_in(), self.zlib.total_out());
        let status = self.zlib.decompress(input, room, FlushDecompress::None);
        self.is_at_end = status.map_err(|_| ProtocolError::InvalidDeflate)? == Status::StreamEnd;
        let took = (self.zlib.total_in() - before.0) as usize;
        self.taken += took;
        Ok((took, (self.zlib.total_out() - before.1) as usize))
    }

    fn begin_stream(&mut self, message: &[u8]) -> Result<(), ProtocolError> {
        // A stream can have two bytes, and each new one copies a window: work without end, but for our bound.
        self.streams += 1;
        if self.streams * SHORTEST > self.taken + 4 * SHORTEST {
            return Err(ProtocolError::InvalidDeflate);
        }
        self.zlib.reset(false);
        self.fill_window(message);
        Ok(())
    }

    /// Lets the next stream refer to the bytes before it.
    fn fill_window(&mut self, message: &[u8]) {
        let window = window(self.history.as_deref().unwrap_or_default(), message);
        if !window.is_empty() {
            // The only error is a stream with a checksum for its dictionary, which a raw one does not have.
            let _ = self.zlib.set_dictionary(&window);
        }
    }
}

/// Returns the last bytes of the history and the message, as far as a stream can refer back.
fn window<'a>(before: &[u8], message: &'a [u8]) -> Cow<'a, [u8]> {
    let message = &message[message.len().saturating_sub(WINDOW)..];
    let before = &before[before.len().saturating_sub(WINDOW - message.len())..];
    if before.is_empty() { message.into() } else { [before, message].concat().into() }
}
