//! Runs every check of the exercises against the real server. This proves that each step can be solved, without a
//! second solution that would have to be maintained.

use crate::checks::course;
use crate::checks::guard;
use crate::checks::steps::{STEPS, Step};
use crate::checks::subject::MY_SERVER;
use std::fs;
use std::thread;
use std::time::Duration;

/// Every wait ends with an event here, so a slow machine can take this long.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn the_real_server_passes_every_check_of_every_step() {
    // All checks run at once, because some wait for the heartbeat, and others until a slow member is evicted.
    thread::scope(|scope| {
        for (step, check) in STEPS.iter().flat_map(|step| step.checks.iter().map(move |check| (step, check))) {
            scope.spawn(move || {
                let outcome = guard::run(*check, MY_SERVER, PATIENCE, PATIENCE);
                assert!(outcome.is_ok(), "step {}\n{}", step.number, outcome.unwrap_err().card(step));
            });
        }
    });
}

#[test]
fn every_step_has_its_page_with_three_hints() {
    for step in STEPS {
        let page = fs::read_to_string(course::root().join(step.page())).expect("a page");
        assert!(page.starts_with(&format!("# Step {}: {}\n", step.number, step.title)), "{}", step.page());
        for heading in [
            "## The task",
            "## The rule",
            "## What is different from Java",
            "## What is different from Python",
            "## Hints",
            "## When it is green",
        ] {
            assert!(page.contains(&format!("\n{heading}")), "{}: {heading}", step.page());
        }
        let hints = course::hints(step).expect("a page");
        let tiers = ["Hint 1: a question", "Hint 2: the section", "Hint 3: the shape of the answer"];
        assert_eq!(hints.len(), tiers.len(), "{}", step.page());
        for (hint, tier) in hints.iter().zip(tiers) {
            assert!(hint.starts_with(tier) && hint.len() > tier.len() + 20, "{}: {hint}", step.page());
        }
        assert!(hints[0].contains('?'), "{}: the first hint asks", step.page());
        let (before, after) = page.split_once("\n## When it is green\n").expect("the heading");
        let chapter = format!("(../{}.md)", step.chapter);
        assert!(!before.contains(&chapter), "{} sends to the chapter before its step is green", step.page());
        assert!(after.contains(&chapter), "{} does not name its chapter", step.page());
        assert!(!page.contains("src/") || step.number == "19", "{} names src/ before its step is green", step.page());
    }
}

#[test]
fn types_on_pages_are_those_of_the_checks() {
    let words = fs::read_to_string(course::root().join("tests/checks/words.rs")).expect("the types");
    for step in STEPS {
        let page = fs::read_to_string(course::root().join(step.page())).expect("a page");
        let blocks = page.split("```rust,ignore\n").skip(1).filter_map(|block| block.split("```").next());
        for item in blocks.flat_map(|block| block.split("\n\n")) {
            // An attribute does not change the fields of a type.
            assert!(words.contains(item.trim()), "{}: not in tests/checks/words.rs:\n{item}", step.page());
        }
        for name in ["Request", "Header", "Frame", "Message", "Failure", "Verdict", "Settings"] {
            let uses = page.contains(&format!("`{name}`"));
            let shows = page.contains(&format!("pub struct {name} ")) || page.contains(&format!("pub enum {name} "));
            assert!(shows || !uses || step.number == "19", "{} uses {name} without showing it", step.page());
        }
    }
}

#[test]
fn a_prediction_has_its_answer_folded_below_it() {
    for step in STEPS {
        let page = fs::read_to_string(course::root().join(step.page())).expect("a page");
        let paragraphs: Vec<&str> = page.split("\n\n").collect();
        for pair in paragraphs.windows(2).filter(|pair| pair[0].starts_with("Predict")) {
            assert!(pair[1].starts_with("<details>\n<summary>The answer"), "{}: {}", step.page(), pair[0]);
        }
    }
}

#[test]
fn every_step_that_is_about_one_thing_has_a_stub_that_says_so() {
    let (all_together, others): (Vec<&Step>, Vec<&Step>) = STEPS.iter().partition(|step| step.number == "19");
    for step in others {
        let stub = course::stub(step).expect("a file of stubs");
        let section = course::section(&stub, step.number).expect("a section");
        assert!(stub[section].contains(&format!("todo!(\"step {}: ", step.number)), "step {}", step.number);
    }
    for last in all_together {
        let stub = course::stub(last).expect("a file of stubs");
        assert!(course::section(&stub, last.number).is_none(), "{} is about all the others", last.number);
    }
}

#[test]
fn a_section_ends_where_the_next_begins() {
    let file = "a\n// ---- step 01 ----\nb\n// ---- step 02 ----\nc\n";
    assert_eq!(course::section(file, "01").map(|range| &file[range]), Some("// ---- step 01 ----\nb\n"));
    assert_eq!(course::section(file, "02").map(|range| &file[range]), Some("// ---- step 02 ----\nc\n"));
    assert_eq!(course::section(file, "03"), None);
}
