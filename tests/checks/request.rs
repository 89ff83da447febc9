//! Steps 02 and 03: the head of the request, and the answer to it (§4.2). Bytes and values, no socket.

use super::lesson::{Lesson, Trial};
use super::mistakes::Mistake;
use super::subject::Subject;
use super::talk::{ACCEPT, masked, request};
use super::words::{Head, Request};

// Step 02

const HEAD_ENDS: &str =
    "RFC 9112 §2.1: the head ends at the first \\r\\n\\r\\n. Until that has arrived, more bytes are needed.";
const NAME_AND_VALUE: &str = "RFC 9112 §5: a line is `Name: value`; white space around the value is not part of it.";

pub fn a_head_becomes_a_request(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let origin = "Origin: http://localhost:3000\r\nHost: \t server.example.com \r\n";
    let head = request("/Chat?Room=7").replace("Host: server.example.com\r\n", origin);
    expect_request(subject, trial, &head).map_err(|lesson| {
        let refused = lesson.came == "Refused(400)";
        if refused { lesson.named(Mistake::GoodHeadRefused) } else { lesson }
    })?;
    // A value can also have no space around it.
    expect_request(subject, trial, &head.replace("Upgrade: websocket", "Upgrade:websocket"))
        .map_err(|lesson| if lesson.mistake.is_none() { lesson.named(Mistake::SpaceExpected) } else { lesson })
}

/// Expects the request of this head, with the path `/Chat?Room=7` and an `Origin`.
fn expect_request(subject: &Subject, trial: &Trial, head: &str) -> Result<(), Lesson> {
    let expected = Request {
        path: "/Chat?Room=7".to_owned(),
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
        NAME_AND_VALUE,
    );
    match (subject.parse_request)(head.as_bytes()) {
        Head::Complete { request, length } if request == expected && length == head.len() => Ok(()),
        Head::Complete { request, length } => {
            let lesson = trial.came(format!("Complete, with {request:?} and length {length}"));
            if request == expected && (1..=4).any(|missing| length + missing == head.len()) {
                let why = "RFC 9112 §2.1: the head is the first line, the lines of the headers, and the blank line.";
                return Err(Lesson { why, ..lesson }.named(Mistake::LengthWithoutBlankLine));
            }
            Err(lesson.named(wrong_request(&request, &expected)))
        }
        came => Err(trial.came(format!("{came:?}"))),
    }
}

fn wrong_request(came: &Request, expected: &Request) -> Option<Mistake> {
    if came.path != expected.path && !came.path.is_empty() && expected.path.starts_with(&came.path) {
        return Some(Mistake::QueryCut);
    }
    if came.path != expected.path {
        return Some(Mistake::PathChanged);
    }
    if came.headers.len() != expected.headers.len() {
        return Some(Mistake::HeadersLost);
    }
    let mut pairs = came.headers.iter().zip(&expected.headers);
    pairs.find_map(|(came, expected)| match (came.1.as_str(), expected.1.as_str()) {
        _ if came.0 != expected.0 && came.0.eq_ignore_ascii_case(&expected.0) => Some(Mistake::NamesChanged),
        _ if came.0.starts_with(&format!("{}:", expected.0)) => Some(Mistake::LastColon),
        (came, expected) if came == expected => None,
        (came, expected) if came.trim() == expected => Some(Mistake::ValueNotTrimmed),
        (came, expected) if !came.is_empty() && expected.starts_with(came) => Some(Mistake::ValueCutAtColon),
        _ => None,
    })
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
    let text = masked(0x81, b"Hello");
    // The key is zero, so that the payload on the wire has a blank line.
    let blank_line = b"\x81\x84\0\0\0\0\r\n\r\n".to_vec();
    // The bytes exceed the limit of a head, but the head itself is short.
    let long = masked(0x82, &[b'x'; 9000]);
    for (frame, what) in [(text, ""), (blank_line, ", in which \\r\\n\\r\\n occurs"), (long, "")] {
        let bytes = [head.as_bytes(), &frame].concat();
        trial.case(
            format!("parse_request, with a request of {} bytes, after it a frame of {}{what}", head.len(), frame.len()),
            format!("Complete, with length {}", head.len()),
            "§4.1: once the request is sent, a hasty client can send frames. The same read can bring both.",
        );
        match (subject.parse_request)(&bytes) {
            Head::Complete { length, .. } if length == head.len() => {}
            Head::Complete { length, .. } => {
                let swallowed = (length == bytes.len()).then_some(Mistake::HeadSwallowsFrames);
                return Err(trial.came(format!("Complete, with length {length}")).named(swallowed));
            }
            came => {
                let mistake = match came {
                    Head::Incomplete => Mistake::HeadEndAtTheEnd,
                    Head::Refused(431) => Mistake::LimitBeforeEnd,
                    _ => Mistake::FramesReadAsText,
                };
                return Err(trial.came(format!("{came:?}")).named(mistake));
            }
        }
    }
    Ok(())
}

