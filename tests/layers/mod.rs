//! Imports point one way: bin -> server -> protocol -> error. `protocol/` is pure, and none of its modules depends on
//! itself through others. [`bars`] holds the design's bars for sizes.
//!
//! The tests read tokens, as the compiler does, so no spelling hides an import: lists, renaming, `::std`, a path in the
//! middle of an expression or a macro. Comments and strings are not read.

mod bars;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use syn::{ImplItem, Item, UseTree};

/// All that `protocol/` is allowed to name of std and of other packages.
const PURE: [&str; 8] =
    ["std::array", "std::borrow::Cow", "std::fmt", "std::mem", "std::net::Ipv6Addr", "base64", "flate2", "sha1_smol"];

/// The conditions in `protocol/` that are allowed, because they depend on features and not on the system.
const FEATURES: [&str; 2] = ["cfg (feature = \"deflate\")", "cfg (not (feature = \"deflate\"))"];

/// The macros of std that `protocol/` is allowed to call, because they only compute.
const PURE_MACROS: [&str; 12] = [
    "assert",
    "assert_eq",
    "assert_ne",
    "debug_assert",
    "debug_assert_eq",
    "format",
    "format_args",
    "matches",
    "panic",
    "vec",
    "write",
    "writeln",
];

/// Types that a path can begin with in lower case.
const PRIMITIVES: [&str; 14] =
    ["bool", "char", "f32", "f64", "i32", "i64", "isize", "slice", "str", "u8", "u16", "u32", "u64", "usize"];

/// Words that can precede `!` and call no macro.
const KEYWORDS: [&str; 7] = ["else", "if", "in", "match", "return", "unsafe", "while"];

/// The source of each module, by its path: `crate::protocol::frame`.
type Sources = BTreeMap<String, String>;

/// The modules below `src/` of this crate, without the program and without tests.
fn sources() -> Sources {
    let mut sources = Sources::new();
    gather(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "crate", &mut sources);
    sources
}

fn gather(folder: &Path, module: &str, sources: &mut Sources) {
    for entry in fs::read_dir(folder).expect("a folder of the source") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_str().expect("UTF-8").to_owned();
        match path.extension().and_then(|end| end.to_str()) {
            None if name != "bin" && name != "tests" => gather(&path, &format!("{module}::{name}"), sources),
            Some("rs") if name != "tests" => {
                let module = match name.as_str() {
                    "mod" | "lib" => module.to_owned(),
                    _ => format!("{module}::{name}"),
                };
                let source = fs::read_to_string(&path).expect("a source file");
                sources.insert(module, without_tests(&source));
            }
            _ => {}
        }
    }
}

/// The tokens of a source file, without its tests, which can use the whole crate as an application does.
fn without_tests(source: &str) -> String {
    fn retain(items: &mut Vec<Item>) {
        items.retain(|item| !bars::attributes(item).iter().any(bars::is_for_tests));
        for item in items {
            match item {
                Item::Mod(module) => module.content.iter_mut().for_each(|(_, items)| retain(items)),
                Item::Impl(block) => block.items.retain(|member| match member {
                    ImplItem::Fn(method) => !method.attrs.iter().any(bars::is_for_tests),
                    _ => true,
                }),
                _ => {}
            }
        }
    }
    let mut file = syn::parse_file(source).expect("Rust");
    retain(&mut file.items);
    file.to_token_stream().to_string()
}

/// All paths that a module names, each from its root: `std::net::TcpStream`, `crate::error::Error`.
fn paths(module: &str, source: &str, modules: &BTreeSet<String>) -> BTreeSet<String> {
    let mut found = Found::default();
    found.read(source.parse().expect("Rust"), module);
    let mut absolute = BTreeSet::new();
    for (inside, path) in &found.paths {
        let mut path = path.clone();
        // A name can be short for a path that begins with another such name.
        for _ in 0..8 {
            match found.names.get(&path[0]) {
                Some(meant) if meant[0] != path[0] => path = [meant, &path[1..]].concat(),
                _ => break,
            }
        }
        absolute.insert(from_the_root(inside, &path, modules));
    }
    absolute
}

