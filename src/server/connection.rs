//! A handler's side of one client after its handshake, read and written in straight lines.

mod ending;
mod events;
mod push;

use super::batch::Batch;
use super::budget::Share;
use super::closing::{Closing, unless_closed};
use super::dissect::Dissection;
use super::inbox::Inbox;
use super::outbox::Outbox;
use super::receive::{Received, Receiver};
use super::registry::Registry;
use super::speed::{self, BufferPool};
use crate::config::Config;
use crate::error::Error;
use crate::protocol::close::{CloseCode, CloseFrame};
use crate::protocol::decoder::Event;
use crate::protocol::deflate::Agreement;
use crate::protocol::message::Message;
use crate::protocol::request::Request;
use crate::protocol::response::Response;
use crate::protocol::wire::{Frame, Handshake};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A limit of a handler's that is as long as this is none.
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// One client after its handshake. A handler has it to itself.
///
/// [`recv`](Connection::recv) answers Pings, takes Pongs, does the closing handshake, and fails the connection with
/// the right Close code when the client breaks a rule; a handler passes its errors up with `?` and is done.
///
/// ```
/// use plainsocket::{CloseCode, Connection, Error, Message};
///
/// /// A chat for those who bring the right cookie, text only.
/// fn members_only(connection: &mut Connection) -> Result<(), Error> {
///     if connection.request().cookie("member") != Some("yes") {
///         return connection.close(CloseCode::POLICY_VIOLATION, "members only");
///     }
///     while let Some(message) = connection.recv()? {
///         match message {
///             Message::Text(text) => connection.broadcast(text)?,
///             Message::Binary(_) => return connection.close(CloseCode::UNSUPPORTED_DATA, "text only"),
///         }
///     }
///     Ok(())
/// }
/// # let _ = plainsocket::Server::bind("127.0.0.1:0").unwrap().route("/", members_only);
/// ```
pub struct Connection {
    opened_by: Box<(Request, Response)>,
    receiver: Receiver,
    /// Only if the trace log or [`recv_frame`](Connection::recv_frame) looks at the frames.
    dissection: Option<Box<Dissection>>,
    batch: Batch,
    closing: Closing,
}

/// Without the query and the headers: tokens and cookies are in there, and this can end up in a log.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Connection");
        out.field("peer", &self.peer())
            .field("path", &self.request().path())
            .field("state", &self.closing.state())
            .finish_non_exhaustive()
    }
}

impl Connection {
    pub(super) fn new(
        (opened_by, path, share): (Box<(Request, Response)>, Arc<str>, Share),
        inbox: Inbox,
        outbox: Arc<Outbox>,
        registry: Arc<Registry>,
        pool: Arc<BufferPool>,
        config: &Config,
    ) -> Connection {
        Connection {
            opened_by,
            receiver: Receiver::new(Arc::clone(&outbox), inbox, share, pool, config.max_message_size),
            dissection: Dissection::for_trace(),
            batch: Batch::new(Arc::clone(&outbox), path, registry),
            closing: Closing::new(outbox, config.close_timeout),
        }
    }

    /// Lets both sides compress messages, as the handshake has agreed on.
    pub(super) fn allow_compression(&mut self, agreement: Agreement) {
        self.receiver.decoder.allow_compression(agreement);
        self.batch.allow_compression(agreement);
    }

    /// Returns the client's address.
    pub fn peer(&self) -> SocketAddr {
        self.outbox().peer
    }

    /// Returns the request that opened the connection: its resource name, and headers such as `Cookie` or `Origin`.
    pub fn request(&self) -> &Request {
        &self.opened_by.0
    }

    /// Returns the subprotocol selected in the handshake, if the client offered one that its path has:
    /// [`Server::subprotocol`](crate::Server::subprotocol).
    pub fn subprotocol(&self) -> Option<&str> {
        self.opened_by.1.header_value("Sec-WebSocket-Protocol")
    }

    /// Returns the request and our response, explained line by line.
    pub fn handshake(&self) -> Handshake {
        Handshake::new(&self.opened_by.0, &self.opened_by.1)
    }

    /// Waits for the client's next message. `None`: the connection is closed properly (§7.1.4), or an error came
    /// before.
    ///
    /// Before it waits, it writes what [`send`](Connection::send) has gathered: messages received together are answered
    /// together, with one read and one write for up to 16 of them.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`] if the client broke a rule. [`Error::Evicted`] if it was evicted. [`Error::MemoryLimit`] if
    /// its message did not fit into the memory for all clients. [`Error::Io`] if TCP ended without a Close, which
    /// includes a client that was dropped for its silence or did not answer our Close in time.
    pub fn recv(&mut self) -> Result<Option<Message>, Error> {
        match self.receive(None)? {
            Received::Message(message) => Ok(Some(message)),
            // Without a limit, no time is ever over.
            Received::Nothing | Received::Closed => Ok(None),
        }
    }

