//! HTTP's grammar where two files need it: tokens, and the offers of extensions (§9.1) that are made of them.

/// RFC 9110 §5.6.2: the characters of a method, a header name or a subprotocol.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && token_length(text) == text.len()
}

/// How many characters of a token `text` begins with.
fn token_length(text: &str) -> usize {
    text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)).count()
}

/// Whether all lines of a `Sec-WebSocket-Extensions` together are a list of one offer or more:
/// `permessage-deflate; client_max_window_bits=10, x-other`.
pub(super) fn is_extension_list<'a>(lines: impl Iterator<Item = &'a str>) -> bool {
    let mut offers = 0;
    for line in lines {
        match count_offers(line) {
            Some(count) => offers += count,
            None => return false,
        }
    }
    offers > 0
}

/// `1#extension`: how many there are. `None`: the line breaks the grammar.
fn count_offers(line: &str) -> Option<usize> {
    let mut offers = 0;
    let mut rest = trim(line);
    while !rest.is_empty() {
        // Empty elements of a list do not count (RFC 9110 §5.6.1).
        if !rest.starts_with(',') {
            rest = trim(skip_extension(rest)?);
            offers += 1;
        }
        rest = match rest.strip_prefix(',') {
            Some(next) => trim(next),
            None if rest.is_empty() => rest,
            None => return None,
        };
    }
    Some(offers)
}

/// `extension-token *( ";" extension-param )`
fn skip_extension(text: &str) -> Option<&str> {
    let mut rest = skip_token(text)?;
    while let Some(parameter) = trim(rest).strip_prefix(';') {
        rest = skip_parameter(trim(parameter))?;
    }
    Some(rest)
}

/// `token [ "=" ( token | quoted-string ) ]`
fn skip_parameter(text: &str) -> Option<&str> {
    let rest = skip_token(text)?;
    match trim(rest).strip_prefix('=').map(trim) {
        Some(value) if value.starts_with('"') => skip_quoted_token(value),
        Some(value) => skip_token(value),
        None => Some(rest),
    }
}

fn skip_token(text: &str) -> Option<&str> {
    let length = token_length(text);
    (length > 0).then(|| &text[length..])
}

/// §9.1: "the value after quoted-string unescaping MUST conform to the 'token' ABNF", so that it could be a token as well.
fn skip_quoted_token(text: &str) -> Option<&str> {
    let mut value = String::new();
    let mut characters = text.char_indices().skip(1);
    loop {
        match characters.next()? {
            (end, '"') => return is_token(&value).then(|| &text[end + 1..]),
            (_, '\\') => value.push(characters.next()?.1),
            (_, other) => value.push(other),
        }
    }
}

/// The grammar of §9.1 allows white space between any two of its words (RFC 2616 §2.1).
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}
