use crate::checks::subject::{MY_SERVER, Shaken};
use crate::checks::words::{Head, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

pub const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

fn digest(parts: &[&[u8]]) -> [u8; 20] {
    sha1_smol::Sha1::from(parts.concat()).digest().bytes()
}

pub fn accept(first: &str, second: &str) -> String {
    STANDARD.encode(digest(&[first.as_bytes(), second.as_bytes()]))
}

pub fn hex_reply(key: &str) -> String {
    sha1_smol::Sha1::from(key.to_owned() + GUID).digest().to_string()
}

pub fn hex_digest(key: &str) -> String {
    STANDARD.encode(hex_reply(key))
}

pub fn no_guid_in_hex(key: &str) -> String {
    STANDARD.encode(sha1_smol::Sha1::from(key).digest().to_string())
}

pub fn key_decoded(key: &str) -> String {
    STANDARD.encode(digest(&[&STANDARD.decode(key).unwrap(), GUID.as_bytes()]))
}

pub fn mistyped_guid(key: &str) -> String {
    accept(key, &GUID.replace("C5AB0DC85B11", "5AB0DC85B11"))
}

/// Changes a good request.
pub fn change_request(bytes: &[u8], change: impl Fn(&mut Request)) -> Head {
    let mut head = (MY_SERVER.parse_request)(bytes);
    if let Head::Complete { request, .. } = &mut head {
        change(request);
    }
    head
}

pub fn last_colon(bytes: &[u8]) -> Head {
    change_request(bytes, |request| {
        for (name, value) in &mut request.headers {
            let line = format!("{name}: {value}");
            let (first, last) = line.rsplit_once(':').unwrap();
            (*name, *value) = (first.to_owned(), last.trim().to_owned());
        }
    })
}

/// Uses another limit for a head.
pub fn limit_of(bytes: &[u8], limit: usize) -> Head {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4);
    match ((MY_SERVER.parse_request)(bytes), end) {
        (Head::Refused(431), Some(length)) if length <= limit => {
            Head::Complete { request: Request { path: "/".to_owned(), headers: Vec::new() }, length }
        }
        (Head::Complete { length, .. }, _) if length > limit => Head::Refused(431),
        (head, _) => head,
    }
}

/// Refuses a request without this header before it looks for any other.
pub fn asks_first(request: &Request, name: &str, status: u16) -> Result<String, u16> {
    if header(request, name).is_empty() { Err(status) } else { (MY_SERVER.answer)(request) }
}

/// Accepts each version for which `is_good` returns true.
pub fn any_version_that(request: &Request, is_good: fn(u32) -> bool) -> Result<String, u16> {
    let mut request = request.clone();
    for (name, value) in &mut request.headers {
        if name == "Sec-WebSocket-Version" && value.parse().is_ok_and(is_good) {
            *value = "13".to_owned();
        }
    }
    (MY_SERVER.answer)(&request)
}

pub fn connection_not_asked(request: &Request) -> Result<String, u16> {
    let mut request = request.clone();
    if header(&request, "Connection").is_empty() {
        request.headers.push(("Connection".to_owned(), "Upgrade".to_owned()));
    }
    (MY_SERVER.answer)(&request)
}

pub fn is_base64(key: &str) -> bool {
    STANDARD.decode(key).is_ok()
}

/// Changes the values of a good request.
fn change_values(bytes: &[u8], change: impl Fn(&str) -> String) -> Head {
    let mut head = (MY_SERVER.parse_request)(bytes);
    if let Head::Complete { request, .. } = &mut head {
        for (_, value) in &mut request.headers {
            *value = change(value);
        }
    }
    head
}

pub fn value_not_trimmed(bytes: &[u8]) -> Head {
    let mut head = (MY_SERVER.parse_request)(bytes);
    if let Head::Complete { request, length } = &mut head {
        let text = String::from_utf8_lossy(&bytes[..*length]);
        let values = text.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        for ((_, value), (_, untrimmed)) in request.headers.iter_mut().zip(values) {
            *value = untrimmed.to_owned();
        }
    }
    head
}

pub fn value_cut_at_colon(bytes: &[u8]) -> Head {
    change_values(bytes, |value| value.split(':').next().unwrap().to_owned())
}

pub fn bare_newline(bytes: &[u8]) -> Head {
    if !bytes.contains(&b'\r') && bytes.ends_with(b"\n\n") {
        let text = String::from_utf8_lossy(bytes).replace('\n', "\r\n");
        return (MY_SERVER.parse_request)(text.as_bytes());
    }
    (MY_SERVER.parse_request)(bytes)
}

