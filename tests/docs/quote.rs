//! Quotes: a block of code below `<!-- quote: file#item from "..." to "..." -->` equals that part of the file.

use super::markdown::{self, Block};
use super::source;
use std::collections::HashMap;

/// The parts of such a comment.
#[derive(Debug, PartialEq)]
struct Wanted<'a> {
    file: &'a str,
    item: Option<&'a str>,
    part: Option<(&'a str, &'a str)>,
}

/// The quoted files, each of which is read once.
#[derive(Default)]
pub struct Sources {
    files: HashMap<String, Source>,
}

struct Source {
    lines: Vec<String>,
    items: Result<Vec<source::Item>, String>,
}

impl Sources {
    pub fn add(&mut self, file: &str, text: &str) {
        let text = text.replace("\r\n", "\n");
        let items = if file.ends_with(".rs") { source::items(&text) } else { Err("is no Rust file".to_owned()) };
        let lines = text.lines().map(str::to_owned).collect();
        self.files.insert(file.to_owned(), Source { lines, items });
    }

    fn get(&mut self, file: &str) -> Result<&Source, String> {
        if !self.files.contains_key(file) {
            let text = super::read(file).map_err(|error| format!("cannot be read: {error}"))?;
            self.add(file, &text);
        }
        Ok(&self.files[file])
    }

    /// Returns the lines that a comment asks for.
    fn quoted(&mut self, wanted: &Wanted) -> Result<String, String> {
        let source = self.get(wanted.file)?;
        let mut lines = &source.lines[..];
        if let Some(name) = wanted.item {
            let items = source.items.as_ref().map_err(String::clone)?;
            lines = &lines[source::find(items, name)?.lines.clone()];
        }
        if let Some((from, to)) = wanted.part {
            let begin = lines.iter().position(|line| line.contains(from));
            lines = &lines[begin.ok_or_else(|| format!("has no line with \"{from}\""))?..];
            // If `from` and `to` are the same text, the quote is that one line.
            let after = if from == to { 0 } else { 1 };
            let end = lines.iter().skip(after).position(|line| line.contains(to));
            lines = &lines[..=after + end.ok_or_else(|| format!("has no line with \"{to}\" behind \"{from}\""))?];
        }
        let indent: String = lines.first().map_or("", |line| &line[..line.len() - line.trim_start().len()]).to_owned();
        let dedented = lines.iter().map(|line| line.strip_prefix(&indent).unwrap_or(line));
        Ok(dedented.map(|line| format!("{line}\n")).collect())
    }
}

/// Returns the page with all quotes up to date, and the errors of the page as it is.
pub fn check(path: &str, text: &str, sources: &mut Sources) -> (String, Vec<String>) {
    let (mut updated, mut problems) = (text.to_owned(), Vec::new());
    // The blocks are replaced from the last to the first, so that earlier places stay valid.
    for block in markdown::parse(text).blocks.iter().rev() {
        let Some(wish) = block.comment.as_deref().and_then(|comment| comment.strip_prefix("quote:")) else { continue };
        let quoted = wanted(wish.trim())
            .and_then(|wanted| sources.quoted(&wanted).map_err(|error| format!("{} {error}", wanted.file)));
        match quoted {
            Err(error) => problems.push(format!("{path}:{}: quote of{wish}: {error}", block.line)),
            Ok(quoted) => {
                problems.extend(
                    differences(text, block, &quoted)
                        .map(|what| format!("{path}:{}: the quote of{wish} {what}", block.line)),
                );
                updated.replace_range(block.body.clone(), &quoted);
                if block.info == "rust" {
                    updated.replace_range(block.info_at.clone(), "rs");
                }
            }
        }
    }
    problems.reverse();
    (updated, problems)
}

/// Returns the page with a line below each quote that links to its file, and the quotes without that line. A page about
/// one file has that file's name and links to it at its head: `recipes.md` and `recipes.rs`.
pub fn name_sources(path: &str, text: &str) -> (String, Vec<String>) {
    let (mut updated, mut problems) = (text.to_owned(), Vec::new());
    for block in markdown::parse(text).blocks.iter().rev() {
        let wish = block.comment.as_deref().and_then(|comment| comment.strip_prefix("quote:"));
        let Some(Ok(Wanted { file, .. })) = wish.map(|wish| wanted(wish.trim())) else { continue };
        if file.strip_suffix(".rs") == path.strip_suffix(".md") {
            continue;
        }
        let fence = text[block.body.end..].lines().next().unwrap_or_default();
        let end = block.body.end + fence.len();
        let indent = &fence[..fence.len() - fence.trim_start().len()];
        let expected = format!("\n\n{indent}{}\n", source_line(path, file));
        if !text[end..].replace("\r\n", "\n").starts_with(&expected) {
            problems.push(format!("{path}:{}: no line below names the source: {}", block.line, expected.trim()));
            updated.insert_str(end, expected.trim_end());
        }
    }
    problems.reverse();
    (updated, problems)
}

/// Returns the line that names the file of a quote for those who read the page, with a link.
fn source_line(path: &str, file: &str) -> String {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let link = match file.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')) {
        Some(beside) => beside.to_owned(),
        None => "../".repeat(if folder.is_empty() { 0 } else { path.matches('/').count() }) + file,
    };
    let name = ["src/", "docs/"].iter().find_map(|top| file.strip_prefix(top)).unwrap_or(file);
    format!("*Source: [`{name}`]({link})*")
}

