//! Broadcasts to other clients, and the handle that other threads hold of this one.

use super::Connection;
use crate::error::Error;
use crate::protocol::message::Message;
use crate::server::registry::Audience;
use crate::server::sender::Sender;
use crate::server::speed;

impl Connection {
    /// Returns a [`Sender`], with which any thread sends to this client while this one waits for its next message.
    ///
    /// While a Sender of this client exists, [`send`](Connection::send) and [`broadcast`](Connection::broadcast) gather
    /// nothing: each message is written at once, so that messages of this thread and of the Sender arrive in the order
    /// of the calls. Messages that were gathered before the first Sender can be overtaken, unless
    /// [`flush`](Connection::flush) has written them.
    ///
    /// ```
    /// use plainsocket::{Connection, Error, Sender};
    /// use std::sync::Mutex;
    ///
    /// /// Everybody who is there, for the program's other threads.
    /// static CLIENTS: Mutex<Vec<Sender>> = Mutex::new(Vec::new());
    ///
    /// fn handler(connection: &mut Connection) -> Result<(), Error> {
    ///     CLIENTS.lock().unwrap().push(connection.sender());
    ///     while connection.recv()?.is_some() {}
    ///     Ok(())
    /// }
    /// # let _ = plainsocket::Server::bind("127.0.0.1:0").unwrap().route("/", handler);
    /// ```
    pub fn sender(&self) -> Sender {
        Sender::new(self.outbox(), self.batch.registry())
    }

    /// Sends a message to every client on the same path, this one included. It goes out as with
    /// [`send`](Connection::send), but only this client is waited for: what another does not take at once is queued for
    /// it, and one that lets it wait for too long, or too much of it, is evicted.
    ///
    /// Once this connection has ended (closed, failed, lost or evicted), the message goes to the others at once: so a
    /// chat can announce who has left, after the end of [`recv`](Connection::recv), after an error, or in a `Drop`.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Connection::send) to this client, if it is lost during the call; the others get the message
    /// all the same. After the end there is none. The errors of the others are their own affair.
    ///
    /// ```
    /// # use plainsocket::{Connection, Error};
    /// fn chat(connection: &mut Connection) -> Result<(), Error> {
    ///     let ended = talk(connection);
    ///     connection.broadcast("somebody has left")?;
    ///     ended
    /// }
    ///
    /// fn talk(connection: &mut Connection) -> Result<(), Error> {
    ///     while let Some(message) = connection.recv()? {
    ///         connection.broadcast(message)?;
    ///     }
    ///     Ok(())
    /// }
    /// # let _ = plainsocket::Server::bind("127.0.0.1:0").unwrap().route("/chat", chat);
    /// ```
    pub fn broadcast(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.broadcast_among(message.into(), Audience::Everybody, true)
    }

    /// Sends a message to every client on the same path whose selected [`subprotocol`](Connection::subprotocol) is
    /// this one, or that has none (`None`). This client is included if it is one of them. In all other respects it is
    /// [`broadcast`](Connection::broadcast), with its errors.
    ///
    /// Messages to different subprotocols are not gathered together, so a room in which both are spoken takes a write
    /// for each.
    ///
    /// ```
    /// # use plainsocket::{Connection, Error};
    /// fn chat(connection: &mut Connection) -> Result<(), Error> {
    ///     connection.broadcast_to(Some("chat.json"), r#"{"type":"joined"}"#)?;
    ///     connection.broadcast_to(None, "somebody has joined")
    /// }
    /// # let server = plainsocket::Server::bind("127.0.0.1:0").unwrap();
    /// # let _ = server.route("/chat", chat).subprotocol("/chat", "chat.json");
    /// ```
    pub fn broadcast_to(&mut self, subprotocol: Option<&str>, message: impl Into<Message>) -> Result<(), Error> {
        let is_mine = self.subprotocol() == subprotocol;
        self.broadcast_among(message.into(), Audience::Speaking(subprotocol.map(Into::into)), is_mine)
    }

    fn broadcast_among(&mut self, message: Message, audience: Audience, is_mine: bool) -> Result<(), Error> {
        if !self.is_open() {
            self.batch.announce(&message, audience);
            return Ok(());
        }
        if self.batch.broadcast(&message, audience, is_mine, &mut self.closing)? {
            self.flush_if_due()?;
        }
        speed::reuse(&mut self.receiver, message);
        Ok(())
    }
}
