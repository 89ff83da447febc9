//! The members that a room has on this server, and who of them gets what.
//!
//! Each member has an id: that of the last message it has got. The reader gives a member only what follows it. A member
//! that catches up gets old messages from its own thread, and until it is done the reader puts new ones aside for it.
//! So it gets each message once and in order, whichever of the two threads is first.

use super::entry::{Entry, Id, Missing, Said};
use super::lock;
use crate::events;
use plainsocket::{Handle, Message, Sender};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// The most bytes that are put aside for a member that catches up.
const MOST_ASIDE: usize = 1024 * 1024;

pub struct Room {
    /// The path of its members.
    pub path: Arc<str>,
    /// The key of its stream.
    pub key: Arc<str>,
    inner: Mutex<Inner>,
}

struct Inner {
    /// The last message that the reader has handed on.
    last: Id,
    members: BTreeMap<u64, Seat>,
    /// The number of the next member.
    next: u64,
}

struct Seat {
    sender: Sender,
    wants_events: bool,
    state: State,
}

enum State {
    /// Gets what follows this message.
    Live(Id),
    /// Catches up; `None` if more has been said meanwhile than is put aside.
    CatchingUp(Option<Aside>),
}

#[derive(Default)]
struct Aside {
    entries: Vec<Arc<Entry>>,
    bytes: usize,
}

/// A member's seat in a room; it is free again when this value is dropped.
pub struct Membership {
    room: Arc<Room>,
    number: u64,
    pub wants_events: bool,
    /// The last message that the reader had handed on when this member came.
    pub came_after: Id,
}

impl Room {
    pub fn new(path: &str, key: &str, last: Id) -> Room {
        let inner = Mutex::new(Inner { last, members: BTreeMap::new(), next: 0 });
        Room { path: path.into(), key: key.into(), inner }
    }

    pub fn last(&self) -> Id {
        lock(&self.inner).last
    }

    /// Takes a seat for a client, which gets nothing before it goes live.
    pub fn sit(self: &Arc<Room>, sender: Sender, wants_events: bool) -> Membership {
        let mut inner = lock(&self.inner);
        let (number, came_after) = (inner.next, inner.last);
        inner.next += 1;
        let state = State::CatchingUp(Some(Aside::default()));
        inner.members.insert(number, Seat { sender, wants_events, state });
        Membership { room: Arc::clone(self), number, wants_events, came_after }
    }

    /// Hands messages on to all members here, in one write for each. It waits for none of them.
    pub fn deliver(&self, handle: &Handle, mut entries: Vec<Entry>) {
        let mut inner = lock(&self.inner);
        entries.retain(|entry| entry.id > inner.last);
        let entries: Vec<Arc<Entry>> = entries.into_iter().map(Arc::new).collect();
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return };
        inner.last = last.id;
        let is_whole = last.id.number.checked_sub(first.id.number) == Some(entries.len() as u64 - 1);
        let mut together = [Vec::new(), Vec::new()];
        for seat in inner.members.values_mut() {
            if is_whole && seat.is_just_before(first.id) {
                seat.state = State::Live(last.id);
                together[usize::from(seat.wants_events)].push(&seat.sender);
            } else {
                entries.iter().for_each(|entry| seat.take(entry));
            }
        }
        for (wants_events, senders) in [false, true].into_iter().zip(together) {
            if !senders.is_empty() {
                let messages: Vec<Message> = entries.iter().filter_map(|entry| form(entry, wants_events)).collect();
                handle.send_to(senders, &messages);
            }
        }
    }

    /// Tells all members here something about the bus.
    pub fn announce(&self, event: &str, words: &str) {
        for seat in lock(&self.inner).members.values() {
            let notice = if seat.wants_events { event.to_owned() } else { events::plain_notice(words) };
            // A member that cannot be reached leaves by its own thread, here as everywhere below.
            let _ = seat.sender.send(notice);
        }
    }
}

impl Membership {
    /// Begins to put aside what the reader hands on.
    pub fn put_aside(&self) {
        if let Some(seat) = lock(&self.room.inner).members.get_mut(&self.number) {
            seat.state = State::CatchingUp(Some(Aside::default()));
        }
    }

    /// Sends what was put aside and follows `seen`, and from here on everything else. Returns whether it could: not if
    /// more was said than is put aside, but then it is in the stream.
    pub fn go_live(&self, seen: Id) -> bool {
        let mut inner = lock(&self.room.inner);
        let Some(seat) = inner.members.get_mut(&self.number) else { return true };
        match std::mem::replace(&mut seat.state, State::Live(seen)) {
            State::CatchingUp(Some(aside)) => {
                aside.entries.iter().for_each(|entry| seat.take(entry));
                true
            }
            overflowed => {
                seat.state = overflowed;
                false
            }
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        lock(&self.room.inner).members.remove(&self.number);
    }
}

impl Seat {
    /// Returns whether the member gets the message with this id next, and nothing is missing before it.
    fn is_just_before(&self, id: Id) -> bool {
        matches!(self.state, State::Live(seen) if seen < id && seen.missing_before(id).is_none())
    }

    fn take(&mut self, entry: &Arc<Entry>) {
        match &mut self.state {
            State::CatchingUp(aside) => {
                if aside.as_mut().is_some_and(|aside| !aside.push(entry)) {
                    *aside = None;
                }
            }
            State::Live(seen) if entry.id > *seen => {
                let missing = seen.missing_before(entry.id);
                *seen = entry.id;
                if let Some(missing) = missing {
                    let _ = self.sender.send(gap(missing, self.wants_events));
                }
                if let Some(message) = form(entry, self.wants_events) {
                    let _ = self.sender.send(message);
                }
            }
            State::Live(_) => {}
        }
    }
}

impl Aside {
    /// Returns whether there was room for it.
    fn push(&mut self, entry: &Arc<Entry>) -> bool {
        // Many short ones take memory, too.
        self.bytes += 64 + entry.said.as_ref().map_or(0, |said| said.message.as_bytes().len());
        self.entries.push(Arc::clone(entry));
        self.bytes <= MOST_ASIDE
    }
}

/// Returns a message as a member gets it: as it was sent, or as an event. `None`: the entry says nothing.
pub fn form(entry: &Entry, wants_events: bool) -> Option<Message> {
    let Said { from, message } = entry.said.as_ref()?;
    if !wants_events {
        return Some(message.clone());
    }
    Some(events::message(from, message, Some(&entry.id.to_string())).into())
}

/// Returns the notice about messages that a member does not get.
pub fn gap(missing: Missing, wants_events: bool) -> String {
    let count = if let Missing::Count(count) = missing { Some(count) } else { None };
    if wants_events {
        return events::gap(count);
    }
    events::plain_notice(&match count {
        Some(1) => "1 message before the next one is no longer kept".to_owned(),
        Some(count) => format!("{count} messages before the next one are no longer kept"),
        None => "messages before the next one are no longer kept, and nobody knows how many".to_owned(),
    })
}
