//! The real server at the other end of a pipe: it listens on a port of its own.

use super::registry::Registry;
use crate::checks::words::Settings;
use plainsocket::{Config, Connection, Error, Server};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
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

pub fn server(settings: &Settings) -> Server {
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
}

pub fn serve_client(stream: TcpStream, _registry: &Registry, settings: &Settings) {
    let server = server(settings);
    let (address, handle) = (server.local_addr().expect("an address"), server.handle().expect("a handle"));
    let running = thread::spawn(move || server.run());
    pipe(&stream, address);
    handle.shutdown();
    let _ = running.join();
}

pub fn run(listener: TcpListener, settings: Settings) {
    serve(listener, server(&settings));
}

/// Leads every client of `listener` to `server`.
pub fn serve(listener: TcpListener, server: Server) {
    let address = server.local_addr().expect("an address");
    thread::spawn(move || server.run());
    for stream in listener.incoming().flatten() {
        thread::spawn(move || pipe(&stream, address));
    }
}

/// Carries bytes both ways until both sides have ended.
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
