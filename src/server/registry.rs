//! Who is connected: `Mutex<HashMap<SocketAddr, Client>>`, and the seats that the limits count.
//!
//! The locks are never held over I/O: copy the list, then act.

use super::budget::{Budget, Share};
use super::frames::{Current, Frames};
use super::lock;
use super::outbox::Outbox;
use super::socket::Socket;
use crate::config::Config;
use crate::error::HandshakeError;
use crate::protocol::close::{CloseCode, CloseFrame};
use crate::protocol::frame::{self, Opcode};
use std::collections::HashMap;
use std::net::{IpAddr, Shutdown, SocketAddr, SocketAddrV6, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

/// What the other threads need to reach a client. A copy is another hand on the same client.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) seat_number: u64,
    /// The resource name without its query: what [`broadcast`](super::Connection::broadcast) goes by.
    pub(super) path: Arc<str>,
    pub(super) outbox: Arc<Outbox>,
}

/// The outboxes of all clients on one path.
pub(super) type Members = Arc<[Arc<Outbox>]>;

#[derive(Default)]
pub(super) struct Registry {
    /// The clients after their handshake.
    clients: Mutex<HashMap<SocketAddr, Client>>,
    /// Whom a broadcast goes to, for each path until somebody comes or goes. To put the list together takes a
    /// twentieth of the time of a broadcast.
    members: Mutex<HashMap<Arc<str>, Members>>,
    seats: Mutex<Seats>,
    /// Signalled when the last seat has become free.
    empty: Condvar,
    stopping: AtomicBool,
    budget: Arc<Budget>,
    segment: Current,
    /// A descriptor that is given back when the server ends; see [`Registry::stop`].
    spare: Mutex<Option<TcpListener>>,
}

/// Every connection takes a seat, those that are still in their handshake too. Seats have numbers, since an address
/// may come back before the thread of its last connection has ended.
#[derive(Default)]
struct Seats {
    next: u64,
    taken: HashMap<u64, Taken>,
    per_ip: HashMap<IpAddr, usize>,
}

struct Taken {
    socket: Arc<Socket>,
    stage: Stage,
}

#[derive(PartialEq, Eq)]
enum Stage {
    Handshake,
    /// Its 101 is on the way, so it is owed a Close.
    Upgraded,
}

impl Registry {
    /// A seat for a new connection, if the limits allow one.
    pub(super) fn take_seat(
        self: &Arc<Self>,
        peer: SocketAddr,
        socket: &Arc<Socket>,
        config: &Config,
    ) -> Result<Seat, HandshakeError> {
        let mut seats = lock(&self.seats);
        // Either `stop` sees the seat, or this sees the stop.
        if self.is_stopping() {
            return Err(HandshakeError::GoingDown);
        }
        let from_this_ip = seats.per_ip.get(&peer.ip()).copied().unwrap_or(0);
        if config.max_clients_per_ip.is_some_and(|limit| from_this_ip >= limit) {
            return Err(HandshakeError::TooManyFromThisAddress);
        }
        if seats.taken.len() >= config.max_clients {
            return Err(HandshakeError::TooManyClients);
        }
        seats.per_ip.insert(peer.ip(), from_this_ip + 1);
        let number = seats.next;
        seats.next += 1;
        seats.taken.insert(number, Taken { socket: Arc::clone(socket), stage: Stage::Handshake });
        Ok(Seat { registry: Arc::clone(self), peer, number })
    }

    /// A copy of the list.
    pub(super) fn clients(&self) -> Vec<Client> {
        lock(&self.clients).values().cloned().collect()
    }

    pub(super) fn count(&self) -> usize {
        lock(&self.clients).len()
    }

    /// The outboxes of all clients on `path`, in the order in which they came, as their sockets lie in the system's memory.
    pub(super) fn members(&self, path: &Arc<str>) -> Members {
        let mut members = lock(&self.members);
        let list = members.entry(Arc::clone(path)).or_insert_with(|| {
            let clients = lock(&self.clients);
            let mut here: Vec<_> = clients.values().filter(|client| client.path == *path).collect();
            here.sort_unstable_by_key(|client| client.seat_number);
            here.iter().map(|client| Arc::clone(&client.outbox)).collect()
        });
        Arc::clone(list)
    }

    /// The bound on what all clients together make the server hold.
    pub(super) fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// Where frames go that have to wait.
    pub(super) fn segment(&self) -> &Current {
        &self.segment
    }

