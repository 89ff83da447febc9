//! The opening handshake (§4.2): bytes to a [`Request`], a [`Request`] to a [`Response`].

use super::date::http_date;
use super::grammar::{is_extension_list, is_token};
use super::origin;
use crate::error::HandshakeError;
use base64::Engine as _;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD};

/// The longest head in bytes, from the first line to the blank one. One more is 431.
pub const MAX_HEAD: usize = 8 * 1024;

/// The most header lines. One more is 431.
pub const MAX_HEADERS: usize = 100;

/// What HTTP calls a GET or a HEAD; every other method is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Asks for what lives at the path.
    Get,
    /// Asks for the head of what GET would bring, without the body.
    Head,
}

/// A request's head, well-formed; whether it asks for an upgrade is still open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The resource name (§3): the path, and the query with its `?` if there is one.
    pub resource_name: String,
    /// The headers in the order they came, one char a byte (Latin-1). [`Request::header`] looks one up.
    pub headers: Vec<(String, String)>,
}

impl Request {
    /// Reads the head at the start of `bytes`, and tells how many bytes it took: those behind it are frames
    /// already. `None`: more bytes are needed, and never more than [`MAX_HEAD`] in all. An error is whatever is
    /// wrong with the head as HTTP, or as an upgrade's HTTP; a bare line break or a control character is told before the
    /// rest has come.
    ///
    /// ```
    /// use plainsocket::protocol::handshake::Request;
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
        // One char a byte: HTTP takes bytes over 0x7F as opaque, and no rule of ours looks at them.
        let head: String = bytes[start..end - 4].iter().map(|&byte| byte as char).collect();
        let mut lines = head.split("\r\n");
        let (method, resource_name, version) = parse_request_line(lines.next().unwrap_or_default())?;
        let headers = lines.map(parse_header).collect::<Result<Vec<_>, _>>()?;
        let request = Request { method, resource_name, headers };
        request.check_http(version)?;
        Ok(Some((request, end)))
    }

    /// What may stand only once, and what HTTP wants of any request, or of an upgrade.
    fn check_http(&self, version: Version) -> Result<(), HandshakeError> {
        for name in ["Host", "Origin", "Sec-WebSocket-Key", "Sec-WebSocket-Version"] {
            if self.headers(name).count() > 1 {
                return Err(HandshakeError::HeaderRepeated(name));
            }
        }
        // §4.2.1 rules 1 and 2. A plain request may be simpler, as the checks of load balancers are.
        let is_upgrade = self.wants_websocket();
        match self.header("Host") {
            _ if is_upgrade && version < HTTP_1_1 => return Err(HandshakeError::HttpVersionTooLow),
            None if version >= HTTP_1_1 => return Err(HandshakeError::HostMissing),
            // RFC 9112 §3.2: without an authority, a client sends an empty `Host`.
            Some("") if is_upgrade => return Err(HandshakeError::HostInvalid),
            Some(host) if !host.is_empty() && !is_authority(host) => return Err(HandshakeError::HostInvalid),
            _ => {}
        }
        // A body that nobody reads would be taken for frames, or for the next request by a proxy in front.
        if self.header("Transfer-Encoding").is_some() || self.headers("Content-Length").any(|length| length != "0") {
            return Err(HandshakeError::BodyAnnounced);
        }
        Ok(())
    }

    /// The resource name without its query.
    pub fn path(&self) -> &str {
        self.resource_name.split('?').next().unwrap_or_default()
    }

    /// The value of the first header of this name, ignoring case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).next()
    }

    /// The values of all headers of this name, ignoring case.
    fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The elements of a header that is a comma-separated list, which may go on over several lines.
    fn list(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers(name)
            .flat_map(|value| value.split(','))
            .map(|element| element.trim_matches([' ', '\t']))
            .filter(|element| !element.is_empty())
    }

    fn has_token(&self, name: &str, token: &str) -> bool {
        self.list(name).any(|element| element.eq_ignore_ascii_case(token))
    }

    /// The first of `ours` that the client offers in `Sec-WebSocket-Protocol` (§4.2.2 rule 5.5), which may go on over
    /// several lines. Names are compared with their case. What is no token in the client's list is passed over.
    ///
    /// ```
    /// use plainsocket::protocol::handshake::Request;
    /// let bytes = b"GET / HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Protocol: chat.v1, chat.v2\r\n\r\n";
    /// let (request, _) = Request::parse(bytes).unwrap().unwrap();
    /// let ours = ["chat.v2".to_owned(), "chat.v1".to_owned()];
    /// assert_eq!(request.select_subprotocol(&ours), Some("chat.v2"));
    /// ```
    pub fn select_subprotocol<'a>(&self, ours: &'a [String]) -> Option<&'a str> {
        let offered = |name: &str| self.list("Sec-WebSocket-Protocol").any(|offer| offer == name);
        ours.iter().map(String::as_str).find(|name| is_token(name) && offered(name))
    }

    /// Whether the client wants to speak WebSocket: a GET with `Upgrade: websocket` (§4.2.1 rules 1 and 3).
    pub fn wants_websocket(&self) -> bool {
        self.method == Method::Get && self.has_token("Upgrade", "websocket")
    }

    /// Checks the rest of §4.2.1 and makes the reply of §4.2.2. An Origin must name the host and port of `Host`, or be
    /// among `allowed_origins` (`any` there: every Origin); a client without an Origin is no browser and always may
    /// connect. The error is a rule that the request breaks.
    ///
    /// No extension is selected: its header is left out, which means just that (§4.2.2). The same goes for the subprotocol,
    /// unless [`Response::with_subprotocol`] adds one.
    pub fn accept(&self, allowed_origins: &[String]) -> Result<Response, HandshakeError> {
        // Browsers send `Connection: keep-alive, Upgrade`: it is a list.
        if !self.has_token("Connection", "Upgrade") {
            return Err(HandshakeError::ConnectionTokenMissing);
        }
        if self.header("Sec-WebSocket-Version") != Some("13") {
            return Err(HandshakeError::VersionUnsupported);
        }
        let key = self.header("Sec-WebSocket-Key").ok_or(HandshakeError::KeyMissing)?;
        if !KEY_BASE64.decode(key).is_ok_and(|bytes| bytes.len() == 16) {
            return Err(HandshakeError::KeyInvalid);
        }
        // §9.1: a value that "does not conform to the ABNF" fails the connection, though no extension is spoken here.
        let extensions = || self.headers("Sec-WebSocket-Extensions");
        if extensions().next().is_some() && !is_extension_list(extensions()) {
            return Err(HandshakeError::ExtensionsInvalid);
        }
        let host = self.header("Host").unwrap_or_default();
        if let Some(origin) = self.header("Origin").filter(|origin| !origin::is_allowed(origin, host, allowed_origins))
        {
            return Err(HandshakeError::OriginNotAllowed(origin.to_owned()));
        }
        Ok(Response::new((101, "Switching Protocols"), String::new())
            .header("Upgrade", "websocket")
            .header("Connection", "Upgrade")
            .header("Sec-WebSocket-Accept", accept_key(key)))
    }
}

