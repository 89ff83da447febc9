//! Requests: a head, well-formed as HTTP (RFC 9112) and as the opening handshake wants it (§4.2.1).

use super::grammar::{host_and_port, is_token};
use crate::error::HandshakeError;

/// The longest head in bytes, from the request line to the blank line. A longer one gets 431.
pub const MAX_HEAD: usize = 8 * 1024;

/// The most header lines. A request with more gets 431.
pub const MAX_HEADERS: usize = 100;

/// A method of HTTP. Every other one is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Requests the resource at the path.
    Get,
    /// Requests the head of a response to GET, without its body.
    Head,
}

/// A request's head, well-formed, whether it asks for an upgrade or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The resource name (§3): the path, and the query with its `?` if there is one.
    pub resource_name: String,
    /// The headers in their order, one char a byte (Latin-1). [`Request::header`] looks one up. If the target is an
    /// absolute URI, `Host` has its host and port.
    pub headers: Vec<(String, String)>,
}

impl Request {
    /// Parses the head at the start of `bytes`. Returns the request and how many bytes it took; frames follow them.
    ///
    /// `None`: more bytes are needed, and never more than [`MAX_HEAD`] in all. The error is what is wrong with the head
    /// as HTTP, or as an upgrade's HTTP; a bare line break or a control character is reported before the rest arrives.
    ///
    /// ```
    /// use plainsocket::protocol::request::Request;
    /// let bytes = b"GET /chat?room=7 HTTP/1.1\r\nHost: example.com\r\n\r\n\x81";
    /// let (request, used) = Request::parse(bytes).unwrap().unwrap();
    /// assert_eq!((request.path(), used), ("/chat", bytes.len() - 1));
    /// assert_eq!(request.header("HOST"), Some("example.com"));
    /// ```
    pub fn parse(bytes: &[u8]) -> Result<Option<(Request, usize)>, HandshakeError> {
        // RFC 9112 §2.2: a server "SHOULD ignore at least one empty line (CRLF) received prior to the request-line".
        let start = if bytes.starts_with(b"\r\n") { 2 } else { 0 };
        let Some(length) = head_length(&bytes[start..], MAX_HEAD - start)? else { return Ok(None) };
        let end = start + length;
        // Each byte becomes one `char`. HTTP gives bytes over 0x7F no meaning, and no rule of ours looks at them.
        let head: String = bytes[start..end - 4].iter().map(|&byte| byte as char).collect();
        let mut lines = head.split("\r\n");
        let (method, target, version) = parse_request_line(lines.next().unwrap_or_default())?;
        let (authority, resource_name) = split_target(target)?;
        let headers = lines.map(parse_header).collect::<Result<Vec<_>, _>>()?;
        let mut request = Request { method, resource_name, headers };
        request.check_http(version, authority)?;
        // RFC 9112 §3.2.2: a server "MUST ignore the received Host header field" if the target names the host.
        let host = request.headers.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case("Host"));
        if let (Some(authority), Some((_, host))) = (authority, host) {
            *host = authority.to_owned();
        }
        Ok(Some((request, end)))
    }

    /// Checks the headers that are allowed only once, and what HTTP requires of any request or of an upgrade.
    /// `authority` is the target's, if it has one.
    fn check_http(&self, version: Version, authority: Option<&str>) -> Result<(), HandshakeError> {
        for name in ["Host", "Origin", "Sec-WebSocket-Key", "Sec-WebSocket-Version"] {
            if self.headers(name).count() > 1 {
                return Err(HandshakeError::HeaderRepeated(name));
            }
        }
        // §4.2.1 rules 1 and 2. A plain request can be simpler, as those of load balancers' health checks are.
        let is_upgrade = self.wants_websocket();
        match self.header("Host") {
            _ if is_upgrade && version < HTTP_1_1 => return Err(HandshakeError::HttpVersionTooLow),
            None if version >= HTTP_1_1 => return Err(HandshakeError::HostMissing),
            // RFC 9112 §3.2: without an authority, a client sends an empty `Host`.
            Some("") if !is_upgrade || authority.is_some() => {}
            Some(host) if host_and_port(host, 0).is_none() => return Err(HandshakeError::HostInvalid),
            _ => {}
        }
        // A body that nobody reads would be taken for frames, or by a proxy in front for the next request.
        // RFC 9110 §8.6: a length is `1*DIGIT`, so that `00` is no body too.
        let has_body = |length: &str| length.is_empty() || length.bytes().any(|byte| byte != b'0');
        if self.header("Transfer-Encoding").is_some() || self.headers("Content-Length").any(has_body) {
            return Err(HandshakeError::BodyAnnounced);
        }
        Ok(())
    }

    /// Returns the resource name without its query, as it arrived: percent-encoding is kept.
    pub fn path(&self) -> &str {
        self.resource_name.split('?').next().unwrap_or_default()
    }

    /// Returns the value of the first header of this name, ignoring case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).next()
    }

    /// Returns the values of all headers of this name, ignoring case.
    pub(super) fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Returns the elements of a comma-separated list, which can continue over several lines.
    pub(super) fn list(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers(name)
            .flat_map(|value| value.split(','))
            .map(|element| element.trim_matches([' ', '\t']))
            .filter(|element| !element.is_empty())
    }

    pub(super) fn has_token(&self, name: &str, token: &str) -> bool {
        self.list(name).any(|element| element.eq_ignore_ascii_case(token))
    }

    /// Returns whether the client wants to speak WebSocket: a GET with `Upgrade: websocket` (§4.2.1 rules 1 and 3).
    pub fn wants_websocket(&self) -> bool {
        self.method == Method::Get && self.has_token("Upgrade", "websocket")
    }
}

