//! The server on one page, docs/one-page.rs, as a process of its own.

use super::wait_for;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::{env, fs, thread};

/// The path of the example, which cargo builds beside the folder of the tests. `cargo test --test suite` alone does not
/// build it.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let test = env::current_exe().unwrap();
        let profile = test.parent().and_then(Path::parent).expect("target/PROFILE/deps");
        let program = profile.join("examples").join(format!("one-page{}", env::consts::EXE_SUFFIX));
        let changed = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/one-page.rs");
        if changed(&program) < changed(&source) {
            let mut build = Command::new(env!("CARGO"));
            build.args(["build", "--quiet", "--example", "one-page", "--manifest-path"]);
            build.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
            build.arg("--target-dir").arg(profile.parent().expect("target"));
            build.args(profile.ends_with("release").then_some("--release"));
            assert!(build.status().unwrap().success(), "cargo build --example one-page");
        }
        program
    })
}

/// The running server, which ends with the test.
pub struct OnePage {
    pub child: Child,
    pub address: SocketAddr,
    pub log: Arc<Mutex<String>>,
}

impl OnePage {
    /// Starts the server with its usual interval for the heartbeat, so that the heartbeat does nothing while a test
    /// runs.
    pub fn start() -> OnePage {
        OnePage::spawn(Command::new(program()).args(["127.0.0.1:0"]))
    }

    pub fn start_with_interval(seconds: &str) -> OnePage {
        OnePage::spawn(Command::new(program()).args(["127.0.0.1:0", seconds]))
    }

    #[cfg(unix)]
    pub fn start_with_descriptors(limit: &str) -> OnePage {
        let script = format!("ulimit -n {limit}; exec \"$0\" 127.0.0.1:0");
        OnePage::spawn(Command::new("sh").args(["-c", &script]).arg(program()))
    }

    fn spawn(command: &mut Command) -> OnePage {
        // The log has colours here, as on a terminal. Into a pipe, env_logger would write no escape codes at all, not
        // even forged ones.
        command.env("RUST_LOG", "info").env("RUST_LOG_STYLE", "always");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("one-page listening on ").expect("the first line");
        let address = address.parse().unwrap();

        let log = Arc::new(Mutex::new(String::new()));
        let (mut stderr, its_log) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&log));
        thread::spawn(move || {
            let mut line = Vec::new();
            while stderr.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
                its_log.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
        OnePage { child, address, log }
    }

    #[cfg(unix)]
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    pub fn wait_for_log(&self, text: &str) {
        wait_for(&format!("{text:?} in the log"), || self.log.lock().unwrap().contains(text));
    }

    /// Waits for the process to end, and returns whether it succeeded.
    pub fn wait_for_end(&mut self) -> bool {
        let mut status = None;
        wait_for("the end of the process", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.is_some_and(|status| status.success())
    }
}

impl Drop for OnePage {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
