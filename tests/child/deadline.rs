//! Every wait has an end: a server that hangs, or Ctrl-C, becomes an error. The error passes up through `main`, so that
//! the servers that were started are ended on the way (see [`process`](crate::process)).

use anyhow::{Result, bail};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Makes SIGINT and SIGTERM set a flag, because ending this process at once would leave its children running.
pub fn end_on_signals() -> Result<()> {
    Ok(ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed))?)
}

#[derive(Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    pub fn after(time: Duration) -> Deadline {
        Deadline(Instant::now() + time)
    }

    /// Returns whether the time has passed, or a signal has arrived.
    pub fn is_over(self) -> bool {
        INTERRUPTED.load(Ordering::Relaxed) || Instant::now() > self.0
    }

    /// Fails if the time is over. A loop that waits for `what` calls this on every turn.
    pub fn check(self, what: &str) -> Result<()> {
        check_interrupt()?;
        if self.is_over() {
            bail!("waited too long for {what}");
        }
        Ok(())
    }
}

pub fn check_interrupt() -> Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    Ok(())
}
