//! What a handler holds: one client after its handshake, read and written in straight lines.

use super::budget::Share;
use super::desk::{Desk, Desks};
use super::frames::Frames;
use super::inbox::Inbox;
use super::registry::{Client, Registry, going_away};
use super::seat::Seat;
use super::socket::{LOOKS, Until};
use super::speed::memory::GROWTH;
use super::trace;
use crate::config::Config;
use crate::error::{Error, ProtocolError, shown};
use crate::protocol::close::{CloseCode, CloseFrame};
use crate::protocol::decoder::{Event, MessageDecoder};
use crate::protocol::frame::{self, Header, Opcode};
use crate::protocol::message::Message;
use crate::protocol::request::Request;
use crate::protocol::response::Response;
use crate::protocol::wire::{Direction, Dissector, Frame, Handshake};
use std::fmt;
use std::io::{self, ErrorKind};
use std::mem;
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Replies are gathered while more messages are there to be read; this many bytes go out at once.
const GATHER: usize = 64 * 1024;

/// And so do this many replies: a client whose messages take a while waits for no more than that many of them.
const GATHERED: usize = 16;

/// For how many members at a time a broadcast fetches what it needs.
const FETCHED: usize = 32;

/// A message of up to this many bytes that a handler works with is not counted.
const UNCOUNTED: usize = 4 * 1024;

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
///     if connection.request().header("Cookie") != Some("member=yes") {
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
    peer: SocketAddr,
    opened_by: Box<(Request, Response)>,
    inbox: Inbox,
    decoder: MessageDecoder,
    /// Looks on, if somebody wants to see the frames: the trace log, or [`recv_frame`](Connection::recv_frame).
    watcher: Option<Box<Dissector>>,
    due: Option<Due>,
    client: Client,
    registry: Arc<Registry>,
    desks: Arc<Desks>,
    /// Frames for this client that are encoded, but not written yet.
    out: Vec<u8>,
    /// Frames for all others on the same path.
    out_to_others: Vec<u8>,
    /// How many replies are in `out`, and whether a Pong is.
    gathered: usize,
    has_pong: bool,
    /// What of the server's memory counts for this client: its request, and a message that arrives or is handled.
    share: Share,
    /// The part of the share that stays until the connection ends.
    request_bytes: usize,
    state: State,
    /// The socket has failed, and a call has returned why.
    lost: bool,
    close_timeout: Duration,
    /// Set once the closing has begun: what is left of it must be over by then.
    deadline: Option<Instant>,
    /// How many messages the handler was given.
    messages: u64,
}

/// What the frame that [`recv_frame`](Connection::recv_frame) has returned leaves to be done.
enum Due {
    AnswerClose(Option<CloseFrame>),
    Fail(ProtocolError),
}

fn new_watcher() -> Box<Dissector> {
    Box::new(Dissector::new(Direction::In))
}

/// How far the closing handshake has come (§7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Our Close frame is out, and the client's is to come. No data may follow it (§5.5.1), only Pongs (§5.5.2).
    CloseSent,
    /// Both Close frames have passed: nothing is read or written any more.
    Closed,
    /// The same after an end that was not clean.
    Over,
}

