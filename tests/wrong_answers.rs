//! Every wrong answer fails, with the card that names its mistake. The cards are kept in `tests/checks/cards/` and
//! compared letter by letter; `UPDATE_CARDS=1 cargo test --test wrong_answers -- --include-ignored` rewrites them.

mod checks;
#[path = "checks/adapter/mod.rs"]
mod my_server;
#[path = "checks/wrong/mod.rs"]
mod wrong;

use checks::course::root;
use checks::lesson::Lesson;
use checks::mistakes::Mistake;
use checks::runner::child;
use checks::steps::{STEPS, find};
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use wrong::{BOUNDED_ENDINGS, ENDINGS, WRONG_ANSWERS, WrongAnswer};

/// Some wrong answers can be seen only by a reply that does not arrive, so each check must wait this long.
const PATIENCE: Duration = Duration::from_millis(if cfg!(windows) { 1200 } else { 700 });

/// Returns the card of a wrong answer and the number of the check that made it, or why there is no card.
fn card(wrong: &WrongAnswer, checks: Range<usize>, patience: Duration) -> Result<(usize, String), String> {
    let step = find(wrong.step).expect("a step of this number");
    for at in checks {
        let outcome = step.run_check(at, wrong.subject, patience);
        if outcome.is_err() {
            return judge(wrong, outcome).map(|card| (at, card));
        }
    }
    Err("no check noticed it".to_owned())
}

fn judge(wrong: &WrongAnswer, outcome: Result<(), Lesson>) -> Result<String, String> {
    let Err(lesson) = outcome else { return Err("no check noticed it".to_owned()) };
    let card = lesson.card(find(wrong.step).expect("a step of this number"));
    match lesson.mistake {
        Some(mistake) if mistake == wrong.mistake => Ok(card),
        other => Err(format!("the card names {other:?}, not {:?}:\n{card}", wrong.mistake)),
    }
}

/// Removes line numbers from a card, because they change with every edit of another answer. No card shows a port.
fn without_line_numbers(card: &str) -> String {
    let mut parts = card.split(".rs:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + ".rs:" + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}

/// Compares a card with the one that is kept in the folder.
fn compare(wrong: &WrongAnswer, card: &str) -> Result<(), String> {
    let path = root().join(format!("tests/checks/cards/{}-{}.txt", wrong.step, wrong.name));
    if std::env::var_os("UPDATE_CARDS").is_some() {
        return fs::write(&path, card).map_err(|error| error.to_string());
    }
    let kept = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    if kept == card { Ok(()) } else { Err(format!("{} differs; the card now:\n{card}", path.display())) }
}

/// All wrong answers, including those that need a process of their own.
fn all() -> impl Iterator<Item = &'static WrongAnswer> {
    WRONG_ANSWERS.iter().chain(ENDINGS).chain(BOUNDED_ENDINGS)
}

/// The number of the check that catches each wrong answer. Only the full run uses the checks before it.
fn catching_checks() -> BTreeMap<String, usize> {
    let text = fs::read_to_string(catching_path()).expect("the list of checks");
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    pairs.map(|(name, at)| (name.to_owned(), at.parse().expect("a number"))).collect()
}

fn catching_path() -> PathBuf {
    root().join("tests/checks/catching_checks.txt")
}

/// Runs `call` for each answer, several at a time, because most of the time is spent waiting for a reply that never
/// arrives.
fn in_parallel<T: Send>(
    answers: &[&'static WrongAnswer],
    at_once: usize,
    call: impl Fn(&'static WrongAnswer) -> T + Sync,
) -> Vec<(&'static WrongAnswer, T)> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut outcomes = Vec::new();
        while let Some(wrong) = answers.get(next.fetch_add(1, Ordering::Relaxed)) {
            outcomes.push((*wrong, call(wrong)));
        }
        outcomes
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..at_once.min(answers.len())).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic in a check")).collect()
    })
}

