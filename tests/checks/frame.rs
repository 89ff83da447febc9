//! Steps 05 to 07: the header, masking, and whole frames out of a buffer (§5.2, §5.3). Bytes and values, no socket.

use super::guard::Task;
use super::lesson::{Lesson, Trial, hex};
use super::mistakes::Mistake;
use super::subject::Subject;
use super::talk::{KEY, masked};
use super::words::{BINARY, CLOSE, CONTINUATION, Frame, Header, PING, PONG, TEXT};

// Step 05

const MORE: &str = "A read can end anywhere, within a header too. Then nothing is wrong: the rest is on its way.";

fn decode(subject: &Subject, trial: &Trial, bytes: &[u8], expected: Header, why: &'static str) -> Result<(), Lesson> {
    trial.case(format!("decode_header, with {}", hex(bytes)), format!("Ok(Some({expected:?}))"), why);
    // The length 127 in two bytes: code that takes it for a marker reads eight more.
    let looks_like_a_marker = expected.size == 4 && expected.length == 127;
    let (decode_header, its_bytes) = (subject.decode_header, bytes.to_vec());
    let call = Task::start(move || decode_header(&its_bytes)).finish(trial);
    let came = call.map_err(|lesson| match lesson.mistake {
        Some(Mistake::IndexPanics) if looks_like_a_marker => lesson.named(Mistake::MarkerTakenTwice),
        Some(Mistake::CalculationPanics) if lesson.came.contains("shift") => lesson.named(Mistake::ShiftTooFar),
        Some(Mistake::Hangs) => lesson.named(Mistake::LoopsForEver),
        _ => lesson,
    })?;
    if came == Ok(Some(expected)) {
        return Ok(());
    }
    let mistake = match came {
        Ok(Some(header)) => wrong_header(subject, bytes, header, expected),
        Ok(None) if looks_like_a_marker => Some(Mistake::MarkerTakenTwice),
        Ok(None) => Some(Mistake::HeaderTooPatient),
        Err(_) => wrongly_refused(subject, bytes, expected),
    };
    Err(trial.came(format!("{came:?}")).named(mistake))
}

fn wrong_header(subject: &Subject, bytes: &[u8], came: Header, expected: Header) -> Option<Mistake> {
    let length_bytes = &bytes[2..expected.size];
    let as_number = |bytes: &[u8]| bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte));
    let a_part_of_it = || {
        let lengths = 1..length_bytes.len();
        lengths.flat_map(|length| length_bytes.windows(length)).any(|part| as_number(part) == came.length)
    };
    // A length of 126 can be right by chance where the marker is taken for it. Another length of this form shows it.
    let reads_lengths = |length: u64| {
        let header = (subject.decode_header)(&header_bytes(length));
        matches!(header, Ok(Some(header)) if header.length == length)
    };
    let marker_alone = || !reads_lengths(if expected.size == 4 { 300 } else { 70_000 });
    match came {
        Header { length: 126 | 127, .. } if came.length != expected.length => Some(Mistake::LengthMarker),
        Header { length: 126, size, .. } if size < expected.size && marker_alone() => Some(Mistake::LengthMarker),
        Header { length, .. } if length != expected.length => match length {
            _ if expected.masked && length == u64::from(bytes[1]) => Some(Mistake::MaskBitInLength),
            _ if length == as_number(&length_bytes.iter().rev().copied().collect::<Vec<u8>>()) => {
                Some(Mistake::LengthLittleEndian)
            }
            // The length was read as an i16 and widened to u64, or to u32 on the way.
            _ if length >> 32 == u64::from(u32::MAX) || length >> 16 == 0xFFFF => Some(Mistake::LengthSigned),
            _ if a_part_of_it() => Some(Mistake::LengthWidth),
            _ if bytes.windows(length_bytes.len().max(1)).any(|part| as_number(part) == length) => {
                Some(Mistake::LengthPlace)
            }
            _ => None,
        },
        Header { size, .. } if size == expected.size + 4 => Some(Mistake::KeyInHeaderSize),
        Header { opcode, .. } if opcode != expected.opcode && opcode & bytes[0] == opcode => Some(Mistake::OpcodeBits),
        Header { fin, .. } if fin != expected.fin => Some(Mistake::FinBit),
        Header { masked, .. } if masked != expected.masked => Some(Mistake::MaskBit),
        Header { size, .. } if size != expected.size => Some(Mistake::HeaderSizeWrong),
        _ => None,
    }
}

