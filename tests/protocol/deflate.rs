//! RFC 7692: permessage-deflate, negotiated and decoded. Pure: no socket.

use crate::support::{BINARY, PING, TEXT, frame};
use flate2::{Compress, Decompress, FlushCompress, FlushDecompress};
use plainsocket::protocol::decoder::{Event, MessageDecoder};
use plainsocket::protocol::deflate::{Agreement, Compression, Deflater};
use plainsocket::protocol::request::Request;
use plainsocket::{CloseCode, CloseFrame, Message, ProtocolError as E};

const LIMIT: usize = 100_000;
const RSV1: u8 = 0x40;

/// The "Hello" of §7.2.3.1.
const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

fn negotiate(lines: &[&str], compression: Compression) -> Option<Agreement> {
    let lines: String = lines.iter().map(|line| format!("Sec-WebSocket-Extensions: {line}\r\n")).collect();
    let head = format!("GET / HTTP/1.1\r\nHost: x\r\n{lines}\r\n");
    let (request, _) = Request::parse(head.as_bytes()).unwrap().unwrap();
    Agreement::negotiate(&request, compression)
}

fn answer(line: &str, compression: Compression) -> Option<String> {
    negotiate(&[line], compression).map(|agreement| agreement.to_string())
}

fn agreement(compression: Compression) -> Agreement {
    negotiate(&["permessage-deflate"], compression).unwrap()
}

fn decoder(compression: Compression, limit: usize) -> MessageDecoder {
    MessageDecoder::new(limit).with_compression(agreement(compression))
}

/// All events of `bytes` given in pieces of `size`, and the error that ended them if one did.
fn decode_in_pieces(compression: Compression, bytes: &[u8], size: usize) -> (Vec<Event>, Option<E>) {
    let mut decoder = decoder(compression, LIMIT);
    let (mut events, mut unread) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(size) {
        unread.extend_from_slice(piece);
        loop {
            match decoder.decode(&unread) {
                Err(error) => return (events, Some(error)),
                Ok((used, event)) => {
                    unread.drain(..used);
                    let is_over = event.is_none() && !decoder.has_more();
                    events.extend(event);
                    if is_over {
                        break;
                    }
                }
            }
        }
    }
    (events, None)
}

fn decode(compression: Compression, bytes: &[u8]) -> (Vec<Event>, Option<E>) {
    let whole = decode_in_pieces(compression, bytes, bytes.len().max(1));
    for size in [1, 2, 3, 5, 7, 11, 64, 1024] {
        assert_eq!(decode_in_pieces(compression, bytes, size), whole, "in pieces of {size}");
    }
    whole
}

/// Returns the messages of `frames`. Checks that both ways of keeping a window decode the same ones.
fn messages(frames: &[Vec<u8>]) -> Vec<Event> {
    let [alone, with_context] =
        [Compression::PerMessage, Compression::Context].map(|compression| decode(compression, &frames.concat()));
    assert_eq!(alone, with_context);
    assert_eq!(alone.1, None);
    alone.0
}

fn error(frames: &[Vec<u8>]) -> Option<E> {
    let [alone, with_context] =
        [Compression::PerMessage, Compression::Context].map(|compression| decode(compression, &frames.concat()));
    assert_eq!(alone, with_context);
    alone.1
}

fn text(text: &str) -> Event {
    Event::Message(Message::from(text))
}

/// Compresses with zlib and removes the tail.
fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut zlib = Compress::new(flate2::Compression::new(9), false);
    let mut out = Vec::with_capacity(bytes.len() + 1000);
    zlib.compress_vec(bytes, &mut out, FlushCompress::Sync).unwrap();
    assert!(out.ends_with(&[0, 0, 0xff, 0xff]));
    out.truncate(out.len() - 4);
    out
}

/// Bytes that do not repeat, and compress little.
fn noise(length: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7692);
    (0..length).map(|_| random.u8(..)).collect()
}

// §5, §7.1 Negotiation

#[test]
fn answer_names_no_more_than_it_must() {
    let per_message = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    for (offer, alone, with_context) in [
        ("permessage-deflate", per_message.to_owned(), "permessage-deflate"),
        ("permessage-deflate; client_max_window_bits", per_message.to_owned(), "permessage-deflate"),
        ("permessage-deflate;client_max_window_bits=8", per_message.to_owned(), "permessage-deflate"),
        (
            "permessage-deflate; server_no_context_takeover",
            per_message.to_owned(),
            "permessage-deflate; server_no_context_takeover",
        ),
        (
            "permessage-deflate; client_no_context_takeover",
            per_message.to_owned(),
            "permessage-deflate; client_no_context_takeover",
        ),
        (
            "permessage-deflate ; server_max_window_bits = \"1\\0\" ; client_max_window_bits",
            format!("{per_message}; server_max_window_bits=10"),
            "permessage-deflate; server_max_window_bits=10",
        ),
    ] {
        assert_eq!(answer(offer, Compression::PerMessage), Some(alone), "{offer}");
        assert_eq!(answer(offer, Compression::Context).as_deref(), Some(with_context), "{offer}");
        assert_eq!(answer(offer, Compression::Off), None, "{offer}");
    }
}

