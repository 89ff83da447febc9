//! Steps 09 to 11: Ping and Pong, fragments, UTF-8 (§5.4, §5.5, §5.6). Values, no socket.

use super::lesson::{Lesson, Trial, hex};
use super::mistakes::Mistake;
use super::subject::Subject;
use super::talk::describe;
use super::words::{BINARY, CLOSE, CONTINUATION, Frame, Message, PING, PONG, TEXT};

pub fn frame(fin: bool, opcode: u8, payload: &[u8]) -> Frame {
    Frame { fin, opcode, payload: payload.to_vec() }
}

pub fn shown(frame: &Frame) -> String {
    describe(frame.opcode | if frame.fin { 0x80 } else { 0 }, &frame.payload)
}

// Step 09

pub fn a_ping_is_answered_with_its_bytes(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    // The last two hold all values.
    let values: Vec<u8> = (1..=0xFF).chain([0]).collect();
    let (low, high) = values.split_at(125);
    for payload in [&b"Hello"[..], b"", &[7; 125], b"\xFF\xFE\0\x80", b" x\r\n", low, &high[..125], &high[125..]] {
        let ping = frame(true, PING, payload);
        let expected = [&[0x8A, payload.len() as u8], payload].concat();
        trial.case(
            format!("answer_ping, with {}", shown(&ping)),
            format!("Some of {}", hex(&expected)),
            "§5.5.3: a Pong \"must have identical 'Application data' as found in the message body of the Ping frame\".",
        );
        match (subject.answer_ping)(&ping) {
            Some(came) if came == expected => {}
            Some(came) => {
                let mistake = match came[..] {
                    [0x89, ..] => Some(Mistake::PongIsPing),
                    [0x0A, ..] => Some(Mistake::FinMissing),
                    [0x8A, 0] if !payload.is_empty() => Some(Mistake::PongEmpty),
                    _ if payload.starts_with(b"\xFF") => Some(Mistake::PongRepaired),
                    [0x8A, _, ref rest @ ..] if rest.len() < payload.len() => Some(Mistake::PongCut),
                    _ => None,
                };
                return Err(trial.came(format!("Some of {}", hex(&came))).named(mistake));
            }
            None => return Err(trial.came("None").named(Mistake::PingUnanswered)),
        }
    }
    Ok(())
}

pub fn nothing_else_is_answered(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    for other in [
        frame(true, PONG, b"Hello"),
        frame(true, TEXT, b"Hello"),
        frame(false, CONTINUATION, b"Hel"),
        frame(true, CLOSE, b""),
        frame(true, BINARY, b"Hello"),
        frame(true, PONG, b""),
        frame(false, TEXT, b""),
        frame(true, CONTINUATION, b"lo"),
    ] {
        let why = match other.opcode {
            PONG => "§5.5.3: a Pong can come unasked. \"A response to an unsolicited Pong frame is not expected.\"",
            _ => "§5.5.2: it is a Ping that is answered with a Pong. Other frames are for other functions.",
        };
        trial.case(format!("answer_ping, with {}", shown(&other)), "None", why);
        if let Some(came) = (subject.answer_ping)(&other) {
            let mistake = match other.opcode {
                _ if came.is_empty() => Mistake::PongOfNothing,
                PONG => Mistake::PongToPong,
                _ => Mistake::PongToOther,
            };
            return Err(trial.came(format!("Some of {}", hex(&came))).named(mistake));
        }
    }
    Ok(())
}

// Step 10

type Outcome = Result<Option<Message>, u16>;

pub fn message(opcode: u8, payload: &[u8]) -> Outcome {
    Ok(Some(Message { opcode, payload: payload.to_vec() }))
}

fn outcome_shown(outcome: &Outcome) -> String {
    match outcome {
        Ok(Some(message)) => {
            let kind = match message.opcode {
                TEXT => "text",
                BINARY => "binary",
                _ => "neither text nor binary",
            };
            format!("a message ({kind}): {}", hex(&message.payload))
        }
        Ok(None) => "Ok(None)".to_owned(),
        Err(code) => format!("Err({code})"),
    }
}

