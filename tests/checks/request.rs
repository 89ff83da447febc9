//! Steps 02 and 03: the head of the request, and the answer to it (§4.2). Bytes and values, no socket.

use super::lesson::{Lesson, Trial};
use super::mistakes::Mistake;
use super::subject::Subject;
use super::talk::{ACCEPT, request};
use super::words::{Head, Request};

// Step 02

const HEAD_ENDS: &str =
    "RFC 7230 §3: the head ends at the first \\r\\n\\r\\n. Until that has come, more bytes are needed.";

pub fn a_head_becomes_a_request(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let head = request("/chat?room=7").replace("Host:", "Origin: http://localhost:3000\r\nHost: \t");
    let expected = Request {
        path: "/chat?room=7".to_owned(),
        headers: [
            ("Origin", "http://localhost:3000"),
            ("Host", "server.example.com"),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", "13"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
    };
    trial.case(
        format!("parse_request, with {head:?}"),
        format!("Complete, with {expected:?} and length {}", head.len()),
        "RFC 7230 §3.2: a line is `Name: value`; white space around the value is not part of it.",
    );
    let came = (subject.parse_request)(head.as_bytes());
    if came == (Head::Complete { request: expected.clone(), length: head.len() }) {
        return Ok(());
    }
    let Head::Complete { request, .. } = &came else { return Err(trial.came(format!("{came:?}"))) };
    let pairs = request.headers.iter().zip(&expected.headers);
    let mistake = pairs.clone().find_map(|(came, expected)| match (came.1.as_str(), expected.1.as_str()) {
        (came, expected) if came == expected => None,
        (came, expected) if came.trim() == expected => Some(Mistake::ValueNotTrimmed),
        (came, expected) if !came.is_empty() && expected.starts_with(came) => Some(Mistake::ValueCutAtColon),
        _ => None,
    });
    Err(trial.came(format!("{came:?}")).named(mistake))
}

pub fn a_part_of_a_head_needs_more_bytes(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let head = request("/chat");
    for cut in 0..head.len() {
        let part = &head[..cut];
        trial.case(format!("parse_request, with {cut} of {} bytes: {part:?}", head.len()), "Incomplete", HEAD_ENDS);
        let came = (subject.parse_request)(part.as_bytes());
        if came != Head::Incomplete {
            return Err(trial.came(format!("{came:?}")).named(Mistake::HeadWithoutBlankLine));
        }
    }
    Ok(())
}

pub fn bytes_behind_the_head_are_left_alone(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let head = request("/chat");
    let bytes = [head.as_bytes(), b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"].concat();
    trial.case(
        format!("parse_request, with a request of {} bytes and 11 bytes of a frame behind it", head.len()),
        format!("Complete, with length {}", head.len()),
        "§4.1: once the request is sent, a hasty client may send frames. The same read can bring both.",
    );
    match (subject.parse_request)(&bytes) {
        Head::Complete { length, .. } if length == head.len() => Ok(()),
        Head::Complete { length, .. } => {
            let swallowed = (length == bytes.len()).then_some(Mistake::HeadSwallowsFrames);
            Err(trial.came(format!("Complete, with length {length}")).named(swallowed))
        }
        came => Err(trial.came(format!("{came:?}"))),
    }
}

pub fn a_bare_newline_ends_no_line(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let head = request("/chat").replace("\r\n", "\n");
    trial.case(
        format!("parse_request, with {head:?}"),
        "Refused(400), or Incomplete for ever",
        "RFC 7230 §3: lines end with \\r\\n. Two programs that disagree on it can be tricked, one behind the other.",
    );
    match (subject.parse_request)(head.as_bytes()) {
        came @ Head::Complete { .. } => Err(trial.came(format!("{came:?}")).named(Mistake::BareNewline)),
        _ => Ok(()),
    }
}

pub fn a_bad_head_is_refused(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let good = request("/chat");
    let cases = [
        (
            good.replace("GET /chat HTTP/1.1", "GET /chat"),
            400,
            "RFC 7230 §3.1.1: the first line is METHOD PATH VERSION.",
        ),
        (good.replace("HTTP/1.1", "HTTP/1.0"), 400, "§4.2.1 rule 1: HTTP/1.1 or higher."),
        (good.replace("GET", "POST"), 405, "§4.2.1 rule 1: the method is GET."),
        (good.replace("Upgrade: websocket", "Upgrade websocket"), 400, "RFC 7230 §3.2: a line is `Name: value`."),
        (good.replace("Host: server.example.com\r\n", ""), 400, "§4.2.1 rule 2: a Host header, in any case."),
        (
            format!("GET / HTTP/1.1\r\nCookie: {}", "x".repeat(9000)),
            431,
            "§10.4: whatever a client sends has a limit, here 8192 bytes.",
        ),
    ];
    for (head, status, why) in cases {
        let shown =
            if head.len() > 1000 { format!("{} bytes without a blank line", head.len()) } else { format!("{head:?}") };
        trial.case(format!("parse_request, with {shown}"), format!("Refused({status})"), why);
        trial.equal((subject.parse_request)(head.as_bytes()), Head::Refused(status))?;
    }
    Ok(())
}

// Step 03

/// The request of §1.3 as a value, with one header replaced; without it if `value` is empty.
fn with(name: &str, value: &str) -> Request {
    let mut headers = vec![
        ("Host", "server.example.com"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
    ];
    headers.retain(|(n, _)| *n != name);
    if !value.is_empty() {
        headers.push((name, value));
    }
    let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Request { path: "/chat".to_owned(), headers }
}

/// Expects the 101 of §4.2.2.
fn welcome(subject: &Subject, trial: &Trial, sent: &str, request: &Request, why: &'static str) -> Result<(), Lesson> {
    trial.case(
        format!("answer, with {sent}"),
        format!(
            "Ok: HTTP/1.1 101, Upgrade: websocket, Connection: Upgrade, Sec-WebSocket-Accept: {ACCEPT}, a blank line"
        ),
        why,
    );
    let reply = (subject.answer)(request).map_err(|status| trial.came(format!("Err({status})")))?;
    let came = || trial.came(format!("Ok({reply:?})"));
    if !reply.ends_with("\r\n\r\n") {
        return Err(came().named(Mistake::NoBlankLineInReply));
    }
    let value = |name: &str| {
        let mut pairs = reply.split("\r\n").filter_map(|line| line.split_once(':'));
        pairs.find(|(n, _)| n.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value.trim())
    };
    let good = reply.starts_with("HTTP/1.1 101 ")
        && value("Upgrade").eq_ignore_ascii_case("websocket")
        && value("Connection").eq_ignore_ascii_case("upgrade")
        && value("Sec-WebSocket-Accept") == ACCEPT;
    if !good {
        return Err(came());
    }
    let promised = ["Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol"].iter().any(|name| !value(name).is_empty());
    if promised { Err(came().named(Mistake::ExtensionPromised)) } else { Ok(()) }
}

pub fn a_good_request_gets_its_101(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let rule = "§4.2.2 rule 5: the status line, these three headers, and a blank line.";
    welcome(subject, trial, "the request of §1.3", &with("", ""), rule)
}

pub fn connection_is_a_list(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let request = with("Connection", "keep-alive, Upgrade");
    let why = "§4.2.1 rule 4: \"a Connection header field that includes the token Upgrade\"; Firefox sends two.";
    welcome(subject, trial, "Connection: keep-alive, Upgrade", &request, why)
        .map_err(|lesson| lesson.named(Mistake::ConnectionNotAList))
}

pub fn names_and_tokens_have_no_case(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let mut request = with("", "");
    for (name, _) in &mut request.headers {
        *name = name.to_lowercase();
    }
    let why = "RFC 7230 §3.2: \"a case-insensitive field name\".";
    welcome(subject, trial, "all header names in lower case", &request, why)
        .map_err(|lesson| lesson.named(Mistake::NamesWithCase))?;
    let why = "§4.2.1 rules 3 and 4: the tokens are compared as ASCII without case.";
    for (name, value) in [("Upgrade", "WebSocket"), ("Connection", "UPGRADE")] {
        welcome(subject, trial, &format!("{name}: {value}"), &with(name, value), why)
            .map_err(|lesson| lesson.named(Mistake::TokenWithCase))?;
    }
    Ok(())
}

pub fn what_is_missing_is_refused(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let cases = [
        ("Connection", "Upgraded", 400, "§4.2.1 rule 4: the token is `Upgrade`, the whole word."),
        (
            "Upgrade",
            "",
            426,
            "§4.2.1 rule 3. Without it this is a plain HTTP request; RFC 7231 §6.5.15 has 426 for it.",
        ),
        ("Connection", "", 400, "§4.2.1 rule 4: a Connection header with the token Upgrade."),
        ("Sec-WebSocket-Version", "8", 426, "§4.4: another version than 13 gets 426."),
        ("Sec-WebSocket-Key", "", 400, "§4.2.1 rule 5: the key."),
        ("Sec-WebSocket-Key", "dGhl", 400, "§4.2.1 rule 5: the key is 16 bytes in base64; these are 3."),
        ("Sec-WebSocket-Key", "?", 400, "§4.2.1 rule 5: the key is 16 bytes in base64; this is none."),
    ];
    for (name, value, status, why) in cases {
        let sent = if value.is_empty() { format!("no {name}") } else { format!("{name}: {value}") };
        trial.case(format!("answer, with {sent}"), format!("Err({status})"), why);
        let came = (subject.answer)(&with(name, value));
        if came != Err(status) {
            return Err(trial.came(format!("{came:?}")).named((value == "Upgraded").then_some(Mistake::HalfToken)));
        }
    }
    Ok(())
}

pub fn what_is_offered_is_declined(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "§9.1: an extension that the reply names is in force from then on. To leave it out declines it.";
    for (name, value) in [("Sec-WebSocket-Extensions", "permessage-deflate"), ("Sec-WebSocket-Protocol", "chat")] {
        welcome(subject, trial, &format!("{name}: {value}"), &with(name, value), why)?;
    }
    Ok(())
}
