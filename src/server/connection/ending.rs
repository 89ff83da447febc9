//! The work after the handler: the closing handshake unless it has been done, then the end of TCP.

use super::Connection;
use crate::error::Error;
use crate::protocol::close::CloseCode;
use crate::server::closing::CloseState;
use crate::server::seat::Seat;
use std::io::ErrorKind;

impl Connection {
    /// Ends the connection after its handler: the closing handshake unless it has been done, then the end of TCP.
    pub(in crate::server) fn finish(&mut self, code: CloseCode, seat: &Seat) -> Result<(), Error> {
        let closed = self.close(code, "");
        let (peer, age) = (self.peer(), self.outbox().activity.age());
        log::debug!("{peer}: over after {age:.1?}, messages in: {}", self.outbox().incoming.messages());
        self.outbox().wait_until_out(self.closing.deadline());
        if let Some(close) = self.close_frame() {
            seat.note_close(close.code);
        }
        // The seat is freed before our FIN. After a clean close the thread ends soon; otherwise it first lingers.
        if self.is_closed() {
            seat.leave()
        } else {
            seat.linger()
        }
        self.closing.half_close();
        let deadline = self.closing.deadline().filter(|_| !self.is_closed());
        match self.receiver.linger(&mut self.batch, deadline) {
            Some(ErrorKind::TimedOut) => log::info!("{peer}: has not closed its side within the close timeout"),
            Some(_) => log::debug!("{peer}: has closed its side too"),
            None => {}
        }
        closed
    }

    /// Returns whether both Close frames have passed.
    pub(in crate::server) fn is_closed(&self) -> bool {
        self.closing.state() == CloseState::Closed
    }

    /// Returns whether the socket has failed, and a call has returned why.
    pub(in crate::server) fn is_lost(&self) -> bool {
        self.closing.state() == CloseState::Lost
    }
}
