//! The rooms of the chat, with the names of their members. A room is a path; nothing is left of it when its last member
//! has gone. The lock is taken when somebody comes or goes, and never for a message.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most letters of a name that a client asks for.
const LONGEST_NAME: usize = 32;

/// All rooms, by their path.
#[derive(Default)]
pub struct Rooms(Mutex<HashMap<Arc<str>, Room>>);

#[derive(Default)]
struct Room {
    /// The names that somebody has, from before the 101 until the others have heard that it has left.
    taken: HashSet<String>,
    /// The names that the others see.
    present: BTreeSet<String>,
    /// The number of the last guest.
    guests: u64,
    /// How many members want events.
    listeners: Arc<AtomicUsize>,
}

/// A name in a room; it is free again when this value is dropped.
pub struct Member {
    rooms: Arc<Rooms>,
    /// The room's own copy of its path.
    pub room: Arc<str>,
    pub name: String,
    listeners: Arc<AtomicUsize>,
}

impl Rooms {
    /// Takes a name in a room: the wanted one, with a number if somebody has it, or that of a guest.
    pub fn take_name(self: &Arc<Rooms>, room: &str, wanted: Option<&str>) -> Member {
        let mut rooms = self.lock();
        let room = rooms.get_key_value(room).map_or_else(|| room.into(), |(room, _)| Arc::clone(room));
        let its = rooms.entry(Arc::clone(&room)).or_default();
        let name_with = |number: u64| match wanted {
            Some(name) if number == 1 => name.to_owned(),
            Some(name) => format!("{name}-{number}"),
            None => format!("guest-{number}"),
        };
        let first = if wanted.is_some() { 1 } else { its.guests + 1 };
        let number = free_number(first, |number| its.taken.contains(&name_with(number)));
        if wanted.is_none() {
            its.guests = number;
        }
        let name = name_with(number);
        its.taken.insert(name.clone());
        Member { rooms: Arc::clone(self), room, name, listeners: Arc::clone(&its.listeners) }
    }

    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Room>> {
        // Nothing panics while it is held, but a poisoned lock would be no reason to stop either.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    /// Becomes present, and returns how many are. `greet` gets the names of the others while the lock is held, so that
    /// who leaves is announced after it; it must not wait.
    pub fn enter(&self, wants_events: bool, greet: impl FnOnce(&BTreeSet<String>)) -> usize {
        let mut rooms = self.rooms.lock();
        let room = rooms.entry(Arc::clone(&self.room)).or_default();
        self.listeners.fetch_add(usize::from(wants_events), Relaxed);
        greet(&room.present);
        room.present.insert(self.name.clone());
        room.present.len()
    }

    /// Is present no more, and returns how many are. The name stays taken.
    pub fn leave(&self, wanted_events: bool) -> usize {
        let mut rooms = self.rooms.lock();
        let room = rooms.entry(Arc::clone(&self.room)).or_default();
        self.listeners.fetch_sub(usize::from(wanted_events), Relaxed);
        room.present.remove(&self.name);
        room.present.len()
    }

    /// Returns whether a member of the room wants events.
    pub fn has_listeners(&self) -> bool {
        self.listeners.load(Relaxed) > 0
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut rooms = self.rooms.lock();
        let Some(room) = rooms.get_mut(&self.room) else { return };
        room.taken.remove(&self.name);
        if room.taken.is_empty() {
            rooms.remove(&self.room);
            // An attack by many rooms should leave nothing, not even an empty table.
            if rooms.len() * 4 < rooms.capacity() {
                rooms.shrink_to_fit();
            }
        }
    }
}

/// Returns a number that is free: `first` if it is, otherwise one that follows a taken number. It takes few looks,
/// because ten thousand clients can ask for the same name, and everybody waits for the lock.
fn free_number(first: u64, is_taken: impl Fn(u64) -> bool) -> u64 {
    if !is_taken(first) {
        return first;
    }
    let (mut taken, mut free) = (first, first + 1);
    while is_taken(free) {
        (taken, free) = (free, first + 2 * (free - first));
    }
    while free - taken > 1 {
        let middle = taken.midpoint(free);
        *if is_taken(middle) { &mut taken } else { &mut free } = middle;
    }
    free
}

/// Returns the name without the spaces around it, or why it cannot be one. An empty one is none.
pub fn check_name(wanted: &str) -> Result<Option<&str>, &'static str> {
    let name = wanted.trim();
    if name.chars().any(|letter| letter.is_control() || is_unseen(letter)) {
        return Err("a name has no control characters");
    }
    if name.chars().count() > LONGEST_NAME {
        return Err("a name has at most 32 characters");
    }
    Ok(Some(name).filter(|name| !name.is_empty()))
}