pub fn a_bare_newline_ends_no_line(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "Lines end with \\r\\n. RFC 9112 §2.2 lets a server take a bare \\n too; here it must not, because two \
               programs that disagree on it can be tricked, one in front of the other.";
    let good = request("/chat");
    for (head, mistake) in [
        (good.replace("\r\n", "\n"), Mistake::BareNewline),
        (good.replace("\r\n\r\n", "\n\n"), Mistake::EndsAtBareNewlines),
    ] {
        trial.case(format!("parse_request, with {head:?}"), "Refused(400), or Incomplete forever", why);
        let came = (subject.parse_request)(head.as_bytes());
        if let Head::Complete { .. } = came {
            return Err(trial.came(format!("{came:?}")).named(mistake));
        }
    }
    let head = good.replace("example.com\r\n", "example.com\n");
    trial.case(format!("parse_request, with {head:?}"), "Refused(400), or no header Upgrade", why);
    let came = (subject.parse_request)(head.as_bytes());
    match &came {
        Head::Complete { request, .. } if request.headers.iter().any(|(name, _)| name == "Upgrade") => {
            Err(trial.came(format!("{came:?}")).named(Mistake::BareNewline))
        }
        _ => Ok(()),
    }
}

pub fn a_bad_head_is_refused(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let good = request("/chat");
    let first_line = "RFC 9112 §3: the first line is METHOD PATH VERSION, three words with one space between them.";
    let version = "§4.2.1 rule 1 asks for HTTP/1.1 or higher. Here it is HTTP/1.1 and no other (our choice): no client of \
                   WebSocket over TCP sends another.";
    let method = "§4.2.1 rule 1: the method is GET.";
    let host = "§4.2.1 rule 2: a Host header, in any case.";
    let cases = [
        (good.replace("GET /chat HTTP/1.1", "GET /chat"), 400, first_line, Some(Mistake::WordsNotCounted)),
        (good.replace("HTTP/1.1", "HTTP/1.1 more"), 400, first_line, Some(Mistake::WordsNotCounted)),
        (good.replace("GET /", "GET  /"), 400, first_line, Some(Mistake::SpacesSkipped)),
        (good.replace("chat HTTP", "chat\tHTTP"), 400, first_line, Some(Mistake::SpacesSkipped)),
        (good.replace("HTTP/1.1", "HTTP/1.0"), 400, version, Some(Mistake::VersionOfHttp)),
        (good.replace("HTTP/1.1", "HTTP/1.2"), 400, version, Some(Mistake::VersionOfHttp)),
        (good.replace("HTTP/1.1", "HTTP/1.10"), 400, version, Some(Mistake::VersionOfHttp)),
        (good.replace("HTTP/1.1", "http/1.1"), 400, version, Some(Mistake::VersionOfHttp)),
        (good.replace("HTTP/1.1", "HTTP/2.0"), 400, version, Some(Mistake::VersionOfHttp)),
        (good.replace("GET", "POST"), 405, method, Some(Mistake::MethodNotAsked)),
        (good.replace("GET", "GETS"), 405, method, Some(Mistake::MethodNotAsked)),
        (
            good.replace("GET", "get"),
            405,
            "RFC 9110 §9.1: a method is compared with its case.",
            Some(Mistake::MethodInAnyCase),
        ),
        (good.replace("Upgrade: websocket", "Upgrade websocket"), 400, NAME_AND_VALUE, Some(Mistake::ColonNotAsked)),
        (good.replace("Host: server.example.com\r\n", ""), 400, host, Some(Mistake::HostNotAsked)),
        (good.replace("Host:", "X-Host:"), 400, host, Some(Mistake::HostInPart)),
        (good.replace("Host:", "Hosts:"), 400, host, Some(Mistake::HostInPart)),
    ];
    for (head, status, why, mistake) in cases {
        trial.case(format!("parse_request, with {head:?}"), format!("Refused({status})"), why);
        let came = (subject.parse_request)(head.as_bytes());
        if came != Head::Refused(status) {
            let mistake = match came {
                Head::Complete { .. } => mistake,
                Head::Refused(_) => Some(Mistake::OtherStatus),
                Head::Incomplete => Some(Mistake::WholeHeadNotTaken),
            };
            return Err(trial.came(format!("{came:?}")).named(mistake));
        }
    }
    Ok(())
}

