//! All clients of a load, and the loop that serves them.

use super::client::Client;
use super::delays::Delays;
use super::flight::Flight;
use super::tape::Tape;
use crate::cores::Cores;
use crate::deadline::Deadline;
use crate::scenario::{Load, Traffic};
use crate::server::Server;
use anyhow::{Context as _, Result};
use mio::{Events, Interest, Poll, Token};
use std::io::ErrorKind;
use std::thread;
use std::time::{Duration, Instant};

/// A server that answers no client for this long hangs.
const STALL: Duration = Duration::from_secs(5);

pub struct Clients {
    poll: Poll,
    events: Events,
    clients: Vec<Client>,
    /// One for each client that sends: for all of them, or only for the first.
    flights: Vec<Flight>,
    tape: Tape,
    buffer: Vec<u8>,
    is_raw: bool,
    /// The longest wait for events.
    wait: Duration,
    stall: Deadline,
    /// The messages received since the last `forget`, and their delays.
    pub arrived: u64,
    pub delays: Delays,
}

impl Clients {
    pub fn open(server: &Server, load: &Load, cores: Cores) -> Result<Clients> {
        let tape = Tape::new(load, server.is_raw);
        let poll = Poll::new()?;
        let mut clients = Vec::new();
        let mut flights = Vec::new();
        let broadcast = load.traffic == Traffic::Broadcast;
        let deadline = Deadline::after(Duration::from_secs(60));
        for number in 0..load.clients {
            deadline.check("the clients to connect")?;
            // Each echo client begins elsewhere on the tape, so that it would notice another client's reply.
            let first = if broadcast { 0 } else { number as u64 % tape.count };
            let mut client = Client::new(server.connect(load.traffic)?, first, &tape)?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut client.stream, Token(number), interest)?;
            clients.push(client);
            if !broadcast {
                flights.push(Flight::new(first, load.in_flight, 1));
            }
        }
        if broadcast {
            flights.push(Flight::new(0, load.in_flight, load.clients));
            // A server can add a client to its members a moment after it has answered the handshake.
            thread::sleep(Duration::from_millis(200));
        }
        Ok(Clients {
            poll,
            events: Events::with_capacity(1024),
            clients,
            flights,
            tape,
            buffer: vec![0; 256 * 1024],
            is_raw: server.is_raw,
            // With a core of its own this thread can poll instead of sleeping, so nothing has to wake it.
            wait: if cores == Cores::Split { Duration::ZERO } else { Duration::from_millis(100) },
            stall: Deadline::after(STALL),
            arrived: 0,
            delays: Delays::new(),
        })
    }

    /// Sends as many messages as can be in flight.
    pub fn begin(&mut self) -> Result<()> {
        (0..self.flights.len()).try_for_each(|sender| self.send(sender))
    }

    /// Sends a new message for each message that returns.
    pub fn run_until(&mut self, end: Instant) -> Result<()> {
        while Instant::now() < end {
            self.turn(true)?;
        }
        Ok(())
    }

    /// Stops sending, and fails unless every message returns to each of its receivers.
    pub fn collect_the_rest(&mut self, deadline: Deadline) -> Result<()> {
        while self.flights.iter().any(|flight| flight.on_their_way() > 0) {
            deadline.check("the last messages")?;
            self.turn(false)?;
        }
        Ok(())
    }

    /// Forgets what was counted so far.
    pub fn forget(&mut self) {
        self.arrived = 0;
        self.delays = Delays::new();
    }

    /// Closes all connections properly, so that none is still closing while the next server is measured.
    pub fn close(mut self) {
        self.clients.iter_mut().for_each(|client| client.say_goodbye(self.is_raw));
        let deadline = Deadline::after(Duration::from_secs(2));
        while !self.clients.is_empty() && deadline.check("the server to hang up").is_ok() {
            self.clients.retain_mut(|client| client.is_open(&mut self.buffer));
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits for events and handles them.
    fn turn(&mut self, sending: bool) -> Result<()> {
        match self.poll.poll(&mut self.events, Some(self.wait)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => result?,
        }
        self.stall.check("any reply")?;
        let ready: Vec<usize> = self.events.iter().map(|event| event.token().0).collect();
        for client in ready {
            self.serve(client, sending).with_context(|| format!("client {client}"))?;
        }
        Ok(())
    }

    fn serve(&mut self, number: usize, sending: bool) -> Result<()> {
        let client = &mut self.clients[number];
        client.flush(&self.tape)?;
        let messages = client.receive(&self.tape, &mut self.buffer)?;
        if messages.is_empty() {
            return Ok(());
        }
        let now = Instant::now();
        self.stall = Deadline::after(STALL);
        self.arrived += messages.end - messages.start;
        let sender = if self.flights.len() == 1 { 0 } else { number };
        for message in messages {
            if let Some(delay) = self.flights[sender].land(message, now)? {
                self.delays.add(delay);
            }
        }
        if sending { self.send(sender) } else { Ok(()) }
    }

    fn send(&mut self, sender: usize) -> Result<()> {
        let count = self.flights[sender].due();
        if count == 0 {
            return Ok(());
        }
        self.flights[sender].launch(count, Instant::now());
        self.clients[sender].send(count, &self.tape)
    }
}
