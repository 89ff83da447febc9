//! The real server at the other end of a pipe: it listens on a port that the system picks.

use super::close::hang_up;
use super::registry::{Client, Registry};
use super::request::shake_hands;
use crate::checks::words::Settings;
use plainsocket::protocol::frame::{Header, Opcode};
use plainsocket::{Config, Connection, Error, Server};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

pub fn echo(connection: &mut Connection) -> Result<(), Error> {
    while let Some(message) = connection.recv()? {
        connection.send(message)?;
    }
    Ok(())
}

fn chat(connection: &mut Connection) -> Result<(), Error> {
    while let Some(message) = connection.recv()? {
        connection.broadcast(message)?;
    }
    Ok(())
}

/// An echo, and a thread beside it that pushes until the client has disconnected.
fn ticks(connection: &mut Connection, interval: Duration) -> Result<(), Error> {
    let sender = connection.sender();
    thread::spawn(move || {
        let mut number = 1;
        while sender.send(format!("tick {number}")).is_ok() {
            number += 1;
            thread::sleep(interval);
        }
    });
    echo(connection)
}

pub fn server(settings: &Settings) -> Server {
    let tick_interval = settings.tick_interval;
    let config = Config {
        max_message_size: settings.max_message,
        close_timeout: settings.close_timeout,
        ping_interval: settings.ping_interval,
        pong_timeout: settings.pong_timeout,
        ..Config::default()
    };
    Server::bind("127.0.0.1:0")
        .expect("a free port")
        .config(config)
        .route("/", echo)
        .route("/echo", echo)
        .route("/chat", chat)
        .route("/other", echo)
        .route("/chat2", echo)
        .route("/CHAT", echo)
        .route("/other/chat", echo)
        .route("/TICKS", echo)
        .route("/tick", echo)
        .route("/ticks2", echo)
        .route("/other/ticks", echo)
        .route("/ticks", move |connection: &mut Connection| ticks(connection, tick_interval))
}

/// The handshake of the RFC (§1.3), for any path. A server under test cannot use the names of the checks.
fn request(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// The client talks to the registry's server; the server's bytes go through `Client::send`.
pub fn serve_client(mut stream: TcpStream, registry: &Registry, settings: &Settings) {
    if let Ok(Some((request, rest))) = shake_hands(&mut stream) {
        let _ = converse(&stream, &request.path, &rest, registry, settings);
    }
    hang_up(stream, settings.close_timeout);
}

fn converse(stream: &TcpStream, path: &str, rest: &[u8], registry: &Registry, settings: &Settings) -> io::Result<()> {
    let peer = stream.peer_addr()?;
    stream.set_write_timeout(Some(settings.send_timeout))?;
    let mut server = TcpStream::connect(registry.server(settings))?;
    server.set_nodelay(true)?;
    server.write_all(request(path).as_bytes())?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        server.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let client = registry.join(peer, path, stream.try_clone()?);
    server.write_all(rest)?;
    let over = AtomicBool::new(false);
    let outcome = thread::scope(|scope| {
        scope.spawn(|| carry_until(&over, stream, &server));
        let outcome = carry_frames(&server, &client, || registry.leave(peer));
        let how = if outcome.is_ok() { Shutdown::Write } else { Shutdown::Both };
        let _ = stream.shutdown(how);
        let _ = server.shutdown(how);
        over.store(true, Ordering::SeqCst);
        outcome
    });
    registry.leave(peer);
    outcome
}

/// Carries the client's bytes until the server has sent its last byte: `hang_up` drains what follows.
fn carry_until(over: &AtomicBool, mut from: &TcpStream, mut to: &TcpStream) {
    const GLANCE: Duration = Duration::from_millis(10);
    let mut buffer = [0; 65536];
    while !over.load(Ordering::SeqCst) && from.set_read_timeout(Some(GLANCE)).is_ok() {
        match from.read(&mut buffer) {
            Ok(count @ 1..) if to.write_all(&buffer[..count]).is_ok() => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Ok(0) => return drop(to.shutdown(Shutdown::Write)),
            _ => return drop(to.shutdown(Shutdown::Both)),
        }
    }
}

/// Carries the server's frames, and calls `leave` before its Close is sent on.
fn carry_frames(mut server: &TcpStream, client: &Client, leave: impl Fn()) -> io::Result<()> {
    let (mut unread, mut buffer) = (Vec::new(), [0; 65536]);
    loop {
        while let Some((header, size)) = Header::decode(&unread).expect("the server's own frame") {
            let end = size + header.length as usize;
            if unread.len() < end {
                break;
            }
            if header.opcode == Opcode::Close {
                leave();
            }
            client.send(&unread[..end])?;
            unread.drain(..end);
        }
        match server.read(&mut buffer)? {
            0 => return Ok(()),
            count => unread.extend_from_slice(&buffer[..count]),
        }
    }
}

pub fn run(listener: TcpListener, settings: Settings) {
    serve(listener, server(&settings));
}

/// Connects every client of `listener` to `server`.
pub fn serve(listener: TcpListener, server: Server) {
    let address = server.local_addr().expect("an address");
    thread::spawn(move || server.run());
    for stream in listener.incoming().flatten() {
        thread::spawn(move || pipe(&stream, address));
    }
}

/// Carries bytes in both directions until both sides have ended.
pub fn pipe(client: &TcpStream, address: SocketAddr) {
    let Ok(server) = TcpStream::connect(address) else { return };
    for stream in [client, &server] {
        let _ = stream.set_nodelay(true);
        let _ = stream.set_read_timeout(Some(Duration::from_secs(30)));
    }
    thread::scope(|scope| {
        scope.spawn(|| carry(client, &server));
        carry(&server, client);
    });
}

fn carry(mut from: &TcpStream, mut to: &TcpStream) {
    let mut buffer = [0; 65536];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => {
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
            Ok(count) if to.write_all(&buffer[..count]).is_ok() => {}
            _ => {
                let _ = from.shutdown(Shutdown::Both);
                let _ = to.shutdown(Shutdown::Both);
                return;
            }
        }
    }
}
