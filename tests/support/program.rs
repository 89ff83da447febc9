//! The program as a process of its own, and the system's figures about it.

use super::wait_for;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// The program's threads beside those of clients: main, which accepts, and signals, log, clock, heartbeat, drain.
pub const OWN_THREADS: usize = 6;

/// A command that would start the program with these arguments.
pub fn plainsocket(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plainsocket"));
    command.args(arguments).env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// The same command with another limit of file descriptors than our own.
#[cfg(unix)]
pub fn with_descriptors(limit: &str) -> Command {
    let mut command = Command::new("sh");
    let script = format!("ulimit -n {limit}; exec \"$0\" --listen 127.0.0.1:0 \"$@\"");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_plainsocket")]).env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// The running program, which ends with the test.
pub struct Program {
    pub child: Child,
    pub address: SocketAddr,
    pub first_lines: Vec<String>,
}

impl Program {
    pub fn start(arguments: &[&str]) -> Program {
        let mut command = plainsocket(&["--listen", "127.0.0.1:0"]);
        command.args(arguments);
        Program::spawn(command)
    }

    #[cfg(unix)]
    pub fn start_with_descriptors(limit: &str, arguments: &[&str]) -> Program {
        let mut command = with_descriptors(limit);
        command.args(arguments);
        Program::spawn(command)
    }

    /// Starts the program as a user whose number of threads is limited. Needs root, because the limit does not apply to
    /// root itself.
    pub fn start_with_threads(limit: usize) -> Program {
        // That user might have no access to the folder of the program.
        let copy = std::env::temp_dir().join(format!("plainsocket-{}", std::process::id()));
        std::fs::copy(env!("CARGO_BIN_EXE_plainsocket"), &copy).unwrap();
        let mut command = Command::new("prlimit");
        command.arg(format!("--nproc={limit}")).args(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]);
        command.arg(&copy).args(["--listen", "127.0.0.1:0"]).env_remove("RUST_LOG");
        let program = Program::spawn(command);
        let _ = std::fs::remove_file(copy);
        program
    }

    fn spawn(mut command: Command) -> Program {
        command.stderr(Stdio::null());
        Program::spawn_with_log(command)
    }

    /// Starts a command whose stderr the caller has set.
    pub fn spawn_with_log(mut command: Command) -> Program {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first_lines: Vec<String> = lines.take(4).map(Result::unwrap).collect();
        let address = first_lines[0].rsplit(' ').next().unwrap().parse().unwrap();
        Program { child, address, first_lines }
    }

    /// Starts a command whose stdout the caller has set too. The system gives the address, because no first line can be
    /// read.
    pub fn spawn_with_stdout(mut command: Command) -> Program {
        let child = command.spawn().unwrap();
        let mut program = Program { child, address: ([0; 4], 0).into(), first_lines: Vec::new() };
        wait_for("a listening socket", || {
            assert_eq!(program.child.try_wait().unwrap(), None, "the program has ended");
            listening(program.child.id()).map(|address| program.address = address).is_some()
        });
        program
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Waits for the program to end, and returns its exit code.
    pub fn wait(&mut self) -> Option<i32> {
        let mut status = None;
        wait_for("the end of the program", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().code()
    }

    /// Returns a value of `/proc/PID/status`: "VmRSS" or "VmHWM" (the peak of VmRSS), in KiB, or "Threads".
    pub fn status(&self, name: &str) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Returns the number of open file descriptors.
    pub fn descriptors(&self) -> usize {
        self.descriptors_below(usize::MAX)
    }

    /// Returns the number of descriptors that count for a limit; inherited ones can have numbers above it.
    pub fn descriptors_below(&self, limit: usize) -> usize {
        let numbers = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        let number = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().to_str()?.parse().ok();
        numbers.filter_map(number).filter(|number: &usize| *number < limit).count()
    }

    /// Returns the processor time that was used so far, in seconds.
    pub fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        // utime and stime, in hundredths of a second.
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
    }
}

/// Returns the IPv4 address on which a process listens, from the system's table of sockets.
fn listening(pid: u32) -> Option<SocketAddr> {
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let links: Vec<_> = descriptors.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok()).collect();
    let table = std::fs::read_to_string(format!("/proc/{pid}/net/tcp")).ok()?;
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_own = links.iter().any(|link| link.as_os_str() == &*format!("socket:[{}]", fields[9]));
        let (ip, port) = fields[1].split_once(':')?;
        let ip = u32::from_str_radix(ip, 16).ok()?.to_ne_bytes();
        // 0A is the state LISTEN.
        (is_own && fields[3] == "0A").then_some((ip, u16::from_str_radix(port, 16).ok()?).into())
    })
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
