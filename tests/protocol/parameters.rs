//! The parts of a request that describe its client: the query's values (the URL standard's forms), cookies (RFC 6265
//! §4.2), and the subprotocols that it offers.

use plainsocket::protocol::request::{Method, Request};
use proptest::prelude::*;

fn asked(resource_name: &str, headers: &[(&str, &str)]) -> Request {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Request { method: Method::Get, resource_name: resource_name.to_owned(), headers }
}

// application/x-www-form-urlencoded

#[test]
fn query_value_is_decoded_as_a_form_is() {
    for (query, expected) in [
        ("a=b", Some("b")),
        ("a=", Some("")),
        ("a", Some("")),
        ("a=b=c", Some("b=c")),
        ("a=b?c", Some("b?c")),
        ("a=b&a=c", Some("b")),
        ("a&a=c", Some("")),
        ("&&x=y&a=b&", Some("b")),
        ("a=+b+", Some(" b ")),
        ("a=%20%2B%2b%26%3D%25", Some(" ++&=%")),
        ("a=100%", Some("100%")),
        ("a=%4", Some("%4")),
        ("a=%zz%4g%+1%-1", Some("%zz%4g% 1%-1")),
        ("a=%%41", Some("%A")),
        ("a=%2541", Some("%41")),
        ("a=%00%0D%0A", Some("\0\r\n")),
        ("a=gr%C3%BC%C3%9Fe", Some("grüße")),
        ("a=%F0%9F%99%82", Some("🙂")),
        ("a=%FF", Some("\u{FFFD}")),
        ("a=x%C3", Some("x\u{FFFD}")),
        ("a=%EF%BB%BFx", Some("\u{FEFF}x")),
        ("a;b=c", None),
        ("b=a", None),
        ("A=b", None),
        (" a=b", None),
        ("", None),
        ("=b", None),
        ("%61=b", Some("b")),
    ] {
        assert_eq!(asked(&format!("/path?{query}"), &[]).query_value("a").as_deref(), expected, "{query:?}");
    }
    assert_eq!(asked("/a=b", &[]).query_value("a"), None, "no query");
    assert_eq!(asked("/?=b", &[]).query_value("").as_deref(), Some("b"));
    assert_eq!(asked("/?", &[]).query_value(""), None, "nothing is no pair");
    assert_eq!(asked("/?my+name=x", &[]).query_value("my name").as_deref(), Some("x"));
    assert_eq!(asked("/?%C3%BC=x", &[]).query_value("ü").as_deref(), Some("x"));
}

// RFC 6265 §4.2

#[test]
fn cookie_is_found_by_its_whole_name() {
    for (line, expected) in [
        ("a=b", Some("b")),
        ("x=y; a=b", Some("b")),
        ("x=y;a=b", Some("b")),
        ("x=y;  \ta = b ; z=1", Some("b")),
        ("a=b; a=c", Some("b")),
        ("a=", Some("")),
        ("a=b=c==", Some("b=c==")),
        ("a=\"b c\"", Some("\"b c\"")),
        ("a=%41+", Some("%41+")),
        ("a=\u{e4}", Some("\u{e4}")),
        ("a; a=b", Some("b")),
        (";;a=b", Some("b")),
        ("A=b", None),
        ("xa=b", None),
        ("x=a=b", None),
        ("x=\"; a=b\"", Some("b\"")),
        ("a", None),
        ("a,a=b", None),
        ("", None),
    ] {
        assert_eq!(asked("/", &[("Cookie", line)]).cookie("a"), expected, "{line:?}");
    }
}

#[test]
fn cookie_is_looked_for_in_all_lines() {
    let request = asked("/", &[("cookie", "x=1"), ("Host", "a=2"), ("COOKIE", "a=3; x=4")]);
    assert_eq!((request.cookie("a"), request.cookie("x"), request.cookie("y")), (Some("3"), Some("1"), None));
    assert_eq!(asked("/", &[]).cookie("a"), None);
}

// §4.1

#[test]
fn offered_subprotocols_keep_their_order_over_several_lines() {
    let request =
        asked("/", &[("Sec-WebSocket-Protocol", "b, ,a\t"), ("Host", "c"), ("sec-websocket-protocol", "token.x==,B")]);
    assert_eq!(request.offered_subprotocols().collect::<Vec<_>>(), ["b", "a", "token.x==", "B"]);
    assert_eq!(asked("/", &[]).offered_subprotocols().count(), 0);
}

/// Percent-encodes every byte of a name or value.
fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

proptest! {
    #[test]
    fn query_value_gives_back_any_text(name in ".*", other in ".*", value in ".*") {
        prop_assume!(name != other);
        let query = format!("/?{}={}&{}={}", percent(&other), percent("x"), percent(&name), percent(&value));
        prop_assert_eq!(asked(&query, &[]).query_value(&name), Some(value));
    }

    #[test]
    fn any_text_is_looked_through_without_a_panic(text in "[ -~\u{80}-\u{FF}%&=+;?]*", any in ".*", name in "[a%=;]{0,2}") {
        for text in [text, any] {
            let request = asked(&format!("/?{text}"), &[("Cookie", &text), ("Sec-WebSocket-Protocol", &text)]);
            let value = request.query_value(&name);
            prop_assert!(value.is_none() || !name.is_empty() || text.contains('='));
            prop_assert!(request.cookie(&name).is_none_or(|value| text.contains(value)));
            prop_assert!(request.offered_subprotocols().all(|offer| !offer.is_empty() && text.contains(offer)));
        }
    }
}
