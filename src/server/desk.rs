//! The memory that a thread works with: a desk. It is there for whoever has something to do, and put back before a
//! thread waits for its client to say something. So what a thread works with is still in the processor's cache from the
//! thread before it, which makes an echo of 16 KiB to 16 clients 1.3 times as fast as with memory of each client's own;
//! and a client that waits needs hardly any.

use super::lock;
use super::speed::memory::RESERVE;
use std::sync::Mutex;

/// How much is read at a time, unless a large message takes more.
const INPUT: usize = 64 * 1024;

/// How many desks are kept while nobody uses them, and the most that may have been written on one.
const MOST_DESKS: usize = 16;
const MOST_OUT: usize = 256 * 1024;

/// How many memories for messages are kept while nobody uses them, and how much all of them together: that of four long
/// messages, and 8 MiB. It goes by their capacity; what has been written to may be much less.
const MOST_MESSAGES: usize = 64;
const MOST_MEMORY: usize = 4 * RESERVE + 8 * 1024 * 1024;

#[derive(Default)]
pub(super) struct Desk {
    /// For what is read: as long as [`INPUT`], of any content.
    pub(super) input: Vec<u8>,
    /// For frames to this client; empty.
    pub(super) out: Vec<u8>,
    /// For frames to all others on its path; empty.
    pub(super) out_to_others: Vec<u8>,
    /// For the next message; of any content.
    pub(super) message: Option<Vec<u8>>,
}

#[derive(Default)]
pub(super) struct Desks {
    free: Mutex<Free>,
}

/// The last that was put back is the next that is taken. A message that is still arriving stays with its client, so
/// there may be more desks than memories for messages, or fewer.
#[derive(Default)]
struct Free {
    desks: Vec<Desk>,
    messages: Vec<Vec<u8>>,
    /// The sum over `messages`.
    memory: usize,
    /// How few of each there were at any time since [`Desks::tidy`]: so many have lain there unused.
    fewest_desks: usize,
    fewest_messages: usize,
}

impl Desks {
    /// A desk; `message`: with memory for a message, if there is any.
    pub(super) fn take(&self, message: bool) -> Desk {
        let mut free = lock(&self.free);
        let desk = free.desks.pop();
        let message = if message { free.messages.pop() } else { None };
        free.memory -= message.as_ref().map_or(0, Vec::capacity);
        free.fewest_desks = free.fewest_desks.min(free.desks.len());
        free.fewest_messages = free.fewest_messages.min(free.messages.len());
        drop(free);
        let desk = desk.unwrap_or_else(|| Desk { input: vec![0; INPUT], ..Desk::default() });
        Desk { message, ..desk }
    }

    /// Keeps the desk for the next thread, unless there are enough.
    pub(super) fn put_back(&self, mut desk: Desk) {
        let message = desk.message.take();
        let memory = message.as_ref().map_or(0, Vec::capacity);
        let is_large = desk.out.capacity().max(desk.out_to_others.capacity()) > MOST_OUT;
        let mut free = lock(&self.free);
        if free.messages.len() < MOST_MESSAGES && free.memory + memory <= MOST_MEMORY {
            free.messages.extend(message);
            free.memory += memory;
        }
        if free.desks.len() < MOST_DESKS && !is_large {
            free.desks.push(desk);
        }
    }

