//! The ways in which your code can end a whole process, and the lesson for each.

use super::super::course;
use super::super::guard;
use super::super::lesson::Lesson;
use super::super::mistakes::Mistake;
use super::child::End;
use std::fs;
use std::process::ExitStatus;

/// The beginnings of the standard library's message before it aborts.
const LAST_WORDS: [&str; 3] = ["memory allocation of ", "\nthread '", "fatal runtime error: "];

/// Returns where the standard library's last words begin, or the end of the output. The output of your code is before
/// that.
pub fn last_words(printed: &[u8]) -> usize {
    let begins = |at: &usize| LAST_WORDS.iter().any(|words| printed[*at..].starts_with(words.as_bytes()));
    (0..printed.len()).find(begins).unwrap_or(printed.len())
}

/// Returns the lesson for a process that has ended while it tried `lesson`. `complained` is what it wrote to stderr.
pub fn lesson(lesson: Lesson, end: End, complained: &[u8]) -> Lesson {
    let complained = String::from_utf8_lossy(complained);
    let line = |text: &str| complained.lines().find(|line| line.contains(text)).map(str::to_owned);
    let (came, mistake) = match end {
        End::Talkative => ("more than 1 MiB of output, and no end of it".to_owned(), Mistake::PrintsForEver),
        End::Silent => ("nothing: the process had to be ended".to_owned(), Mistake::LoopsForEver),
        End::Itself(_) if complained.contains("has overflowed its stack") => {
            ("the end of the process: the stack of a thread is full".to_owned(), Mistake::StackOverflows)
        }
        End::Itself(status) => match line("memory allocation of ") {
            Some(said) => {
                let place = guard::your_line(&complained).map_or(String::new(), |place| format!(", at {place}"));
                (format!("the end of the process: {}{place}", said.trim()), Mistake::MemoryRunsOut)
            }
            None => ended(status, complained.trim().lines().next_back().unwrap_or_default()),
        },
    };
    Lesson { came, ..lesson }.named(mistake)
}

fn ended(status: ExitStatus, last: &str) -> (String, Mistake) {
    let said = if last.is_empty() { String::new() } else { format!("; its last words: {last}") };
    match (signal(status), status.code()) {
        (Some(name), _) => (format!("the end of the process by the signal {name}{said}"), Mistake::ProcessAborted),
        // Windows has such numbers where other systems have signals.
        (None, Some(code)) if !(0..256).contains(&code) => {
            (format!("the end of the process with the status {code:#x}{said}"), Mistake::ProcessAborted)
        }
        (None, code) => {
            let code = code.map_or("no exit code".to_owned(), |code| format!("exit code {code}"));
            (format!("the end of the process with {code}{}", places_of_exit()), Mistake::ProcessExits)
        }
    }
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<String> {
    let number = std::os::unix::process::ExitStatusExt::signal(&status)?;
    Some(nix::sys::signal::Signal::try_from(number).map_or(number.to_string(), |signal| signal.as_str().to_owned()))
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> Option<String> {
    None
}

/// Lists the places where your files call `exit`.
fn places_of_exit() -> String {
    let files = fs::read_dir(course::root().join("tests/my_server")).into_iter().flatten().flatten();
    let mut places = Vec::new();
    for file in files {
        let text = fs::read_to_string(file.path()).unwrap_or_default();
        let lines =
            text.lines().enumerate().filter(|(_, line)| line.contains("exit(") && !line.trim().starts_with("//"));
        places
            .extend(lines.map(|(at, _)| format!("tests/my_server/{}:{}", file.file_name().to_string_lossy(), at + 1)));
    }
    places.sort();
    if places.is_empty() { String::new() } else { format!("; `exit` is called at {}", places.join(" and ")) }
}
