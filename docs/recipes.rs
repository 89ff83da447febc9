//! Four things that many handlers need: a rate limit, versions of a subprotocol, a feed that clients resume, and a look
//! at the running server. The chapter "Recipes" explains them. `cargo run --example recipes`.

use plainsocket::{
    Admission, CloseCode, Connection, Counters, Error, Message, Refusal, Request, Running, Sender, Server,
};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

/// Holds up to `burst` tokens and gains `rate` of them each second. A message costs one.
pub struct TokenBucket {
    rate: f64,
    burst: f64,
    tokens: f64,
    updated: Instant,
}

impl TokenBucket {
    pub fn new(rate: f64, burst: f64, now: Instant) -> TokenBucket {
        TokenBucket { rate, burst, tokens: burst, updated: now }
    }

    /// Takes a token if there is one. The caller brings the time, so that a test need not wait.
    pub fn take(&mut self, now: Instant) -> bool {
        let gained = now.duration_since(self.updated).as_secs_f64() * self.rate;
        self.tokens = (self.tokens + gained).min(self.burst);
        self.updated = now;
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }
}

/// Echoes five messages a second, and twenty at once. A client that sends more is sent away.
fn limited(connection: &mut Connection) -> Result<(), Error> {
    let mut bucket = TokenBucket::new(5.0, 20.0, Instant::now());
    while let Some(message) = connection.recv()? {
        if !bucket.take(Instant::now()) {
            return connection.close(CloseCode::POLICY_VIOLATION, "more than 5 messages a second");
        }
        connection.send(message)?;
    }
    Ok(())
}

/// Speaks `shout.v2` or `shout.v1`, whichever the handshake has selected.
fn shout(connection: &mut Connection) -> Result<(), Error> {
    let answer: fn(&str) -> String = match connection.subprotocol() {
        Some("shout.v2") => |text| text.to_uppercase() + "!",
        // Clients that were written before there were versions offer nothing.
        _ => |text| text.to_uppercase(),
    };
    while let Some(message) = connection.recv()? {
        let Message::Text(text) = message else { continue };
        connection.send(answer(text.as_str()))?;
    }
    Ok(())
}

/// The last messages with their numbers, and who hears the next one.
#[derive(Default)]
pub struct Feed {
    published: usize,
    last: VecDeque<String>,
    readers: Vec<Sender>,
}

const KEPT: usize = 1000;

/// A code of our own: the page must be loaded again, because connecting again would not help.
const GAP: u16 = 4000;

impl Feed {
    /// Numbers a message and sends it to all readers. `Sender::send` never waits, so a slow reader holds nobody up.
    pub fn publish(&mut self, text: &str) {
        self.published += 1;
        let message = format!("{} {text}", self.published);
        self.readers.retain(|reader| reader.send(message.as_str()).is_ok());
        self.last.push_back(message);
        if self.last.len() > KEPT {
            self.last.pop_front();
        }
    }

    /// Sends a reader the messages after number `after`, or all that are kept, and registers it for the next ones.
    /// Returns `false` if messages in between are gone, or if this number is yet to come because the server is new.
    fn join(&mut self, reader: Sender, after: Option<usize>) -> Result<bool, Error> {
        let oldest = self.published - self.last.len();
        let after = after.unwrap_or(oldest);
        if !(oldest..=self.published).contains(&after) {
            return Ok(false);
        }
        for message in self.last.iter().skip(after - oldest) {
            reader.send(message.as_str())?;
        }
        self.readers.push(reader);
        Ok(true)
    }
}

/// `/feed?after=7`: 7 is the number of the last message that this client has seen. Without it: all that is kept.
fn admit(request: &Request, _peer: SocketAddr) -> Result<Admission<Option<usize>>, Refusal> {
    let after = request.query_value("after").map(|number| number.parse()).transpose();
    after.map(Admission::new).map_err(|_| Refusal::new(400, "after is no number"))
}

fn follow(feed: &Mutex<Feed>, connection: &mut Connection, after: Option<usize>) -> Result<(), Error> {
    // One lock around both steps, so that no message is lost between the old ones and the new.
    let joined = feed.lock().unwrap_or_else(PoisonError::into_inner).join(connection.sender(), after)?;
    if !joined {
        let code = CloseCode::new(GAP).expect("4000 to 4999 are for applications");
        return connection.close(code, "messages are missing: load the page again");
    }
    while connection.recv()?.is_some() {}
    Ok(())
}

/// Returns a line for the log: the difference between two looks at the counters.
pub fn report(before: &Counters, now: &Counters) -> String {
    let refused = |counters: &Counters| counters.refused.values().sum::<u64>();
    format!(
        "{} clients, {} messages in, {} out, {} refused, {} evicted, {} dropped, {} bytes waiting",
        now.open,
        now.messages_in - before.messages_in,
        now.messages_out - before.messages_out,
        refused(now) - refused(before),
        now.evicted - before.evicted,
        now.dropped - before.dropped,
        now.waiting_bytes
    )
}

/// Starts the server with all of it, on `address`.
pub fn start(address: &str, feed: Arc<Mutex<Feed>>) -> io::Result<Running> {
    Server::bind(address)?
        .route("/limited", limited)
        .subprotocol("/shout", "shout.v2")
        .subprotocol("/shout", "shout.v1")
        .route("/shout", shout)
        .page("/", include_str!("chat/resume.html"))
        .route_with("/feed", admit, move |connection, after| follow(&feed, connection, after))
        .start()
}

fn main() -> io::Result<()> {
    let feed = Arc::new(Mutex::new(Feed::default()));
    let server = start("127.0.0.1:8000", Arc::clone(&feed))?;
    let mut before = Counters::default();
    for second in 1.. {
        thread::sleep(Duration::from_secs(1));
        feed.lock().unwrap_or_else(PoisonError::into_inner).publish(&format!("{second} seconds"));
        if second % 60 == 0 {
            let now = server.handle().counters();
            println!("{}", report(&before, &now));
            before = now;
        }
    }
    server.join()
}
