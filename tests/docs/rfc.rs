//! The quotations of RFCs: each is compared with the sentences of the RFC in `rfc_quotes.txt`.
//!
//! To quote another sentence, copy it from the RFC into that file. Beside a §, words of our own take no
//! quotation marks.

use super::prose::{self, Sentence};
use super::{assert_none, files, pages, read};
use regex::Regex;

/// Fewer words between quotation marks are a term or a title.
const FEWEST_WORDS: usize = 3;

/// The RFCs that a § means where no other is named.
const OURS: [&str; 2] = ["6455", "7692"];

/// A sentence of an RFC.
struct Original {
    rfc: String,
    section: String,
    text: String,
}

fn originals(list: &str) -> Vec<Original> {
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    let original = |line: &str| match line.splitn(3, ' ').collect::<Vec<_>>()[..] {
        [rfc, section, text] => Original { rfc: rfc.to_owned(), section: section.to_owned(), text: plain(text) },
        _ => panic!("no RFC, section and sentence: {line}"),
    };
    lines.map(original).collect()
}

/// Removes the marks of emphasis, which a comment can lose.
fn plain(text: &str) -> String {
    text.replace('_', "")
}

/// The texts between quotation marks, except our own that name a section. One that does not end is a quotation too, up to
/// the paragraph's end.
fn quotations(paragraph: &str) -> impl Iterator<Item = &str> {
    let quoted = paragraph.split('"').skip(1).step_by(2);
    quoted.filter(|text| text.split_whitespace().count() >= FEWEST_WORDS && !text.contains('§'))
}

/// The sections that a paragraph names: `5.5.2` for `§5.5.2`.
fn sections<'a>(paragraph: &'a str) -> Vec<&'a str> {
    let is_in_number = |c: char| c.is_ascii_digit() || c == '.';
    let number = |rest: &'a str| rest.split(|c| !is_in_number(c)).next().unwrap_or_default();
    paragraph.split('§').skip(1).map(|rest| number(rest).trim_end_matches('.')).collect()
}

/// Returns whether the RFC's sentence has these words, whole and in this order; `...` is for words left out.
fn is_of(quotation: &str, sentence: &str) -> bool {
    let quotation = plain(quotation);
    let pieces = quotation.split("...").map(str::trim).filter(|piece| !piece.is_empty());
    let pieces: Vec<String> = pieces.map(regex::escape).collect();
    let end = "[^0-9A-Za-z]";
    Regex::new(&format!("(?:^|{end}){}(?:{end}|$)", pieces.join(&format!("{end}.*{end}")))).unwrap().is_match(sentence)
}

/// The first sentence that the quotation is taken from, of a section that the paragraph names.
fn source(quotation: &str, paragraph: &str, originals: &[Original]) -> Option<usize> {
    let sections = sections(paragraph);
    originals.iter().position(|original| {
        sections.contains(&original.section.as_str())
            && (OURS.contains(&original.rfc.as_str()) || paragraph.contains(&format!("RFC {}", original.rfc)))
            && is_of(quotation, &original.text)
    })
}

#[test]
fn quotations_beside_a_section_are_the_words_of_the_rfc() {
    let originals = originals(&read("tests/docs/rfc_quotes.txt").unwrap());
    let (mut problems, mut used) = (Vec::new(), vec![false; originals.len()]);
    let sources = ["src", "tests"].into_iter().flat_map(files).filter(|path| path.ends_with(".rs"));
    for path in pages().into_iter().chain(sources) {
        let text = read(&path).unwrap();
        let is_page = path.ends_with(".md");
        let paragraphs = if is_page { prose::paragraphs_of_markdown(&text) } else { prose::paragraphs_of_rust(&text) };
        for Sentence { line, text, .. } in paragraphs.iter().filter(|paragraph| paragraph.text.contains('§')) {
            for quotation in quotations(text) {
                match source(quotation, text, &originals) {
                    Some(position) => used[position] = true,
                    None => problems.push(format!("{path}:{line}: \"{quotation}\" is not in these sections")),
                }
            }
        }
    }
    let unused = originals.iter().zip(used).filter(|(_, used)| !used);
    problems.extend(unused.map(|(original, _)| format!("rfc_quotes.txt: nobody quotes \"{}\"", original.text)));
    assert_none(&problems);
}

#[test]
fn quotation_is_compared_by_letters_order_and_section() {
    let originals =
        originals("# A list\n6455 5.1 A server MUST NOT mask any frames (see _Masking_).\n9112 2 All is well.");
    let found = |quotation: &str, paragraph: &str| source(quotation, paragraph, &originals);
    for right in ["MUST NOT mask any", "A server ... mask any frames", "mask any frames ...", "(see Masking)."] {
        assert_eq!(found(right, "It is so (§5.1)."), Some(0), "{right}");
    }
    for wrong in
        ["a server MUST NOT", "must not mask any", "any ... MUST NOT", "ask any frames", "MUST NOT mask frames"]
    {
        assert_eq!(found(wrong, "It is so (§5.1)."), None, "{wrong}");
    }
    assert_eq!(found("MUST NOT mask any", "§5.2, and §5: no."), None);
    assert_eq!((found("All is well.", "RFC 9112 §2"), found("All is well.", "§2")), (Some(1), None));
    let paragraph = "A title \"one two\", then \"one two three\", and \"to the very end";
    assert_eq!(quotations(paragraph).collect::<Vec<_>>(), ["one two three", "to the very end"]);
}
