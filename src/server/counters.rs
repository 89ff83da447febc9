//! [`Counters`]: a running server in numbers, for its operator.
//!
//! Each client has numbers of its own, where its threads are anyway: no message costs a lock more, or a shared number
//! that all threads fight for. A client that leaves its seat adds them to the totals. Reading adds up the totals and
//! the numbers of all that are there. Both happen under the lock of the registry, so that no client counts twice or not
//! at all.

use super::frames::Frames;
use super::lock;
use super::outbox::Outbox;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// A running server in numbers, since its start. [`Handle::counters`](crate::Handle::counters) makes it.
///
/// All but [`open`](Counters::open) and [`waiting_bytes`](Counters::waiting_bytes) only ever grow.
///
/// ```
/// use plainsocket::Counters;
///
/// fn summary(now: &Counters) -> String {
///     let refused: u64 = now.refused.values().sum();
///     format!("{} clients, {} messages in, {} out, {refused} refused", now.open, now.messages_in, now.messages_out)
/// }
/// assert_eq!(summary(&Counters::default()), "0 clients, 0 messages in, 0 out, 0 refused");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// How many connections were accepted, those included that got another answer than 101.
    pub accepted: u64,
    /// How many were refused, by the HTTP status. A page or a text with 200 is no refusal. At most 300 entries.
    pub refused: BTreeMap<u16, u64>,
    /// How many clients are there now, from their 101 until TCP's end begins.
    pub open: usize,
    /// How many of those have gone, by the code of the Close that the **client** sent (§7.1.5): 1005 for a Close
    /// without a code, 1006 if no Close arrived or the client broke a rule before. A client is free to choose most
    /// codes, so there can be some 2,000 entries.
    pub closed: BTreeMap<u16, u64>,
    /// How many were evicted: they read too slowly, or memory was at its bound.
    pub evicted: u64,
    /// How many were dropped for their silence.
    pub dropped: u64,
    /// How many messages the handlers were given.
    pub messages_in: u64,
    /// How many messages were sent to clients, each client of a broadcast counted; also one whose write then failed.
    pub messages_out: u64,
    /// How many bytes of frames the clients have sent, with headers and control frames.
    pub bytes_in: u64,
    /// How many bytes of frames were sent to clients, with headers and control frames, and with those that still wait.
    pub bytes_out: u64,
    /// How many bytes of frames wait now, because their clients have not taken them yet.
    pub waiting_bytes: usize,
}

/// The counters of one client's messages and bytes. Only its own thread writes here, so it need not lock or add
/// atomically.
#[derive(Default)]
pub(super) struct Incoming {
    messages: AtomicU64,
    bytes: AtomicU64,
}

/// The counters of the other direction, and how the client has ended, under the lock of its outbox.
#[derive(Clone, Copy, Default)]
pub(super) struct Outgoing {
    messages: u64,
    bytes: u64,
    pub(super) is_evicted: bool,
    pub(super) is_dropped: bool,
}

impl Incoming {
    pub(super) fn count_message(&self) {
        add(&self.messages, 1);
    }

    pub(super) fn count_bytes(&self, bytes: usize) {
        add(&self.bytes, bytes as u64);
    }

    pub(super) fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }
}

/// A load and a store, which cost nothing. `fetch_add` would lock the processor's cache line.
fn add(number: &AtomicU64, more: u64) {
    number.store(number.load(Ordering::Relaxed) + more, Ordering::Relaxed);
}

impl Outgoing {
    pub(super) fn count(&mut self, frames: &Frames) {
        self.messages += frames.messages;
        self.bytes += frames.length() as u64;
    }
}

impl Counters {
    /// Adds a client that is there.
    pub(super) fn add_open(&mut self, outbox: &Outbox) {
        self.add(outbox);
        self.open += 1;
        self.waiting_bytes += outbox.waiting_bytes();
    }

    /// Adds a client that is leaving. Nothing can be sent to it any more.
    pub(super) fn add_closed(&mut self, outbox: &Outbox, close_code: u16) {
        self.add(outbox);
        *self.closed.entry(close_code).or_default() += 1;
    }

    pub(super) fn add_refused(&mut self, status: u16) {
        *self.refused.entry(status).or_default() += 1;
    }

    fn add(&mut self, Outbox { incoming, state, .. }: &Outbox) {
        self.messages_in += incoming.messages();
        self.bytes_in += incoming.bytes.load(Ordering::Relaxed);
        let Outgoing { messages, bytes, is_evicted, is_dropped } = lock(state).outgoing;
        self.messages_out += messages;
        self.bytes_out += bytes;
        self.evicted += u64::from(is_evicted);
        self.dropped += u64::from(is_dropped);
    }
}
