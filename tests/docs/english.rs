//! The English of the book, of comments, tests and scripts, and of texts that the program prints: patterns for turns of
//! phrase that make a reader stop and read again. They are listed here and nowhere else.

use super::prose::{self, Place, Sentence};
use super::{assert_none, at, files, read, source};
use regex::Regex;
use std::fs;

struct Pattern {
    /// The words to look for in each sentence; upper and lower case matter.
    find: &'static str,
    /// Words that are fine all the same: they are removed from the sentence first.
    except: &'static str,
    instead: &'static str,
    bad: &'static str,
    good: &'static str,
}

/// The beginning of a sentence. Headings and cells are no whole sentences, so a pattern with this beginning skips them.
const BEGIN: &str = "^(?:\\*|_|\\()?";

const fn pattern(
    find: &'static str,
    except: &'static str,
    instead: &'static str,
    [bad, good]: [&'static str; 2],
) -> Pattern {
    Pattern { find, except, instead, bad, good }
}

/// `{BEGIN}` is the beginning of a sentence; questions have patterns of their own.
#[rustfmt::skip]
const PATTERNS: &[Pattern] = &[
    pattern(r"{BEGIN}Who\b[^?]*$|[;:] who [^?]*$", "",
        "a client that ..., anyone who ...",
        ["Who does not read is evicted.", "A client that does not read is evicted."]),
    pattern(r"\b[Ww]hoever\b", "",
        "a client that ..., anyone who ...",
        ["The last word has whoever waits.", "The client that waits has the last word."]),
    pattern(r"{BEGIN}What\b[^?]*[.:;]$", r"What (?:follows|remains) ",
        "a noun: long messages ..., the bytes received ...",
        ["What is long has a buffer of its own.", "What has a buffer of its own?"]),
    pattern(r"\bwhat (?:has come|came|comes)\b", "",
        "the bytes received ...",
        ["It counts what has come.", "It counts the bytes received."]),
    pattern(
        concat!(
            r"\b(?:is|are|was|were|be|been) told\b|\btells? (?:of|about|why|how|what|where|whether|which|who)\b|",
            r"\btold (?:in|at|by|from)\b",
        ),
        "",
        "is reported, explains, says why",
        ["How long is told in Limits.", "Limits gives the time."]),
    pattern(
        concat!(
            r"\bbehind (?:the|a|an|it|its|them|their|this|that|each|our|your) ?(?:\w+ )?(?:head|header|frame|",
            r"frames|byte|bytes|message|messages|request|key|length|reply|replies|answer|handshake|Close|101)\b|",
            r"\bbehind (?:it|them)\b",
        ),
        "",
        "after, following",
        ["The frame behind it waits.", "The server runs behind a proxy."]),
    pattern(r"\b(?:stands?|stood|standing|lies|lay|lying)\b", r"\bstand(?:s|ing)? (?:for|alone)\b",
        "is, appears",
        ["The length stands in two bytes.", "FIN stands for finished."]),
    pattern(r"\b(?:has|have|had) 0\.\d|\btakes? (?:a|the) whole (?:core|processor)|\bhas lost\b[.,;]", "",
        "reaches 0.92, burns a core, is wrong",
        ["It has 0.92 of the raw echo.", "It reaches 0.92 of the raw echo."]),
    pattern(r"{BEGIN}To [a-z]+(?: [a-z-]+){0,5} (?:costs?|takes?|copies|is|means|needs|makes|would|gives)\b", "",
        "Cloning copies ..., Sleeping costs ...",
        ["To clone it copies the bytes.", "To see it, run the server."]),
    pattern(
        concat!(
            r"{BEGIN}(?:[A-Z][a-z]+ed|Sent|Read|Kept|Shown|Written|Known|Hidden|Given|Taken|Found|Left|Lost|Built|",
            r"Done) (?:is|are|was|were|has|have)\b",
        ),
        r"Need is",
        "the subject first: Each client touches ...",
        ["Touched are four pages.", "Each client touches four pages."]),
    pattern(
        concat!(
            r"{BEGIN}(?:Not|Never|Only|So|Nor|There|Here|Then) (?:told|defended|counted|tried|measured|done|sent|",
            r"touched|covered) (?:is|are|was)\b",
        ),
        "",
        "the subject first",
        ["Not counted are comments.", "Comments are not counted."]),
    pattern(r"\b[Ss]ince\b",
        concat!(
            r"\b[Ss]ince (?:then|when|about|message|\d+|version|Rust|Java|Python|Linux|\[?CODE|it was|a)\b|[Ee]ver since|",
            r"\bsince[.;,:]?$|\b[Ss]ince (?:the|its|their) (?:last|first|previous|start|beginning|end|Ping|",
            r"Close)\b|\{since\}",
        ),
        "because",
        ["It waits, since the socket is full.", "It has grown since the last read."]),
    pattern(
        r"\b[Ee]lse\b",
        concat!(
            r"\b(?:[Ss]ome|[Aa]ny|[Ee]very|[Nn]o)(?:thing|body|one| one|where) else\b|\b(?:[Ww]ho|[Ww]hat|",
            r"[Ww]here|little|much) else\b|\bor else\b|^else$|\} else|else \{|if (?:binary|isinstance[^)]*\)) else",
        ),
        "Otherwise",
        ["Else it waits.", "Nobody else waits."]),
    pattern(r"\b, of which\b|, of \d", "",
        "where, which allows, and of these",
        ["There are ports, of 32,768 and more.", "There are 28,232 ports."]),
    pattern(r"\bso (?:long|many)\b", r"\bso (?:long|many)(?: \w+)? (?:as|that)\b",
        "name the quantity",
        ["It waits so long and no longer.", "It waits for 5 seconds."]),
    pattern(r"\bmay\b", "",
        "can, might, is allowed to; MAY in the RFC's sense",
        ["A client may be slow.", "A client can be slow, and MAY mask."]),
    pattern(
        concat!(
            r"\b(?:bytes?|data|frames?|messages?|Close|Pong|Ping|requests?|answer|reply|replies|nothing|anything|",
            r"more|FIN|RST) (?:comes?|came)\b|\b(?:has|have|had) come\b",
        ),
        r"\b(?:comes?|came) (?:from|back|first|next|last|after|before|with)\b",
        "arrives, is received",
        ["The next frame comes.", "The next frame arrives; the next chapter comes."]),
    pattern(r"\b[Ii]n one go\b|\b[Ii]n the place of\b|\bfor ever\b|\banew\b", r"-anew$",
        "in one step, instead of, forever, restarts",
        ["It begins anew.", "It restarts."]),
    pattern(
        concat!(
            r"\bend of the server\b|\b(?:goes|go|went|going) down\b|\b(?:end|ends|ended|ending) (?:its|our|their|",
            r"your|his|the client's|the server's|one's) (?:own )?side\b",
        ),
        "",
        "shutdown, shuts down, closes its side (half-close)",
        ["The server goes down.", "The server shuts down."]),
    pattern(r"{BEGIN}No [a-z ]+: \d+\.", "",
        "a sentence",
        ["No seat: 503.", "Without a slot the server answers 503."]),
    pattern(
        concat!(
            r"(?:^|\b(?:as|that|how|what|where|when|if|because|and|so|than|before|until|which|",
            r"[Oo]therwise),? )[Oo]ne (?:has|can|must|would|could|should|wants|needs|knows|gets|might|does|is|",
            r"sees)\b|\bone's\b|\boneself\b",
        ),
        "",
        "you, we, or the actor's name",
        ["That is how one can see it.", "That is how you can see it; this one can wait."]),
    pattern(r"\b(?:worked off|put together|calm end|sign of life|signs of life)\b", "",
        "drained, assembled, graceful shutdown, activity",
        ["The queue is worked off.", "The queue is drained."]),
    pattern(r"\b(?:behaviors?|colors?|honors?|favors?|neighbors?|canceled|labeled|gr[a]y|centers?)\b", r"color-scheme",
        "British spelling",
        ["Its behavior is plain.", "Its behaviour is plain."]),
    pattern(r"\((?:[^ ()]+ ){12,}[^ ()]+\)", r"\(Header \{[^{}]*\}\)",
        "a parenthesis of at most 12 words",
        ["It waits (for one two three four five six seven eight nine ten eleven twelve).", "It waits (5 s)."]),
    pattern(r"{BEGIN}(?:[^ ]+ ){40}", "",
        "sentences of 12 to 22 words, at most 40",
        [
            "It waits and waits and waits and waits and waits and waits and waits and waits and waits and waits and waits \
                and waits and waits and waits and waits and waits and waits and waits and waits and waits and waits.",
            "It waits for one client.",
        ]),
];

/// Files that are not clean yet, or folders, which end in `/`. The list can only shrink.
#[rustfmt::skip]
const NOT_YET: &[&str] = &[];

/// Names of tests that are longer than they should be. The list can only shrink.
const LONG_NAMES: &[&str] = &[];

/// Returns the names of a Rust file's tests, with their lines.
fn tests_of(path: &str) -> Vec<(usize, String)> {
    let items = source::items(&read(path).unwrap()).unwrap_or_else(|error| panic!("{path} {error}"));
    items.into_iter().filter(|item| item.is_test).map(|item| (item.lines.start + 1, item.name)).collect()
}

#[test]
fn names_of_tests_are_short_and_no_riddles() {
    let riddle = Regex::new("^(?:what|who|whoever|whichever|however)_").unwrap();
    let patterns = compiled();
    let words = |name: &str| Sentence { line: 1, place: Place::Heading, text: name.replace('_', " ") };
    let is_bad = |name: &str| name.len() > 60 || riddle.is_match(name) || fault(&words(name), &patterns).is_some();
    assert!(is_bad("what_is_missing_is_named") && is_bad(&"x".repeat(61)) && is_bad("a_value_may_be_empty"));
    assert!(!is_bad("missing_header_is_named"));
    let (mut problems, mut allowed) = (Vec::new(), LONG_NAMES.to_vec());
    for path in ["src", "tests"].into_iter().flat_map(files).filter(|path| path.ends_with(".rs")) {
        for (line, name) in tests_of(&path).into_iter().filter(|(_, name)| is_bad(name)) {
            match allowed.iter().position(|known| *known == name) {
                Some(position) => drop(allowed.remove(position)),
                None => problems.push(format!(
                    "{path}:{line}: {name}: subject_condition_result, at most 60 letters, in plain words"
                )),
            }
        }
    }
    problems.extend(allowed.iter().map(|name| format!("{name} is gone: take it off the list LONG_NAMES")));
    assert_none(&problems);
}

fn compiled() -> Vec<(Regex, Regex, &'static Pattern)> {
    // Words are ASCII here, because the search takes ten times as long with letters of all scripts.
    let ascii = [("{BEGIN}", BEGIN), (r"\b", r"(?-u:\b)"), (r"\w", "[0-9A-Za-z_]"), (r"\d", "[0-9]")];
    let regex = |text: &str| {
        let text = ascii.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
        Regex::new(&text).unwrap_or_else(|error| panic!("{error}"))
    };
    // An empty exception would match everywhere.
    let except = |pattern: &Pattern| if pattern.except.is_empty() { "[^\\x00-\\x{10FFFF}]" } else { pattern.except };
    PATTERNS.iter().map(|pattern| (regex(pattern.find), regex(except(pattern)), pattern)).collect()
}

/// Returns the first pattern that matches a sentence, and the words that match.
fn fault<'a>(sentence: &Sentence, patterns: &'a [(Regex, Regex, &Pattern)]) -> Option<(String, &'a Pattern)> {
    patterns.iter().find_map(|(find, except, pattern)| {
        if pattern.find.starts_with("{BEGIN}") && sentence.place != Place::Text {
            return None;
        }
        if !find.is_match(&sentence.text) {
            return None;
        }
        let rest = except.replace_all(&sentence.text, "-");
        find.find(&rest).map(|found| (found.as_str().to_owned(), *pattern))
    })
}

