//! One client's life, from top to bottom. A thread of its own runs it.

use super::budget::Share;
use super::connection::Connection;
use super::inbox::Inbox;
use super::opening::{self, Opened};
use super::seat::Seat;
use super::service::Service;
use super::socket::Reader;
use super::speed;
use crate::error::{Error, shown};
use crate::protocol::close::CloseCode;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Serves one client: the opening handshake, then its handler and the closing handshake.
pub(super) fn run(service: &Service, seat: &Seat) {
    let (peer, socket) = (seat.outbox.peer, &seat.outbox.socket);
    let mut inbox = Inbox::new(Reader::new(Arc::clone(socket)));
    let mut share = service.registry.budget().share();
    // Both parts need much stack, one after the other.
    match speed::out_of_line(|| opening::open(service, seat, &mut inbox, &mut share)) {
        Ok(Some(opened)) => speed::out_of_line(|| serve(service, seat, opened, inbox, share)),
        Ok(None) => {}
        Err(error) => log::debug!("{peer}: gone during the handshake: {error}"),
    }
}

/// Runs the handler, then closes: with 1000 if it has returned, with 1011 if it has failed or panicked.
fn serve(service: &Service, seat: &Seat, opened: Opened, inbox: Inbox, share: Share) {
    let peer = seat.outbox.peer;
    let Opened { handler, path, opened_by, compression } = opened;
    let outbox = Arc::clone(&seat.outbox);
    let (registry, pool) = (Arc::clone(&service.registry), Arc::clone(&service.buffer_pool));
    let mut connection = Connection::new((opened_by, path, share), inbox, outbox, registry, pool, &service.config);
    if let Some(agreement) = compression {
        connection.allow_compression(agreement);
    }
    // `catch_unwind` is Java's `catch (Throwable)` around the handler. `AssertUnwindSafe` is our word that the
    // connection can be used after a panic in the middle of a call: it is closed, and nothing else.
    let result = catch_unwind(AssertUnwindSafe(|| handler(&mut connection)));
    let result = result.unwrap_or_else(|_| Err(Error::handler("panicked")));
    let code = if result.is_ok() { CloseCode::NORMAL } else { CloseCode::INTERNAL_ERROR };
    // The fault is the handler's if the connection is still open, or for an `Io` error, if the socket is in order.
    let by_itself = match &result {
        Err(Error::Io(_)) => !connection.is_lost(),
        Err(_) => connection.is_open(),
        Ok(()) => false,
    };
    let closed = speed::out_of_line(|| connection.finish(code, seat));
    if connection.is_closed() {
        service.refusals.see_off(Arc::clone(&seat.outbox.socket));
    }
    log_end(peer, result.and(closed), by_itself);
}

/// Logs how the connection has ended. Only what the operator has to look at is an error: a fault of the handler's own.
fn log_end(peer: SocketAddr, result: Result<(), Error>, by_itself: bool) {
    match result {
        Ok(()) | Err(Error::Closed) => log::debug!("{peer}: closed"),
        // The text can contain what a client has sent.
        Err(error) if by_itself || matches!(error, Error::Handler(_)) => {
            log::error!("{peer}: {}", shown(&error.to_string()));
        }
        Err(error @ Error::Protocol(_)) => log::info!("{peer}: failed: {error}"),
        Err(error) => log::debug!("{peer}: ended without a clean close: {error}"),
    }
}
