//! What a check has to say: a lesson, and the card on which it is printed.

use super::mistakes::Mistake;
use super::steps::Step;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Why a check failed, for somebody who wants to know what to change.
#[derive(Debug, Clone)]
pub struct Lesson {
    pub sent: String,
    pub expected: String,
    pub came: String,
    /// The rule, with its section of RFC 6455.
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
        line(&mut card, "sent", &self.sent);
        line(&mut card, "expected", &self.expected);
        line(&mut card, "came", &self.came);
        if let Some(mistake) = self.mistake {
            line(&mut card, "mistake", mistake.sentence());
        }
        line(&mut card, "why", self.why);
        line(&mut card, "edit", &format!("tests/my_server/{}: {}", step.file, step.functions));
        line(&mut card, "read", &format!("{} (the task), then docs/{}.md (the chapter)", step.page(), step.chapter));
        line(&mut card, "stuck?", &format!("cargo steps --hint {}", step.number));
        card
    }
}

/// A label and a text, broken at spaces to fit a terminal of 100 columns.
pub fn line(out: &mut String, label: &str, text: &str) {
    const INDENT: usize = 12;
    const WIDTH: usize = 98;
    let mut column = INDENT;
    let _ = write!(out, "  {label:<10}");
    for (i, word) in text.split(' ').enumerate() {
        if i > 0 && column + 1 + word.chars().count() > WIDTH {
            let _ = write!(out, "\n{:INDENT$}", "");
            column = INDENT;
        } else if i > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += word.chars().count();
    }
    out.push('\n');
}

/// What a check is trying at the moment, so that a panic or a hang can be told with it.
pub struct Trial {
    /// No wait is longer.
    pub patience: Duration,
    now: Mutex<(String, String, &'static str)>,
}

impl Trial {
    pub fn new(patience: Duration) -> Trial {
        Trial { patience, now: Mutex::new((String::new(), String::new(), "")) }
    }

    /// The next thing to be tried.
    pub fn case(&self, sent: impl Into<String>, expected: impl Into<String>, why: &'static str) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = (sent.into(), expected.into(), why);
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