pub fn a_long_head_is_refused(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let long = format!("Host: x\r\nCookie: {}", "x".repeat(9000));
    for (end, what) in [("", "no blank line yet"), ("\r\n\r\n", "the blank line at its end")] {
        let head = format!("GET / HTTP/1.1\r\n{long}{end}");
        trial.case(
            format!("parse_request, with a head of {} bytes, {what}", head.len()),
            "Refused(431)",
            "§10.4: whatever a client sends has a limit, here 8192 bytes.",
        );
        match (subject.parse_request)(head.as_bytes()) {
            Head::Refused(431) => {}
            Head::Complete { length, .. } => {
                let mistake =
                    Some(if end.is_empty() { Mistake::HeadWithoutBlankLine } else { Mistake::LongHeadAccepted });
                return Err(trial.came(format!("Complete, with length {length}")).named(mistake));
            }
            Head::Incomplete => return Err(trial.came("Incomplete").named(Mistake::LongHeadAwaited)),
            came => return Err(trial.came(format!("{came:?}")).named(Mistake::OtherStatus)),
        }
    }
    Ok(())
}

/// Returns a head of `length` bytes, including the blank line.
fn head_of(length: usize) -> String {
    let start = "GET / HTTP/1.1\r\nHost: x\r\nCookie: ";
    format!("{start}{}\r\n\r\n", "x".repeat(length - start.len() - 4))
}

pub fn the_limit_is_exact(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why =
        "§10.4: whatever a client sends has a limit. Here a head has at most 8192 bytes, its blank line included.";
    for (length, behind) in [(8191, 0), (8192, 0), (8192, 1), (8193, 0), (8196, 0)] {
        let bytes = head_of(length) + &"x".repeat(behind);
        let fits = length <= 8192;
        let expected = if fits { format!("Complete, with length {length}") } else { "Refused(431)".to_owned() };
        let more = if behind > 0 { ", and one byte after it" } else { "" };
        trial.case(format!("parse_request, with a head of {length} bytes{more}"), expected, why);
        match (subject.parse_request)(bytes.as_bytes()) {
            Head::Complete { length: came, .. } if fits && came == length => {}
            Head::Refused(431) if !fits => {}
            Head::Complete { length, .. } => {
                return Err(trial.came(format!("Complete, with length {length}")).named(Mistake::HeadLimit));
            }
            came => {
                let limit = matches!(came, Head::Refused(431)) || came == Head::Incomplete && (!fits || behind > 0);
                return Err(trial.came(format!("{came:?}")).named(limit.then_some(Mistake::HeadLimit)));
            }
        }
    }
    let characters = head_of(8193).replacen("xx", "é", 4000);
    trial.case(
        format!("parse_request, with a head of {} bytes, and fewer characters", characters.len()),
        "Refused(431)",
        why,
    );
    let came = (subject.parse_request)(characters.as_bytes());
    let mistake = if came == Head::Refused(400) { Mistake::OtherStatus } else { Mistake::LimitInCharacters };
    trial.equal(came, Head::Refused(431)).map_err(|lesson| lesson.named(mistake))?;
    // A piece up to four bytes short of the limit can still be followed by the blank line.
    for (length, expected) in [(8188, Head::Incomplete), (8193, Head::Refused(431))] {
        let bytes = &head_of(length + 100)[..length];
        let sent = format!("parse_request, with the first {length} bytes of a head, and no blank line yet");
        trial.case(sent, format!("{expected:?}"), why);
        let came = (subject.parse_request)(bytes.as_bytes());
        trial.equal(came, expected).map_err(|lesson| lesson.named(Mistake::HeadLimit))?;
    }
    Ok(())
}

