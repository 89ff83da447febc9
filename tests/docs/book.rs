//! The book as mdBook builds it, in `target/book/docs`. The source is beside it, so that links to the source work.

use super::links::resolve;
use super::markdown::attribute;
use super::{at, chapters, files};
use pulldown_cmark::html::push_html;
use pulldown_cmark::{Event, Options, Parser, Tag};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::process::Command;

const TOP: &str = "target/book";

/// The head of each README as a page. The book links to them and they are not part of it.
const HEAD: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>plainsocket</title>
<style>
:root { color-scheme: light dark }
body { max-width: 60em; margin: 1em auto; padding: 0 1em; font-family: sans-serif; line-height: 1.45; overflow-wrap: anywhere }
pre, code { background: #8882 }
pre { padding: .5em; overflow-x: auto; overflow-wrap: normal }
pre code { background: none }
table { border-collapse: collapse }
th, td { border: 1px solid #8888; padding: .2em .6em; text-align: start }
th { overflow-wrap: normal }
</style>
"#;

fn build() {
    let _ = fs::remove_dir_all(at(TOP));
    let built = Command::new("mdbook").args(["build", "docs"]).current_dir(at("")).output().expect("mdbook");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success() && !said.contains("WARN") && !said.contains("ERROR"), "{said}");
    let sources = ["src", "tests"]
        .into_iter()
        .flat_map(files)
        .chain(["README.md", "LICENSE-APACHE", "LICENSE-MIT"].map(str::to_owned));
    for file in sources {
        let copy = at(TOP).join(&file);
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        // mdBook makes `.html` of each link to a `.md`, even if the page is not part of the book.
        if file.ends_with(".md") {
            let mut html = HEAD.to_owned();
            let text = fs::read_to_string(at(&file)).unwrap();
            push_html(&mut html, Parser::new_ext(&text, Options::ENABLE_TABLES).map(with_link_to_html));
            fs::write(copy.with_extension("html"), html).unwrap();
        }
        fs::copy(at(&file), copy).unwrap();
    }
}

/// Makes a link to a Markdown page lead to the HTML that is made of it.
fn with_link_to_html(event: Event) -> Event {
    match event {
        Event::Start(Tag::Link { link_type, dest_url, title, id }) if !dest_url.contains(':') => {
            let dest_url = dest_url.replace("docs/README.md", "docs/index.md").replace(".md", ".html").into();
            Event::Start(Tag::Link { link_type, dest_url, title, id })
        }
        other => other,
    }
}

#[test]
#[ignore = "needs mdbook"]
fn the_built_book_has_no_broken_link() {
    build();
    // This page loads its parts from the top of a server.
    let pages = files(TOP).into_iter().filter(|path| path.ends_with(".html") && !path.ends_with("/404.html"));
    let pages: HashMap<String, String> =
        pages.map(|path| (path.clone(), fs::read_to_string(at(&path)).unwrap())).collect();
    assert!(pages.contains_key("target/book/docs/index.html"), "{:?}", pages.keys());
    let anchors =
        pages.iter().map(|(path, html)| (path.clone(), attribute(html, "id").into_iter().collect())).collect();
    let (mut dead, mut rendered) = (Vec::new(), 0);
    for (path, html) in &pages {
        assert!(!html.contains("&lt;!-- "), "{path} shows a comment");
        // The pages that the book's programs serve are there too, and have no `<main>`.
        if let Some((main, _)) = html.split_once("<main>").and_then(|(_, rest)| rest.split_once("</main>")) {
            rendered += 1;
            let raw = unrendered(main);
            assert!(raw.is_empty(), "{path} shows its Markdown:\n{}", raw.join("\n"));
        }
        for target in ["href", "src"].iter().flat_map(|name| attribute(html, name)) {
            if !target.contains(':') && !leads_somewhere(&anchors, path, &target) {
                dead.push(format!("{path}: {target}"));
            }
        }
    }
    assert!(rendered >= chapters().len(), "{rendered} pages");
    dead.sort();
    assert!(dead.is_empty(), "{} dead links:\n{}", dead.len(), dead.join("\n"));
}

fn leads_somewhere(anchors: &HashMap<String, HashSet<String>>, from: &str, target: &str) -> bool {
    let target = target.split('?').next().unwrap_or_default();
    let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
    let Some(path) = resolve(from, file).filter(|path| path.starts_with(TOP)) else { return false };
    match (anchor, anchors.get(&path)) {
        (None | Some(""), _) => Path::new(&at(&path)).exists(),
        (Some(anchor), Some(ids)) => ids.contains(anchor),
        (Some(_), None) => false,
    }
}

/// Returns the lines that show Markdown or HTML to the reader, because mdBook did not render it. The cause can be a
/// missing empty line below a `<summary>`, a superfluous bracket in a link, or two items of a list on one line.
fn unrendered(main: &str) -> Vec<String> {
    const MARKS: [&str; 7] = ["**", "](", "][", "[^", "`", "&lt;/", "&lt;details"];
    let without_code: String = main.split("</code>").filter_map(|part| part.split("<code").next()).collect();
    let text: String =
        without_code.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect();
    let is_item = |rest: &str| rest.starts_with(char::is_uppercase);
    let is_raw = |line: &&str| {
        line.starts_with(['|', '#'])
            || MARKS.iter().any(|mark| line.contains(mark))
            || line.split(" - ").skip(1).any(is_item)
    };
    text.lines().map(str::trim).filter(is_raw).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::unrendered;

    #[test]
    fn markdown_that_is_shown_as_such_is_found_outside_of_code() {
        for text in ["a **b**", "[a](b.md)", "a `b`", "| a | b |", "## a", "see[^1]", "a. - B", "&lt;/details&gt;"] {
            assert_eq!(unrendered(&format!("<p>fine</p>\n<p>\n{text}\n</p>")), [text]);
            assert_eq!(unrendered(&format!("<p>a <code class=\"x\">{text}</code>, b</p>")), [""; 0]);
        }
    }
}