fn wrongly_refused(subject: &Subject, bytes: &[u8], expected: Header) -> Option<Mistake> {
    if !expected.masked && (subject.decode_header)(&[&[bytes[0], bytes[1] | 0x80], &bytes[2..]].concat()).is_ok() {
        return Some(Mistake::MaskAskedInHeader);
    }
    // Checks whether another length of this form is refused too.
    let all = |length: u64| (subject.decode_header)(&header_bytes(length)).is_err();
    let one_byte_of_payload = [bytes[0], bytes[1] | 1];
    match expected {
        Header { length: 0, .. } if (subject.decode_header)(&one_byte_of_payload).is_ok() => {
            Some(Mistake::EmptyRefused)
        }
        Header { length, .. } if length == u64::MAX >> 1 && !all(1 << 40) => Some(Mistake::LargestRefused),
        // Four of the eight bytes can hold 70,000.
        Header { size: 10, length: 0x1_0000_0000.., .. } if !all(70_000) => match all((1 << 40) + 70_000) {
            true => Some(Mistake::LargestRefused),
            false => Some(Mistake::LengthWidth),
        },
        Header { size: 4, .. } if all(300) => Some(Mistake::LengthWidth),
        Header { size: 10, .. } if all((1 << 40) + 70_000) => Some(Mistake::LengthWidth),
        // Close to a boundary others of the same form are taken.
        Header { size: 4 | 10, length, .. } if all(if length == 65535 { length - 74 } else { length + 74 }) => {
            Some(Mistake::LengthWidth)
        }
        Header { size: 4 | 10, .. } => Some(Mistake::LengthBoundary),
        Header { opcode: TEXT, .. } => None,
        // Refused for its length, if the same opcode is taken with another.
        Header { length: 0, .. } if (subject.decode_header)(&[bytes[0], bytes[1] | 1]).is_ok() => {
            Some(Mistake::EmptyRefused)
        }
        Header { opcode: CLOSE.., length: 125, .. } if (subject.decode_header)(&[bytes[0], bytes[1] - 1]).is_ok() => {
            Some(Mistake::ControlLimit)
        }
        _ => Some(Mistake::KnownRefused),
    }
}

pub fn the_headers_of_the_rfc(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why =
        "§5.2: the first byte is FIN, three reserved bits and the opcode; the second is MASK and seven bits of length.";
    let hello = Header { fin: true, opcode: TEXT, masked: true, length: 5, size: 2 };
    decode(subject, trial, &masked(0x81, b"Hello"), hello, why)?;
    let fragment = Header { fin: false, opcode: TEXT, masked: false, length: 3, size: 2 };
    decode(subject, trial, b"\x01\x03Hel", fragment, why)?;
    // FIN and MASK are bits of two bytes, and each can be set without the other.
    let unmasked = Header { fin: true, opcode: TEXT, masked: false, length: 5, size: 2 };
    decode(subject, trial, b"\x81\x05Hello", unmasked, why)?;
    let masked_fragment = Header { fin: false, opcode: TEXT, masked: true, length: 3, size: 2 };
    decode(subject, trial, &masked(0x01, b"Hel"), masked_fragment, why)?;
    let why = "§5.2: 0 is a continuation, 1 a text, 2 is binary; 8 is a Close, 9 a Ping, 10 a Pong.";
    for opcode in [CONTINUATION, BINARY, CLOSE, PING, PONG] {
        let empty = Header { fin: true, opcode, masked: true, length: 0, size: 2 };
        decode(subject, trial, &masked(0x80 | opcode, b""), empty, why)?;
    }
    Ok(())
}

