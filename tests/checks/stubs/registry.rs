//! Your server: the registry of connected clients. `Registry::default()` makes an empty one.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Instant;

// ---- step 16 ----

/// Holds the connected clients. The checks of the first stage call the functions of `Registry` and of `Client`, so keep
/// their names and parameters.
#[derive(Default)]
pub struct Registry {
    clients: Mutex<HashMap<SocketAddr, Arc<Client>>>,
}

/// Holds what other threads need to reach a client.
pub struct Client {
    pub path: String,
    /// A thread that writes holds the lock for one whole frame. No thread holds it during a read.
    stream: Mutex<TcpStream>,
    // Step 17: what must the heartbeat know of a client?
    // Step 18: how does a thread that writes learn that nothing can follow?
}

impl Client {
    /// Writes one whole frame.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        todo!("step 16: one frame, one lock")
    }

    /// Ends the connection at once, in both directions, so that a read in the client's own thread returns.
    pub fn shut_down(&self) {
        todo!("step 16: let a client go")
    }
}

impl Registry {
    /// Adds a client. `stream` is a clone of its socket, for writing.
    pub fn join(&self, peer: SocketAddr, path: &str, stream: TcpStream) -> Arc<Client> {
        todo!("step 16: enter a client")
    }

    /// Removes a client. Does nothing if the client is not there.
    pub fn leave(&self, peer: SocketAddr) {
        todo!("step 16: remove a client")
    }

    /// Returns a copy of the list, made under the lock. The caller uses the copy without holding the lock.
    pub fn clients(&self) -> Vec<(SocketAddr, Arc<Client>)> {
        todo!("step 16: copy the list")
    }

    /// Sends a frame to every client on this path, and removes each client that cannot be written to.
    pub fn broadcast(&self, path: &str, frame: &[u8]) {
        todo!("step 16: send to everybody")
    }
}
