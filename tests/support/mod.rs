//! The parts that the tests share: a server on a port of its own, and a raw client that can be as rude as a test needs.
//! Written without the crate's own encoder, so that a fault there cannot hide here.
#![allow(dead_code, unused_imports)] // each test file uses its part

pub mod bytes;
#[cfg(feature = "deflate")]
pub mod deflate;
pub mod inflate;
pub mod one_page;
pub mod program;

pub use bytes::{KEY, frame, request};

use plainsocket::{CloseCode, Config, Connection, Error, Handle, Message, Server};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// The longest wait in a test, so that a hang becomes a failure.
pub const DEADLINE: Duration = Duration::from_secs(10);

pub const TEXT: u8 = 0x81;
pub const BINARY: u8 = 0x82;
pub const CLOSE: u8 = 0x88;
pub const PING: u8 = 0x89;
pub const PONG: u8 = 0x8A;

pub fn close_frame(code: u16, reason: &str) -> Vec<u8> {
    frame(CLOSE, &[&code.to_be_bytes(), reason.as_bytes()].concat())
}

pub fn echo(connection: &mut Connection) -> Result<(), Error> {
    while let Some(message) = connection.recv()? {
        connection.send(message)?;
    }
    Ok(())
}

pub fn chat(connection: &mut Connection) -> Result<(), Error> {
    while let Some(message) = connection.recv()? {
        connection.broadcast(message)?;
    }
    Ok(())
}

/// A server on a port that the system picks, with a handler for each behaviour that the tests need.
fn server(config: Config) -> Server {
    Server::bind("127.0.0.1:0")
        .expect("a free port")
        .config(config)
        .route("/", echo)
        .route("/echo", echo)
        .route("/chat", chat)
        .route("/chat2", chat)
        .route("/panic", |_| panic!("on purpose"))
        .route("/error", |_| Err(Error::handler("on purpose")))
        .route("/return", |_| Ok(()))
        .route("/swallow", |connection| {
            while connection.recv()?.is_some() {}
            Ok(())
        })
        .route("/leave", |connection| {
            connection.send("see you")?;
            connection.close(CloseCode::POLICY_VIOLATION, "enough")
        })
        .route("/mixed", |connection| {
            connection.recv()?;
            for i in 0..5 {
                connection.send(format!("own {i}"))?;
                connection.broadcast(format!("all {i}"))?;
            }
            Ok(())
        })
        .route("/push", |connection| {
            for i in 0..15 {
                connection.send(format!("{i}"))?;
                connection.flush()?;
                thread::sleep(Duration::from_millis(100));
            }
            Ok(())
        })
        .route("/whoami", |connection| {
            let text = format!("{} {:?}", connection.request().resource_name, connection.request().header("cookie"));
            connection.send(text)
        })
        .route("/subprotocol", |connection| {
            let text = format!("{:?}", connection.subprotocol());
            connection.send(text)
        })
        .subprotocol("/subprotocol", "v2")
        .subprotocol("/subprotocol", "v1")
        .page("/", "<!doctype html><title>page</title>")
}

/// Starts a server that runs until the test's process ends.
pub fn start(config: Config) -> SocketAddr {
    let server = server(config);
    let address = server.local_addr().expect("an address");
    thread::spawn(move || server.run());
    address
}

/// A server that a test can shut down and inspect.
pub struct Running {
    pub address: SocketAddr,
    pub handle: Handle,
    pub thread: thread::JoinHandle<std::io::Result<()>>,
}

impl Running {
    pub fn start(config: Config) -> Running {
        let server = server(config);
        let (address, handle) = (server.local_addr().expect("an address"), server.handle().expect("a handle"));
        Running { address, handle, thread: thread::spawn(move || server.run()) }
    }

    pub fn wait_for_clients(&self, count: usize) {
        wait_for(&format!("{count} clients"), || self.handle.clients() == count);
    }
}

/// Waits, with a deadline, for a condition that sends no event.
pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

pub fn start_default() -> SocketAddr {
    start(Config::default())
}

/// Waits until the server accepts a client, which then leaves again.
pub fn wait_for_a_seat(address: SocketAddr) {
    wait_for("a free seat", || {
        let mut again = Client::tcp(address);
        again.send(request("/echo"));
        status(&again.read_head()) == 101
    });
}