/// `super::frame` in `crate::protocol::wire` is `crate::protocol::frame`. `core` and `alloc` count as `std`.
fn from_the_root(module: &str, path: &[String], modules: &BTreeSet<String>) -> String {
    let child = format!("{module}::{}", path[0]);
    let mut at: Vec<&str> = match path[0].as_str() {
        "self" | "super" => module.split("::").collect(),
        "core" | "alloc" => vec!["std"],
        _ if modules.contains(&child) => child.split("::").collect(),
        first => vec![first],
    };
    for (i, segment) in path.iter().enumerate() {
        match segment.as_str() {
            "super" => drop(at.pop()),
            "self" => {}
            _ if i == 0 => {}
            segment => at.push(segment),
        }
    }
    at.join("::")
}

#[derive(Default)]
struct Found {
    /// Each path, with the module that names it.
    paths: Vec<(String, Vec<String>)>,
    /// The names that `as` and `use` give, and the paths that they are short for.
    names: BTreeMap<String, Vec<String>>,
}

impl Found {
    fn read(&mut self, tokens: TokenStream, module: &str) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            match token {
                TokenTree::Ident(word) if word == "use" => at = self.read_use(&tokens, at, module),
                TokenTree::Ident(word) if word == "extern" && is_word(tokens.get(at + 1), "crate") => {
                    at = self.read_extern_crate(&tokens, at, module);
                }
                TokenTree::Ident(word) if word == "mod" => {
                    at += 2;
                    if let Some(TokenTree::Group(body)) = tokens.get(at) {
                        self.read(body.stream(), &format!("{module}::{}", text(tokens.get(at - 1))));
                        at += 1;
                    }
                }
                TokenTree::Ident(_) => at = self.read_path(&tokens, at, module),
                TokenTree::Group(group) => {
                    self.read(group.stream(), module);
                    at += 1;
                }
                _ => at += 1,
            }
        }
    }

    fn read_use(&mut self, tokens: &[TokenTree], start: usize, module: &str) -> usize {
        let end = end_of_statement(tokens, start);
        let statement: TokenStream = tokens[start..end].iter().cloned().collect();
        // `use` in `impl Trait + use<'a>` is no import.
        if let Ok(item) = syn::parse2::<syn::ItemUse>(statement) {
            self.read_tree(&item.tree, &mut Vec::new(), module);
            return end;
        }
        start + 1
    }

    fn read_tree(&mut self, tree: &UseTree, before: &mut Vec<String>, module: &str) {
        match tree {
            UseTree::Path(path) => {
                before.push(plain(&path.ident.to_string()));
                self.read_tree(&path.tree, before, module);
                before.pop();
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.read_tree(tree, before, module)),
            UseTree::Glob(_) => self.names_a_path(before, "*", None, module),
            UseTree::Name(name) => self.names_a_path(before, &name.ident.to_string(), None, module),
            UseTree::Rename(rename) => {
                let other = Some(plain(&rename.rename.to_string()));
                self.names_a_path(before, &rename.ident.to_string(), other, module);
            }
        }
    }

    fn names_a_path(&mut self, before: &[String], last: &str, other: Option<String>, module: &str) {
        let mut path = before.to_vec();
        // `std::io::{self}` is `std::io`.
        if last != "self" || path.is_empty() {
            path.push(plain(last));
        }
        let name = other.unwrap_or_else(|| path.last().cloned().unwrap_or_default());
        if path.len() > 1 || name != path[0] {
            self.names.insert(name, path.clone());
        }
        self.paths.push((module.to_owned(), path));
    }

    fn read_extern_crate(&mut self, tokens: &[TokenTree], start: usize, module: &str) -> usize {
        let end = end_of_statement(tokens, start);
        let name = plain(&text(tokens.get(start + 2)));
        let other = is_word(tokens.get(start + 3), "as").then(|| plain(&text(tokens.get(start + 4))));
        self.names_a_path(&[], &name, other, module);
        end
    }

    /// Reads a path in an expression, a type or a macro: `a::b::c`.
    fn read_path(&mut self, tokens: &[TokenTree], start: usize, module: &str) -> usize {
        let mut path = vec![plain(&text(tokens.get(start)))];
        let mut at = start + 1;
        while is_colon(tokens.get(at)) && is_colon(tokens.get(at + 1)) {
            let Some(TokenTree::Ident(word)) = tokens.get(at + 2) else { break };
            path.push(plain(&word.to_string()));
            at += 3;
        }
        if path.len() > 1 {
            self.paths.push((module.to_owned(), path));
        }
        at
    }
}

