//! A Redis for one test: Debian's `redis-server`, on a port that the system picks, with its file in a temporary folder.

use crate::support::wait_for;
use redis::{Client, Connection};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// The running Redis, which ends with the test.
pub struct Redis {
    child: Option<Child>,
    pub port: u16,
    folder: PathBuf,
    password: Option<&'static str>,
}

impl Redis {
    pub fn start() -> Redis {
        Redis::start_with(None)
    }

    pub fn start_with(password: Option<&'static str>) -> Redis {
        let mut redis = Redis::absent();
        redis.password = password;
        redis.run();
        redis
    }

    /// A Redis that is not started yet.
    pub fn absent() -> Redis {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let number = COUNT.fetch_add(1, Relaxed);
        let folder = std::env::temp_dir().join(format!("plainsocket-redis-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Redis { child: None, port, folder, password: None }
    }

    /// Starts Redis with the data of its file. Each write is on the disk before it is answered.
    pub fn run(&mut self) {
        let start = |program: &str| {
            let mut command = Command::new(program);
            command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
            command.args(["--loglevel", "warning", "--appendonly", "yes", "--appendfsync", "always", "--dir"]);
            command
                .arg(&self.folder)
                .args(self.password.map(|password| ["--requirepass", password]).into_iter().flatten());
            command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()
        };
        let child = start("redis-server").or_else(|_| start("valkey-server"));
        let child = child.expect("the tests of the feature `redis` need Debian's package redis-server");
        self.child = Some(child);
        wait_for("Redis", || TcpStream::connect(("127.0.0.1", self.port)).is_ok());
    }

    /// Kills Redis at once, as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Sends a signal: `STOP` suspends Redis, and `CONT` resumes it.
    pub fn signal(&self, name: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    pub fn connect(&self) -> Connection {
        Client::open(self.url()).unwrap().get_connection().unwrap()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