pub fn no_blank_line(bytes: &[u8]) -> Head {
    match (MY_SERVER.parse_request)(bytes) {
        Head::Incomplete if bytes.ends_with(b"\r\n") => match (MY_SERVER.parse_request)(&[bytes, b"\r\n"].concat()) {
            Head::Complete { request, .. } => Head::Complete { request, length: bytes.len() },
            head => head,
        },
        head => head,
    }
}

pub fn frames_swallowed(bytes: &[u8]) -> Head {
    match (MY_SERVER.parse_request)(bytes) {
        Head::Complete { request, .. } => Head::Complete { request, length: bytes.len() },
        head => head,
    }
}

pub fn panics(bytes: &[u8]) -> Head {
    if !bytes.is_empty() && bytes.len() < 10 {
        panic!("index out of bounds: the len is 1 but the index is 1");
    }
    (MY_SERVER.parse_request)(bytes)
}

/// A debug build, which learners run, does this with `bytes.len() - 4`.
pub fn length_below_zero(bytes: &[u8]) -> Head {
    bytes.len().checked_sub(4).expect("attempt to subtract with overflow");
    (MY_SERVER.parse_request)(bytes)
}

pub fn for_ever(bytes: &[u8]) -> Head {
    if bytes.len() == 1 {
        // This pause is in place of a loop that looks for the blank line and never reaches the end.
        thread::sleep(Duration::from_secs(60));
    }
    (MY_SERVER.parse_request)(bytes)
}

/// Changes the lines of the head and gives it to the real parser. The length is that of the unchanged head.
pub fn change_head(bytes: &[u8], change: impl Fn(&str) -> String) -> Head {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return (MY_SERVER.parse_request)(bytes);
    };
    let head = change(&String::from_utf8_lossy(&bytes[..end]));
    match (MY_SERVER.parse_request)(format!("{head}\r\n\r\n").as_bytes()) {
        Head::Complete { request, .. } => Head::Complete { request, length: end + 4 },
        head => head,
    }
}

pub fn space_expected(bytes: &[u8]) -> Head {
    let without_colon = |line: &str| if line.contains(": ") { line.to_owned() } else { line.replace(':', "") };
    change_head(bytes, |head| head.split("\r\n").map(without_colon).collect::<Vec<_>>().join("\r\n"))
}

pub fn names_in_lower_case(bytes: &[u8]) -> Head {
    let mut head = (MY_SERVER.parse_request)(bytes);
    if let Head::Complete { request, .. } = &mut head {
        request.headers.iter_mut().for_each(|(name, _)| name.make_ascii_lowercase());
    }
    head
}

pub fn query_cut(bytes: &[u8]) -> Head {
    change_head(bytes, |head| head.replace("?Room=7", ""))
}

pub fn words_not_counted(bytes: &[u8]) -> Head {
    change_head(bytes, |head| {
        let (first, rest) = head.split_once("\r\n").unwrap_or((head, ""));
        format!("{}\r\n{rest}", first.split(' ').take(3).collect::<Vec<_>>().join(" "))
    })
}

pub fn method_in_any_case(bytes: &[u8]) -> Head {
    change_head(bytes, |head| head.replace("get /", "GET /"))
}

pub fn blank_line_as_a_header(bytes: &[u8]) -> Head {
    match (MY_SERVER.parse_request)(bytes) {
        Head::Complete { .. } => Head::Refused(400),
        head => head,
    }
}

/// `str::lines` does this.
pub fn lines_of_both_kinds(bytes: &[u8]) -> Head {
    change_head(bytes, |head| head.lines().collect::<Vec<_>>().join("\r\n"))
}

pub fn two_bare_newlines(bytes: &[u8]) -> Head {
    let head = (MY_SERVER.parse_request)(bytes);
    match bytes.strip_suffix(b"\n\n") {
        Some(lines) if !matches!(head, Head::Complete { .. }) => {
            (MY_SERVER.parse_request)(&[lines, b"\r\n\r\n"].concat())
        }
        _ => head,
    }
}

pub fn blank_line_not_counted(bytes: &[u8]) -> Head {
    match (MY_SERVER.parse_request)(bytes) {
        Head::Complete { request, length } => Head::Complete { request, length: length - 2 },
        head => head,
    }
}

pub fn frames_read_as_text(bytes: &[u8]) -> Head {
    if std::str::from_utf8(bytes).is_err() { Head::Refused(400) } else { (MY_SERVER.parse_request)(bytes) }
}