/// Gives frames to a new assembler; the second value of each pair is the expected result. An error can be one frame
/// early.
pub fn assemble(
    subject: &Subject,
    trial: &Trial,
    limit: usize,
    frames: &[(Frame, Outcome)],
    why: &'static str,
) -> Result<(), Wrong> {
    trial.case(format!("Assembler::new({limit})"), "an Assembler", why);
    let mut assembler = (subject.assembler)(limit);
    let mut sent = String::new();
    for (at, (frame, expected)) in frames.iter().enumerate() {
        sent += &format!("{}{}", if at > 0 { "; " } else { "Assembler::take, with " }, shown(frame));
        trial.case(&sent, outcome_shown(expected), why);
        let came = assembler(frame.clone());
        let early = expected == &Ok(None) && came.is_err() && frames.last().is_some_and(|(_, last)| last == &came);
        if early {
            return Ok(());
        }
        if &came != expected {
            return Err(Wrong { lesson: trial.came(outcome_shown(&came)), came, at });
        }
    }
    Ok(())
}

/// The result that differs from the expected one.
pub struct Wrong {
    pub lesson: Lesson,
    pub came: Outcome,
    /// At which frame, counted from 0.
    pub at: usize,
}

impl From<Wrong> for Lesson {
    fn from(wrong: Wrong) -> Lesson {
        wrong.lesson
    }
}

pub const NO_LIMIT: usize = 1 << 20;

pub fn one_frame_is_a_message(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "§5.4: \"An unfragmented message consists of a single frame with the FIN bit set ... and an opcode other than 0.\"";
    let frames = [
        (frame(true, TEXT, b"Hello"), message(TEXT, b"Hello")),
        (frame(true, BINARY, b"bytes"), message(BINARY, b"bytes")),
        (frame(true, BINARY, b"\x00\xFF"), message(BINARY, b"\x00\xFF")),
        (frame(true, TEXT, b""), message(TEXT, b"")),
    ];
    assemble(subject, trial, NO_LIMIT, &frames, why).map_err(|wrong| match &wrong.came {
        Ok(Some(message)) if message.payload.starts_with(b"Hello") => wrong.lesson.named(Mistake::MessageNotReset),
        // The assembler has accepted the first frame.
        Err(1002) if wrong.at > 0 => wrong.lesson.named(Mistake::MessageNotReset),
        Ok(None) => wrong.lesson.named(Mistake::WholeMessageKept),
        Ok(Some(message)) if message.payload == b"bytes" => wrong.lesson.named(Mistake::OpcodeOfContinuation),
        // The text before it is valid UTF-8.
        Err(1007) => wrong.lesson.named(Mistake::BinaryChecked),
        _ => wrong.lesson,
    })
}

