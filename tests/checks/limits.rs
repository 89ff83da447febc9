//! Step 12: whatever a client sends, the memory for it has a bound (§10.4).

use super::guard::Task;
use super::lesson::{Lesson, Trial, hex};
use super::message::{assemble, frame, message};
use super::mistakes::Mistake;
use super::subject::Subject;
use super::talk::{Talk, connected_pair};
use super::words::{BINARY, CONTINUATION, Failure, PING, TEXT};
use std::sync::Arc;

const LIMIT: &str =
    "§10.4: a limit for the \"total message size after reassembly from multiple frames\"; §7.4.1: too big is 1009.";

pub fn the_size_has_a_limit(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let cases = [
        (0, 0, 10, true),
        (0, 10, 10, true),
        (10, 0, 10, true),
        (7, 3, 10, true),
        (0, 11, 10, false),
        (7, 4, 10, false),
        (10, 1, 10, false),
        (0, 0, 0, true),
        (0, 1, 0, false),
        (0, 20_000_000, 20_000_000, true),
        (7, u64::MAX >> 1, usize::MAX, true),
    ];
    for (so_far, more, limit, fits) in cases {
        let expected = if fits { Ok(()) } else { Err(1009) };
        trial.case(format!("check_size({so_far}, {more}, {limit})"), format!("{expected:?}"), LIMIT);
        let check_size = subject.check_size;
        let came = Task::start(move || check_size(so_far, more, limit)).finish(trial)?;
        let mistake = match came {
            Err(1009) if limit == usize::MAX => Mistake::SumOverflows,
            Err(1009) if so_far + more as usize == limit => Mistake::LimitExclusive,
            Ok(()) if so_far > 0 && more as usize <= limit => Mistake::SoFarIgnored,
            Ok(()) | Err(1009) => Mistake::LimitIgnored,
            Err(_) => Mistake::SizeCode,
        };
        trial.equal(came, expected).map_err(|lesson| lesson.named(mistake))?;
    }
    // The greatest length that a header can hold, and one that a cast to a smaller type would turn into 0.
    for more in [u64::MAX >> 1, u64::MAX, 1 << 32, 1 << 63, 1 << 31, 1 << 16, 1 << 8] {
        trial.case(format!("check_size(7, {more}, 10)"), "Err(1009)", LIMIT);
        let check_size = subject.check_size;
        let came = Task::start(move || check_size(7, more, 10)).finish(trial).map_err(|lesson| {
            if lesson.came.contains("overflow") { lesson.named(Mistake::SumOverflows) } else { lesson }
        })?;
        if came != Err(1009) {
            return Err(trial.came(format!("{came:?}")).named(Mistake::SumOverflows));
        }
    }
    Ok(())
}

/// Runs a check in which a panic can be that of `limit - so_far`.
fn subtracting(
    subject: &Subject,
    trial: &Trial,
    check: fn(&Subject, &Trial) -> Result<(), Lesson>,
) -> Result<(), Lesson> {
    let (subject, own) = (*subject, Arc::new(Trial::new(trial.patience)));
    let its_trial = Arc::clone(&own);
    let outcome = Task::start(move || check(&subject, &its_trial)).finish(&own);
    outcome.map_err(|lesson| match lesson.came.contains("subtract with overflow") {
        true => lesson.named(Mistake::MoreThanLimit),
        false => lesson,
    })?
}

pub fn the_announced_length_is_not_believed(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    subtracting(subject, trial, announced_lengths)
}

fn announced_lengths(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "§10.4: the header says how many bytes the payload has. Not one of them has arrived, and none should be waited for.";
    // The last length exceeds the memory of any machine. The other frames of data can announce as much.
    let lengths = [1001_u64, 1 << 30, u64::MAX >> 1];
    let others = [0x80, 0x00, 0x81, 0x01, 0x02].into_iter().flat_map(|first| lengths.map(|length| (first, length)));
    for (first, announced) in lengths.map(|length| (0x82, length)).into_iter().chain(others) {
        let mut buffer = vec![first];
        match announced {
            1001 => buffer.extend([0xFE, 0x03, 0xE9]),
            _ => buffer.extend([&[0xFF][..], &announced.to_be_bytes()].concat()),
        }
        trial.case(
            format!(
                "take_frame, with limit 1000 and the buffer {}: a header that announces {announced} bytes",
                hex(&buffer)
            ),
            "Err(1009), and no room made for them",
            why,
        );
        match (subject.take_frame)(&mut buffer, 1000) {
            Err(1009) => {}
            // By now a binary frame with FIN is known to be refused.
            came @ Ok(_) if first != 0x82 => {
                return Err(trial.came(format!("{came:?}")).named(Mistake::LimitForSomeOpcodes));
            }
            came => return Err(trial.came(format!("{came:?}")).named(Mistake::AnnouncedBelieved)),
        }
    }
    let mut buffer = super::talk::masked(0x82, &[7; 1000]);
    trial.case("take_frame, with limit 1000 and a frame of 1000 bytes", "Ok(Some(...))", LIMIT);
    match (subject.take_frame)(&mut buffer, 1000) {
        Ok(Some(_)) => two_frames_may_be_over_it(subject, trial),
        came => {
            // One of 600 bytes fits in any case, unless what is in the buffer counts too.
            let small = (subject.take_frame)(&mut super::talk::masked(0x82, &[7; 600]), 1000);
            let less = (subject.take_frame)(&mut super::talk::masked(0x82, &[7; 999]), 1000);
            let mistake = match (small, less) {
                (Err(1009), _) => Mistake::MoreThanLimit,
                (_, Err(1009)) => Mistake::HeaderCounted,
                _ => Mistake::LimitExclusive,
            };
            Err(trial.came(format!("{came:?}")).named((came == Err(1009)).then_some(mistake)))
        }
    }
}

