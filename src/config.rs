//! The limits and timeouts of a server.

use crate::error::{HandshakeError, OriginError, shown};
use crate::protocol::deflate::Compression;
use crate::protocol::grammar::host_and_port;
use crate::protocol::origin::{ANY, default_port};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// The limits and timeouts of a [`Server`](crate::Server).
///
/// ```
/// use plainsocket::Config;
/// let config = Config { max_message_size: 64 * 1024, ..Config::default() };
/// assert_eq!(config.max_clients, 10_000);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The most connections at a time, including those in their handshake; one more gets 503. Default: 10,000.
    pub max_clients: usize,
    /// The most connections at a time from one IP address; one more gets 429. Default: no limit.
    pub max_clients_per_ip: Option<usize>,
    /// The largest message in bytes, summed over its fragments; a larger one gets Close 1009. Default: 16 MiB.
    pub max_message_size: usize,
    /// The most bytes queued for a client that reads more slowly than others send. If more are queued when the next
    /// message arrives, the client is evicted. Default: 16 MiB.
    pub max_backlog: usize,
    /// The most bytes that all clients together can make the server hold: requests, unfinished messages, queued frames.
    /// A client that needs more gets Close 1013; of several slow clients, the slowest is evicted first. Default: 1 GiB.
    pub max_memory: usize,
    /// The time for the whole opening handshake, from `accept` to the blank line. Default: 10 s.
    pub handshake_timeout: Duration,
    /// The silence after which a client gets a Ping, while its thread waits for it. Default: 20 s.
    pub ping_interval: Duration,
    /// The silence after the Ping until the client is dropped. Also the longest that a byte from others can wait in the
    /// queue of a client, before it is evicted as a slow consumer. Default: 20 s.
    pub pong_timeout: Duration,
    /// The longest wait for the client's Close, and for a refused client to read the reason. Default: 5 s.
    pub close_timeout: Duration,
    /// The Origins whose pages are allowed to connect (§10.2), or `any`. [`Config::allow_origin`] adds one and checks
    /// its form. Default: empty.
    ///
    /// Two kinds of clients need no entry: the server's own pages, whose Origin names the host and port of the
    /// request's `Host`, and clients without an Origin, which are no browsers.
    pub allowed_origins: Vec<String>,
    /// Whether messages are compressed with clients that offer permessage-deflate (RFC 7692). Default: off.
    #[cfg(feature = "deflate")]
    pub compression: Compression,
}

impl Config {
    /// Lets pages of `origin` connect too, for example `https://chat.example` or `http://localhost:3000`.
    ///
    /// `null` is the Origin of local files and sandboxed frames, and `any` stands for all. The error is a form that no
    /// browser sends.
    ///
    /// ```
    /// use plainsocket::Config;
    /// let mut config = Config::default();
    /// config.allow_origin("https://chat.example").unwrap();
    /// let error = config.allow_origin("https://Chat.example:443/").unwrap_err();
    /// assert_eq!(error.to_string(), "browsers write this Origin as https://chat.example");
    /// ```
    pub fn allow_origin(&mut self, origin: &str) -> Result<(), OriginError> {
        check_origin(origin)?;
        self.allowed_origins.push(origin.to_owned());
        Ok(())
    }

    /// Returns whether messages are compressed.
    pub(crate) fn compression(&self) -> Compression {
        #[cfg(feature = "deflate")]
        return self.compression;
        #[cfg(not(feature = "deflate"))]
        Compression::Off
    }

    /// Returns the first Origin that would never match, and the reason.
    pub(crate) fn impossible_origin(&self) -> Option<(&str, OriginError)> {
        self.allowed_origins.iter().find_map(|origin| Some((origin.as_str(), check_origin(origin).err()?)))
    }

    /// Limits each time to between a millisecond and a year: a shorter one leaves no time to answer, and a longer one
    /// overflows the clock.
    pub(crate) fn within_reason(mut self) -> Config {
        let [shortest, longest] = [Duration::from_millis(1), Duration::from_secs(365 * 24 * 3600)];
        let times =
            [&mut self.handshake_timeout, &mut self.ping_interval, &mut self.pong_timeout, &mut self.close_timeout];
        for time in times {
            *time = (*time).clamp(shortest, longest);
        }
        self
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            max_clients: 10_000,
            max_clients_per_ip: None,
            max_message_size: 16 * 1024 * 1024,
            max_backlog: 16 * 1024 * 1024,
            max_memory: 1024 * 1024 * 1024,
            handshake_timeout: Duration::from_secs(10),
            ping_interval: Duration::from_secs(20),
            pong_timeout: Duration::from_secs(20),
            close_timeout: Duration::from_secs(5),
            allowed_origins: Vec::new(),
            #[cfg(feature = "deflate")]
            compression: Compression::Off,
        }
    }
}

