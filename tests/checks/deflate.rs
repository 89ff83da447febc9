//! Step 20: permessage-deflate (RFC 7692). Bytes and values, no socket.

use super::guard::Task;
use super::inflate::produced;
use super::lesson::{Lesson, Trial, hex};
use super::mistakes::Mistake;
use super::subject::{Deflated, Subject};
use super::talk::masked;
use super::words::{BINARY, CLOSE, CONTINUATION, Frame, PING, TEXT};

const AGREEMENT: &str = "RFC 7692 §5 and §7.1: the client offers, and the server takes one offer with parameters that it \
                         understands, or none. The reply says without context takeover that each message is compressed alone.";

/// The name and the parameters of a reply.
fn parts(reply: &str) -> Vec<String> {
    reply.split(';').map(|part| part.trim().to_owned()).collect()
}

pub fn an_offer_is_taken_or_declined(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let cases = [
        ("permessage-deflate", true),
        // Chrome's and Firefox's offers.
        ("permessage-deflate; client_max_window_bits", true),
        ("permessage-deflate;client_max_window_bits=15;client_no_context_takeover", true),
        ("permessage-deflate; server_no_context_takeover", true),
        ("permessage-deflate; server_max_window_bits=10, permessage-deflate", true),
        ("x-webkit-deflate-frame, permessage-deflate", true),
        ("permessage-deflate; server_max_window_bits=10", false),
        ("permessage-deflate; level=9", false),
        ("permessage-deflated", false),
        ("x-permessage-deflate", false),
        ("permessage-bzip2", false),
        ("", false),
    ];
    for (offers, taken) in cases {
        let expected = match taken {
            true => "Some of permessage-deflate with client_no_context_takeover and server_no_context_takeover",
            false => "None",
        };
        trial.case(format!("agree({offers:?})"), expected, AGREEMENT);
        let came = (subject.agree)(offers);
        let mistake = match came.as_deref().map(parts) {
            None if !taken => continue,
            None => Mistake::OfferDeclined,
            Some(_) if !taken && offers.contains("server_max_window_bits") => Mistake::ParameterTaken,
            Some(_) if !taken && offers.contains("level") => Mistake::ParameterTaken,
            Some(_) if !taken => Mistake::NotThisExtension,
            Some(parts) => {
                let has = |part: &str| parts.iter().any(|came| came == part);
                let known = ["permessage-deflate", "client_no_context_takeover", "server_no_context_takeover"];
                match parts.iter().all(|part| known.contains(&part.as_str())) && parts[0] == known[0] {
                    true if known.into_iter().all(has) => continue,
                    true => Mistake::TakeoverAllowed,
                    false => Mistake::OfferEchoed,
                }
            }
        };
        return Err(trial.came(format!("{came:?}")).named(mistake));
    }
    Ok(())
}

const RSV1: &str =
    "RFC 7692 §6: RSV1 is set in the first frame of a compressed message, and in no other. §5.2: RSV2 and RSV3 are 0.";

pub fn rsv1_begins_a_message(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let frame = |fin: bool, opcode: u8| Frame { fin, opcode, payload: b"Hello".to_vec() };
    let good = [
        (0xC1, frame(true, TEXT), true),
        (0x42, frame(false, BINARY), true),
        (0x81, frame(true, TEXT), false),
        (0x80, frame(true, CONTINUATION), false),
        (0x00, frame(false, CONTINUATION), false),
        (0x41, frame(false, TEXT), true),
        (0xC2, frame(true, BINARY), true),
        (0x89, frame(true, PING), false),
        (0x88, frame(true, CLOSE), false),
    ];
    trial.case("take_deflated, with an empty buffer", "Ok(None)", "As take_frame: more bytes are needed.");
    let (take_deflated, mut empty) = (subject.take_deflated, Vec::new());
    let came = Task::start(move || take_deflated(&mut empty, 1000)).finish(trial)?;
    trial.equal(came, Ok(None))?;
    for (first, expected, compressed) in good {
        a_frame_in_parts(subject, trial, first, expected, compressed)?;
    }
    Ok(())
}