pub fn the_host_is_found_in_any_case(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    for name in ["host", "HOST"] {
        let head = request("/chat").replace("Host:", &format!("{name}:"));
        trial.case(
            format!("parse_request, with {head:?}"),
            format!("Complete, with length {}", head.len()),
            "RFC 9110 §5.1: the names of headers are compared without case.",
        );
        let came = (subject.parse_request)(head.as_bytes());
        if !matches!(came, Head::Complete { length, .. } if length == head.len()) {
            let mistake = (came == Head::Refused(400)).then_some(Mistake::NamesWithCase);
            return Err(trial.came(format!("{came:?}")).named(mistake));
        }
    }
    Ok(())
}

pub fn a_value_may_be_empty_and_a_name_come_twice(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let head = request("/chat").replace("\r\n\r\n", "\r\nCookie: a=1\r\nAccept:\r\nCookie: b=2\r\n\r\n");
    let expected = [("Cookie", "a=1"), ("Accept", ""), ("Cookie", "b=2")];
    trial.case(
        format!("parse_request, with {head:?}"),
        format!("Complete, and {expected:?} at the end of the headers"),
        "RFC 9112 §5, RFC 9110 §5.3: a value can be empty, and the same name can occur in several lines.",
    );
    match (subject.parse_request)(head.as_bytes()) {
        Head::Complete { request, .. } => {
            let pairs: Vec<_> = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            if pairs.ends_with(&expected) {
                return Ok(());
            }
            Err(trial.came(format!("Complete, with {request:?}")).named(Mistake::HeadersLost))
        }
        came => Err(trial.came(format!("{came:?}")).named(Mistake::EmptyValueRefused)),
    }
}

pub fn a_strange_head_is_no_panic(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let strange: [&[u8]; 5] =
        [b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n:\r\n\r\n", b"\xFF\xFE\r\n\r\n"];
    for head in strange {
        trial.case(
            format!("parse_request, with \"{}\"", head.escape_ascii()),
            "Refused(400)",
            "Any client can send any bytes. Bytes that are no request are refused, and the server goes on.",
        );
        trial.equal((subject.parse_request)(head), Head::Refused(400))?;
    }
    Ok(())
}

pub fn a_byte_that_is_no_text_is_one_byte(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let bytes = [request("/chat").trim_end().as_bytes(), b"\r\nCookie: \xFF\r\n\r\n"].concat();
    trial.case(
        format!("parse_request, with \"{}\"", bytes.escape_ascii()),
        format!("Complete, with length {}, or Refused(400), as you like", bytes.len()),
        "RFC 9110 §5.5: a value can hold bytes above 127, which need not be UTF-8.",
    );
    match (subject.parse_request)(&bytes) {
        Head::Complete { length, .. } if length == bytes.len() => Ok(()),
        Head::Refused(400) => Ok(()),
        Head::Complete { length, .. } => {
            let in_the_text = String::from_utf8_lossy(&bytes).len();
            let mistake = (length == in_the_text).then_some(Mistake::CountedInRepairedText);
            Err(trial.came(format!("Complete, with length {length}")).named(mistake))
        }
        came => Err(trial.came(format!("{came:?}"))),
    }
}

// Step 03

/// Returns the request of §1.3 as a value, with one header replaced, or without it if `value` is empty.
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

pub const STATUS_LINE: &str =
    "RFC 9112 §4: the status line is `HTTP/1.1`, a space, the number, a space, and words or none.";

/// Returns whether the reply would begin with `start`, were it not for a missing space at its end.
pub fn lacks_space(reply: &str, start: &str) -> bool {
    reply.strip_prefix(start.trim_end()).is_some_and(|behind| behind.starts_with("\r\n"))
}

/// Expects the 101 of §4.2.2.
fn welcome(subject: &Subject, trial: &Trial, sent: &str, request: &Request, why: &'static str) -> Result<(), Lesson> {
    let model = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
    );
    trial.case(format!("answer, with {sent}"), format!("Ok({model:?}), the headers in any order"), why);
    let reply = (subject.answer)(request)
        .map_err(|status| trial.came(format!("Err({status})")).named(Mistake::GoodRequestRefused))?;
    let came = || trial.came(format!("Ok({reply:?})"));
    if reply.lines().any(|line| line.starts_with([' ', '\t'])) {
        return Err(came().named(Mistake::ReplyIndented));
    }
    if reply.replace("\r\n", "").contains('\n') {
        return Err(came().named(Mistake::ReplyBareNewline));
    }
    if !reply.ends_with("\r\n\r\n") {
        return Err(came().named(Mistake::NoBlankLineInReply));
    }
    if lacks_space(&reply, "HTTP/1.1 101 ") {
        return Err(Lesson { why: STATUS_LINE, ..came() }.named(Mistake::StatusWithoutSpace));
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
        let accept = value("Sec-WebSocket-Accept");
        return Err(came().named(match accept {
            _ if !reply.starts_with("HTTP/1.1 101 ") => Mistake::ReplyStatus,
            accept if accept != ACCEPT && !accept.is_empty() => Mistake::AcceptWrong,
            _ => Mistake::ReplyHeaders,
        }));
    }
    let promises = [
        ("Sec-WebSocket-Extensions", Mistake::ExtensionPromised),
        ("Sec-WebSocket-Protocol", Mistake::SubprotocolPromised),
    ];
    let promised = promises.into_iter().find(|(name, _)| !value(name).is_empty());
    promised.map_or(Ok(()), |(_, mistake)| Err(came().named(mistake)))
}