/// A binary frame's header, in the shortest form.
fn header_bytes(length: u64) -> Vec<u8> {
    match length {
        0..126 => vec![0x82, 0x80 | length as u8],
        126..65536 => [&[0x82, 0xFE][..], &(length as u16).to_be_bytes()].concat(),
        _ => [&[0x82, 0xFF][..], &length.to_be_bytes()].concat(),
    }
}

pub fn the_three_lengths(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why =
        "§5.2: up to 125 the seven bits are the length; 126: the next two bytes are, 127: the next eight, big-endian.";
    for length in [0, 125, 126, 127, 128, 300, 65535, 65536, 70_000, 1 << 40, u64::MAX >> 1] {
        let bytes = header_bytes(length);
        let expected = Header { fin: true, opcode: BINARY, masked: true, length, size: bytes.len() };
        decode(subject, trial, &bytes, expected, why)?;
    }
    // The other frames of data, and no mask.
    for length in [0, 1, 125, 126, 255, 256, 32_768, 65535, 65536, 1 << 31, 1 << 32, u64::MAX >> 1] {
        for opcode in [CONTINUATION, TEXT, BINARY] {
            let mut bytes = header_bytes(length);
            (bytes[0], bytes[1]) = (opcode, bytes[1] & 0x7F);
            let expected = Header { fin: false, opcode, masked: false, length, size: bytes.len() };
            decode(subject, trial, &bytes, expected, why)?;
        }
    }
    Ok(())
}

pub fn a_part_of_a_header_needs_more_bytes(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    for length in [5, 300, 70_000] {
        let bytes = header_bytes(length);
        for cut in 0..bytes.len() {
            trial.case(format!("decode_header, with {}", hex(&bytes[..cut])), "Ok(None)", MORE);
            let came = (subject.decode_header)(&bytes[..cut]);
            if came != Ok(None) {
                return Err(trial.came(format!("{came:?}")).named(Mistake::HeaderTooEager));
            }
        }
    }
    Ok(())
}

/// Expects Close code 1002.
fn refuse(subject: &Subject, trial: &Trial, bytes: &[u8], why: &'static str, mistake: Mistake) -> Result<(), Lesson> {
    trial.case(format!("decode_header, with {}", hex(bytes)), "Err(1002)", why);
    match (subject.decode_header)(bytes) {
        Err(1002) => Ok(()),
        came @ Err(_) => Err(trial.came(format!("{came:?}")).named(Mistake::ProtocolCode)),
        came => Err(trial.came(format!("{came:?}")).named(mistake)),
    }
}

pub fn what_nobody_agreed_on_is_refused(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    for bit in [0x40, 0x20, 0x10] {
        let why = "§5.2: the RSV bits \"MUST be 0 unless an extension is negotiated ...\"";
        refuse(subject, trial, &[0x81 | bit, 0x85], why, Mistake::ReservedAccepted)?;
    }
    for opcode in (0x3..=0x7).chain(0xB..=0xF) {
        let why = "§5.2: if an unknown opcode is received, the connection fails.";
        refuse(subject, trial, &[0x80 | opcode, 0x85], why, Mistake::ReservedAccepted)?;
    }
    // All first bytes, with a mask and without one.
    for first in 0..=0xFF_u8 {
        let why = "§5.2: the RSV bits are 0, and 3 to 7 and 11 to 15 are reserved, in each frame.";
        if first & 0x70 != 0 || !matches!(first & 0x0F, 0..=2 | 8..=10) {
            refuse(subject, trial, &[first, 0x85], why, Mistake::ReservedAccepted)?;
            refuse(subject, trial, &[first, 0x00], why, Mistake::ReservedAccepted)?;
        }
    }
    Ok(())
}

pub fn control_frames_are_short_and_whole(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why =
        "§5.5: \"All control frames MUST have a payload length of 125 bytes or less and MUST NOT be fragmented.\"";
    let longest = Header { fin: true, opcode: PING, masked: true, length: 125, size: 2 };
    decode(subject, trial, &[0x89, 0x80 | 125], longest, why)?;
    let not_whole = [&[0x09, 0x80][..], &[0x08, 0x82], &[0x0A, 0x80], &[0x09, 0x05], &[0x08, 0x00]];
    let long = [&[0x89, 0xFE, 0, 126][..], &[0x8A, 0xFE, 0, 126], &[0x88, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0]];
    for bytes in not_whole.into_iter().chain(long) {
        refuse(subject, trial, bytes, why, Mistake::ControlRules)?;
    }
    Ok(())
}

