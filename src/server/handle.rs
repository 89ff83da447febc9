//! [`Handle`]: with it an operator looks at a running server and shuts it down, from another thread.

use super::accept::wake;
use super::registry::Registry;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// Looks at a running server and shuts it down, from another thread.
///
/// [`Server::handle`](crate::Server::handle) makes it.
#[derive(Clone)]
pub struct Handle {
    pub(super) registry: Arc<Registry>,
    /// At least one for each listening socket.
    pub(super) addresses: Vec<SocketAddr>,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("address", &self.address()).field("clients", &self.clients()).finish()
    }
}

impl Handle {
    /// Returns an address at which this machine reaches the server, one of IPv4 if there is one. For a server that
    /// listens on every address, that is a loopback address.
    pub fn address(&self) -> SocketAddr {
        *self.addresses.iter().find(|address| address.is_ipv4()).unwrap_or(&self.addresses[0])
    }

    /// Returns how many clients are connected, those in their handshake not counted.
    pub fn clients(&self) -> usize {
        self.registry.count()
    }

    /// Begins a graceful shutdown: every client gets Close 1001, and no new one is let in. A request that has arrived
    /// whole is still answered; any other connection in its handshake is cut off. [`Server::run`](crate::Server::run)
    /// returns when all clients have answered or the close timeout is over.
    ///
    /// This call waits for no client. While the machine is out of sockets, it can take some seconds. A second call does
    /// no harm.
    pub fn shutdown(&self) {
        self.registry.stop();
        self.addresses.iter().for_each(wake);
    }
}
