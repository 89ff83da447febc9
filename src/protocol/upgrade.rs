//! The opening handshake (§4.2): what a request for an upgrade must contain, and the proof that the server read it.

use super::grammar::{is_extension_list, is_token};
use super::origin;
use super::request::Request;
use super::response::Response;
use crate::error::HandshakeError;
use base64::Engine as _;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD};

impl Request {
    /// Checks the rest of §4.2.1 and returns the 101 of §4.2.2. The error is the rule that the request breaks.
    ///
    /// An Origin must name the host and port of `Host`, or be among `allowed_origins`, where `any` stands for all. A
    /// client without an Origin is no browser, and can always connect. The response selects no extension, which it says
    /// by omitting the header (§4.2.2), and no subprotocol unless [`Response::with_subprotocol`] adds one.
    pub fn accept(&self, allowed_origins: &[String]) -> Result<Response, HandshakeError> {
        // Some clients send `Connection: keep-alive, Upgrade`: it is a list.
        if !self.has_token("Connection", "Upgrade") {
            return Err(HandshakeError::ConnectionTokenMissing);
        }
        if self.header("Sec-WebSocket-Version") != Some("13") {
            return Err(HandshakeError::VersionUnsupported);
        }
        let key = self.header("Sec-WebSocket-Key").ok_or(HandshakeError::KeyMissing)?;
        if !KEY_BASE64.decode(key).is_ok_and(|bytes| bytes.len() == 16) {
            return Err(HandshakeError::KeyInvalid);
        }
        // §9.1: a value that "does not conform to the ABNF" fails the connection, even though we support no extension.
        let extensions = || self.headers("Sec-WebSocket-Extensions");
        if extensions().next().is_some() && !is_extension_list(extensions()) {
            return Err(HandshakeError::ExtensionsInvalid);
        }
        let host = self.header("Host").unwrap_or_default();
        if let Some(origin) = self.header("Origin").filter(|origin| !origin::is_allowed(origin, host, allowed_origins))
        {
            return Err(HandshakeError::OriginNotAllowed(origin.to_owned()));
        }
        Ok(Response::new(101, String::new())
            .header("Upgrade", "websocket")
            .header("Connection", "Upgrade")
            .header("Sec-WebSocket-Accept", accept_key(key)))
    }

    /// Returns the first of `ours` that the client offers in `Sec-WebSocket-Protocol` (§4.2.2 rule 5.5).
    ///
    /// The client's list can continue over several lines. Names are compared with their case; offers that are no tokens
    /// are skipped.
    ///
    /// ```
    /// use plainsocket::protocol::request::Request;
    /// let bytes = b"GET / HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Protocol: chat.v1, chat.v2\r\n\r\n";
    /// let (request, _) = Request::parse(bytes).unwrap().unwrap();
    /// let ours = ["chat.v2".to_owned(), "chat.v1".to_owned()];
    /// assert_eq!(request.select_subprotocol(&ours), Some("chat.v2"));
    /// ```
    pub fn select_subprotocol<'a>(&self, ours: &'a [String]) -> Option<&'a str> {
        let offered = |name: &str| self.list("Sec-WebSocket-Protocol").any(|offer| offer == name);
        ours.iter().map(String::as_str).find(|name| is_token(name) && offered(name))
    }
}

/// Accepts bits after the 16th byte, because clients that draw 22 random characters of base64 leave some set.
const KEY_BASE64: GeneralPurpose =
    GeneralPurpose::new(&base64::alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// Returns the value of `Sec-WebSocket-Accept` for a key (§4.2.2 rule 5.4).
///
/// It proves that the server read this very request and knows WebSocket. The key is hashed as the text in the header,
/// not as the 16 bytes that the text encodes.
///
/// ```
/// use plainsocket::protocol::upgrade::accept_key;
/// assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
pub fn accept_key(key: &str) -> String {
    STANDARD.encode(accept_digest(key))
}

/// The text hashed after the key (§1.3): only a server that knows WebSocket hashes just this one.
pub(super) const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Returns the step before base64: the 20 bytes themselves, not the 40 hexadecimal digits often shown for them.
pub(super) fn accept_digest(key: &str) -> [u8; 20] {
    let mut sha1 = sha1_smol::Sha1::new();
    sha1.update(key.as_bytes());
    sha1.update(GUID.as_bytes());
    sha1.digest().bytes()
}
