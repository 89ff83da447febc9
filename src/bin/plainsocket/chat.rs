//! `/chat`: every message goes to all clients of `/chat`, the sender included.

use plainsocket::{Connection, Error};
use std::thread;
use std::time::{Duration, Instant};

/// The bytes that a client can send at once, and the bytes in each second after that.
const BURST: f64 = 16.0 * 1024.0 * 1024.0;
const RATE: f64 = 4.0 * 1024.0 * 1024.0;

pub fn chat(connection: &mut Connection) -> Result<(), Error> {
    let mut bucket = TokenBucket { tokens: BURST, filled: Instant::now() };
    while let Some(message) = connection.recv()? {
        let pause = bucket.take(message.as_bytes().len());
        connection.broadcast(message)?;
        if !pause.is_zero() {
            // While this thread does not read, TCP's backpressure soon stops the client.
            connection.flush()?;
            thread::sleep(pause);
        }
    }
    Ok(())
}

/// A rate limit: a token is a byte, and new tokens arrive at a constant rate until the bucket is full.
struct TokenBucket {
    tokens: f64,
    filled: Instant,
}

impl TokenBucket {
    /// Takes tokens, and returns how long to wait until the missing ones have arrived.
    fn take(&mut self, count: usize) -> Duration {
        let new = RATE * self.filled.elapsed().as_secs_f64();
        self.filled = Instant::now();
        self.tokens = (self.tokens + new).min(BURST) - count as f64;
        Duration::from_secs_f64((-self.tokens / RATE).max(0.0))
    }
}
