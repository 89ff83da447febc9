//! The program's decision about a request that keeps all rules, before the 101: to continue, or to refuse, for example
//! with a 401 or a 3xx (§4.2.2 steps 2 and 3).

use super::grammar::is_token;
use std::borrow::Cow;

/// A name and a value. `Cow`: the names that this crate writes need no memory of their own, a program's names do.
pub(crate) type Header = (Cow<'static, str>, String);

/// Lets a client in, with a value for the handler. [`Server::route_with`](crate::Server::route_with) has an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission<T> {
    pub(crate) value: T,
    pub(crate) headers: Vec<Header>,
}

impl<T> Admission<T> {
    /// Lets a client in. The handler gets `value`, for example the name of the client.
    pub fn new(value: T) -> Self {
        Admission { value, headers: Vec::new() }
    }

    /// Adds a header to the 101, for example `Set-Cookie`. A name that is repeated makes a line of its own each time.
    ///
    /// # Panics
    ///
    /// If the name is not a token of HTTP. If the value has a control character (a tab too), because it could begin a
    /// line of its own. If the server writes this header itself: `Connection`, `Upgrade`, `Sec-WebSocket-...`,
    /// `Content-Length`, `Transfer-Encoding`, `Date`. Within `admit`, a panic becomes a 500.
    ///
    /// ```
    /// use plainsocket::Admission;
    /// let admission = Admission::new("Ann").header("Set-Cookie", "seen=yes; SameSite=Lax; HttpOnly");
    /// # let _ = admission;
    /// ```
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push(checked(name, value));
        self
    }
}

/// Turns a client away with an HTTP status. [`Server::route_with`](crate::Server::route_with) has an example.
///
/// The reply has `Content-Length`, `Connection: close` and `X-Content-Type-Options: nosniff`, and `Content-Type` is
/// plain text unless [`header`](Refusal::header) says another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub(crate) status: u16,
    pub(crate) text: String,
    pub(crate) headers: Vec<Header>,
}

impl Refusal {
    /// Refuses with `status`. The body is `text` as it is, and the log has it too, escaped. A 304 has no body.
    ///
    /// A browser's script does not see either: its connection just fails. A 401 needs the header `WWW-Authenticate`
    /// (RFC 9110 §15.5.2), and a redirection needs `Location`.
    ///
    /// # Panics
    ///
    /// If the status is not from 300 to 599. Within `admit`, a panic becomes a 500.
    ///
    /// ```
    /// use plainsocket::Refusal;
    /// let refusal = Refusal::new(401, "log in first").header("WWW-Authenticate", "Bearer");
    /// # let _ = refusal;
    /// ```
    pub fn new(status: u16, text: &str) -> Self {
        assert!((300..600).contains(&status), "a refusal has a status from 300 to 599, not {status}");
        Refusal { status, text: text.to_owned(), headers: Vec::new() }
    }

    /// Adds a header to the reply, for example `Location`.
    ///
    /// # Panics
    ///
    /// As with [`Admission::header`].
    ///
    /// ```
    /// use plainsocket::Refusal;
    /// let refusal = Refusal::new(302, "this room has moved").header("Location", "/chat/new");
    /// # let _ = refusal;
    /// ```
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push(checked(name, value));
        self
    }
}

/// Returns a header of the program's. A line break in it would let a client that is quoted there write headers or a
/// whole response of its own (response splitting).
fn checked(name: &str, value: &str) -> Header {
    assert!(is_token(name), "the name of a header must be a token of HTTP, not {name:?}");
    let name = name.to_owned();
    let lower_case = name.to_ascii_lowercase();
    assert!(
        !RESERVED.contains(&&lower_case[..]) && !lower_case.starts_with("sec-websocket-"),
        "the server writes the header {name} itself"
    );
    // The value can be a secret, so it is not shown.
    assert!(!value.contains(char::is_control), "the value of the header {name} has a control character");
    (name.into(), value.to_owned())
}

/// The headers of which a second one would contradict the server's own.
const RESERVED: [&str; 5] = ["connection", "content-length", "date", "transfer-encoding", "upgrade"];