pub fn fragments_are_put_together(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "§5.4: the first fragment has the opcode and no FIN, the others have opcode 0, the last has FIN.";
    let frames = [
        (frame(false, TEXT, b"Hel"), Ok(None)),
        (frame(false, CONTINUATION, b""), Ok(None)),
        (frame(true, CONTINUATION, b"lo"), message(TEXT, b"Hello")),
        (frame(false, BINARY, b"a"), Ok(None)),
        (frame(true, CONTINUATION, b"b"), message(BINARY, b"ab")),
    ];
    assemble(subject, trial, NO_LIMIT, &frames, why).map_err(|wrong| match &wrong.came {
        Ok(Some(message)) if message.opcode == CONTINUATION => wrong.lesson.named(Mistake::OpcodeOfContinuation),
        Ok(Some(message)) if message.payload == b"Helloab" => wrong.lesson.named(Mistake::MessageNotReset),
        Ok(Some(message)) if message.payload == b"lo" => wrong.lesson.named(Mistake::FirstFragmentLost),
        Ok(Some(_)) if matches!(wrong.at, 0 | 1 | 3) => wrong.lesson.named(Mistake::FinNotAsked),
        Ok(None) => wrong.lesson.named(Mistake::LastFragmentIgnored),
        // The message before it is complete, and this frame begins another.
        Err(1002) if wrong.at == 3 => wrong.lesson.named(Mistake::MessageNotReset),
        Err(_) => wrong.lesson.named(Mistake::GoodFragmentRefused),
        Ok(Some(message)) if message.opcode != if wrong.at < 3 { TEXT } else { BINARY } => {
            wrong.lesson.named(Mistake::OpcodeOfContinuation)
        }
        _ => wrong.lesson,
    })?;
    let frames = [(frame(false, TEXT, b""), Ok(None)), (frame(true, CONTINUATION, b"lo"), message(TEXT, b"lo"))];
    assemble(subject, trial, NO_LIMIT, &frames, why).map_err(|wrong| match wrong.came {
        Err(1002) => wrong.lesson.named(Mistake::EmptyIsOpen),
        _ => wrong.lesson,
    })?;
    // The last one can be empty, and there can be many.
    let empty_end = [(frame(false, BINARY, b"a"), Ok(None)), (frame(true, CONTINUATION, b""), message(BINARY, b"a"))];
    let mut many = vec![(frame(false, BINARY, b"\0"), Ok(None))];
    many.extend((1..300).map(|i| (frame(false, CONTINUATION, &[i as u8]), Ok(None))));
    let all: Vec<u8> = (0..=300).map(|i| i as u8).collect();
    many.push((frame(true, CONTINUATION, &[300_u32 as u8]), message(BINARY, &all)));
    for frames in [&empty_end[..], &many] {
        assemble(subject, trial, NO_LIMIT, frames, why).map_err(|mut wrong| {
            wrong.lesson.sent =
                format!("Assembler::take, with the {} frames of a message, one after the other", wrong.at + 1);
            match wrong.came {
                Ok(None) => wrong.lesson.named(Mistake::LastFragmentIgnored),
                Ok(Some(_)) if wrong.at + 1 < frames.len() => wrong.lesson.named(Mistake::FinNotAsked),
                Ok(Some(_)) => wrong.lesson.named(Mistake::FragmentsLost),
                Err(_) => wrong.lesson.named(Mistake::GoodFragmentRefused),
            }
        })?;
    }
    Ok(())
}

pub fn a_control_frame_may_stand_in_the_middle(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why =
        "§5.4: \"Control frames ... MAY be injected in the middle of a fragmented message.\" They are not part of it.";
    for (opcode, payload) in [(PING, &b"!"[..]), (PONG, b"!"), (CLOSE, b""), (PING, b""), (PONG, b"")] {
        let frames = [
            (frame(false, TEXT, b"Hel"), Ok(None)),
            (frame(true, opcode, payload), Ok(None)),
            (frame(true, CONTINUATION, b"lo"), message(TEXT, b"Hello")),
            (frame(true, opcode, payload), Ok(None)),
        ];
        assemble(subject, trial, NO_LIMIT, &frames, why).map_err(|wrong| match &wrong.came {
            Ok(Some(message)) if message.payload == b"Hel!lo" => wrong.lesson.named(Mistake::PingSpliced),
            Ok(Some(_)) if wrong.at == 3 => wrong.lesson.named(Mistake::ControlIsMessage),
            Err(_) if wrong.at == 3 => wrong.lesson.named(Mistake::ControlNeedsMessage),
            Err(_) if wrong.at == 1 => wrong.lesson.named(Mistake::PingRefused),
            Ok(Some(_)) | Err(_) => wrong.lesson.named(Mistake::PingEndsMessage),
            _ => wrong.lesson,
        })?;
    }
    Ok(())
}

