//! Everything that can go wrong, with one variant for each broken rule.
//!
//! `protocol/response.rs` maps a [`HandshakeError`] to an HTTP status, and `protocol/close.rs` a [`ProtocolError`] to a
//! Close code. A handler sees an [`Error`]. [`shown`] escapes what a client wrote, for error texts and for the log.

use std::{error, fmt, io};

/// The most characters of a client's text that a log line, a reply or an explanation shows.
const MOST_SHOWN: usize = 200;

/// Returns a client's text cut after some 200 characters and escaped, so that it begins no line and moves no cursor.
/// The caller adds the quotation marks.
pub(crate) fn shown(text: &str) -> String {
    let start = cut(text);
    let quoted = format!("{start:?}");
    let dots = if start.len() < text.len() { "..." } else { "" };
    format!("{}{dots}", &quoted[1..quoted.len() - 1])
}

/// Returns the start of `text` that takes at most 200 characters once it is escaped.
pub(crate) fn cut(text: &str) -> &str {
    let mut room = MOST_SHOWN;
    let fits = |c: char| {
        let length = c.escape_debug().len();
        let fits = length <= room;
        room = room.saturating_sub(length);
        fits
    };
    let rest = text.trim_start_matches(fits);
    &text[..text.len() - rest.len()]
}

/// The reason why a [`Connection`](crate::Connection) cannot continue. A handler passes it up with `?`.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The connection's socket failed, or ended without a Close frame: then the kind is `UnexpectedEof`, and a browser
    /// reports 1006.
    Io(io::Error),
    /// The client broke a rule, and was sent the Close code for it unless a Close frame had been sent before.
    Protocol(ProtocolError),
    /// A message follows the Close frame, but an application "MUST NOT send any more data frames" (§5.5.1).
    Closed,
    /// The client was disconnected as a slow consumer: it read too slowly, or memory was at its bound and what waits
    /// for it had to go. See [`Config::max_backlog`](crate::Config::max_backlog) and
    /// [`Config::max_memory`](crate::Config::max_memory).
    Evicted,
    /// The client got Close 1013 (try again later), because the clients together reached
    /// [`Config::max_memory`](crate::Config::max_memory).
    MemoryLimit,
    /// The handler's own reason, from [`Error::handler`] or from an [`io::Error`] with `?`. The client gets Close 1011
    /// if it is still connected.
    Handler(Box<dyn error::Error + Send + Sync>),
}

impl Error {
    /// Wraps a handler's own error, or a text.
    ///
    /// ```
    /// use plainsocket::Error;
    /// fn temperature(text: &str) -> Result<f32, Error> {
    ///     text.parse().map_err(Error::handler)
    /// }
    /// assert_eq!(temperature("warm").unwrap_err().to_string(), "handler failed: invalid float literal");
    /// assert_eq!(Error::handler("no sensor").to_string(), "handler failed: no sensor");
    /// ```
    pub fn handler(reason: impl Into<Box<dyn error::Error + Send + Sync>>) -> Error {
        Error::Handler(reason.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io(error) => write!(f, "{error}"),
            Error::Protocol(error) => write!(f, "{error}"),
            Error::Closed => write!(f, "the Close frame has been sent, no message can follow it (§5.5.1)"),
            Error::Evicted => write!(f, "evicted: the client read too slowly, or memory was at its bound"),
            Error::MemoryLimit => write!(f, "clients make the server hold too much"),
            Error::Handler(error) => write!(f, "handler failed: {error}"),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Error::Io(error) => Some(error),
            Error::Protocol(error) => Some(error),
            Error::Handler(error) => Some(&**error),
            Error::Closed | Error::Evicted | Error::MemoryLimit => None,
        }
    }
}

/// Makes an error of another file or socket the handler's own; only the connection's errors are [`Error::Io`].
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        Error::handler(error)
    }
}

