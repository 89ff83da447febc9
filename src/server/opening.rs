//! The opening handshake's I/O (§4.2): reads the request, and answers it.

use super::budget::Share;
use super::inbox::Inbox;
use super::registry::Seat;
use super::reply;
use super::server::{Handler, Service};
use super::socket::{Socket, Until};
use crate::error::HandshakeError;
use crate::protocol::request::Request;
use crate::protocol::response::Response;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

/// On the heap, because a page more of stack would cost each client 4 KiB.
pub(super) type OpenedBy = Box<(Request, Response)>;

/// What the answer to a request is, apart from a fault.
enum Answer<'a> {
    Upgrade(Response, &'a Handler),
    Page(Response),
}

impl Service {
    /// Reads the request, and answers one that is no upgrade: then the connection is over, and the result `None`.
    #[inline(never)]
    pub(super) fn handshake(
        &self,
        socket: &Socket,
        inbox: &mut Inbox,
        share: &mut Share,
        peer: SocketAddr,
        seat: &Seat,
    ) -> io::Result<Option<(OpenedBy, &Handler)>> {
        socket.set_nodelay()?;
        let request = self.read_request(inbox, share)?;
        let method = request.as_ref().map_or_else(|_| reply::method_of(inbox.unread()), |request| request.method);
        let outcome = request.and_then(|request| {
            let answer = self.answer(&request)?;
            if let Answer::Upgrade(..) = answer {
                seat.upgrade()?;
            }
            Ok((answer, request))
        });
        let mut linger = self.config.close_timeout;
        let response = match outcome {
            Ok((Answer::Upgrade(response, handler), request)) => {
                let response = reply::dated(response);
                return Ok(Some((Box::new((request, response)), handler)));
            }
            Ok((Answer::Page(response), _)) => response,
            Err(fault) => {
                // Who has taken too long already gets a second to read why.
                if fault == HandshakeError::Timeout {
                    linger = linger.min(Duration::from_secs(1));
                }
                reply::refusal(peer, &fault, inbox.unread())
            }
        };
        socket.write_all(&reply::dated(response).encode(method), self.reply_deadline())?;
        socket.shutdown(Shutdown::Write)?;
        inbox.drain(Instant::now() + linger);
        Ok(None)
    }

    /// One deadline for the whole reply: a client that does not take it is waited for no longer than for its Close.
    pub(super) fn reply_deadline(&self) -> Instant {
        Instant::now() + self.config.close_timeout
    }

    /// Reads the head of the request. What follows it stays in the inbox: frames.
    fn read_request(&self, inbox: &mut Inbox, share: &mut Share) -> io::Result<Result<Request, HandshakeError>> {
        // One deadline for the whole head: a timeout per read would let a byte a second go on forever.
        let deadline = Instant::now() + self.config.handshake_timeout;
        loop {
            match Request::parse(inbox.unread()) {
                Ok(Some((request, used))) => {
                    inbox.consume(used);
                    // The connection keeps the request, and the buffer as long as the head has made it.
                    if !share.resize(inbox.size() + used) {
                        return Ok(Err(HandshakeError::MemoryLimit));
                    }
                    return Ok(Ok(request));
                }
                Ok(None) => {}
                Err(fault) => return Ok(Err(fault)),
            }
            match inbox.fill(Until::Deadline(deadline)) {
                Err(error) if error.kind() == ErrorKind::TimedOut => return Ok(Err(HandshakeError::Timeout)),
                filled => filled?,
            }
            if !share.resize(inbox.size()) {
                return Ok(Err(HandshakeError::MemoryLimit));
            }
        }
    }

    fn answer(&self, request: &Request) -> Result<Answer<'_>, HandshakeError> {
        let route = self.routes.get(request.path());
        if request.wants_websocket() {
            let handler = route.ok_or(HandshakeError::NotFound)?;
            let mut response = request.accept(&self.config.allowed_origins)?;
            let ours = self.subprotocols.get(request.path()).map_or(&[][..], Vec::as_slice);
            if let Some(name) = request.select_subprotocol(ours) {
                response = response.with_subprotocol(name);
            }
            Ok(Answer::Upgrade(response, &**handler))
        } else if let Some(html) = self.pages.get(request.path()) {
            Ok(Answer::Page(Response::page(html)))
        } else if route.is_some() {
            Err(HandshakeError::UpgradeRequired)
        } else {
            Err(HandshakeError::NotFound)
        }
    }
}