pub fn a_length_has_its_shortest_form(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "§5.2: \"the minimal number of bytes MUST be used to encode the length\".";
    for [first, mask] in [[0x82, 0x80], [0x01, 0x80], [0x80, 0x80], [0x82, 0]] {
        for length in [125_u16, 0] {
            let bytes = [&[first, mask | 126][..], &length.to_be_bytes()].concat();
            refuse(subject, trial, &bytes, why, Mistake::LengthNotMinimal)?;
        }
        for length in [65535_u64, 126, 125, 0] {
            let bytes = [&[first, mask | 127][..], &length.to_be_bytes()].concat();
            refuse(subject, trial, &bytes, why, Mistake::LengthNotMinimal)?;
        }
    }
    let why = "§5.2: of the 64 bits \"the most significant bit MUST be 0\".";
    for length in [1 << 63, u64::MAX] {
        let bytes = [&[0x82, 0xFF][..], &length.to_be_bytes()].concat();
        refuse(subject, trial, &bytes, why, Mistake::LengthTopBit)?;
    }
    Ok(())
}

// Step 06

const XOR: &str = "§5.3: byte i of the payload is XORed with byte i modulo 4 of the masking key; i counts from 0.";

/// Returns the mistake in a payload that should be `plain`, by the byte with which each of its bytes was XORed.
fn wrong_mask(came: &[u8], plain: &[u8]) -> Option<Mistake> {
    let used_by = |key_at: &dyn Fn(usize) -> u8| {
        came.len() == plain.len()
            && came.iter().zip(plain).enumerate().all(|(i, (came, plain))| *came == plain ^ KEY[i % 4] ^ key_at(i))
    };
    let whole = plain.len() - plain.len() % 4;
    match plain.len() {
        0 => None,
        _ if used_by(&|_| 0) => Some(Mistake::NothingUnmasked),
        1 => None,
        _ if used_by(&|i| if i < whole { KEY[i % 4] } else { 0 }) => Some(Mistake::LastBytesMasked),
        _ if used_by(&|i| KEY[3 - i % 4]) => Some(Mistake::KeyReversed),
        _ if (0..4).any(|at| used_by(&|_| KEY[at])) => Some(Mistake::OneByteOfTheKey),
        _ if used_by(&|i| if i < 4 { KEY[i] } else { 0 }) => Some(Mistake::FourBytesOnly),
        _ if (1..4).any(|shift| used_by(&|i| KEY[(i + shift) % 4])) => Some(Mistake::MaskIndex),
        length if length == came.len() => wrong_from_here(came, plain),
        _ => None,
    }
}

/// Looks at the first byte that is wrong.
fn wrong_from_here(came: &[u8], plain: &[u8]) -> Option<Mistake> {
    let at = came.iter().zip(plain).position(|(came, plain)| came != plain)?;
    let masked = plain[at] ^ KEY[at % 4];
    match came[at] {
        // The byte itself is 0 before or after it is unmasked, or the loop ended with the byte before it.
        byte if byte == masked && (masked == 0 || plain[at] == 0 || at > 0 && plain[at - 1] == 0) => {
            Some(Mistake::ZeroIsSpecial)
        }
        byte if byte == masked => Some(Mistake::PartStillMasked),
        byte if at > 100 && KEY.contains(&(byte ^ masked)) => Some(Mistake::MaskIndexCut),
        _ => None,
    }
}

