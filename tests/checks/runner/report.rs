//! The report of a child process about the checks that it runs. However the child ends, the parent can read how far it
//! got.

use super::super::lesson::Lesson;
use super::super::mistakes::Mistake;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

/// Open only in a child process.
static REPORT: OnceLock<Mutex<File>> = OnceLock::new();

pub fn open(path: &Path) -> io::Result<()> {
    let file = File::create(path)?;
    // It is opened once in the life of a process.
    let _ = REPORT.set(Mutex::new(file));
    Ok(())
}

/// Writes each record as a line, at once: an abort leaves no time to flush a buffer.
fn write(record: &Value) {
    if let Some(report) = REPORT.get() {
        let mut file = report.lock().unwrap_or_else(PoisonError::into_inner);
        // If the report cannot be written, the parent makes a card that says so.
        let _ = file.write_all(format!("{record}\n").as_bytes());
    }
}

/// Records the case that is tried next.
pub fn case(sent: &str, expected: &str, why: &str) {
    if REPORT.get().is_some() {
        write(&json!(["case", sent, expected, why]));
    }
}

/// Records the result of the checks of a step.
pub fn verdict(outcome: &Result<(), Lesson>, path: &Path) -> io::Result<()> {
    match outcome {
        Ok(()) => write(&json!(["green"])),
        Err(lesson) => write_red(lesson),
    }
    fs::write(path.with_extension("over"), "")
}

/// Removes the files of a child.
pub fn remove(path: &Path) {
    let _ = fs::remove_file(path);
    let _ = fs::remove_file(path.with_extension("over"));
    let _ = fs::remove_file(path.with_extension("stalled"));
}

/// Notes that this process did not get the processor for a while.
pub fn stalled(path: &Path) -> io::Result<()> {
    fs::write(path.with_extension("stalled"), "")
}

/// Whether a child has noted that.
pub fn is_stalled(path: &Path) -> bool {
    path.with_extension("stalled").exists()
}

fn write_red(lesson: &Lesson) {
    let mistake = lesson.mistake.and_then(|mistake| Mistake::ALL.iter().position(|known| *known == mistake));
    write(&json!(["red", lesson.sent, lesson.expected, lesson.why, lesson.came, mistake, lesson.unwritten]));
}

/// Returns the time at which a child reported its verdict, if it has.
pub fn verdict_since(path: &Path) -> Option<SystemTime> {
    path.with_extension("over").metadata().ok()?.modified().ok()
}

/// How far a child process has got.
pub enum Progress {
    Green,
    Red(Lesson),
    /// It ended during this case.
    Trying(Lesson),
}

pub fn read(path: &Path) -> io::Result<Progress> {
    let text = fs::read_to_string(path)?;
    // An incomplete last line was being written when the process ended.
    let last = text.lines().rev().find_map(|line| serde_json::from_str::<Vec<Value>>(line).ok()).unwrap_or_default();
    let text = |at: usize| last.get(at).and_then(Value::as_str).unwrap_or_default().to_owned();
    let lesson = Lesson {
        sent: text(1),
        expected: text(2),
        // This leaks some dozen texts in the life of the parent.
        why: text(3).leak(),
        came: text(4),
        mistake: last.get(5).and_then(Value::as_u64).and_then(|at| Mistake::ALL.get(at as usize).copied()),
        unwritten: last.get(6).and_then(Value::as_str).map(str::to_owned),
    };
    Ok(match text(0).as_str() {
        "green" => Progress::Green,
        "red" => Progress::Red(lesson),
        _ => Progress::Trying(lesson),
    })
}
