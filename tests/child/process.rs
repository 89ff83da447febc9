//! Child processes that do not outlive what they were started for.

use crate::deadline::Deadline;
use anyhow::{Context as _, Result};
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::Duration;

/// A child that is ended when this value goes, on whatever way: the end of a block, an error, a panic.
pub struct Process(pub Child);

impl Process {
    pub fn start(command: &mut Command) -> Result<Process> {
        let child = command.spawn().with_context(|| format!("cannot start {:?}", command.get_program()))?;
        Ok(Process(child))
    }

    /// Waits for the child to end by itself.
    pub fn finish(mut self, time: Duration, what: &str) -> Result<ExitStatus> {
        let deadline = Deadline::after(time);
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status);
            }
            deadline.check(what)?;
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail if it has ended already, which is as well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