pub fn a_payload_is_unmasked(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    // Each value meets each byte of the key; and then a payload of more bytes than fit into an i16 or a u16.
    let all_values: Vec<u8> = (0..1024).map(|i| (i / 4) as u8).collect();
    let long: Vec<u8> = (0..70_000).map(|i| (i % 251) as u8).collect();
    for plain in [&b"Hello again"[..], b"Hello", b"", b"a", b"four", &all_values, &long] {
        let frame = masked(0x81, plain);
        let mut payload = frame[frame.len() - plain.len()..].to_vec();
        trial.case(format!("unmask, with payload {} and key 37 fa 21 3d", hex(&payload)), hex(plain), XOR);
        let unmask = subject.unmask;
        let call = Task::start(move || {
            unmask(&mut payload, KEY);
            payload
        });
        let payload = call.finish(trial).map_err(|lesson| match lesson.mistake {
            Some(Mistake::IndexPanics) if lesson.came.contains("the len is 4 but") => {
                lesson.named(Mistake::KeyIndexPanics)
            }
            Some(Mistake::Hangs) => lesson.named(Mistake::LoopsForEver),
            _ => lesson,
        })?;
        if payload != plain {
            let mistake = wrong_mask(&payload, plain);
            let same = payload.iter().zip(plain).take_while(|(came, plain)| came == plain).count();
            let came = match payload.len() {
                0..=20 => hex(&payload),
                _ => format!("{same} bytes right, and then {}", hex(&payload[same..])),
            };
            return Err(trial.came(came).named(mistake));
        }
    }
    let mut payload = b"\0\x7F\x81\xFF\x01".to_vec();
    trial.case(format!("unmask, with payload {} and key 00 ff 80 7f", hex(&payload)), "00 80 01 80 01", XOR);
    (subject.unmask)(&mut payload, [0, 0xFF, 0x80, 0x7F]);
    if payload == b"\0\x80\x01\x80\x01" {
        return Ok(());
    }
    Err(trial.came(hex(&payload)).named(Mistake::KeyOfAnotherFrame))
}

pub fn a_frame_is_encoded(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "§5.2: FIN and the opcode, the length, the payload. §5.1: \"A server MUST NOT mask any frames that \
               it sends to the client.\"";
    let frames = [(TEXT, &b"Hello"[..]), (BINARY, b""), (PONG, b"\x00\xFF"), (PING, b""), (CLOSE, b"\x03\xE8")];
    for (opcode, payload) in frames {
        let expected = [&[0x80 | opcode, payload.len() as u8], payload].concat();
        trial.case(format!("encode_frame, with opcode {opcode:#x} and payload {}", hex(payload)), hex(&expected), why);
        let came = (subject.encode_frame)(opcode, payload);
        if came != expected {
            let mistake = match came[..] {
                [first, ..] if first == opcode => Some(Mistake::FinMissing),
                [_, second, ..] if second & 0x80 != 0 => Some(Mistake::ReplyMasked),
                [_, 126 | 127, ..] => Some(Mistake::LengthNotShort),
                [_, _] if !payload.is_empty() => Some(Mistake::PayloadForgotten),
                [first, ..] if first != 0x80 | opcode => Some(Mistake::OpcodeNotWritten),
                _ => None,
            };
            return Err(trial.came(hex(&came)).named(mistake));
        }
    }
    Ok(())
}

pub fn a_length_is_encoded_in_its_shortest_form(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "§5.2: up to 125 in one byte, up to 65535 in 126 and two bytes, above that in 127 and eight, big-endian.";
    let binary = [125, 126, 127, 300, 65535, 65536, 70_000].map(|length| (BINARY, "binary", length));
    let text = [125, 126, 65535, 65536].map(|length| (TEXT, "text", length));
    for (opcode, kind, length) in binary.into_iter().chain(text) {
        let mut expected = header_bytes(length);
        expected[0] = 0x80 | opcode;
        expected[1] &= 0x7F;
        trial.case(
            format!("encode_frame, with a {kind} payload of {length} bytes"),
            format!("{}, then the payload", hex(&expected)),
            why,
        );
        // Every part of the payload differs from every other, and each value is in it.
        let payload: Vec<u8> = (0..length as usize).map(|i| (i % 257) as u8).collect();
        let came = (subject.encode_frame)(opcode, &payload);
        // A whole frame, of the beginning of the payload.
        let cut = [2, 4, 10].into_iter().filter(|size| came.len() >= *size).map(|size| came.len() - size);
        let cut = cut.into_iter().find(|&part| part < length as usize && came.ends_with(&payload[..part]));
        if let Some(part) = cut {
            let shown = format!("{}, then the first {part} bytes of the payload", hex(&came[..came.len() - part]));
            return Err(trial.came(shown).named(Mistake::PayloadCut));
        }
        let header = &came[..came.len().saturating_sub(length as usize)];
        if came.starts_with(&expected) && came.len() < expected.len() + length as usize {
            let lesson = trial.came(format!("{}, then {} bytes", hex(&expected), came.len() - expected.len()));
            return Err(lesson.named(Mistake::PayloadNotWhole));
        }
        if header != expected || came.len() != expected.len() + length as usize {
            let shown = format!("{}, then {length} bytes", hex(header));
            return Err(trial.came(shown).named(wrong_length(subject, header, &expected)));
        }
        if came[expected.len()..] != payload {
            let lesson = trial.came(format!("{}, then {length} other bytes than the payload", hex(header)));
            return Err(lesson.named(Mistake::PayloadNotWhole));
        }
    }
    Ok(())
}

