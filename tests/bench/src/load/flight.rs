//! The messages of one sender that are on their way.

use anyhow::{Result, ensure};
use std::time::{Duration, Instant};

pub struct Flight {
    /// How many receive each message.
    receivers: usize,
    /// The number of the next message to send.
    next: u64,
    /// All messages before this number have been received by everybody: they arrive in order.
    complete: u64,
    /// A place for each message that may be on its way: when it was sent, and how many have yet to receive it.
    places: Vec<(Instant, usize)>,
}

impl Flight {
    pub fn new(first: u64, in_flight: usize, receivers: usize) -> Flight {
        Flight { receivers, next: first, complete: first, places: vec![(Instant::now(), 0); in_flight] }
    }

    pub fn on_their_way(&self) -> usize {
        (self.next - self.complete) as usize
    }

    /// How many may be sent now. Half of the places at least, or none: messages that are sent together cost the load
    /// one system call, so it is not the load that the servers wait for.
    pub fn due(&self) -> usize {
        let free = self.places.len() - self.on_their_way();
        if free >= self.places.len().div_ceil(2) { free } else { 0 }
    }

    /// Notes that `count` are sent.
    pub fn launch(&mut self, count: usize, now: Instant) {
        for _ in 0..count {
            *self.place(self.next) = (now, self.receivers);
            self.next += 1;
        }
    }

    /// Notes that one receiver has this message. If it was the last one: how long it took.
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