/// Returns the answers whose card is wrong, with the reason. All these threads can disturb each other, so failed
/// answers are tried again with fewer threads, and then alone.
fn failures(
    mut left: Vec<&'static WrongAnswer>,
    run: impl Fn(&'static WrongAnswer, Duration) -> Result<(), String> + Sync,
) -> Vec<String> {
    for (at_once, patience) in [(48, PATIENCE), (8, PATIENCE * 2), (1, PATIENCE * 4)] {
        let outcomes = in_parallel(&left, at_once, |wrong| run(wrong, patience));
        let failed = outcomes.into_iter().filter_map(|(wrong, outcome)| Some((wrong, outcome.err()?)));
        let failed: Vec<(&WrongAnswer, String)> = failed.collect();
        if at_once == 1 {
            return failed.into_iter().map(|(wrong, error)| format!("{}: {error}", full_name(wrong))).collect();
        }
        left = failed.into_iter().map(|(wrong, _)| wrong).collect();
    }
    Vec::new()
}

/// Those that a plain `cargo test` tries: all that take no time, and of those that wait one in `ONE_IN`. `.ci/exercises`
/// tries all of them, with all checks, and compares the same cards.
fn sample() -> Vec<&'static WrongAnswer> {
    const ONE_IN: usize = 5;
    let (waiting, quick): (Vec<_>, Vec<_>) =
        WRONG_ANSWERS.iter().partition(|wrong| find(wrong.step).is_some_and(|step| step.has_sockets()));
    quick.into_iter().chain(waiting.into_iter().step_by(ONE_IN)).collect()
}

