//! The words of `Sec-WebSocket-Extensions` explained one by one: what the client offers, and what the server agrees to.

use crate::error::cut;
use crate::protocol::deflate;

/// The most words that are explained: a browser offers four.
const MOST: usize = 16;

/// The name of the header in lower case.
pub(super) const NAME: &str = "sec-websocket-extensions";

/// The side that writes the header.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Offer,
    Agreement,
}

/// A word, its purpose, and the section about it.
pub(super) type Word = (String, &'static str, &'static str);

/// Returns what an offer came to. `is_agreed`: the response names an extension.
pub(super) fn about_offer(is_agreed: bool) -> &'static str {
    if is_agreed {
        "the extensions that the client offers; the server agrees to one"
    } else if deflate::IS_BUILT {
        "the extensions that the client knows; the server agrees to none"
    } else {
        "the extensions that the client knows; this server has none"
    }
}

/// Explains each extension of a list and each of its parameters, as far as the list is shown.
pub(super) fn explain(list: &str, side: Side) -> Vec<Word> {
    let shown = cut(list);
    // A word that is cut is none of the client's.
    let whole = if shown.len() < list.len() { shown.rfind([',', ';']).unwrap_or(0) } else { list.len() };
    let mut explained = Vec::new();
    for extension in list[..whole].split(',') {
        let mut words = extension.split(';').map(str::trim);
        let name = words.next().unwrap_or_default();
        let is_deflate = name == "permessage-deflate";
        let (about, section) = match is_deflate {
            true => ("messages can be DEFLATE, and RSV1 marks those", "7 of RFC 7692"),
            false => ("an extension that this server does not know", "9.1"),
        };
        explained.push((name.to_owned(), about, section));
        for parameter in words {
            let (about, section) = match is_deflate {
                true => about_parameter(parameter, side),
                false => ("a parameter of that extension", "9.1"),
            };
            explained.push((parameter.to_owned(), about, section));
        }
    }
    explained.retain(|(word, ..)| !word.is_empty());
    explained.truncate(MOST);
    explained
}

/// Explains a parameter of permessage-deflate.
fn about_parameter(parameter: &str, side: Side) -> (&'static str, &'static str) {
    let (name, value) = match parameter.split_once('=') {
        Some((name, _)) => (name.trim_end(), true),
        None => (parameter, false),
    };
    match (name, side, value) {
        ("server_no_context_takeover", Side::Offer, _) => {
            ("asks for each message to be compressed by itself", "7.1.1.1 of RFC 7692")
        }
        ("server_no_context_takeover", Side::Agreement, _) => {
            ("the server compresses each message by itself", "7.1.1.1 of RFC 7692")
        }
        ("client_no_context_takeover", Side::Offer, _) => {
            ("the client can compress each message by itself", "7.1.1.2 of RFC 7692")
        }
        ("client_no_context_takeover", Side::Agreement, _) => {
            ("the client compresses each message by itself", "7.1.1.2 of RFC 7692")
        }
        ("server_max_window_bits", Side::Offer, _) => {
            ("asks the server for a window of 2 to that power", "7.1.2.1 of RFC 7692")
        }
        ("server_max_window_bits", Side::Agreement, _) => {
            ("the server's window: 2 to that power, in bytes", "7.1.2.1 of RFC 7692")
        }
        ("client_max_window_bits", Side::Offer, false) => {
            ("the client accepts a limit for its own window", "7.1.2.2 of RFC 7692")
        }
        ("client_max_window_bits", _, _) => ("the client's window: 2 to that power, in bytes", "7.1.2.2 of RFC 7692"),
        _ => ("no parameter of permessage-deflate: declined", "7 of RFC 7692"),
    }
}
