//! One client's life, from top to bottom.

use super::budget::Share;
use super::connection::Connection;
use super::inbox::Inbox;
use super::opening::OpenedBy;
use super::outbox::Outbox;
use super::registry::{Client, Seat};
use super::server::{Handler, Service};
use super::socket::{Reader, Socket};
use super::trace;
use crate::error::{Error, HandshakeError, shown};
use crate::protocol::close::CloseCode;
use crate::protocol::request::Request;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

impl Service {
    /// One client's life.
    pub(super) fn client(&self, socket: Arc<Socket>, peer: SocketAddr, seat: &Seat) {
        let mut inbox = Inbox::new(Reader::new(Arc::clone(&socket)));
        let Some(mut share) = self.registry.budget().reserve(inbox.size()) else {
            return self.refusals.refuse(peer, socket, &HandshakeError::MemoryLimit);
        };
        let (opened_by, handler) = match self.handshake(&socket, &mut inbox, &mut share, peer, seat) {
            Ok(Some(accepted)) => accepted,
            Ok(None) => return,
            Err(error) => return log::debug!("{peer}: gone during the handshake: {error}"),
        };
        let (request, response) = &*opened_by;
        let accept_value = response.header_value("Sec-WebSocket-Accept").unwrap_or_default();
        log::debug!("{peer}: connected to \"{}\", accept value {accept_value}", shown(request.path()));
        trace::handshake(peer, request, response);
        let client = self.entry(peer, socket, request, seat.number());
        // Before the client can know that it is connected: it gets all that others send from then on.
        seat.enter(client.clone());
        if let Err(error) = client.outbox.open(&response.encode(request.method), self.reply_deadline()) {
            return log::debug!("{peer}: gone during the handshake: {error}");
        }
        self.serve(peer, (opened_by, share), inbox, (client, seat), handler);
    }

    /// A client's life after the handshake. What the two parts need of the stack lies in the same place, one after the
    /// other, as long as neither is inlined: else each client costs a page more, 4 KiB.
    #[inline(never)]
    fn serve(
        &self,
        peer: SocketAddr,
        opened_by: (OpenedBy, Share),
        inbox: Inbox,
        (client, seat): (Client, &Seat),
        handler: &Handler,
    ) {
        let (registry, desks) = (Arc::clone(&self.registry), Arc::clone(&self.desks));
        let socket = Arc::clone(&client.outbox.socket);
        let mut connection = Connection::new(peer, opened_by, inbox, client, registry, desks, &self.config);
        let result = catch_unwind(AssertUnwindSafe(|| handler(&mut connection)));
        let result = result.unwrap_or_else(|_| Err(Error::handler("panicked")));
        let code = if result.is_ok() { CloseCode::NORMAL } else { CloseCode::INTERNAL_ERROR };
        // With the connection still open, or its socket in order, it was nothing on the wire that made the handler fail.
        let by_itself = match &result {
            Err(Error::Io(_)) => !connection.is_lost(),
            Err(_) => connection.is_open(),
            Ok(()) => false,
        };
        let closed = connection.finish(code, seat);
        if connection.is_closed() {
            self.refusals.see_off(socket);
        }
        match result.and(closed) {
            Ok(()) | Err(Error::Closed) => log::debug!("{peer}: closed"),
            // What a client has sent may be part of the text.
            Err(error) if by_itself || matches!(error, Error::Handler(_)) => {
                log::error!("{peer}: {}", shown(&error.to_string()))
            }
            Err(error @ Error::Protocol(_)) => log::info!("{peer}: failed: {error}"),
            Err(error) => log::debug!("{peer}: ended without a clean close: {error}"),
        }
    }

    pub(super) fn entry(&self, peer: SocketAddr, socket: Arc<Socket>, request: &Request, seat_number: u64) -> Client {
        let (drain, budget) = (Arc::clone(&self.drain), Arc::clone(self.registry.budget()));
        let outbox = Outbox::new(peer, socket, drain, budget);
        Client { seat_number, path: request.path().into(), outbox: Arc::new(outbox) }
    }
}