/// Clients that draw 22 random characters of base64 leave bits set behind the 16th byte; they are let in.
const KEY_BASE64: GeneralPurpose =
    GeneralPurpose::new(&base64::alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// What a page may do (CSP Level 3): run what stands in it, and talk to the server it came from, `ws:` included. Inline
/// scripts are allowed as such, not by their hashes: those would change with every edit. A page that turns what it is
/// sent into text nodes, never into HTML, has no other scripts in it.
const PAGE_MAY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; \
                        connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The value of `Sec-WebSocket-Accept` for a key (§4.2.2 rule 5.4): it proves that the server read this very
/// request and knows WebSocket. The key is hashed as the text it came as, not as the bytes it stands for.
///
/// ```
/// use plainsocket::protocol::handshake::accept_key;
/// assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
pub fn accept_key(key: &str) -> String {
    STANDARD.encode(accept_digest(key))
}

/// What is hashed behind the key (§1.3): no server that does not know WebSocket would hash just this.
pub(super) const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The step before base64: the 20 bytes themselves, not the 40 characters that they are often shown as.
pub(super) fn accept_digest(key: &str) -> [u8; 20] {
    let mut sha1 = sha1_smol::Sha1::new();
    sha1.update(key.as_bytes());
    sha1.update(GUID.as_bytes());
    sha1.digest().bytes()
}

/// Finds the blank line within `most` bytes, and turns away what no line may hold. It looks at the whole head again with
/// every read, which is cheap because the head is short: 8 KiB in 8,192 reads of one byte cost a tenth of a second.
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
        // The first line has not ended, and it is not the method that is so long (RFC 9112 §3).
        Some(head) if lines == 0 && head.contains(&b' ') => Err(HandshakeError::TargetTooLong),
        Some(_) => Err(HandshakeError::HeadTooLong),
    }
}

/// Major and minor, a digit each.
type Version = (u8, u8);

const HTTP_1_1: Version = (b'1', b'1');

/// `GET /path?query HTTP/1.1`
fn parse_request_line(line: &str) -> Result<(Method, String, Version), HandshakeError> {
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(HandshakeError::BadRequestLine);
    };
    let version = match version.strip_prefix("HTTP/").map(str::as_bytes) {
        Some(&[major @ b'0'..=b'9', b'.', minor @ b'0'..=b'9']) => (major, minor),
        _ => return Err(HandshakeError::BadRequestLine),
    };
    if !is_token(method) {
        return Err(HandshakeError::BadRequestLine);
    }
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
    Ok((method, resource_name(target)?, version))
}

