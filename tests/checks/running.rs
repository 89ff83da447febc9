//! A whole server of the subject, on a port that the system picks.

use super::guard::Task;
use super::lesson::{Lesson, Trial};
use super::subject::Subject;
use super::talk::Talk;
use super::words::Settings;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

/// A server that runs until the process ends.
pub struct Running {
    pub address: SocketAddr,
    task: Task<()>,
}

impl Running {
    pub fn start(subject: &Subject, settings: Settings) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
        let address = listener.local_addr().expect("an address");
        let run = subject.run;
        Running { address, task: Task::start(move || run(listener, settings)) }
    }

    /// Connects a client and does its handshake. If that fails because the server has panicked, the lesson says so.
    pub fn connect<'a>(&self, trial: &'a Trial, path: &str) -> Result<Talk<'a>, Lesson> {
        Talk::connect(trial, self.address, path).map_err(|lesson| self.task.panic(trial).unwrap_or(lesson))
    }

    /// Returns whether `run` has returned or panicked, which it never should. The dropped socket is noticed a little
    /// earlier.
    pub fn is_over(&self) -> bool {
        self.task.ends_within(Duration::from_millis(20))
    }
}

/// Settings with short times, so that a check is soon over.
pub fn quick() -> Settings {
    Settings { close_timeout: Duration::from_millis(500), ..Settings::default() }
}
