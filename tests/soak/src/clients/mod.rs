//! All clients at once, each in a thread of its own.

mod bad;
mod chat;
mod echo;
mod good;
mod random;
mod rude;
mod slow;

use crate::deadline::{Deadline, check_interrupt};
use crate::server::Server;
use crate::tally::Tally;
use anyhow::Result;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

const REPORT: Duration = Duration::from_secs(5);

/// The behaviour of a client until the mix is over.
type Life = fn(&Mix, &mut StdRng);

/// The number of clients of each kind. A chat room counts as one, and has several members.
const KINDS: [(usize, Life); 6] = [
    (8, echo::talk),
    (4, echo::come_and_go),
    (1, chat::room),
    (3, slow::readers),
    (6, rude::clients),
    (4, random::clients),
];

pub struct Mix<'a> {
    pub address: SocketAddr,
    pub tally: Tally,
    server: &'a Server,
    seed: u64,
    length: Duration,
    deadline: Deadline,
}

impl Mix<'_> {
    pub fn new(server: &Server, seed: u64, length: Duration) -> Mix<'_> {
        let (address, tally, deadline) = (server.address, Tally::default(), Deadline::after(length));
        Mix { address, tally, server, seed, length, deadline }
    }

    pub fn is_over(&self) -> bool {
        self.deadline.is_over()
    }

    /// Runs all clients, and returns when the last of them has ended.
    pub fn run(self) -> Result<Tally> {
        let mix = &self;
        thread::scope(|scope| {
            let lives = KINDS.iter().flat_map(|(count, life)| std::iter::repeat_n(life, *count));
            for (number, life) in lives.enumerate() {
                let mut random = StdRng::seed_from_u64(mix.seed.wrapping_mul(1000) + number as u64);
                scope.spawn(move || life(mix, &mut random));
            }
            mix.report()
        })?;
        check_interrupt()?;
        Ok(self.tally)
    }

    fn report(&self) -> Result<()> {
        let start = Instant::now();
        let mut next = REPORT;
        while !self.is_over() {
            thread::sleep(Duration::from_millis(50));
            if start.elapsed() > next || self.is_over() {
                next += REPORT;
                println!("{:4} s  {}  {}", start.elapsed().as_secs(), self.server.holdings()?, self.tally);
            }
        }
        println!("        over after {:?}", self.length);
        Ok(())
    }
}