pub fn a_good_request_gets_its_101(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let rule = "§4.2.2 rule 5: the status line, these three headers, and a blank line.";
    welcome(subject, trial, "the request of §1.3", &with("", ""), rule)
}

pub fn connection_and_upgrade_are_lists(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    // Finds out whether it knows a list if the list has no spaces.
    let knows = |name: &str, value: &str| takes(subject, trial, name, &value.replace(' ', ""));
    let why = "§4.2.1 rule 4: the Connection header \"includes the token\" Upgrade, and some clients send two tokens.";
    for value in ["keep-alive, Upgrade", "Upgrade, keep-alive", "Upgrade , keep-alive"] {
        let sent = format!("Connection: {value}");
        welcome(subject, trial, &sent, &with("Connection", value), why).map_err(|lesson| {
            let turned = if value.starts_with('U') { "keep-alive,Upgrade" } else { "Upgrade,keep-alive" };
            lesson.named(match (knows("Connection", value), knows("Connection", turned)) {
                (true, _) => Mistake::ElementNotTrimmed,
                (false, true) => Mistake::OneElementOnly,
                (false, false) => Mistake::ConnectionNotAList,
            })
        })?;
    }
    let value = "keep-alive,Upgrade";
    welcome(subject, trial, &format!("Connection: {value}"), &with("Connection", value), why)
        .map_err(|lesson| lesson.named(Mistake::CommaAndSpace))?;
    let why = "§4.2.1 rule 3: an Upgrade header that includes `websocket`. RFC 9110 §7.8: it is a list.";
    let value = "h2c, websocket";
    welcome(subject, trial, &format!("Upgrade: {value}"), &with("Upgrade", value), why).map_err(|lesson| {
        lesson.named(match (knows("Upgrade", value), knows("Upgrade", "websocket,h2c")) {
            (true, _) => Mistake::ElementNotTrimmed,
            (false, true) => Mistake::OneElementOnly,
            (false, false) => Mistake::UpgradeNotAList,
        })
    })
}

pub fn a_list_may_go_on_in_another_header(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "RFC 9110 §5.3: headers of the same name are one list, as if there were a comma between their values.";
    for (name, [first, second]) in [
        ("Connection", ["keep-alive", "Upgrade"]),
        ("Connection", ["Upgrade", "keep-alive"]),
        ("Upgrade", ["h2c", "websocket"]),
        ("Upgrade", ["websocket", "h2c"]),
    ] {
        let mut request = with(name, first);
        request.headers.push((name.to_owned(), second.to_owned()));
        welcome(subject, trial, &format!("two headers, {name}: {first} and {name}: {second}"), &request, why)
            .map_err(|lesson| lesson.named(Mistake::OneHeaderOnly))?;
    }
    Ok(())
}

