//! Origins (RFC 6454): whether the page that opens a connection may do so (§10.2).

/// In a list of Origins: pages of every Origin.
pub(crate) const ANY: &str = "any";

/// Whether a page of `origin` may connect to a server that its client calls `host`: if the page is the server's own, or
/// `allowed` names its Origin or is [`ANY`].
pub(super) fn is_allowed(origin: &str, host: &str, allowed: &[String]) -> bool {
    is_same(origin, host) || allowed.iter().any(|one| one == ANY || is_equal(one, origin))
}

/// Whether `origin` has the host and the port of `Host`. Schemes are not compared: behind a proxy that does the TLS, the
/// page is `https` and the server knows nothing of it.
fn is_same(origin: &str, host: &str) -> bool {
    let Some(page) = Web::new(origin) else { return false };
    // A `Host` without a port means the default one, which the page's scheme knows.
    split_port(host, page.default_port()).is_some_and(|ours| page.authority == ours)
}

/// RFC 6454 §5: the same scheme, host and port. Cases do not count, and a default port need not be written.
fn is_equal(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || Web::new(a).is_some_and(|page| Some(page) == Web::new(b))
}

/// An Origin of the web, in parts. Others, as `null` or that of a browser's extension, are compared as a whole.
#[derive(PartialEq)]
struct Web {
    is_secure: bool,
    authority: (String, u16),
}

impl Web {
    fn new(origin: &str) -> Option<Web> {
        let (scheme, authority) = origin.split_once("://")?;
        let is_secure = scheme.eq_ignore_ascii_case("https");
        if !is_secure && !scheme.eq_ignore_ascii_case("http") {
            return None;
        }
        // No browser writes the slash, but some programs do.
        let authority = split_port(authority.strip_suffix('/').unwrap_or(authority), default_port(is_secure))?;
        Some(Web { is_secure, authority })
    }

    fn default_port(&self) -> u16 {
        default_port(self.is_secure)
    }
}

pub(crate) fn default_port(is_secure: bool) -> u16 {
    if is_secure { 443 } else { 80 }
}

/// `host` or `host:port` (RFC 3986 §3.2) in lower case, with `default` for no port. `None`: the port is no number.
pub(crate) fn split_port(authority: &str, default: u16) -> Option<(String, u16)> {
    // The colons within `[::1]` are part of the host.
    let end = authority.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match authority[end..].rfind(':') {
        Some(at) => (&authority[..end + at], &authority[end + at + 1..]),
        None => (authority, ""),
    };
    let port = match port {
        "" => default,
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
        _ => return None,
    };
    (!host.is_empty()).then(|| (host.to_ascii_lowercase(), port))
}
