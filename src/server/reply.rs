//! The common parts of all HTTP replies: a date, and a line in the log for each refusal.

use crate::error::{HandshakeError, shown};
use crate::protocol::admission::Refusal;
use crate::protocol::request::Method;
use crate::protocol::response::Response;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

/// Returns the reply to a request that is refused, and logs it. `said` is what the client has sent so far.
pub(super) fn refusal(peer: SocketAddr, fault: &HandshakeError, said: &[u8]) -> Response {
    let response = Response::from(fault);
    // Browsers open connections in advance, and never use some of them.
    let is_mute = *fault == HandshakeError::Timeout && said.is_empty();
    let level = match fault {
        HandshakeError::Panicked => log::Level::Error,
        _ if is_mute => log::Level::Debug,
        _ => log::Level::Info,
    };
    log::log!(level, "{peer}: refused with {}: {fault}", response.status.0);
    response
}

/// Returns the reply to a client that the program does not let in, and logs it. The text can contain what the client
/// has sent.
pub(super) fn turned_away(peer: SocketAddr, refusal: Refusal) -> Response {
    log::info!("{peer}: refused with {}: {}", refusal.status, shown(&refusal.text));
    Response::from(refusal)
}

/// Returns the method of a request that could not be read as a whole, because a reply to HEAD has no body.
pub(super) fn method_of(said: &[u8]) -> Method {
    let first_line = said.strip_prefix(b"\r\n").unwrap_or(said);
    if first_line.starts_with(b"HEAD ") { Method::Head } else { Method::Get }
}

/// Adds the time to a reply: "An origin server with a clock ... MUST generate a Date header field" (RFC 9110 §6.6.1).
pub(super) fn dated(response: Response) -> Response {
    // The clock of these tests does not move, because they compare whole replies.
    let now = if cfg!(any(test, fuzzing)) { UNIX_EPOCH } else { SystemTime::now() };
    response.with_date(now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
}
