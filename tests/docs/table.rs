//! The table of requirements: each row names code and a test that exist, or says why the rule does not apply.

use super::markdown::{Row, parse};
use super::source::{self, Item};
use std::rc::Rc;

/// Returns the items of a file below the repository's top, or the reason why there are none.
pub type Lookup<'a> = dyn FnMut(&str) -> Result<Rc<Vec<Item>>, String> + 'a;

/// The folders to search when the table names a test file without its folder.
const TEST_FOLDERS: [&str; 3] = ["tests/protocol", "tests/sockets", "tests"];

/// The words that mark a requirement.
const WORDS: [&str; 5] = ["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY"];

pub fn check(path: &str, text: &str, items_of: &mut Lookup) -> Vec<String> {
    let rows = parse(text).rows;
    if rows.is_empty() {
        return vec![format!("{path}: no rows")];
    }
    let problems = rows.iter().filter_map(|row| check_row(row, items_of).err().map(|what| (row.line, what)));
    problems.map(|(line, what)| format!("{path}:{line}: {what}")).collect()
}

/// Checks one row: section, word, rule, code, test. Without code the last cell gives the reason.
fn check_row(row: &Row, items_of: &mut Lookup) -> Result<(), String> {
    let [section, word, rule, code, test] = &row.cells[..] else { return Err("a row has five cells".to_owned()) };
    if !section.text.split('.').all(|part| part.parse::<u8>().is_ok()) {
        return Err(format!("\"{}\" is no section", section.text));
    }
    if !WORDS.contains(&word.text.as_str()) {
        return Err(format!("\"{}\" is none of {WORDS:?}", word.text));
    }
    if rule.text.is_empty() {
        return Err("no rule".to_owned());
    }
    if code.text == "-" {
        return if test.text.len() > 20 { Ok(()) } else { Err("neither code nor a reason".to_owned()) };
    }
    for (file, name) in pairs(&code.code)? {
        let file = format!("src/{file}");
        source::find(&items_of(&file)?, name).map_err(|error| format!("{file} {error}"))?;
    }
    for (file, name) in pairs(&test.code)? {
        let folders = if file.contains('/') { &["src"][..] } else { &TEST_FOLDERS };
        let mut found = folders.iter().filter_map(|folder| items_of(&format!("{folder}/{file}")).ok());
        let items = found.next().ok_or_else(|| format!("{file} is in none of {folders:?}"))?;
        if !items.iter().any(|item| item.is_test && item.name == name) {
            return Err(format!("{file} has no test `{name}`"));
        }
    }
    Ok(())
}

/// Splits a cell into files and the names after each of them. A file can have several names.
fn pairs(code: &[String]) -> Result<Vec<(&str, &str)>, String> {
    let (mut pairs, mut file, mut is_named) = (Vec::new(), None, true);
    for word in code {
        if word.ends_with(".rs") {
            if !is_named {
                return Err(format!("what in the file before `{word}`?"));
            }
            (file, is_named) = (Some(word.as_str()), false);
        } else {
            pairs.push((file.ok_or_else(|| format!("in which file is `{word}`?"))?, word.as_str()));
            is_named = true;
        }
    }
    if pairs.is_empty() || !is_named { Err("a file and a name are missing".to_owned()) } else { Ok(pairs) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(row: &str) -> Vec<String> {
        let text = format!("| s | w | rule | code | test |\n| - | - | - | - | - |\n{row}\n");
        check("docs/t.md", &text, &mut |file| match file {
            "src/a.rs" => source::items("struct A;\nimpl A {\n    fn b() {}\n}\n").map(Rc::new),
            "tests/sockets/t.rs" => source::items("#[test]\nfn it_holds() {}\nfn helper() {}\n").map(Rc::new),
            _ => Err(format!("{file} cannot be read")),
        })
    }

    #[test]
    fn a_row_has_code_and_a_test_or_a_reason() {
        for row in [
            "| [5.2](https://x) | MUST NOT | r | `a.rs`: `A::b` | `t.rs`: `it_holds` |",
            "| 5 | MUST | r | `a.rs`: `A::b`, `A` | `t.rs`: `it_holds` |",
            "| 5 | SHOULD | r | - | It binds the client, and only the client. |",
        ] {
            assert_eq!(problems(row), [""; 0], "{row}");
        }
    }

    #[test]
    fn missing_code_or_test_is_reported() {
        for row in [
            "| 5.2 | MUST | r | `a.rs`: `A::c` | `t.rs`: `it_holds` |",
            "| 5.2 | MUST | r | `gone.rs`: `A::b` | `t.rs`: `it_holds` |",
            "| 5.2 | MUST | r | `a.rs`: `A::b` | `t.rs`: `it_held` |",
            "| 5.2 | MUST | r | `a.rs`: `A::b` | `t.rs`: `helper` |",
            "| 5.2 | MUST | r | `a.rs`: `A::b` | `gone.rs`: `it_holds` |",
            "| 5.2 | MUST | r | `a.rs`: `A::b` | |",
            "| 5.2 | MUST | r | `a.rs` | `t.rs`: `it_holds` |",
            "| 5.2 | MUST | r | - | |",
            "| 5.2 | CAN | r | `a.rs`: `A::b` | `t.rs`: `it_holds` |",
            "| five | MUST | r | `a.rs`: `A::b` | `t.rs`: `it_holds` |",
            "| 5.2 | MUST | r | `A::b` | `t.rs`: `it_holds` |",
        ] {
            assert_eq!(problems(row).len(), 1, "{row}");
        }
        assert_eq!(check("docs/t.md", "No table.\n", &mut |_| Ok(Rc::default())).len(), 1);
    }
}
