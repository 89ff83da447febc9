//! Responses: the 101 of an upgrade, the page, and an HTTP status for each [`HandshakeError`].

use super::date::http_date;
use super::request::Method;
use crate::error::HandshakeError;

/// The response to a [`Request`](super::request::Request), or to bytes that should have been one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status line's number, and its words for people.
    pub status: (u16, &'static str),
    /// The headers, without `Content-Length`.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty with 101.
    pub body: String,
}

impl Response {
    pub(super) fn new(status: (u16, &'static str), body: String) -> Response {
        Response { status, headers: Vec::new(), body }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Response {
        self.headers.push((name, value.into()));
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

    /// Returns the value of a header, by its name with its case.
    pub fn header_value(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str())
    }

    /// Returns a 200 with an HTML page that contains its own scripts and styles.
    ///
    /// A browser lets the page talk to this server only.
    pub fn page(html: impl Into<String>) -> Response {
        Response::new((200, "OK"), html.into())
            .header("Content-Type", "text/html; charset=utf-8")
            .header("Content-Security-Policy", PAGE_POLICY)
            .header("Cache-Control", "no-store")
            .header("X-Content-Type-Options", "nosniff")
            .header("Connection", "close")
    }

    /// Returns the bytes for the wire; for HEAD without the body, but with its `Content-Length`.
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

/// What a page is allowed to do (CSP Level 3): run the scripts inside it, and talk to its own server, `ws:` included.
/// Hashes of the scripts would change with every edit. A page that shows received data as text nodes only, never as HTML,
/// runs no other scripts.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; \
                           connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

impl From<&HandshakeError> for Response {
    /// Maps a failed handshake to its HTTP status. No other place does.
    fn from(error: &HandshakeError) -> Response {
        use HandshakeError::*;
        let status = match error {
            OriginNotAllowed(_) | OriginNotListed(_) => (403, "Forbidden"),
            NotFound => (404, "Not Found"),
            MethodNotAllowed => (405, "Method Not Allowed"),
            Timeout => (408, "Request Timeout"),
            TargetTooLong => (414, "URI Too Long"),
            UpgradeRequired | VersionUnsupported => (426, "Upgrade Required"),
            TooManyFromThisAddress => (429, "Too Many Requests"),
            HeadTooLong | TooManyHeaders => (431, "Request Header Fields Too Large"),
            TooManyClients | MemoryLimit | ShuttingDown => (503, "Service Unavailable"),
            HttpVersionUnsupported => (505, "HTTP Version Not Supported"),
            _ => (400, "Bad Request"),
        };
        let response = Response::new(status, format!("{error}\n"))
            .header("Content-Type", "text/plain; charset=utf-8")
            .header("X-Content-Type-Options", "nosniff");
        match status.0 {
            405 => response.header("Allow", "GET, HEAD").header("Connection", "close"),
            // §4.4: the response to another version names the one supported here. `Upgrade` must be named in
            // `Connection` (RFC 9110 §7.8).
            426 => response
                .header("Upgrade", "websocket")
                .header("Sec-WebSocket-Version", "13")
                .header("Connection", "close, Upgrade"),
            _ => response.header("Connection", "close"),
        }
    }
}
