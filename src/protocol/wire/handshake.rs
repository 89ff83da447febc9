//! The opening handshake explained line by line (§4).

use super::extensions::{self, Side};
use super::hex::hex_joined;
use crate::error::{cut, shown};
use crate::protocol::request::{Method, Request};
use crate::protocol::response::Response;
use crate::protocol::upgrade::{GUID, accept_digest, accept_key};
use std::fmt;

/// A request and the response to it, explained.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Handshake {
    /// The lines of the request.
    pub request: Vec<Line>,
    /// The lines of the response.
    pub response: Vec<Line>,
    /// The value of `Sec-WebSocket-Key`, or nothing.
    pub key: String,
    /// The SHA-1 of the key and the GUID.
    pub sha1: [u8; 20],
}

/// A line of a head. [`Display`](fmt::Display) writes it escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line {
    /// The line as it was parsed, without its end, and cut if it is long. Most headers have their name only.
    ///
    /// The text is as the client sent it: escape it before you show it.
    pub line: String,
    /// The purpose of the line.
    pub about: &'static str,
    /// The section of RFC 6455 about it, or of another: `"7 of RFC 7692"`.
    pub section: &'static str,
    /// The words of the line that need an explanation each: the extensions and their parameters.
    pub parts: Vec<Line>,
}

impl Line {
    fn new(line: String, about: &'static str, section: &'static str) -> Line {
        Line { line, about, section, parts: Vec::new() }
    }

    fn explain_parts(&mut self, list: &str, side: Side) {
        let words = extensions::explain(list, side).into_iter();
        self.parts = words.map(|(word, about, section)| Line::new(word, about, section)).collect();
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.line))
    }
}

impl Handshake {
    /// Explains a request and the response to it.
    pub fn new(request: &Request, response: &Response) -> Handshake {
        let key = request.header("Sec-WebSocket-Key").unwrap_or_default().to_owned();
        let sha1 = accept_digest(&key);
        let is_agreed = response.header_value(extensions::NAME).is_some();
        Handshake { request: request_lines(request, is_agreed), response: response_lines(response), key, sha1 }
    }

    /// Returns the text that is appended to the key.
    pub fn guid(&self) -> &'static str {
        GUID
    }

    /// Returns the text that is hashed: the key and the GUID.
    pub fn joined(&self) -> String {
        format!("{}{GUID}", self.key)
    }

    /// Returns the SHA-1 in hexadecimal digits.
    pub fn sha1_hex(&self) -> String {
        hex_joined(&self.sha1)
    }

    /// Returns the SHA-1 in base64: the value of `Sec-WebSocket-Accept`.
    pub fn base64(&self) -> String {
        accept_key(&self.key)
    }
}

/// The headers whose values are shown. Any other value might prove who the client is, and too many people can read a
/// log or what `/inspect` says. The query and the subprotocols can hold a token too, because browsers set no headers.
const HARMLESS: [&str; 19] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "connection",
    "content-length",
    "host",
    "origin",
    "pragma",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-version",
    "upgrade",
    "user-agent",
    "x-forwarded-for",
    "x-forwarded-proto",
];

/// `is_agreed`: the response agrees to an extension.
fn request_lines(request: &Request, is_agreed: bool) -> Vec<Line> {
    let method = if request.method == Method::Get { "GET" } else { "HEAD" };
    let query = if request.path() == request.resource_name { "" } else { "?(not shown)" };
    let line = as_shown(format!("{method} {}{query} HTTP/1.1", request.path()));
    let mut lines = vec![Line::new(line, "asks for what lives at this resource name", "4.1")];
    for (name, value) in &request.headers {
        let lower_case = name.to_ascii_lowercase();
        let (about, section) = match &lower_case[..] {
            "host" => ("the name by which the client knows the server", "4.1"),
            "upgrade" => ("asks to leave HTTP and go on with WebSocket", "4.1"),
            "connection" => ("names Upgrade: no proxy is to pass that on", "4.1"),
            "sec-websocket-key" => ("16 random bytes; the reply must prove that they were read", "4.1"),
            "sec-websocket-version" => ("13 is the version that RFC 6455 describes", "4.1"),
            "sec-websocket-protocol" => {
                ("the subprotocols that the client can speak; some clients put a token here", "4.1")
            }
            extensions::NAME => (extensions::about_offer(is_agreed), "9.1"),
            "origin" => ("the site whose page opens the connection; browsers send it", "10.2"),
            "cookie" => ("what the site has left in the browser", "4.1"),
            "authorization" => ("who the client is", "10.5"),
            name if HARMLESS.contains(&name) => ("any header of HTTP can come along; WebSocket needs none", "4.1"),
            _ => ("a header that WebSocket does not need; its value could prove who the client is", "4.1"),
        };
        let value = if HARMLESS.contains(&&lower_case[..]) { value } else { "(not shown)" };
        let mut line = Line::new(as_shown(format!("{name}: {value}")), about, section);
        if lower_case == extensions::NAME {
            line.explain_parts(value, Side::Offer);
        }
        lines.push(line);
    }
    lines
}

/// Cuts a client's line where [`shown`] would cut it.
fn as_shown(line: String) -> String {
    let start = cut(&line);
    if start.len() == line.len() { line } else { format!("{start}...") }
}

/// The headers of the 101 that the server writes itself. Any other is the application's, and can hold a secret.
const SHOWN_IN_RESPONSE: [&str; 6] =
    ["connection", "date", "sec-websocket-accept", extensions::NAME, "sec-websocket-protocol", "upgrade"];

fn response_lines(response: &Response) -> Vec<Line> {
    let (status, words) = response.status;
    let about = if status == 101 { "what follows the blank line are frames" } else { "no upgrade: it stays HTTP" };
    let mut lines = vec![Line::new(format!("HTTP/1.1 {status} {words}"), about, "4.2.2")];
    for (name, value) in &response.headers {
        let lower_case = name.to_ascii_lowercase();
        let about = match &lower_case[..] {
            "upgrade" => "goes on with WebSocket",
            "connection" => "names Upgrade: no proxy is to pass that on",
            "sec-websocket-accept" => "made from the key: proves that it was read",
            "sec-websocket-protocol" => "the subprotocol that the server selected",
            extensions::NAME => "the extension that both sides use from here on, as agreed",
            "date" => "when the reply was made",
            "set-cookie" => "what the browser keeps, and sends with its next requests",
            _ => "a header that the application has added; its value could prove who the client is",
        };
        let value = if SHOWN_IN_RESPONSE.contains(&&lower_case[..]) { value } else { "(not shown)" };
        let mut line = Line::new(as_shown(format!("{name}: {value}")), about, "4.2.2");
        if lower_case == extensions::NAME {
            line.explain_parts(value, Side::Agreement);
        }
        lines.push(line);
    }
    lines
}
