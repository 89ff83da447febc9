//! The end of a connection (§7): its state and its deadline.

use super::batch::Batch;
use super::frames::Frames;
use super::outbox::Outbox;
use crate::error::{Error, ProtocolError, shown};
use crate::protocol::close::{CloseCode, CloseFrame};
use std::io::ErrorKind;
use std::net::Shutdown;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The state of the end of a connection (§7.1).
///
/// [`Outbox`] has one, shared by all threads, which decides about writes. [`Closing`] has one for the reads of the
/// client's own thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CloseState {
    Open,
    /// Our Close is sent, and the client's has not arrived yet. No data follows ours (§5.5.1), only Pongs (§5.5.2).
    CloseSent,
    /// Both Close frames have passed: nothing is read or written any more.
    Closed,
    /// We have failed the connection (§7.1.7): what the client sends is not processed any more.
    Failed,
    /// The socket has failed, the client has closed its side without a Close, or another thread has disconnected it.
    Lost,
    /// As `Lost`: a slow consumer, disconnected for the sake of the others.
    Evicted,
}

/// Why nothing more can be sent to a client, and since when. The first reason counts.
#[derive(Clone, Copy)]
pub(super) struct End {
    cause: CloseState,
    since: Instant,
}

impl End {
    pub(super) fn now(cause: CloseState) -> End {
        End { cause, since: Instant::now() }
    }

    /// Returns the error of a message that is too late.
    pub(super) fn error(&self) -> Error {
        match self.cause {
            CloseState::Evicted => Error::Evicted,
            CloseState::Lost => Error::Io(ErrorKind::BrokenPipe.into()),
            _ => Error::Closed,
        }
    }

    /// Returns whether the end has had this long.
    pub(super) fn is_over(&self, timeout: Duration) -> bool {
        self.since.elapsed() >= timeout
    }
}

/// The end of a connection as the client's own thread sees it, through which it writes.
pub(super) struct Closing {
    outbox: Arc<Outbox>,
    state: CloseState,
    timeout: Duration,
    /// The client's Close, once it has arrived.
    received: Option<CloseFrame>,
}

impl Closing {
    pub(super) fn new(outbox: Arc<Outbox>, timeout: Duration) -> Closing {
        Closing { outbox, state: CloseState::Open, timeout, received: None }
    }

    /// Returns the state of the end. An act of another thread, such as a Close, counts at once.
    pub(super) fn state(&self) -> CloseState {
        match (self.state, self.outbox.end.get()) {
            (CloseState::Open, Some(end)) => end.cause,
            (state, _) => state,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.state() == CloseState::Open
    }

    /// Returns whether nothing is read any more.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, CloseState::Closed | CloseState::Failed | CloseState::Lost)
    }

