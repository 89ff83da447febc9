//! The verdict of the exercises; the real one is private. The thread that acts on it is that of the real server.

use crate::checks::words::{Settings, Verdict};
use std::time::Duration;

pub fn verdict(silent: Duration, pinged: Option<Duration>, settings: &Settings) -> Verdict {
    match pinged {
        _ if silent < settings.ping_interval => Verdict::Fine,
        None => Verdict::Ping,
        Some(since) if since < settings.pong_timeout => Verdict::Fine,
        Some(_) => Verdict::Drop,
    }
}
