//! Links: each link inside the repository has a target, and the book includes every page.

use super::markdown::Markdown;
use std::collections::HashMap;

/// The pages of the book and the pages beside it, by their paths.
pub type Pages = HashMap<String, Markdown>;

/// Returns the links that have no target; `exists` says whether the repository has a file at this path.
pub fn dead(pages: &Pages, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut problems = Vec::new();
    for (path, page) in pages {
        for link in &page.links {
            if let Err(problem) = follow(pages, &exists, path, &link.target) {
                problems.push(format!("{path}:{}: the link {}: {problem}", link.line, link.target));
            }
        }
    }
    problems.sort();
    problems
}

fn follow(pages: &Pages, exists: impl Fn(&str) -> bool, from: &str, target: &str) -> Result<(), &'static str> {
    if ["https://", "http://127.0.0.1:8000", "http://localhost:8000"].iter().any(|begin| target.starts_with(begin)) {
        return Ok(());
    }
    let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
    let path = resolve(from, file).ok_or("it leaves the repository, or is no path")?;
    if !exists(&path) {
        return Err("no such file");
    }
    match (anchor, pages.get(&path)) {
        (Some(anchor), Some(page)) if !page.anchors.iter().any(|known| known == anchor) => Err("no such heading"),
        // Line numbers change too often to link to.
        (Some(_), None) => Err("only pages have anchors"),
        _ => Ok(()),
    }
}

/// Returns the target of a relative link in the file `from`, as a path from the repository's top.
pub fn resolve(from: &str, link: &str) -> Option<String> {
    if link.starts_with('/') || link.contains(':') {
        return None;
    }
    if link.is_empty() {
        return Some(from.to_owned());
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Returns the targets of the links between `word` at the top of a chapter and the next such word, as paths from the
/// repository's top.
pub fn behind(path: &str, text: &str, word: &str) -> Option<Vec<String>> {
    let top = text.split("\n## ").next()?;
    let words = ["Code:", "Tests:", "Exercise:", "Exercises:", "RFC"];
    let starts = |word: &str| {
        let at = top.match_indices(word).map(|(at, _)| at);
        at.filter(|&at| at == 0 || top[..at].ends_with([' ', '\n'])).collect::<Vec<usize>>()
    };
    let begin = *starts(word).first()? + word.len();
    let ends = words.iter().flat_map(|word| starts(word)).chain(top[begin..].find("\n\n").map(|at| begin + at));
    let end = ends.filter(|&end| end > begin).min().unwrap_or(top.len());
    let links = super::markdown::parse(&top[begin..end]).links;
    Some(links.iter().filter_map(|link| resolve(path, link.target.split('#').next()?)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::markdown;

    fn dead_in(text: &str) -> usize {
        let pages = [("docs/a.md", text), ("docs/x/b.md", "# Two words\n")];
        let pages: Pages = pages.map(|(path, text)| (path.to_owned(), markdown::parse(text))).into();
        dead(&pages, |path| ["docs/a.md", "docs/x/b.md", "src/lib.rs", "src"].contains(&path)).len()
    }

    #[test]
    fn links_that_lead_somewhere_are_fine() {
        for link in ["x/b.md", "x/b.md#two-words", "#here", "../src/lib.rs", "../src/", "https://example.com/#x"] {
            assert_eq!(dead_in(&format!("# Here\n[t]({link})\n")), 0, "{link}");
        }
    }

    #[test]
    fn links_that_lead_nowhere_are_dead() {
        for link in [
            "b.md",
            "x/b.md#three",
            "#there",
            "../src/gone.rs",
            "../src/lib.rs#L7",
            "../../other/a.md",
            "/docs/a.md",
            "http://example.com",
        ] {
            assert_eq!(dead_in(&format!("# Here\n[t]({link})\n")), 1, "{link}");
        }
        assert_eq!(dead_in("<a href=\"gone.md\">t</a>\n"), 1);
    }

    #[test]
    fn the_top_of_a_chapter_says_what_belongs_to_it() {
        let text = "# T\n\nCode: [`a`](../src/a.rs),\n[`b`](../src/b.rs). Tests: [`c`](../tests/c.rs).\nExercise: [3](x/3.md).\n\n\
            [d](d.md)\n";
        assert_eq!(behind("docs/t.md", text, "Code:").unwrap(), ["src/a.rs", "src/b.rs"]);
        assert_eq!(behind("docs/t.md", text, "Tests:").unwrap(), ["tests/c.rs"]);
        assert_eq!(behind("docs/t.md", text, "Exercise:").unwrap(), ["docs/x/3.md"]);
        assert_eq!(behind("docs/t.md", text, "Nothing:"), None);
    }
}
