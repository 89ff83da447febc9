//! `--bus`: the chat's rooms shared with other servers, through Redis Streams. A client's thread publishes, one thread
//! reads, and everybody gets everything from the bus, the sender too.

mod chat;
mod entry;
mod link;
mod reader;
mod room;

pub use chat::{admit, chat};

use crate::events;
use entry::{Id, Said};
use link::{Failure, Link};
use plainsocket::{Handle, Message, Refusal};
use redis::{Client, ConnectionInfo, IntoConnectionInfo as _};
use room::Room;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{env, io, thread};

/// The begin of each stream's key: nobody's path reaches a key of another program.
const PREFIX: &str = "plainsocket:";

/// The longest path of a room, in bytes: a stranger names the key.
const LONGEST_PATH: usize = 256;
/// The most rooms with members on this server, because each command of the reader names them all.
const MOST_ROOMS: usize = 1000;

/// The variables with the credentials, which do not belong on a command line that everybody can list.
const USER: &str = "PLAINSOCKET_BUS_USER";
const PASSWORD: &str = "PLAINSOCKET_BUS_PASSWORD";

/// The rooms that have members here, and the connections.
pub struct Bus {
    /// The server, which sends to the members.
    handle: Handle,
    link: Link,
    rooms: Mutex<HashMap<Arc<str>, Shared>>,
    is_up: AtomicBool,
}

struct Shared {
    room: Arc<Room>,
    /// How many clients are in it, or on their way.
    users: usize,
}

/// A room for as long as somebody uses it; the reader forgets it with the last of these values.
pub struct Subscription {
    bus: Arc<Bus>,
    room: Arc<Room>,
}

/// Checks the value of `--bus`, and takes the credentials from the environment.
pub fn parse_url(url: &str) -> Result<ConnectionInfo, String> {
    if !url.starts_with("redis://") {
        return Err("it reads redis://HOST:PORT/; for TLS see the chapter Beyond".to_owned());
    }
    let info = url.into_connection_info().map_err(|error| error.to_string())?;
    let mut settings = info.redis_settings().clone();
    if settings.password().is_some() || settings.username().is_some() {
        return Err(format!("everybody can list a command line, so the password belongs in {PASSWORD}"));
    }
    if let Ok(user) = env::var(USER) {
        settings = settings.set_username(user);
    }
    if let Ok(password) = env::var(PASSWORD) {
        settings = settings.set_password(password);
    }
    Ok(info.set_redis_settings(settings))
}

impl Bus {
    /// Starts the reader of a server, which connects. `keep` is how many messages a stream keeps. The error is that the
    /// system has no thread left; that Redis is not there is none, because it can come.
    pub fn start(handle: Handle, redis: ConnectionInfo, keep: usize) -> io::Result<Arc<Bus>> {
        let link = Link::new(Client::open(redis).map_err(io::Error::other)?, keep);
        let bus = Arc::new(Bus { handle, link, rooms: Mutex::default(), is_up: AtomicBool::new(false) });
        let its = Arc::clone(&bus);
        thread::Builder::new().name("bus".to_owned()).spawn(move || reader::run(&its))?;
        Ok(bus)
    }

    /// Subscribes to the room of a path, and waits for Redis at most for `PATIENCE`. When this returns, everything that
    /// is published from now on arrives here.
    pub fn subscribe(self: &Arc<Bus>, path: &str) -> Result<Subscription, Refusal> {
        if path.len() > LONGEST_PATH {
            return Err(Refusal::new(414, "the path of a room has at most 256 bytes"));
        }
        let unavailable = || Refusal::new(503, "the bus between the servers is unavailable").header("Retry-After", "5");
        if !self.is_up.load(Relaxed) {
            return Err(unavailable());
        }
        if let Some(subscription) = self.use_room(path, None)? {
            return Ok(subscription);
        }
        let key = format!("{PREFIX}{path}");
        let last = self.link.last(&key).map_err(|_| unavailable())?;
        let subscription = self.use_room(path, Some((&key, last)))?;
        self.link.wake_reader();
        subscription.ok_or_else(unavailable)
    }

    /// Takes the room of a path, which is made if its key and the last message of its stream are known.
    fn use_room(self: &Arc<Bus>, path: &str, new: Option<(&str, Id)>) -> Result<Option<Subscription>, Refusal> {
        let mut rooms = lock(&self.rooms);
        if !rooms.contains_key(path) {
            let Some((key, last)) = new else { return Ok(None) };
            if rooms.len() >= MOST_ROOMS {
                return Err(Refusal::new(503, "this server has no place for another room").header("Retry-After", "5"));
            }
            let room = Arc::new(Room::new(path, key, last));
            rooms.insert(Arc::clone(&room.path), Shared { room, users: 0 });
        }
        let Some(shared) = rooms.get_mut(path) else { return Ok(None) };
        shared.users += 1;
        Ok(Some(Subscription { bus: Arc::clone(self), room: Arc::clone(&shared.room) }))
    }

    /// Returns the rooms that have members here.
    fn rooms(&self) -> Vec<Arc<Room>> {
        lock(&self.rooms).values().map(|shared| Arc::clone(&shared.room)).collect()
    }

    /// Says whether Redis is there, and tells the members if that is new. Returns what it was before.
    fn set_up(&self, is_up: bool) -> bool {
        let was_up = self.is_up.swap(is_up, Relaxed);
        if was_up != is_up {
            let (state, words) = match is_up {
                true => ("up", "the bus between the servers is back; what was said meanwhile follows"),
                false => ("down", "the bus between the servers is unavailable; messages are not passed on"),
            };
            let event = events::bus(state, words);
            self.rooms().iter().for_each(|room| room.announce(&event, words));
        }
        was_up
    }
}

impl Subscription {
    /// Publishes what a member of the room says, and waits for Redis at most for `PATIENCE`. The message has its id
    /// then, and comes back to everybody through the reader.
    fn publish(&self, from: &str, message: Message) -> Result<Id, Failure> {
        self.bus.link.publish(Arc::clone(&self.room.key), Said { from: from.to_owned(), message })
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut rooms = lock(&self.bus.rooms);
        let Some(shared) = rooms.get_mut(&self.room.path) else { return };
        shared.users -= 1;
        if shared.users == 0 {
            rooms.remove(&self.room.path);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A poisoned lock is no reason to stop.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_is_of_redis_and_has_no_credentials() {
        for right in ["redis://127.0.0.1:6379/", "redis://[::1]:1/", "redis://cache/2"] {
            assert!(parse_url(right).is_ok(), "{right}");
        }
        for wrong in [
            "",
            "127.0.0.1:6379",
            "rediss://127.0.0.1/",
            "http://127.0.0.1/",
            "redis://",
            "redis://:secret@127.0.0.1/",
            "redis://ann@h/",
        ] {
            assert!(parse_url(wrong).is_err(), "{wrong}");
        }
    }
}
