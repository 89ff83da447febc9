//! The last table of docs/rust.md, which says where the book first quotes each piece of Rust.

use super::{assert_none, links, markdown, read};

/// Returns whether the page shows this piece in a block of Rust.
fn quotes(path: &str, piece: &str) -> bool {
    let text = read(path).unwrap();
    markdown::parse(&text).blocks.iter().any(|block| block.info == "rs" && text[block.body.clone()].contains(piece))
}

#[test]
fn pieces_of_rust_appear_first_where_the_table_says() {
    let summary = markdown::parse(&read("docs/SUMMARY.md").unwrap());
    let order: Vec<String> =
        summary.links.iter().filter_map(|link| links::resolve("docs/SUMMARY.md", &link.target)).collect();
    let text = read("docs/rust.md").unwrap();
    let begin = text.find("## Where it appears first").expect("the table");
    let page = markdown::parse(&text[begin..]);
    assert_eq!(page.rows.len(), page.links.len(), "a link in each row");
    let mut problems = Vec::new();
    for (row, link) in page.rows.iter().zip(&page.links) {
        let chapter = links::resolve("docs/rust.md", &link.target).unwrap();
        for piece in &row.cells[0].code {
            let first = order.iter().find(|path| path.ends_with(".md") && quotes(path, piece));
            if first != Some(&chapter) {
                problems.push(format!("docs/rust.md: `{piece}` is first in {first:?}, not in {chapter}"));
            }
        }
    }
    assert_none(&problems);
}