/// Whether a request can have this path: what is left of a resource name (§3) without its query.
pub(crate) fn is_path(text: &str) -> bool {
    text.starts_with('/') && !text.contains(['?', '#']) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The resource name of a request target (§3): a path, or the part of an absolute URI from its path on.
fn resource_name(target: &str) -> Result<String, HandshakeError> {
    // §3: "Fragment identifiers are meaningless in the context of WebSocket URIs and MUST NOT be used".
    if target.contains('#') || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(HandshakeError::BadTarget);
    }
    if target.starts_with('/') {
        return Ok(target.to_owned());
    }
    let absolute = target
        .split_once("://")
        .filter(|(scheme, _)| ["http", "https", "ws", "wss"].iter().any(|known| known.eq_ignore_ascii_case(scheme)));
    let (_, after_scheme) = absolute.ok_or(HandshakeError::BadTarget)?;
    let path = after_scheme.find(['/', '?']).map_or("", |at| &after_scheme[at..]);
    // §3: an empty path is "/".
    Ok(if path.starts_with('/') { path.to_owned() } else { format!("/{path}") })
}

/// `Name: value`
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

/// RFC 3986 §3.2: `host` or `host:port`, by its characters. No comma: some would read two hosts there.
fn is_authority(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=:[]".contains(&byte))
}

/// The reply to a [`Request`], or to what should have been one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status line's number, and its words for people.
    pub status: (u16, &'static str),
    /// The headers, `Content-Length` aside.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty with 101.
    pub body: String,
}

impl Response {
    fn new(status: (u16, &'static str), body: String) -> Response {
        Response { status, headers: Vec::new(), body }
    }

    fn header(mut self, name: &'static str, value: impl Into<String>) -> Response {
        self.headers.push((name, value.into()));
        self
    }

    /// Adds `Date` (RFC 9110 §6.6.1): when the reply was made, in seconds since the beginning of 1970.
    pub fn with_date(self, seconds: u64) -> Response {
        self.header("Date", http_date(seconds))
    }

    /// Names the subprotocol that was selected (§4.2.2 rule 5.5): a token of HTTP.
    pub fn with_subprotocol(self, name: &str) -> Response {
        self.header("Sec-WebSocket-Protocol", name)
    }

    /// The value of a header, by its name with its case.
    pub fn header_value(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str())
    }

    /// A 200 with an HTML page that stands alone, its scripts and styles in it: a browser lets it talk to this server and
    /// to nobody else.
    pub fn page(html: impl Into<String>) -> Response {
        Response::new((200, "OK"), html.into())
            .header("Content-Type", "text/html; charset=utf-8")
            .header("Content-Security-Policy", PAGE_MAY)
            .header("Cache-Control", "no-store")
            .header("X-Content-Type-Options", "nosniff")
            .header("Connection", "close")
    }

    /// The bytes for the wire; for HEAD without the body, its length announced all the same.
    pub fn encode(&self, method: Method) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status.0, self.status.1);
        for (name, value) in &self.headers {
            head.extend([*name, ": ", value, "\r\n"]);
        }
        if self.status.0 != 101 {
            head += &format!("Content-Length: {}\r\n", self.body.len());
        }
        head += "\r\n";
        if method == Method::Get {
            head += &self.body;
        }
        head.into_bytes()
    }
}

impl From<&HandshakeError> for Response {
    /// The one place where a fault of the handshake becomes an HTTP reply.
    fn from(error: &HandshakeError) -> Response {
        use HandshakeError::*;
        let status = match error {
            OriginNotAllowed(_) => (403, "Forbidden"),
            NotFound => (404, "Not Found"),
            MethodNotAllowed => (405, "Method Not Allowed"),
            Timeout => (408, "Request Timeout"),
            UpgradeRequired | VersionUnsupported => (426, "Upgrade Required"),
            TooManyFromThisAddress => (429, "Too Many Requests"),
            TargetTooLong => (414, "URI Too Long"),
            HeadTooLong | TooManyHeaders => (431, "Request Header Fields Too Large"),
            TooManyClients | MemoryLimit | GoingDown => (503, "Service Unavailable"),
            HttpVersionUnsupported => (505, "HTTP Version Not Supported"),
            _ => (400, "Bad Request"),
        };
        let response = Response::new(status, format!("{error}\n"))
            .header("Content-Type", "text/plain; charset=utf-8")
            .header("X-Content-Type-Options", "nosniff");
        match status.0 {
            405 => response.header("Allow", "GET, HEAD").header("Connection", "close"),
            // §4.4: the reply to another version names the one that is spoken here. `Upgrade` wants to be named
            // in `Connection` (RFC 9110 §7.8).
            426 => response
                .header("Upgrade", "websocket")
                .header("Sec-WebSocket-Version", "13")
                .header("Connection", "close, Upgrade"),
            _ => response.header("Connection", "close"),
        }
    }
}
