//! The memory that an idle client costs, which only holds its connection.

use crate::cores::Cores;
use crate::deadline::Deadline;
use crate::load::tape::Tape;
use crate::scenario::{Load, Traffic};
use crate::server::{Program, Server};
use crate::system;
use anyhow::{Context as _, Result};
use plainsocket::protocol::frame::Opcode;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

const CLIENTS: [usize; 2] = [5_000, 10_000];

/// Open descriptors of a process besides those of its clients; a generous estimate.
const OTHER_DESCRIPTORS: usize = 100;

pub struct Row {
    pub server: &'static str,
    pub clients: usize,
    /// The growth of VmRSS for each client.
    pub kib_per_client: f64,
}

/// Returns no rows on systems that do not report memory.
pub fn run(programs: &[Program], cores: Cores) -> Result<Vec<Row>> {
    let Some(limit) = system::descriptor_limit() else {
        eprintln!("left out: this system has no /proc");
        return Ok(Vec::new());
    };
    let mut counts = CLIENTS.map(|wanted| wanted.min(limit.saturating_sub(OTHER_DESCRIPTORS))).to_vec();
    if counts != CLIENTS {
        println!("\n`ulimit -n` is {limit}, so there are at most {} clients.", counts[1]);
    }
    counts.dedup();
    let mut rows = Vec::new();
    for clients in counts {
        for program in programs {
            // A new server for each reading: an old one has kept memory from before, and would not grow.
            let server = Server::start(program, cores)?;
            let kib_per_client = measure(&server, clients).with_context(|| format!("{} failed", server.name))?;
            rows.push(Row { server: server.name, clients, kib_per_client });
        }
    }
    Ok(rows)
}

/// Connects all clients, has each echo one message, and measures while they are silent.
fn measure(server: &Server, clients: usize) -> Result<f64> {
    let load = Load { clients, payload: 64, in_flight: 1, opcode: Opcode::Binary, traffic: Traffic::Echo };
    let tape = Tape::new(&load, server.is_raw);
    let resident = || system::resident_kib(server.id()).context("no VmRSS");
    let before = resident()?;
    let deadline = Deadline::after(Duration::from_secs(60));
    let mut streams = Vec::with_capacity(clients);
    for _ in 0..clients {
        deadline.check("the clients to connect")?;
        let mut stream = server.connect(Traffic::Echo)?;
        echo_once(&mut stream, &tape)?;
        streams.push(stream);
    }
    Ok((resident()? as f64 - before as f64) / clients as f64)
}

fn echo_once(stream: &mut TcpStream, tape: &Tape) -> Result<()> {
    stream.write_all(tape.requests(0, tape.request_length))?;
    let mut reply = vec![0; tape.reply_length as usize];
    stream.read_exact(&mut reply)?;
    tape.check(0, &reply, 0)
}
