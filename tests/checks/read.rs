//! Step 08: frames from a socket, in whatever pieces they arrive.

use super::guard::Task;
use super::lesson::{Lesson, Trial, hex};
use super::mistakes::Mistake;
use super::subject::{ReadOutcome, Subject};
use super::talk::{Talk, connected_pair, masked};
use super::words::{Failure, TEXT};
use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::Duration;

const NO_LIMIT: usize = 1 << 20;
const STREAM: &str = "TCP is a stream of bytes: a read brings half a frame, or three. The rest belongs in the buffer.";

/// The server's side of the connection, with its buffer, which each call of `read_frame` uses again.
struct Side {
    stream: TcpStream,
    buffer: Vec<u8>,
}

fn start(trial: &Trial) -> (Talk<'_>, Side) {
    let (client, server) = connected_pair();
    (Talk::over(trial, client), Side { stream: server, buffer: Vec::new() })
}

fn read(subject: &Subject, mut side: Side) -> Task<(ReadOutcome, Side)> {
    let read_frame = subject.read_frame;
    Task::start(move || {
        let outcome = read_frame(&mut side.stream, &mut side.buffer, NO_LIMIT);
        (outcome, side)
    })
}

fn is_text(outcome: &ReadOutcome, text: &[u8]) -> bool {
    matches!(outcome, Ok(Some(frame)) if frame.fin && frame.opcode == TEXT && frame.payload == text)
}

fn shown(outcome: &ReadOutcome) -> String {
    match outcome {
        Ok(Some(frame)) => super::talk::describe(0x80 | frame.opcode, &frame.payload),
        Err(Failure::Io(error)) => format!("Err(Io({:?}))", error.kind()),
        other => format!("{other:?}"),
    }
}

pub fn a_frame_is_read(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    trial.case("a text frame \"Hello\"", "read_frame returns it", STREAM);
    let (mut talk, side) = start(trial);
    talk.send(&masked(0x81, b"Hello"));
    let (outcome, side) = read(subject, side).finish(trial)?;
    if !is_text(&outcome, b"Hello") {
        return Err(trial.came(shown(&outcome)));
    }
    trial.case("a text frame \"Hello\", and read_frame has returned it", "afterwards the buffer is empty", STREAM);
    if side.buffer.is_empty() {
        return Ok(());
    }
    let zeros = side.buffer.iter().all(|&byte| byte == 0);
    Err(trial.came(format!("it holds {}", hex(&side.buffer))).named(zeros.then_some(Mistake::WholeArrayTaken)))
}

pub fn a_long_frame_is_read(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    // Two of them have 1024 and 4096 bytes with their headers, which is the size of many an array.
    for length in [200_000, 0, 1024 - 8, 4096 - 8] {
        let payload = vec![7; length];
        trial.case(format!("a binary frame of {length} bytes"), "read_frame returns it", STREAM);
        let (mut talk, side) = start(trial);
        let task = read(subject, side);
        talk.send(&masked(0x82, &payload));
        let outcome = task.finish(trial).map_err(|lesson| match lesson.mistake {
            Some(Mistake::Hangs) if length != 200_000 => lesson.named(Mistake::FullArrayGoesOn),
            _ => lesson,
        })?;
        match outcome.0 {
            Ok(Some(frame)) if frame.fin && frame.opcode == 2 && frame.payload == payload => {}
            outcome => return Err(trial.came(shown(&outcome)).named(Mistake::OneReadOneFrame)),
        }
    }
    Ok(())
}

pub fn a_frame_may_come_in_pieces(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let frame = masked(0x81, b"Hello");
    for cut in [1, 4, 8] {
        trial.case(
            format!("{cut} of a frame's {} bytes, after a pause the rest", frame.len()),
            "read_frame waits for the rest, then returns the frame",
            STREAM,
        );
        let (mut talk, side) = start(trial);
        let task = read(subject, side);
        talk.send(&frame[..cut]);
        // After this pause a read returns the first part alone.
        talk.look_for(Duration::from_millis(40));
        talk.send(&frame[cut..]);
        let (outcome, _) = task.finish(trial)?;
        if !is_text(&outcome, b"Hello") {
            let lesson = trial.came(shown(&outcome));
            let mistake = match &outcome {
                Err(Failure::Io(error)) if error.kind() == ErrorKind::WouldBlock => Mistake::NotBlocking,
                _ if loses_earlier_bytes(subject, trial) => {
                    return Err(lesson.named(Mistake::EarlierBytesLost));
                }
                // The rest of an array, as 0, makes a header that nobody has sent.
                Err(Failure::Close(1002)) => Mistake::OtherBytesRead,
                _ => Mistake::OneReadOneFrame,
            };
            return Err(lesson.named(mistake));
        }
    }
    Ok(())
}

/// Whether the bytes of a second read are taken for a frame of their own. They would be one, if nothing was before.
fn loses_earlier_bytes(subject: &Subject, trial: &Trial) -> bool {
    let second = masked(0x81, b"lost");
    trial.case(
        "the header of a binary frame, after a pause its payload, which looks like a text frame",
        "read_frame waits for the rest, then returns the binary frame",
        STREAM,
    );
    let (mut talk, side) = start(trial);
    let task = read(subject, side);
    talk.send(&[0x82, 0x80 | second.len() as u8, 0, 0, 0, 0]);
    talk.look_for(Duration::from_millis(40));
    talk.send(&second);
    task.finish(trial).is_ok_and(|(outcome, _)| is_text(&outcome, b"lost"))
}

