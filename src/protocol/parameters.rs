//! The parts of a request by which an application knows its client: the values of its query, its cookies, and the
//! subprotocols that it offers.

use super::request::Request;

impl Request {
    /// Returns the value of the first `name` in the query, decoded as a form is (`application/x-www-form-urlencoded`).
    ///
    /// `&` separates the pairs, and the first `=` of a pair separates name and value; without one the value is empty.
    /// Then, in both, `+` is a space and `%` with two hexadecimal digits is a byte; any other `%` stays as it is. Bytes
    /// that are no UTF-8 become `U+FFFD`. The value can contain anything, control characters too. `None`: no pair has
    /// this name.
    ///
    /// ```
    /// use plainsocket::protocol::request::Request;
    /// let bytes = b"GET /chat?name=Ann+B.&from=K%C3%B6ln&name=Bob HTTP/1.1\r\nHost: x\r\n\r\n";
    /// let (request, _) = Request::parse(bytes).unwrap().unwrap();
    /// assert_eq!(request.query_value("name").as_deref(), Some("Ann B."));
    /// assert_eq!(request.query_value("from").as_deref(), Some("Köln"));
    /// assert_eq!(request.query_value("age"), None);
    /// ```
    pub fn query_value(&self, name: &str) -> Option<String> {
        let (_, query) = self.resource_name.split_once('?')?;
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let mut pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.find(|(its_name, _)| form_decoded(its_name) == name).map(|(_, value)| form_decoded(value))
    }

    /// Returns the value of the first cookie of this name (RFC 6265 §4.2.1).
    ///
    /// The name is compared with its case. The value is as the browser sent it: nothing is decoded, quotation marks
    /// around it are kept. It has one char a byte (Latin-1), like each header here. `None`: no cookie has this name.
    ///
    /// ```
    /// use plainsocket::protocol::request::Request;
    /// let bytes = b"GET /chat HTTP/1.1\r\nHost: x\r\nCookie: theme=dark; session=31d4d96e407aad42\r\n\r\n";
    /// let (request, _) = Request::parse(bytes).unwrap().unwrap();
    /// assert_eq!(request.cookie("session"), Some("31d4d96e407aad42"));
    /// assert_eq!(request.cookie("Session"), None);
    /// ```
    pub fn cookie(&self, name: &str) -> Option<&str> {
        // A browser sends one line. A proxy that speaks HTTP/2 can make several of it (RFC 9113 §8.2.3).
        let pairs = self.headers("Cookie").flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
        let mut pairs = pairs.map(|(name, value)| (name.trim_matches([' ', '\t']), value.trim_matches([' ', '\t'])));
        pairs.find(|(its_name, _)| *its_name == name).map(|(_, value)| value)
    }

    /// Returns the subprotocols that the client offers (§4.1), in its order. The list can continue over several lines.
    ///
    /// A script in a browser sets no headers, so some put a token here, beside a subprotocol that the server selects.
    ///
    /// ```
    /// use plainsocket::protocol::request::Request;
    /// let bytes = b"GET / HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Protocol: chat.v1, token.31d4\r\n\r\n";
    /// let (request, _) = Request::parse(bytes).unwrap().unwrap();
    /// let token = request.offered_subprotocols().find_map(|name| name.strip_prefix("token."));
    /// assert_eq!(token, Some("31d4"));
    /// ```
    pub fn offered_subprotocols(&self) -> impl Iterator<Item = &str> {
        self.list("Sec-WebSocket-Protocol")
    }
}

/// Decodes a name or a value of a form, as the URL standard does.
fn form_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        bytes.push(match (first, hex_digits(after)) {
            (b'%', Some(byte)) => {
                rest = &after[2..];
                byte
            }
            (b'+', _) => b' ',
            _ => *first,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns the byte that the two hexadecimal digits at the start stand for.
fn hex_digits(text: &[u8]) -> Option<u8> {
    let digit = |at: usize| (*text.get(at)? as char).to_digit(16);
    Some((digit(0)? * 16 + digit(1)?) as u8)
}
