//! The structure of a Markdown page, as far as the checks need it.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use std::collections::HashMap;
use std::mem;
use std::ops::Range;

#[derive(Debug, Default)]
pub struct Markdown {
    pub blocks: Vec<Block>,
    pub links: Vec<Link>,
    /// The names that can follow the `#` of a link.
    pub anchors: Vec<String>,
    /// The inline code, with its line.
    pub code: Vec<(usize, String)>,
    /// The rows of all tables, without their heads.
    pub rows: Vec<Row>,
    /// Errors in the page itself.
    pub problems: Vec<String>,
}

/// A fenced block of code.
#[derive(Debug)]
pub struct Block {
    pub line: usize,
    /// The text after the opening fence.
    pub info: String,
    /// The place of that text.
    pub info_at: Range<usize>,
    /// The text of the HTML comment right above the block.
    pub comment: Option<String>,
    /// The place of the lines between the fences.
    pub body: Range<usize>,
}

#[derive(Debug, PartialEq)]
pub struct Link {
    pub line: usize,
    pub target: String,
}

#[derive(Debug, Default)]
pub struct Row {
    pub line: usize,
    pub cells: Vec<Cell>,
}

#[derive(Debug, Default)]
pub struct Cell {
    pub text: String,
    pub code: Vec<String>,
}

/// The words that begin a comment for these checks.
const DIRECTIVES: [&str; 2] = ["quote:", "replay:"];

pub fn parse(text: &str) -> Markdown {
    let mut reader = Reader { text, ..Reader::default() };
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        reader.read(event, range);
    }
    reader.drop_comment();
    reader.found
}

#[derive(Default)]
struct Reader<'a> {
    text: &'a str,
    found: Markdown,
    /// A comment that can belong to the next block, and its line.
    comment: Option<(usize, String)>,
    html: String,
    heading: Option<String>,
    /// How often each anchor was used before.
    used: HashMap<String, usize>,
    in_head: bool,
    in_cell: bool,
}

impl Reader<'_> {
    fn read(&mut self, event: Event, range: Range<usize>) {
        let line = line_of(self.text, range.start);
        match event {
            Event::Start(Tag::HtmlBlock) => self.html.clear(),
            Event::Html(html) => {
                self.html += &html;
                self.read_html(line, &html);
            }
            Event::End(TagEnd::HtmlBlock) => self.end_html(line_of(self.text, range.start)),
            Event::InlineHtml(html) => self.read_html(line, &html),
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => self.read_block(line, &info, range),
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                self.drop_comment();
                self.found.links.push(Link { line, target: dest_url.to_string() });
            }
            Event::Start(Tag::Heading { .. }) => {
                self.drop_comment();
                self.heading = Some(String::new());
            }
            Event::End(TagEnd::Heading(_)) => self.end_heading(),
            Event::Start(Tag::TableHead) => self.in_head = true,
            Event::End(TagEnd::TableHead) => self.in_head = false,
            Event::Start(Tag::TableRow) => self.found.rows.push(Row { line, cells: Vec::new() }),
            Event::Start(Tag::TableCell) if !self.in_head => {
                self.in_cell = true;
                self.found.rows.last_mut().expect("a cell is in a row").cells.push(Cell::default());
            }
            Event::End(TagEnd::TableCell) => self.in_cell = false,
            Event::Code(code) => {
                self.found.code.push((line, code.to_string()));
                if let Some(cell) = self.cell() {
                    cell.code.push(code.to_string());
                }
                self.add_text(&code);
            }
            Event::Text(text) => self.add_text(&text),
            Event::Start(Tag::Paragraph) => self.drop_comment(),
            _ => {}
        }
    }

    fn cell(&mut self) -> Option<&mut Cell> {
        if self.in_cell { self.found.rows.last_mut()?.cells.last_mut() } else { None }
    }

    fn add_text(&mut self, text: &str) {
        if let Some(heading) = &mut self.heading {
            *heading += text;
        } else if let Some(cell) = self.cell() {
            cell.text += text;
        }
    }

    fn read_block(&mut self, line: usize, info: &str, range: Range<usize>) {
        let block = self.text[range.clone()].trim_end_matches('\n');
        let body_start = block.find('\n').map_or(block.len(), |at| at + 1);
        let body_end = block.rfind('\n').map_or(block.len(), |at| at + 1);
        let info_at = range.start + block.len() - block.trim_start_matches('`').len();
        if range.start > 0 && !self.text[..range.start].ends_with('\n') {
            self.problem(line, "a block of code must begin at the left margin");
        }
        if body_end < body_start || !block[body_end..].starts_with("```") {
            self.problem(line, "a block of code without its end");
        }
        if info.is_empty() {
            self.problem(line, "a block of code without a language: ```text, ```console, ```rust ...");
        }
        self.found.blocks.push(Block {
            line,
            info: info.to_owned(),
            info_at: info_at..info_at + info.len(),
            comment: self.comment.take().map(|(_, comment)| comment),
            body: range.start + body_start..range.start + body_end.max(body_start),
        });
    }

    /// The links and anchors in a piece of HTML.
    fn read_html(&mut self, line: usize, html: &str) {
        self.found
            .links
            .extend(["href", "src"].iter().flat_map(|name| attribute(html, name)).map(|target| Link { line, target }));
        self.found.anchors.extend(attribute(html, "id"));
    }

    fn end_html(&mut self, line: usize) {
        self.drop_comment();
        let html = mem::take(&mut self.html);
        if html.contains("```") {
            self.problem(line, "a block of code that HTML swallows: leave a line empty above it");
        }
        match html.trim().strip_prefix("<!--").and_then(|rest| rest.strip_suffix("-->")) {
            Some(comment) => {
                self.comment = Some((line, comment.split_whitespace().collect::<Vec<_>>().join(" ")));
            }
            None if DIRECTIVES.iter().any(|word| html.contains(&format!("<!-- {word}"))) => {
                self.problem(line, "a comment for a block must stand alone, with an empty line above it");
            }
            None => {}
        }
    }

    fn drop_comment(&mut self) {
        if let Some((line, comment)) = self.comment.take()
            && DIRECTIVES.iter().any(|word| comment.starts_with(word))
        {
            self.problem(line, &format!("no block of code right below the comment \"{comment}\""));
        }
    }

    fn end_heading(&mut self) {
        let slug = slug(&self.heading.take().unwrap_or_default());
        let count = self.used.entry(slug.clone()).or_insert(0);
        self.found.anchors.push(if *count == 0 { slug } else { format!("{slug}-{count}") });
        *count += 1;
    }

    fn problem(&mut self, line: usize, what: &str) {
        self.found.problems.push(format!("{line}: {what}"));
    }
}