pub fn names_and_tokens_have_no_case(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let mut request = with("", "");
    for (name, _) in &mut request.headers {
        *name = name.to_lowercase();
    }
    let why = "RFC 9110 §5.1: the names of headers are compared without case.";
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
    let no_upgrade = "§4.2.1 rule 3. Without it this is a plain HTTP request; RFC 9110 §15.5.22 has 426 for it.";
    let no_connection = "§4.2.1 rule 4: a Connection header with the token Upgrade.";
    let key = "§4.2.1 rule 5: the key is 16 bytes in base64.";
    let other_version = "§4.4: another version than 13 gets 426.";
    let (split, half, version) = (Mistake::ElementsSplit, Mistake::HalfToken, Mistake::VersionCompared);
    let (token, measure) = (Mistake::TokenNotAsked, Mistake::KeyNotMeasured);
    let cases = [
        ("Connection", "Upgraded", 400, "§4.2.1 rule 4: the token is `Upgrade`, the whole word.", token),
        ("Connection", "NoUpgrade", 400, "§4.2.1 rule 4: the token is `Upgrade`, the whole word.", half),
        ("Upgrade", "websockets", 426, "§4.2.1 rule 3: the token is `websocket`, the whole word.", token),
        ("Upgrade", "nowebsocket", 426, "§4.2.1 rule 3: the token is `websocket`, the whole word.", half),
        ("Upgrade", "", 426, no_upgrade, Mistake::UpgradeNotAsked),
        ("Connection", "", 400, no_connection, Mistake::UpgradeNotAsked),
        ("Sec-WebSocket-Version", "8", 426, other_version, version),
        ("Sec-WebSocket-Version", "14", 426, other_version, version),
        ("Sec-WebSocket-Version", "130", 426, other_version, half),
        ("Sec-WebSocket-Version", "113", 426, other_version, half),
        ("Connection", "keep-alive Upgrade", 400, "RFC 9110 §5.6.1: commas separate the elements of a list.", split),
        ("Connection", "keep-alive;Upgrade", 400, "RFC 9110 §5.6.1: commas separate the elements of a list.", split),
        ("Sec-WebSocket-Version", "013", 426, other_version, version),
        ("Sec-WebSocket-Version", "+13", 426, other_version, version),
        ("Sec-WebSocket-Version", "8, 13", 426, other_version, version),
        ("Sec-WebSocket-Version", "", 426, "§4.2.1 rule 6: the version, 13.", version),
        ("Sec-WebSocket-Key", "", 400, "§4.2.1 rule 5: the key.", measure),
        ("Sec-WebSocket-Key", "dGhl", 400, "§4.2.1 rule 5: the key is 16 bytes in base64; these are 3.", measure),
        ("Sec-WebSocket-Key", "AAECAwQFBgcICQoLDA0ODxAR", 400, key, measure),
        ("Sec-WebSocket-Key", "AAECAwQFBgcICQoLDA0O", 400, key, measure),
        ("Sec-WebSocket-Key", "this is no base64 at all", 400, key, measure),
        ("Sec-WebSocket-Key", "?", 400, key, measure),
    ];
    for (name, value, status, why, mistake) in cases {
        let sent = if value.is_empty() { format!("no {name}") } else { format!("{name}: {value}") };
        trial.case(format!("answer, with {sent}"), format!("Err({status})"), why);
        let came = (subject.answer)(&with(name, value));
        if came != Err(status) {
            let lesson = trial.came(format!("{came:?}"));
            return Err(lesson.named(match mistake {
                _ if came.is_err() => Mistake::OtherStatus,
                Mistake::TokenNotAsked => token_mistake(subject, trial, name),
                Mistake::KeyNotMeasured => key_mistake(subject, trial),
                mistake => mistake,
            }));
        }
    }
    Ok(())
}

/// Returns whether a request with this value is accepted. It can panic, so it is a case of its own.
fn takes(subject: &Subject, trial: &Trial, name: &str, value: &str) -> bool {
    let sent = if value.is_empty() { format!("no {name}") } else { format!("{name}: {value}") };
    trial.case(format!("answer, with {sent}"), "an Ok or an Err", "Whatever the value is, the server goes on.");
    (subject.answer)(&with(name, value)).is_ok()
}

/// Returns whether a header of this name is asked for at all, and if it is, for the token.
fn token_mistake(subject: &Subject, trial: &Trial, name: &str) -> Mistake {
    match (takes(subject, trial, name, ""), takes(subject, trial, name, "other")) {
        (true, _) => Mistake::UpgradeNotAsked,
        (false, true) => Mistake::TokenNotAsked,
        (false, false) => Mistake::HalfToken,
    }
}