/// The reason why a request gets no 101 (§4.2). Its text is the body of the response.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeError {
    /// A CR or an LF on its own: each line ends with both.
    BareLineBreak,
    /// NUL or another control character in the head.
    ControlCharacter,
    /// The first line is not `METHOD TARGET HTTP/1.1`.
    BadRequestLine,
    /// The target is neither a path nor an absolute URI with a host, or holds a fragment (§3) or a user's name.
    BadTarget,
    /// The bytes of a TLS handshake: the client speaks `https` or `wss`.
    Tls,
    /// HTTP below 1.1 for an upgrade (§4.2.1 rule 1), or below 1.0.
    HttpVersionTooLow,
    /// HTTP 2 or above, a major version that we do not support (RFC 9110 §15.6.6).
    HttpVersionUnsupported,
    /// A header line is not `Name: value`.
    BadHeader,
    /// A header line that continues the one before, which RFC 9112 §5.2 made obsolete.
    FoldedHeader,
    /// No `Host` header (§4.2.1 rule 2), and it is not HTTP/1.0.
    HostMissing,
    /// `Host` is neither `host` nor `host:port` (RFC 9112 §3.2), or is empty in an upgrade.
    HostInvalid,
    /// A header that is allowed only once is repeated.
    HeaderRepeated(&'static str),
    /// `Content-Length` (other than 0) or `Transfer-Encoding`: a handshake has no body.
    BodyAnnounced,
    /// `Upgrade: websocket` without the token `Upgrade` in `Connection` (§4.2.1 rule 4).
    ConnectionTokenMissing,
    /// No `Sec-WebSocket-Key` (§4.2.1 rule 5).
    KeyMissing,
    /// `Sec-WebSocket-Key` is not 16 bytes in base64 (§4.2.1 rule 5).
    KeyInvalid,
    /// The request line alone is longer than the limit for a head.
    TargetTooLong,
    /// `Sec-WebSocket-Extensions` is no list of extensions and their parameters (§9.1).
    ExtensionsInvalid,
    /// The head is longer than [`MAX_HEAD`](crate::protocol::request::MAX_HEAD).
    HeadTooLong,
    /// There are more header lines than [`MAX_HEADERS`](crate::protocol::request::MAX_HEADERS).
    TooManyHeaders,
    /// Neither GET nor HEAD.
    MethodNotAllowed,
    /// There is no route and no page at this path.
    NotFound,
    /// A plain GET for a path that only speaks WebSocket.
    UpgradeRequired,
    /// `Sec-WebSocket-Version` is not 13 (§4.4).
    VersionUnsupported,
    /// The page that opened the connection is not the server's own, and its Origin is not allowed (§10.2).
    OriginNotAllowed(String),
    /// As [`OriginNotAllowed`](HandshakeError::OriginNotAllowed), and
    /// [`Config::allow_origin`](crate::Config::allow_origin) with just this Origin would let its pages connect.
    OriginNotListed(String),
    /// The head did not arrive within the handshake timeout.
    Timeout,
    /// Every connection slot is taken, or the system has no thread left.
    TooManyClients,
    /// The clients together reached [`Config::max_memory`](crate::Config::max_memory).
    MemoryLimit,
    /// The server is shutting down.
    ShuttingDown,
    /// The program's own code for this path panicked: `admit` of
    /// [`Server::route_with`](crate::Server::route_with), or the body of [`Server::text`](crate::Server::text).
    Panicked,
    /// Every connection slot for this IP address is taken.
    TooManyFromThisAddress,
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use HandshakeError::*;
        f.write_str(match self {
            BareLineBreak => "each line of the head must end with CR LF, both of them",
            ControlCharacter => "a control character in the head",
            BadRequestLine => "the first line must read: GET /path HTTP/1.1",
            BadTarget => {
                "the request target must be a path (or http://host:port/path), without a user's name or a fragment"
            }
            Tls => "this looks like TLS, and plain HTTP is spoken here: use http:// or ws://, or a proxy that does TLS",
            HttpVersionTooLow => "HTTP/1.1 is needed",
            HttpVersionUnsupported => "only HTTP/1.1 is spoken here",
            BadHeader => "a header line must read: Name: value",
            FoldedHeader => "a header line must not begin with a space or tab",
            HostMissing => "the Host header is missing",
            HostInvalid => "the Host header must read: host or host:port, for example [::1]:8000",
            HeaderRepeated(name) => return write!(f, "the {name} header came more than once"),
            BodyAnnounced => "this server takes no request body",
            ConnectionTokenMissing => "Upgrade: websocket needs Connection: Upgrade beside it",
            KeyMissing => "the Sec-WebSocket-Key header is missing",
            KeyInvalid => "Sec-WebSocket-Key must be 16 bytes in base64",
            ExtensionsInvalid => "Sec-WebSocket-Extensions must read: name; parameter=value, name, ...",
            TargetTooLong => "the request target is too long: the whole head can have 8192 bytes",
            HeadTooLong => "the request head is over 8192 bytes",
            TooManyHeaders => "the request has over 100 headers",
            MethodNotAllowed => "only GET and HEAD are answered here",
            NotFound => "nothing lives at this path",
            UpgradeRequired => "this path speaks WebSocket: connect with a WebSocket client",
            VersionUnsupported => "only Sec-WebSocket-Version 13 is spoken here",
            OriginNotAllowed(origin) => {
                let shown = shown(origin);
                return write!(f, "the server allows only its own Origin and those that it was given, not \"{shown}\"");
            }
            OriginNotListed(origin) => {
                return write!(f, "pages of another Origin need the flag --allow-origin \"{}\"", shown(origin));
            }
            Timeout => "the request took too long to arrive",
            TooManyClients => "the server is full",
            MemoryLimit => "the server holds too much for its clients; try again later",
            ShuttingDown => "the server is shutting down",
            Panicked => "the program's own code for this path panicked",
            TooManyFromThisAddress => "too many connections from this IP address",
        })
    }
}