/// Returns the anchor that GitHub and mdBook make of a heading: small letters, digits and hyphens.
fn slug(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The values of an attribute in a piece of HTML.
pub fn attribute(html: &str, name: &str) -> Vec<String> {
    let begin = format!(" {name}=\"");
    let parts = html.split(&begin).skip(1);
    parts.filter_map(|rest| rest.split_once('"')).map(|(value, _)| value.to_owned()).collect()
}

pub fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_its_comment_its_language_and_its_lines() {
        let text = "# T\n\n<!-- quote: a.rs -->\n```rs\nfn a() {}\n```\n\n```text\n```\n";
        let page = parse(text);
        assert_eq!(page.problems, [""; 0]);
        let [quote, other] = &page.blocks[..] else { panic!("two blocks") };
        assert_eq!((quote.line, quote.info.as_str(), &text[quote.body.clone()]), (4, "rs", "fn a() {}\n"));
        assert_eq!((&text[quote.info_at.clone()], quote.comment.as_deref()), ("rs", Some("quote: a.rs")));
        assert_eq!((other.info.as_str(), &text[other.body.clone()], &other.comment), ("text", "", &None));
    }

    #[test]
    fn block_hidden_from_the_checks_is_a_problem() {
        for text in [
            "<!-- quote: a.rs -->\n\nText.\n\n```rs\n```\n",
            "<!-- quote: a.rs -->\n",
            "<!-- quote: a.rs -->\n\n<!-- another -->\n```rs\n```\n",
            "<details>\n<!-- quote: a.rs -->\n```rs\n```\n</details>\n",
            "- item\n\n  ```rs\n  ```\n",
            "```\nno language\n```\n",
            "```text\nno end\n",
        ] {
            assert!(!parse(text).problems.is_empty(), "{text}");
        }
    }

    #[test]
    fn headings_become_anchors_as_on_github() {
        let page = parse("# From `Java`, too\n## §5.2: A_b\n## Again\n## Again\n<a id=\"x\"></a>\n");
        assert_eq!(page.anchors, ["from-java-too", "52-a_b", "again", "again-1", "x"]);
    }

    #[test]
    fn links_and_tables_are_found_and_code_is_not_searched() {
        let page = parse("[a](b.md#c)\n\n| h |\n| - |\n| [d][e] `f` |\n\n[e]: g.md\n\n```text\n[no](no.md)\n```\n");
        let link = |line, target: &str| Link { line, target: target.to_owned() };
        assert_eq!(page.links, [link(1, "b.md#c"), link(5, "g.md")]);
        let [row] = &page.rows[..] else { panic!("one row") };
        assert_eq!((row.cells[0].text.as_str(), &row.cells[0].code[..]), ("d f", &["f".to_owned()][..]));
    }
}
