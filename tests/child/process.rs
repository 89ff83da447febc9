//! Child processes that end with the value that holds them.

use crate::deadline::Deadline;
use anyhow::{Context as _, Result};
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::Duration;

/// A child process that is killed when this value is dropped: at the end of a block, by an error, or by a panic.
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
        // Both calls fail if the child has ended already, which is no problem.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
