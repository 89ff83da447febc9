//! The servers that plainsocket is compared with: they block too, with one thread for each client.

pub mod raw;
pub mod tungstenite;

use std::net::{TcpListener, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

/// Listens on a free port, prints the address as plainsocket does, and gives each client to `serve` in a thread.
fn accept(name: &str, serve: fn(TcpStream)) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{name} listening on {}", listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        stream.set_nodelay(true)?;
        thread::spawn(move || serve(stream));
    }
    Ok(())
}

/// The receivers of a broadcast: a writing end for each client, with the thread of that client. The lock is held while
/// all of them are written to, which is good enough only because every client here reads at once.
struct Members<T>(Mutex<Vec<(ThreadId, T)>>);

impl<T> Members<T> {
    const fn new() -> Members<T> {
        Members(Mutex::new(Vec::new()))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(ThreadId, T)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(&self, writer: T) {
        self.lock().push((thread::current().id(), writer));
    }

    fn leave(&self) {
        let own = thread::current().id();
        self.lock().retain(|(thread, _)| *thread != own);
    }

    fn each(&self, mut write: impl FnMut(&mut T)) {
        self.lock().iter_mut().for_each(|(_, writer)| write(writer));
    }
}