    /// Memory for frames that have to wait. If it is at its bound, slow clients make room for them: first the one whose
    /// oldest byte has waited longest. `None`: that was not enough.
    pub(super) fn reserve(&self, bytes: usize) -> Option<Share> {
        if let Some(share) = self.budget.reserve(bytes) {
            return Some(share);
        }
        let clients = self.clients().into_iter();
        let mut slow: Vec<_> = clients.filter_map(|client| Some((client.outbox.waiting().1?, client.outbox))).collect();
        slow.sort_unstable_by_key(|(since, _)| *since);
        slow.into_iter().find_map(|(_, outbox)| {
            outbox.evict_for_memory();
            self.budget.reserve(bytes)
        })
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    pub(super) fn keep_spare(&self, descriptor: TcpListener) {
        *lock(&self.spare) = Some(descriptor);
    }

    /// Begins the end: every client gets Close 1001, and a connection that has not become one yet is cut off. A spare
    /// descriptor is given back, so that the accept loop can be woken even if there is no other left.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        drop(lock(&self.spare).take());
        // Whoever is upgraded but not entered yet is in neither list: it finds the stop when it enters.
        let handshakes = self.sockets(|taken| taken.stage == Stage::Handshake);
        for client in self.clients() {
            client.outbox.turn.end(|| client.go_away());
        }
        hang_up(&handshakes);
    }

    /// Ends every connection that is left, so that its thread wakes and ends.
    pub(super) fn cut_off(&self) {
        self.clients().iter().for_each(|client| client.send_close(&going_away()));
        hang_up(&self.sockets(|_| true));
    }

    /// A copy of the list of those seats.
    fn sockets(&self, which: impl Fn(&Taken) -> bool) -> Vec<Arc<Socket>> {
        let seats = lock(&self.seats);
        seats.taken.values().filter(|taken| which(taken)).map(|taken| Arc::clone(&taken.socket)).collect()
    }

    /// Waits until every seat is free, which is the last that a client's thread does. `false`: not by the deadline.
    pub(super) fn wait_until_empty(&self, deadline: Instant) -> bool {
        let mut seats = lock(&self.seats);
        while !seats.taken.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            seats = self.empty.wait_timeout(seats, left).unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
        true
    }
}

fn hang_up(sockets: &[Arc<Socket>]) {
    for socket in sockets {
        let _ = socket.shutdown(Shutdown::Both);
    }
}

/// What every client is told when the server goes down.
pub(super) fn going_away() -> CloseFrame {
    CloseFrame::new(CloseCode::GOING_AWAY, "the server goes down")
}

impl Client {
    /// Says goodbye to a client that waits; one whose message has just arrived gets its reply first.
    fn go_away(&self) {
        if !self.outbox.socket.has_unread() {
            self.send_close(&going_away());
        }
    }

    /// Without waiting; behind what waits already.
    pub(super) fn send_close(&self, close: &CloseFrame) {
        let mut out = Vec::new();
        frame::encode(Opcode::Close, &close.encode(), &mut out);
        // One that is closing already needs no second Close.
        let _ = self.outbox.write(&Frames::close(&out));
    }
}

/// A guard: whichever way the client's thread ends, by return, error or panic, its seat and its entry go with it.
pub(super) struct Seat {
    registry: Arc<Registry>,
    peer: SocketAddr,
    number: u64,
}

impl Seat {
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Its 101 is about to be written: from now on the client is owed a Close. The error is that the server goes down.
    pub(super) fn upgrade(&self) -> Result<(), HandshakeError> {
        let mut seats = lock(&self.registry.seats);
        // Either `stop` sees this, or this sees the stop.
        if self.registry.is_stopping() {
            return Err(HandshakeError::GoingDown);
        }
        if let Some(taken) = seats.taken.get_mut(&self.number) {
            taken.stage = Stage::Upgraded;
        }
        Ok(())
    }

    /// Enters the client: from now on the others can reach it.
    pub(super) fn enter(&self, client: Client) {
        let mut clients = lock(&self.registry.clients);
        let key = if clients.contains_key(&self.peer) { self.namesake() } else { self.peer };
        clients.insert(key, client.clone());
        drop(clients);
        lock(&self.registry.members).remove(&client.path);
        // Either `stop` saw the entry, or the entry sees the stop.
        if self.registry.is_stopping() {
            client.outbox.turn.end(|| ());
        }
    }

    /// The key for a client whose peer address has an entry already. A peer address is unique for each address of ours
    /// only: one that listens on all of them may be reached on two from the same address and port. No peer has this key,
    /// and no other namesake: it has the seat's number, beyond the 20 bits of a flow label.
    fn namesake(&self) -> SocketAddr {
        let ip = match self.peer.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        let (flow, scope) = (1 << 31 | self.number as u32, (self.number >> 31) as u32);
        SocketAddrV6::new(ip, self.peer.port(), flow, scope).into()
    }

