//! Your server: it pings silent clients and disconnects dead ones (§5.5.2).

use super::frame::encode_frame;
use super::registry::Registry;
use crate::checks::words::{PING, Settings, Verdict};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

// ---- step 17 ----

/// Returns what to do about a client that has been silent for the time `silent`. `pinged` is the time since the Ping of
/// this silence, if there was one.
pub fn verdict(silent: Duration, pinged: Option<Duration>, settings: &Settings) -> Verdict {
    todo!("step 17: fine, Ping or drop")
}

/// Checks every client again and again. Runs in a thread of its own.
pub fn watch(registry: Arc<Registry>, settings: Settings) {
    todo!("step 17: the thread of the heartbeat")
}