fn wrong_length(subject: &Subject, header: &[u8], expected: &[u8]) -> Mistake {
    let mut turned = expected.to_vec();
    turned[2..].reverse();
    // The size of the header for a payload that clearly needs this form.
    let size_for = |length: usize| (subject.encode_frame)(BINARY, &vec![0; length]).len().saturating_sub(length);
    let other_form = match expected.len() {
        4 => size_for(300) != 4,
        10 => size_for(70_000) <= 4,
        _ => false,
    };
    match header {
        _ if header == turned => Mistake::LengthLittleEndian,
        [_, 126 | 127, ..] if header.len() == expected.len() && header[1] != expected[1] => Mistake::MarkersExchanged,
        // The right marker, with too many or too few bytes after it.
        [_, marker @ (126 | 127), _, ..] if *marker == expected[1] => Mistake::LengthWidth,
        _ if other_form => Mistake::LongFormMissing,
        _ => Mistake::LengthBoundary,
    }
}

// Step 07

const NO_LIMIT: usize = 1 << 20;

fn shown(came: &Result<Option<Frame>, u16>) -> String {
    match came {
        Ok(Some(frame)) => super::talk::describe(frame.opcode | if frame.fin { 0x80 } else { 0 }, &frame.payload),
        other => format!("{other:?}"),
    }
}

/// Describes a buffer on the card.
fn holding(bytes: &[u8]) -> String {
    if bytes.is_empty() { "an empty buffer".to_owned() } else { format!("the buffer {}", hex(bytes)) }
}

/// The first frame of a buffer that holds a whole one: its bytes, and the frame that should come out.
struct First {
    bytes: Vec<u8>,
    frame: Frame,
}

fn first(first: u8, payload: &[u8]) -> First {
    let frame = Frame { fin: first & 0x80 != 0, opcode: first & 0x0F, payload: payload.to_vec() };
    First { bytes: masked(first, payload), frame }
}

/// Takes a frame from the front of the buffer, and expects this one.
fn take(
    subject: &Subject,
    trial: &Trial,
    buffer: &mut Vec<u8>,
    expected: &First,
    why: &'static str,
) -> Result<(), Lesson> {
    let First { bytes, frame } = expected;
    let wanted = Ok(Some(frame.clone()));
    trial.case(format!("take_frame, with {}", holding(buffer)), shown(&wanted), why);
    let before = buffer.clone();
    let came = (subject.take_frame)(buffer, NO_LIMIT);
    if came == wanted {
        return Ok(());
    }
    let mistake = match &came {
        Ok(Some(came)) => wrong_frame(came, expected),
        Ok(None) if before.starts_with(bytes) && *buffer == before => Some(Mistake::WholeNotTaken),
        Ok(None) if before.starts_with(bytes) => Some(Mistake::BufferTouched),
        _ => None,
    };
    Err(trial.came(shown(&came)).named(mistake))
}

