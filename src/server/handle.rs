//! What an operator holds: a running server is looked at and ended with it, from another thread.

use super::accept::wake;
use super::registry::Registry;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// Looks at a running server, and ends it, from another thread; made by [`Server::handle`].
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
    /// An address at which this machine reaches the server: the one of loopback where it listens on every address. It
    /// is one of IPv4 if there is one.
    pub fn address(&self) -> SocketAddr {
        *self.addresses.iter().find(|address| address.is_ipv4()).unwrap_or(&self.addresses[0])
    }

    /// How many clients are connected, those in their handshake not counted.
    pub fn clients(&self) -> usize {
        self.registry.count()
    }

    /// Begins the end: every client is sent Close 1001, one that is still in its handshake is cut off, no new one is let
    /// in, and [`Server::run`] returns when all have answered or the close timeout is over. It waits for none of them, but
    /// while the machine is out of sockets it may take a while. A second call does no harm.
    pub fn shutdown(&self) {
        self.registry.stop();
        self.addresses.iter().for_each(wake);
    }
}
