//! The opening handshake's I/O (§4.2): reads the request, answers it, and enters a client that is upgraded. The rules
//! of the handshake are in `protocol/`: `request.rs`, `upgrade.rs` and `response.rs`.

use super::budget::Share;
use super::inbox::Inbox;
use super::outbox::Outbox;
use super::routes::{Admitted, Handler, Route};
use super::seat::Seat;
use super::service::Service;
use super::socket::Until;
use super::{reply, trace};
use crate::config::name_flag;
use crate::error::{HandshakeError, shown};
use crate::protocol::admission::Refusal;
use crate::protocol::deflate::Agreement;
use crate::protocol::request::Request;
use crate::protocol::response::Response;
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A connection that has become a WebSocket.
pub(super) struct Opened {
    pub(super) handler: Handler,
    /// The key of its broadcasts.
    pub(super) path: Arc<str>,
    /// On the heap, because a page more of stack would cost each client 4 KiB.
    pub(super) opened_by: Box<(Request, Response)>,
    pub(super) compression: Option<Agreement>,
}

/// The answer to a request that is in order.
enum Answer {
    Upgrade(Opened),
    Page(Response),
}

/// Why a request gets another answer.
enum Denial {
    /// It breaks a rule, or a limit does not allow it.
    Fault(HandshakeError),
    /// The program does not let the client in.
    Refusal(Refusal),
}

impl From<HandshakeError> for Denial {
    fn from(fault: HandshakeError) -> Denial {
        Denial::Fault(fault)
    }
}

impl From<Refusal> for Denial {
    fn from(refusal: Refusal) -> Denial {
        Denial::Refusal(refusal)
    }
}

/// Why no request was read.
enum Failure {
    /// The client gets an HTTP error.
    Refused(HandshakeError),
    /// The socket has failed: nobody is left to be answered.
    Gone(io::Error),
}

/// Does the opening handshake. `None`: the response was no 101, and the connection is over.
pub(super) fn open(service: &Service, seat: &Seat, inbox: &mut Inbox, share: &mut Share) -> io::Result<Option<Opened>> {
    let (socket, peer) = (&seat.outbox.socket, seat.outbox.peer);
    socket.set_nodelay()?;
    let (method, answer) = match read_request(service, seat, inbox, share) {
        Ok(request) => (request.method, answer(service, seat, request, share)),
        Err(Failure::Refused(fault)) => (reply::method_of(inbox.unread()), Err(fault.into())),
        Err(Failure::Gone(error)) => return Err(error),
    };
    // A whole reply has as much time as a Close.
    let mut linger = service.config.close_timeout;
    let deadline = Instant::now() + linger;
    let response = match answer {
        Ok(Answer::Upgrade(opened)) => {
            switch_protocols(&seat.outbox, &opened, deadline)?;
            return Ok(Some(opened));
        }
        Ok(Answer::Page(response)) => response,
        Err(Denial::Refusal(refusal)) => reply::turned_away(peer, refusal),
        Err(Denial::Fault(fault)) => {
            // A client that has taken too long already gets a second to read why.
            if fault == HandshakeError::Timeout {
                linger = linger.min(Duration::from_secs(1));
            }
            reply::refusal(peer, &fault, inbox.unread())
        }
    };
    if response.status.0 >= 300 {
        service.registry.count_refused(response.status.0);
    }
    // Before the client can know that it is over, and connect again.
    seat.linger();
    socket.write_all(&reply::dated(response).encode(method), deadline)?;
    socket.shutdown(Shutdown::Write)?;
    inbox.linger(Instant::now() + linger);
    Ok(None)
}

