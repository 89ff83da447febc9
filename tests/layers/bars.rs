//! The design's bars for the essential path, which a reader can read in an afternoon: the files of `server/` and
//! `protocol/`, without `wire/` (which explains bytes to people), `speed/`, code that only the feature deflate needs,
//! and tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::Path;
use syn::spanned::Spanned;
use syn::{Attribute, ImplItem, Item, Meta, TraitItem};

/// The most lines of a file, with its comments.
const FILE: usize = 350;

/// The most lines of a function, from its signature to its closing brace.
const FUNCTION: usize = 40;

/// The most lines of code in all, without comments, blank lines and tests. The design's target is 2,000: when the sum
/// falls, lower this with it. It was 3,502 before programs could push from any thread, decide before the 101, serve rooms,
/// wait with a limit and read counters, and 4,341 before clients could agree to compression.
const CODE: usize = 4522;

/// The files that only the feature deflate needs. The bars for a file and a function apply to them too.
const OPTIONAL: [&str; 4] =
    ["protocol/decoder/inflate.rs", "protocol/deflate.rs", "protocol/no_deflate.rs", "server/compression.rs"];

/// Files and functions that exceed their bars today: `"server/x.rs"` for a file, `"server/x.rs: name"` for a function.
/// The list can only shrink: an exception that is no longer needed fails the test until its line is deleted.
#[rustfmt::skip] // one per line
const EXCEPTIONS: &[&str] = &[
];

/// The sizes of a source file.
#[derive(Debug, Default, PartialEq)]
struct Size {
    lines: usize,
    code: usize,
    /// The functions that are no tests, with their lines.
    functions: Vec<(String, usize)>,
}

fn measure(source: &str) -> Size {
    let file = syn::parse_file(source).expect("Rust");
    let (mut functions, mut tests) = (Vec::new(), Vec::new());
    visit(&file.items, &mut functions, &mut tests);
    let is_code = |(number, line): &(usize, &str)| {
        let line = line.trim_start();
        !line.is_empty() && !line.starts_with("//") && !tests.iter().any(|test| test.contains(&(number + 1)))
    };
    Size { lines: source.lines().count(), code: source.lines().enumerate().filter(is_code).count(), functions }
}

fn visit(items: &[Item], functions: &mut Vec<(String, usize)>, tests: &mut Vec<Range<usize>>) {
    for item in items {
        if attributes(item).iter().any(is_for_tests) {
            tests.push(lines_of(item));
            continue;
        }
        match item {
            Item::Fn(function) => {
                functions.push((function.sig.ident.to_string(), length(&function.sig, &function.block)));
            }
            Item::Impl(block) => {
                for member in &block.items {
                    let ImplItem::Fn(method) = member else { continue };
                    if method.attrs.iter().any(is_for_tests) {
                        tests.push(lines_of(method));
                    } else {
                        functions.push((method.sig.ident.to_string(), length(&method.sig, &method.block)));
                    }
                }
            }
            Item::Trait(definition) => {
                for member in &definition.items {
                    let TraitItem::Fn(method) = member else { continue };
                    if let Some(block) = &method.default {
                        functions.push((method.sig.ident.to_string(), length(&method.sig, block)));
                    }
                }
            }
            Item::Mod(module) => {
                let inside = module.content.as_ref().map_or(&[][..], |(_, items)| items);
                visit(inside, functions, tests);
            }
            _ => {}
        }
    }
}

pub(super) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether this is `#[cfg(test)]`, or `#[cfg(fuzzing)]`.
pub(super) fn is_for_tests(attribute: &Attribute) -> bool {
    let Meta::List(list) = &attribute.meta else { return false };
    list.path.is_ident("cfg") && ["test", "fuzzing"].contains(&list.tokens.to_string().as_str())
}

fn lines_of(item: &impl Spanned) -> Range<usize> {
    let span = item.span();
    span.start().line..span.end().line + 1
}