pub fn one_message_is_open_at_a_time(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "§5.4: a continuation continues something, and \"fragments of one message MUST NOT be interleaved\" with another.";
    let nothing = |frames: &[(Frame, Outcome)]| {
        assemble(subject, trial, NO_LIMIT, frames, why).map_err(|wrong| match wrong.came {
            Ok(_) => wrong.lesson.named(Mistake::NothingToContinue),
            Err(_) => wrong.lesson.named(Mistake::ProtocolCode),
        })
    };
    nothing(&[(frame(true, CONTINUATION, b"lo"), Err(1002))])?;
    nothing(&[(frame(false, CONTINUATION, b"lo"), Err(1002))])?;
    nothing(&[(frame(true, TEXT, b"Hello"), message(TEXT, b"Hello")), (frame(true, CONTINUATION, b"lo"), Err(1002))])?;
    for fin in [true, false] {
        // The first fragment can be empty, so "open" and "not empty" are different things.
        for begin in [&b"Hel"[..], b""] {
            let frames = [(frame(false, TEXT, begin), Ok(None)), (frame(fin, TEXT, b"Hello"), Err(1002))];
            assemble(subject, trial, NO_LIMIT, &frames, why).map_err(|wrong| match wrong.came {
                Ok(_) if begin.is_empty() => wrong.lesson.named(Mistake::EmptyIsOpen),
                Ok(_) => wrong.lesson.named(Mistake::MessageInsideMessage),
                Err(_) => wrong.lesson.named(Mistake::ProtocolCode),
            })?;
        }
    }
    Ok(())
}

pub fn each_client_has_messages_of_its_own(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "§5.4: fragments belong to the message of one connection. An Assembler knows of no other.";
    trial.case(
        "two Assemblers, and a text in two fragments for each: \"an\" \"na\", and in between \"bo\" \"bb\"",
        "two texts",
        why,
    );
    let (mut ann, mut bob) = ((subject.assembler)(NO_LIMIT), (subject.assembler)(NO_LIMIT));
    let mut parts = Vec::new();
    for (fin, opcode, ann_says, bob_says) in [(false, TEXT, b"an", b"bo"), (true, CONTINUATION, b"na", b"bb")] {
        parts.push((ann(frame(fin, opcode, ann_says)), bob(frame(fin, opcode, bob_says))));
    }
    let expected = (message(TEXT, b"anna"), message(TEXT, b"bobb"));
    if parts[0] == (Ok(None), Ok(None)) && parts[1] == expected {
        return Ok(());
    }
    let came = parts.iter().map(|(ann, bob)| format!("{}, {}", outcome_shown(ann), outcome_shown(bob)));
    Err(trial.came(came.collect::<Vec<_>>().join("; then ")).named(Mistake::StateShared))
}

// Step 11

const UTF8: &str = "§8.1: a text that is not UTF-8 fails the connection; §7.4.1: with 1007.";

/// Bytes that are not UTF-8, and the reason.
pub const BAD_TEXTS: [(&[u8], &str); 6] = [
    (b"\xFF", "a byte that never occurs"),
    (b"Hello \x80", "a continuation byte of nothing"),
    (b"\xC0\xAF", "a slash in two bytes"),
    (b"\xED\xA0\x80", "a surrogate"),
    (b"\xF4\x90\x80\x80", "above U+10FFFF"),
    (b"\xE2\x82", "a character that is cut short"),
];

const MORE_BAD_TEXTS: [(&[u8], &str); 14] = [
    (b"\x80", "a continuation byte of nothing"),
    (b"Hello \xFE again", "a byte that never occurs, in the middle"),
    (b"\xC1\xBF", "one byte in two"),
    (b"\xE0\x9F\xBF", "two bytes in three"),
    (b"\xF0\x8F\xBF\xBF", "three bytes in four"),
    (b"\xED\xBF\xBF", "the last surrogate"),
    (b"\xF5\x80\x80\x80", "above U+10FFFF"),
    (b"\xE2\x82A", "a character that another cuts short"),
    (b"Hello \xF0\x9F\x91", "a character that is cut short"),
    (b"\xC2", "a character that is cut short"),
    (b"\xC3\x28", "no continuation byte after the first"),
    (b"\xE2\x28\xA1", "no continuation byte after the first"),
    (b"\xF0\x9F\x91A", "no continuation byte at the end"),
    (b"\xF8\x88\x80\x80\x80", "a character of five bytes"),
];