/// Reads the head of the request. The bytes that follow it stay in the inbox: they are frames.
fn read_request(service: &Service, seat: &Seat, inbox: &mut Inbox, share: &mut Share) -> Result<Request, Failure> {
    // One deadline for the whole head: a timeout for each read would let a byte a second go on forever.
    let deadline = Instant::now() + service.config.handshake_timeout;
    loop {
        count(share, inbox.size())?;
        if let Some((request, length)) = Request::parse(inbox.unread()).map_err(Failure::Refused)? {
            inbox.consume(length);
            // The connection keeps the request, and also the buffer, which can have grown to the length of the head.
            count(share, inbox.size() + length)?;
            return Ok(request);
        }
        // During shutdown only what has been received before is still read.
        let is_last = seat.outbox.turn.give();
        let received = inbox.fill(if is_last { Until::Now } else { Until::Deadline(deadline) });
        seat.outbox.turn.take();
        received.map_err(|error| match error.kind() {
            ErrorKind::TimedOut => Failure::Refused(HandshakeError::Timeout),
            _ => Failure::Gone(error),
        })?;
    }
}

/// Counts the memory that a handshake holds.
fn count(share: &mut Share, bytes: usize) -> Result<(), Failure> {
    if share.resize(bytes) { Ok(()) } else { Err(Failure::Refused(HandshakeError::MemoryLimit)) }
}

/// Finds the answer to a request.
fn answer(service: &Service, seat: &Seat, request: Request, share: &mut Share) -> Result<Answer, Denial> {
    let route = service.routes.get(request.path());
    if request.wants_websocket() {
        upgrade(service, seat, request, route.ok_or(HandshakeError::NotFound)?, share)
    } else if let Some(page) = service.pages.get(request.path()) {
        Ok(Answer::Page(unless_panicked(page)?))
    } else if route.is_some() {
        Err(HandshakeError::UpgradeRequired.into())
    } else {
        Err(HandshakeError::NotFound.into())
    }
}

/// Asks the route about a request for an upgrade. A client that is let in is entered before it can know, so that it
/// misses nothing that the others send from then on.
fn upgrade(
    service: &Service,
    seat: &Seat,
    request: Request,
    route: &Route,
    share: &mut Share,
) -> Result<Answer, Denial> {
    let path = request.path();
    let mut response = request.accept(&service.config.allowed_origins).map_err(name_flag)?;
    if let Some(ours) = service.subprotocols.get(path)
        && let Some(name) = request.select_subprotocol(ours)
    {
        response = response.with_subprotocol(name);
    }
    let compression = agree_on_compression(service, &request, share);
    if let Some(agreement) = compression {
        response = response.with_extension(agreement);
        seat.outbox.allow_compression(agreement);
    }
    let (Admitted { headers, handler }, path) = unless_panicked(|| {
        let admitted = route(&request, seat.outbox.peer)?;
        let path = seat.enter(path, response.header_value("Sec-WebSocket-Protocol"))?;
        Ok::<_, Denial>((admitted, path))
    })??;
    let response = reply::dated(response.with_headers(headers));
    Ok(Answer::Upgrade(Opened { handler, path, opened_by: Box::new((request, response)), compression }))
}

/// Counts the windows of a client that keeps them. Without memory for them, messages are compressed one by one.
fn agree_on_compression(service: &Service, request: &Request, share: &mut Share) -> Option<Agreement> {
    let agreement = Agreement::negotiate(request, service.config.compression())?;
    let has_room = share.resize_to_stay(share.bytes + agreement.memory());
    Some(if has_room { agreement } else { agreement.without_context() })
}

/// Calls code of the program's, whose panic concerns this client only. `AssertUnwindSafe`: the program itself has to
/// see that what its code shares with other threads is in order after a panic.
fn unless_panicked<T>(code: impl FnOnce() -> T) -> Result<T, HandshakeError> {
    catch_unwind(AssertUnwindSafe(code)).map_err(|_| HandshakeError::Panicked)
}

/// Writes the 101.
fn switch_protocols(outbox: &Arc<Outbox>, opened: &Opened, deadline: Instant) -> io::Result<()> {
    let (request, response) = &*opened.opened_by;
    let accept_value = response.header_value("Sec-WebSocket-Accept").unwrap_or_default();
    log::debug!("{}: connected to \"{}\", accept value {accept_value}", outbox.peer, shown(request.path()));
    trace::handshake(outbox.peer, request, response);
    outbox.write_response(&response.encode(request.method), deadline)
}
