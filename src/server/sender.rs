//! [`Sender`]: what other threads hold of a client. It writes through the client's outbox, as everybody does.

use super::closing::End;
use super::frames::Frames;
use super::outbox::Outbox;
use super::registry::Registry;
use crate::error::{Error, shown};
use crate::protocol::close::{CloseCode, CloseFrame};
use crate::protocol::message::Message;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Instant;

/// Sends to one client from any thread, while the client's own thread waits in [`recv`](crate::Connection::recv).
///
/// [`Connection::sender`](crate::Connection::sender) makes it, and a clone is cheap. Frames of different threads never
/// mix, and the messages of each thread arrive in their order. A Sender does not keep its client: when the connection
/// has ended, every call returns the reason, and neither the socket nor a connection slot is held.
///
/// A ticker that goes on while the handler waits:
///
/// ```
/// use plainsocket::{Connection, Error};
/// use std::{thread, time::Duration};
///
/// fn ticker(connection: &mut Connection) -> Result<(), Error> {
///     let sender = connection.sender();
///     thread::spawn(move || {
///         // It ends with the connection, because `send` returns an error then.
///         while sender.send("tick").is_ok() {
///             thread::sleep(Duration::from_secs(1));
///         }
///     });
///     while connection.recv()?.is_some() {}
///     Ok(())
/// }
/// # let _ = plainsocket::Server::bind("127.0.0.1:0").unwrap().route("/ticker", ticker);
/// ```
#[derive(Clone)]
pub struct Sender {
    peer: SocketAddr,
    /// Weak, because the outbox has the socket.
    outbox: Weak<Outbox>,
    end: Arc<OnceLock<End>>,
    registry: Arc<Registry>,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl Sender {
    pub(super) fn new(outbox: &Arc<Outbox>, registry: &Arc<Registry>) -> Sender {
        let (end, registry) = (Arc::clone(&outbox.end), Arc::clone(registry));
        Sender { peer: outbox.peer, outbox: Arc::downgrade(outbox), end, registry }
    }

    /// Sends a message, and never waits: what the client's socket does not take at once is queued. A client that lets
    /// it wait for longer than [`Config::pong_timeout`](crate::Config::pong_timeout), or for which more than
    /// [`Config::max_backlog`](crate::Config::max_backlog) waits, is evicted.
    ///
    /// `Ok` means that the message is written if the client lives and reads.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] if a Close has been sent to the client or the connection is over, [`Error::Evicted`] if the
    /// client was evicted, which this call can do, and [`Error::Io`] if the socket has failed or the client is gone.
    ///
    /// ```
    /// # use plainsocket::Sender;
    /// /// Sends to all who are still there.
    /// fn publish(clients: &mut Vec<Sender>, text: &str) {
    ///     clients.retain(|client| client.send(text).is_ok());
    /// }
    /// ```
    pub fn send(&self, message: impl Into<Message>) -> Result<(), Error> {
        self.with_frames(&message.into(), |outbox, frames| outbox.write(frames))
    }

    /// Waits until little is queued for the client (64 KiB), and then sends a message as [`send`](Sender::send) does.
    /// So a thread can stream a large file at the client's pace; send it in pieces, because each piece must be taken
    /// within [`Config::pong_timeout`](crate::Config::pong_timeout).
    ///
    /// Of several threads that wait, one at a time goes on, so not more than one message is queued on top. Do not wait
    /// in a handler for a client that is not its own: a slow one would hold it up.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Sender::send), as soon as the connection ends, and [`Error::Io`] of the kind `TimedOut` if too
    /// much is queued until the deadline. Then nothing of the message is sent, and it is dropped: send a clone if you
    /// want to try again. A client that takes nothing is evicted after
    /// [`Config::pong_timeout`](crate::Config::pong_timeout), so a later deadline does not help it. Only the end of the
    /// connection cuts the wait short.
    ///
    /// ```
    /// use plainsocket::{Error, Sender};
    /// use std::time::{Duration, Instant};
    ///
    /// fn stream(sender: &Sender, file: &[u8]) -> Result<(), Error> {
    ///     for piece in file.chunks(64 * 1024) {
    ///         sender.send_when_ready(piece.to_vec(), Instant::now() + Duration::from_secs(30))?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn send_when_ready(&self, message: impl Into<Message>, deadline: Instant) -> Result<(), Error> {
        self.with_frames(&message.into(), |outbox, frames| outbox.write_when_ready(frames, deadline))
    }

    /// Sends a Close frame after what is queued, and never waits. No message follows it, not even of the handler. A
    /// reason over 123 bytes is cut.
    ///
    /// In the handler, [`recv`](crate::Connection::recv) drops what the client still sends, and returns `None` once it
    /// has answered. A client that does not answer within
    /// [`Config::close_timeout`](crate::Config::close_timeout) is disconnected.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Sender::send): [`Error::Closed`] if a Close has been sent already.
    ///
    /// ```
    /// # use plainsocket::{CloseCode, Sender};
    /// fn dismiss(sender: &Sender) {
    ///     // A client that has gone needs no Close.
    ///     let _ = sender.close(CloseCode::POLICY_VIOLATION, "your session has expired");
    /// }
    /// ```
    pub fn close(&self, code: CloseCode, reason: &str) -> Result<(), Error> {
        let close = CloseFrame::new(code, reason);
        self.outbox()?.send_close(&close)?;
        log::debug!("{}: Close {code} \"{}\", begun by a Sender", self.peer, shown(&close.reason));
        Ok(())
    }

    /// Returns the client's address, also after the end.
    ///
    /// ```
    /// # use plainsocket::Sender;
    /// fn names(clients: &[Sender]) -> Vec<String> {
    ///     clients.iter().map(|client| client.peer().to_string()).collect()
    /// }
    /// ```
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Returns whether a message can still be sent: no Close has been sent, and the connection has not ended. It can
    /// end at any time, so [`send`](Sender::send) can fail all the same.
    ///
    /// ```
    /// # use plainsocket::Sender;
    /// fn forget_who_has_gone(clients: &mut Vec<Sender>) {
    ///     clients.retain(Sender::is_open);
    /// }
    /// ```
    pub fn is_open(&self) -> bool {
        self.outbox().is_ok()
    }

    /// Returns how many bytes of frames are queued for the client, not counting what the system's buffers hold. It is
    /// 0 for a client that keeps up, and after the end. With it a program can leave out what a slow client does not
    /// need.
    ///
    /// ```
    /// # use plainsocket::{Error, Sender};
    /// /// Shows a position, of which only the latest counts.
    /// fn show(sender: &Sender, position: &str) -> Result<(), Error> {
    ///     if sender.waiting_bytes() == 0 { sender.send(position) } else { Ok(()) }
    /// }
    /// ```
    pub fn waiting_bytes(&self) -> usize {
        self.outbox.upgrade().map_or(0, |outbox| outbox.waiting_bytes())
    }

    /// Returns the outbox of a client that can still be sent to, or why it cannot.
    fn outbox(&self) -> Result<Arc<Outbox>, Error> {
        match self.end.get() {
            Some(end) => Err(end.error()),
            None => self.outbox.upgrade().ok_or(Error::Closed),
        }
    }

    pub(super) fn write(&self, frames: &Frames) -> Result<(), Error> {
        self.outbox()?.write(frames)
    }

    fn with_frames(
        &self,
        message: &Message,
        write: impl FnOnce(&Arc<Outbox>, &Frames) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let outbox = self.outbox()?;
        write(&outbox, &Frames::message(message, &mut Vec::new(), &self.registry))
    }
}
