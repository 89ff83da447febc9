//! Responses: the 101 of an upgrade, the page, and an HTTP status for each [`HandshakeError`].

use super::admission::{Header, Refusal};
use super::date::http_date;
use super::deflate::Agreement;
use super::request::Method;
use crate::error::HandshakeError;
use std::borrow::Cow;

/// The response to a [`Request`](super::request::Request), or to bytes that should have been one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status line's number, and its words for people.
    pub status: (u16, &'static str),
    /// The headers, without `Content-Length`.
    pub headers: Vec<(Cow<'static, str>, String)>,
    /// The body; empty with 101.
    pub body: String,
}

impl Response {
    pub(super) fn new(status: u16, body: String) -> Response {
        Response { status: (status, words(status)), headers: Vec::new(), body }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Response {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a header that the program has not set.
    fn default_header(self, name: &'static str, value: &str) -> Response {
        if self.header_value(name).is_some() { self } else { self.header(name, value) }
    }

    /// Adds headers of the program's.
    pub(crate) fn with_headers(mut self, headers: Vec<Header>) -> Response {
        self.headers.extend(headers);
        self
    }

    /// Adds `Date` (RFC 9110 §6.6.1): when the response was made, in seconds since the beginning of 1970.
    pub fn with_date(self, seconds: u64) -> Response {
        self.header("Date", http_date(seconds))
    }

    /// Names the subprotocol that was selected, a token of HTTP (§4.2.2 rule 5.5).
    pub fn with_subprotocol(self, name: &str) -> Response {
        self.header("Sec-WebSocket-Protocol", name)
    }

    /// Names the extension that was agreed on, with its parameters (§9.1).
    pub(crate) fn with_extension(self, agreement: Agreement) -> Response {
        self.header("Sec-WebSocket-Extensions", agreement.to_string())
    }

    /// Returns the value of the first header of this name, ignoring case.
    pub fn header_value(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Returns a 200 with an HTML page that contains its own scripts and styles.
    ///
    /// A browser lets the page talk to this server only.
    pub fn page(html: impl Into<String>) -> Response {
        Response::text("text/html; charset=utf-8", html.into()).header("Content-Security-Policy", PAGE_POLICY)
    }

    /// Returns a 200 with a text of this type, made for one request.
    pub(crate) fn text(content_type: &str, body: String) -> Response {
        Response::new(200, body)
            .header("Content-Type", content_type)
            .header("Cache-Control", "no-store")
            .header("X-Content-Type-Options", "nosniff")
            .header("Connection", "close")
    }

    /// Returns a reply that is no upgrade, and says in its body why. `headers` are the program's.
    fn refusal(status: u16, headers: Vec<Header>, body: String) -> Response {
        let response = Response::new(status, body)
            .with_headers(headers)
            .default_header("Content-Type", "text/plain; charset=utf-8")
            .default_header("X-Content-Type-Options", "nosniff");
        match status {
            405 => response.default_header("Allow", "GET, HEAD").header("Connection", "close"),
            // §4.4: the response to another version names the one supported here. `Upgrade` must be named in
            // `Connection` (RFC 9110 §7.8).
            426 => response
                .header("Upgrade", "websocket")
                .header("Sec-WebSocket-Version", "13")
                .header("Connection", "close, Upgrade"),
            _ => response.header("Connection", "close"),
        }
    }

    /// Returns the bytes for the wire; for HEAD without the body, but with its `Content-Length`.
    pub fn encode(&self, method: Method) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status.0, self.status.1);
        for (name, value) in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        // Neither has a body (RFC 9110 §15.4.5).
        let has_body = !matches!(self.status.0, 101 | 304);
        if has_body {
            head += &format!("Content-Length: {}\r\n", self.body.len());
        }
        head += "\r\n";
        if has_body && method == Method::Get {
            head += &self.body;
        }
        head.into_bytes()
    }
}

/// The rights of a page (CSP Level 3): to run the scripts inside it, and to talk to its own server, `ws:` included.
/// Hashes of the scripts would change with every edit. A page that shows received data as text nodes only, never as
/// HTML, runs no other scripts.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; \
                           connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

impl From<&HandshakeError> for Response {
    /// Maps a failed handshake to its HTTP status. No other place does.
    fn from(error: &HandshakeError) -> Response {
        use HandshakeError::*;
        let status = match error {
            OriginNotAllowed(_) | OriginNotListed(_) => 403,
            NotFound => 404,
            MethodNotAllowed => 405,
            Timeout => 408,
            TargetTooLong => 414,
            UpgradeRequired | VersionUnsupported => 426,
            TooManyFromThisAddress => 429,
            HeadTooLong | TooManyHeaders => 431,
            Panicked => 500,
            TooManyClients | MemoryLimit | ShuttingDown => 503,
            HttpVersionUnsupported => 505,
            _ => 400,
        };
        Response::refusal(status, Vec::new(), format!("{error}\n"))
    }
}

impl From<Refusal> for Response {
    fn from(Refusal { status, text, headers }: Refusal) -> Response {
        Response::refusal(status, headers, text)
    }
}

/// Returns the words beside a status, which are for people only (RFC 9112 §4). Rare ones get those of their class.
fn words(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        414 => "URI Too Long",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        rare if rare < 400 => "Redirection",
        rare if rare < 500 => "Client Error",
        _ => "Server Error",
    }
}