/// Returns the length up to the blank line, within `most` bytes, and rejects bytes that no line is allowed to contain.
// Each read scans the whole head again, which is cheap: 8 KiB in 8,192 reads of one byte cost a tenth of a second.
fn head_length(bytes: &[u8], most: usize) -> Result<Option<usize>, HandshakeError> {
    // RFC 8446 §5.1: TLS begins with a record of type 22 (handshake), whose version begins with 3.
    match bytes {
        [0x16] => return Ok(None),
        [0x16, 0x03, ..] => return Err(HandshakeError::Tls),
        _ => {}
    }
    let mut previous = 0;
    let mut line_start = 0;
    let mut lines = 0;
    for (at, &byte) in bytes.iter().take(most).enumerate() {
        match (previous, byte) {
            (b'\r', b'\n') if at == 1 => return Err(HandshakeError::BadRequestLine),
            (b'\r', b'\n') if at == line_start + 1 => return Ok(Some(at + 1)),
            (b'\r', b'\n') if lines > MAX_HEADERS => return Err(HandshakeError::TooManyHeaders),
            (b'\r', b'\n') => {
                lines += 1;
                line_start = at + 1;
            }
            (b'\r', _) | (_, b'\n') => return Err(HandshakeError::BareLineBreak),
            (_, b'\r' | b'\t') => {}
            (_, byte) if byte.is_ascii_control() => return Err(HandshakeError::ControlCharacter),
            _ => {}
        }
        previous = byte;
    }
    match bytes.get(..most) {
        None => Ok(None),
        // The request line has not ended, and its method has (RFC 9112 §3).
        Some(head) if lines == 0 && head.contains(&b' ') => Err(HandshakeError::TargetTooLong),
        Some(_) => Err(HandshakeError::HeadTooLong),
    }
}

/// The major and the minor version, a digit each.
type Version = (u8, u8);

const HTTP_1_1: Version = (b'1', b'1');

/// Parses `GET /path?query HTTP/1.1`.
fn parse_request_line(line: &str) -> Result<(Method, &str, Version), HandshakeError> {
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(HandshakeError::BadRequestLine);
    };
    let version = match version.strip_prefix("HTTP/").map(str::as_bytes) {
        Some(&[major @ b'0'..=b'9', b'.', minor @ b'0'..=b'9']) if is_token(method) => (major, minor),
        _ => return Err(HandshakeError::BadRequestLine),
    };
    match version.0 {
        b'0' => return Err(HandshakeError::HttpVersionTooLow),
        b'1' => {}
        _ => return Err(HandshakeError::HttpVersionUnsupported),
    }
    let method = match method {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        _ => return Err(HandshakeError::MethodNotAllowed),
    };
    Ok((method, target, version))
}

/// Returns whether a request can have this path: a resource name (§3) without its query.
pub(crate) fn is_path(text: &str) -> bool {
    text.starts_with('/') && !text.contains(['?', '#']) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Splits a request target into its authority, which only an absolute URI has, and its resource name (§3).
fn split_target(target: &str) -> Result<(Option<&str>, String), HandshakeError> {
    // §3: "Fragment identifiers are meaningless in the context of WebSocket URIs and MUST NOT be used".
    if target.contains('#') || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(HandshakeError::BadTarget);
    }
    if target.starts_with('/') {
        return Ok((None, target.to_owned()));
    }
    let absolute = target
        .split_once("://")
        .filter(|(scheme, _)| ["http", "https", "ws", "wss"].iter().any(|known| known.eq_ignore_ascii_case(scheme)));
    let (_, after_scheme) = absolute.ok_or(HandshakeError::BadTarget)?;
    let (authority, path) = after_scheme.split_at(after_scheme.find(['/', '?']).unwrap_or(after_scheme.len()));
    // RFC 9110 §4.2.1: no host is an error, and so is a user's name (§4.2.4), which makes another host look like this
    // one.
    if host_and_port(authority, 0).is_none() {
        return Err(HandshakeError::BadTarget);
    }
    // §3: an empty path is "/".
    let slash = if path.starts_with('/') { "" } else { "/" };
    Ok((Some(authority), format!("{slash}{path}")))
}

/// Parses `Name: value`.
fn parse_header(line: &str) -> Result<(String, String), HandshakeError> {
    if line.starts_with([' ', '\t']) {
        return Err(HandshakeError::FoldedHeader);
    }
    let (name, value) = line.split_once(':').ok_or(HandshakeError::BadHeader)?;
    // "No whitespace is allowed between the field name and colon" (RFC 9112 §5.1): proxies disagree on it.
    if !is_token(name) {
        return Err(HandshakeError::BadHeader);
    }
    Ok((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
}
