//! What the replies of HTTP have in common, whoever sends them: a date, and a line in the log for each refusal.

use crate::error::HandshakeError;
use crate::protocol::request::Method;
use crate::protocol::response::Response;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

/// The reply to a request that is refused, with a line in the log. `said` is what the client has said so far.
pub(super) fn refusal(peer: SocketAddr, fault: &HandshakeError, said: &[u8]) -> Response {
    let response = Response::from(fault);
    // Browsers connect before they have anything to ask, and some never ask.
    let is_mute = *fault == HandshakeError::Timeout && said.is_empty();
    let level = if is_mute { log::Level::Debug } else { log::Level::Info };
    log::log!(level, "{peer}: refused with {}: {fault}", response.status.0);
    response
}

/// The method of a request that could not be read as a whole: a reply to HEAD has no body all the same.
pub(super) fn method_of(said: &[u8]) -> Method {
    let first_line = said.strip_prefix(b"\r\n").unwrap_or(said);
    if first_line.starts_with(b"HEAD ") { Method::Head } else { Method::Get }
}

/// The reply with the time at which it is made: "An origin server with a clock ... MUST generate a Date header field" (RFC
/// 9110 §6.6.1).
pub(super) fn dated(response: Response) -> Response {
    // Tests in here compare whole replies, and their clock stands still.
    let now = if cfg!(any(test, fuzzing)) { UNIX_EPOCH } else { SystemTime::now() };
    response.with_date(now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
}
