//! §4.2: the opening handshake. Pure: no socket.

use crate::support::{header, request, status};
use plainsocket::HandshakeError as E;
use plainsocket::protocol::request::{MAX_HEAD, Method, Request};
use plainsocket::protocol::response::Response;
use plainsocket::protocol::upgrade::accept_key;

/// Parses, and checks that every shorter piece asks for more or fails in the same way.
fn parse(bytes: &[u8]) -> Result<(Request, usize), E> {
    for cut in 0..bytes.len() {
        match Request::parse(&bytes[..cut]) {
            Ok(None) => {}
            Ok(Some((request, used))) => {
                assert!(used <= cut);
                return Ok((request, used));
            }
            Err(early) => {
                assert_eq!(Request::parse(bytes).unwrap_err(), early, "told early, at byte {cut}");
                return Err(early);
            }
        }
    }
    Request::parse(bytes).map(|found| found.expect("the head is complete"))
}

/// Answers a request with this head: returns the head of the reply, or the error.
fn answer(head: &str) -> Result<String, E> {
    let (request, used) = parse(head.as_bytes())?;
    assert_eq!(used, head.len());
    assert!(request.wants_websocket(), "no upgrade asked for");
    let response = request.accept(&[])?;
    Ok(String::from_utf8(response.encode(Method::Get)).unwrap())
}

/// The good request with one line replaced (or, with an empty `new`, left out).
fn with(old: &str, new: &str) -> String {
    let good = request("/chat");
    assert!(good.contains(old));
    good.replacen(old, new, 1)
}

fn with_line(line: &str) -> String {
    with("Host:", &format!("{line}\r\nHost:"))
}

// §1.3 and §4.2.2: the reply