    /// Gives up what nobody has taken since the last call, but for one desk: a server that has become quiet needs no more.
    /// Called now and then, for example each second.
    pub(super) fn tidy(&self) {
        let mut free = lock(&self.free);
        // The last that was put back is taken first, so those at the front are the ones that nobody has taken.
        let unused = free.fewest_desks.min(free.desks.len().saturating_sub(1));
        let desks: Vec<Desk> = free.desks.drain(..unused).collect();
        let unused = free.fewest_messages;
        let messages: Vec<Vec<u8>> = free.messages.drain(..unused).collect();
        free.memory -= messages.iter().map(Vec::capacity).sum::<usize>();
        (free.fewest_desks, free.fewest_messages) = (free.desks.len(), free.messages.len());
        drop(free);
        // To give memory back may take a while: not under the lock.
        drop((desks, messages));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Server;
    use crate::server::tests::wait_until;
    use std::sync::Arc;
    use std::thread;

    fn desk_with_message(capacity: usize) -> Desk {
        Desk { input: vec![0; INPUT], message: Some(Vec::with_capacity(capacity)), ..Desk::default() }
    }

    #[test]
    fn the_desk_that_was_used_last_is_the_next() {
        let desks = Desks::default();
        let (first, second) = (desks.take(true), desks.take(true));
        let address = second.input.as_ptr();
        desks.put_back(first);
        desks.put_back(second);
        assert_eq!(desks.take(true).input.as_ptr(), address);
    }

    #[test]
    fn memory_for_a_message_is_taken_only_by_who_needs_it() {
        let desks = Desks::default();
        desks.put_back(desk_with_message(100));
        assert!(desks.take(false).message.is_none());
        assert_eq!(desks.take(true).message.unwrap().capacity(), 100);
        assert!(desks.take(true).message.is_none());
    }

    #[test]
    fn what_nobody_has_taken_for_a_while_is_given_up() {
        let desks = Desks::default();
        let kept = |desks: &Desks| {
            let free = lock(&desks.free);
            (free.desks.len(), free.messages.len(), free.memory)
        };
        (0..5).for_each(|_| desks.put_back(desk_with_message(100)));
        desks.tidy();
        assert_eq!(kept(&desks), (5, 5, 500), "they have just come");
        // Two at a time are in use.
        let (first, second) = (desks.take(true), desks.take(false));
        desks.put_back(first);
        desks.put_back(second);
        desks.tidy();
        assert_eq!(kept(&desks), (2, 1, 100));
        desks.tidy();
        assert_eq!(kept(&desks), (1, 0, 0), "all is quiet");
        desks.tidy();
        assert_eq!(kept(&desks), (1, 0, 0), "the next client finds a desk");
    }

    #[test]
    fn a_running_server_tidies_by_itself() {
        let server = Server::bind("127.0.0.1:0").unwrap();
        let (handle, desks) = (server.handle().unwrap(), Arc::clone(&server.service.desks));
        let running = thread::spawn(move || server.run());
        (0..5).for_each(|_| desks.put_back(desk_with_message(100)));
        wait_until(|| lock(&desks.free).desks.len() == 1);
        handle.shutdown();
        running.join().unwrap().unwrap();
    }

    #[test]
    fn as_much_is_kept_as_the_bounds_allow() {
        let desks = Desks::default();
        let desk = || Desk { out: Vec::with_capacity(MOST_OUT), ..desk_with_message(10) };
        (0..100).for_each(|_| desks.put_back(desk()));
        let free = lock(&desks.free);
        assert_eq!((free.desks.len(), free.messages.len()), (MOST_DESKS, MOST_MESSAGES));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let desks = Desks::default();
        for _ in 0..1000 {
            desks.put_back(Desk { out: Vec::with_capacity(MOST_OUT + 1), ..desk_with_message(10) });
            desks.put_back(desk_with_message(MOST_MEMORY / 4));
        }
        let large = desks.take(true).message.unwrap().capacity();
        let free = lock(&desks.free);
        assert!(large > 0 && free.desks.len() <= MOST_DESKS && free.messages.len() <= MOST_MESSAGES);
        assert_eq!(free.memory, free.messages.iter().map(Vec::capacity).sum::<usize>());
        assert!((MOST_MEMORY / 2..=MOST_MEMORY).contains(&(free.memory + large)));
        // A change of these is a change of what an idle server keeps: speed and memory are to be measured anew.
        assert_eq!((INPUT, MOST_OUT, MOST_MEMORY), (65_536, 262_144, 4 * RESERVE + 8_388_608));
        assert!(free.desks.iter().all(|desk| desk.out.capacity() <= MOST_OUT));
    }
}