fn length(signature: &impl Spanned, block: &impl Spanned) -> usize {
    block.span().end().line - signature.span().start().line + 1
}

/// The files of the essential path, by their paths below `src/`.
fn essential_path() -> BTreeMap<String, Size> {
    let mut sizes = BTreeMap::new();
    for folder in ["protocol", "server"] {
        gather(folder, &mut sizes);
    }
    sizes
}

fn gather(folder: &str, sizes: &mut BTreeMap<String, Size>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(root.join(folder)).expect("a folder of the source") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("UTF-8");
        let path = format!("{folder}/{name}");
        match name.as_str() {
            "wire" | "speed" | "tests" | "tests.rs" => {}
            _ if entry.path().is_dir() => gather(&path, sizes),
            _ => drop(sizes.insert(path, measure(&fs::read_to_string(entry.path()).expect("a source file")))),
        }
    }
}

/// Each file and function over its bar, with its number of lines.
fn over(sizes: &BTreeMap<String, Size>) -> BTreeMap<String, usize> {
    let mut over = BTreeMap::new();
    for (path, size) in sizes {
        if size.lines > FILE {
            over.insert(path.clone(), size.lines);
        }
        for (name, lines) in &size.functions {
            if *lines > FUNCTION {
                over.insert(format!("{path}: {name}"), *lines);
            }
        }
    }
    over
}

#[test]
fn files_and_functions_are_below_their_bars() {
    let over = over(&essential_path());
    let new: Vec<_> = over.iter().filter(|(name, _)| !EXCEPTIONS.contains(&name.as_str())).collect();
    assert!(new.is_empty(), "over {FILE} lines a file, or {FUNCTION} a function: {new:?}");
    let found: BTreeSet<&str> = over.keys().map(String::as_str).collect();
    let done: Vec<_> = EXCEPTIONS.iter().filter(|name| !found.contains(*name)).collect();
    assert!(done.is_empty(), "no exceptions any longer, delete their lines: {done:?}");
}

#[test]
fn essential_path_has_no_more_code_than_before() {
    let sizes = essential_path();
    assert!(sizes.contains_key("protocol/frame.rs") && sizes.contains_key("server/mod.rs"), "the search finds files");
    assert!(OPTIONAL.iter().all(|path| sizes.contains_key(*path)), "the files of the feature have other names");
    let sum: usize =
        sizes.iter().filter(|(path, _)| !OPTIONAL.contains(&path.as_str())).map(|(_, size)| size.code).sum();
    assert!(sum <= CODE, "{sum} lines of code, where {CODE} were");
}

#[test]
fn measure_leaves_comments_and_tests_out() {
    let source = "//! A file.\n\nuse std::fmt; // code\n\n/// Does it.\n#[inline]\nfn f(\n    x: u8,\n) {\n    // Why.\n\n    x\n}\n\n\
                  #[cfg(test)]\nuse x::y;\n#[cfg(test)]\nmod tests {\n    fn g() {\n    }\n}\n\
                  impl A {\n    #[cfg(test)]\n    fn t() {}\n    fn h() {}\n}\n#[cfg(fuzzing)]\nmod z;\n";
    let functions = vec![("f".to_owned(), 7), ("h".to_owned(), 1)];
    assert_eq!(measure(source), Size { lines: 28, code: 10, functions });
}

#[test]
fn files_and_functions_over_their_bars_are_found() {
    let function = format!("fn f() {{\n{}}}\n", "    g();\n".repeat(39));
    let file = format!("{function}{}", "// A comment.\n".repeat(310));
    let sizes = BTreeMap::from([("a.rs".to_owned(), measure(&file))]);
    assert_eq!(over(&sizes), BTreeMap::from([("a.rs".to_owned(), 351), ("a.rs: f".to_owned(), 41)]));
    let sizes = BTreeMap::from([("a.rs".to_owned(), measure(&file.replacen("    g();\n", "", 1)))]);
    assert_eq!(over(&sizes), BTreeMap::new());
}
