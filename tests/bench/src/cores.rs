//! One core for the servers and one for the load, where the system allows it: then neither takes time from the other,
//! and the scheduler moves neither.

use crate::process::Process;
use std::ffi::OsStr;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

const SERVER_CORE: &str = "0";
const LOAD_CORE: &str = "1";

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Cores {
    /// Servers use core 0, and this process uses core 1, where it need not sleep while it waits.
    Split,
    /// The system chooses the cores.
    Shared,
}

/// Moves this process to its core, if there is one for it.
pub fn split() -> Cores {
    let enough = thread::available_parallelism().is_ok_and(|count| count.get() >= 2);
    let own = std::process::id().to_string();
    let possible = cfg!(target_os = "linux")
        && enough
        && taskset(&["-c", SERVER_CORE, "true"])
        && taskset(&["-c", "-p", LOAD_CORE, &own]);
    if possible { Cores::Split } else { Cores::Shared }
}

/// A command for a server, on the servers' core. `taskset` replaces itself with the program, so its process id is the
/// server's.
pub fn server_command(program: impl AsRef<OsStr>, cores: Cores) -> Command {
    match cores {
        Cores::Shared => Command::new(program),
        Cores::Split => {
            let mut command = Command::new("taskset");
            command.args(["-c", SERVER_CORE]).arg(program);
            command
        }
    }
}

fn taskset(arguments: &[&str]) -> bool {
    let mut command = Command::new("taskset");
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = Process::start(&mut command).and_then(|process| process.finish(Duration::from_secs(5), "taskset"));
    status.is_ok_and(|status| status.success())
}