fn end_of_statement(tokens: &[TokenTree], start: usize) -> usize {
    let length =
        tokens[start..].iter().position(|token| matches!(token, TokenTree::Punct(mark) if mark.as_char() == ';'));
    length.map_or(tokens.len(), |length| start + length + 1)
}

fn text(token: Option<&TokenTree>) -> String {
    token.map(ToString::to_string).unwrap_or_default()
}

/// A name without the `r#` of a raw identifier.
fn plain(name: &str) -> String {
    name.trim_start_matches("r#").to_owned()
}

fn is_word(token: Option<&TokenTree>, word: &str) -> bool {
    matches!(token, Some(TokenTree::Ident(ident)) if ident == word)
}

fn is_colon(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Punct(mark)) if mark.as_char() == ':')
}

fn is_below(path: &str, root: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn names(sources: &Sources) -> BTreeSet<String> {
    sources.keys().cloned().collect()
}

/// Returns the paths that modules below `root` name and that `is_wrong` finds wrong.
fn wrong_paths(sources: &Sources, root: &str, is_wrong: impl Fn(&str) -> bool) -> Vec<String> {
    let modules = names(sources);
    let below = sources.iter().filter(|(module, _)| is_below(module, root));
    let all = below.flat_map(|(module, source)| {
        paths(module, source, &modules).into_iter().map(move |path| format!("{module}: {path}"))
    });
    all.filter(|found| is_wrong(found.split_once(": ").expect("a path").1)).collect()
}

/// Returns whether a path leaves the crate for anything that is not known to be pure. A path that begins with a capital
/// begins with a type, and the import of that type is checked as a path of its own.
fn is_impure(path: &str) -> bool {
    let root = path.split("::").next().unwrap_or_default();
    let is_within = ["crate", "self", "Self"].contains(&root) || PRIMITIVES.contains(&root);
    let is_package = root.starts_with(|first: char| first.is_lowercase() || first == '_');
    is_package && !is_within && !PURE.iter().any(|pure| is_below(path, pure))
}

/// Returns what makes a module depend on more than its input: macros that do more than compute, and code for some
/// systems only.
fn impure_tokens(tokens: TokenStream) -> Vec<String> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match (token, tokens.get(at + 1), tokens.get(at + 2)) {
            (TokenTree::Ident(word), Some(TokenTree::Group(condition)), _) if word == "cfg" || word == "cfg_attr" => {
                let condition = format!("{word} {condition}");
                if !FEATURES.contains(&condition.as_str()) {
                    found.push(condition);
                }
            }
            (TokenTree::Ident(word), Some(TokenTree::Punct(mark)), Some(TokenTree::Group(_)))
                if mark.as_char() == '!' =>
            {
                let word = plain(&word.to_string());
                if !PURE_MACROS.contains(&word.as_str()) && !KEYWORDS.contains(&word.as_str()) {
                    found.push(format!("{word}!"));
                }
            }
            _ => {}
        }
        if let TokenTree::Group(group) = token {
            found.extend(impure_tokens(group.stream()));
        }
    }
    found
}

