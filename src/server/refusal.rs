//! Sockets without a thread: refused clients get a reply, and clients after the closing handshake nothing more.
//!
//! A reply is delivered only once the client has read it, because a socket that is closed with bytes unread sends a
//! reset, which takes the reply away (§1.4). So each socket is kept for a moment, and the heartbeat's thread empties
//! it.

use super::registry::Registry;
use super::socket::Socket;
use super::{lock, reply};
use crate::error::HandshakeError;
use crate::protocol::request::Method;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::{Shutdown, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long a refused client has to read its reply and leave.
const MOMENT: Duration = Duration::from_secs(2);

/// The time between two sweeps while a client is leaving.
pub(super) const PAUSE: Duration = Duration::from_millis(50);

/// How many sockets are kept at most. One more, and the oldest is closed at once.
const MOST: usize = 64;

/// The sockets of clients that are leaving.
#[derive(Default)]
pub(super) struct Refusals {
    /// Each with the time since when it has been kept, the oldest first.
    leaving: Mutex<VecDeque<(Arc<Socket>, Instant)>>,
}

impl Refusals {
    /// Replies with an HTTP error. Never waits, because the accept loop calls this.
    pub(super) fn refuse(&self, registry: &Registry, peer: SocketAddr, socket: Arc<Socket>, fault: &HandshakeError) {
        let response = reply::dated(reply::refusal(peer, fault, &[]));
        registry.count_refused(response.status.0);
        // A fresh socket has room for so short a reply.
        let replied = socket
            .write_all(&response.encode(Method::Get), Instant::now())
            .and_then(|()| socket.shutdown(Shutdown::Write));
        if replied.is_ok() {
            self.see_off(socket);
        }
    }

    /// Keeps a half-closed socket until the client has left too, at most for a moment.
    pub(super) fn see_off(&self, socket: Arc<Socket>) {
        if has_left(&socket) {
            return;
        }
        let mut leaving = lock(&self.leaving);
        leaving.push_back((socket, Instant::now()));
        let oldest = if leaving.len() > MOST { leaving.pop_front() } else { None };
        drop(leaving);
        // This closes the socket, so it happens after the lock.
        drop(oldest);
    }

    /// Returns whether no client is leaving.
    pub(super) fn is_empty(&self) -> bool {
        lock(&self.leaving).is_empty()
    }

    /// Discards what the clients have sent, and closes the sockets of those that have left or had their moment.
    pub(super) fn sweep(&self) {
        // Outside the lock, because the accept loop must not wait for these reads.
        let mut leaving = std::mem::take(&mut *lock(&self.leaving));
        // The read comes first, because a socket that is closed with bytes unread resets the connection.
        leaving.retain(|(socket, since)| !has_left(socket) && since.elapsed() < MOMENT);
        let mut newcomers = lock(&self.leaving);
        leaving.append(&mut newcomers);
        while leaving.len() > MOST {
            leaving.pop_front();
        }
        *newcomers = leaving;
    }
}

/// Discards what has arrived, and returns whether the client has left. Reads a few portions only, so that a client that
/// floods holds nobody up.
fn has_left(socket: &Socket) -> bool {
    let mut buffer = [0; 4096];
    for _ in 0..16 {
        match socket.read_now(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != ErrorKind::WouldBlock,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::tests::ClientsEnd;

    #[test]
    fn refused_sockets_stay_until_they_leave_or_are_too_many() {
        let refusals = Refusals::default();
        let clients: Vec<ClientsEnd> = (0..MOST + 6)
            .map(|_| {
                let client = ClientsEnd::default();
                let socket = Arc::new(Socket::new(client.servers_end()));
                let peer = SocketAddr::from(([192, 0, 2, 1], 1));
                refusals.refuse(&Registry::default(), peer, socket, &HandshakeError::TooManyClients);
                assert!(client.wait_for(1).starts_with(b"HTTP/1.1 503 "));
                client
            })
            .collect();
        let closed = || (0..clients.len()).filter(|number| clients[*number].is_closed()).collect::<Vec<_>>();
        assert_eq!(closed(), [0, 1, 2, 3, 4, 5], "the oldest make room");
        refusals.sweep();
        assert_eq!(closed(), [0, 1, 2, 3, 4, 5], "nobody has left, and no moment is over");
        clients[10].end();
        clients[11].send("one that goes on as if nothing had been said");
        refusals.sweep();
        assert_eq!(closed(), [0, 1, 2, 3, 4, 5, 10]);
        clients.iter().for_each(ClientsEnd::end);
        assert!(!refusals.is_empty());
        refusals.sweep();
        assert!(refusals.is_empty() && clients.iter().all(ClientsEnd::is_closed));
    }

    #[test]
    fn late_sweep_reads_before_it_closes() {
        let (refusals, client) = (Refusals::default(), ClientsEnd::default());
        let socket = Arc::new(Socket::new(client.servers_end()));
        let since = Instant::now().checked_sub(2 * MOMENT).unwrap();
        lock(&refusals.leaving).push_back((socket, since));
        client.send("what would reset the connection");
        refusals.sweep();
        assert!(client.is_closed());
        assert_eq!(client.transfers()[0], ("read", 31));
    }
}
