//! The sentences that a reader meets in Markdown pages, comments, texts of the program, and cards. Code and quotations
//! are left out.

use super::markdown::line_of;
use proc_macro2::{TokenStream, TokenTree};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use regex::Regex;
use std::mem;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    Text,
    Heading,
    /// A cell of a table, which has no room for whole sentences.
    Cell,
}

#[derive(Debug, PartialEq)]
pub struct Sentence {
    pub line: usize,
    pub place: Place,
    pub text: String,
}

/// The word that replaces a piece of inline code.
const CODE: &str = "CODE";

/// Returns the sentences of a Markdown page, without its code and without its quotations.
pub fn of_markdown(text: &str) -> Vec<Sentence> {
    collect(Collector { text, ..Collector::default() })
}

/// Returns the paragraphs of a Markdown page, without its code.
pub fn paragraphs_of_markdown(text: &str) -> Vec<Sentence> {
    collect(Collector { text, whole: true, ..Collector::default() })
}

fn collect(mut collector: Collector) -> Vec<Sentence> {
    let text = collector.text;
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        collector.read(event, range.start);
    }
    collector.end(Place::Text);
    collector.found
}

#[derive(Default)]
struct Collector<'a> {
    text: &'a str,
    /// Leaves each paragraph whole, with what it quotes.
    whole: bool,
    found: Vec<Sentence>,
    /// The text since the last paragraph's end, and the line of each of its pieces.
    paragraph: String,
    lines: Vec<(usize, usize)>,
    /// How many blocks of code or quotations are open.
    quoted: usize,
}

impl Collector<'_> {
    fn read(&mut self, event: Event, at: usize) {
        match event {
            Event::Start(Tag::CodeBlock(_) | Tag::BlockQuote(_)) => {
                self.end(Place::Text);
                self.quoted += 1;
            }
            Event::End(TagEnd::CodeBlock | TagEnd::BlockQuote(_)) => self.quoted -= 1,
            Event::Text(text) => self.add(&text, at),
            Event::Code(_) => self.add(CODE, at),
            Event::SoftBreak | Event::HardBreak => self.add(" ", at),
            Event::End(TagEnd::Heading(_)) => self.end(Place::Heading),
            Event::End(TagEnd::TableCell) => self.end(Place::Cell),
            Event::End(TagEnd::Paragraph | TagEnd::Item) | Event::Start(Tag::List(_)) => self.end(Place::Text),
            _ => {}
        }
    }

    fn add(&mut self, text: &str, at: usize) {
        if self.quoted == 0 {
            self.lines.push((self.paragraph.len(), line_of(self.text, at)));
            self.paragraph += text;
        }
    }

    fn end(&mut self, place: Place) {
        let lines = mem::take(&mut self.lines);
        // A table in a comment can lack its head, and then its rows are parsed as a paragraph.
        let place = if self.paragraph.starts_with("| ") { Place::Cell } else { place };
        let paragraph = mem::take(&mut self.paragraph);
        for (at, text) in if self.whole { vec![(0, paragraph)] } else { split(&paragraph) } {
            let line = lines.iter().rev().find(|(begin, _)| *begin <= at).map_or(1, |(_, line)| *line);
            self.found.push(Sentence { line, place, text });
        }
    }
}

/// Returns the sentences of a paragraph, each with its beginning. A quotation in a sentence is cut to `"..."`.
fn split(paragraph: &str) -> Vec<(usize, String)> {
    let (mut found, mut sentence, mut begin, mut quoted) = (Vec::new(), String::new(), 0, false);
    for (at, c) in paragraph.char_indices() {
        let ended = sentence.trim_end_matches([')', '"', '*', '_']).ends_with(['.', '!', '?']);
        if c == ' ' && ended && !quoted && !sentence.ends_with("...") {
            found.push((begin, mem::take(&mut sentence)));
        }
        if sentence.is_empty() {
            begin = at;
        }
        if c == '"' {
            quoted = !quoted;
            sentence += if quoted { "\"..." } else { "\"" };
        } else if !(quoted || sentence.is_empty() && c == ' ') {
            sentence.push(c);
        }
    }
    found.push((begin, sentence));
    found.retain(|(_, text)| !text.trim().is_empty());
    found
}

/// Returns the sentences of a Rust file's comments and of its string literals.
pub fn of_rust(text: &str) -> Vec<Sentence> {
    read_rust(text, of_markdown, of_text)
}

/// Returns the paragraphs of a Rust file's comments, and its string literals.
pub fn paragraphs_of_rust(text: &str) -> Vec<Sentence> {
    let literal = |text: &str| vec![Sentence { line: 1, place: Place::Text, text: text.to_owned() }];
    read_rust(text, paragraphs_of_markdown, literal)
}

fn read_rust(text: &str, page: fn(&str) -> Vec<Sentence>, plain: fn(&str) -> Vec<Sentence>) -> Vec<Sentence> {
    let mut found = read_comments(text, "//", page);
    let lines: Vec<&str> = text.lines().collect();
    literals(text.parse().expect("a file in Rust"), &mut |line, literal| {
        // A doc comment is a literal too, as a token.
        if !lines[line - 1].trim_start().starts_with("//") {
            found.extend(below(plain(literal), line - 1));
        }
    });
    found
}

/// Returns the sentences of comments that begin with `mark`, which is `//` or `#`.
pub fn of_comments(text: &str, mark: &str) -> Vec<Sentence> {
    read_comments(text, mark, of_markdown)
}

