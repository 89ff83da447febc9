//! The parts of HTTP's grammar that several files need: hosts, tokens, and the offers of extensions made of these
//! (§9.1).

use std::net::Ipv6Addr;

/// Splits `host` or `host:port` (RFC 3986 §3.2), and turns the host into lower case. `None`: the host is no name, IPv4
/// or IPv6 in brackets, or the port is over 65535 or no number. Without digits, the port is `default`.
pub(crate) fn host_and_port(authority: &str, default: u16) -> Option<(String, u16)> {
    // The colons within `[::1]` are part of the host.
    let (host, port) = match authority.rsplit_once(':') {
        Some(parts) if !authority.ends_with(']') => parts,
        _ => (authority, ""),
    };
    let port = match port {
        "" => default,
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
        _ => return None,
    };
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => is_registered_name(host),
    };
    is_host.then(|| (host.to_ascii_lowercase(), port))
}

/// Returns whether this is a `reg-name`, which IPv4 is too, with a host in it (RFC 9110 §4.2.1). A comma is refused,
/// because some programs take it for a list of two hosts.
fn is_registered_name(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=%".contains(&byte);
    let begins_with_two_digits = |part: &str| part.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    !text.is_empty() && text.bytes().all(is_allowed) && text.split('%').skip(1).all(begins_with_two_digits)
}

/// Returns whether this is a token (RFC 9110 §5.6.2): a method, a header name or a subprotocol.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && token_length(text) == text.len()
}

/// Returns how many characters of a token are at the start of `text`.
fn token_length(text: &str) -> usize {
    text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)).count()
}

/// Returns whether all lines of `Sec-WebSocket-Extensions` together list at least one offer, for example
/// `permessage-deflate; client_max_window_bits=10, x-other`.
pub(super) fn is_extension_list<'a>(lines: impl Iterator<Item = &'a str>) -> bool {
    // The sum is `None` as soon as one line breaks the grammar.
    lines.map(count_offers).sum::<Option<usize>>().is_some_and(|offers| offers > 0)
}

/// Counts the offers of a line, `1#extension`. `None`: the line breaks the grammar.
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

/// Skips `extension-token *( ";" extension-param )`.
fn skip_extension(text: &str) -> Option<&str> {
    let mut rest = skip_token(text)?;
    while let Some(parameter) = trim(rest).strip_prefix(';') {
        rest = skip_parameter(trim(parameter))?;
    }
    Some(rest)
}

/// Skips `token [ "=" ( token | quoted-string ) ]`.
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

/// Skips a quoted string. §9.1: "the value after quoted-string unescaping MUST conform to the 'token' ABNF".
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

/// Trims the white space that §9.1 allows between any two words (RFC 2616 §2.1).
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}
