//! The accept loop: a seat and a thread for each client.

use super::client;
use super::listeners;
use super::outbox::Outbox;
use super::seat::Seat;
use super::service::Service;
use super::socket::Socket;
use crate::error::HandshakeError;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

/// The stack of a client's thread, in bytes. Only the part that it has touched takes memory.
const STACK_SIZE: usize = 256 * 1024;

/// The pause after a failed `accept`. Without it, a server that is out of file descriptors would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts clients until shutdown. Anything that goes wrong in here concerns one client, or passes.
pub(super) fn accept(listener: &TcpListener, service: &Arc<Service>) {
    let mut failing = false;
    while !service.registry.is_stopping() {
        match listener.accept() {
            Ok((stream, peer)) => {
                failing = false;
                // Shutdown's own connection might have woken us.
                if !service.registry.is_stopping() {
                    welcome(service, Arc::new(Socket::new(stream)), listeners::peer(peer));
                }
            }
            // A client left before its turn came: `ConnectionAborted` on Unix, `ConnectionReset` on Windows.
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) => {}
            // A signal was handled.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                if !failing {
                    log::error!("accept: {error}; trying again every {ACCEPT_PAUSE:?}");
                }
                failing = true;
                thread::sleep(ACCEPT_PAUSE);
            }
        }
    }
}

/// Gives a new connection a seat and a thread, or tells the client that there is none.
pub(super) fn welcome(service: &Arc<Service>, socket: Arc<Socket>, peer: SocketAddr) {
    let seat = match take_seat(service, &socket, peer) {
        Ok(seat) => seat,
        Err(fault) => return service.refusals.refuse(&service.registry, peer, socket, &fault),
    };
    let its_service = Arc::clone(service);
    let thread = thread::Builder::new().name(format!("client-{peer}")).stack_size(STACK_SIZE);
    // The thread owns the seat. If there is no thread, the closure is dropped, and the seat with it.
    let spawned = thread.spawn(move || client::run(&its_service, &seat));
    let failed_before = service.no_thread.swap(spawned.is_err(), Ordering::Relaxed);
    if let Err(error) = spawned {
        if !failed_before {
            log::error!("no thread for {peer}, and perhaps for others after it: {error}");
        }
        service.refusals.refuse(&service.registry, peer, socket, &HandshakeError::TooManyClients);
    }
}

/// Takes a seat for a new connection, or returns the limit that does not allow it.
pub(super) fn take_seat(service: &Service, socket: &Arc<Socket>, peer: SocketAddr) -> Result<Seat, HandshakeError> {
    let (drain, budget) = (Arc::clone(&service.drain), Arc::clone(service.registry.budget()));
    let outbox = Outbox::new(peer, Arc::clone(socket), drain, budget);
    Seat::take(&service.registry, Arc::new(outbox), &service.config)
}

/// Wakes the accept loop: it connects to `address`, because nothing interrupts `accept` as `ServerSocket.close()` does
/// in Java.
pub(super) fn wake(address: &SocketAddr) {
    for _ in 0..50 {
        match TcpStream::connect_timeout(address, Duration::from_secs(1)) {
            Ok(_) => break,
            // Another connection has woken it, and the loop is over.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => break,
            Err(_) => thread::sleep(ACCEPT_PAUSE),
        }
    }
}