/// Returns, for each module, the modules below `root` that it names.
fn graph(sources: &Sources, root: &str) -> BTreeMap<String, BTreeSet<String>> {
    let modules = names(sources);
    let below = sources.iter().filter(|(module, _)| is_below(module, root));
    let edges = below.map(|(module, source)| {
        let paths = paths(module, source, &modules);
        // A path belongs to the module with the longest name that the path begins with.
        let targets =
            paths.iter().filter_map(|path| modules.iter().filter(|name| is_below(path, name)).max_by_key(|n| n.len()));
        let targets = targets.filter(|target| *target != module && is_below(target, root)).cloned();
        (module.clone(), targets.collect())
    });
    edges.collect()
}

/// Returns modules that depend on each other in a circle: each one needs the next, and the last one needs the first.
fn cycle(graph: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn visit(at: &str, graph: &BTreeMap<String, BTreeSet<String>>, way: &mut Vec<String>) -> Option<Vec<String>> {
        if let Some(start) = way.iter().position(|module| module == at) {
            return Some(way[start..].to_vec());
        }
        way.push(at.to_owned());
        let found = graph.get(at)?.iter().find_map(|next| visit(next, graph, way));
        way.pop();
        found
    }
    graph.keys().find_map(|module| visit(module, graph, &mut Vec::new()))
}

#[test]
fn the_protocol_knows_bytes_and_values_only() {
    let sources = sources();
    assert_eq!(wrong_paths(&sources, "crate::protocol", is_impure), [""; 0]);
    for (module, source) in sources.iter().filter(|(module, _)| is_below(module, "crate::protocol")) {
        let tokens: TokenStream = source.parse().expect("Rust");
        assert_eq!(impure_tokens(tokens.clone()), [""; 0], "{module}");
        assert!(!takes_files_in(tokens), "{module} takes a file in that is not looked at");
    }
}

#[test]
fn imports_point_one_way() {
    let sources = sources();
    let (error, config) =
        (["crate::error"].as_slice(), ["crate::error", "crate::config", "crate::protocol"].as_slice());
    let server = ["crate::error", "crate::config", "crate::protocol", "crate::server"].as_slice();
    for (wing, below) in [
        ("crate::error", error),
        ("crate::protocol", &["crate::error", "crate::protocol"]),
        ("crate::config", config),
        ("crate::server", server),
    ] {
        let points_up = |path: &str| is_below(path, "crate") && !below.iter().any(|root| is_below(path, root));
        assert_eq!(wrong_paths(&sources, wing, points_up), [""; 0]);
    }
}

#[test]
fn the_protocol_does_without_its_explanations() {
    let explanations = "crate::protocol::wire";
    let sources: Sources = sources().into_iter().filter(|(module, _)| !is_below(module, explanations)).collect();
    assert!(sources.contains_key("crate::protocol::decoder"), "the search finds what is there");
    // The modules of `wire` are recognised by their paths.
    assert_eq!(wrong_paths(&sources, "crate::protocol", |path| is_below(path, explanations)), [""; 0]);
}

#[test]
fn no_module_of_the_protocol_needs_itself() {
    let graph = graph(&sources(), "crate::protocol");
    assert!(graph["crate::protocol::decoder"].contains("crate::protocol::frame"), "the search finds what is there");
    assert!(graph.contains_key("crate::protocol::wire::dissector"), "wire is included");
    assert_eq!(cycle(&graph), None);
}

#[test]
fn the_program_sees_only_the_public_api() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin/plainsocket");
    let mut sources = Sources::new();
    gather(&folder, "crate", &mut sources);
    let paths = wrong_paths(&sources, "crate", |path| is_below(path, "plainsocket"));
    assert!(!paths.is_empty(), "the search finds what is there");
    for (module, source) in &sources {
        let tokens = source.parse::<TokenStream>().expect("Rust");
        assert!(!takes_files_in(tokens), "{module} takes a file of another folder in");
    }
}

#[test]
fn one_page_names_std_and_four_packages_only() {
    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/one-page.rs")).expect("the page");
    let paths = paths("crate", &source, &BTreeSet::from(["crate".to_owned()]));
    // Only crates, not types as in `TcpListener::bind`.
    let is_crate = |root: &&str| root.starts_with(|first: char| first.is_ascii_lowercase()) && *root != "u64";
    let roots: BTreeSet<&str> = paths.iter().filter_map(|path| path.split("::").next()).filter(is_crate).collect();
    assert_eq!(roots, BTreeSet::from(["base64", "env_logger", "log", "sha1_smol", "std"]));
    assert!(!takes_files_in(source.parse().expect("Rust")), "it takes a file in");
}

