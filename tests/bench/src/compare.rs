//! The order of the readings, and how they are compared.
//!
//! A machine is faster at one moment than at another, because of other programs, heat, or neighbours on the same
//! hardware. So the servers take turns, and each reading is compared with those of the raw server before and after:
//!
//! ```text
//! raw  plainsocket  plain  tungstenite  raw  plainsocket  plain  tungstenite  raw ...
//!  +------------ round 1 ---------------+------------ round 2 ---------------+
//! ```

use crate::cores::Cores;
use crate::load::{Reading, measure};
use crate::options::Options;
use crate::scenario::Load;
use crate::server::Server;
use anyhow::{Context as _, Result};

/// A server under a load, with one reading for each round.
pub struct Row {
    pub server: &'static str,
    pub readings: Vec<Reading>,
    /// Each reading's rate in relation to the raw server's in the same round.
    pub ratios: Vec<f64>,
}

/// Measures all servers; `servers` begins with the raw one.
pub fn run(load: &Load, servers: &[Server], options: &Options, cores: Cores) -> Result<Vec<Row>> {
    let (raw, others) = servers.split_first().context("no server")?;
    let mut rows: Vec<Row> =
        servers.iter().map(|server| Row { server: server.name, readings: Vec::new(), ratios: Vec::new() }).collect();
    let measure = |server| measure(server, load, options.length, cores);
    let mut before = measure(raw)?.messages_per_second;
    for _ in 0..options.rounds {
        let mut round = others.iter().map(measure).collect::<Result<Vec<_>>>()?;
        let last = measure(raw)?;
        let after = last.messages_per_second;
        // The raw server is compared with the mean of its own two readings, which shows how steady the machine was.
        round.insert(0, last);
        for (row, reading) in rows.iter_mut().zip(round) {
            row.ratios.push(reading.messages_per_second / ((before + after) / 2.0));
            row.readings.push(reading);
        }
        before = after;
    }
    Ok(rows)
}
