//! A small registry, as the exercise asks for it, because the real one is private and does not wait for a slow member.
//! Its clients' bytes go to the real server.

use super::run::server;
use crate::checks::words::{CLOSE, Settings};
use plainsocket::Handle;
use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

#[derive(Default)]
pub struct Registry {
    clients: Mutex<HashMap<SocketAddr, Arc<Client>>>,
    server: OnceLock<(SocketAddr, Handle)>,
}

pub struct Client {
    pub path: String,
    writer: Mutex<Writer>,
}

struct Writer {
    stream: TcpStream,
    /// A Close or a part of a frame has been sent, so nothing can follow it.
    over: bool,
}

impl Client {
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        let mut writer = self.writer.lock().unwrap();
        if writer.over {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let outcome = writer.stream.write_all(frame);
        writer.over = outcome.is_err() || frame[0] & 0x0F == CLOSE;
        if outcome.is_err() {
            // The client can have disconnected already.
            let _ = writer.stream.shutdown(Shutdown::Both);
        }
        outcome
    }

    pub fn shut_down(&self) {
        let _ = self.writer.lock().unwrap().stream.shutdown(Shutdown::Both);
    }
}

impl Registry {
    pub fn join(&self, peer: SocketAddr, path: &str, stream: TcpStream) -> Arc<Client> {
        let client = Arc::new(Client { path: path.to_owned(), writer: Mutex::new(Writer { stream, over: false }) });
        self.clients.lock().unwrap().insert(peer, Arc::clone(&client));
        client
    }

    pub fn leave(&self, peer: SocketAddr) {
        self.clients.lock().unwrap().remove(&peer);
    }

    pub fn clients(&self) -> Vec<(SocketAddr, Arc<Client>)> {
        self.clients.lock().unwrap().iter().map(|(peer, client)| (*peer, Arc::clone(client))).collect()
    }

    pub fn broadcast(&self, path: &str, frame: &[u8]) {
        for (peer, client) in self.clients() {
            // `send` has shut down the connection if that was necessary.
            if client.path == path && client.send(frame).is_err() {
                self.leave(peer);
            }
        }
    }

    /// The real server to which these clients talk.
    pub fn server(&self, settings: &Settings) -> SocketAddr {
        let start = || {
            let server = server(settings);
            let (address, handle) = (server.local_addr().expect("an address"), server.handle().expect("a handle"));
            thread::spawn(move || server.run());
            (address, handle)
        };
        self.server.get_or_init(start).0
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        if let Some((_, handle)) = self.server.get() {
            handle.shutdown();
        }
    }
}
