//! Your server: the closing handshake (§5.5.1, §7).

use std::io::Read;
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

// ---- step 13 ----

/// Returns the payload of the Close that answers a Close with this payload.
pub fn answer_close(payload: &[u8]) -> Vec<u8> {
    todo!("step 13: the answer to a Close")
}

/// Ends the TCP connection, so that the client still receives all that was written. Takes at most `patience`.
pub fn hang_up(mut stream: TcpStream, patience: Duration) {
    todo!("step 13: the end of TCP")
}