fn read_comments(text: &str, mark: &str, page: fn(&str) -> Vec<Sentence>) -> Vec<Sentence> {
    let mut found = Vec::new();
    let (mut comment, mut first) = (String::new(), 0);
    let after_code = format!(" {mark} ");
    for (index, line) in text.lines().chain([""]).enumerate() {
        let Some(words) = line.trim_start().strip_prefix(mark) else {
            found.extend(below(page(&mem::take(&mut comment)), first));
            if let Some((_, words)) =
                line.split_once(&after_code).filter(|(code, _)| code.matches('"').count() % 2 == 0)
            {
                found.extend(below(page(words), index));
            }
            continue;
        };
        if comment.is_empty() {
            first = index;
        }
        let words = words.trim_start_matches(['/', '!']);
        comment += words.strip_prefix(' ').unwrap_or(words);
        comment.push('\n');
    }
    found
}

/// Returns the sentences of a script's comments, of the docstrings of Python, and of the texts in quotation marks.
pub fn of_script(text: &str, mark: &str) -> Vec<Sentence> {
    let mut found = of_comments(text, mark);
    let long_text = Regex::new(r#"(?s)"""(.*?)""""#).unwrap();
    for words in long_text.captures_iter(text).map(|captures| captures.get(1).unwrap()) {
        let code = &text[..words.start() - 3];
        if code.rsplit('\n').next().is_some_and(|before| before.trim().is_empty()) {
            found.extend(below(of_markdown(words.as_str()), line_of(text, words.start()) - 1));
        }
    }
    let quoted = Regex::new(r#""((?:[^"\\]|\\.)*)""#).unwrap();
    let value = Regex::new(r"\{[^{}]*\}").unwrap();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with(mark)) {
        // A text of one word is a name, and a value in braces is code.
        for words in quoted.captures_iter(line).filter(|captures| captures[1].contains(' ')) {
            let words = words[1].replace("\\\"", "\"");
            found.extend(below(of_text(&value.replace_all(&words, CODE)), index));
        }
    }
    found
}

/// Moves the lines of sentences from a text that begins `lines` lines below the top of a file.
fn below(sentences: Vec<Sentence>, lines: usize) -> impl Iterator<Item = Sentence> {
    sentences.into_iter().map(move |sentence| Sentence { line: sentence.line + lines, ..sentence })
}

/// Returns the sentences of a plain text, line by line: `--help`, a log line, a card.
pub fn of_text(text: &str) -> Vec<Sentence> {
    let lines = text.lines().enumerate();
    let sentence = |line, (_, text)| Sentence { line: line + 1, place: Place::Text, text };
    lines
        .flat_map(|(line, text)| split(&without_code(text)).into_iter().map(move |found| sentence(line, found)))
        .collect()
}

/// Returns the line with `CODE` instead of each piece of code that begins and ends in it.
fn without_code(line: &str) -> String {
    let is_closed = line.matches('`').count() & 1 == 0;
    let part = |(index, part)| if is_closed && index & 1 == 1 { "CODE" } else { part };
    line.split('`').enumerate().map(part).collect()
}

fn literals(tokens: TokenStream, each: &mut impl FnMut(usize, &str)) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => literals(group.stream(), each),
            TokenTree::Literal(literal) => {
                if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string()) {
                    each(literal.span().start().line, &text.value());
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sentences: &[Sentence]) -> Vec<(usize, &str)> {
        sentences.iter().map(|sentence| (sentence.line, sentence.text.as_str())).collect()
    }

    #[test]
    fn page_yields_sentences_without_code_and_quotations() {
        let page = "# A *b*\n\nOne `f()`\nhere. Two\nthere (§5.1: \"no. Never\").\n\n```text\ncode\n```\n\n\
            - x\n- y.\n\n> said\n\n| a | b |\n| - | - |\n| c | d |\n";
        let found = of_markdown(page);
        assert_eq!(
            texts(&found),
            [
                (1, "A b"),
                (3, "One CODE here."),
                (4, "Two there (§5.1: \"...\")."),
                (11, "x"),
                (12, "y."),
                (16, "a"),
                (16, "b"),
                (18, "c"),
                (18, "d")
            ]
        );
        assert_eq!([0, 1, 5].map(|at| found[at].place), [Place::Heading, Place::Text, Place::Cell]);
    }

    #[test]
    fn source_yields_comments_and_texts_of_the_program() {
        let source = "//! Top\n//! of it.\nfn a() {\n    // Why.\n    log(\"It \\\"runs\\\". Now.\"); // Here.\n\
            \x20   let c = 'x';\n}\n";
        let found = of_rust(source);
        assert_eq!(texts(&found), [(1, "Top of it."), (4, "Why."), (5, "Here."), (5, "It \"...\"."), (5, "Now.")]);
    }

    #[test]
    fn script_yields_comments_docstrings_and_quoted_texts() {
        let script = "#!/bin/sh\n# Top\n# of it.\nsay \"It \\\"runs\\\". Now.\" # Here.\n";
        let found = of_script(script, "#");
        assert_eq!(
            texts(&found),
            [(1, "bin/sh Top of it."), (4, "Here."), (4, "It \"...\"."), (4, "Now.")],
            "comments, and the texts of code"
        );
        let python =
            "CODE = \"\"\"\nif a\n\"\"\"\ndef a():\n    \"\"\"Does it. Now\n    and then.\"\"\"\n    b[\"name\"]\n";
        assert_eq!(texts(&of_script(python, "#")), [(5, "Does it."), (5, "Now and then.")]);
        let js = "f(`x`, \"It is {a if b else c}.\"); // No.\n";
        assert_eq!(texts(&of_script(js, "//")), [(1, "No."), (1, "It is CODE.")]);
    }

    #[test]
    fn card_yields_each_line() {
        assert_eq!(texts(&of_text("  sent  a\n  why   b. C\n")), [(1, "sent  a"), (2, "why   b."), (2, "C")]);
        assert_eq!(texts(&of_text("`else if` or `a. B`")), [(1, "CODE or CODE")]);
    }
}