fn differences(text: &str, block: &Block, quoted: &str) -> Option<String> {
    if block.info == "rust" {
        // `cargo test --doc` runs blocks marked `rust`, and only a whole program can run. GitHub and mdBook colour both
        // kinds.
        return Some("must be marked ```rs: it is no program of its own".to_owned());
    }
    let body = text[block.body.clone()].replace("\r\n", "\n");
    if body == quoted {
        return None;
    }
    let (mut book, mut source) = (body.lines(), quoted.lines());
    for number in 1.. {
        let (ours, theirs) = (book.next(), source.next());
        if ours != theirs {
            let show = |line: Option<&str>| line.map_or("(its end)".to_owned(), str::to_owned);
            return Some(format!(
                "differs in line {number}:\n    book:   {}\n    source: {}",
                show(ours),
                show(theirs)
            ));
        }
    }
    None
}

/// `file#item from "..." to "..."`
fn wanted(wish: &str) -> Result<Wanted<'_>, String> {
    let (target, part) = match wish.split_once(" from \"") {
        None => (wish, None),
        Some((target, rest)) => {
            let texts = rest.strip_suffix('"').and_then(|rest| rest.split_once("\" to \""));
            (target, Some(texts.ok_or("it must read: file#item from \"...\" to \"...\"")?))
        }
    };
    let (file, item) = match target.split_once('#') {
        None => (target, None),
        Some((file, item)) => (file, Some(item)),
    };
    Ok(Wanted { file, item, part })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "/// Doc.\nfn a() {\n    let b = 1;\n    if b == 1 {\n        c(\"}\");\n    }\n}\n";

    fn sources() -> Sources {
        let mut sources = Sources::default();
        sources.add("src/a.rs", SOURCE);
        sources.add("a.html", "<p>\r\n  one\r\n  two\r\n</p>\r\n");
        sources
    }

    fn page(wish: &str, body: &str) -> String {
        format!("# T\n\n<!-- quote: {wish} -->\n```rs\n{body}```\n\nText.\n")
    }

    fn problems(wish: &str, body: &str) -> Vec<String> {
        check("docs/t.md", &page(wish, body), &mut sources()).1
    }

    #[test]
    fn a_quote_is_an_item_a_part_of_it_or_a_file() {
        for (wish, body) in [
            ("src/a.rs#a", &SOURCE[9..]),
            ("src/a.rs#a from \"if b\" to \"c(\"", "if b == 1 {\n    c(\"}\");\n"),
            ("src/a.rs#a from \"let\" to \"let\"", "let b = 1;\n"),
            ("src/a.rs", SOURCE),
            ("a.html from \"one\" to \"two\"", "one\ntwo\n"),
        ] {
            assert_eq!(problems(wish, body), [""; 0], "{wish}");
            assert_eq!(problems(wish, &body.replace('\n', "\r\n")), [""; 0], "{wish}");
        }
    }

    #[test]
    fn a_changed_line_is_named_with_its_chapter_and_item() {
        let changed = SOURCE[9..].replace("let b = 1", "let b = 2");
        let problems = problems("src/a.rs#a", &changed);
        assert_eq!(
            problems,
            ["docs/t.md:4: the quote of src/a.rs#a differs in line 2:\n    \
              book:       let b = 2;\n    source:     let b = 1;"]
        );
    }

    #[test]
    fn a_line_too_many_or_too_few_is_a_difference() {
        assert!(problems("src/a.rs#a", "fn a() {\n")[0].contains("book:   (its end)"));
        assert!(problems("src/a.rs#a", &format!("{}\n", &SOURCE[9..]))[0].contains("source: (its end)"));
    }

    #[test]
    fn missing_quote_is_an_error() {
        for wish in [
            "src/a.rs#b",
            "src/b.rs",
            "a.html#p",
            "src/a.rs#a from \"gone\" to \"}\"",
            "src/a.rs#a from \"if b\" to \"let b\"",
            "src/a.rs#a from \"if b\"",
        ] {
            assert_eq!(problems(wish, "").len(), 1, "{wish}");
        }
    }

    #[test]
    fn an_update_fills_blocks_in_and_touches_nothing_else() {
        let old =
            page("src/a.rs#a from \"let\" to \"let\"", "").replace("```rs", "```rust") + &page("src/a.rs#gone", "x\n");
        let (new, _) = check("docs/t.md", &old, &mut sources());
        let expected = page("src/a.rs#a from \"let\" to \"let\"", "let b = 1;\n") + &page("src/a.rs#gone", "x\n");
        assert_eq!(new, expected);
    }

    #[test]
    fn a_line_below_a_quote_names_its_file() {
        let text = page("src/a.rs#a", &SOURCE[9..]);
        let (named, problems) = name_sources("docs/t.md", &text);
        assert_eq!(problems, ["docs/t.md:4: no line below names the source: *Source: [`a.rs`](../src/a.rs)*"]);
        assert!(named.contains("```\n\n*Source: [`a.rs`](../src/a.rs)*\n\nText.\n"), "{named}");
        assert_eq!(name_sources("docs/t.md", &named), (named.clone(), vec![]));
        assert_eq!(name_sources("docs/t.md", &named.replace('\n', "\r\n")).1, [""; 0]);
        for (path, file, line) in [
            ("docs/t.md", "docs/u.rs", "*Source: [`u.rs`](u.rs)*"),
            ("README.md", "src/a.rs", "*Source: [`a.rs`](src/a.rs)*"),
            ("tests/x/README.md", "tests/y.rs", "*Source: [`tests/y.rs`](../../tests/y.rs)*"),
        ] {
            assert_eq!(source_line(path, file), line);
        }
        let of_its_own = page("docs/t.rs", "fn a() {}\n");
        assert_eq!(name_sources("docs/t.md", &of_its_own), (of_its_own.clone(), vec![]));
    }
}
