//! Any bytes as the head of a request.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plainsocket::HandshakeError;
use plainsocket::protocol::request::{MAX_HEAD, Method, Request};
use plainsocket::protocol::response::Response;

type Parsed = Result<Option<(Request, usize)>, HandshakeError>;

fuzz_target!(|bytes: &[u8]| {
    let parsed = Request::parse(bytes);
    check_beginnings(bytes, &parsed);
    check_longer(bytes, &parsed);
    match parsed {
        Ok(None) => {}
        Ok(Some((request, used))) => check_request(&request, used),
        Err(error) => check_refusal(&error),
    }
});

/// A shorter piece asks for more, or has the same result already.
fn check_beginnings(bytes: &[u8], parsed: &Parsed) {
    // There are about 32 cuts, because each check reads the whole beginning.
    for cut in (0..bytes.len()).step_by(bytes.len() / 32 + 1) {
        let early = Request::parse(&bytes[..cut]);
        assert!(early == Ok(None) || early == *parsed, "{cut} bytes: {early:?}, all: {parsed:?}");
    }
    if let Ok(Some((_, used))) = parsed {
        assert_eq!(Request::parse(&bytes[..*used]), *parsed);
        assert_eq!(Request::parse(&bytes[..used - 1]), Ok(None));
    }
}

/// More bytes after the head change nothing, and the parser cannot ask for more forever.
fn check_longer(bytes: &[u8], parsed: &Parsed) {
    let mut longer = bytes.to_vec();
    if *parsed == Ok(None) {
        // One input of sixteen is enough, because this is as long as a head can be.
        if bytes.len().is_multiple_of(16) {
            longer.resize(MAX_HEAD, b'x');
            assert_ne!(Request::parse(&longer), Ok(None));
        }
    } else {
        for more in [&b"\r\n"[..], b"x", b"\x81\x85\0\0\0\0Hello", b"\n\0", bytes] {
            longer.truncate(bytes.len());
            longer.extend_from_slice(more);
            assert_eq!(Request::parse(&longer), *parsed, "with {more:?} behind");
        }
    }
}

fn check_request(request: &Request, used: usize) {
    assert!(used <= MAX_HEAD);
    assert!(request.path().starts_with('/'));
    check_again(request);
    check_parameters(request);
    for origins in [vec![], vec!["https://example.com".to_owned()]] {
        match request.accept(&origins) {
            Ok(response) => check_response(&response, 101),
            Err(error) => check_refusal(&error),
        }
    }
}

/// Reading a parameter by its name never panics, whatever the request.
fn check_parameters(request: &Request) {
    for name in ["", "a", "a b", "\u{FFFD}"] {
        let is_asked = request.resource_name.contains('?');
        assert!(request.query_value(name).is_none() || is_asked);
        let whole = |value: &str| request.headers.iter().any(|(_, line)| line.contains(value));
        assert!(request.cookie(name).is_none_or(whole));
    }
    assert!(request.offered_subprotocols().all(|offer| !offer.is_empty() && !offer.contains(',')));
}

/// A request that is written again from its parsed parts is parsed in the same way.
fn check_again(request: &Request) {
    let method = if request.method == Method::Get { "GET" } else { "HEAD" };
    let lines: String = request.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    // Only a request of HTTP/1.0 can lack a Host.
    let version = if request.header("Host").is_some() { "1.1" } else { "1.0" };
    let head = format!("{method} {} HTTP/{version}\r\n{lines}\r\n", request.resource_name);
    // Each char becomes one byte, as in `Request`.
    let bytes: Vec<u8> = head.chars().map(|char| u8::try_from(char).expect("Latin-1")).collect();
    if bytes.len() <= MAX_HEAD {
        assert_eq!(Request::parse(&bytes), Ok(Some((request.clone(), bytes.len()))));
    }
}

fn check_refusal(error: &HandshakeError) {
    let response = Response::from(error);
    assert!((400..600).contains(&response.status.0));
    check_response(&response, response.status.0);
}

fn check_response(response: &Response, status: u16) {
    let reply = String::from_utf8(response.encode(Method::Get)).expect("text");
    assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{reply:?}");
    let (head, body) = reply.split_once("\r\n\r\n").expect("a blank line");
    let lengths: Vec<_> = head.lines().filter_map(|line| line.strip_prefix("Content-Length: ")).collect();
    let expected = if status == 101 { vec![] } else { vec![body.len().to_string()] };
    assert_eq!(lengths, expected);
    // Nothing that the client sent has become a line of its own.
    assert_eq!(head.split("\r\n").count(), 1 + response.headers.len() + lengths.len());
    assert!(!head.replace("\r\n", "").contains(['\r', '\n']));
    let without_body = response.encode(Method::Head);
    assert_eq!(without_body, format!("{head}\r\n\r\n").into_bytes());
}