#[test]
fn offer_with_a_bad_parameter_is_declined_for_the_next_one() {
    for parameters in [
        "server_max_window_bits",
        "server_max_window_bits=7",
        "server_max_window_bits=16",
        "server_max_window_bits=08",
        "server_max_window_bits=+8",
        "server_max_window_bits=ten",
        "client_max_window_bits=7",
        "client_max_window_bits=16",
        "client_max_window_bits=015",
        "server_no_context_takeover=1",
        "client_no_context_takeover=true",
        "server_no_context_takeover; server_no_context_takeover",
        "client_no_context_takeover; client_no_context_takeover",
        "server_max_window_bits=10; server_max_window_bits=10",
        "client_max_window_bits; client_max_window_bits=10",
        "Server_No_Context_Takeover",
        "level=9",
    ] {
        let bad = format!("permessage-deflate; {parameters}");
        assert_eq!(answer(&bad, Compression::Context), None, "{bad}");
        let next = "permessage-deflate; server_max_window_bits=9";
        assert_eq!(answer(&format!("{bad}, {next}"), Compression::Context).as_deref(), Some(next), "{bad}");
        let lines = negotiate(&[&bad, "x-other", next], Compression::Context);
        assert_eq!(lines.unwrap().to_string(), next, "{bad}");
    }
    for other in ["x-webkit-deflate-frame", "permessage-deflat", "permessage-bzip2; client_max_window_bits", ","] {
        assert_eq!(answer(other, Compression::Context), None, "{other}");
    }
}

#[test]
fn first_of_several_good_offers_is_taken() {
    let offers = "permessage-deflate; server_max_window_bits=12, permessage-deflate";
    assert_eq!(answer(offers, Compression::Context).unwrap(), "permessage-deflate; server_max_window_bits=12");
    let offers = "x-other, permessage-deflate, permessage-deflate; server_max_window_bits=12";
    assert_eq!(answer(offers, Compression::Context).unwrap(), "permessage-deflate");
}

// §6 Frames

#[test]
fn rsv1_is_refused_unless_it_begins_a_compressed_message() {
    let hello = frame(TEXT | RSV1, &HELLO);
    assert_eq!(MessageDecoder::new(LIMIT).decode(&hello), Err(E::ReservedBit), "nothing is negotiated");
    let first = frame(0x01 | RSV1, &HELLO[..3]);
    for bad in [0x80 | RSV1, PING | RSV1, 0x88 | RSV1, 0x8A | RSV1, TEXT | 0x20, TEXT | 0x10, TEXT | RSV1 | 0x20] {
        assert_eq!(error(&[first.clone(), frame(bad, &HELLO[3..])]), Some(E::ReservedBit), "{bad:02x}");
    }
    assert_eq!(messages(&[hello]), [text("Hello")]);
}

#[test]
fn first_fragment_alone_has_rsv1_and_a_ping_fits_between() {
    // §7.2.3.1.
    let fragments = [frame(0x01 | RSV1, &HELLO[..3]), frame(PING, b"?"), frame(0x80, &HELLO[3..])];
    assert_eq!(messages(&fragments), [Event::Ping(b"?".to_vec()), text("Hello")]);
    let single = HELLO.map(|byte| frame(0x00, &[byte]));
    let empty = [frame(0x01 | RSV1, b""), frame(0x00, b"")];
    assert_eq!(messages(&[&empty[..], &single, &[frame(0x80, b"")]].concat()), [text("Hello")]);
}

#[test]
fn messages_with_and_without_compression_follow_one_another() {
    let both = [frame(TEXT, b"a"), frame(TEXT | RSV1, &HELLO), frame(BINARY, &HELLO), frame(TEXT | RSV1, &HELLO)];
    let plain = Event::Message(Message::Binary(HELLO.to_vec()));
    assert_eq!(messages(&both), [text("a"), text("Hello"), plain, text("Hello")]);
}

// §7.2.3 Examples

