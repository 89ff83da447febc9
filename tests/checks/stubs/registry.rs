//! Your server: who is connected. `Registry::default()` makes an empty one.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Instant;

// ---- step 16 ----

/// The checks of the first stage call its functions and those of `Client`: keep their names and what they take.
#[derive(Default)]
pub struct Registry {
    clients: Mutex<HashMap<SocketAddr, Arc<Client>>>,
}

/// What other threads need to reach a client.
pub struct Client {
    pub path: String,
    /// Whoever writes holds the lock for one whole frame. It is never held over a read.
    stream: Mutex<TcpStream>,
    // Step 17: what must the heartbeat know of a client?
    // Step 18: how does a thread that writes learn that nothing can follow?
}

impl Client {
    /// Writes one whole frame.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        todo!("step 16: one frame, one lock")
    }

    /// Ends the connection at once, both ways: a read in the client's own thread wakes up.
    pub fn shut_down(&self) {
        todo!("step 16: let a client go")
    }
}

impl Registry {
    /// Enters a client. `stream` is a clone of its socket, for writing.
    pub fn join(&self, peer: SocketAddr, path: &str, stream: TcpStream) -> Arc<Client> {
        todo!("step 16: enter a client")
    }

    /// Removes a client; it does no harm if it is not there.
    pub fn leave(&self, peer: SocketAddr) {
        todo!("step 16: remove a client")
    }

    /// A copy of the list, made under the lock. Whoever uses it does not hold the lock any more.
    pub fn clients(&self) -> Vec<(SocketAddr, Arc<Client>)> {
        todo!("step 16: copy the list")
    }

    /// Sends a frame to every client on this path. Whoever cannot be written to is let go.
    pub fn broadcast(&self, path: &str, frame: &[u8]) {
        todo!("step 16: send to everybody")
    }
}
