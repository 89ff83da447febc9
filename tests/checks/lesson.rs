//! The result of a check: a lesson, and the card on which it is printed.

use super::mistakes::Mistake;
use super::runner::report;
use super::steps::Step;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The reason why a check failed, for a reader who wants to know what to change.
#[derive(Debug, Clone)]
pub struct Lesson {
    pub sent: String,
    pub expected: String,
    pub came: String,
    /// The rule, with its section of RFC 6455, or of another RFC that it names.
    pub why: &'static str,
    /// The classic mistake that leads to this result.
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

/// A card without a guess is better than a card with a wrong one.
const UNKNOWN: &str = "none that this card knows by its result. Compare the line `came` with the line `expected`.";

const INDENT: usize = 12;
/// The width of the text beside the labels, in a terminal of 100 columns.
const WIDTH: usize = 86;

/// Writes a label and a sentence, broken at spaces; code and bytes in it stay whole.
pub fn line(out: &mut String, label: &str, text: &str) {
    write_line(out, label, &pieces(text, false));
}

/// Writes a label and the bytes or text that were sent or received. A quoted text stays whole too, or is broken after
/// its own line ends.
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

/// Cuts a text at the spaces where a line can end: not within code or bytes, and with `quotes` not within a quotation.
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
    // A piece that is too long for any line is cut after a line end in it, or otherwise at any space.
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

/// A line end as a quoted text shows it.
const LINE_END: &str = "\\n";

/// Cuts a piece that is too long for any line after each line end in it. The closing quotation mark stays with the last
/// line.
fn parts(piece: &str) -> Vec<&str> {
    let last_line_end = piece.rfind(LINE_END).filter(|_| piece.chars().count() > WIDTH);
    let Some(at) = last_line_end else { return vec![piece] };
    let start = piece[..at].rfind(LINE_END).map_or(0, |before| before + LINE_END.len());
    piece[..start].split_inclusive(LINE_END).chain([&piece[start..]]).collect()
}

/// The case that a check is trying at the moment, so that the lesson of a panic or a hang can name it.
pub struct Trial {
    /// The longest wait.
    pub patience: Duration,
    now: Mutex<(String, String, &'static str)>,
    /// The time at which this case began.
    since: Mutex<Instant>,
}

impl Trial {
    pub fn new(patience: Duration) -> Trial {
        Trial { patience, now: Mutex::new((String::new(), String::new(), "")), since: Mutex::new(Instant::now()) }
    }

    /// Begins the next case.
    pub fn case(&self, sent: impl Into<String>, expected: impl Into<String>, why: &'static str) {
        let (sent, expected) = (sent.into(), expected.into());
        report::case(&sent, &expected, why);
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = (sent, expected, why);
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Returns how long this case has run.
    pub fn tried_for(&self) -> Duration {
        self.since.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// Returns the lesson for a result that differs from what was expected.
    pub fn came(&self, came: impl Into<String>) -> Lesson {
        let (sent, expected, why) = self.now.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Lesson { sent, expected, came: came.into(), why, mistake: None, unwritten: None }
    }

    /// Fails unless `came` equals `expected`.
    pub fn equal<T: PartialEq + std::fmt::Debug>(&self, came: T, expected: T) -> Result<(), Lesson> {
        if came == expected { Ok(()) } else { Err(self.came(format!("{came:?}"))) }
    }
}

/// Returns bytes in hex for a card, cut if there are many.
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
