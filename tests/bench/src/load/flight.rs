//! The messages of one sender that are in flight.

use anyhow::{Result, ensure};
use std::time::{Duration, Instant};

pub struct Flight {
    /// The number of clients that receive each message.
    receivers: usize,
    /// The number of the next message to send.
    next: u64,
    /// All receivers have every message before this number, because messages arrive in order.
    complete: u64,
    /// A place for each message that can be in flight: the time at which it was sent, and how many receivers still lack
    /// it.
    places: Vec<(Instant, usize)>,
}

impl Flight {
    pub fn new(first: u64, in_flight: usize, receivers: usize) -> Flight {
        Flight { receivers, next: first, complete: first, places: vec![(Instant::now(), 0); in_flight] }
    }

    pub fn on_their_way(&self) -> usize {
        (self.next - self.complete) as usize
    }

    /// Returns how many messages can be sent now: at least half of the places, or none. Messages that are sent together
    /// cost the load one system call, so the servers do not wait for the load.
    pub fn due(&self) -> usize {
        let free = self.places.len() - self.on_their_way();
        if free >= self.places.len().div_ceil(2) { free } else { 0 }
    }

    /// Records that `count` messages are sent.
    pub fn launch(&mut self, count: usize, now: Instant) {
        for _ in 0..count {
            *self.place(self.next) = (now, self.receivers);
            self.next += 1;
        }
    }

    /// Records that one receiver has this message. If it is the last receiver, returns the delay.
    pub fn land(&mut self, number: u64, now: Instant) -> Result<Option<Duration>> {
        ensure!(number < self.next, "a reply to nothing");
        let (sent, receivers) = self.place(number);
        *receivers -= 1;
        if *receivers > 0 {
            return Ok(None);
        }
        let delay = now - *sent;
        self.complete += 1;
        Ok(Some(delay))
    }

    fn place(&mut self, number: u64) -> &mut (Instant, usize) {
        let places = self.places.len() as u64;
        &mut self.places[(number % places) as usize]
    }
}