/// Rejects an Origin that is not in the form of browsers, because it would never match and nobody would know why.
fn check_origin(text: &str) -> Result<(), OriginError> {
    let right = right_form(text);
    if right.as_deref() == Some(text) { Ok(()) } else { Err(OriginError { right }) }
}

/// Lets the text of an error name the flag for a refused Origin, if the flag takes that Origin as it is and a shell
/// takes it for nothing else: people paste the line.
pub(crate) fn name_flag(fault: HandshakeError) -> HandshakeError {
    let is_inert = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/[]".contains(&byte);
    match fault {
        HandshakeError::OriginNotAllowed(origin)
            if check_origin(&origin).is_ok()
                && origin != ANY
                && shown(&origin) == origin
                && origin.bytes().all(is_inert) =>
        {
            HandshakeError::OriginNotListed(origin)
        }
        other => other,
    }
}

/// Returns the form in which browsers send the Origin that `text` means (RFC 6454 §6.2), if that is clear.
fn right_form(text: &str) -> Option<String> {
    let text = text.trim();
    match text.to_ascii_lowercase().as_str() {
        "null" => return Some("null".to_owned()),
        "*" | ANY => return Some(ANY.to_owned()),
        _ => {}
    }
    let (scheme, rest) = text.split_once("://")?;
    // A path, a query and a user's name belong to a URL and not to its Origin.
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let authority = authority.rsplit('@').next().unwrap_or_default();
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => web("http", authority),
        "https" | "wss" => web("https", authority),
        "file" => Some("file://".to_owned()),
        // The identifier of an extension or an app keeps its case.
        scheme if is_scheme(scheme) && host_and_port(authority, 0).is_some() => {
            Some(format!("{scheme}://{}", authority.trim_end_matches(':')))
        }
        _ => None,
    }
}

/// Returns whether this is the scheme of a URI (RFC 3986 §3.1).
fn is_scheme(text: &str) -> bool {
    let more = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.bytes().all(more)
}

/// Returns the Origin of a page of the web: the host in lower case, and no default port.
fn web(scheme: &str, authority: &str) -> Option<String> {
    let default = default_port(scheme == "https");
    let (host, port) = host_and_port(authority, default)?;
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => format!("[{}]", ipv6(address.parse().ok()?)),
        None => name_or_ipv4(host)?,
    };
    Some(if port == default { format!("{scheme}://{host}") } else { format!("{scheme}://{host}:{port}") })
}

/// Formats an address as the URL standard does: unlike in Rust, no part has the form of IPv4.
fn ipv6(address: Ipv6Addr) -> String {
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] => format!("::ffff:{high:x}:{low:x}"),
        _ => address.to_string(),
    }
}

/// Accepts a name in ASCII without patterns, or IPv4, which browsers expect where the last part is a number.
fn name_or_ipv4(host: String) -> Option<String> {
    let is_plain = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit()) || ipv4_number(last).is_some();
    match is_number {
        _ if !is_plain => None,
        true => Some(ipv4(&host)?.to_string()),
        false => Some(host),
    }
}

/// Parses IPv4 as the URL standard does: one to four numbers, where the last fills the remaining bytes, and perhaps a
/// dot at the end. So `127.1` is 127.0.0.1.
fn ipv4(host: &str) -> Option<Ipv4Addr> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let numbers = host.split('.').map(ipv4_number).collect::<Option<Vec<u32>>>()?;
    let (last, bytes) = numbers.split_last()?;
    let largest = u32::MAX.checked_shr(8 * u32::try_from(bytes.len()).ok()?)?;
    if *last > largest || bytes.iter().any(|byte| *byte > 255) {
        return None;
    }
    let first = bytes.iter().zip([24, 16, 8]).map(|(byte, shift)| byte << shift).sum::<u32>();
    Some(Ipv4Addr::from(first + last))
}

/// Parses a number of IPv4: `0x7f` is hexadecimal, and `0177` octal.
fn ipv4_number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some("") => Some(0),
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None if text.len() > 1 && text.starts_with('0') => u32::from_str_radix(&text[1..], 8).ok(),
        None => text.parse().ok(),
    }
}
