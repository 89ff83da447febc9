//! The limits and timeouts of a server.

use crate::error::OriginError;
use crate::protocol::origin::{ANY, default_port, split_port};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// The limits and timeouts of a [`Server`](crate::Server). `Config::default()` holds the values named below.
///
/// ```
/// use plainsocket::Config;
/// let config = Config { max_message_size: 64 * 1024, ..Config::default() };
/// assert_eq!(config.max_clients, 10_000);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The most connections at a time, those in their handshake too; one more gets 503. 10,000.
    pub max_clients: usize,
    /// The most connections at a time from one IP address; one more gets 429. No limit.
    pub max_clients_per_ip: Option<usize>,
    /// The largest message in bytes, summed over its fragments; a larger one is closed with 1009. 16 MiB.
    pub max_message_size: usize,
    /// How many bytes may wait for one client that does not read as fast as others send. If more wait when the next message
    /// arrives, the client is evicted; one message on top of little may always wait. Default: 16 MiB.
    pub max_backlog: usize,
    /// How many bytes all clients together may make the server hold: unfinished messages, frames that wait, requests. A
    /// client that needs more is closed with 1013; among slow clients, the slowest is evicted first. Default: 1 GiB.
    pub max_memory: usize,
    /// The time for the whole handshake, from accept to the blank line. 10 s.
    pub handshake_timeout: Duration,
    /// A client that is silent for this long while its thread waits for it gets a Ping. 20 s.
    pub ping_interval: Duration,
    /// A client that stays silent for this long after the Ping is dropped. 20 s.
    pub pong_timeout: Duration,
    /// The longest wait for the client's part of the closing handshake, and for a refused one to read why. 5 s.
    pub close_timeout: Duration,
    /// The Origins whose pages may connect (§10.2) beside the server's own pages, which always may: those whose Origin
    /// names the host and port of the request's `Host`. `any` lets every page connect. A client without an Origin is no
    /// browser, and always may. [`Config::allow_origin`] adds one and checks its form. Default: empty.
    pub allowed_origins: Vec<String>,
}

impl Config {
    /// Lets pages of `origin` connect too, for example `https://chat.example` or `http://localhost:3000`; `null` is that
    /// of local files and sandboxed frames, and `any` stands for all. The error is that no browser writes an Origin so.
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

    /// The first Origin that would never match, and why.
    pub(crate) fn impossible_origin(&self) -> Option<(&str, OriginError)> {
        self.allowed_origins.iter().find_map(|origin| Some((origin.as_str(), check_origin(origin).err()?)))
    }

    /// The same with each time between a millisecond and a year: shorter ones leave no time to answer, and longer ones
    /// overflow the clock.
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
        }
    }
}

/// An Origin must be written as browsers do, because another form would never match, and nobody would know why.
fn check_origin(text: &str) -> Result<(), OriginError> {
    let right = right_form(text);
    if right.as_deref() == Some(text) { Ok(()) } else { Err(OriginError { right }) }
}

/// How browsers write the Origin that `text` is meant to be (RFC 6454 §6.2). `None`: that cannot be told.
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
        // Of an extension or an app: the identifier keeps its case.
        scheme if is_scheme(scheme) && authority.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Some(format!("{scheme}://{authority}"))
        }
        _ => None,
    }
}

/// RFC 3986 §3.1.
fn is_scheme(text: &str) -> bool {
    let more = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.bytes().all(more)
}

/// The Origin of a page of the web: the host in lower case, and no default port.
fn web(scheme: &str, authority: &str) -> Option<String> {
    let default = default_port(scheme == "https");
    let (host, port) = split_port(authority, default)?;
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => format!("[{}]", ipv6(address.parse().ok()?)),
        None => name_or_ipv4(host)?,
    };
    Some(if port == default { format!("{scheme}://{host}") } else { format!("{scheme}://{host}:{port}") })
}

/// As the URL standard serialises it: unlike Rust, never with a part in the form of IPv4.
fn ipv6(address: Ipv6Addr) -> String {
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] => format!("::ffff:{high:x}:{low:x}"),
        _ => address.to_string(),
    }
}

/// A name in its ASCII form, without patterns; browsers take one whose last part is a number for IPv4.
fn name_or_ipv4(host: String) -> Option<String> {
    let is_plain = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let is_number = last.strip_prefix("0x").is_some() || last.bytes().all(|byte| byte.is_ascii_digit());
    (is_plain && (!is_number || host.parse::<Ipv4Addr>().is_ok())).then_some(host)
}
