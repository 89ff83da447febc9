//! The clients' side: one thread for all clients, so that it takes little from the machine, and measures all times with
//! one clock.

mod client;
mod clients;
mod delays;
mod flight;
pub mod tape;

use crate::cores::Cores;
use crate::deadline::Deadline;
use crate::scenario::Load;
use crate::server::Server;
use crate::system;
use anyhow::{Context as _, Result};
use clients::Clients;
use std::time::{Duration, Instant};

/// The figures of one server under one load.
pub struct Reading {
    /// Messages that arrived at a client, per second: with a broadcast, one for each member.
    pub messages_per_second: f64,
    pub payload_bytes_per_second: f64,
    /// The time from sending a message to receiving it; with a broadcast, until the last member has it.
    pub median: Duration,
    pub percentile_99: Duration,
    /// The server's processor time for each of these messages.
    pub server_time_per_message: Option<Duration>,
}

/// Puts `load` on `server` for the time `length`.
pub fn measure(server: &Server, load: &Load, length: Duration, cores: Cores) -> Result<Reading> {
    run(server, load, length, cores).with_context(|| format!("{} failed", server.name))
}

fn run(server: &Server, load: &Load, length: Duration, cores: Cores) -> Result<Reading> {
    let mut clients = Clients::open(server, load, cores)?;
    clients.begin()?;
    // In this warm-up the buffers of threads and kernel grow to their size.
    clients.run_until(Instant::now() + length / 5)?;
    clients.forget();
    let server_time = system::cpu_time(server.id());
    let start = Instant::now();
    clients.run_until(start + length)?;
    let seconds = start.elapsed().as_secs_f64();
    let server_time = system::cpu_time(server.id()).zip(server_time).map(|(after, before)| after - before);
    let messages = clients.arrived as f64;
    let reading = Reading {
        messages_per_second: messages / seconds,
        payload_bytes_per_second: messages * load.payload as f64 / seconds,
        median: clients.delays.percentile(50),
        percentile_99: clients.delays.percentile(99),
        server_time_per_message: server_time.filter(|_| messages > 0.0).map(|time| time.div_f64(messages)),
    };
    clients.collect_the_rest(Deadline::after(Duration::from_secs(10)))?;
    clients.close();
    Ok(reading)
}
