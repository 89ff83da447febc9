//! Origins (RFC 6454): which pages are allowed to open a connection (§10.2).

use super::grammar::host_and_port;

/// The entry in a list of Origins that stands for all of them.
pub(crate) const ANY: &str = "any";

/// Returns whether a page of `origin` is allowed to connect to `host`: it is the server's own, or `allowed` names its
/// Origin or [`ANY`].
pub(super) fn is_allowed(origin: &str, host: &str, allowed: &[String]) -> bool {
    is_same(origin, host) || allowed.iter().any(|one| one == ANY || is_equal(one, origin))
}

/// Returns whether `origin` has the host and port of `Host`. The schemes can differ: behind a proxy that does TLS the
/// page is `https`, and the server cannot know.
fn is_same(origin: &str, host: &str) -> bool {
    let Some(page) = Web::new(origin) else { return false };
    // A `Host` without a port means the default port of the page's scheme.
    host_and_port(host, default_port(page.is_secure)).is_some_and(|ours| page.authority == ours)
}

/// Returns whether scheme, host and port are the same (RFC 6454 §5), ignoring case, with or without a default port.
fn is_equal(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || Web::new(a).is_some_and(|page| Some(page) == Web::new(b))
}

/// An Origin of the web, in parts. Others, such as `null` or a browser extension's, are compared as a whole.
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
        // Browsers never write this slash, but some programs do.
        let authority = host_and_port(authority.strip_suffix('/').unwrap_or(authority), default_port(is_secure))?;
        Some(Web { is_secure, authority })
    }
}

pub(crate) fn default_port(is_secure: bool) -> u16 {
    if is_secure { 443 } else { 80 }
}