pub fn end_at_the_end(bytes: &[u8]) -> Head {
    if bytes.ends_with(b"\r\n\r\n") { (MY_SERVER.parse_request)(bytes) } else { Head::Incomplete }
}

pub fn last_blank_line(bytes: &[u8]) -> Head {
    let last = bytes.windows(4).rposition(|window| window == b"\r\n\r\n");
    match ((MY_SERVER.parse_request)(bytes), last) {
        (Head::Complete { request, .. }, Some(at)) => Head::Complete { request, length: at + 4 },
        (head, _) => head,
    }
}

fn has_host(head: &str, host: &str) -> bool {
    head.contains(&format!("\r\n{host}:"))
}

pub fn limit_first(bytes: &[u8]) -> Head {
    if bytes.len() > 8192 { Head::Refused(431) } else { (MY_SERVER.parse_request)(bytes) }
}

pub fn host_not_asked(bytes: &[u8]) -> Head {
    change_head(bytes, |head| if has_host(head, "Host") { head.to_owned() } else { format!("{head}\r\nHost: x") })
}

pub fn host_with_case(bytes: &[u8]) -> Head {
    change_head(bytes, |head| if has_host(head, "Host") { head.to_owned() } else { String::new() })
}

pub fn counted_in_repaired_text(bytes: &[u8]) -> Head {
    let text = String::from_utf8_lossy(bytes);
    match ((MY_SERVER.parse_request)(bytes), text.find("\r\n\r\n")) {
        (Head::Complete { request, .. }, Some(at)) => Head::Complete { request, length: at + 4 },
        (head, _) => head,
    }
}

