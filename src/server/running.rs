//! [`Running`]: a server that runs in a thread of its own, inside a larger program or a test.

use super::handle::Handle;
use super::server::Server;
use std::io;
use std::panic::resume_unwind;
use std::thread::{self, JoinHandle};

/// A server that runs in a thread of its own, until [`Handle::shutdown`]. [`Server::start`] makes it.
///
/// Dropping it changes nothing: the server goes on, and nobody can wait for its end any more.
#[derive(Debug)]
pub struct Running {
    handle: Handle,
    thread: JoinHandle<io::Result<()>>,
}

impl Server {
    /// Does what [`run`](Server::run) does in a thread of its own, and returns at once. Clients that connect from now
    /// on are served.
    ///
    /// # Errors
    ///
    /// The system's error: it has no thread, or cannot tell our address.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let running = plainsocket::Server::bind("127.0.0.1:0")?.route("/", |_| Ok(())).start()?;
    /// println!("ws://{}/", running.handle().address());
    /// running.handle().shutdown();
    /// running.join()
    /// # }
    /// ```
    pub fn start(self) -> io::Result<Running> {
        let handle = self.handle()?;
        let thread = thread::Builder::new().name("server".to_owned()).spawn(move || self.run())?;
        Ok(Running { handle, thread })
    }
}

impl Running {
    /// Returns the handle with which to look at the server and shut it down.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let running = plainsocket::Server::bind("127.0.0.1:0")?.start()?;
    /// assert_eq!(running.handle().clients(), 0);
    /// # running.handle().shutdown();
    /// # running.join()
    /// # }
    /// ```
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Waits until the server has ended, which takes a [`Handle::shutdown`] from any thread, before or after this call.
    ///
    /// # Errors
    ///
    /// Those of [`Server::run`].
    ///
    /// # Panics
    ///
    /// If the server's thread has panicked: with the same panic. No panic of a handler gets there.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let running = plainsocket::Server::bind("127.0.0.1:0")?.start()?;
    /// let handle = running.handle().clone();
    /// let operator = std::thread::spawn(move || handle.shutdown());
    /// running.join()?;
    /// # operator.join().unwrap();
    /// # Ok(())
    /// # }
    /// ```
    pub fn join(self) -> io::Result<()> {
        self.thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    }
}