/// Without the query and the headers: tokens and cookies are in there, and this may end up in a log.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Connection");
        out.field("peer", &self.peer)
            .field("path", &self.request().path())
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Connection {
    pub(super) fn new(
        peer: SocketAddr,
        (opened_by, share): (Box<(Request, Response)>, Share),
        inbox: Inbox,
        client: Client,
        registry: Arc<Registry>,
        desks: Arc<Desks>,
        config: &Config,
    ) -> Connection {
        Connection {
            peer,
            opened_by,
            inbox,
            decoder: MessageDecoder::with_growth(config.max_message_size, &GROWTH),
            watcher: trace::is_on().then(new_watcher),
            due: None,
            client,
            registry,
            desks,
            out: Vec::new(),
            out_to_others: Vec::new(),
            gathered: 0,
            has_pong: false,
            request_bytes: share.bytes(),
            share,
            state: State::Open,
            lost: false,
            close_timeout: config.close_timeout,
            deadline: None,
            messages: 0,
        }
    }

    /// The client's address.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The request that opened the connection: its resource name, and headers such as `Cookie` or `Origin`.
    pub fn request(&self) -> &Request {
        &self.opened_by.0
    }

    /// The subprotocol that was selected in the handshake, if the path has one that the client offered:
    /// [`Server::subprotocol`](crate::Server::subprotocol).
    pub fn subprotocol(&self) -> Option<&str> {
        self.opened_by.1.header_value("Sec-WebSocket-Protocol")
    }

    /// The request and our response, explained line by line.
    pub fn handshake(&self) -> Handshake {
        Handshake::new(&self.opened_by.0, &self.opened_by.1)
    }

    /// Waits for the client's next message; `None` once the connection is closed properly (§7.1.4), or after an error.
    ///
    /// Before it waits it writes what [`send`](Connection::send) has gathered: messages that came together are
    /// answered together, with one read and one write for up to 16 of them. The error is [`Error::Protocol`] if the
    /// client broke a rule, and [`Error::Io`] if TCP ended without a Close, also because the client was dropped for its
    /// silence, was evicted, or did not answer our Close in time.
    pub fn recv(&mut self) -> Result<Option<Message>, Error> {
        self.settle()?;
        while !self.is_over() {
            match self.next_event()? {
                // Messages that arrive after our Close are dropped (§5.5.1).
                Event::Message(_) if self.state != State::Open => {}
                Event::Message(message) => {
                    self.messages += 1;
                    self.count_message(&message)?;
                    self.flush_pong()?;
                    return Ok(Some(message));
                }
                Event::Ping(payload) => self.answer_ping(&payload)?,
                // `next_event` has noted the round trip.
                Event::Pong(_) => {}
                Event::Close(close) => self.answer_close(close)?,
            }
        }
        Ok(None)
    }

    /// Waits for the client's next frame of any kind and returns it as it came, for a handler that looks at the wire;
    /// `None` once the connection is closed properly, or after an error. Errors are those of [`recv`](Connection::recv).
    ///
    /// It does for the frame what [`recv`](Connection::recv) does, except that a message is not returned. But a Close is
    /// answered, and the connection failed for a broken rule, only with the next call of whichever kind: so the handler
    /// can [`send`](Connection::send) something before that. A frame that breaks a rule is returned with its fault, and the
    /// next call returns the error.
    ///
    /// From the first call on all bytes are kept for this, so a large message costs a copy more, also with
    /// [`recv`](Connection::recv). After our Close frames are still returned, though only Pings are answered.
    pub fn recv_frame(&mut self) -> Result<Option<Frame>, Error> {
        // Nobody has looked on so far; but `recv` returns between two messages, and so at the start of a frame.
        self.watcher.get_or_insert_with(new_watcher);
        self.settle()?;
        if self.is_over() {
            return Ok(None);
        }
        let (frame, event) = self.next_frame()?;
        match event {
            Ok(Some(Event::Close(close))) => self.due = Some(Due::AnswerClose(close)),
            Err(error) => self.due = Some(Due::Fail(error)),
            Ok(Some(Event::Ping(payload))) => self.answer_ping(&payload)?,
            Ok(Some(Event::Message(message))) => {
                self.messages += 1;
                self.decoder.lend_memory(Some(message.into_bytes()));
            }
            Ok(Some(Event::Pong(_)) | None) => {}
        }
        self.flush_pong()?;
        Ok(Some(frame))
    }

    /// Does what [`recv_frame`](Connection::recv_frame) has left to the next call.
    fn settle(&mut self) -> Result<(), Error> {
        match self.due.take() {
            Some(Due::AnswerClose(close)) => self.answer_close(close),
            Some(Due::Fail(error)) => Err(self.fail(error)),
            None => Ok(()),
        }
    }

    /// §5.5.3: "A Pong frame sent in response to a Ping frame must have identical `Application data`".
    fn answer_ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        log::debug!("{}: Ping, payload length {}", self.peer, payload.len());
        if self.sends_its_close() {
            frame::encode(Opcode::Pong, payload, &mut self.out);
            self.has_pong = true;
            return Ok(());
        }
        // Our Close is out. §5.5.2: a Pong is due, "unless it already received a Close frame".
        self.mark_closing();
        let mut pong = Vec::new();
        frame::encode(Opcode::Pong, payload, &mut pong);
        let written = self.client.outbox.write_own(&Frames::late_pong(&pong), self.deadline);
        self.check(written)
    }

    /// Before a handler gets something to work on: the Pong does not wait for that.
    fn flush_pong(&mut self) -> Result<(), Error> {
        if self.has_pong { self.flush_if_due() } else { Ok(()) }
    }

    /// The round trip, if it answers our last Ping.
    fn take_pong(&mut self, payload: &[u8]) -> Option<Duration> {
        let time = self.client.outbox.activity.round_trip(payload);
        match time {
            Some(time) => log::debug!("{}: Pong after {time:.1?}", self.peer),
            None => log::debug!("{}: Pong that nobody asked for, payload length {}", self.peer, payload.len()),
        }
        time
    }

    /// Sends a message. It goes out at once, unless the client's next message is there already: then the replies are
    /// gathered, up to 16 of them or 64 KiB, and go out with one write. A client that reads slowly is waited for: that is
    /// TCP's backpressure. The error is [`Error::Closed`] after the Close frame, [`Error::Io`] if the socket fails. `Ok`
    /// means that the message is written if the client lives.
    pub fn send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        let message = self.checked(message)?;
        if message.as_bytes().len() < GATHER {
            frame::encode(message.opcode(), message.as_bytes(), &mut self.out);
            self.flush_if_due()?;
        } else {
            frame::encode_header(message.opcode(), message.as_bytes().len(), &mut self.out);
            self.flush_with(message.as_bytes())?;
        }
        self.decoder.lend_memory(Some(message.into_bytes()));
        self.still_open()
    }

    /// Sends a message to every client on the same path, this one included. It goes out as with
    /// [`send`](Connection::send), but only this client is waited for: what another does not take at once is queued for
    /// it, and one that lets it wait for too long, or too much of it, is evicted. Errors are those of
    /// [`send`](Connection::send) to this client; those of the others are their own affair.
    pub fn broadcast(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        let message = self.checked(message)?;
        let start = self.out_to_others.len();
        if message.as_bytes().len() < GATHER {
            frame::encode(message.opcode(), message.as_bytes(), &mut self.out_to_others);
            self.out.extend_from_slice(&self.out_to_others[start..]);
            self.flush_if_due()?;
        } else {
            // What was gathered goes first, so that these frames are the same for all, this client included.
            self.flush()?;
            frame::encode_header(message.opcode(), message.as_bytes().len(), &mut self.out);
            let frames = Frames::new([&self.out, message.as_bytes()], &self.registry);
            self.write_to_others(&frames);
            let written = self.client.outbox.write_own(&frames, self.deadline);
            self.out.clear();
            self.check(written)?;
        }
        self.decoder.lend_memory(Some(message.into_bytes()));
        self.still_open()
    }

    fn checked(&self, message: impl Into<Message>) -> Result<Message, Error> {
        self.still_open().map(|()| message.into())
    }

    /// After a write: if another thread has sent a Close meanwhile, nothing of ours went out.
    fn still_open(&self) -> Result<(), Error> {
        if self.is_open() { Ok(()) } else { Err(Error::Closed) }
    }

    pub(super) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Writes what has been gathered, unless there is a message to go on with at once, and not much is gathered yet. So
    /// what a handler sends before a pause of its own does not wait for the end of the pause.
    fn flush_if_due(&mut self) -> Result<(), Error> {
        self.gathered += 1;
        let is_much = self.gathered >= GATHERED || self.out.len() >= GATHER || self.registry.is_stopping();
        let waits = !is_much && ends_message(self.inbox.unread());
        if waits { Ok(()) } else { self.flush_with(&[]) }
    }

    /// Writes what [`send`](Connection::send) and [`broadcast`](Connection::broadcast) have gathered; for a handler
    /// that goes on to wait for something other than [`recv`](Connection::recv). The error is [`Error::Io`] if the
    /// socket fails, and [`Error::Closed`] if a Close went out before.
    pub fn flush(&mut self) -> Result<(), Error> {
        let is_empty = self.out.is_empty();
        self.flush_with(&[])?;
        if is_empty { Ok(()) } else { self.still_open() }
    }

    /// Writes what has been gathered, and behind it a large payload from where it lies.
    fn flush_with(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.flush_to_others();
        (self.gathered, self.has_pong) = (0, false);
        if self.out.is_empty() {
            return Ok(());
        }
        let frames = Frames::new([&self.out, payload], &self.registry);
        let written = self.client.outbox.write_own(&frames, self.deadline);
        self.out.clear();
        self.check(written)
    }

    fn flush_to_others(&mut self) {
        if !self.out_to_others.is_empty() {
            self.write_to_others(&Frames::new([&self.out_to_others, &[]], &self.registry));
            self.out_to_others.clear();
        }
    }

    fn write_to_others(&self, frames: &Frames) {
        let members = self.registry.members(self.request().path());
        for group in members.chunks(FETCHED) {
            group.iter().for_each(|member| member.fetch());
            for other in group.iter().filter(|member| !Arc::ptr_eq(member, &self.client.outbox)) {
                // One that is closing or dead gets nothing, and that is its own affair.
                let _ = other.write(frames);
            }
        }
    }

    /// Closes the connection: sends a Close frame and waits, at most for the close timeout, until the client has
    /// answered it. Messages that arrive meanwhile are dropped; a reason over 123 bytes is cut. If a Close is out
    /// already, for example since the server goes down, it only waits. The error is [`Error::Io`] if the client does
    /// not answer in time or the socket fails, and [`Error::Protocol`] if it breaks a rule instead.
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.settle()?;
        if self.sends_its_close() {
            log::debug!("{}: Close {code} \"{}\", begun by the server", self.peer, shown(reason));
        }
        self.begin_close(Some(CloseFrame::new(code, reason)))?;
        while self.recv()?.is_some() {}
        Ok(())
    }

    /// What follows the handler: the closing handshake if it has not been done, then the end of the TCP connection. What
    /// has been done already does no harm a second time.
    pub(super) fn finish(&mut self, code: CloseCode, seat: &Seat) -> Result<(), Error> {
        let closed = self.close(code, "");
        log::debug!(
            "{}: over after {:.1?}, messages in: {}",
            self.peer,
            self.client.outbox.activity.age(),
            self.messages
        );
        self.client.outbox.wait_until_out(self.deadline);
        if self.is_closed() {
            // Who sees our FIN may come again at once, even where an address may have one seat only.
            seat.leave();
        }
        self.hang_up();
        self.out.clear();
        self.out_to_others.clear();
        self.inbox.discard();
        self.leave_desk();
        if let Some(deadline) = self.deadline.filter(|_| !self.is_closed()) {
            match self.inbox.drain(deadline) {
                ErrorKind::TimedOut => log::info!("{}: has not ended its side within the close timeout", self.peer),
                _ => log::debug!("{}: has ended its side too", self.peer),
            }
        }
        closed
    }

    /// Both Close frames have passed.
    pub(super) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// The next event, from what has been read already or from the socket.
    fn next_event(&mut self) -> Result<Event, Error> {
        if self.watcher.is_some() {
            return self.next_watched_event();
        }
        let event = self.next_decoded()?;
        if let Event::Pong(payload) = &event {
            self.take_pong(payload);
        }
        Ok(event)
    }

    /// A function of its own in the program too: what it needs of the stack would cost each client a page, 4 KiB.
    #[inline(never)]
    fn next_watched_event(&mut self) -> Result<Event, Error> {
        loop {
            let (_, event) = self.next_frame()?;
            if let Some(event) = event.map_err(|error| self.fail(error))? {
                return Ok(event);
            }
        }
    }

    fn next_decoded(&mut self) -> Result<Event, Error> {
        loop {
            let (used, event) = self.decoder.decode(self.inbox.unread()).map_err(|error| self.fail(error))?;
            self.inbox.consume(used);
            if let Some(event) = event {
                return Ok(event);
            }
            if let Some(count) = self.receive()?
                && let Some(event) = self.decoder.filled(count).map_err(|error| self.fail(error))?
            {
                return Ok(event);
            }
        }
    }

    /// The next frame, and what the decoder makes of it; only while there is a watcher. All bytes go through the inbox then.
    fn next_frame(&mut self) -> Result<(Frame, Result<Option<Event>, ProtocolError>), Error> {
        loop {
            let dissector = self.watcher.get_or_insert_with(new_watcher);
            let step = dissector.dissect_with(&mut self.decoder, self.inbox.unread());
            self.inbox.consume(step.used);
            if let Some(mut frame) = step.frame {
                if let Ok(Some(Event::Pong(payload))) = &step.event {
                    frame.round_trip_us = self.take_pong(payload).map(|time| time.as_micros() as u64);
                }
                trace::received(self.peer, &frame);
                return Ok((frame, step.event));
            }
            self.receive()?;
        }
    }

    /// Waits for the client, and reads what has come: into the inbox, or as many bytes of a large payload as it tells.
    fn receive(&mut self) -> Result<Option<usize>, Error> {
        // Flush before you block: whatever the client waits for must be on its way.
        self.flush_with(&[])?;
        self.count_unfinished()?;
        let result = if self.is_open() && self.client.outbox.turn.give() { self.read_the_last()? } else { self.read() };
        if self.client.outbox.turn.take() && !self.client.outbox.is_open() {
            self.mark_closing();
        }
        result.or_else(|error| self.check(Err(Error::Io(error))).map(|()| None))
    }

    /// The server goes down: what has arrived before is still answered, and then comes the goodbye.
    #[inline(never)]
    fn read_the_last(&mut self) -> Result<io::Result<Option<usize>>, Error> {
        match self.read_until(Until::Now) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.begin_close(Some(going_away()))?;
                Ok(self.read())
            }
            result => Ok(result),
        }
    }

    /// The thread leaves its desk while it waits.
    fn read(&mut self) -> io::Result<Option<usize>> {
        // The more comes together of a large payload the better: no looks for it. A client in its closing handshake has
        // nothing to say that would be worth a look.
        let looks = self.inbox.is_busy() && self.deadline.is_none() && self.decoder.reserve_room().is_none();
        for _ in 0..if looks { LOOKS } else { 0 } {
            self.leave_desk();
            thread::yield_now();
            self.take_desk();
            match self.read_until(Until::Now) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
        self.leave_desk();
        let outbox = Arc::clone(&self.client.outbox);
        let wait = outbox.activity.wait();
        let result = self.read_until(self.deadline.map_or(Until::Forever, Until::Deadline));
        drop(wait);
        let is_full = self.inbox.is_full();
        self.take_desk();
        // The small buffer is full: what did not fit belongs to the same batch, and is answered with the same write. If this
        // look fails, the bytes read before still count; a stream that has ended says so again at the next read.
        match result {
            Ok(None) if is_full => self.read_until(Until::Now).or(Ok(None)),
            result => result,
        }
    }

    fn read_until(&mut self, until: Until) -> io::Result<Option<usize>> {
        match self.decoder.reserve_room() {
            Some(room) if self.inbox.unread().is_empty() && self.watcher.is_none() => {
                self.inbox.read_into(room, until).map(Some)
            }
            _ => self.inbox.fill(until).map(|()| None),
        }
    }

    fn take_desk(&mut self) {
        let desk = self.desks.take(self.decoder.is_idle());
        self.inbox.take_large(desk.input);
        (self.out, self.out_to_others) = (desk.out, desk.out_to_others);
        self.decoder.lend_memory(desk.message);
    }

    /// Everything has been flushed or given up, so nothing that belongs to this client is on the desk.
    fn leave_desk(&mut self) {
        if let Some(input) = self.inbox.give_large() {
            let (out, out_to_others) = (mem::take(&mut self.out), mem::take(&mut self.out_to_others));
            self.desks.put_back(Desk { input, out, out_to_others, message: self.decoder.reclaim_memory() });
        }
    }

    /// A socket that has failed once is not used again. That the server has sent a Close of its own, since it goes
    /// down, is no failure: the client's answer is to come.
    fn check(&mut self, result: Result<(), Error>) -> Result<(), Error> {
        match result {
            Err(Error::Closed) => self.mark_closing(),
            Err(error) => {
                self.state = State::Over;
                self.lost = true;
                match &error {
                    // A client that has closed only its side still gets what is queued: `finish` waits for that.
                    Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof => self.set_deadline(),
                    _ => self.client.outbox.kill(),
                }
                return Err(error);
            }
            Ok(()) => {}
        }
        Ok(())
    }

    fn mark_closing(&mut self) {
        self.state = State::CloseSent;
        self.set_deadline();
    }

    /// From the first step of the end on, all the others have the close timeout together.
    fn set_deadline(&mut self) {
        self.deadline.get_or_insert_with(|| Instant::now() + self.close_timeout);
    }

    /// No Close of ours is out yet. One may be without our knowing: when the server goes down, another thread sends it.
    fn sends_its_close(&self) -> bool {
        self.is_open() && self.client.outbox.is_open()
    }

    fn begin_close(&mut self, close: Option<CloseFrame>) -> Result<(), Error> {
        if self.state != State::Open {
            return Ok(());
        }
        self.mark_closing();
        self.flush_to_others();
        let payload = close.map_or_else(Vec::new, |close| close.encode());
        frame::encode(Opcode::Close, &payload, &mut self.out);
        let written = self.client.outbox.write_own(&Frames::close(&self.out), self.deadline);
        self.out.clear();
        self.check(written)
    }

    /// The client's Close: answered with its code, and an empty one with an empty one. "When sending a Close frame
    /// in response, the endpoint typically echos the status code it received" (§5.5.1).
    fn answer_close(&mut self, close: Option<CloseFrame>) -> Result<(), Error> {
        let role = if self.sends_its_close() { "begun by the client" } else { "the client's answer" };
        match &close {
            Some(CloseFrame { code, reason }) => {
                log::debug!("{}: Close {code} \"{}\", {role}", self.peer, shown(reason))
            }
            None => log::debug!("{}: Close without a code, {role}", self.peer),
        }
        self.begin_close(close.map(|close| CloseFrame::new(close.code, "")))?;
        self.state = State::Closed;
        Ok(())
    }

    /// Fails the connection (§7.1.7): the client is told why, and no more of what it sends is looked at.
    fn fail(&mut self, error: ProtocolError) -> Error {
        if self.sends_its_close() {
            log::debug!("{}: Close {}, begun by the server: {error}", self.peer, CloseFrame::from(error).code);
        }
        // If the Close cannot be delivered, the rule that was broken still is the better reason.
        let _ = self.begin_close(Some(error.into()));
        self.hang_up();
        Error::Protocol(error)
    }

    /// Counts the message that is arriving. One that does not fit the memory for all clients is given up.
    fn count_unfinished(&mut self) -> Result<(), Error> {
        self.count(self.decoder.held())
    }

    /// Counts a message for as long as the handler works with it. A small one is not worth it.
    fn count_message(&mut self, message: &Message) -> Result<(), Error> {
        let length = message.as_bytes().len();
        if length > UNCOUNTED { self.count(length) } else { Ok(()) }
    }

    fn count(&mut self, bytes: usize) -> Result<(), Error> {
        let bytes = self.request_bytes + bytes;
        if bytes == self.share.bytes() || self.share.resize(bytes) { Ok(()) } else { Err(self.out_of_memory()) }
    }

    /// Closes with 1013: the client may try again later, when others hold less.
    // Inlined, it would take a page more of each client's stack, 4 KiB.
    #[inline(never)]
    fn out_of_memory(&mut self) -> Error {
        self.registry.budget().log_full(self.peer);
        // Its memory is free from here on, and not only once the client has answered.
        self.decoder.discard();
        self.share.resize(self.request_bytes);
        let _ = self.begin_close(Some(CloseFrame::new(CloseCode::TRY_AGAIN_LATER, "the server holds too much")));
        self.hang_up();
        Error::MemoryLimit
    }

    /// Ends our side of the TCP connection. The server is first to (§7.1.1): the wait in TIME_WAIT is its to bear.
    fn hang_up(&mut self) {
        self.client.outbox.wait_until_out(self.deadline);
        // A client that got no FIN is not one that can be seen off.
        if self.client.outbox.socket.shutdown(Shutdown::Write).is_err() || !self.is_closed() {
            self.state = State::Over;
        }
    }

    /// Nothing is read any more.
    fn is_over(&self) -> bool {
        matches!(self.state, State::Closed | State::Over)
    }
}

/// Whether `unread` begins with a whole frame that ends a message.
fn ends_message(unread: &[u8]) -> bool {
    const KEY: u64 = 4;
    match Header::decode(unread) {
        Ok(Some((header, used))) => {
            let length = header.length.saturating_add(KEY + used as u64);
            header.fin && !header.opcode.is_control() && unread.len() as u64 >= length
        }
        _ => false,
    }
}
