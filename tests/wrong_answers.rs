//! Every wrong answer fails, with the card that names its mistake. The cards are kept in `tests/checks/cards/` and
//! compared letter by letter; `UPDATE_CARDS=1 cargo test --test wrong_answers` writes them anew.

mod checks;
#[path = "checks/adapter/mod.rs"]
mod my_server;
#[path = "checks/wrong/mod.rs"]
mod wrong;

use checks::course::root;
use checks::mistakes::Mistake;
use checks::steps::{STEPS, find};
use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::Duration;
use wrong::{WRONG_ANSWERS, WrongAnswer};

/// Some wrong answers show by what does not come.
const PATIENCE: Duration = Duration::from_millis(if cfg!(windows) { 1200 } else { 700 });

/// The card of a wrong answer, or why there is none.
fn card(wrong: &WrongAnswer) -> Result<String, String> {
    let step = find(wrong.step).expect("a step of this number");
    let Err(lesson) = step.run(wrong.subject, PATIENCE) else { return Err("no check noticed it".to_owned()) };
    let card = lesson.card(step);
    match lesson.mistake {
        Some(mistake) if mistake == wrong.mistake => Ok(card),
        other => Err(format!("the card names {other:?}, not {:?}:\n{card}", wrong.mistake)),
    }
}

/// The card without line numbers, which change with every edit of another answer. No card shows a port.
fn without_line_numbers(card: &str) -> String {
    let mut parts = card.split(".rs:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + ".rs:" + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}

/// Compares a card with the one that is kept.
fn compare(wrong: &WrongAnswer, card: &str) -> Result<(), String> {
    let path = root().join(format!("tests/checks/cards/{}-{}.txt", wrong.step, wrong.name));
    if std::env::var_os("UPDATE_CARDS").is_some() {
        return fs::write(&path, card).map_err(|error| error.to_string());
    }
    let kept = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    if kept == card { Ok(()) } else { Err(format!("{} differs; the card now:\n{card}", path.display())) }
}

/// Those whose card is wrong, and how. All at once: most of their time is waiting for what does not come.
fn failures(answers: &[&'static WrongAnswer]) -> Vec<(&'static WrongAnswer, String)> {
    let run = |wrong: &'static WrongAnswer| card(wrong).and_then(|card| compare(wrong, &without_line_numbers(&card)));
    thread::scope(|scope| {
        let threads: Vec<_> = answers.iter().map(|wrong| (*wrong, scope.spawn(move || run(wrong)))).collect();
        let outcomes = threads.into_iter().map(|(wrong, thread)| (wrong, thread.join().expect("no panic in a check")));
        outcomes.filter_map(|(wrong, outcome)| Some((wrong, outcome.err()?))).collect()
    })
}

#[test]
fn every_wrong_answer_gets_the_card_that_names_its_mistake() {
    let all: Vec<&WrongAnswer> = WRONG_ANSWERS.iter().collect();
    // Some lessons are about time. What so many threads have disturbed is tried again, with fewer, and then alone.
    let disturbed: Vec<&WrongAnswer> = failures(&all).into_iter().map(|(wrong, _)| wrong).collect();
    let again: Vec<&WrongAnswer> = failures(&disturbed).into_iter().map(|(wrong, _)| wrong).collect();
    let failures: Vec<String> = again
        .iter()
        .flat_map(|wrong| failures(&[*wrong]))
        .map(|(wrong, error)| format!("{}-{}: {error}", wrong.step, wrong.name))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_step_has_two_wrong_answers_and_every_classic_mistake_has_one() {
    for step in STEPS {
        let count = WRONG_ANSWERS.iter().filter(|wrong| wrong.step == step.number).count();
        assert!(count >= 2, "step {} has {count}", step.number);
    }
    let classics: BTreeSet<u8> = WRONG_ANSWERS.iter().filter_map(|wrong| wrong.mistake.classic()).collect();
    assert_eq!(classics, (1..=25).collect());
}

#[test]
fn every_mistake_that_a_card_can_name_is_made_by_a_wrong_answer() {
    let made = |mistake: &&Mistake| WRONG_ANSWERS.iter().any(|wrong| wrong.mistake == **mistake);
    let never: Vec<_> = Mistake::ALL.iter().filter(|mistake| !made(mistake)).collect();
    assert_eq!(never, [] as [&Mistake; 0]);
}

#[test]
fn there_is_no_card_of_a_wrong_answer_that_is_gone() {
    let names: BTreeSet<String> =
        WRONG_ANSWERS.iter().map(|wrong| format!("{}-{}.txt", wrong.step, wrong.name)).collect();
    let cards = fs::read_dir(root().join("tests/checks/cards")).expect("the cards");
    let files: BTreeSet<String> = cards.map(|card| card.unwrap().file_name().into_string().unwrap()).collect();
    // A card that is missing fails above, or is just being written.
    let gone: Vec<_> = files.difference(&names).collect();
    assert_eq!(gone, [] as [&String; 0]);
    assert_eq!(names.len(), WRONG_ANSWERS.len(), "each has a name of its own");
}
