//! The servers: how to start each of them, and the handshake of a client with each.

use crate::cores::{Cores, server_command};
use crate::deadline::Deadline;
use crate::process::Process;
use crate::scenario::Traffic;
use anyhow::{Context as _, Result, bail, ensure};
use std::env;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);

/// A server to measure.
pub enum Program {
    /// Reads and writes, and knows nothing of WebSocket: the best that plain sockets and threads can reach.
    Raw,
    /// The server of this project, built at this path.
    Plainsocket(PathBuf),
    /// The same server without the feature `speed`.
    Plain(PathBuf),
    Tungstenite,
}

impl Program {
    pub fn name(&self) -> &'static str {
        match self {
            Program::Raw => "raw TCP",
            Program::Plainsocket(_) => "plainsocket",
            Program::Plain(_) => "plainsocket, plain",
            Program::Tungstenite => "tungstenite",
        }
    }

    fn command(&self, cores: Cores) -> Result<Command> {
        let this_program = env::current_exe()?;
        let (path, arguments): (_, &[&str]) = match self {
            Program::Raw => (&this_program, &["serve-raw"]),
            // Our clients do not answer Pings, so a silence of ten minutes is allowed.
            Program::Plainsocket(path) | Program::Plain(path) => {
                (path, &["--listen", "127.0.0.1:0", "--ping-interval", "600"])
            }
            Program::Tungstenite => (&this_program, &["serve-tungstenite"]),
        };
        let mut command = server_command(path, cores);
        command.args(arguments).env("RUST_LOG", "warn").stdin(Stdio::null()).stdout(Stdio::piped());
        Ok(command)
    }
}

/// A running server, which ends with this value.
pub struct Server {
    pub name: &'static str,
    pub is_raw: bool,
    address: SocketAddr,
    process: Process,
}

impl Server {
    /// Starts the program. It takes a free port, and its first line ends with the address.
    pub fn start(program: &Program, cores: Cores) -> Result<Server> {
        let name = program.name();
        let mut process = Process::start(&mut program.command(cores)?)?;
        let stdout = process.0.stdout.take().context("no pipe")?;
        let line = first_line(stdout).with_context(|| format!("{name} did not start"))?;
        let address = line.split_whitespace().next_back().and_then(|word| word.parse().ok());
        let address = address.with_context(|| format!("no address in {line:?}, from {name}"))?;
        Ok(Server { name, is_raw: matches!(program, Program::Raw), address, process })
    }

    pub fn id(&self) -> u32 {
        self.process.0.id()
    }

    /// Connects a new client, which is then ready to send its first message.
    pub fn connect(&self, traffic: Traffic) -> Result<TcpStream> {
        let mut stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let greeted = if self.is_raw { greet(&mut stream, traffic) } else { shake_hands(&mut stream, traffic) };
        greeted.with_context(|| format!("{} did not let a client in", self.name))?;
        Ok(stream)
    }
}

/// Reads in a thread, because a read from a pipe has no timeout. The thread ends with the line, or with the server.
fn first_line(stdout: ChildStdout) -> Result<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let _ = sender.send(BufReader::new(stdout).read_line(&mut line).map(|_| line));
    });
    let deadline = Deadline::after(PATIENCE);
    loop {
        match receiver.recv_timeout(Duration::from_millis(100)) {
            Ok(line) => return Ok(line?),
            Err(RecvTimeoutError::Timeout) => deadline.check("its first line")?,
            Err(RecvTimeoutError::Disconnected) => bail!("it printed nothing"),
        }
    }
}

/// The raw server's handshake is one byte, which it returns: the reply shows that the server has accepted the client.
fn greet(stream: &mut TcpStream, traffic: Traffic) -> Result<()> {
    let hello = match traffic {
        Traffic::Echo => b'e',
        Traffic::Broadcast => b'b',
    };
    stream.write_all(&[hello])?;
    let mut reply = [0];
    stream.read_exact(&mut reply)?;
    ensure!(reply == [hello], "it replied {reply:?}");
    Ok(())
}

/// The handshake with the key and the reply of RFC 6455 §1.3.
fn shake_hands(stream: &mut TcpStream, traffic: Traffic) -> Result<()> {
    let path = match traffic {
        Traffic::Echo => "/echo",
        Traffic::Broadcast => "/chat",
    };
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut head = Vec::new();
    // A server sends no frame before it has received one, so nothing follows the blank line.
    while !head.ends_with(b"\r\n\r\n") {
        let mut bytes = [0; 1024];
        let count = stream.read(&mut bytes)?;
        ensure!(count > 0 && head.len() < 8192, "no end of its head");
        head.extend_from_slice(&bytes[..count]);
    }
    let head = String::from_utf8_lossy(&head);
    let accepted = head.starts_with("HTTP/1.1 101 ") && head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    ensure!(accepted, "it replied {head:?}");
    Ok(())
}