pub fn long_head(bytes: &[u8]) -> Head {
    match (MY_SERVER.parse_request)(bytes) {
        Head::Refused(431) if bytes.ends_with(b"\r\n\r\n") => {
            Head::Complete { request: Request { path: "/".to_owned(), headers: Vec::new() }, length: bytes.len() }
        }
        head => head,
    }
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    let mut pairs = request.headers.iter();
    pairs.find(|(n, _)| n.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
}

pub fn connection_compared_whole(request: &Request) -> Result<String, u16> {
    if !header(request, "Connection").eq_ignore_ascii_case("Upgrade") {
        return Err(400);
    }
    (MY_SERVER.answer)(request)
}

pub fn upgrade_compared_whole(request: &Request) -> Result<String, u16> {
    if !header(request, "Upgrade").eq_ignore_ascii_case("websocket") {
        return Err(426);
    }
    (MY_SERVER.answer)(request)
}

pub fn elements_not_trimmed(request: &Request) -> Result<String, u16> {
    if !header(request, "Connection").split(',').any(|element| element.eq_ignore_ascii_case("Upgrade")) {
        return Err(400);
    }
    (MY_SERVER.answer)(request)
}

/// Checks only one element of the list.
pub fn one_element(request: &Request, choose: fn(&str) -> Option<&str>) -> Result<String, u16> {
    if !choose(header(request, "Connection")).is_some_and(|element| element.trim().eq_ignore_ascii_case("Upgrade")) {
        return Err(400);
    }
    (MY_SERVER.answer)(request)
}

pub fn comma_and_space(request: &Request) -> Result<String, u16> {
    if !header(request, "Connection").split(", ").any(|element| element.trim().eq_ignore_ascii_case("Upgrade")) {
        return Err(400);
    }
    (MY_SERVER.answer)(request)
}

/// Accepts a value that only contains the right one.
pub fn a_part_is_enough(request: &Request, header: &str, right: &str) -> Result<String, u16> {
    let mut request = request.clone();
    for (name, value) in &mut request.headers {
        if name == header && value.contains(right) {
            *value = right.to_owned();
        }
    }
    (MY_SERVER.answer)(&request)
}

pub fn part_of_the_version(request: &Request) -> Result<String, u16> {
    a_part_is_enough(request, "Sec-WebSocket-Version", "13")
}

pub fn first_header_only(request: &Request) -> Result<String, u16> {
    let mut first = Request { headers: Vec::new(), ..request.clone() };
    for (name, value) in &request.headers {
        if !first.headers.iter().any(|(known, _)| known == name) {
            first.headers.push((name.clone(), value.clone()));
        }
    }
    (MY_SERVER.answer)(&first)
}

/// A map does this if each header is put into it.
pub fn last_header_only(request: &Request) -> Result<String, u16> {
    let mut turned = request.clone();
    turned.headers.reverse();
    first_header_only(&turned)
}

pub fn names_with_case(request: &Request) -> Result<String, u16> {
    if !request.headers.iter().any(|(name, _)| name == "Upgrade") {
        return Err(426);
    }
    (MY_SERVER.answer)(request)
}

pub fn tokens_with_case(request: &Request) -> Result<String, u16> {
    if header(request, "Upgrade") == "WebSocket" {
        return Err(426);
    }
    (MY_SERVER.answer)(request)
}

pub fn half_a_token(request: &Request) -> Result<String, u16> {
    a_part_is_enough(request, "Connection", "Upgrade")
}

pub fn half_of_websocket(request: &Request) -> Result<String, u16> {
    a_part_is_enough(request, "Upgrade", "websocket")
}

/// Accepts each key for which `is_good` returns true.
pub fn any_key_that(request: &Request, is_good: fn(&str) -> bool) -> Result<String, u16> {
    let mut request = request.clone();
    let key = header(&request, "Sec-WebSocket-Key").to_owned();
    for (name, value) in &mut request.headers {
        if name == "Sec-WebSocket-Key" && is_good(&key) {
            *value = "dGhlIHNhbXBsZSBub25jZQ==".to_owned();
        }
    }
    (MY_SERVER.answer)(&request)
}

pub fn subprotocol_promised(request: &Request) -> Result<String, u16> {
    let offered = header(request, "Sec-WebSocket-Protocol");
    let reply = (MY_SERVER.answer)(request)?;
    if offered.is_empty() {
        return Ok(reply);
    }
    Ok(reply.replace("Connection:", &format!("Sec-WebSocket-Protocol: {offered}\r\nConnection:")))
}

pub fn indented(request: &Request) -> Result<String, u16> {
    (MY_SERVER.answer)(request).map(|reply| reply.replace("\r\nUp", "\r\n        Up"))
}

pub fn extension_promised(request: &Request) -> Result<String, u16> {
    let extension = header(request, "Sec-WebSocket-Extensions");
    let reply = (MY_SERVER.answer)(request)?;
    if extension.is_empty() {
        return Ok(reply);
    }
    Ok(reply.replace("Connection:", &format!("Sec-WebSocket-Extensions: {extension}\r\nConnection:")))
}

/// Parses the bytes received so far, and answers the request.
fn reply(stream: &mut TcpStream, bytes: &[u8]) -> Shaken {
    match (MY_SERVER.parse_request)(bytes) {
        Head::Complete { request, length } => match (MY_SERVER.answer)(&request) {
            Ok(reply) => {
                stream.write_all(reply.as_bytes())?;
                Ok(Some((request, bytes[length..].to_vec())))
            }
            Err(status) => write!(stream, "HTTP/1.1 {status} No\r\n\r\n").map(|()| None),
        },
        Head::Refused(status) => write!(stream, "HTTP/1.1 {status} No\r\n\r\n").map(|()| None),
        Head::Incomplete => write!(stream, "HTTP/1.1 400 No\r\n\r\n").map(|()| None),
    }
}

pub fn read_to_the_end(stream: &mut TcpStream) -> Shaken {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    reply(stream, &bytes)
}

pub fn one_read(stream: &mut TcpStream) -> Shaken {
    let mut bytes = [0; 4096];
    let count = stream.read(&mut bytes)?;
    reply(stream, &bytes[..count])
}

pub fn rest_dropped(stream: &mut TcpStream) -> Shaken {
    (MY_SERVER.shake_hands)(stream).map(|shaken| shaken.map(|(request, _)| (request, Vec::new())))
}

pub fn head_in_the_rest(stream: &mut TcpStream) -> Shaken {
    let mut bytes = [0; 4096];
    let count = stream.peek(&mut bytes)?;
    let shaken = (MY_SERVER.shake_hands)(stream)?;
    Ok(shaken.map(|(request, _)| (request, bytes[..count].to_vec())))
}

pub fn whole_array(stream: &mut TcpStream) -> Shaken {
    let shaken = (MY_SERVER.shake_hands)(stream)?;
    Ok(shaken.map(|(request, rest)| (request, [rest, vec![0; 1000]].concat())))
}

pub fn end_ignored(stream: &mut TcpStream) -> Shaken {
    let shaken = (MY_SERVER.shake_hands)(stream);
    stream.set_nonblocking(true)?;
    if matches!(shaken, Ok(None)) && stream.peek(&mut [0]).is_ok_and(|count| count == 0) {
        // This pause is in place of a loop that reads 0 bytes forever.
        thread::sleep(Duration::from_secs(60));
    }
    shaken
}

pub fn no_reply(stream: &mut TcpStream) -> Shaken {
    while stream.read(&mut [0; 4096])? > 0 {}
    Ok(None)
}

/// A handshake whose refusal is written by `refuse`.
fn refuses_with(stream: &mut TcpStream, refuse: fn(&mut TcpStream, u16) -> std::io::Result<()>) -> Shaken {
    let mut bytes = Vec::new();
    loop {
        let status = match (MY_SERVER.parse_request)(&bytes) {
            Head::Complete { request, length } => match (MY_SERVER.answer)(&request) {
                Ok(reply) => {
                    stream.write_all(reply.as_bytes())?;
                    return Ok(Some((request, bytes[length..].to_vec())));
                }
                Err(status) => status,
            },
            Head::Refused(status) => status,
            Head::Incomplete => {
                let mut array = [0; 4096];
                match stream.read(&mut array)? {
                    0 => return Ok(None),
                    count => bytes.extend_from_slice(&array[..count]),
                }
                continue;
            }
        };
        return refuse(stream, status).map(|()| None);
    }
}

pub fn refusal_not_written(stream: &mut TcpStream) -> Shaken {
    refuses_with(stream, |_, _| Ok(()))
}

pub fn refusal_with_bare_newlines(stream: &mut TcpStream) -> Shaken {
    refuses_with(stream, |stream, status| write!(stream, "HTTP/1.1 {status} No\nConnection: close\n\n"))
}

pub fn refusal_with_one_bare_newline(stream: &mut TcpStream) -> Shaken {
    refuses_with(stream, |stream, status| write!(stream, "HTTP/1.1 {status} No\nConnection: close\r\n\r\n"))
}

pub fn refuses_with_400(stream: &mut TcpStream) -> Shaken {
    refuses_with(stream, |stream, _| refuse(stream, 400, ""))
}

pub fn status_200(stream: &mut TcpStream) -> Shaken {
    refuses_with(stream, |stream, _| write!(stream, "400 Bad Request\r\n\r\n"))
}

pub fn refused_and_kept(stream: &mut TcpStream) -> Shaken {
    match (MY_SERVER.shake_hands)(stream)? {
        None => Ok(Some((Request { path: "/".to_owned(), headers: Vec::new() }, Vec::new()))),
        shaken => Ok(shaken),
    }
}

/// Has room for one array, for the whole request.
pub fn one_array(stream: &mut TcpStream) -> Shaken {
    let (mut bytes, mut count) = ([0; 4096], 0);
    loop {
        if let Head::Complete { .. } = (MY_SERVER.parse_request)(&bytes[..count]) {
            return reply(stream, &bytes[..count]);
        }
        match stream.read(&mut bytes[count..])? {
            0 => return reply(stream, &bytes[..count]),
            more => count += more,
        }
    }
}

pub fn refusal_without_blank_line(stream: &mut TcpStream) -> Shaken {
    refuses_with(stream, |stream, status| write!(stream, "HTTP/1.1 {status} No\r\nConnection: close\r\n"))
}

pub fn refusal_without_space(stream: &mut TcpStream) -> Shaken {
    refuses_with(stream, |stream, status| write!(stream, "HTTP/1.1 {status}\r\n\r\n"))
}

/// A refusal with these header lines.
fn refuse(stream: &mut TcpStream, status: u16, lines: &str) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 {status} \r\nContent-Length: 0\r\n{lines}\r\n")
}

pub fn upgrade_not_named(stream: &mut TcpStream) -> Shaken {
    refuses_with(stream, |stream, status| refuse(stream, status, "Connection: close\r\n"))
}

pub fn upgrade_not_in_connection(stream: &mut TcpStream) -> Shaken {
    refuses_with(stream, |stream, status| refuse(stream, status, "Upgrade: websocket\r\nConnection: close\r\n"))
}

pub fn version_not_named(stream: &mut TcpStream) -> Shaken {
    const LINES: &str = "Upgrade: websocket\r\nConnection: close, Upgrade\r\n";
    refuses_with(stream, |stream, status| refuse(stream, status, LINES))
}

pub fn no_allow(stream: &mut TcpStream) -> Shaken {
    const LINES: &str = "Upgrade: websocket\r\nConnection: close, Upgrade\r\nSec-WebSocket-Version: 13\r\n";
    refuses_with(stream, |stream, status| refuse(stream, status, LINES))
}

pub fn bytes_behind_the_reply(stream: &mut TcpStream) -> Shaken {
    let shaken = (MY_SERVER.shake_hands)(stream)?;
    stream.write_all(b"\r\n")?;
    Ok(shaken)
}
