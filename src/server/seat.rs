//! A seat: a connection slot, held by an RAII guard (in Java: try-with-resources). It takes a connection through the
//! registry in three steps:
//!
//! 1. **take**: the accept loop takes a seat for each connection, if the limits allow one more.
//! 2. **enter**: the client's thread has read a request to upgrade, and writes the 101 next. From here on the others
//!    reach the client, and shutdown owes it a Close. Their frames wait in the outbox until the 101 is out.
//! 3. **leave**: the seat is free for the next connection. `Drop` does it, so it happens on every way out of the
//!    thread's function, by return, error or panic. A thread that only lingers leaves earlier ([`Seat::linger`]).
//!
//! Each step holds the registry's lock, and so does shutdown when it begins. Shutdown finds a step that came before it
//! in the table, and a seat or an entry that comes after it is refused with
//! [`ShuttingDown`](HandshakeError::ShuttingDown).

use super::lock;
use super::outbox::Outbox;
use super::registry::{Client, Registry, Stage, Table};
use crate::config::Config;
use crate::error::HandshakeError;
use crate::protocol::close::CloseCode;
use std::cell::Cell;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::Arc;

/// A connection's place in the registry. Only the client's own thread has it.
pub(super) struct Seat {
    pub(super) outbox: Arc<Outbox>,
    registry: Arc<Registry>,
    key: SocketAddr,
    place: Cell<Place>,
    close_code: Cell<u16>,
}

/// The kind of thing that the owner of a seat counts as.
#[derive(Clone, Copy)]
enum Place {
    Seated,
    Lingering,
    Gone,
}

/// The most threads that linger without a seat. Without this bound, strangers could have any number of threads.
const MOST_LINGERING: usize = 64;

/// The code that counts if no Close was received (§7.1.5).
const NO_CLOSE: u16 = 1006;

impl Seat {
    /// Takes a seat for a new connection, which is in its handshake. The error says which limit does not allow it.
    pub(super) fn take(registry: &Arc<Registry>, outbox: Arc<Outbox>, config: &Config) -> Result<Seat, HandshakeError> {
        let peer = outbox.peer;
        let mut table = lock(&registry.table);
        table.totals.accepted += 1;
        if registry.is_stopping() {
            return Err(HandshakeError::ShuttingDown);
        }
        let from_this_ip = table.per_ip.get(&peer.ip()).copied().unwrap_or(0);
        if config.max_clients_per_ip.is_some_and(|limit| from_this_ip >= limit) {
            return Err(HandshakeError::TooManyFromThisAddress);
        }
        if table.clients.len() >= config.max_clients {
            return Err(HandshakeError::TooManyClients);
        }
        table.per_ip.insert(peer.ip(), from_this_ip + 1);
        let number = table.next_number;
        table.next_number += 1;
        let key = if table.clients.contains_key(&peer) { namesake(peer, number) } else { peer };
        let client = Client { seat_number: number, outbox: Arc::clone(&outbox), stage: Stage::Handshake };
        table.clients.insert(key, client);
        let (place, close_code) = (Cell::new(Place::Seated), Cell::new(NO_CLOSE));
        Ok(Seat { outbox, registry: Arc::clone(registry), key, place, close_code })
    }

    /// Enters the client, whose 101 is about to be written, and returns the path as its room has it. The error is that
    /// the server is shutting down.
    pub(super) fn enter(&self, path: &str, subprotocol: Option<&str>) -> Result<Arc<str>, HandshakeError> {
        let mut table = lock(&self.registry.table);
        if self.registry.is_stopping() {
            return Err(HandshakeError::ShuttingDown);
        }
        Ok(table.enter(&self.key, path, subprotocol))
    }

    /// Notes the code of the client's Close.
    pub(super) fn note_close(&self, code: CloseCode) {
        self.close_code.set(code.get());
    }

    /// Frees the seat of a thread that is about to end. A second call does nothing: the key can be another connection's
    /// by then. Shutdown waits for the thread's last line in the log, so it counts as one that lingers.
    pub(super) fn leave(&self) {
        let mut table = lock(&self.registry.table);
        table.lingering += 1;
        self.move_to(Place::Lingering, &mut table);
    }

    /// Frees the seat before our FIN, while the thread goes on to read what the client still sends: a client that sees
    /// the FIN can connect again at once, even where an address has one seat only. If many threads linger already,
    /// this one keeps its seat. So does one during shutdown, which has to be able to cut it off.
    pub(super) fn linger(&self) {
        let mut table = lock(&self.registry.table);
        if table.lingering < MOST_LINGERING && !self.registry.is_stopping() {
            table.lingering += 1;
            self.move_to(Place::Lingering, &mut table);
        }
    }

    fn move_to(&self, place: Place, table: &mut Table) {
        match self.place.replace(place) {
            Place::Seated => self.free(table),
            Place::Lingering => table.lingering -= 1,
            Place::Gone => {}
        }
        if table.clients.is_empty() {
            self.registry.empty.notify_all();
        }
    }

    fn free(&self, table: &mut Table) {
        if table.remove(&self.key) {
            table.totals.add_closed(&self.outbox, self.close_code.get());
        }
        let (ip, per_ip) = (self.outbox.peer.ip(), &mut table.per_ip);
        match per_ip.get_mut(&ip) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(per_ip.remove(&ip)),
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.move_to(Place::Gone, &mut lock(&self.registry.table));
    }
}