fn wrong_frame(came: &Frame, expected: &First) -> Option<Mistake> {
    let First { bytes, frame } = expected;
    let length = frame.payload.len();
    let size = bytes.len() - length - 4;
    // The payload that would be found from `start` on, with this key.
    let payload_at = |start: usize, key: &[u8]| -> Vec<u8> {
        bytes[start..start + length].iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect()
    };
    let no_key = [0; 4];
    match &came.payload {
        payload if *payload == frame.payload => Some(Mistake::HeaderNotCopied),
        payload if *payload == payload_at(size + 4, &no_key) => Some(Mistake::NotUnmasked),
        payload if [&KEY, &no_key].iter().any(|key| *payload == payload_at(size, *key)) => Some(Mistake::PayloadAtKey),
        payload if *payload == payload_at(6, &bytes[2..6]) => Some(Mistake::HeaderSizeFixed),
        payload if payload.len() > length && payload.starts_with(&frame.payload) => Some(Mistake::PayloadToTheEnd),
        payload => wrong_mask(payload, &frame.payload),
    }
}

pub fn a_frame_is_taken_out_of_the_buffer(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "§5.2: the header, the masking key, and as many bytes of payload as the header says.";
    let frames = [
        first(0x81, b"Hello"),
        first(0x82, b""),
        first(0x82, b"\xFF\xFE\x80"),
        first(0x01, b"Hel"),
        first(0x82, &[7; 300]),
        first(0x82, &[7; 70_000]),
    ];
    let payload = |length: u32| (0..length).map(|i| (i % 251) as u8).collect::<Vec<u8>>();
    // Every opcode, and the lengths where a form begins or ends.
    let more = [(0x80, 1), (0x00, 125), (0x89, 0), (0x89, 125), (0x8A, 4), (0x88, 2), (0x82, 126), (0x81, 65535)];
    let more = more.into_iter().chain([(0x80, 65536)]).map(|(byte, length)| first(byte, &payload(length)));
    for expected in frames.into_iter().chain(more) {
        let mut buffer = expected.bytes.clone();
        take(subject, trial, &mut buffer, &expected, why)?;
        trial.case(format!("take_frame, with {}", holding(&expected.bytes)), "afterwards the buffer is empty", why);
        if !buffer.is_empty() {
            let mistake = match buffer.len() {
                left if left >= expected.bytes.len() => Mistake::FrameNotRemoved,
                4 => Mistake::KeyNotRemoved,
                _ => Mistake::PartNotRemoved,
            };
            return Err(trial.came(format!("it holds {}", hex(&buffer))).named(mistake));
        }
    }
    Ok(())
}

pub fn half_a_frame_waits_for_the_rest(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    for whole in [masked(0x81, b"Hello"), masked(0x82, &[7; 300]), masked(0x89, b"?"), masked(0x00, &[7; 70_000])] {
        for cut in (0..whole.len()).step_by(1 + whole.len() / 40) {
            let mut buffer = whole[..cut].to_vec();
            trial.case(
                format!("take_frame, with {cut} of a frame's {} bytes: {}", whole.len(), hex(&buffer)),
                "Ok(None), and the buffer as it was",
                MORE,
            );
            let came = (subject.take_frame)(&mut buffer, NO_LIMIT);
            if came != Ok(None) {
                return Err(trial.came(shown(&came)).named(Mistake::HalfFrameTaken));
            }
            if buffer != whole[..cut] {
                let came = format!("Ok(None), and {}", holding(&buffer));
                return Err(trial.came(came).named(Mistake::BufferTouched));
            }
        }
    }
    Ok(())
}