pub struct Client {
    pub stream: TcpStream,
    unread: Vec<u8>,
}

impl Client {
    /// Opens a TCP connection and sends nothing.
    pub fn tcp(address: SocketAddr) -> Client {
        let stream = TcpStream::connect_timeout(&address, DEADLINE).expect("connect");
        Client::from_stream(stream)
    }

    pub fn from_stream(stream: TcpStream) -> Client {
        stream.set_nodelay(true).expect("set_nodelay");
        stream.set_read_timeout(Some(DEADLINE)).expect("set_read_timeout");
        stream.set_write_timeout(Some(DEADLINE)).expect("set_write_timeout");
        Client { stream, unread: Vec::new() }
    }

    /// Opens a WebSocket connection to `path`.
    pub fn connect(address: SocketAddr, path: &str) -> Client {
        let mut client = Client::tcp(address);
        client.send(request(path));
        let head = client.read_head();
        assert!(head.starts_with("HTTP/1.1 101 "), "no upgrade: {head}");
        client
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the server takes what we send");
    }

    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            match self.stream.read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn read_more(&mut self) -> usize {
        let mut buffer = [0; 65536];
        let count = self.read(&mut buffer).expect("the server answers in time, and does not reset");
        self.unread.extend_from_slice(&buffer[..count]);
        count
    }

    /// Returns the next `length` bytes, and waits for them.
    pub fn take(&mut self, length: usize) -> Vec<u8> {
        while self.unread.len() < length {
            assert!(self.read_more() > 0, "the server ended the connection; so far: {:?}", self.unread);
        }
        let rest = self.unread.split_off(length);
        std::mem::replace(&mut self.unread, rest)
    }

    /// Returns the head of a reply, with its blank line.
    pub fn read_head(&mut self) -> String {
        loop {
            if let Some(at) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                return String::from_utf8(self.take(at + 4)).expect("the head is text");
            }
            assert!(self.read_more() > 0, "the server ended the connection within its head");
        }
    }

    /// Returns everything up to the server's FIN, which must follow its last byte without delay. A reset fails the
    /// test.
    pub fn read_to_end(&mut self) -> Vec<u8> {
        let started = Instant::now();
        while self.read_more() > 0 {}
        assert!(started.elapsed() < Duration::from_secs(3), "the FIN took {:?}", started.elapsed());
        std::mem::take(&mut self.unread)
    }

    /// Returns one frame from the server: its first byte and its payload.
    pub fn read_frame(&mut self) -> (u8, Vec<u8>) {
        let [first, second] = self.take(2)[..] else { unreachable!() };
        assert_eq!(second & 0x80, 0, "a server never masks (§5.1)");
        let length = match second {
            126 => self.take(2).iter().fold(0, |sum, &byte| sum << 8 | byte as usize),
            127 => self.take(8).iter().fold(0, |sum, &byte| sum << 8 | byte as usize),
            length => length as usize,
        };
        (first, self.take(length))
    }

    /// Reads the server's Close frame, after which only its FIN follows. `None`: the Close has no code.
    pub fn expect_close(&mut self, code: Option<u16>) -> String {
        let (first, payload) = self.read_frame();
        assert_eq!(first, CLOSE, "a Close frame, not {:?}", String::from_utf8_lossy(&payload));
        assert_eq!(payload.first_chunk().map(|&bytes| u16::from_be_bytes(bytes)), code);
        assert_eq!(self.read_to_end(), b"", "nothing follows a Close frame (§5.5.1)");
        String::from_utf8(payload.get(2..).unwrap_or_default().to_vec()).expect("the reason is text")
    }

    /// Closes our side of TCP (half-close).
    pub fn hang_up(&self) {
        self.stream.shutdown(Shutdown::Write).expect("shutdown");
    }

    /// Waits until the server has ended the connection, by FIN or reset, without another byte.
    pub fn expect_gone(&mut self) {
        match self.read(&mut [0; 64]) {
            Ok(0) => {}
            // Windows can report the second kind.
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted) => {}
            other => panic!("expected the end of the connection, not {other:?}"),
        }
    }
}

/// Returns the status of a reply.
pub fn status(head: &str) -> u16 {
    head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("no status: {head}"))
}

/// Returns the value of a header of a reply.
pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name))).map(|(_, v)| v)
}