/// Returns the key for a connection whose peer address is in the table already. A peer address is unique only for each
/// address of ours: a server that listens on all of them can be reached on two from the same address and port. No peer
/// has this key, and no other namesake: it contains the seat's number, beyond the 20 bits of a flow label.
fn namesake(peer: SocketAddr, number: u64) -> SocketAddr {
    let ip = match peer.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    let (flow, scope) = (1 << 31 | number as u32, (number >> 31) as u32);
    SocketAddrV6::new(ip, peer.port(), flow, scope).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::drain::Drain;
    use crate::server::socket::Socket;
    use crate::server::tests::ClientsEnd;
    use std::io::ErrorKind;
    use std::time::{Duration, Instant};

    fn outbox(peer: SocketAddr) -> Arc<Outbox> {
        let socket = Arc::new(Socket::new(ClientsEnd::default().servers_end()));
        Arc::new(Outbox::new(peer, socket, Drain::start().unwrap(), Arc::default()))
    }

    fn take(registry: &Arc<Registry>, peer: SocketAddr) -> Seat {
        Seat::take(registry, outbox(peer), &Config::default()).unwrap()
    }

    fn enter(registry: &Arc<Registry>, peer: SocketAddr) -> Seat {
        let seat = take(registry, peer);
        seat.enter("/chat", None).unwrap();
        seat
    }

    fn peer(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    #[test]
    fn two_clients_with_one_peer_address_are_both_reached() {
        let registry = Arc::new(Registry::default());
        for peer in ["192.0.2.1:7", "[2001:db8::1]:7"] {
            let peer = peer.parse().unwrap();
            let reached = || (registry.count(), registry.count_of("/chat"));
            let [first, second, third] = [(); 3].map(|()| enter(&registry, peer));
            assert_eq!(reached(), (3, 3));
            drop(second);
            assert_eq!(reached(), (2, 2));
            drop(first);
            assert_eq!(reached(), (1, 1));
            let fourth = enter(&registry, peer);
            assert_eq!(reached(), (2, 2));
            drop((third, fourth));
            assert_eq!(reached(), (0, 0));
        }
    }

    #[test]
    fn leaving_twice_spares_the_next_connection_of_the_address() {
        let registry = Arc::new(Registry::default());
        let config = Config { max_clients_per_ip: Some(1), ..Config::default() };
        let first = enter(&registry, peer(1));
        first.leave();
        let second = enter(&registry, peer(1));
        drop(first);
        assert_eq!((registry.count(), registry.count_of("/chat")), (1, 1));
        let third = Seat::take(&registry, outbox(peer(2)), &config);
        assert_eq!(third.err(), Some(HandshakeError::TooManyFromThisAddress));
        drop(second);
        assert_eq!(registry.count(), 0);
    }

    #[test]
    fn leaving_frees_a_slot_of_its_address() {
        let registry = Arc::new(Registry::default());
        let config = Config { max_clients_per_ip: Some(2), ..Config::default() };
        let seat = |port| Seat::take(&registry, outbox(peer(port)), &config);
        let (first, second) = (seat(1).ok(), seat(2).ok());
        assert_eq!(seat(3).err(), Some(HandshakeError::TooManyFromThisAddress));
        drop(first);
        let third = seat(3).ok();
        assert!(second.is_some() && third.is_some());
        assert_eq!(seat(4).err(), Some(HandshakeError::TooManyFromThisAddress));
        drop((second, third));
        assert!(lock(&registry.table).per_ip.is_empty(), "no address is remembered");
    }

    #[test]
    fn lingering_frees_slots_up_to_its_bound() {
        let registry = Arc::new(Registry::default());
        let mut seats: Vec<Seat> = (0..MOST_LINGERING).map(|port| enter(&registry, peer(port as u16))).collect();
        seats.iter().for_each(Seat::linger);
        assert_eq!((registry.count(), registry.count_of("/chat")), (0, 0));
        let one_more = enter(&registry, peer(1000));
        one_more.linger();
        assert_eq!(registry.count(), 1, "it keeps its seat");
        seats.pop();
        one_more.linger();
        assert_eq!(registry.count(), 0, "another has made room");
        drop(one_more);
        assert!(!registry.wait_until_empty(Instant::now()), "shutdown waits for those that linger");
        seats.clear();
        assert!(registry.wait_until_empty(Instant::now()));
    }

    #[test]
    fn lingering_keeps_the_seat_during_shutdown() {
        let registry = Arc::new(Registry::default());
        let seat = enter(&registry, peer(1));
        registry.stop();
        seat.linger();
        assert_eq!(registry.count(), 1);
        registry.cut_off();
        assert_eq!(seat.outbox.socket.read_now(&mut [0]).ok(), Some(0));
    }

    #[test]
    fn nobody_takes_a_seat_or_enters_once_shutdown_has_begun() {
        let registry = Arc::new(Registry::default());
        let seat = take(&registry, peer(1));
        seat.outbox.turn.give();
        registry.stop();
        assert_eq!(
            seat.outbox.socket.read_now(&mut [0]).ok(),
            Some(0),
            "a connection that waits for a request is cut off"
        );
        assert_eq!(seat.enter("/chat", None).err(), Some(HandshakeError::ShuttingDown));
        assert_eq!((registry.count(), registry.count_of("/chat")), (0, 0));
        let late = Seat::take(&registry, outbox(peer(2)), &Config::default());
        assert_eq!(late.err(), Some(HandshakeError::ShuttingDown));
        assert!(!registry.wait_until_empty(Instant::now()));
        drop(seat);
        assert!(registry.wait_until_empty(Instant::now() + Duration::from_secs(1)));
    }

    #[test]
    fn client_entered_before_shutdown_gets_1001_from_its_thread() {
        let registry = Arc::new(Registry::default());
        let seat = enter(&registry, peer(1));
        registry.stop();
        let read = seat.outbox.socket.read_now(&mut [0]).map_err(|error| error.kind());
        assert_eq!(read, Err(ErrorKind::WouldBlock), "it is still connected");
        assert!(seat.outbox.turn.give(), "before it waits for its client, it says goodbye");
    }
}