pub fn three_frames_come_out_one_by_one(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "TCP has no message boundaries: one read can bring three frames. i in §5.3 counts from 0 in each.";
    let payloads: [&[u8]; 3] = [b"one", b"three", b"two"];
    let mut buffer: Vec<u8> = payloads.iter().flat_map(|payload| masked(0x81, payload)).collect();
    for (at, payload) in payloads.into_iter().enumerate() {
        take(subject, trial, &mut buffer, &first(0x81, payload), why).map_err(|mut lesson| {
            lesson.sent = format!(
                "three frames in one buffer; take_frame, call {} with {}",
                at + 1,
                lesson.sent.trim_start_matches("take_frame, with ")
            );
            let dropped = at > 0 && lesson.came == "Ok(None)";
            let mistake = lesson.mistake.or(dropped.then_some(Mistake::LeftoverDropped));
            lesson.named(mistake)
        })?;
    }
    // Frames of several kinds, and the first byte of another.
    let frames = [first(0x89, b""), first(0x02, &[7; 300]), first(0x88, b"\x03\xE8"), first(0x80, b"")];
    let mut buffer: Vec<u8> = frames.iter().flat_map(|frame| frame.bytes.clone()).chain([0x81]).collect();
    for frame in &frames {
        take(subject, trial, &mut buffer, frame, why)?;
    }
    trial.case(
        "take_frame, after the four frames before it: the buffer 81",
        "Ok(None), and the buffer as it was",
        MORE,
    );
    let came = (subject.take_frame)(&mut buffer, NO_LIMIT);
    match came == Ok(None) && buffer == [0x81] {
        true => Ok(()),
        false => Err(trial.came(format!("{}, and {}", shown(&came), holding(&buffer))).named(Mistake::LeftoverDropped)),
    }
}

pub fn each_frame_has_its_own_key(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "§5.3: \"The masking key is a 32-bit value chosen at random by the client\", for each frame again.";
    // "Hi" with the keys 00 00 00 00 and 01 02 03 04.
    let mut buffer = b"\x81\x82\0\0\0\0Hi\x81\x82\x01\x02\x03\x04Ik".to_vec();
    for at in ["first", "second"] {
        let expected = Ok(Some(Frame { fin: true, opcode: TEXT, payload: b"Hi".to_vec() }));
        let sent =
            format!("take_frame, with two frames that have other keys; the {at} of them, from {}", holding(&buffer));
        trial.case(sent, shown(&expected), why);
        let came = (subject.take_frame)(&mut buffer, NO_LIMIT);
        if came != expected {
            return Err(trial.came(shown(&came)).named(Mistake::KeyOfAnotherFrame));
        }
    }
    Ok(())
}

pub fn a_frame_without_a_mask_is_refused(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "§5.1: \"The server MUST close the connection upon receiving a frame that is not masked.\"";
    let frame = b"\x81\x05Hello";
    // 40 more bytes follow, so that there seem to be a key and a payload.
    let more = [&frame[..], &[0; 40]].concat();
    // The header alone is enough for the refusal.
    let unmasked = |bytes: &[u8]| {
        trial.case(format!("take_frame, with {}", holding(bytes)), "Err(1002)", why);
        let came = (subject.take_frame)(&mut bytes.to_vec(), NO_LIMIT);
        let mistake = match came {
            Err(1002) => return Ok(()),
            Ok(None) => Mistake::UnmaskedLate,
            Ok(Some(_)) => Mistake::UnmaskedAccepted,
            Err(_) => Mistake::ProtocolCode,
        };
        Err(trial.came(shown(&came)).named(mistake))
    };
    for bytes in [&more[..], &frame[..], &frame[..2], b"\x82\x7E\x01\x2C"] {
        unmasked(bytes)?;
    }
    // Each kind of frame, also an empty one: with enough bytes after it, and its header alone.
    for header in [[0x89, 5], [0x8A, 0], [0x88, 2], [0x82, 0], [0x01, 3], [0x00, 3], [0x80, 125]] {
        unmasked(&[&header[..], &[0; 140]].concat())?;
        unmasked(&header)?;
    }
    Ok(())
}

pub fn a_bad_header_is_refused_here_too(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "§5.2, §5.5: what decode_header refuses, take_frame refuses with the same code.";
    for first in [0xC1, 0x83, 0x09] {
        let mut buffer = masked(first, b"Hello");
        trial.case(format!("take_frame, with {}", holding(&buffer)), "Err(1002)", why);
        let came = (subject.take_frame)(&mut buffer, NO_LIMIT);
        if came != Err(1002) {
            return Err(trial.came(shown(&came)).named(Mistake::HeaderFaultLost));
        }
    }
    Ok(())
}
