//! The scenarios that are measured.

use plainsocket::protocol::frame::Opcode;

pub struct Scenario {
    pub name: &'static str,
    pub title: &'static str,
    pub kind: Kind,
}

pub enum Kind {
    /// Messages as fast as they return.
    Load(Load),
    /// Clients that hold a connection and are silent: the memory that each of them costs.
    Idle,
}

pub struct Load {
    pub clients: usize,
    /// The size of a payload in bytes.
    pub payload: usize,
    /// The number of messages that a sender has in flight.
    pub in_flight: usize,
    pub opcode: Opcode,
    pub traffic: Traffic,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Traffic {
    /// Each client sends, and receives its own messages.
    Echo,
    /// The first client sends, and every client receives; a message is in flight until the last one has it.
    Broadcast,
}

pub const SCENARIOS: &[Scenario] = &[
    Scenario { name: "a", title: "1 client, 64 B, 1 in flight", kind: echo(1, 64, 1, Opcode::Binary) },
    Scenario { name: "b", title: "64 clients, 64 B, 1 in flight each", kind: echo(64, 64, 1, Opcode::Binary) },
    Scenario { name: "c", title: "64 clients, 64 B, 16 in flight each", kind: echo(64, 64, 16, Opcode::Binary) },
    Scenario { name: "d", title: "16 clients, 16 KiB, 4 in flight each", kind: echo(16, 16 * 1024, 4, Opcode::Binary) },
    Scenario { name: "e", title: "4 clients, 1 MiB, 1 in flight each", kind: echo(4, 1024 * 1024, 1, Opcode::Binary) },
    Scenario { name: "et", title: "the same as text", kind: echo(4, 1024 * 1024, 1, Opcode::Text) },
    Scenario { name: "f", title: "500 clients, 64 B, 1 in flight each", kind: echo(500, 64, 1, Opcode::Binary) },
    Scenario { name: "g", title: "broadcast to 1,000 clients, 64 B, 1 in flight", kind: broadcast(1000, 64, 1) },
    Scenario { name: "g16", title: "broadcast to 1,000 clients, 64 B, 16 in flight", kind: broadcast(1000, 64, 16) },
    Scenario { name: "h", title: "5,000 and 10,000 idle clients: memory (Linux)", kind: Kind::Idle },
];

const fn echo(clients: usize, payload: usize, in_flight: usize, opcode: Opcode) -> Kind {
    Kind::Load(Load { clients, payload, in_flight, opcode, traffic: Traffic::Echo })
}

const fn broadcast(clients: usize, payload: usize, in_flight: usize) -> Kind {
    Kind::Load(Load { clients, payload, in_flight, opcode: Opcode::Binary, traffic: Traffic::Broadcast })
}