#[test]
fn sampled_wrong_answers_get_the_card_that_names_their_mistake() {
    if env::var_os("UPDATE_CARDS").is_some() {
        // The list of checks is being written again by the test that runs all of them.
        return;
    }
    let catching = catching_checks();
    let failures = failures(sample(), |wrong, patience| {
        let at = *catching.get(&full_name(wrong)).ok_or("not in tests/checks/catching_checks.txt")?;
        let (_, card) = card(wrong, at..at + 1, patience)?;
        compare(wrong, &without_line_numbers(&card))
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
#[ignore = "takes half a minute: .ci/exercises runs it"]
fn every_wrong_answer_passes_all_checks_before_its_own() {
    let catching = catching_checks();
    let found = Mutex::new(BTreeMap::new());
    let failures = failures(WRONG_ANSWERS.iter().collect(), |wrong, patience| {
        let checks = find(wrong.step).expect("a step of this number").checks.len();
        let (at, card) = card(wrong, 0..checks, patience)?;
        found.lock().expect("no panic").insert(full_name(wrong), at);
        compare(wrong, &without_line_numbers(&card))
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let found = found.into_inner().expect("no panic");
    if env::var_os("UPDATE_CARDS").is_some() {
        let lines: String = found.iter().map(|(name, at)| format!("{name} {at}\n")).collect();
        fs::write(catching_path(), lines).expect("the list of checks");
    } else {
        assert_eq!(found, catching);
    }
}

/// The environment variable that names the wrong answer for a child process.
const ANSWER: &str = "STEPS_ANSWER";
const REPORT: &str = "STEPS_REPORT";

#[test]
#[ignore = "the child process of the next test"]
fn child_process_runs_one_wrong_answer() {
    let (Some(name), Some(report)) = (env::var_os(ANSWER), env::var_os(REPORT)) else { return };
    let wrong = all().find(|wrong| *full_name(wrong) == *name).expect("a wrong answer of this name");
    let step = find(wrong.step).expect("a step of this number");
    // A backtrace takes time on a busy machine.
    child::serve(step, wrong.subject, PATIENCE * 3, Path::new(&report)).expect("a report");
}

fn full_name(wrong: &WrongAnswer) -> String {
    format!("{}-{}", wrong.step, wrong.name)
}

/// Returns the card of a wrong answer that has a process of its own.
fn card_of_a_process(wrong: &WrongAnswer) -> Result<String, String> {
    // Two tests can try the same answer at once.
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let report = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("report-{number}-{}", full_name(wrong)));
    let mut command = Command::new(env::current_exe().expect("this test's own path"));
    command.args(["--ignored", "--exact", "child_process_runs_one_wrong_answer", "--nocapture"]);
    command.env(ANSWER, full_name(wrong)).env(REPORT, &report);
    judge(wrong, child::run(&mut command, &report).expect("a child process").result)
}

/// The wrong answers that end in a line of the standard library.
const IN_THE_LIBRARY: [&str; 4] = ["in-the-library", "capacity", "reserves-what-is-announced", "keeps-everything"];

#[test]
fn sampled_ways_to_end_a_process_get_a_card() {
    // The quick ones.
    const SAMPLE: [&str; 4] = ["exits", "aborts", "recursion", "watch-spins"];
    try_endings(|wrong| SAMPLE.contains(&wrong.name));
}

#[test]
#[ignore = "takes seconds: .ci/exercises runs it"]
fn every_way_to_end_a_process_gets_a_card() {
    try_endings(|_| true);
}

/// Compares the cards of the wrong answers that take a process of their own.
fn try_endings(chosen: impl Fn(&WrongAnswer) -> bool) {
    let check = |wrong: &'static WrongAnswer| {
        card_of_a_process(wrong).and_then(|card| compare(wrong, &without_line_numbers(&card)))
    };
    let disturbed: Vec<&WrongAnswer> = thread::scope(|scope| {
        let endings = ENDINGS.iter().chain(BOUNDED_ENDINGS).filter(|wrong| chosen(wrong));
        // The learner's line below the library's is known only with debug information, which `cargo steps` builds with.
        let endings = endings.filter(|wrong| cfg!(debug_assertions) || !IN_THE_LIBRARY.contains(&wrong.name));
        let threads: Vec<_> = endings.map(|wrong| (wrong, scope.spawn(move || check(wrong)))).collect();
        let outcomes = threads.into_iter().map(|(wrong, thread)| (wrong, thread.join().expect("no panic")));
        outcomes.filter_map(|(wrong, card)| card.is_err().then_some(wrong)).collect()
    });
    // A failure can come from the load of all these processes, so failed answers are tried again, alone.
    let failures: Vec<String> = disturbed
        .into_iter()
        .filter_map(|wrong| Some(format!("{}: {}", full_name(wrong), check(wrong).err()?)))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn steps_and_classic_mistakes_have_wrong_answers() {
    for step in STEPS {
        let count = WRONG_ANSWERS.iter().filter(|wrong| wrong.step == step.number).count();
        assert!(count >= 2, "step {} has {count}", step.number);
    }
    let classics: BTreeSet<u8> = WRONG_ANSWERS.iter().filter_map(|wrong| wrong.mistake.classic()).collect();
    assert_eq!(classics, (1..=25).collect());
}

#[test]
fn every_mistake_that_a_card_can_name_is_made_by_a_wrong_answer() {
    let made = |mistake: &&Mistake| all().any(|wrong| wrong.mistake == **mistake);
    // Some systems can neither limit nor measure a process, so there no answer tries to exhaust its memory.
    let untried = |mistake: &&Mistake| {
        let spins = matches!(mistake, Mistake::WatchSpins | Mistake::TickerSpins | Mistake::HangUpSpins);
        BOUNDED_ENDINGS.is_empty() && (spins || matches!(mistake, Mistake::ThreadsRunOut | Mistake::WatchForEach))
    };
    let never: Vec<_> = Mistake::ALL.iter().filter(|mistake| !made(mistake) && !untried(mistake)).collect();
    assert_eq!(never, [] as [&Mistake; 0]);
}

#[test]
fn there_is_no_card_of_a_wrong_answer_that_is_gone() {
    let names: BTreeSet<String> = all().map(|wrong| format!("{}.txt", full_name(wrong))).collect();
    let cards = fs::read_dir(root().join("tests/checks/cards")).expect("the cards");
    let files: BTreeSet<String> = cards.map(|card| card.unwrap().file_name().into_string().unwrap()).collect();
    // A missing card has failed above, or is being written now.
    let gone: Vec<_> = files.difference(&names).collect();
    // The folder also has the cards of endings that only another system produces.
    assert!(gone.is_empty() || BOUNDED_ENDINGS.is_empty(), "{gone:?}");
    assert_eq!(names.len(), all().count(), "each has a name of its own");
}
