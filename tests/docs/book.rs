//! The book as mdBook builds it, in `target/book/docs`. The source is beside it, so that links to the source work.

use super::links::resolve;
use super::markdown::attribute;
use super::{at, chapters, files};
use pulldown_cmark::html::push_html;
use pulldown_cmark::{Options, Parser};
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;

const TOP: &str = "target/book";

fn build() {
    let _ = fs::remove_dir_all(at(TOP));
    let built = Command::new("mdbook").args(["build", "docs"]).current_dir(at("")).output().expect("mdbook");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success() && !said.contains("WARN") && !said.contains("ERROR"), "{said}");
    let sources = ["src", "tests"].into_iter().flat_map(files).chain(["README.md".to_owned()]);
    for file in sources {
        let copy = at(TOP).join(&file);
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        // mdBook makes `.html` of each link to a `.md`, even if the page is not part of the book.
        if file.ends_with(".md") {
            let mut html = "<!doctype html>\n<meta charset=\"utf-8\">\n".to_owned();
            let text = fs::read_to_string(at(&file)).unwrap();
            push_html(&mut html, Parser::new_ext(&text, Options::ENABLE_TABLES));
            fs::write(copy.with_extension("html"), html).unwrap();
        }
        fs::copy(at(&file), copy).unwrap();
    }
}

#[test]
#[ignore = "needs mdbook"]
fn the_built_book_has_no_broken_link() {
    build();
    // This page loads its parts from the top of a server.
    let pages =
        files("target/book/docs").into_iter().filter(|path| path.ends_with(".html") && !path.ends_with("/404.html"));
    let pages: HashMap<String, String> =
        pages.map(|path| (path.clone(), fs::read_to_string(at(&path)).unwrap())).collect();
    assert!(pages.contains_key("target/book/docs/index.html"), "{:?}", pages.keys());
    let (mut dead, mut rendered) = (Vec::new(), 0);
    for (path, html) in &pages {
        assert!(!html.contains("&lt;!-- "), "{path} shows a comment");
        // Beside the pages of the book are those that its programs serve.
        if let Some((main, _)) = html.split_once("<main>").and_then(|(_, rest)| rest.split_once("</main>")) {
            rendered += 1;
            let raw = unrendered(main);
            assert!(raw.is_empty(), "{path} shows its Markdown:\n{}", raw.join("\n"));
        }
        for target in ["href", "src"].iter().flat_map(|name| attribute(html, name)) {
            if !target.contains(':') && !leads_somewhere(&pages, path, &target) {
                dead.push(format!("{path}: {target}"));
            }
        }
    }
    assert!(rendered >= chapters().len(), "{rendered} pages");
    dead.sort();
    assert!(dead.is_empty(), "{} dead links:\n{}", dead.len(), dead.join("\n"));
}

fn leads_somewhere(pages: &HashMap<String, String>, from: &str, target: &str) -> bool {
    let target = target.split('?').next().unwrap_or_default();
    let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
    let Some(path) = resolve(from, file).filter(|path| path.starts_with(TOP)) else { return false };
    match (anchor, pages.get(&path)) {
        (None | Some(""), _) => Path::new(&at(&path)).exists(),
        (Some(anchor), Some(html)) => attribute(html, "id").iter().any(|id| id == anchor),
        (Some(_), None) => false,
    }
}

/// The lines that show Markdown or HTML to the reader, because nothing rendered it: an empty line is missing below a
/// `<summary>`, say, or a link is split by a bracket too many.
fn unrendered(main: &str) -> Vec<String> {
    const MARKS: [&str; 7] = ["**", "](", "][", "[^", "`", "&lt;/", "&lt;details"];
    let without_code: String = main.split("</code>").filter_map(|part| part.split("<code").next()).collect();
    let text: String =
        without_code.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect();
    let is_raw = |line: &&str| line.starts_with(['|', '#']) || MARKS.iter().any(|mark| line.contains(mark));
    text.lines().map(str::trim).filter(is_raw).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::unrendered;

    #[test]
    fn markdown_that_is_shown_as_such_is_found_outside_of_code() {
        for text in ["a **b**", "[a](b.md)", "a `b`", "| a | b |", "## a", "see[^1]", "&lt;/details&gt;"] {
            assert_eq!(unrendered(&format!("<p>fine</p>\n<p>\n{text}\n</p>")), [text]);
            assert_eq!(unrendered(&format!("<p>a <code class=\"x\">{text}</code>, b</p>")), [""; 0]);
        }
    }
}
