//! All connections: a `Mutex<HashMap<SocketAddr, Client>>`, with the numbers for the limits beside the map.
//!
//! Each connection takes a [`Seat`](super::seat::Seat), which puts it into the map and takes it out again. Everything
//! that has to agree is under the one lock, and the lock is never held over I/O: copy the list, then act.

use super::budget::{Budget, Share};
use super::compression::{Deflaters, Inflaters};
use super::counters::Counters;
use super::lock;
use super::outbox::Outbox;
use super::speed::{MemberLists, Members, Segments};
use crate::protocol::close::{CloseCode, CloseFrame};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

/// The parts of a client that other threads need to reach it. A clone refers to the same client.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) seat_number: u64,
    pub(super) outbox: Arc<Outbox>,
    pub(super) stage: Stage,
}

/// The stage of a connection.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// In its opening handshake: shutdown cuts it off, unless a whole request has arrived.
    Handshake,
    /// A client of this path (the resource name without its query): it is owed a Close, and broadcasts reach it.
    Entered(Arc<str>),
}

/// The data that the lock of the registry guards.
#[derive(Default)]
pub(super) struct Table {
    /// Every connection, by the address of the client. [`Seat`](super::seat::Seat) says when the key is another one.
    pub(super) clients: HashMap<SocketAddr, Client>,
    pub(super) per_ip: HashMap<IpAddr, usize>,
    /// How many threads have given their seat back, and still read what their client sends.
    pub(super) lingering: usize,
    pub(super) next_number: u64,
    /// The clients that have entered, by path. An empty room is removed.
    pub(super) rooms: HashMap<Arc<str>, Room>,
    /// Of all that have left, and of those that never entered.
    pub(super) totals: Counters,
}

/// Whom a broadcast goes to, of the clients on its path.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Audience {
    Everybody,
    /// Those whose handshake has selected this subprotocol, or none.
    Speaking(Option<Arc<str>>),
}

/// The clients of one path: an index, so that a broadcast need not look at all other clients.
#[derive(Default)]
pub(super) struct Room {
    /// By the numbers of their seats, so the oldest connection is the first: their sockets lie in the system's memory
    /// in that order. With the subprotocol of each.
    members: BTreeMap<u64, (Option<Arc<str>>, Arc<Outbox>)>,
    lists: MemberLists<Audience>,
}

/// All connections, and the state that they share.
#[derive(Default)]
pub(super) struct Registry {
    pub(super) table: Mutex<Table>,
    /// Signalled when the last seat is free, and when a thread has lingered after that.
    pub(super) empty: Condvar,
    /// Written under the lock of the table. So a client that enters has either been entered when shutdown reads the
    /// table, or learns of the shutdown. An atomic, because each reply asks, without the lock.
    stopping: AtomicBool,
    budget: Arc<Budget>,
    segments: Segments,
    deflaters: Deflaters,
    inflaters: Inflaters,
    /// A file descriptor that is given back at shutdown; see [`Registry::stop`].
    spare: Mutex<Option<TcpListener>>,
}

impl Registry {
    /// Returns a copy of the list of those that have entered.
    pub(super) fn clients(&self) -> Vec<Client> {
        lock(&self.table).entered().cloned().collect()
    }

    /// Returns how many have entered.
    pub(super) fn count(&self) -> usize {
        lock(&self.table).entered().count()
    }

    /// Returns the server in numbers.
    pub(super) fn counters(&self) -> Counters {
        let table = lock(&self.table);
        let mut counters = table.totals.clone();
        table.entered().for_each(|client| counters.add_open(&client.outbox));
        counters
    }

    /// Counts a client that gets an HTTP error, before it can know.
    pub(super) fn count_refused(&self, status: u16) {
        lock(&self.table).totals.add_refused(status);
    }

    /// Returns how many have entered on `path`.
    pub(super) fn count_of(&self, path: &str) -> usize {
        lock(&self.table).rooms.get(path).map_or(0, |room| room.members.len())
    }

    /// Returns the outboxes of the audience on `path`, oldest connection first.
    pub(super) fn members(&self, path: &str, audience: &Audience) -> Members {
        lock(&self.table).rooms.get_mut(path).map_or_else(Members::default, |room| room.list(audience))
    }

    /// Returns the bound on what all clients together make the server hold.
    pub(super) fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// Returns where frames go that have to wait.
    pub(super) fn segments(&self) -> &Segments {
        &self.segments
    }

    /// Returns the compressors that threads borrow.
    pub(super) fn deflaters(&self) -> &Deflaters {
        &self.deflaters
    }

    /// Returns the inflaters that threads borrow.
    pub(super) fn inflaters(&self) -> &Inflaters {
        &self.inflaters
    }

    /// Reserves memory for frames that have to wait. At the bound, slow clients are evicted to make room, the one whose
    /// oldest byte has waited longest first. `None`: that was not enough.
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

    /// Returns whether the server shuts down. Final only under the lock of the table; without it, `false` can be late.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Keeps a file descriptor for [`stop`](Registry::stop).
    pub(super) fn keep_spare(&self, descriptor: TcpListener) {
        *lock(&self.spare) = Some(descriptor);
    }

    /// Begins the shutdown: every client gets Close 1001, and a connection that waits for a request is cut off. A spare
    /// descriptor is given back, so that the accept loop can be woken even when no other is left.
    pub(super) fn stop(&self) {
        let table = lock(&self.table);
        self.stopping.store(true, Ordering::Release);
        let all = table.all();
        drop(table);
        drop(lock(&self.spare).take());
        for client in all {
            // If the client's own thread is busy with a request or a message, it ends by itself, after the reply.
            client.outbox.turn.end(|| client.say_goodbye());
        }
    }