/// Puts two frames into the buffer; each of them is within the limit.
fn two_frames_may_be_over_it(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let frame = super::talk::masked(0x82, &[7; 600]);
    let mut buffer = [&frame[..], &frame].concat();
    trial.case("take_frame, with limit 1000 and two frames of 600 bytes in the buffer", "Ok(Some(...))", LIMIT);
    match (subject.take_frame)(&mut buffer, 1000) {
        Ok(Some(_)) => Ok(()),
        came => Err(trial.came(format!("{came:?}")).named((came == Err(1009)).then_some(Mistake::BufferCounted))),
    }
}

pub fn the_limit_is_handed_on(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "§10.4: the limit is the caller's. read_frame hands it on to take_frame.";
    for (limit, length) in [(1000, 1001), (100, 101)] {
        let (client, mut server) = connected_pair();
        let mut talk = Talk::over(trial, client);
        trial.case(
            format!("read_frame, with limit {limit} and a frame of {length} bytes"),
            "Err(Failure::Close(1009))",
            why,
        );
        talk.send(&super::talk::masked(0x82, &vec![7; length]));
        let read_frame = subject.read_frame;
        let task = Task::start(move || read_frame(&mut server, &mut Vec::new(), limit));
        match task.finish(trial)? {
            Err(Failure::Close(1009)) => {}
            Ok(Some(frame)) => {
                let came = format!("a frame of {} bytes", frame.payload.len());
                return Err(trial.came(came).named(Mistake::LimitNotHandedOn));
            }
            other @ Err(Failure::Close(_)) => {
                return Err(trial.came(format!("{other:?}")).named(Mistake::CodeNotPassedOn));
            }
            other => return Err(trial.came(format!("{other:?}"))),
        }
    }
    let (client, mut server) = connected_pair();
    let mut talk = Talk::over(trial, client);
    trial.case("read_frame, with limit 1000 and a frame of 1000 bytes", "Ok(Some(...))", why);
    talk.send(&super::talk::masked(0x82, &[7; 1000]));
    let read_frame = subject.read_frame;
    match Task::start(move || read_frame(&mut server, &mut Vec::new(), 1000)).finish(trial)? {
        Ok(Some(_)) => Ok(()),
        other => Err(trial.came(format!("{other:?}")).named(Mistake::LimitNotHandedOn)),
    }
}

pub fn the_limit_is_for_the_message(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    subtracting(subject, trial, fragments)
}

fn fragments(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let part = |fin, opcode, length| frame(fin, opcode, &vec![7; length]);
    let fits = [
        (part(false, BINARY, 60), Ok(None)),
        (part(true, PING, 100), Ok(None)),
        (part(true, CONTINUATION, 40), message(BINARY, &[7; 100])),
        (part(true, BINARY, 100), message(BINARY, &[7; 100])),
    ];
    let still_fine = "§10.4: 100 bytes are still fine, and a Ping does not count.";
    let counted = |fits: &[_], mistake: Mistake| {
        assemble(subject, trial, 100, fits, still_fine)
            .map_err(|wrong| wrong.lesson.named((wrong.came == Err(1009)).then_some(mistake)))
    };
    counted(&fits[3..], Mistake::LimitExclusive).map_err(|lesson| {
        // One of 60 bytes fits in any case, unless it is counted twice.
        let half = (subject.assembler)(100)(part(true, BINARY, 60));
        let twice = lesson.mistake.is_some() && half == Err(1009);
        if twice { lesson.named(Mistake::CountedTwice) } else { lesson }
    })?;
    counted(&fits, Mistake::ControlCounted)?;
    for (fin, opcode) in [(false, BINARY), (true, BINARY), (false, TEXT), (true, TEXT)] {
        let too_big = [
            (part(false, opcode, 60), Ok(None)),
            (part(false, CONTINUATION, 40), Ok(None)),
            (part(fin, CONTINUATION, 1), Err(1009)),
        ];
        assemble(subject, trial, 100, &too_big, LIMIT).map_err(|wrong| match wrong.came {
            Ok(_) => wrong.lesson.named(Mistake::FragmentsUnbounded),
            Err(_) => wrong.lesson.named(Mistake::SizeCode),
        })?;
        assemble(subject, trial, 100, &[(part(fin, opcode, 101), Err(1009))], LIMIT).map_err(|wrong| {
            match wrong.came {
                Ok(_) => wrong.lesson.named(Mistake::FirstUnbounded),
                Err(_) => wrong.lesson.named(Mistake::SizeCode),
            }
        })?;
    }
    Ok(())
}
