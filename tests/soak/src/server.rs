//! The server: a child process with short timeouts, watched from outside.

use crate::deadline::Deadline;
use crate::process::Process;
use crate::system::Holdings;
use anyhow::{Context as _, Result, bail, ensure};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ChildStderr, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Short times, so that each of them passes often within a run, and a limit that is easily exceeded.
const FLAGS: [&str; 14] = [
    "--listen",
    "127.0.0.1:0",
    "--handshake-timeout",
    "2",
    "--ping-interval",
    "1",
    "--pong-timeout",
    "2",
    "--close-timeout",
    "1",
    "--max-message-size",
    "1048576",
    "--max-clients",
    "200",
];

pub const MAX_MESSAGE: usize = 1 << 20;

/// The server's own threads: the accept loop, signals, log, clock, heartbeat and drain thread.
const OWN_THREADS: u64 = 6;

/// This is longer than any of the timeouts above.
const PATIENCE: Duration = Duration::from_secs(15);

pub struct Server {
    pub address: SocketAddr,
    process: Process,
    log: JoinHandle<Log>,
}

/// The lines that the server wrote to stderr.
#[derive(Default)]
pub struct Log {
    pub evicted: u64,
    pub dropped: u64,
    /// Panics, and log lines of the level error.
    pub alarms: Vec<String>,
}

impl Server {
    pub fn start(program: &Path) -> Result<Server> {
        let mut command = Command::new(program);
        command.args(FLAGS).env("RUST_LOG", "plainsocket=info").stdin(Stdio::null());
        let mut process = Process::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
        let (stdout, stderr) = (process.0.stdout.take(), process.0.stderr.take());
        let log = thread::spawn(move || stderr.map(read_log).unwrap_or_default());
        let line = first_line(stdout.context("no pipe")?)?;
        let address = line.split_whitespace().next_back().and_then(|word| word.parse().ok());
        let address = address.with_context(|| format!("no address in {line:?}"))?;
        Ok(Server { address, process, log })
    }

    pub fn holdings(&self) -> Result<Holdings> {
        Holdings::of(self.process.0.id())
    }

    /// Waits until the thread of every client has ended.
    pub fn wait_until_quiet(&self) -> Result<Holdings> {
        let deadline = Deadline::after(PATIENCE);
        loop {
            let holdings = self.holdings()?;
            if holdings.threads == OWN_THREADS {
                // A refused client's socket has no thread, and is kept for two seconds.
                thread::sleep(Duration::from_secs(3));
                return self.holdings();
            }
            deadline.check("the threads of clients that have gone")?;
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Does the same at the end of the run. Threads or descriptors that are left are then a result, and no reason to
    /// abort.
    pub fn wait_for_as_quiet_as(&self, before: &Holdings) -> Result<Holdings> {
        let deadline = Deadline::after(PATIENCE);
        loop {
            let now = self.holdings()?;
            if deadline.is_over() || (now.threads, now.descriptors) == (before.threads, before.descriptors) {
                return Ok(now);
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Sends SIGTERM. Returns the server's exit code and its whole log.
    pub fn end(self) -> Result<(Option<i32>, Log)> {
        let process = self.process.0.id().to_string();
        let sent = Command::new("kill").args(["-s", "TERM", &process]).status().context("no `kill`")?;
        ensure!(sent.success(), "`kill` failed");
        let status = self.process.finish(PATIENCE, "the server's shutdown")?;
        // The log's reader ends when the server closes stderr.
        let Ok(log) = self.log.join() else { bail!("the reader of its log panicked") };
        Ok((status.code(), log))
    }
}

fn read_log(stderr: ChildStderr) -> Log {
    let mut log = Log::default();
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        log.evicted += u64::from(line.contains(": evicted: "));
        log.dropped += u64::from(line.contains(": dropped after "));
        if line.contains("panicked") || line.contains(" ERROR ") {
            log.alarms.push(line);
        }
    }
    log
}

/// Reads in a thread, because a read from a pipe has no timeout. The thread reads until the server ends, because the
/// server would block on a full pipe.
fn first_line(stdout: ChildStdout) -> Result<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines() {
            let _ = sender.send(line);
        }
    });
    let deadline = Deadline::after(PATIENCE);
    loop {
        match receiver.recv_timeout(Duration::from_millis(100)) {
            Ok(line) => return Ok(line?),
            Err(RecvTimeoutError::Timeout) => deadline.check("the server's first line")?,
            Err(RecvTimeoutError::Disconnected) => bail!("the server did not start"),
        }
    }
}
