//! What a check has to say: a lesson, and the card on which it is printed.

use super::mistakes::Mistake;
use super::runner::report;
use super::steps::Step;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Why a check failed, for somebody who wants to know what to change.
#[derive(Debug, Clone)]
pub struct Lesson {
    pub sent: String,
    pub expected: String,
    pub came: String,
    /// The rule, with its section of RFC 6455, or with the name of another RFC.
    pub why: &'static str,
    /// The classic mistake that the answer bears the signature of.
    pub mistake: Option<Mistake>,
    /// The number of the step whose stub is still there.
    pub unwritten: Option<String>,
}

impl Lesson {
    pub fn named(mut self, mistake: impl Into<Option<Mistake>>) -> Lesson {
        self.mistake = mistake.into();
        self
    }

    /// The card of a step that is not done.
    pub fn card(&self, step: &Step) -> String {
        let mut card = String::new();
        match &self.unwritten {
            Some(number) if number != step.number => line(&mut card, "to do", &format!("first step {number}")),
            Some(_) => line(&mut card, "to do", step.task),
            None => {}
        }
        data_line(&mut card, "sent", &self.sent);
        data_line(&mut card, "expected", &self.expected);
        data_line(&mut card, "came", &self.came);
        match self.mistake {
            Some(mistake) => line(&mut card, "mistake", mistake.sentence()),
            None if self.unwritten.is_none() => line(&mut card, "mistake", UNKNOWN),
            None => {}
        }
        line(&mut card, "why", self.why);
        line(&mut card, "edit", &format!("tests/my_server/{}: {}", step.file, step.functions));
        line(&mut card, "read", &step.page());
        line(&mut card, "stuck?", &format!("cargo steps --hint {}", step.number));
        card
    }
}

/// No guess is better than a wrong one.
const UNKNOWN: &str = "none that this card knows by its result. Compare what came with what was expected.";

const INDENT: usize = 12;
/// The text beside the labels, in a terminal of 100 columns.
const WIDTH: usize = 86;

/// A label and a sentence, broken at spaces; code and bytes in it stay whole.
pub fn line(out: &mut String, label: &str, text: &str) {
    write_line(out, label, &pieces(text, false));
}

/// A label and what was sent or came: a quoted text stays whole too, or has a line for each of its own lines.
fn data_line(out: &mut String, label: &str, text: &str) {
    write_line(out, label, &pieces(text, true));
}

fn write_line(out: &mut String, label: &str, pieces: &[String]) {
    let _ = write!(out, "  {label:<10}");
    let mut column = 0;
    for (i, piece) in pieces.iter().enumerate() {
        for (j, part) in parts(piece).into_iter().enumerate() {
            let length = part.chars().count();
            if j > 0 || (i > 0 && column + 1 + length > WIDTH) {
                let _ = write!(out, "\n{:INDENT$}", "");
                column = 0;
            } else if i > 0 {
                out.push(' ');
                column += 1;
            }
            out.push_str(part);
            column += length;
        }
    }
    out.push('\n');
}

/// Cuts a text at the spaces where a line may end: not within code or bytes, and with `quotes` not within a quote.
fn pieces(text: &str, quotes: bool) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match pieces.last_mut() {
            Some(piece) if stays_whole(piece, word, quotes) => {
                piece.push(' ');
                piece.push_str(word);
            }
            _ => pieces.push(word.to_owned()),
        }
    }
    // What fits on no line ends where it may: behind a line end, or else at any space.
    let too_long = |piece: &String| piece.chars().count() > WIDTH && !piece.contains(LINE_END);
    pieces
        .into_iter()
        .flat_map(|piece| match too_long(&piece) {
            true => piece.split(' ').map(str::to_owned).collect(),
            false => vec![piece],
        })
        .collect()
}

fn stays_whole(piece: &str, word: &str, quotes: bool) -> bool {
    let is_open = |mark: char| piece.replace("\\\"", "").matches(mark).count() % 2 == 1;
    let is_byte = |word: &str| word.len() == 2 && word.bytes().all(|digit| digit.is_ascii_hexdigit());
    let bytes = piece.rsplit(' ').next().is_some_and(is_byte) && (is_byte(word) || word == "...");
    let pair = piece.ends_with("\",") && word.starts_with('"');
    bytes || is_open('`') || quotes && (pair || is_open('"') || word.starts_with('}'))
}

/// The end of a line as a quoted text shows it.
const LINE_END: &str = "\\n";

/// A piece that fits on no line, cut behind each line end in it. What closes the quote stays with the last line.
fn parts(piece: &str) -> Vec<&str> {
    let last_line_end = piece.rfind(LINE_END).filter(|_| piece.chars().count() > WIDTH);
    let Some(at) = last_line_end else { return vec![piece] };
    let start = piece[..at].rfind(LINE_END).map_or(0, |before| before + LINE_END.len());
    piece[..start].split_inclusive(LINE_END).chain([&piece[start..]]).collect()
}

/// What a check is trying at the moment, so that a panic or a hang can be told with it.
pub struct Trial {
    /// No wait is longer.
    pub patience: Duration,
    now: Mutex<(String, String, &'static str)>,
    /// When it began to be tried.
    since: Mutex<Instant>,
}

impl Trial {
    pub fn new(patience: Duration) -> Trial {
        Trial { patience, now: Mutex::new((String::new(), String::new(), "")), since: Mutex::new(Instant::now()) }
    }

    /// The next thing to be tried.
    pub fn case(&self, sent: impl Into<String>, expected: impl Into<String>, why: &'static str) {
        let (sent, expected) = (sent.into(), expected.into());
        report::case(&sent, &expected, why);
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = (sent, expected, why);
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// How long this has been tried.
    pub fn tried_for(&self) -> Duration {
        self.since.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// The lesson from what came instead of what was expected.
    pub fn came(&self, came: impl Into<String>) -> Lesson {
        let (sent, expected, why) = self.now.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Lesson { sent, expected, came: came.into(), why, mistake: None, unwritten: None }
    }

    /// Fails unless `came` is what is expected.
    pub fn equal<T: PartialEq + std::fmt::Debug>(&self, came: T, expected: T) -> Result<(), Lesson> {
        if came == expected { Ok(()) } else { Err(self.came(format!("{came:?}"))) }
    }
}

/// Bytes for people: in hex, and cut if there are many.
pub fn hex(bytes: &[u8]) -> String {
    const SHOWN: usize = 20;
    let mut text: String = bytes.iter().take(SHOWN).map(|byte| format!("{byte:02x} ")).collect();
    match bytes.len() {
        0 => text += "no bytes",
        1..=SHOWN => {
            text.pop();
        }
        length => {
            let _ = write!(text, "... ({length} bytes)");
        }
    }
    text
}