#[test]
fn examples_of_the_rfc_are_decoded() {
    for (name, bytes) in [
        ("no compression", &b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"[..]),
        ("BFINAL", b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"),
        ("two blocks", b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"),
        ("BFINAL, and no block after it", b"\xf3\x48\xcd\xc9\xc9\x07\x00"),
    ] {
        assert_eq!(messages(&[frame(TEXT | RSV1, bytes)]), [text("Hello")], "{name}");
    }
    assert_eq!(messages(&[frame(TEXT | RSV1, b"\x00"), frame(TEXT | RSV1, b"")]), [text(""), text("")]);
}

#[test]
fn message_refers_to_earlier_ones_only_with_context_takeover() {
    // §7.2.3.2: the second "Hello" refers to the first.
    let frames = [frame(TEXT | RSV1, &HELLO), frame(TEXT | RSV1, b"\xf2\x00\x11\x00\x00")].concat();
    assert_eq!(decode(Compression::Context, &frames), (vec![text("Hello"), text("Hello")], None));
    assert_eq!(decode(Compression::PerMessage, &frames), (vec![text("Hello")], Some(E::InvalidDeflate)));
}

#[test]
fn window_goes_on_after_bfinal_within_and_after_a_message() {
    // One stream that BFINAL ends, and one that refers five bytes back into it.
    let (ended, refers) = (&b"\xf3\x48\xcd\xc9\xc9\x07\x00"[..], &b"\xf2\x00\x11\x00\x00"[..]);
    assert_eq!(messages(&[frame(TEXT | RSV1, &[ended, refers].concat())]), [text("HelloHello")]);
    let two = [frame(TEXT | RSV1, ended), frame(TEXT | RSV1, refers)].concat();
    assert_eq!(decode(Compression::Context, &two), (vec![text("Hello"), text("Hello")], None));
}

#[test]
fn window_with_context_has_the_last_32_kib_of_all_messages() {
    let (bytes, mut zlib) = (noise(90_000), Compress::new(flate2::Compression::new(9), false));
    let (mut frames, mut expected) = (Vec::new(), Vec::new());
    for range in [0..10, 10..40_000, 8_000..40_000, 20_000..20_300, 40_000..90_000, 57_300..89_990, 20_000..20_300] {
        let mut out = Vec::with_capacity(100_000);
        zlib.compress_vec(&bytes[range.clone()], &mut out, FlushCompress::Sync).unwrap();
        frames.extend(frame(BINARY | RSV1, &out[..out.len() - 4]));
        expected.push(Event::Message(Message::Binary(bytes[range].to_vec())));
    }
    assert!(frames.len() < 130_000, "{} bytes: messages do refer to earlier ones", frames.len());
    assert!(decode(Compression::Context, &frames) == (expected, None));
}

// The limit, and memory

#[test]
fn limit_holds_to_the_byte_for_inflated_messages() {
    for (length, is_in) in [(LIMIT - 1, true), (LIMIT, true), (LIMIT + 1, false), (LIMIT + 1000, false)] {
        for bytes in [vec![b'a'; length], noise(length).iter().map(|byte| byte & 0x7F).collect()] {
            let whole = deflated(&bytes);
            let (first, rest) = whole.split_at(whole.len() / 2);
            for frames in [
                vec![frame(BINARY | RSV1, &whole)],
                vec![frame(0x02 | RSV1, first), frame(0x00, rest), frame(0x80, b"")],
            ] {
                let decoded = decode_in_pieces(Compression::PerMessage, &frames.concat(), 4096);
                let expected = match is_in {
                    true => (vec![Event::Message(Message::Binary(bytes.clone()))], None),
                    false => (vec![], Some(E::MessageTooBig(LIMIT))),
                };
                assert!(decoded == expected, "{length}: {:?}", decoded.1);
            }
        }
    }
    // A stream that BFINAL has ended at the limit, and another one that refers to it.
    let mut zlib = Compress::new(flate2::Compression::new(9), false);
    let mut ended = Vec::with_capacity(10_000);
    zlib.compress_vec(&vec![b'a'; LIMIT], &mut ended, FlushCompress::Finish).unwrap();
    ended.extend(b"\xf2\x00\x11\x00\x00");
    assert_eq!(error(&[frame(TEXT | RSV1, &ended)]), Some(E::MessageTooBig(LIMIT)));
    let empty = deflated(b"");
    let mut tiny = decoder(Compression::PerMessage, 0);
    assert_eq!(tiny.decode(&frame(TEXT | RSV1, &empty)).unwrap().1, Some(text("")));
    assert_eq!(tiny.decode(&frame(TEXT | RSV1, &HELLO)), Err(E::MessageTooBig(0)));
}

#[test]
fn incompressible_message_can_take_more_bytes_than_it_has() {
    let bytes = noise(LIMIT);
    // The worst that a sender makes without bad intent: a stored block for each byte, which adds five bytes to each.
    let stored: Vec<u8> = bytes[..LIMIT / 10].iter().flat_map(|byte| [0, 1, 0, 0xfe, 0xff, *byte]).collect();
    let frames = [frame(BINARY | RSV1, &deflated(&bytes)), frame(BINARY | RSV1, &[&stored[..], &[0]].concat())];
    let expected = [&bytes[..], &bytes[..LIMIT / 10]].map(|bytes| Event::Message(Message::Binary(bytes.to_vec())));
    assert!(messages(&frames) == expected);
}

#[test]
fn frame_over_the_largest_overhead_is_refused_when_announced() {
    let mut header = vec![BINARY | RSV1, 0x80 | 127];
    header.extend_from_slice(&(3 * LIMIT as u64).to_be_bytes());
    let mut decoder = decoder(Compression::PerMessage, LIMIT);
    assert_eq!(decoder.decode(&header), Err(E::MessageTooBig(LIMIT)));
    assert!(decoder.held() <= 128 * 1024);
}

#[test]
fn bomb_grows_by_steps_that_the_owner_can_count() {
    let limit = 16 * 1024 * 1024;
    let bomb = frame(BINARY | RSV1, &deflated(&vec![0; limit + 1]));
    assert!(bomb.len() < 20_000);
    let mut decoder = decoder(Compression::PerMessage, limit);
    let (mut used, mut held, mut steps) = (0, 0, 0);
    let error = loop {
        assert_eq!(decoder.decode(&[]), Ok((0, None)), "nothing new");
        match decoder.decode(&bomb[used..]) {
            Ok((count, event)) => {
                assert_eq!(event, None);
                assert!(decoder.has_more() && used + count < bomb.len(), "the last byte stays until all is out");
                used += count;
            }
            Err(error) => break error,
        }
        assert!(decoder.held() <= held + 128 * 1024 + 48 * 1024, "{} after {held}", decoder.held());
        (held, steps) = (decoder.held(), steps + 1);
    };
    assert_eq!(error, E::MessageTooBig(limit));
    assert!((128..=256).contains(&steps), "{steps} steps");
    assert!(held <= limit + 128 * 1024, "{held} bytes");
}

// §7.2.2 Data that is not DEFLATE

#[test]
fn bad_data_is_refused_at_its_first_bad_byte() {
    // A block of the reserved type 3, in a frame with 1,000 more bytes.
    let frame = frame(BINARY | RSV1, &[&[0x06][..], &[0; 1000]].concat());
    let mut decoder = decoder(Compression::PerMessage, LIMIT);
    let (used, event) = decoder.decode(&frame[..8]).unwrap();
    assert_eq!((used, event), (8, None));
    assert_eq!(decoder.decode(&frame[8..9]), Err(E::InvalidDeflate));
    assert_eq!(CloseFrame::from(E::InvalidDeflate).code, CloseCode::INVALID_PAYLOAD);
}

#[test]
fn cut_stream_is_refused_at_its_end() {
    let whole = deflated("a text that is long enough to be cut, cut, cut".as_bytes());
    for length in 1..whole.len() - 1 {
        let cut = frame(TEXT | RSV1, &whole[..length]);
        assert_eq!(error(&[cut]), Some(E::InvalidDeflate), "{length} bytes of {}", whole.len());
    }
}

#[test]
fn text_is_checked_as_it_comes_out() {
    let bad = [&b"good "[..], b"\xC0\xAF", &noise(5000).map_to_ascii()].concat();
    let frame = frame(TEXT | RSV1, &deflated(&bad));
    let mut decoder = decoder(Compression::PerMessage, LIMIT);
    let mut at = 0;
    let error = loop {
        match decoder.decode(&frame[at..=at]) {
            Ok((used, _)) => at += used,
            Err(error) => break error,
        }
        // The decoder takes the header as a whole, not byte by byte.
        if at < 8 {
            at = 8;
            decoder = self::decoder(Compression::PerMessage, LIMIT);
            assert_eq!(decoder.decode(&frame[..8]).unwrap(), (8, None));
        }
    };
    assert_eq!(error, E::InvalidUtf8);
    assert!(at < frame.len() / 2, "at byte {at} of {}", frame.len());
    let cut = [self::frame(0x01 | RSV1, &deflated(b"\xE2\x82")[..]), self::frame(0x80, b"")];
    assert_eq!(self::error(&cut), Some(E::InvalidUtf8), "the text ends within a character");
}

trait Ascii {
    fn map_to_ascii(self) -> Vec<u8>;
}

impl Ascii for Vec<u8> {
    fn map_to_ascii(self) -> Vec<u8> {
        self.into_iter().map(|byte| byte & 0x7F).collect()
    }
}

#[test]
fn streams_without_end_are_refused() {
    // An empty stream is two bytes. A few of them are allowed, because a sender can end a stream with each fragment.
    let few = [&[0x03, 0x00].repeat(3)[..], &HELLO].concat();
    assert_eq!(messages(&[frame(TEXT | RSV1, &few)]), [text("Hello")]);
    let many = [0x03, 0x00].repeat(5000);
    assert_eq!(error(&[frame(TEXT | RSV1, &many)]), Some(E::InvalidDeflate));
}

// What the server sends

#[test]
fn compressor_gives_what_every_inflater_reads() {
    let bytes = noise(70_000).map_to_ascii();
    let mut deflater = Deflater::new(agreement(Compression::Context));
    let mut sent = Vec::new();
    for message in [&b""[..], b"a", &[b'x'; 100_000], &bytes, &bytes[..300], b"Hello"] {
        let mut out = Vec::new();
        deflater.compress(message, &mut out);
        sent.extend(frame(TEXT | RSV1, &out));
    }
    let (events, error) = decode(Compression::Context, &sent);
    assert_eq!((events.len(), error), (6, None));
    assert!(events[3] == Event::Message(Message::Text(String::from_utf8(bytes.clone()).unwrap().into())));
    assert!(sent.len() < 70_000 + 10_000, "{} bytes: the fifth message refers to the fourth", sent.len());
}

#[test]
fn message_that_compression_makes_no_shorter_stays_as_it_is() {
    let mut deflater = Deflater::new(agreement(Compression::PerMessage));
    for length in [0, 1, 10, 300, 5000, 90_000] {
        let mut out = vec![7];
        assert!(!deflater.compress_if_shorter(&noise(length), &mut out), "{length}");
        assert_eq!(out, [7]);
        deflater.reset();
        let message = [&vec![0; length + 50][..], &noise(10)].concat();
        assert!(deflater.compress_if_shorter(&message, &mut out), "{length}");
        deflater.reset();
        let decoded = decode(Compression::PerMessage, &frame(BINARY | RSV1, &out[1..]));
        assert!(decoded == (vec![Event::Message(Message::Binary(message))], None));
    }
}

#[test]
fn window_that_was_agreed_on_is_enough() {
    // Repeats at every distance up to the largest window.
    let mut message = Vec::new();
    for distance in [100, 249, 250, 251, 256, 257, 500, 512, 1000, 4096, 16_384, 32_768] {
        let block = noise(distance).map_to_ascii();
        message.extend([&block[..], &block].concat());
    }
    for bits in 9..=15 {
        let mut out = Vec::new();
        deflater_with_window(bits).compress(&message, &mut out);
        out.extend([0, 0, 0xff, 0xff]);
        assert_eq!(inflate_within(bits, &out), message, "2^{bits}");
        assert!(out.len() < 2 * message.len(), "2^{bits}: {} bytes", out.len());
    }
}

#[test]
fn smallest_window_is_not_exceeded() {
    // Noise that repeats only at this distance gets shorter if, and only if, the compressor refers so far back.
    for (distance, is_shorter) in [(200, true), (250, true), (257, false), (300, false), (511, false), (512, false)] {
        let mut out = Vec::new();
        deflater_with_window(8).compress(&noise(distance).repeat(2), &mut out);
        assert_eq!(out.len() < 2 * distance, is_shorter, "{distance}: {} bytes", out.len());
    }
}

fn deflater_with_window(bits: u8) -> Deflater {
    let offer = format!("permessage-deflate; server_max_window_bits={bits}");
    Deflater::new(negotiate(&[&offer], Compression::Context).unwrap())
}

/// Inflates byte by byte, so that zlib refers to earlier output only through a window of this size.
fn inflate_within(bits: u8, compressed: &[u8]) -> Vec<u8> {
    let mut zlib = Decompress::new_with_window_bits(false, bits);
    let (mut out, mut used) = (Vec::new(), 0);
    loop {
        let (mut byte, before) = ([0], (zlib.total_in(), zlib.total_out()));
        zlib.decompress(&compressed[used..], &mut byte, FlushDecompress::None).unwrap();
        used += (zlib.total_in() - before.0) as usize;
        if zlib.total_out() == before.1 {
            return out;
        }
        out.push(byte[0]);
    }
}