/// Returns how a key is checked, if some values that are no key are accepted.
fn key_mistake(subject: &Subject, trial: &Trial) -> Mistake {
    let takes = |key: &str| takes(subject, trial, "Sec-WebSocket-Key", key);
    let (short, long) = (takes("dGhl"), takes("AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"));
    // 24 characters can encode 16, 17 or 18 bytes, or be no base64 at all.
    let (as_long, no_base64) = (takes("AAECAwQFBgcICQoLDA0ODxAR"), takes("this is no base64 at all") || takes("?"));
    match (as_long, no_base64) {
        (true, _) if !short && !long => Mistake::KeyInCharacters,
        (_, true) => Mistake::KeyNotDecoded,
        _ => Mistake::KeyNotMeasured,
    }
}

pub fn every_character_of_base64_is_known(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "§4.2.1 rule 5: the key is in base64, whose alphabet has `+` and `/`. Half of all keys have one of them.";
    let key = "+/v7+/v7+/v7+/v7+/v7+w==";
    trial.case(format!("answer, with Sec-WebSocket-Key: {key}"), "Ok of a 101", why);
    let came = (subject.answer)(&with("Sec-WebSocket-Key", key));
    if came.is_err() {
        return Err(trial.came(format!("{came:?}")).named(Mistake::KeyAlphabet));
    }
    let other = key.replace('+', "-").replace('/', "_");
    trial.case(format!("answer, with Sec-WebSocket-Key: {other}"), "Err(400)", why);
    let came = (subject.answer)(&with("Sec-WebSocket-Key", &other));
    trial.equal(came, Err(400)).map_err(|lesson| lesson.named(Mistake::KeyAlphabet))
}

pub fn a_name_is_compared_as_a_whole(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "RFC 9110 §5.1: a name is compared as a whole. Old programs send Proxy-Connection; browsers, Upgrade-Insecure-Requests.";
    let cases = [
        ("Upgrade", "X-Upgrade", 426),
        ("Upgrade", "Upgrade-Insecure-Requests", 426),
        ("Connection", "Proxy-Connection", 400),
        ("Connection", "Connection-Type", 400),
        ("Sec-WebSocket-Version", "X-Sec-WebSocket-Version", 426),
        ("Sec-WebSocket-Version", "Sec-WebSocket-Version-2", 426),
        ("Sec-WebSocket-Key", "X-Sec-WebSocket-Key", 400),
        ("Sec-WebSocket-Key", "Sec-WebSocket-Key1", 400),
    ];
    for (name, other, status) in cases {
        let mut request = with("", "");
        for (came, _) in request.headers.iter_mut().filter(|(came, _)| came == name) {
            *came = other.to_owned();
        }
        trial.case(format!("answer, with {other} in place of {name}"), format!("Err({status})"), why);
        let came = (subject.answer)(&request);
        let mistake = if came.is_ok() { Mistake::HeaderInPart } else { Mistake::OtherStatus };
        trial.equal(came, Err(status)).map_err(|lesson| lesson.named(mistake))?;
    }
    Ok(())
}

pub fn the_first_that_is_missing_is_told(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "The page's table is in the order of the checks, so a plain GET gets 426: it wants no WebSocket, and \
               RFC 9110 §15.5.22 has that status for it.";
    let cases = [
        ("a plain GET, with Host alone", &[][..], 426),
        ("Upgrade: websocket and nothing more", &["Upgrade"][..], 400),
        ("no Upgrade; Connection: Upgrade, the version and the key", &["Connection", "Version", "Key"], 426),
        ("no Connection and no version, but a key", &["Upgrade", "Key"], 400),
        ("no version and no key", &["Upgrade", "Connection"], 426),
        ("no key alone", &["Upgrade", "Connection", "Version"], 400),
    ];
    for (sent, kept, status) in cases {
        let mut request = with("", "");
        request.headers.retain(|(name, _)| name == "Host" || kept.iter().any(|kept| name.ends_with(kept)));
        trial.case(format!("answer, with {sent}"), format!("Err({status})"), why);
        let came = (subject.answer)(&request);
        trial.equal(came, Err(status)).map_err(|lesson| lesson.named(Mistake::OrderOfChecks))?;
    }
    Ok(())
}

pub fn what_is_offered_is_declined(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let extension = "§9.1: an extension that the reply names is in force from then on. Leaving it out declines it.";
    let subprotocol = "§1.9: both speak the subprotocol that the reply names. Leaving it out declines it.";
    for (name, value, why) in
        [("Sec-WebSocket-Extensions", "permessage-deflate", extension), ("Sec-WebSocket-Protocol", "chat", subprotocol)]
    {
        welcome(subject, trial, &format!("{name}: {value}"), &with(name, value), why)?;
    }
    Ok(())
}
