//! [`Handle`]: with it an operator looks at a running server, sends to its clients and shuts it down, from another
//! thread.

use super::accept::wake;
use super::counters::Counters;
use super::frames::Frames;
use super::registry::{Audience, Registry};
use super::sender::Sender;
use super::speed;
use crate::protocol::frame::encode;
use crate::protocol::message::Message;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// Looks at a running server, sends to its clients and shuts it down, from another thread.
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

    /// Returns how many clients are connected to `path`, the resource name without its query.
    ///
    /// ```
    /// # let handle = plainsocket::Server::bind("127.0.0.1:0").unwrap().handle().unwrap();
    /// assert_eq!(handle.clients_of("/chat"), 0);
    /// ```
    pub fn clients_of(&self, path: &str) -> usize {
        self.registry.count_of(path)
    }

    /// Sends a message to every client on `path` (the resource name without its query), from any thread. It never
    /// waits: what a client's socket does not take at once is queued for it, as with
    /// [`Sender::send`](crate::Sender::send), and a client for which too much waits for too long is evicted.
    ///
    /// A path that ends in `/*` is no pattern here: nobody is on it, so the message reaches no room below it.
    ///
    /// Returns the number of clients that the message went to. Clients that are closing, or that this call evicts, do
    /// not count. Messages of one thread arrive in the order of its calls; what a handler's own
    /// [`Connection::broadcast`](crate::Connection::broadcast) has gathered is overtaken, unless the handler calls
    /// [`flush`](crate::Connection::flush) before.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # let handle = plainsocket::Server::bind("127.0.0.1:0")?.handle()?;
    /// let reached = handle.broadcast("/clock", "12:00");
    /// assert_eq!(reached, 0, "nobody is there yet");
    /// # Ok(())
    /// # }
    /// ```
    pub fn broadcast(&self, path: &str, message: impl Into<Message>) -> usize {
        let message = message.into();
        let mut frame = Vec::new();
        let frames = Frames::message(&message, &mut frame, &self.registry);
        let members = self.registry.members(path, &Audience::Everybody);
        speed::prefetched(&members).filter(|member| member.write(&frames).is_ok()).count()
    }

    /// Sends messages to these clients, from any thread, with one write for all messages to a client. Like
    /// [`broadcast`](Handle::broadcast) it encodes them once and never waits; a program that keeps lists of its own
    /// decides who gets them. Keep what is sent at once small, 64 KiB or so, because what a client's socket does not
    /// take counts as its backlog ([`Config::max_backlog`](crate::Config::max_backlog)).
    ///
    /// Returns the number of clients that the messages went to. Clients that are closing or gone, or that this call
    /// evicts, do not count. Without a message nothing is sent, and it returns 0. Clients of another server are sent to
    /// as well, but their queues count here.
    ///
    /// ```
    /// # let handle = plainsocket::Server::bind("127.0.0.1:0").unwrap().handle().unwrap();
    /// let players: Vec<plainsocket::Sender> = Vec::new();
    /// let reached = handle.send_to(&players, &["your turn".into(), vec![1, 2].into()]);
    /// assert_eq!(reached, 0, "nobody plays");
    /// ```
    pub fn send_to<'a>(&self, clients: impl IntoIterator<Item = &'a Sender>, messages: &[Message]) -> usize {
        if messages.is_empty() {
            return 0;
        }
        let mut encoded = Vec::new();
        messages.iter().for_each(|message| encode(message.opcode(), message.as_bytes(), &mut encoded));
        let frames = Frames::new([&encoded, &[]], &self.registry);
        clients.into_iter().filter(|client| client.write(&frames).is_ok()).count()
    }

    /// Returns the counters: clients admitted, refused, closed, evicted and dropped, and messages and bytes in both
    /// directions.
    ///
    /// Each call looks at every client that is there, so it is meant for once a second or less, not for each message.
    ///
    /// ```
    /// # let handle = plainsocket::Server::bind("127.0.0.1:0").unwrap().handle().unwrap();
    /// let counters = handle.counters();
    /// assert_eq!((counters.accepted, counters.open, counters.messages_in), (0, 0, 0));
    /// let crowded = counters.refused.get(&503).copied().unwrap_or(0);
    /// assert_eq!(crowded, 0, "nobody was refused because there were too many");
    /// ```
    pub fn counters(&self) -> Counters {
        self.registry.counters()
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