/// Returns whether a letter controls what others look like, or is invisible: a name with it can look like another one.
/// The joiners U+200C and U+200D are none of these, because some scripts and emoji need them.
fn is_unseen(letter: char) -> bool {
    let is_bidi =
        matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    is_bidi || matches!(letter, '\u{200b}' | '\u{2060}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn names(members: &[&Member]) -> Vec<String> {
        members.iter().map(|member| member.name.clone()).collect()
    }

    #[test]
    fn name_that_is_taken_gets_a_number_and_is_free_again_after() {
        let rooms = Arc::new(Rooms::default());
        let take = |wanted| rooms.take_name("/chat", wanted);
        let [first, second, third] = [(); 3].map(|()| take(Some("Ann")));
        assert_eq!(names(&[&first, &second, &third]), ["Ann", "Ann-2", "Ann-3"]);
        drop(second);
        let [again, more] = [(); 2].map(|()| take(Some("Ann")));
        assert_eq!(names(&[&again, &more]), ["Ann-2", "Ann-4"]);
        assert_eq!(rooms.take_name("/chat/other", Some("Ann")).name, "Ann", "each room has its own");
    }

    #[test]
    fn guests_are_numbered_past_names_that_are_taken() {
        let rooms = Arc::new(Rooms::default());
        let impostor = rooms.take_name("/chat", Some("guest-2"));
        let guests = [(); 2].map(|()| rooms.take_name("/chat", None));
        assert_eq!(names(&[&impostor, &guests[0], &guests[1]]), ["guest-2", "guest-1", "guest-3"]);
    }

    #[test]
    fn name_that_thousands_have_takes_few_looks() {
        for count in 0..2000 {
            let looks = Cell::new(0);
            let is_taken = |number| {
                looks.set(looks.get() + 1);
                number <= count
            };
            assert_eq!(free_number(1, is_taken), count + 1);
            assert!(looks.get() <= 24, "{} looks for {count} names", looks.get());
        }
        let with_gaps = [1, 2, 3, 5, 8, 9, 11];
        for first in 1..13 {
            let number = free_number(first, |number| with_gaps.contains(&number));
            assert!(number >= first && !with_gaps.contains(&number), "{number} from {first}");
        }
    }

    #[test]
    fn present_are_those_between_enter_and_leave() {
        let rooms = Arc::new(Rooms::default());
        let [ann, bob] = ["Ann", "Bob"].map(|name| rooms.take_name("/chat", Some(name)));
        let mut seen = Vec::new();
        assert_eq!(ann.enter(false, |others| seen.push(others.len())), 1);
        assert!(!ann.has_listeners());
        assert_eq!(bob.enter(true, |others| assert!(others.iter().eq(["Ann"]))), 2);
        assert!(ann.has_listeners() && bob.has_listeners());
        assert_eq!((ann.leave(false), bob.leave(true), ann.has_listeners(), seen), (1, 0, false, vec![0]));
        assert_eq!(rooms.take_name("/chat", Some("Ann")).name, "Ann-2", "until it is dropped");
    }

    #[test]
    fn nothing_is_left_of_a_room_without_members() {
        let rooms = Arc::new(Rooms::default());
        let members: Vec<Member> = (0..1000).map(|i| rooms.take_name(&format!("/chat/{i}"), None)).collect();
        assert_eq!(rooms.lock().len(), 1000);
        drop(members);
        assert_eq!(rooms.lock().capacity(), 0);
    }

    #[test]
    fn check_name_refuses_control_characters_and_long_ones() {
        let (longest, too_long) = ("ü".repeat(32), "ü".repeat(33));
        assert_eq!(check_name(" Ann Lee\n"), Ok(Some("Ann Lee")));
        assert_eq!(check_name(&format!(" {longest} ")), Ok(Some(&*longest)));
        assert_eq!((check_name(""), check_name("  ")), (Ok(None), Ok(None)));
        for joined in ["\u{646}\u{200c}\u{627}", "👨\u{200d}👩", "Zoe\u{308}"] {
            assert_eq!(check_name(joined), Ok(Some(joined)));
        }
        let unseen = ["\u{202e}nnA", "Ann\u{200b}", "\u{feff}", "\u{2066}Ann\u{2069}"];
        for wrong in ["A\nnn", "Ann\u{0}", "\u{1b}[31m", "\u{9b}", &too_long].iter().chain(&unseen) {
            assert!(check_name(wrong).is_err(), "{wrong:?}");
        }
    }
}