/// Returns whether this module includes files of other folders, by `#[path = "..."]` or `include!`.
fn takes_files_in(tokens: TokenStream) -> bool {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    tokens.iter().enumerate().any(|(at, token)| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
            let inside: Vec<TokenTree> = group.stream().into_iter().collect();
            is_word(inside.first(), "path") || takes_files_in(group.stream())
        }
        TokenTree::Group(group) => takes_files_in(group.stream()),
        TokenTree::Ident(word) => word == "include" && text(tokens.get(at + 1)) == "!",
        _ => false,
    })
}

// The search itself: it finds each spelling of an import, and nothing else.

fn found_in(module: &str, source: &str) -> Vec<String> {
    let sources = Sources::from([
        ("crate::protocol".to_owned(), String::new()),
        ("crate::protocol::wire".to_owned(), String::new()),
        ("crate::server".to_owned(), String::new()),
        (module.to_owned(), source.to_owned()),
    ]);
    wrong_paths(&sources, module, |path| is_impure(path) || is_below(path, "crate::server"))
}

#[test]
fn search_finds_every_spelling_of_an_import() {
    let spellings = [
        "use std::net::TcpStream;",
        "use std::net::{Ipv6Addr, ToSocketAddrs};",
        "use std::{fmt, net};",
        "use std::{fmt, net::{self, TcpStream}};",
        "use std::{self as base, fmt}; fn f() { base::thread::yield_now() }",
        "use std::net as n; fn f() -> n::TcpStream { todo!() }",
        "use std as s; use s::time::Instant;",
        "use std as s; fn f() { let _ = s::time::Instant::now(); }",
        "use ::std::net;",
        "use ::std::{net};",
        "use std::*;",
        "use std::io::*;",
        "use r#std::r#net::TcpStream;",
        "use core::net::IpAddr;",
        "extern crate std as s; fn f() { s::thread::yield_now() }",
        "pub extern crate std as s; use s::{net};",
        "extern crate nix;",
        "extern crate log as l;",
        "fn f() { ::std::thread::yield_now() }",
        "fn f(_: &std::net::TcpStream) {}",
        "fn f() { use std::net; }",
        "fn f() { println!(\"{:?}\", std::time::Instant::now()) }",
        "mod inner { use std::sync::Mutex; }",
        "impl<T: std::io::Read> X<T> {}",
        "use crate::server::Server;",
        "use crate::{error::Error, server};",
        "use crate as me; fn f() { me::server::run() }",
        "use super::super::server;",
        "mod inner { use super::super::super::server; }",
        "fn f() { crate::server::run() }",
        "use miniz_oxide::deflate;",
        "fn f() { rand::random::<u8>() }",
        "use std::hash::RandomState;",
        "fn f() -> std::process::Child { todo!() }",
    ];
    for spelling in spellings {
        assert_ne!(found_in("crate::protocol::frame", spelling), [""; 0], "{spelling}");
    }
}

#[test]
fn search_finds_nothing_where_nothing_is() {
    let innocent = [
        "use std::{fmt, mem};",
        "use std::net::Ipv6Addr;",
        "use std::fmt::{self, Write as _};",
        "// use std::net;\nfn f() {}",
        "/// As `std::net::TcpStream` does.\nfn f() {}",
        "const TEXT: &str = \"use std::net;\";",
        "use crate::error::Error;",
        "use super::message; fn f() { message::io() }",
        "fn net() {} fn f() { net() }",
        "use base64::Engine as _; fn f() -> [u8; 4] { std::array::from_fn(|_| u8::from_str_radix(\"1\", 2)) }",
        "use super::frame::Opcode; fn f() { Opcode::decode(Self::X, str::from_utf8(b\"x\")) }",
        "fn f<'a>(x: &'a str) -> impl Fn() + use<'a> { move || drop(x) }",
    ];
    for source in innocent {
        assert_eq!(found_in("crate::protocol::frame", source), [""; 0], "{source}");
    }
}

