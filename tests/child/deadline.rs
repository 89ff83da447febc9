//! No wait without an end: a server that hangs, or Ctrl-C, becomes an error. It goes up through `main`, so that the
//! servers that were started are ended on the way (see [`process`](crate::process)).

use anyhow::{Result, bail};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Lets SIGINT and SIGTERM set a flag instead of ending this process with its children left running.
pub fn end_on_signals() -> Result<()> {
    Ok(ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed))?)
}

#[derive(Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    pub fn after(time: Duration) -> Deadline {
        Deadline(Instant::now() + time)
    }

    /// Whether it has passed, or somebody wants us to end.
    pub fn is_over(self) -> bool {
        INTERRUPTED.load(Ordering::Relaxed) || Instant::now() > self.0
    }

    /// To be asked on every turn of a loop that waits for `what`.
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