#[test]
fn the_example_of_section_1_3() {
    assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    let reply = answer(&request("/chat")).unwrap();
    assert!(reply.starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
    assert!(reply.ends_with("\r\n\r\n"));
    assert_eq!(header(&reply, "Upgrade"), Some("websocket"));
    assert_eq!(header(&reply, "Connection"), Some("Upgrade"));
    assert_eq!(header(&reply, "Sec-WebSocket-Accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(header(&reply, "Content-Length"), None);
}

#[test]
fn subprotocols_and_extensions_are_offered_and_none_is_selected() {
    let head = with_line("Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Extensions: permessage-deflate");
    let reply = answer(&head).unwrap();
    assert_eq!(header(&reply, "Sec-WebSocket-Protocol"), None);
    assert_eq!(header(&reply, "Sec-WebSocket-Extensions"), None);
}

// §11.3: the header fields

#[test]
fn reply_returns_the_value_of_a_header() {
    let (request, _) = parse(request("/chat").as_bytes()).unwrap();
    let response = request.accept(&[]).unwrap().with_subprotocol("chat");
    assert_eq!(response.header_value("Sec-WebSocket-Protocol"), Some("chat"));
    assert_eq!((response.header_value("Upgrade"), response.header_value("Server")), (Some("websocket"), None));
}

#[test]
fn no_header_of_a_reply_is_repeated() {
    let (request, _) =
        parse(with_line("Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat").as_bytes()).unwrap();
    let response = request.accept(&[]).unwrap().with_subprotocol("chat");
    let reply = String::from_utf8(response.encode(Method::Get)).unwrap();
    let mut names: Vec<String> =
        reply.lines().filter_map(|line| line.split_once(": ")).map(|(name, _)| name.to_lowercase()).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert!(names.len() == count && count == 4, "{reply}");
}

#[test]
fn the_subprotocol_is_the_first_of_ours_that_is_offered() {
    let ours = ["v2", "v1"].map(str::to_owned);
    for (offered, expected) in [
        ("X: none", None),
        ("Sec-WebSocket-Protocol: v1", Some("v1")),
        ("Sec-WebSocket-Protocol: v1, v2", Some("v2")),
        ("Sec-WebSocket-Protocol: v3,v1", Some("v1")),
        ("sec-websocket-protocol: v3\r\nX: y\r\nSEC-WEBSOCKET-PROTOCOL:\tv1\t,\tv2", Some("v2")),
        ("Sec-WebSocket-Protocol: V1, V2", None),
        ("Sec-WebSocket-Protocol: v3", None),
        ("Sec-WebSocket-Protocol: v1.0, v, 2, v 2, \"v2\", v2;q=1", None),
        ("Sec-WebSocket-Protocol:", None),
        ("Sec-WebSocket-Protocol: ,, ,\t,v1,,v1,", Some("v1")),
    ] {
        let (request, _) = Request::parse(with_line(offered).as_bytes()).unwrap().unwrap();
        assert_eq!(request.select_subprotocol(&ours), expected, "{offered:?}");
        assert_eq!(request.select_subprotocol(&[]), None);
    }
    // A name that is no token is never chosen, even if the server's list has it.
    let (request, _) = Request::parse(with_line("Sec-WebSocket-Protocol: v 2").as_bytes()).unwrap().unwrap();
    assert_eq!(request.select_subprotocol(&["v 2".to_owned()]), None);
}

// §4.2.1: what the request must have

#[test]
fn names_and_tokens_have_no_case_and_lists_have_many_shapes() {
    for (old, new) in [
        ("Upgrade: websocket", "UPGRADE: WebSocket"),
        ("Upgrade: websocket", "upgrade:websocket\t "),
        ("Upgrade: websocket", "Upgrade: h2c, websocket"),
        ("Connection: Upgrade", "Connection: keep-alive, Upgrade"),
        ("Connection: Upgrade", "connection: keep-alive,,upgrade ,"),
        ("Connection: Upgrade", "Connection: keep-alive\r\nConnection: UPGRADE"),
        ("Sec-WebSocket-Key", "sec-websocket-key"),
        ("Sec-WebSocket-Version: 13", "SEC-WEBSOCKET-VERSION:   13"),
        ("GET /chat", "GET HTTP://server.example.com/chat"),
        ("HTTP/1.1", "HTTP/1.2"),
        ("HTTP/1.1", "HTTP/1.9"),
    ] {
        assert!(answer(&with(old, new)).is_ok(), "{new}");
    }
}

#[test]
fn a_token_is_a_whole_word() {
    for connection in ["Upgraded", "Upgrade\u{a0}", "\u{85}Upgrade", "Up grade"] {
        let head = with("Connection: Upgrade", &format!("Connection: {connection}"));
        // Each char becomes one byte, as in Latin-1.
        let bytes: Vec<u8> = head.chars().map(|c| c as u8).collect();
        let (request, _) = parse(&bytes).unwrap();
        assert_eq!(request.accept(&[]), Err(E::ConnectionTokenMissing), "{connection:?}");
    }
    let head = with("Upgrade: websocket", "Upgrade: websockets");
    assert!(!parse(head.as_bytes()).unwrap().0.wants_websocket());
}

#[test]
fn missing_header_is_named_in_the_error() {
    assert_eq!(answer(&with("Host: server.example.com\r\n", "")), Err(E::HostMissing));
    assert_eq!(answer(&with("Connection: Upgrade\r\n", "")), Err(E::ConnectionTokenMissing));
    assert_eq!(answer(&with("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "")), Err(E::KeyMissing));
    assert_eq!(answer(&with("Sec-WebSocket-Version: 13\r\n", "")), Err(E::VersionUnsupported));
    let plain = with("Upgrade: websocket\r\n", "");
    assert!(!parse(plain.as_bytes()).unwrap().0.wants_websocket());
}

#[test]
fn the_host_is_a_host_with_or_without_a_port() {
    for host in ["x", "server.example.com:8000", "127.0.0.1:8000", "[::1]:8000"] {
        assert!(answer(&with("server.example.com", host)).is_ok(), "{host}");
    }
    for host in ["", "a b", "a/b", "user@host", "a, b", "h\u{e4}"] {
        assert_eq!(answer(&with("server.example.com", host)), Err(E::HostInvalid), "{host}");
    }
}

/// Authorities of RFC 3986 §3.2 with a host in them.
const AUTHORITIES: [&str; 17] = [
    "a.",
    "a_b",
    "A-1.example",
    "a:",
    "a:0",
    "a:65535",
    "a:00080",
    "caf%C3%a9.example",
    "a!$&'()*+;=~",
    "127.1",
    "[::]",
    "[::1]:",
    "[::1]:8000",
    "[1:2:3:4:5:6:7:8]",
    "[2001:DB8::1]",
    "[::ffff:127.0.0.1]:80",
    "[1:2:3:4:5:6:7::]",
];

/// Texts that look like an authority and are none.
const NO_AUTHORITIES: [&str; 32] = [
    ":",
    ":80",
    "a:b",
    "a:b:c",
    "a:1:2",
    "a::",
    "a:-1",
    "a:+80",
    "a:8 0",
    "a:65536",
    "a:99999",
    "a:99999999999999999999",
    "::1",
    "::1:8000",
    "[::1",
    "::1]",
    "[]",
    "[]:80",
    "[::1]x",
    "[::1]8000",
    "[::1]:x",
    "[::1]:65536",
    "x[::1]",
    "[[::1]]",
    "[1.2.3.4]",
    "[1:2:3]",
    "[1:2:3:4:5:6:7:8:9]",
    "[::12345]",
    "[fe80::1%25eth0]",
    "%zz",
    "a%4",
    "a%",
];

// RFC 9112 §3.2: "any request message that contains ... a Host header field with an invalid field value" gets 400

#[test]
fn a_host_is_an_authority_for_upgrades_and_plain_requests() {
    let plain = |method: &str, host: &str| format!("{method} / HTTP/1.1\r\nHost: {host}\r\n\r\n");
    for host in AUTHORITIES {
        assert!(answer(&with("server.example.com", host)).is_ok(), "{host}");
        assert!(parse(plain("GET", host).as_bytes()).is_ok(), "{host}");
    }
    for host in NO_AUTHORITIES {
        assert_eq!(answer(&with("server.example.com", host)), Err(E::HostInvalid), "{host}");
        for method in ["GET", "HEAD"] {
            assert_eq!(parse(plain(method, host).as_bytes()).map(drop), Err(E::HostInvalid), "{host}");
        }
    }
    let text = E::HostInvalid.to_string();
    assert!(text.contains("host or host:port") && text.contains("[::1]:8000"), "{text}");
}

// RFC 9112 §3.2.2: the absolute form

/// An upgrade of `target` with a `Host` line and further ones.
fn absolute(target: &str, lines: &str) -> String {
    request(target).replace("Host: server.example.com", lines)
}

#[test]
fn the_host_of_an_absolute_target_replaces_host() {
    for (target, host) in [
        ("http://good:8000/echo", "good:8000"),
        ("https://good", "good"),
        ("ws://[::1]:80?x", "[::1]:80"),
        ("http://good:/", "good:"),
    ] {
        for line in ["Host: evil", "HOST: evil:99", "Host:"] {
            let (request, _) = parse(absolute(target, line).as_bytes()).unwrap();
            assert_eq!(request.header("host"), Some(host), "{target} {line}");
            assert!(request.wants_websocket() && request.accept(&[]).is_ok(), "{target} {line}");
        }
    }
    for (origin, host, fits) in [("http://evil", "evil", false), ("http://good:8000", "evil", true)] {
        let head = absolute("http://good:8000/echo", &format!("Host: {host}\r\nOrigin: {origin}"));
        let refused = || E::OriginNotAllowed(origin.to_owned());
        assert_eq!(answer(&head).map(drop), if fits { Ok(()) } else { Err(refused()) }, "{origin}");
    }
    // A path that looks like a URI is still a path.
    let (request, _) = parse(absolute("/http://good/", "Host: x").as_bytes()).unwrap();
    assert_eq!(request.header("Host"), Some("x"));
}

#[test]
fn an_absolute_target_does_not_excuse_a_missing_or_invalid_host() {
    for (line, fault) in [
        ("X: y", E::HostMissing),
        ("Host: a:b", E::HostInvalid),
        ("Host: [::1]x", E::HostInvalid),
        ("Host: good\r\nHost: good", E::HeaderRepeated("Host")),
    ] {
        let upgrade = absolute("http://good/echo", line);
        let plain = format!("GET http://good/ HTTP/1.1\r\n{line}\r\n\r\n");
        for head in [upgrade, plain] {
            assert_eq!(parse(head.as_bytes()).map(drop), Err(fault.clone()), "{head}");
        }
    }
    assert!(parse(b"GET http://good/ HTTP/1.0\r\n\r\n").is_ok(), "HTTP/1.0 knows no Host");
}

// RFC 9110 §4.2.1: "A recipient ... MUST reject it as invalid" without a host; §4.2.4: a user name is an error

#[test]
fn an_absolute_target_has_a_host_and_no_user() {
    for scheme in ["http", "https", "ws", "WSS"] {
        for host in AUTHORITIES {
            assert!(answer(&absolute(&format!("{scheme}://{host}/echo"), "Host: x")).is_ok(), "{host}");
        }
        let users = ["u:p@x", "u@x", "@x", "a@b@x", "x@", "", "a\\b"];
        for host in NO_AUTHORITIES.iter().chain(&users).filter(|host| !host.contains(' ')) {
            for end in ["", "/", "/echo", "?q"] {
                let target = format!("{scheme}://{host}{end}");
                let plain = format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
                for head in [absolute(&target, "Host: x"), plain] {
                    assert_eq!(parse(head.as_bytes()).map(drop), Err(E::BadTarget), "{target}");
                }
            }
        }
    }
    let (request, _) = parse(absolute("http://x/a@b?c=u:p@d", "Host: x").as_bytes()).unwrap();
    assert_eq!(request.resource_name, "/a@b?c=u:p@d");
    let text = E::BadTarget.to_string();
    assert!(text.contains("http://host:port/path") && text.contains("user"), "{text}");
}

#[test]
fn the_key_is_sixteen_bytes_of_base64() {
    for key in
        ["", "dGhl", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ==x", "dGhlIHNhbXBsZSBub25jZSE=", "%%%%", "ä"]
    {
        assert_eq!(answer(&with("dGhlIHNhbXBsZSBub25jZQ==", key)), Err(E::KeyInvalid), "{key}");
    }
    // Random characters of base64 can leave spare bits after the last byte. The key is hashed as it was received.
    assert!(answer(&with("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZZ==")).is_ok());
    // The example in §4.1 is such a key (erratum 3150).
    assert!(answer(&with("dGhlIHNhbXBsZSBub25jZQ==", "AQIDBAUGBwgJCgsMDQ4PEC==")).is_ok());
}

#[test]
fn versions_other_than_13_are_refused() {
    for version in ["8", "14", "013", "13, 8", ""] {
        let head = with("Version: 13", &format!("Version: {version}"));
        assert_eq!(answer(&head), Err(E::VersionUnsupported), "{version}");
    }
}

#[test]
fn repeated_header_is_refused_where_only_one_is_allowed() {
    for (line, name) in [
        ("Host: other.example.com", "Host"),
        ("sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Key"),
        ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version"),
        ("Origin: http://a.example\r\nOrigin: http://b.example", "Origin"),
    ] {
        assert_eq!(answer(&with_line(line)), Err(E::HeaderRepeated(name)));
    }
}

// §9.1 Negotiating Extensions

#[test]
fn offers_of_extensions_that_keep_the_grammar_are_accepted() {
    for offer in [
        // Browsers.
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate",
        "x-webkit-deflate-frame",
        // Clients.
        "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; server_no_context_takeover; client_max_window_bits=15, permessage-deflate",
        "permessage-deflate;server_max_window_bits=10;client_max_window_bits",
        "permessage-bzip2; client_max_compress_level=9",
        "mux; max-channels=4; flow-control, deflate-stream",
        // §9.1: a value means the same with and without quotes.
        "permessage-deflate; client_max_window_bits=\"10\"",
        "a; b=\"\\c\\d\"",
        "a;b=c;b=c,a",
        // White space and empty elements are allowed between any two words.
        "a\t;\tb\t=\tc\t,\td",
        "a ; b = \"c\" , d",
        ", ,a,, b,",
        "!#$%&'*+-.^_`|~09azAZ",
        "foo\r\nSec-WebSocket-Extensions: bar; baz=2",
        "\r\nsec-websocket-extensions: a",
        "a\r\nSec-WebSocket-Extensions: ,",
    ] {
        let head = with_line(&format!("Sec-WebSocket-Extensions: {offer}"));
        let reply = answer(&head).unwrap_or_else(|fault| panic!("{offer}: {fault:?}"));
        assert_eq!(header(&reply, "Sec-WebSocket-Extensions"), None, "{offer}");
    }
}

#[test]
fn malformed_offers_of_extensions_are_refused() {
    for offer in [
        "",
        " , ,\t",
        "a b",
        "a;",
        "a; ",
        "a;;b",
        "a;,b",
        ";a",
        "=a",
        "a=b",
        "a; =b",
        "a; b=",
        "a; b= , c",
        "a; b==c",
        "a; b=c d",
        "a; b=c=d",
        "a; b=\"",
        "a; b=\"c",
        "a; b=\"\"",
        "a; b=\"c d\"",
        "a; b=\"c,d\"",
        "a; b=\"c;d\"",
        "a; b=\"c\\\"d\"",
        "a; b=\"c\\",
        "a; b=\"c\\\"",
        "a; b=\"c\"d",
        "a; b=\"c\" d",
        "a; b=\"c\"\"d\"",
        "\"a\"",
        "a; \"b\"=c",
        "a; b='c d'",
        "a/b",
        "a(b)",
        "a, {b}",
        "a@b",
        "a; b=<c>",
        "\u{e4}",
        "a; b=\u{e4}",
        "a; b=\"\u{e4}\"",
        "a\u{a0}; b",
        "a\r\nSec-WebSocket-Extensions: b;",
        "a; b=\"c\r\nSec-WebSocket-Extensions: d\"",
        "\r\nSec-WebSocket-Extensions:",
    ] {
        let head = with_line(&format!("Sec-WebSocket-Extensions: {offer}"));
        assert_eq!(answer(&head), Err(E::ExtensionsInvalid), "{offer}");
    }
    // A request that is no upgrade has no extensions to negotiate, so its header is not checked.
    let plain = with("Upgrade: websocket", "Sec-WebSocket-Extensions: ;");
    assert!(parse(plain.as_bytes()).is_ok());
}

// §10.2 Origin Considerations

/// Returns whether a page of `origin` is allowed to connect to the server that it calls `host`.
fn may_connect(origin: &str, host: &str, allowed: &[&str]) -> bool {
    let head = with_line(&format!("Origin: {origin}")).replace("server.example.com", host);
    let (request, _) = parse(head.as_bytes()).unwrap();
    let allowed: Vec<String> = allowed.iter().map(|origin| origin.to_string()).collect();
    match request.accept(&allowed) {
        Ok(_) => true,
        Err(E::OriginNotAllowed(refused)) => {
            assert_eq!(refused, origin);
            false
        }
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn without_a_list_an_origin_must_name_the_host_and_port_of_host() {
    for (origin, host) in [
        ("http://chat.example", "chat.example"),
        ("https://chat.example", "chat.example"),
        ("http://chat.example", "Chat.Example:80"),
        ("https://chat.example", "chat.example:443"),
        ("https://chat.example:443", "chat.example"),
        ("https://chat.example:8443", "chat.example:8443"),
        ("HTTP://LOCALHOST:3000", "localhost:3000"),
        ("http://localhost:8000/", "localhost:8000"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://[::1]:8000", "[::1]:8000"),
        ("http://[::1]", "[::1]"),
        ("http://chat.example.", "chat.example."),
    ] {
        assert!(may_connect(origin, host, &[]), "{origin} to {host}");
    }
    for (origin, host) in [
        ("http://evil.example", "chat.example"),
        ("http://chat.example.evil.example", "chat.example"),
        ("http://evil.example/chat.example", "chat.example"),
        ("http://chat.example/evil.example", "chat.example"),
        ("http://chat.example//", "chat.example"),
        ("http://evilchat.example", "chat.example"),
        ("http://chat.example", "chat.example.evil.example"),
        ("http://chat.example@evil.example", "evil.example"),
        ("http://localhost:3000", "localhost:8000"),
        ("http://localhost", "localhost:8000"),
        ("http://localhost:8000", "localhost"),
        ("http://localhost:8000", "127.0.0.1:8000"),
        ("http://::1", "[::1]"),
        ("http://[::1", "[::1]"),
        ("http://:80", "x"),
        ("https://chat.example", "chat.example:80"),
        ("http://chat.example", "chat.example:443"),
        ("http://chat.example:443", "chat.example"),
        ("http://chat.example:65616", "chat.example"),
        ("http://[::1]:8000", "[::2]:8000"),
        ("http://[::1]:8000", "[::1]"),
        ("chrome-extension://chat.example", "chat.example"),
        ("file://", "localhost"),
        ("null", "null"),
        ("chat.example", "chat.example"),
        ("http://", "chat.example"),
        ("http://chat.example:x", "chat.example"),
        ("http://chat.example http://chat.example", "chat.example"),
        ("", "chat.example"),
    ] {
        assert!(!may_connect(origin, host, &[]), "{origin} to {host}");
    }
}

#[test]
fn the_list_allows_other_origins_beside_the_servers_own() {
    let allowed = ["https://good.example", "http://localhost:3000", "file://", "safari-web-extension://7F-AB"];
    for good in [
        "https://good.example",
        "https://good.example:443",
        "https://GOOD.example",
        "http://localhost:3000",
        "file://",
        "safari-web-extension://7F-AB",
        "safari-web-extension://7f-ab",
        "http://server.example.com",
    ] {
        assert!(may_connect(good, "server.example.com", &allowed), "{good}");
    }
    for evil in [
        "https://evil.example",
        "https://good.example.evil.example",
        "http://good.example",
        "https://good.example:444",
        "http://localhost",
        "null",
        "any",
        "",
    ] {
        assert!(!may_connect(evil, "server.example.com", &allowed), "{evil}");
    }
}

#[test]
fn any_in_the_list_allows_every_origin() {
    for origin in ["https://evil.example", "null", "file://", "", "any"] {
        assert!(may_connect(origin, "server.example.com", &["any"]), "{origin}");
        assert!(!may_connect(origin, "server.example.com", &["https://good.example"]), "{origin}");
    }
}

#[test]
fn client_without_an_origin_is_no_browser_and_can_connect() {
    let (no_browser, _) = parse(request("/").as_bytes()).unwrap();
    for allowed in [&[][..], &["https://good.example".to_owned()]] {
        assert!(no_browser.accept(allowed).is_ok());
    }
}

// RFC 9112 §2: the head as HTTP

#[test]
fn one_empty_line_before_the_request_line_is_skipped() {
    let head = format!("\r\n{}", request("/chat"));
    let wire = [head.as_bytes(), b"\x81\x80"].concat();
    let (request, used) = parse(&wire).unwrap();
    assert_eq!((request.resource_name.as_str(), used), ("/chat", head.len()));
    assert!(request.accept(&[]).is_ok());
    assert_eq!(Request::parse(b"\r\n"), Ok(None));
    assert_eq!(parse(format!("\r\n{head}").as_bytes()), Err(E::BadRequestLine), "two are too many");
    assert_eq!(parse(b"\n"), Err(E::BareLineBreak));
}

#[test]
fn an_empty_line_before_the_request_line_buys_no_room() {
    let head = with_line(&format!("X: {}", "x".repeat(MAX_HEAD - with_line("X: ").len() - 2)));
    let wire = format!("\r\n{head}");
    assert_eq!(wire.len(), MAX_HEAD);
    assert_eq!(Request::parse(wire.as_bytes()).unwrap().map(|(_, used)| used), Some(MAX_HEAD));
    assert_eq!(Request::parse(wire.replace("X: ", "X: x").as_bytes()), Err(E::HeadTooLong));
    assert_eq!(Request::parse(&[b"\r\n", &[b'x'; MAX_HEAD][2..]].concat()), Err(E::HeadTooLong));
}

#[test]
fn another_major_version_of_http_is_not_supported() {
    for version in ["HTTP/2.0", "HTTP/2.1", "HTTP/3.0", "HTTP/9.9"] {
        assert_eq!(answer(&with("HTTP/1.1", version)), Err(E::HttpVersionUnsupported), "{version}");
        let plain = format!("GET / {version}\r\nHost: x\r\n\r\n");
        assert_eq!(parse(plain.as_bytes()).map(drop), Err(E::HttpVersionUnsupported), "{version}");
    }
    // The first bytes of an HTTP/2 client (RFC 9113 §3.4).
    assert_eq!(parse(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").map(drop), Err(E::HttpVersionUnsupported));
    for version in ["HTTP/2", "HTTP/10.0", "HTTP/1.10", "HTTP/-1.0", "HTTP/a.b"] {
        assert_eq!(answer(&with("HTTP/1.1", version)), Err(E::BadRequestLine), "{version}");
    }
}

#[test]
fn only_an_upgrade_needs_http_1_1_and_an_authority() {
    for head in [
        "GET / HTTP/1.0\r\n\r\n",
        "HEAD / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.0\r\nHost:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: \t\r\n\r\n",
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    ] {
        assert!(parse(head.as_bytes()).is_ok(), "{head:?}");
    }
    for (head, fault) in [
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), E::HostMissing),
        ("GET / HTTP/1.0\r\nHost: a b\r\n\r\n".to_owned(), E::HostInvalid),
        ("GET / HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n".to_owned(), E::HeaderRepeated("Host")),
        ("GET / HTTP/0.9\r\nHost: x\r\n\r\n".to_owned(), E::HttpVersionTooLow),
        (with("HTTP/1.1", "HTTP/1.0"), E::HttpVersionTooLow),
        (with("Host: server.example.com", "Host:"), E::HostInvalid),
        (with("Host: server.example.com\r\n", ""), E::HostMissing),
    ] {
        assert_eq!(parse(head.as_bytes()).map(drop), Err(fault), "{head:?}");
    }
}

#[test]
fn a_target_that_is_too_long_by_itself_is_named() {
    let long = "x".repeat(MAX_HEAD);
    for head in [
        format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"),
        request(&format!("/echo?{long}")),
        format!("HEAD /{}", &long[..MAX_HEAD - 6]),
        format!("\r\nGET /{}", &long[..MAX_HEAD - 7]),
    ] {
        assert_eq!(Request::parse(head.as_bytes()), Err(E::TargetTooLong));
        assert_eq!(Request::parse(&head.as_bytes()[..MAX_HEAD - 1]), Ok(None));
    }
    // In these heads the target is not what is too long.
    for head in [with_line(&format!("X: {long}")), long.clone()] {
        assert_eq!(Request::parse(head.as_bytes()), Err(E::HeadTooLong));
    }
}

#[test]
fn client_that_speaks_tls_gets_an_error_of_its_own() {
    // RFC 8446 §5.1: a record of type 22 (handshake) and version 3.1, 3.2, 3.3.
    for hello in [b"\x16\x03\x01\x02\x00\x01", b"\x16\x03\x03\x00\xC0\x01"] {
        assert_eq!(parse(hello).map(drop), Err(E::Tls));
    }
    assert_eq!(Request::parse(b"\x16"), Ok(None));
    for bytes in [&b"\x16\x04"[..], b"\x16\x16", b"\x15\x03\x01", b"\x80\x2e\x01"] {
        assert!(matches!(parse(bytes), Ok(_) | Err(E::ControlCharacter)) || Request::parse(bytes) == Ok(None));
        assert_ne!(Request::parse(bytes), Err(E::Tls), "{bytes:?}");
    }
}

#[test]
fn bytes_after_the_blank_line_are_left_alone() {
    let head = request("/chat");
    let wire = [head.as_bytes(), b"\x81\x85\0\0\0\0Hello"].concat();
    let (request, used) = Request::parse(&wire).unwrap().unwrap();
    assert_eq!(used, head.len());
    assert_eq!(request.resource_name, "/chat");
}

#[test]
fn the_resource_name_is_path_and_query() {
    for (target, resource_name, path) in [
        ("/", "/", "/"),
        ("/chat?room=7&x=?", "/chat?room=7&x=?", "/chat"),
        ("http://server.example.com/chat?room=7", "/chat?room=7", "/chat"),
        ("ws://server.example.com", "/", "/"),
        ("https://server.example.com?q", "/?q", "/"),
    ] {
        let (request, _) = parse(request(target).as_bytes()).unwrap();
        assert_eq!((request.resource_name.as_str(), request.path()), (resource_name, path));
    }
    for target in ["*", "chat", "/chat#part", "ftp://x/", "/caf\u{e9}", ""] {
        assert!(parse(request(target).as_bytes()).is_err(), "{target}");
    }
}

#[test]
fn the_first_line_has_three_words_one_space_apart() {
    for line in [
        "GET /",
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 ",
        " GET / HTTP/1.1",
        "GET / HTTP/1",
        "GET / http/1.1",
        "G(T / HTTP/1.1",
        "",
    ] {
        assert_eq!(answer(&with("GET /chat HTTP/1.1", line)), Err(E::BadRequestLine), "{line:?}");
    }
    for version in ["HTTP/1.0", "HTTP/0.9", "HTTP/0.0"] {
        assert_eq!(answer(&with("HTTP/1.1", version)), Err(E::HttpVersionTooLow));
    }
    for method in ["POST", "OPTIONS", "CONNECT", "get", "PRI"] {
        assert_eq!(answer(&with("GET", method)), Err(E::MethodNotAllowed));
    }
}

#[test]
fn a_line_break_is_cr_and_lf() {
    for text in ["\n", "\r", "\n\r", "\r\r\n"] {
        let head = with("\r\nHost:", &format!("{text}Host:"));
        assert_eq!(answer(&head), Err(E::BareLineBreak), "{text:?}");
    }
    assert_eq!(Request::parse(b"GET / HTTP/1.1\n"), Err(E::BareLineBreak), "without waiting for more");
}

#[test]
fn control_characters_are_refused() {
    for byte in (0..0x20u8).chain([0x7F]).filter(|byte| !b"\t\r\n".contains(byte)) {
        let head = with_line(&format!("X: a{}b", byte as char));
        assert_eq!(answer(&head), Err(E::ControlCharacter), "{byte:#x}");
    }
    assert!(answer(&with_line("X: a\tb")).is_ok(), "a tab is white space");
}

#[test]
fn header_value_can_hold_any_other_byte() {
    assert!(parse(b"GET / HTTP/1.1\r\nHost: x\r\nCookie: \xFF\xFE \xC3\xA4\r\n\r\n").is_ok());
}

#[test]
fn header_lines_have_a_name_a_colon_and_a_value() {
    assert_eq!(answer(&with_line(" folded")), Err(E::FoldedHeader));
    assert_eq!(answer(&with_line("\tfolded")), Err(E::FoldedHeader));
    for line in ["no colon", ": no name", "Space : before colon", "Na me: x", "N\u{e4}me: x"] {
        assert_eq!(answer(&with_line(line)), Err(E::BadHeader), "{line:?}");
    }
    assert!(answer(&with_line("Empty:")).is_ok());
}

#[test]
fn a_body_is_refused() {
    for line in ["Content-Length: 5", "Transfer-Encoding: chunked", "content-length: 0\r\nContent-Length: 5"] {
        assert_eq!(answer(&with_line(line)), Err(E::BodyAnnounced), "{line}");
    }
    for line in ["", "-0", "+0", "0.0", "0x0", "0 0", "0, 1", "00005", "\u{e9}"] {
        let bytes: Vec<u8> = with_line(&format!("Content-Length: {line}")).chars().map(|c| c as u8).collect();
        assert_eq!(parse(&bytes).map(drop), Err(E::BodyAnnounced), "{line}");
    }
}

// RFC 9110 §8.6: `Content-Length = 1*DIGIT`

#[test]
fn a_length_of_zeros_announces_no_body() {
    let long = "0".repeat(100);
    for line in ["0", "00", "000 ", &long, "0\r\nContent-Length: 0", "00\r\ncontent-length: 00"] {
        assert!(answer(&with_line(&format!("Content-Length: {line}"))).is_ok(), "{line}");
        assert!(parse(format!("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: {line}\r\n\r\n").as_bytes()).is_ok());
    }
}

#[test]
fn a_head_of_8_kib_is_fine_and_one_more_byte_is_not() {
    let padding = MAX_HEAD - with_line("X: ").len();
    let head = with_line(&format!("X: {}", "x".repeat(padding)));
    assert_eq!((head.len(), MAX_HEAD), (8192, 8192));
    assert!(Request::parse(head.as_bytes()).unwrap().is_some());
    let head = with_line(&format!("X: {}", "x".repeat(padding + 1)));
    assert_eq!(Request::parse(head.as_bytes()), Err(E::HeadTooLong));
    assert_eq!(Request::parse(&[b'x'; MAX_HEAD - 1]), Ok(None));
    assert_eq!(Request::parse(&[b'x'; MAX_HEAD]), Err(E::HeadTooLong), "there is no room left for a blank line");
}

#[test]
fn a_hundred_headers_are_fine_and_one_more_is_not() {
    let head = |count: usize| format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(count - 1));
    assert!(Request::parse(head(100).as_bytes()).unwrap().is_some());
    assert_eq!(Request::parse(head(101).as_bytes()), Err(E::TooManyHeaders));
}

// How an error becomes a reply

#[test]
fn every_handshake_error_has_its_status_and_body() {
    let cases = [
        (E::BareLineBreak, 400),
        (E::ControlCharacter, 400),
        (E::BadRequestLine, 400),
        (E::BadTarget, 400),
        (E::Tls, 400),
        (E::HttpVersionTooLow, 400),
        (E::HttpVersionUnsupported, 505),
        (E::BadHeader, 400),
        (E::FoldedHeader, 400),
        (E::HostMissing, 400),
        (E::HostInvalid, 400),
        (E::HeaderRepeated("Host"), 400),
        (E::BodyAnnounced, 400),
        (E::ConnectionTokenMissing, 400),
        (E::KeyMissing, 400),
        (E::KeyInvalid, 400),
        (E::ExtensionsInvalid, 400),
        (E::TargetTooLong, 414),
        (E::HeadTooLong, 431),
        (E::TooManyHeaders, 431),
        (E::MethodNotAllowed, 405),
        (E::NotFound, 404),
        (E::UpgradeRequired, 426),
        (E::VersionUnsupported, 426),
        (E::OriginNotAllowed("https://evil.example".to_owned()), 403),
        (E::OriginNotListed("https://evil.example".to_owned()), 403),
        (E::Timeout, 408),
        (E::TooManyClients, 503),
        (E::ShuttingDown, 503),
        (E::Panicked, 500),
        (E::TooManyFromThisAddress, 429),
    ];
    for (fault, code) in cases {
        let reply = String::from_utf8(Response::from(&fault).encode(Method::Get)).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        assert_eq!(status(head), code, "{fault:?}");
        assert_eq!(body, format!("{fault}\n"));
        assert_eq!(header(head, "Content-Length"), Some(body.len().to_string().as_str()));
        assert!(header(head, "Connection").unwrap().starts_with("close"));
        assert_eq!(header(head, "Allow"), (code == 405).then_some("GET, HEAD"));
        assert_eq!(header(head, "Upgrade"), (code == 426).then_some("websocket"));
        assert_eq!(header(head, "Sec-WebSocket-Version"), (code == 426).then_some("13"));
    }
}

#[test]
fn text_of_client_is_escaped_in_the_reply() {
    for fault in [E::OriginNotAllowed, E::OriginNotListed] {
        let reply = Response::from(&fault("\u{1b}[31m\u{9b}<b>".to_owned())).encode(Method::Get);
        assert!(!reply.contains(&0x1b) && !reply.contains(&0x9b));
    }
}

#[test]
fn text_of_client_is_cut_in_the_reply() {
    for (origin, shown) in [
        ("x".repeat(200), "x".repeat(200)),
        ("x".repeat(201), "x".repeat(200) + "..."),
        ("\u{9b}".repeat(7900), r"\u{9b}".repeat(33) + "..."),
        ("\u{e4}".repeat(7900), "\u{e4}".repeat(200) + "..."),
        ("\"".repeat(7900), "\\\"".repeat(100) + "..."),
    ] {
        let text = E::OriginNotAllowed(origin).to_string();
        assert!(text.contains(&format!("\"{shown}\"")), "{text}");
        assert!(text.chars().count() < 300, "{text}");
    }
}

// RFC 9110 §5.6.7 and §6.6.1: the date

#[test]
fn a_date_is_written_as_http_writes_it() {
    for (seconds, expected) in [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
        (1_735_603_200, "Tue, 31 Dec 2024 00:00:00 GMT"),
        (1_735_689_600, "Wed, 01 Jan 2025 00:00:00 GMT"),
        (1_795_770_000, "Fri, 27 Nov 2026 09:00:00 GMT"),
        (4_107_456_000, "Sun, 28 Feb 2100 00:00:00 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        (13_574_563_200, "Tue, 29 Feb 2400 00:00:00 GMT"),
    ] {
        let response = Response::page("").with_date(seconds);
        assert_eq!(response.header_value("Date"), Some(expected));
    }
    assert!(Response::page("").with_date(u64::MAX).header_value("Date").is_some());
}

#[test]
fn head_gets_the_head_of_what_get_would_bring() {
    let (request, _) = parse(b"HEAD / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n").unwrap();
    assert_eq!(request.method, Method::Head);
    assert!(!request.wants_websocket(), "only GET can upgrade (§4.2.1)");
    let page = Response::page("<p>Hello");
    let (get, head) = (page.encode(Method::Get), page.encode(Method::Head));
    assert_eq!(get, [&head[..], b"<p>Hello"].concat());
}

#[test]
fn page_policy_allows_own_scripts_and_own_server_only() {
    let reply = String::from_utf8(Response::page("<p>Grüße").encode(Method::Get)).unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    let policy: Vec<&str> = header(head, "Content-Security-Policy").unwrap().split("; ").collect();
    for directive in ["default-src 'none'", "connect-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"] {
        assert!(policy.contains(&directive), "{directive} in {policy:?}");
    }
    assert!(!policy.iter().any(|directive| directive.contains('*') || directive.contains("http")), "{policy:?}");
    assert_eq!(header(head, "X-Content-Type-Options"), Some("nosniff"));
    assert_eq!(header(head, "Cache-Control"), Some("no-store"));
    assert_eq!(header(head, "Content-Length"), Some(body.len().to_string().as_str()), "bytes, not characters");
}