#[test]
fn search_finds_system_specific_code_and_macros() {
    for source in [
        "#[cfg(windows)] fn f() {}",
        "#[cfg(all(windows, feature = \"deflate\"))] fn f() {}",
        "const LONG: usize = if cfg!(target_pointer_width = \"64\") { 1 } else { 2 };",
        "fn f() { #[cfg_attr(unix, inline)] fn g() {} }",
        "fn f() { println!(\"x\") }",
        "thread_local! { static X: u8 = 0 }",
        "const PAGE: &str = include_str!(\"page.html\");",
        "mod inner { fn f() { if !x { dbg!(y) } } }",
    ] {
        assert_eq!(impure_tokens(source.parse().unwrap()).len(), 1, "{source}");
    }
    for source in [
        "fn f(cfg: u8) { if !(cfg != 1) { format!(\"cfg!(unix)\") } }",
        "/// `#[cfg(unix)]`\nfn f() {}",
        "#[cfg(feature = \"deflate\")] mod deflate;",
    ] {
        assert_eq!(impure_tokens(source.parse().unwrap()), [""; 0], "{source}");
    }
}

#[test]
fn search_leaves_out_what_is_only_for_tests() {
    let source = "#[cfg(test)] use std::net; #[cfg(test)] mod tests { use std::fs; } impl A { #[cfg(test)] fn f() {} }";
    assert_eq!(without_tests(source), without_tests("impl A {}"));
    assert!(without_tests("#[cfg(any(test, fuzzing))] use std::net;").contains("net"), "a build has it");
}

fn cycle_of(sources: &[(&str, &str)]) -> Option<Vec<String>> {
    let sources = sources.iter().map(|(module, source)| (format!("crate::{module}"), (*source).to_owned())).collect();
    cycle(&graph(&sources, "crate"))
}

#[test]
fn search_finds_files_that_are_taken_in() {
    for source in ["#[path = \"../server/mod.rs\"] mod server;", "fn f() { include!(\"other.rs\") }"] {
        assert!(takes_files_in(source.parse().unwrap()), "{source}");
    }
    for source in ["mod server;", "fn f(path: &str) { include_bytes!(\"x\"); f(path) }", "#[doc = \"path\"] mod a {}"] {
        assert!(!takes_files_in(source.parse().unwrap()), "{source}");
    }
}

#[test]
fn search_finds_cycles_of_two_and_of_three() {
    let two = [("a", "use crate::b::B;"), ("b", "use super::a::{self, A};"), ("c", "use crate::a;")];
    assert_eq!(cycle_of(&two), Some(vec!["crate::a".to_owned(), "crate::b".to_owned()]));
    let three = [
        ("w", "pub use fields::F;"),
        ("w::fields", "use super::text::hex;"),
        ("w::text", "fn f() { crate::w::handshake::line() }"),
        ("w::handshake", "use crate::{w::fields as other}; fn f() { other::f() }"),
    ];
    let found = cycle_of(&three).expect("a cycle");
    assert_eq!(found.len(), 3, "{found:?}");
}

#[test]
fn search_finds_cycles_through_a_name_that_the_parent_exports() {
    let sources = [("w", "mod frame; pub use frame::Frame;"), ("w::frame", "use super::Other;")];
    assert_eq!(cycle_of(&sources).map(|modules| modules.len()), Some(2));
}

#[test]
fn search_finds_no_cycle_in_a_tree() {
    let sources = [
        ("w", "mod frame; mod text; pub use frame::Frame; pub use text::Text;"),
        ("w::frame", "use crate::error::Error; use self::inner::X; mod inner { use super::Frame; }"),
        ("w::text", "use super::frame::Frame; fn f() { text::nothing() }"),
        ("error", "use std::fmt;"),
    ];
    assert_eq!(cycle_of(&sources), None);
}