    /// Ends every connection that is left, so that its thread wakes and ends.
    pub(super) fn cut_off(&self) {
        let all = lock(&self.table).all();
        for client in all {
            // Before the 101 it waits in the outbox, and is dropped.
            client.send_close(&going_away());
            client.outbox.disconnect();
        }
    }

    /// Waits until every seat is free. Returns `false` if that has not happened by the deadline.
    pub(super) fn wait_for_seats(&self, deadline: Instant) -> bool {
        self.wait_until(deadline, |table| table.clients.is_empty())
    }

    /// Waits until no thread lingers either: that is the last thing that a client's thread does.
    pub(super) fn wait_until_empty(&self, deadline: Instant) -> bool {
        self.wait_until(deadline, |table| table.clients.is_empty() && table.lingering == 0)
    }

    fn wait_until(&self, deadline: Instant, condition: impl Fn(&Table) -> bool) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        let waited = self.empty.wait_timeout_while(lock(&self.table), left, |table| !condition(table));
        condition(&waited.unwrap_or_else(PoisonError::into_inner).0)
    }
}

impl Table {
    fn all(&self) -> Vec<Client> {
        self.clients.values().cloned().collect()
    }

    fn entered(&self) -> impl Iterator<Item = &Client> {
        self.clients.values().filter(|client| client.stage != Stage::Handshake)
    }

    /// Puts the client with this key into the room of its path, and returns the room's own copy of the path: of 8 KiB
    /// each, more copies would be much.
    pub(super) fn enter(&mut self, key: &SocketAddr, path: &str, subprotocol: Option<&str>) -> Arc<str> {
        let path = self.rooms.get_key_value(path).map_or_else(|| path.into(), |(path, _)| Arc::clone(path));
        let Some(client) = self.clients.get_mut(key) else { return path };
        client.stage = Stage::Entered(Arc::clone(&path));
        let room = self.rooms.entry(Arc::clone(&path)).or_default();
        room.members.insert(client.seat_number, (subprotocol.map(Into::into), Arc::clone(&client.outbox)));
        room.lists.forget();
        path
    }

    /// Removes the client with this key, and its room if it was the last in it. Returns whether it had entered.
    pub(super) fn remove(&mut self, key: &SocketAddr) -> bool {
        let Some(Client { seat_number, stage: Stage::Entered(path), .. }) = self.clients.remove(key) else {
            return false;
        };
        if let Entry::Occupied(mut room) = self.rooms.entry(path) {
            room.get_mut().members.remove(&seat_number);
            room.get_mut().lists.forget();
            if room.get().members.is_empty() {
                room.remove();
            }
        }
        true
    }
}

impl Room {
    fn list(&mut self, audience: &Audience) -> Members {
        let Room { members, lists } = self;
        let is_in = |subprotocol: &Option<Arc<str>>| match audience {
            Audience::Everybody => true,
            Audience::Speaking(name) => name == subprotocol,
        };
        let build = || members.values().filter(|member| is_in(&member.0)).map(|member| Arc::clone(&member.1)).collect();
        lists.get(audience, build)
    }
}

/// Returns the Close frame for every client at shutdown.
pub(super) fn going_away() -> CloseFrame {
    CloseFrame::new(CloseCode::GOING_AWAY, "the server is shutting down")
}

impl Client {
    /// Ends the wait for a client. One whose request or message has just arrived gets its reply first.
    fn say_goodbye(&self) {
        match self.stage {
            _ if self.outbox.socket.has_unread() => {}
            // Only the reading side, because the thread might have just read the request. It fails if the client has
            // gone.
            Stage::Handshake => drop(self.outbox.socket.shutdown(Shutdown::Read)),
            Stage::Entered(_) => self.send_close(&going_away()),
        }
    }

    /// Sends a Close frame, after what is queued already, without waiting.
    pub(super) fn send_close(&self, close: &CloseFrame) {
        // One that is closing already needs no second Close.
        let _ = self.outbox.send_close(close);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::server::drain::Drain;
    use crate::server::seat::Seat;
    use crate::server::socket::Socket;
    use crate::server::tests::ClientsEnd;

    #[test]
    fn members_are_listed_in_order_of_arrival() {
        let registry = Arc::new(Registry::default());
        let drain = Drain::start().unwrap();
        let mut seats = Vec::new();
        for port in 0..100 {
            let peer = SocketAddr::from(([192, 0, 2, 1], port));
            let socket = Arc::new(Socket::new(ClientsEnd::default().servers_end()));
            let outbox = Arc::new(Outbox::new(peer, socket, Arc::clone(&drain), Arc::default()));
            let seat = Seat::take(&registry, outbox, &Config::default()).unwrap();
            let path = ["/chat", "/echo"][usize::from(port) % 2];
            seat.enter(path, None).unwrap();
            seats.push((seat, path));
        }
        let in_the_chat = |seats: &[(Seat, &str)]| {
            let members = registry.members("/chat", &Audience::Everybody);
            let expected = seats.iter().filter(|(_, path)| *path == "/chat");
            members.len() == expected.clone().count()
                && members.iter().zip(expected).all(|(member, (seat, _))| Arc::ptr_eq(member, &seat.outbox))
        };
        assert!(in_the_chat(&seats));
        seats.remove(50);
        seats.remove(0);
        assert!(in_the_chat(&seats));
        assert_eq!((seats.len(), registry.count_of("/chat")), (98, 48));
    }
}
