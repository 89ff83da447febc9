//! The accept loop: a seat and a thread for each client.

use super::listeners;
use super::server::Service;
use super::socket::Socket;
use crate::error::HandshakeError;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

/// Only what a thread has touched of its stack takes memory; this is what it may touch.
const STACK_SIZE: usize = 256 * 1024;

/// The pause after a failed `accept`: without it, a server that is out of descriptors spins.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The accept loop. Whatever goes wrong in here concerns one client, or passes.
pub(super) fn accept(listener: &TcpListener, service: &Arc<Service>) {
    let mut failing = false;
    while !service.registry.is_stopping() {
        match listener.accept() {
            Ok((stream, peer)) => {
                failing = false;
                // What woke us may be `shutdown`'s own connection.
                if !service.registry.is_stopping() {
                    service.welcome(Arc::new(Socket::new(stream)), listeners::peer(peer));
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

impl Service {
    /// Gives a new connection a seat and a thread, or tells the client that there is none.
    pub(super) fn welcome(self: &Arc<Self>, socket: Arc<Socket>, peer: SocketAddr) {
        let seat = match self.registry.take_seat(peer, &socket, &self.config) {
            Ok(seat) => seat,
            Err(fault) => return self.refusals.refuse(peer, socket, &fault),
        };
        let (service, its_socket) = (Arc::clone(self), Arc::clone(&socket));
        let thread = thread::Builder::new().name(format!("client-{peer}")).stack_size(STACK_SIZE);
        let spawned = thread.spawn(move || service.client(its_socket, peer, &seat));
        let failed_before = self.no_thread.swap(spawned.is_err(), Ordering::Relaxed);
        if let Err(error) = spawned {
            if !failed_before {
                log::error!("no thread for {peer}, and perhaps for others after it: {error}");
            }
            self.refusals.refuse(peer, socket, &HandshakeError::TooManyClients);
        }
    }
}

/// Nothing interrupts `accept` as `ServerSocket.close()` does in Java: a connection wakes it.
pub(super) fn wake(address: &SocketAddr) {
    for _ in 0..50 {
        match TcpStream::connect_timeout(address, Duration::from_secs(1)) {
            Ok(_) => break,
            // Somebody else has woken it, and it is over.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => break,
            Err(_) => thread::sleep(ACCEPT_PAUSE),
        }
    }
}
