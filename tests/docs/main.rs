//! The tests that keep the book true: they check each page against the source, the server and the other pages.
//!
//! After a change of the source, `PLAINSOCKET_UPDATE=1 cargo test --test docs` updates the quotes.

mod book;
mod capture;
mod english;
mod first_quotes;
mod java;
mod links;
mod markdown;
mod prose;
mod python;
mod quote;
mod replay;
mod rfc;
mod source;
#[path = "../support/mod.rs"]
mod support;
mod table;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::{env, fs, io, thread};
use support::program::Program;

/// A path below the repository's top.
fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> io::Result<String> {
    fs::read_to_string(at(path))
}

/// All files below a folder, as paths from the repository's top, without the output of builds.
fn files(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(at(folder)).unwrap_or_else(|error| panic!("{folder}: {error}")) {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{folder}/{name}");
        if entry.file_type().unwrap().is_dir() {
            if !["target", "node_modules"].contains(&name.as_str()) {
                found.extend(files(&path));
            }
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The pages of the book.
fn chapters() -> Vec<String> {
    files("docs").into_iter().filter(|path| path.ends_with(".md")).collect()
}

/// The pages of the book, and the READMEs.
fn pages() -> Vec<String> {
    let mut pages = chapters();
    pages.push("README.md".to_owned());
    pages.extend(files("tests").into_iter().filter(|path| path.ends_with("/README.md")));
    pages
}

fn assert_none(problems: &[String]) {
    assert!(problems.is_empty(), "{} in the book:\n\n{}\n", problems.len(), problems.join("\n"));
}

#[test]
fn pages_are_made_of_what_the_checks_understand() {
    let mut problems = Vec::new();
    for path in pages() {
        let found = markdown::parse(&read(&path).unwrap()).problems;
        problems.extend(found.iter().map(|problem| format!("{path}:{problem}")));
    }
    assert_none(&problems);
}

/// Checks all pages. `check` returns a page as it should be, and its errors. With PLAINSOCKET_UPDATE such a page is written
/// and checked again.
fn check_or_update(mut check: impl FnMut(&str, &str) -> (String, Vec<String>)) {
    let update = env::var_os("PLAINSOCKET_UPDATE").is_some();
    let mut problems = Vec::new();
    for path in pages() {
        let text = read(&path).unwrap();
        let (updated, mut found) = check(&path, &text);
        if update && updated != text {
            fs::write(at(&path), &updated).unwrap();
            found = check(&path, &updated).1;
        }
        problems.extend(found);
    }
    assert_none(&problems);
}

/// One test for both, because both can write the same page.
#[test]
fn quotes_equal_the_source_and_name_it() {
    let mut sources = quote::Sources::default();
    check_or_update(|path, text| quote::check(path, text, &mut sources));
    check_or_update(quote::name_sources);
}

#[test]
fn conversations_are_what_the_server_says() {
    // Each page has a server of its own, so that a message in /chat is not heard in the conversation of another page.
    let check = |path: &String| replay::check(path, &read(path).unwrap(), &Program::start(&[]));
    let pages = pages();
    let problems: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = pages.iter().map(|path| scope.spawn(move || check(path))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_none(&problems);
}

#[test]
fn links_lead_somewhere() {
    let found = pages().into_iter().map(|path| (path.clone(), markdown::parse(&read(&path).unwrap()))).collect();
    assert_none(&links::dead(&found, |path| at(path).exists()));
}

/// Returns the pages of the book, in its order.
fn summary() -> Vec<String> {
    let summary = markdown::parse(&read("docs/SUMMARY.md").unwrap());
    summary.links.iter().filter_map(|link| links::resolve("docs/SUMMARY.md", &link.target)).collect()
}

#[test]
fn every_page_is_in_the_summary() {
    let listed = summary();
    let missing = chapters().into_iter().filter(|path| path != "docs/SUMMARY.md" && !listed.contains(path));
    assert_none(&missing.map(|path| format!("{path} is not in docs/SUMMARY.md")).collect::<Vec<_>>());
}

#[test]
fn chapters_end_with_links_to_their_neighbours() {
    let (listed, mut problems) = (summary(), Vec::new());
    let last = listed.iter().position(|path| path == "docs/recipes.md").unwrap();
    for (index, path) in listed.iter().enumerate().take(last + 1).skip(1) {
        let text = read(path).unwrap();
        for (word, neighbour) in [("Previous: [", index.checked_sub(1)), ("Next: [", Some(index + 1))] {
            let target = text.split_once(word).and_then(|(_, rest)| rest.split_once("](")?.1.split_once(')'));
            let expected = neighbour.and_then(|index| listed.get(index));
            let found = target.and_then(|(target, _)| links::resolve(path, target));
            // Nobody has to be sent back to the book's first page.
            if found.as_ref() != expected && neighbour != Some(0) {
                problems.push(format!("{path}: {word}...] is {found:?}, not {expected:?}"));
            }
        }
    }
    assert_none(&problems);
}

/// Returns whether a file needs no chapter, because it only lists modules or contains unit tests.
fn needs_no_chapter(source: &str) -> bool {
    source == "src/protocol/mod.rs" || source.contains("/tests/") || source.ends_with("/tests.rs")
}

#[test]
fn source_files_have_chapters_and_chapters_have_exercises() {
    let (mut told, mut problems) = (HashSet::new(), Vec::new());
    for path in chapters() {
        let text = read(&path).unwrap();
        let Some(code) = links::behind(&path, &text, "Code:") else { continue };
        told.extend(code);
        let exercise = links::behind(&path, &text, "Exercise:").or(links::behind(&path, &text, "Exercises:"));
        let needs_one = !path.starts_with("docs/exercises/") && !text.contains("\n## Exercise\n");
        if needs_one && exercise.is_none_or(|links| links.is_empty()) {
            problems.push(format!("{path}: no line \"Exercise:\" with a link, and no heading \"Exercise\""));
        }
    }
    let sources = ["src/protocol", "src/server"].into_iter().flat_map(files);
    let untold = sources.filter(|file| !needs_no_chapter(file) && !told.contains(file));
    problems.extend(untold.map(|file| format!("{file}: in no chapter's line \"Code:\"")));
    assert_none(&problems);
}

#[test]
fn each_requirement_of_the_rfc_names_code_and_tests_that_exist() {
    let path = "docs/rfc.md";
    let mut known = HashMap::new();
    let items_of = &mut |file: &str| {
        let parse = || source::items(&read(file).map_err(|error| format!("{file} cannot be read: {error}"))?);
        known.entry(file.to_owned()).or_insert_with(|| parse().map(Rc::new)).clone()
    };
    assert_none(&table::check(path, &read(path).unwrap(), items_of));
}

/// Returns whether inline code is the name of a test, which is longer than any other code in a chapter.
fn is_name_of_a_test(code: &str) -> bool {
    code.matches('_').count() >= 4 && code.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[test]
fn tests_that_a_page_names_exist() {
    let sources = ["src", "tests"].into_iter().flat_map(files).filter(|path| path.ends_with(".rs"));
    let mut names = HashSet::new();
    for text in sources.map(|path| read(&path).unwrap()) {
        let functions = text.lines().filter_map(|line| line.split_once("fn ")?.1.split_once('('));
        names.extend(functions.map(|(name, _)| name.to_owned()));
    }
    let mut problems = Vec::new();
    for path in pages() {
        for (line, code) in markdown::parse(&read(&path).unwrap()).code {
            if is_name_of_a_test(&code) && !names.contains(&code) {
                problems.push(format!("{path}:{line}: there is no `{code}`"));
            }
        }
    }
    assert_none(&problems);
}

/// A plain `cargo test` stops at the first file with a failing test. No setting changes that, and no alias can, because
/// a built-in command takes precedence over an alias of the same name.
#[test]
fn tests_of_readme_and_ci_go_on_after_a_failing_file() {
    const GOES_ON: &str = "cargo test --no-fail-fast";
    let commands = |path: &str| -> Vec<String> {
        let text = read(path).unwrap();
        let lines = text.lines().map(|line| line.trim_start_matches(['$', ' ', '-']).trim_start_matches("run: "));
        lines.filter(|line| *line == "cargo test" || line.starts_with("cargo test -")).map(str::to_owned).collect()
    };
    let whole = |command: &&String| !["--test ", "--no-run", "-- --ignored"].iter().any(|part| command.contains(part));
    assert_eq!(commands("README.md"), [GOES_ON], "the command that a newcomer copies");
    for path in [".ci/run", ".github/workflows/ci.yml"] {
        let all = commands(path);
        let stops: Vec<_> = all.iter().filter(whole).filter(|command| !command.contains("--no-fail-fast")).collect();
        assert_eq!(stops, [] as [&String; 0], "{path}");
    }
    assert!(commands(".ci/run").contains(&GOES_ON.to_owned()), "CI calls the command of the README");
    assert!(read(".cargo/config.toml").unwrap().contains("t = \"test --no-fail-fast\""), "`cargo t` is the same");
}

#[test]
fn programs_in_rust_are_compiled() {
    let listed = read("src/chapters.rs").unwrap();
    let mut problems = Vec::new();
    for path in chapters().into_iter().chain(["README.md".to_owned()]) {
        let blocks = markdown::parse(&read(&path).unwrap()).blocks;
        let programs = blocks.iter().filter(|block| block.info.starts_with("rust") && !block.info.contains("ignore"));
        if programs.count() > 0 && !listed.contains(&format!("include_str!(\"../{path}\")")) {
            problems
                .push(format!("{path} has a program in Rust; put it into src/chapters.rs, so that it is a doctest"));
        }
    }
    assert_none(&problems);
}