impl error::Error for HandshakeError {}

/// An Origin that would never match, because browsers send theirs in one form only (RFC 6454 §6.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginError {
    /// The form of browsers, if it is clear.
    pub(crate) right: Option<String>,
}

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.right {
            Some(any) if any == "any" => write!(f, "any is the word that stands for every Origin"),
            Some(right) => write!(f, "browsers write this Origin as {right}"),
            None => write!(f, "an Origin reads https://host, http://host:port or null, and any stands for all of them"),
        }
    }
}

impl error::Error for OriginError {}

/// A rule of §5 to §8, or the limit of §10.4, that the client broke. The server fails the connection (§7.1.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// RSV1, RSV2 or RSV3 is set and no extension was negotiated (§5.2).
    ReservedBit,
    /// Opcode 3-7 or 0xB-0xF (§5.2).
    ReservedOpcode(u8),
    /// A client's frame without a mask (§5.1).
    Unmasked,
    /// A length written in more bytes than it needs (§5.2).
    LengthNotMinimal,
    /// A 64-bit length with its top bit set (§5.2).
    LengthTopBit,
    /// A Close, Ping or Pong without FIN (§5.5).
    FragmentedControl,
    /// A Close, Ping or Pong of over 125 bytes (§5.5).
    ControlTooLong,
    /// A continuation frame without an unfinished message (§5.4).
    NothingToContinue,
    /// A text or binary frame inside another message (§5.4).
    MessageInsideMessage,
    /// A Close payload of one byte: a code takes two (§5.5.1).
    CloseCodeCut,
    /// A Close code that must not be sent (§7.4).
    CloseCodeForbidden(u16),
    /// A text message or a Close reason that is not UTF-8 (§8.1).
    InvalidUtf8,
    /// A compressed message is no DEFLATE, or cut (RFC 7692 §7.2.2).
    InvalidDeflate,
    /// A message over the limit of this many bytes (§10.4).
    MessageTooBig(usize),
}

impl ProtocolError {
    /// Returns the section of RFC 6455 with the rule, for example `"5.2"`.
    pub fn section(&self) -> &'static str {
        use ProtocolError::*;
        match self {
            Unmasked => "5.1",
            ReservedBit | ReservedOpcode(_) | LengthNotMinimal | LengthTopBit => "5.2",
            NothingToContinue | MessageInsideMessage => "5.4",
            FragmentedControl | ControlTooLong => "5.5",
            CloseCodeCut => "5.5.1",
            CloseCodeForbidden(_) => "7.4",
            InvalidUtf8 => "8.1",
            InvalidDeflate => "7.2.2 of RFC 7692",
            MessageTooBig(_) => "10.4",
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ProtocolError::*;
        match self {
            ReservedBit => write!(f, "RSV bit set without an extension"),
            ReservedOpcode(opcode) => write!(f, "reserved opcode 0x{opcode:X}"),
            Unmasked => write!(f, "frame not masked"),
            LengthNotMinimal => write!(f, "payload length not in its shortest form"),
            LengthTopBit => write!(f, "payload length with its top bit set"),
            FragmentedControl => write!(f, "control frame fragmented"),
            ControlTooLong => write!(f, "control frame over 125 bytes"),
            NothingToContinue => write!(f, "continuation of nothing"),
            MessageInsideMessage => write!(f, "new message inside another"),
            CloseCodeCut => write!(f, "Close payload of one byte"),
            CloseCodeForbidden(code) => write!(f, "Close code {code} must not be sent"),
            InvalidUtf8 => write!(f, "invalid UTF-8"),
            InvalidDeflate => write!(f, "invalid compressed data"),
            MessageTooBig(limit) => write!(f, "message over {limit} bytes"),
        }?;
        write!(f, " (§{})", self.section())
    }
}

impl error::Error for ProtocolError {}