    /// Waits for the client's next message like [`recv`](Connection::recv), but at most for `timeout`; with zero, it
    /// takes only what has arrived. A message that has arrived in part stays for the next call.
    ///
    /// A call that finds nothing is no activity, so the heartbeat drops a dead client while a handler calls this in
    /// a loop. A timeout of a year or more is none. A call can take longer if the client reads slowly, because what was
    /// sent is written first. Errors are those of [`recv`](Connection::recv).
    ///
    /// ```
    /// use plainsocket::{Connection, Error, Received};
    /// use std::time::Duration;
    ///
    /// /// Asks after each minute of silence whether somebody is there, and leaves after three.
    /// fn patient(connection: &mut Connection) -> Result<(), Error> {
    ///     let mut asked = 0;
    ///     while asked < 3 {
    ///         match connection.recv_timeout(Duration::from_secs(60))? {
    ///             Received::Message(message) => {
    ///                 asked = 0;
    ///                 connection.send(message)?;
    ///             }
    ///             Received::Nothing => {
    ///                 asked += 1;
    ///                 connection.send("Are you there?")?;
    ///             }
    ///             Received::Closed => break,
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// # let _ = plainsocket::Server::bind("127.0.0.1:0").unwrap().route("/", patient);
    /// ```
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Received, Error> {
        self.receiver.begin_limit(self.closing.deadline());
        self.receive((timeout < YEAR).then(|| Instant::now() + timeout))
    }

    /// Waits for the client's next frame of any kind and returns it as it arrived, for a handler that looks at the
    /// wire. `None` and the errors are those of [`recv`](Connection::recv).
    ///
    /// The frame is treated as by [`recv`](Connection::recv), except that a message is not returned. A Close is
    /// answered, and the connection failed for a broken rule, only with the next call of either method, so that the
    /// handler can [`send`](Connection::send) something before that. A frame that breaks a rule is returned with its
    /// fault, and the next call returns the error.
    ///
    /// From the first call on all bytes are kept for this, so a large message costs a copy more, also with
    /// [`recv`](Connection::recv). After our Close frames are still returned, though only Pings are answered.
    pub fn recv_frame(&mut self) -> Result<Option<Frame>, Error> {
        self.finish_last_frame()?;
        if self.closing.is_over() {
            return Ok(None);
        }
        let (frame, event) = self.next_frame()?;
        match event {
            Some(Event::Ping(payload)) => self.batch.answer_ping(&payload, &mut self.closing)?,
            Some(Event::Message(message)) => {
                self.outbox().incoming.count_message();
                speed::reuse(&mut self.receiver, message);
            }
            // The dissection keeps a Close and a fault for the next call.
            Some(Event::Pong(_) | Event::Close(_)) | None => {}
        }
        self.flush_pong()?;
        Ok(Some(frame))
    }

    /// Sends a message. It is written at once, unless the client's next message has been received already: then the
    /// replies are gathered, up to 16 of them or 64 KiB, and go out with one write.
    ///
    /// It waits for a client that reads slowly: that is TCP's backpressure. The error is [`Error::Closed`] after the
    /// Close frame, which another thread can have sent, [`Error::Evicted`] if the client was evicted, and
    /// [`Error::Io`] if the socket fails. `Ok` means that the message is written if the client lives.
    pub fn send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.closing.check_open()?;
        let message = message.into();
        self.batch.send(&message, &mut self.closing)?;
        self.flush_if_due()?;
        speed::reuse(&mut self.receiver, message);
        Ok(())
    }

    /// Writes what [`send`](Connection::send) and [`broadcast`](Connection::broadcast) have gathered, for a handler
    /// that goes on to wait for something other than [`recv`](Connection::recv). The error is [`Error::Io`] if the
    /// socket fails, and [`Error::Closed`] if a Close went out before.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.batch.write(&mut self.closing)
    }

    /// Returns the client's Close frame, its answer to ours included, from its arrival on; also after the end. Its code
    /// is [`CloseCode::NO_STATUS`], 1005, if the frame has none (§7.1.5). `None`: no Close has arrived (§7.1.5 calls
    /// that 1006), or it came after the client broke a rule.
    ///
    /// ```
    /// use plainsocket::{CloseCode, Connection, Error};
    ///
    /// fn reader(connection: &mut Connection) -> Result<(), Error> {
    ///     while connection.recv()?.is_some() {}
    ///     match connection.close_frame() {
    ///         Some(close) if close.code == CloseCode::GOING_AWAY => println!("has left the page"),
    ///         Some(close) => println!("has closed with {}: {:?}", close.code, close.reason),
    ///         None => println!("has closed nothing"),
    ///     }
    ///     Ok(())
    /// }
    /// # let _ = plainsocket::Server::bind("127.0.0.1:0").unwrap().route("/", reader);
    /// ```
    pub fn close_frame(&self) -> Option<&CloseFrame> {
        self.closing.received()
    }

    /// Closes the connection: sends a Close frame and waits for the client's, at most for the close timeout.
    ///
    /// Messages that arrive meanwhile are dropped; a reason over 123 bytes is cut. If a Close is sent already, for
    /// example during shutdown, it only waits. The error is [`Error::Io`] if the client does not answer in time or the
    /// socket fails, and [`Error::Protocol`] if it breaks a rule instead.
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.finish_last_frame()?;
        self.closing.start(CloseFrame::new(code, reason), &mut self.batch)?;
        while self.recv()?.is_some() {}
        Ok(())
    }

    pub(super) fn is_open(&self) -> bool {
        self.closing.is_open()
    }

    fn outbox(&self) -> &Arc<Outbox> {
        &self.batch.outbox
    }

    /// Writes the batch, unless it can wait for the replies to messages that have been received already. So what a
    /// handler sends before a pause of its own does not wait for the end of the pause.
    fn flush_if_due(&mut self) -> Result<(), Error> {
        let may_wait = !self.batch.is_full() && self.receiver.has_message();
        if may_wait { Ok(()) } else { self.flush() }
    }

    /// Sends a Pong before the handler works, which can take long.
    fn flush_pong(&mut self) -> Result<(), Error> {
        if self.batch.has_pong() { unless_closed(self.flush_if_due()) } else { Ok(()) }
    }
}