    /// Returns when the end must be over, once it has begun: all its steps share one close timeout.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.outbox.end.get().map(|end| end.since + self.timeout)
    }

    /// Notes the client's Close. "If this Close control frame contains no status code, _The WebSocket Connection Close
    /// Code_ is considered to be 1005" (§7.1.5).
    pub(super) fn note_received(&mut self, close: Option<&CloseFrame>) {
        self.received = Some(close.cloned().unwrap_or_else(|| CloseFrame::new(CloseCode::NO_STATUS, "")));
    }

    /// Returns the client's Close, once it has arrived.
    pub(super) fn received(&self) -> Option<&CloseFrame> {
        self.received.as_ref()
    }

    /// Returns why nothing can be sent to the client any more, if so.
    pub(super) fn check_open(&self) -> Result<(), Error> {
        self.outbox.end.get().map_or(Ok(()), |end| Err(end.error()))
    }

    /// Sends a Close, unless one of ours is sent already.
    pub(super) fn start(&mut self, close: CloseFrame, batch: &mut Batch) -> Result<(), Error> {
        if self.is_open() {
            let CloseFrame { code, reason } = &close;
            log::debug!("{}: Close {code} \"{}\", begun by the server", self.outbox.peer, shown(reason));
        }
        self.send_close(Some(close), batch)
    }

    /// Answers the client's Close with its code, and an empty one with an empty one. "When sending a Close frame in
    /// response, the endpoint typically echos the status code it received" (§5.5.1).
    pub(super) fn answer(&mut self, close: Option<CloseFrame>, batch: &mut Batch) -> Result<(), Error> {
        self.note_received(close.as_ref());
        let (peer, is_first) = (self.outbox.peer, self.is_open());
        let role = if is_first { "begun by the client" } else { "the client's answer" };
        match &close {
            Some(CloseFrame { code, reason }) => log::debug!("{peer}: Close {code} \"{}\", {role}", shown(reason)),
            None => log::debug!("{peer}: Close without a code, {role}"),
        }
        self.send_close(close.map(|close| CloseFrame::new(close.code, "")), batch)?;
        self.state = CloseState::Closed;
        Ok(())
    }

    /// Fails the connection (§7.1.7): sends the client the reason, and reads no more of what it sends.
    pub(super) fn fail(&mut self, error: ProtocolError, batch: &mut Batch) -> Error {
        let close = CloseFrame::from(error);
        if self.is_open() {
            log::debug!("{}: Close {}, begun by the server: {error}", self.outbox.peer, close.code);
        }
        self.fail_with(close, batch);
        Error::Protocol(error)
    }

    /// Fails the connection with a Close for another reason than a broken rule.
    pub(super) fn fail_with(&mut self, close: CloseFrame, batch: &mut Batch) {
        // If the Close cannot be delivered, the caller's error still is the better reason.
        let _ = self.send_close(Some(close), batch);
        if self.state != CloseState::Lost {
            self.state = CloseState::Failed;
        }
    }

    pub(super) fn send_close(&mut self, close: Option<CloseFrame>, batch: &mut Batch) -> Result<(), Error> {
        if !self.is_open() {
            // Frames gathered for the others are sent, whichever way this connection ends.
            batch.flush_to_others();
            return Ok(());
        }
        batch.write_close(close, self)
    }

    /// Writes frames, and waits while the client reads too slowly. The error is [`Error::Closed`] if another thread has
    /// sent a Close before them; any other error ends the connection.
    pub(super) fn write(&mut self, frames: &Frames) -> Result<(), Error> {
        let begins_now = || frames.ends_with_close.then(|| Instant::now() + self.timeout);
        self.outbox.write_own(frames, self.deadline().or_else(begins_now)).map_err(|error| match error {
            Error::Closed => error,
            _ => self.note_failure(error),
        })
    }

    /// Notes that the socket has failed, and returns why. It is not used again.
    pub(super) fn note_failure(&mut self, error: Error) -> Error {
        self.state = CloseState::Lost;
        let is_end = matches!(&error, Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof);
        if is_end {
            // A client that has closed only its side still gets what is queued, within the close timeout.
            self.outbox.note_end(CloseState::Lost);
        } else {
            self.outbox.disconnect();
        }
        let is_unanswered = |end: &End| end.cause == CloseState::CloseSent && end.is_over(self.timeout);
        match error {
            // The heartbeat has disconnected it.
            Error::Io(_) if is_end && self.outbox.end.get().is_some_and(is_unanswered) => {
                Error::Io(ErrorKind::TimedOut.into())
            }
            Error::Io(error) => self.outbox.unless_evicted(error),
            error => error,
        }
    }

    /// Sends FIN, once everything queued is out. The server is the first to (§7.1.1), so TIME_WAIT is on its side.
    pub(super) fn half_close(&mut self) {
        // Without a FIN the client could not be left to the close by itself.
        if self.outbox.socket.shutdown(Shutdown::Write).is_err() {
            self.state = CloseState::Lost;
        }
    }
}

/// Takes another thread's Close for no error: the client's answer to it is still to come.
pub(super) fn unless_closed(written: Result<(), Error>) -> Result<(), Error> {
    match written {
        Err(Error::Closed) => Ok(()),
        written => written,
    }
}