/// The kind of a file, which says where its sentences are.
#[derive(Clone, Copy)]
enum Kind {
    Markdown,
    Rust,
    /// A script or a file of settings, with the mark of its comments.
    Script(&'static str),
    Card,
}

/// Returns the kind of a file that people read, or `None` for other files.
fn kind(path: &str) -> Option<Kind> {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('.') {
        Some((_, "md")) => Some(Kind::Markdown),
        Some((_, "rs")) => Some(Kind::Rust),
        Some((_, "js")) => Some(Kind::Script("//")),
        Some((_, "py" | "sh" | "toml" | "yml")) => Some(Kind::Script("#")),
        Some((_, "txt")) if path.starts_with("tests/checks/cards/") => Some(Kind::Card),
        None if fs::read(at(path)).unwrap().starts_with(b"#!") => Some(Kind::Script("#")),
        _ => None,
    }
}

/// All files with sentences for people, and their kinds.
fn read_by_people() -> impl Iterator<Item = (String, Kind)> {
    let folders = ["src", "docs", "tests", ".ci", ".cargo", ".github"].into_iter().flat_map(files);
    let top = ["README.md", "Cargo.toml", ".deny.toml"].map(str::to_owned);
    folders.chain(top).filter_map(|path| kind(&path).map(|kind| (path, kind)))
}

fn sentences(path: &str, kind: Kind) -> Vec<Sentence> {
    let text = read(path).unwrap();
    match kind {
        Kind::Markdown => prose::of_markdown(&text),
        // The texts of this file are the bad examples.
        Kind::Rust if path == "tests/docs/english.rs" => prose::of_comments(&text, "//"),
        Kind::Rust => prose::of_rust(&text),
        Kind::Script(mark) => prose::of_script(&text, mark),
        Kind::Card => prose::of_text(&text),
    }
}

#[test]
fn english_of_pages_comments_and_cards_has_no_known_riddles() {
    let (patterns, mut problems, mut needed) = (compiled(), Vec::new(), vec![false; NOT_YET.len()]);
    for (path, kind) in read_by_people() {
        let allowed =
            NOT_YET.iter().position(|entry| path == *entry || entry.ends_with('/') && path.starts_with(entry));
        for sentence in sentences(&path, kind) {
            let Some((words, pattern)) = fault(&sentence, &patterns) else { continue };
            match allowed {
                Some(entry) => needed[entry] = true,
                None => problems.push(format!("{path}:{}: \"{words}\": {}", sentence.line, pattern.instead)),
            }
        }
    }
    let clean = NOT_YET.iter().zip(needed).filter(|(_, needed)| !needed);
    problems.extend(clean.map(|(entry, _)| format!("{entry} has become clean: take it off the list NOT_YET")));
    assert_none(&problems);
}

#[test]
fn each_pattern_finds_its_bad_sentence_and_passes_its_good_one() {
    let patterns = compiled();
    let check = |text: &str| {
        let sentence = Sentence { line: 1, place: Place::Text, text: text.to_owned() };
        fault(&sentence, &patterns).map(|(_, pattern)| pattern.find)
    };
    for pattern in PATTERNS {
        assert_eq!(check(pattern.bad), Some(pattern.find), "{}", pattern.bad);
        assert_eq!(check(pattern.good), None, "{}", pattern.good);
    }
}