    /// Frees the seat before its thread ends.
    pub(super) fn leave(&self) {
        let mut clients = lock(&self.registry.clients);
        let is_ours = clients.get(&self.peer).is_some_and(|client| client.seat_number == self.number);
        let key = if is_ours { self.peer } else { self.namesake() };
        let client = clients.remove(&key);
        drop(clients);
        // After the entry, so that no new list has this client in it.
        if let Some(client) = client {
            lock(&self.registry.members).remove(&client.path);
        }
        let mut seats = lock(&self.registry.seats);
        // Perhaps the last hand on the socket: it is closed at the end of this function, after the lock.
        let socket = seats.taken.remove(&self.number);
        if let Some(count) = seats.per_ip.get_mut(&self.peer.ip()).filter(|_| socket.is_some()) {
            *count -= 1;
            if *count == 0 {
                seats.per_ip.remove(&self.peer.ip());
            }
        }
        if seats.taken.is_empty() {
            self.registry.empty.notify_all();
        }
        drop(seats);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::tests::ClientsEnd;

    fn outbox(peer: SocketAddr, socket: &Arc<Socket>) -> Arc<Outbox> {
        let drain = crate::server::drain::Drain::start().unwrap();
        Arc::new(Outbox::new(peer, Arc::clone(socket), drain, Arc::default()))
    }

    #[test]
    fn members_are_those_on_the_path_in_the_order_in_which_they_came_and_nobody_who_has_gone() {
        let registry = Arc::new(Registry::default());
        let mut guests = Vec::new();
        for port in 0..100 {
            let peer = SocketAddr::from(([192, 0, 2, 1], port));
            let socket = Arc::new(Socket::new(ClientsEnd::new(None, None).servers_end()));
            let outbox = outbox(peer, &socket);
            let seat = registry.take_seat(peer, &socket, &Config::default()).unwrap();
            let path = Arc::from(["/chat", "/echo"][usize::from(port) % 2]);
            seat.enter(Client { seat_number: seat.number(), path, outbox: Arc::clone(&outbox) });
            guests.push((seat, outbox));
        }
        let in_the_chat = |guests: &[(Seat, Arc<Outbox>)]| {
            let members = registry.members(&"/chat".into());
            let expected = guests.iter().filter(|(seat, _)| seat.number() % 2 == 0);
            members.len() == expected.clone().count()
                && members.iter().zip(expected).all(|(member, (_, outbox))| Arc::ptr_eq(member, outbox))
        };
        assert!(in_the_chat(&guests));
        guests.remove(50);
        guests.remove(0);
        assert!(in_the_chat(&guests));
        assert_eq!((guests.len(), registry.members(&"/chat".into()).len()), (98, 48));
    }

    #[test]
    fn two_clients_with_the_same_peer_address_are_both_reached_until_each_has_left() {
        let registry = Arc::new(Registry::default());
        for peer in ["192.0.2.1:7", "[2001:db8::1]:7"] {
            let peer = peer.parse().unwrap();
            let enter = || {
                let socket = Arc::new(Socket::new(ClientsEnd::new(None, None).servers_end()));
                let outbox = outbox(peer, &socket);
                let seat = registry.take_seat(peer, &socket, &Config::default()).unwrap();
                seat.enter(Client { seat_number: seat.number(), path: "/chat".into(), outbox });
                seat
            };
            let reached = || (registry.count(), registry.members(&"/chat".into()).len());
            let (first, second, third) = (enter(), enter(), enter());
            assert_eq!(reached(), (3, 3));
            drop(second);
            assert_eq!(reached(), (2, 2));
            drop(first);
            assert_eq!(reached(), (1, 1));
            let fourth = enter();
            assert_eq!(reached(), (2, 2));
            drop((third, fourth));
            assert_eq!(reached(), (0, 0));
        }
    }

    #[test]
    fn who_leaves_makes_room_for_one_from_the_same_address() {
        let registry = Arc::new(Registry::default());
        let config = Config { max_clients_per_ip: Some(2), ..Config::default() };
        let seat = |port| {
            let socket = Arc::new(Socket::new(ClientsEnd::new(None, None).servers_end()));
            registry.take_seat(SocketAddr::from(([192, 0, 2, 1], port)), &socket, &config)
        };
        let (first, second) = (seat(1).ok(), seat(2).ok());
        assert_eq!(seat(3).err(), Some(HandshakeError::TooManyFromThisAddress));
        drop(first);
        let third = seat(3).ok();
        assert!(second.is_some() && third.is_some());
        assert_eq!(seat(4).err(), Some(HandshakeError::TooManyFromThisAddress));
        drop((second, third));
        assert!(lock(&registry.seats).per_ip.is_empty(), "no address is remembered");
    }
}
