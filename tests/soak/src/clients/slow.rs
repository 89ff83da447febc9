//! Members of `/chat` that never read. They send Pongs, so the heartbeat keeps them, and their backlog is what ends
//! them.
//! them.

use super::Mix;
use crate::deadline::Deadline;
use crate::wire::{Raw, frame};
use anyhow::Result;
use plainsocket::protocol::frame::Opcode;
use rand::rngs::StdRng;
use std::thread;
use std::time::Duration;

/// The room fills the system's buffers and the backlog in a few seconds.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn readers(mix: &Mix, _: &mut StdRng) {
    while !mix.is_over() {
        if let Err(error) = until_put_out(mix) {
            mix.tally.surprises.add(1);
            mix.tally.complain(format!("slow reader: {error:#}"));
        }
    }
}

fn until_put_out(mix: &Mix) -> Result<()> {
    let mut raw = Raw::upgrade(mix.address, "/chat")?;
    let deadline = Deadline::after(PATIENCE);
    while raw.send(frame(true, Opcode::Pong, b"here")) {
        if mix.is_over() {
            return Ok(());
        }
        deadline.check("the eviction of a client that does not read")?;
        thread::sleep(Duration::from_millis(100));
    }
    mix.tally.put_out.add(1);
    Ok(())
}