/// Gives a frame to `take_deflated`: its first byte, then some more, then the rest and the beginning of the next frame.
fn a_frame_in_parts(
    subject: &Subject,
    trial: &Trial,
    first: u8,
    expected: Frame,
    compressed: bool,
) -> Result<(), Lesson> {
    let whole = masked(first, b"Hello");
    let refused = if compressed { Mistake::Rsv1Refused } else { Mistake::PlainFrameRefused };
    let mut buffer = whole[..1].to_vec();
    trial.case(
        format!("take_deflated, with the first byte of a frame: {}", hex(&buffer)),
        "Ok(None), and the buffer as it was",
        RSV1,
    );
    let its_subject = *subject;
    let call = move || ((its_subject.take_deflated)(&mut buffer, 1000), buffer);
    let (came, mut buffer) = Task::start(call).finish(trial)?;
    if came != Ok(None) || buffer != whole[..1] {
        let mistake = if came.is_ok() { Mistake::Rsv1Removed } else { refused };
        return Err(trial.came(format!("{came:?}, and the buffer {}", hex(&buffer))).named(mistake));
    }
    buffer.extend(&whole[1..8]);
    trial.case(
        format!("take_deflated, with 8 of a frame's {} bytes: {}", whole.len(), hex(&buffer)),
        "Ok(None), and the buffer as it was",
        RSV1,
    );
    let came = (subject.take_deflated)(&mut buffer, 1000);
    if came != Ok(None) || buffer != whole[..8] {
        let mistake = match came {
            Ok(None) => Mistake::Rsv1Removed,
            Err(1002) => refused,
            _ => Mistake::HalfFrameTaken,
        };
        return Err(trial.came(format!("{came:?}, and the buffer {}", hex(&buffer))).named(mistake));
    }
    buffer.extend(&whole[8..]);
    buffer.push(0x81);
    let wanted = Ok(Some((expected, compressed)));
    trial.case(format!("take_deflated, with {}", hex(&buffer)), format!("{wanted:?}"), RSV1);
    let came = (subject.take_deflated)(&mut buffer, 1000);
    if came != wanted {
        let mistake = match came {
            Err(1002) => refused,
            Ok(Some((_, came))) if came != compressed => Mistake::Rsv1Read,
            _ => return Err(trial.came(format!("{came:?}"))),
        };
        return Err(trial.came(format!("{came:?}")).named(mistake));
    }
    if buffer != [0x81] {
        return Err(trial.came(format!("and the buffer {}", hex(&buffer))).named(Mistake::LeftoverDropped));
    }
    Ok(())
}

pub fn rsv1_is_refused_elsewhere(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let bad = [
        (0xC0, Mistake::Rsv1OnContinuation),
        (0x40, Mistake::Rsv1OnContinuation),
        (0xC9, Mistake::Rsv1OnControl),
        (0xC8, Mistake::Rsv1OnControl),
        (0xA1, Mistake::OtherRsvTaken),
        (0xF1, Mistake::OtherRsvTaken),
        (0xD2, Mistake::OtherRsvTaken),
    ];
    for (first, mistake) in bad {
        let mut buffer = masked(first, b"Hello");
        trial.case(format!("take_deflated, with {}", hex(&buffer)), "Err(1002)", RSV1);
        let came = (subject.take_deflated)(&mut buffer, 1000);
        if came != Err(1002) {
            let mistake = match came {
                Ok(Some(_)) => mistake,
                Ok(None) => Mistake::HeaderFaultLost,
                Err(_) => Mistake::ProtocolCode,
            };
            return Err(trial.came(format!("{came:?}")).named(mistake));
        }
    }
    let limited = |first, length: usize, kind: &str, expected: fn(&Deflated) -> bool, shown: &str| {
        let mut buffer = masked(first, &vec![7; length]);
        trial.case(
            format!("take_deflated, with limit 100 and a {kind} frame of {length} bytes"),
            shown,
            "§10.4: as in take_frame.",
        );
        let came = (subject.take_deflated)(&mut buffer, 100);
        let mistake = came.is_ok() || length == 100;
        let lesson = trial.came(format!("{came:?}"));
        if expected(&came) { Ok(()) } else { Err(lesson.named(mistake.then_some(Mistake::LimitNotHandedOn))) }
    };
    for (first, kind) in [(0xC1, "compressed"), (0x81, "plain"), (0x42, "compressed")] {
        limited(first, 101, kind, |came| *came == Err(1009), "Err(1009)")?;
        limited(first, 100, kind, |came| matches!(came, Ok(Some(_))), "Ok(Some(...))")?;
    }
    let plain = b"\xC1\x05Hello";
    trial.case(format!("take_deflated, with {}: no mask", hex(plain)), "Err(1002)", "§5.1: as in take_frame.");
    let came = (subject.take_deflated)(&mut plain.to_vec(), 100);
    let mistake = came.is_ok().then_some(Mistake::UnmaskedAccepted);
    trial.equal(came, Err(1002)).map_err(|lesson| lesson.named(mistake))
}

const MESSAGE: &str = "RFC 7692 §7.2.2: append 00 00 ff ff to the payload of the message, and inflate the whole.";

/// The examples of RFC 7692 §7.2.3, and a block with a code of its own.
fn examples() -> [(Vec<u8>, Vec<u8>); 7] {
    let squares: String = (0..SQUARES).map(|i| format!("{i} squared is {}.\n", i * i)).collect();
    let bytes = |digits: &str| {
        let digits: Vec<u8> = digits.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pairs = digits.chunks(2).map(|pair| str::from_utf8(pair).expect("ASCII"));
        pairs.map(|pair| u8::from_str_radix(pair, 16).expect("two digits")).collect::<Vec<u8>>()
    };
    [
        (bytes("f2 48 cd c9 c9 07 00"), b"Hello".to_vec()),
        (bytes("00 05 00 fa ff 48 65 6c 6c 6f 00"), b"Hello".to_vec()),
        (bytes("f3 48 cd c9 c9 07 00 00"), b"Hello".to_vec()),
        (bytes("f2 48 05 00 00 00 ff ff ca c9 c9 07 00"), b"Hello".to_vec()),
        (bytes(COMPRESSED_SQUARES), squares.into_bytes()),
        // More than one piece.
        (bomb(20), vec![b'a'; 1 + 20 * 258]),
        // An empty message.
        (bytes("00"), Vec::new()),
    ]
}

