//! Your server: Pings for the silent, the end for the dead (§5.5.2).

use super::frame::encode_frame;
use super::registry::Registry;
use crate::checks::words::{PING, Settings, Verdict};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

// ---- step 17 ----

/// What to do about a client that has been silent for so long. `pinged`: it was sent a Ping so long ago, in this silence.
pub fn verdict(silent: Duration, pinged: Option<Duration>, settings: &Settings) -> Verdict {
    todo!("step 17: fine, Ping or drop")
}

/// Looks at every client again and again; in a thread of its own.
pub fn watch(registry: Arc<Registry>, settings: Settings) {
    todo!("step 17: the thread of the heartbeat")
}