/// The first and the last character of each length, and those that some take for a fault.
const GOOD_TEXTS: [&str; 9] = [
    "",
    "Hello",
    "Grüße, 世界 👋",
    "\0",
    " \t\r\n\u{1F}\u{7F}",
    "\u{80}\u{7FF}\u{800}\u{D7FF}\u{E000}",
    "\u{FFFD}",
    "\u{FEFF}\u{FFFE}\u{FFFF}",
    "\u{10000}\u{10FFFF}",
];

pub fn text_is_utf8(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    for text in GOOD_TEXTS {
        trial.case(format!("check_text, with {text:?}"), "Ok(())", UTF8);
        let lesson = trial.equal((subject.check_text)(text.as_bytes()), Ok(()));
        lesson.map_err(|lesson| lesson.named(Mistake::GoodTextRefused))?;
    }
    for (bytes, what) in BAD_TEXTS.into_iter().chain(MORE_BAD_TEXTS) {
        trial.case(format!("check_text, with {}: {what}", hex(bytes)), "Err(1007)", UTF8);
        match (subject.check_text)(bytes) {
            Err(1007) => {}
            came => {
                let mistake = if came.is_ok() { Mistake::InvalidUtf8Accepted } else { Mistake::TextCode };
                return Err(trial.came(format!("{came:?}")).named(mistake));
            }
        }
    }
    Ok(())
}

pub fn the_message_is_checked_as_a_whole(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "§5.6: a frame \"might include a partial UTF-8 sequence; however, the whole message MUST contain valid UTF-8\".";
    let euro = "€".as_bytes();
    let frames = [
        (frame(false, TEXT, &euro[..1]), Ok(None)),
        (frame(false, CONTINUATION, &euro[1..2]), Ok(None)),
        (frame(true, CONTINUATION, &euro[2..]), message(TEXT, euro)),
    ];
    assemble(subject, trial, NO_LIMIT, &frames, why).map_err(|wrong| match wrong.came {
        Err(_) => wrong.lesson.named(Mistake::Utf8PerFrame),
        _ => wrong.lesson,
    })?;
    let why = "§8.1, and the page: what is passed on is what was sent, to the byte.";
    for text in GOOD_TEXTS {
        let frames = [(frame(true, TEXT, text.as_bytes()), message(TEXT, text.as_bytes()))];
        assemble(subject, trial, NO_LIMIT, &frames, why).map_err(|wrong| match wrong.came {
            Ok(Some(_)) => wrong.lesson.named(Mistake::TextChanged),
            Err(1007) => wrong.lesson.named(Mistake::GoodTextRefused),
            _ => wrong.lesson,
        })?;
    }
    Ok(())
}

pub fn bad_text_does_not_get_through(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    for (bytes, _) in BAD_TEXTS.into_iter().chain(MORE_BAD_TEXTS) {
        let whole = [(frame(true, TEXT, bytes), Err(1007))];
        let cut = [(frame(false, TEXT, &bytes[..1]), Ok(None)), (frame(true, CONTINUATION, &bytes[1..]), Err(1007))];
        // By now `check_text` itself is known to be right.
        for (frames, accepted) in [(&whole[..], Mistake::CheckTextNotCalled), (&cut, Mistake::LastOpcodeAsked)] {
            assemble(subject, trial, NO_LIMIT, frames, UTF8).map_err(|wrong| match &wrong.came {
                Ok(Some(message)) if message.payload != bytes => wrong.lesson.named(Mistake::TextRepaired),
                Ok(Some(_)) => wrong.lesson.named(accepted),
                Err(_) => wrong.lesson.named(Mistake::TextCode),
                _ => wrong.lesson,
            })?;
        }
    }
    let why = "§5.6: binary is \"arbitrary binary data whose interpretation is solely up to the application layer\".";
    let frames = [(frame(true, BINARY, b"\xFF\xFE"), message(BINARY, b"\xFF\xFE"))];
    assemble(subject, trial, NO_LIMIT, &frames, why)
        .map_err(|wrong| wrong.lesson.named((wrong.came == Err(1007)).then_some(Mistake::BinaryChecked)))
}
