//! The counters of all clients.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Default)]
pub struct Tally {
    /// Messages of good clients that arrived where they should, byte by byte.
    pub echoed: Counter,
    pub chat_delivered: Counter,
    /// Messages of good clients that did not.
    pub lost: Counter,
    /// Good clients whose connection failed.
    pub cut_off: Counter,
    /// Bad clients that the server ended as it should.
    pub ends: Counter,
    /// Bad clients to which the server reacted in another way.
    pub surprises: Counter,
    /// Slow readers that the server has evicted.
    pub put_out: Counter,
    pub reconnects: Counter,
    /// The first descriptions of failures.
    complaints: Mutex<Vec<String>>,
}

impl Tally {
    pub fn complain(&self, text: String) {
        let mut complaints = self.complaints.lock().expect("nobody panics with it");
        if complaints.len() < 20 {
            complaints.push(text);
        }
    }

    pub fn complaints(&self) -> Vec<String> {
        self.complaints.lock().expect("nobody panics with it").clone()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (delivered, lost) = (self.echoed.get() + self.chat_delivered.get(), self.lost.get());
        write!(f, "delivered {delivered} (chat {}), lost {lost}, ", self.chat_delivered.get())?;
        write!(f, "cut off {}, slow readers put out {}, ", self.cut_off.get(), self.put_out.get())?;
        write!(f, "bad ends as expected {}, surprises {}, ", self.ends.get(), self.surprises.get())?;
        write!(f, "reconnects {}", self.reconnects.get())
    }
}
