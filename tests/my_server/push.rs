//! Your server: push, which sends messages that nobody asked for.

use super::frame::encode_frame;
use super::registry::Client;
use crate::checks::words::{Settings, TEXT};
use std::thread;

// ---- step 18 ----

/// Returns the frame of a tick: the text `tick 1`, `tick 2`, and so on.
pub fn tick_frame(number: u64) -> Vec<u8> {
    todo!("step 18: the frame of a tick")
}

/// Sends a client its ticks until nothing can be sent to it any more. Runs in a thread of its own.
pub fn push_ticks(client: &Client, settings: &Settings) {
    todo!("step 18: the thread of a client's ticks")
}