const SQUARES: u32 = 11;
const COMPRESSED_SQUARES: &str = "548e3b0ec0300843774ec10910e44393e3546a868e6dd4fb97d18cefc9b2adbc9fef7cd7c5f766153264132ac84da8224fa1\
     96f22ed451942ee4286a248e54191d0385c7c84431e285699ad138fa03";

pub fn a_message_is_inflated(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    for (compressed, plain) in examples() {
        trial.case(format!("inflate_message, with {}", hex(&compressed)), format!("Ok of {}", hex(&plain)), MESSAGE);
        let came = (subject.inflate_message)(&compressed, 10_000);
        if came.as_ref() != Ok(&plain) {
            let shown =
                came.as_ref().map_or_else(|code| format!("Err({code})"), |bytes| format!("Ok of {}", hex(bytes)));
            let mistake = match &came {
                Ok(bytes) if *bytes == compressed => Some(Mistake::NotInflated),
                Ok(bytes) if plain.starts_with(bytes) => Some(Mistake::FirstPieceOnly),
                Err(1009) => Some(Mistake::CompressedCounted),
                Err(_) if plain.is_empty() => Some(Mistake::EmptyMessageRefused),
                Err(_) => Some(Mistake::TailForgotten),
                _ => None,
            };
            return Err(trial.came(shown).named(mistake));
        }
    }
    for (bytes, what) in [
        (&b"\x07\x00"[..], "a block of a type that is reserved"),
        (b"\xf2\x00\x11\x00", "a match before the first byte"),
    ] {
        let why = "§7.4.1: 1007 for data that is not what the message says it is.";
        trial.case(format!("inflate_message, with {}: {what}", hex(bytes)), "Err(1007)", why);
        let came = (subject.inflate_message)(bytes, 10_000);
        if came != Err(1007) {
            return Err(trial.came(format!("{came:?}")).named(Mistake::BadDeflate));
        }
    }
    Ok(())
}

/// Returns a stream of 258 bytes "a", repeated `times` times: a literal, and matches of the greatest length, 13 bits
/// each.
fn bomb(times: usize) -> Vec<u8> {
    let mut bits = vec![false, true, false];
    // Codes are written with their highest bit first: 0x30 + 'a' in eight bits.
    bits.extend((0..8).rev().map(|bit| (0x30 + b'a') >> bit & 1 == 1));
    for _ in 0..times {
        // Length 258 is the symbol 285, and distance 1 the symbol 0.
        bits.extend((0..8).rev().map(|bit| 0b1100_0101 >> bit & 1 == 1));
        bits.extend([false; 5]);
    }
    bits.extend([false; 7]);
    // The type of the empty block, whose length is cut off.
    bits.extend([false; 3]);
    bits.chunks(8).map(|byte| byte.iter().enumerate().fold(0, |byte, (i, bit)| byte | u8::from(*bit) << i)).collect()
}

pub fn the_limit_is_for_what_comes_out(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "§10.4: a few KiB become many MiB, so compare with the limit after each piece, before the next one is inflated.";
    for (times, limit, fits) in [(4, 1033, true), (4, 1032, false), (200, 10_000, false)] {
        let (bytes, size) = (bomb(times), 1 + times * 258);
        trial.case(
            format!("inflate_message, with {} bytes that become {size}, and limit {limit}", bytes.len()),
            if fits {
                format!("Ok of {size} bytes")
            } else {
                "Err(1009), and no more inflated than that takes".to_owned()
            },
            why,
        );
        let inflate_message = subject.inflate_message;
        let call = move || {
            let before = produced();
            (inflate_message(&bytes, limit), produced() - before)
        };
        let (came, produced) = Task::start(call).finish(trial)?;
        let shown =
            came.as_ref().map_or_else(|code| format!("Err({code})"), |bytes| format!("Ok of {} bytes", bytes.len()));
        match came {
            Ok(bytes) if fits && bytes.len() == size => {}
            Err(1009) if !fits && produced <= limit + 8192 => {}
            Err(1009) if !fits => {
                let came = format!("{shown}, after {produced} bytes had been inflated");
                return Err(trial.came(came).named(Mistake::InflatedBeforeAsked));
            }
            Err(1009) => return Err(trial.came(shown).named(Mistake::LimitExclusive)),
            Ok(_) if !fits => return Err(trial.came(shown).named(Mistake::InflatedUnbounded)),
            _ => return Err(trial.came(shown)),
        }
    }
    Ok(())
}