pub fn what_comes_together_is_not_lost(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let (mut talk, mut side) = start(trial);
    let texts = [&b"one"[..], b"three", b"two"];
    talk.send(&texts.iter().flat_map(|text| masked(0x81, text)).collect::<Vec<u8>>());
    for (at, text) in texts.into_iter().enumerate() {
        trial.case(
            "the frames \"one\", \"three\" and \"two\" in one segment",
            format!("call {} of read_frame returns {:?}", at + 1, String::from_utf8_lossy(text)),
            STREAM,
        );
        let task = read(subject, side);
        let (outcome, after) = task.finish(trial).map_err(|lesson| match lesson.mistake {
            Some(Mistake::Hangs) if at > 0 => {
                // Finds out whether it still has the frame, and was only waiting for another read.
                talk.send(&masked(0x81, b"later"));
                let has_it = task.finish(trial).is_ok_and(|(outcome, _)| is_text(&outcome, text));
                lesson.named(if has_it { Mistake::ReadBeforeBuffer } else { Mistake::LeftoverDropped })
            }
            _ => lesson,
        })?;
        if !is_text(&outcome, text) {
            return Err(trial.came(shown(&outcome)));
        }
        side = after;
    }
    Ok(())
}

pub fn a_timeout_loses_nothing(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let frame = masked(0x81, b"Hello");
    for cut in [1, 8, 0] {
        trial.case(
            format!("{cut} of a frame's {} bytes; the socket has a read timeout of 40 ms", frame.len()),
            "Err(Failure::Io) of kind WouldBlock or TimedOut",
            "A read timeout is an error: WouldBlock on Unix, TimedOut on Windows. The frame is still on its way.",
        );
        let (mut talk, side) = start(trial);
        side.stream.set_read_timeout(Some(Duration::from_millis(40))).expect("set_read_timeout");
        talk.send(&frame[..cut]);
        let (outcome, side) = read(subject, side).finish(trial).map_err(|lesson| match lesson.mistake {
            Some(Mistake::Hangs) => lesson.named(Mistake::TimeoutSwallowed),
            _ => lesson,
        })?;
        match &outcome {
            Err(Failure::Io(error)) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Ok(None) => return Err(trial.came(shown(&outcome)).named(Mistake::TimeoutIsEnd)),
            _ => return Err(trial.came(shown(&outcome)).named(Mistake::OneReadOneFrame)),
        }
        trial.case(
            format!("{cut} of a frame's {} bytes, a timeout, then the rest", frame.len()),
            "the next call of read_frame returns the frame",
            STREAM,
        );
        side.stream.set_read_timeout(Some(trial.patience / 2)).expect("set_read_timeout");
        talk.send(&frame[cut..]);
        let (outcome, _) = read(subject, side).finish(trial)?;
        if !is_text(&outcome, b"Hello") {
            return Err(trial.came(shown(&outcome)).named(Mistake::PartialLost));
        }
    }
    Ok(())
}

pub fn the_end_of_the_stream_is_told(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "A read of 0 bytes means that the client has closed its side: nothing more will follow.";
    let whole = masked(0x81, b"Hello");
    for (sent, bytes) in [("nothing", &b""[..]), ("half a frame", b"\x81\x85\x37"), ("a whole frame", &whole)] {
        let (mut talk, mut side) = start(trial);
        talk.send(bytes);
        talk.hang_up();
        if bytes == whole {
            trial.case("the frame \"Hello\", then the end of the stream", "read_frame returns the frame", why);
            let (outcome, after) = read(subject, side).finish(trial)?;
            if !is_text(&outcome, b"Hello") {
                return Err(trial.came(shown(&outcome)).named(Mistake::LastFrameLost));
            }
            side = after;
        }
        let after = if bytes == whole { ", and read_frame has returned the frame" } else { "" };
        trial.case(format!("{sent}, then the end of the stream{after}"), "Ok(None), or within a frame an error", why);
        let (outcome, _) = read(subject, side).finish(trial).map_err(|lesson| match lesson.mistake {
            Some(Mistake::Hangs) => lesson.named(Mistake::EndIgnored),
            _ => lesson,
        })?;
        match outcome {
            Ok(None) => {}
            Err(Failure::Io(_)) if sent == "half a frame" => {}
            _ => {
                let mistake = match outcome {
                    Ok(Some(_)) | Err(Failure::Close(_)) => Mistake::EndIsNoClose,
                    _ => Mistake::EndIsNoError,
                };
                return Err(trial.came(shown(&outcome)).named(mistake));
            }
        }
    }
    Ok(())
}

pub fn a_broken_rule_is_passed_on(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    trial.case(
        "a frame without a mask",
        "Err(Failure::Close(1002))",
        "The error of take_frame goes up to the caller: `?` does it.",
    );
    let (mut talk, side) = start(trial);
    talk.send(b"\x81\x05Hello");
    match read(subject, side).finish(trial)?.0 {
        Err(Failure::Close(1002)) => Ok(()),
        outcome => Err(trial.came(shown(&outcome)).named(Mistake::CodeNotPassedOn)),
    }
}
