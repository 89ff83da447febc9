//! The items of a Rust file: their names and lines.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use std::ops::Range;
use syn::spanned::Spanned;
use syn::{AttrStyle, Attribute, Ident, ImplItem, ItemImpl, TraitItem, Type};

#[derive(Debug)]
pub struct Item {
    /// `name`, `Type::method`, `impl Type` or `impl Trait for Type`.
    pub name: String,
    /// Its lines, counted from 0, without the attributes and doc comments above it.
    pub lines: Range<usize>,
    pub is_test: bool,
}

/// Returns all items of a file, including those of its modules and impls.
pub fn items(source: &str) -> Result<Vec<Item>, String> {
    let file = syn::parse_file(source).map_err(|error| format!("is no Rust: {error}"))?;
    let mut items = Vec::new();
    collect(&file.items, &mut items);
    Ok(items)
}

/// Returns the one item of this name; white space does not matter.
pub fn find<'a>(items: &'a [Item], name: &str) -> Result<&'a Item, String> {
    let found: Vec<&Item> = items.iter().filter(|item| squeeze(&item.name) == squeeze(name)).collect();
    match found[..] {
        [item] => Ok(item),
        [] => Err(format!("has no item `{name}`")),
        _ => Err(format!("has {} items `{name}`: name one by its impl and `from ... to ...`", found.len())),
    }
}

fn squeeze(name: &str) -> String {
    name.split_whitespace().collect()
}

fn collect(syn_items: &[syn::Item], items: &mut Vec<Item>) {
    for item in syn_items {
        match item {
            syn::Item::Fn(item) => items.push(new(&item.sig.ident, &item.attrs, item)),
            syn::Item::Struct(item) => items.push(new(&item.ident, &item.attrs, item)),
            syn::Item::Enum(item) => items.push(new(&item.ident, &item.attrs, item)),
            syn::Item::Const(item) => items.push(new(&item.ident, &item.attrs, item)),
            syn::Item::Static(item) => items.push(new(&item.ident, &item.attrs, item)),
            syn::Item::Type(item) => items.push(new(&item.ident, &item.attrs, item)),
            syn::Item::Trait(item) => {
                items.push(new(&item.ident, &item.attrs, item));
                let methods = item.items.iter().filter_map(|part| match part {
                    TraitItem::Fn(method) => Some(method),
                    _ => None,
                });
                items.extend(methods.map(|method| member(&item.ident, &method.sig.ident, &method.attrs, method)));
            }
            syn::Item::Mod(item) => {
                items.push(new(&item.ident, &item.attrs, item));
                collect(item.content.as_ref().map_or(&[][..], |(_, content)| content), items);
            }
            syn::Item::Impl(item) => collect_impl(item, items),
            syn::Item::Macro(item) if item.mac.path.is_ident("proptest") => {
                let names = function_names(item.mac.tokens.clone());
                items.extend(names.map(|name| Item { is_test: true, ..new(&name, &[], &name) }));
            }
            _ => {}
        }
    }
}

fn collect_impl(block: &ItemImpl, items: &mut Vec<Item>) {
    let of = block.self_ty.to_token_stream();
    let name = match &block.trait_ {
        Some((path, _)) => format!("impl {} for {of}", path.to_token_stream()),
        None => format!("impl {of}"),
    };
    items.push(Item { name, ..new(&Ident::new("_", block.span()), &block.attrs, block) });
    let Some(of) = type_name(&block.self_ty) else { return };
    for part in &block.items {
        match part {
            ImplItem::Fn(part) => items.push(member(of, &part.sig.ident, &part.attrs, part)),
            ImplItem::Const(part) => items.push(member(of, &part.ident, &part.attrs, part)),
            ImplItem::Type(part) => items.push(member(of, &part.ident, &part.attrs, part)),
            _ => {}
        }
    }
}

fn type_name(of: &Type) -> Option<&Ident> {
    match of {
        Type::Path(path) => path.path.segments.last().map(|segment| &segment.ident),
        Type::Reference(reference) => type_name(&reference.elem),
        _ => None,
    }
}

fn member(of: &Ident, name: &Ident, attributes: &[Attribute], tokens: &impl ToTokens) -> Item {
    Item { name: format!("{of}::{name}"), ..new(name, attributes, tokens) }
}

fn new(name: &Ident, attributes: &[Attribute], tokens: &impl ToTokens) -> Item {
    let span = tokens.span();
    let outer = attributes.iter().filter(|attribute| matches!(attribute.style, AttrStyle::Outer));
    // rustfmt gives each attribute lines of its own.
    let above = outer.map(|attribute| attribute.span().end().line + 1).max();
    let begin = above.unwrap_or(span.start().line).max(span.start().line);
    let is_test = attributes.iter().any(|attribute| attribute.path().is_ident("test"));
    Item { name: name.to_string(), lines: begin - 1..span.end().line, is_test }
}

/// Finds the functions in a macro whose contents are not quite Rust.
fn function_names(tokens: TokenStream) -> impl Iterator<Item = Ident> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let pairs: Vec<[TokenTree; 2]> = tokens.windows(2).map(|pair| [pair[0].clone(), pair[1].clone()]).collect();
    pairs.into_iter().filter_map(|[first, second]| match (first, second) {
        (TokenTree::Ident(word), TokenTree::Ident(name)) if word == "fn" => Some(name),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "//! Top.\n\n/// Doc.\n#[derive(Debug)]\npub struct A {\n    b: u8,\n}\n\nimpl A {\n    \
        /// Doc.\n    fn b(&self) -> u8 {\n        self.b\n    }\n}\n\nimpl From<u8> for A {\n    \
        fn from(b: u8) -> A {\n        A { b }\n    }\n}\n\nconst HELP: &str = \"\\\n}\nfn not()\n\";\n\n\
        mod tests {\n    #[test]\n    fn a_test() {}\n}\n\nmod other {\n    fn a_test() {}\n}\n\n\
        proptest! {\n    #[test]\n    fn random(a in 0..9) {}\n}\n";

    fn text_of(name: &str) -> Result<String, String> {
        let items = items(SOURCE)?;
        let lines: Vec<&str> = SOURCE.lines().collect();
        Ok(lines[find(&items, name)?.lines.clone()].join("\n"))
    }

    #[test]
    fn item_is_found_without_attributes_and_comments_above_it() {
        assert_eq!(text_of("A").unwrap(), "pub struct A {\n    b: u8,\n}");
        assert_eq!(text_of("A::b").unwrap(), "    fn b(&self) -> u8 {\n        self.b\n    }");
        assert!(text_of("impl A").unwrap().starts_with("impl A {\n    /// Doc.\n    fn b"));
        assert!(text_of("impl From<u8> for A").unwrap().ends_with("A { b }\n    }\n}"));
        assert_eq!(text_of("HELP").unwrap(), "const HELP: &str = \"\\\n}\nfn not()\n\";");
    }

    #[test]
    fn missing_or_ambiguous_item_is_an_error() {
        assert_eq!(text_of("not"), Err("has no item `not`".to_owned()));
        assert!(text_of("a_test").unwrap_err().starts_with("has 2 items `a_test`"));
        assert!(items("fn (").is_err());
    }

    #[test]
    fn tests_are_known_as_such() {
        let items = items(SOURCE).unwrap();
        let tests: Vec<&str> = items.iter().filter(|item| item.is_test).map(|item| item.name.as_str()).collect();
        assert_eq!(tests, ["a_test", "random"]);
    }
}
