//! `/chat` and `/chat/ROOM`: every message goes to all clients of the same path, the sender included. A client with the
//! subprotocol `plainsocket.json` gets events instead, which say who it was, and who joins and leaves.

use crate::events;
use crate::inspect::JSON;
use crate::rooms::{Member, Rooms, check_name};
use plainsocket::{Admission, Connection, Error, Refusal, Request};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// The bytes that a client can send at once, and the bytes in each second after that.
const BURST: f64 = 16.0 * 1024.0 * 1024.0;
const RATE: f64 = 4.0 * 1024.0 * 1024.0;

/// Takes a name for the client, before its 101: `?name=Ann`, or that of a guest.
pub fn admit(rooms: &Arc<Rooms>, request: &Request) -> Result<Admission<Member>, Refusal> {
    let wanted = request.query_value("name").unwrap_or_default();
    let name = check_name(&wanted).map_err(|rule| Refusal::new(400, rule))?;
    Ok(Admission::new(rooms.take_name(request.path(), name)))
}

pub fn chat(connection: &mut Connection, member: Member) -> Result<(), Error> {
    let presence = Presence::begin(connection, member, None)?;
    let mut bucket = TokenBucket::full();
    while let Some(message) = presence.connection.recv()? {
        let mut count = message.as_bytes().len();
        if presence.member.has_listeners() {
            let event = events::message(&presence.member.name, &message, None);
            count = count.max(event.len());
            presence.connection.broadcast_to(Some(JSON), event)?;
        }
        presence.connection.broadcast_to(None, message)?;
        let pause = bucket.take(count);
        if !pause.is_zero() {
            // While this thread does not read, TCP's backpressure soon stops the client.
            presence.connection.flush()?;
            thread::sleep(pause);
        }
    }
    Ok(())
}

/// A member that the others see. When this value is dropped they learn that it has left: after a Close, after an
/// error, and while a panic unwinds the stack.
pub struct Presence<'a> {
    pub connection: &'a mut Connection,
    member: Member,
    wants_events: bool,
}

impl<'a> Presence<'a> {
    /// Greets the client and tells the others. With a bus, the messages after `position` are those that it gets.
    pub fn begin(
        connection: &'a mut Connection,
        member: Member,
        position: Option<&str>,
    ) -> Result<Presence<'a>, Error> {
        let wants_events = connection.subprotocol() == Some(JSON);
        // A `Sender` never waits, so it can be used under the lock of the rooms.
        let (sender, mut welcomed) = (wants_events.then(|| connection.sender()), Ok(()));
        let count = member.enter(wants_events, |others| {
            if let Some(sender) = &sender {
                welcomed = sender.send(events::welcome(&member.name, &member.room, position, others.iter()));
            }
        });
        // From here on it leaves, whatever happens.
        let mut presence = Presence { connection, member, wants_events };
        presence.announce(events::joined, count)?;
        welcomed.map(|()| presence)
    }

    fn announce(&mut self, event: fn(&str, usize) -> String, members: usize) -> Result<(), Error> {
        if !self.member.has_listeners() {
            return Ok(());
        }
        self.connection.broadcast_to(Some(JSON), event(&self.member.name, members))
    }
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        let count = self.member.leave(self.wants_events);
        // The errors are this client's own. After a panic it is still connected, and the event would stay in its batch.
        let _ = self.announce(events::left, count);
        let _ = self.connection.flush();
    }
}

/// A rate limit: a token is a byte, and new tokens arrive at a constant rate until the bucket is full.
pub struct TokenBucket {
    tokens: f64,
    filled: Instant,
}

impl TokenBucket {
    pub fn full() -> TokenBucket {
        TokenBucket { tokens: BURST, filled: Instant::now() }
    }

    /// Takes tokens, and returns how long to wait until the missing ones have arrived.
    pub fn take(&mut self, count: usize) -> Duration {
        let new = RATE * self.filled.elapsed().as_secs_f64();
        self.filled = Instant::now();
        self.tokens = (self.tokens + new).min(BURST) - count as f64;
        Duration::from_secs_f64((-self.tokens / RATE).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plainsocket::{Handle, Server};
    use serde_json::{Value, json};
    use std::net::TcpStream;
    use tungstenite::client::IntoClientRequest as _;
    use tungstenite::{Message, WebSocket};

    type Client = WebSocket<TcpStream>;

    fn join(handle: &Handle, name: &str) -> Client {
        let mut request = format!("ws://{}/chat?name={name}", handle.address()).into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", JSON.parse().unwrap());
        let stream = TcpStream::connect(handle.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        tungstenite::client(request, stream).unwrap().0
    }

    fn event(client: &mut Client) -> Value {
        serde_json::from_str(client.read().unwrap().to_text().unwrap()).unwrap()
    }

    /// A chat whose handler fails with the message that says so.
    fn fragile(connection: &mut Connection, member: Member) -> Result<(), Error> {
        let presence = Presence::begin(connection, member, None)?;
        let message = presence.connection.recv()?;
        assert_ne!(message, Some("panic".into()), "on purpose");
        if message == Some("return".into()) { Ok(()) } else { Err(Error::handler("on purpose")) }
    }

    #[test]
    fn leaving_is_announced_after_a_return_an_error_and_a_panic() {
        let rooms = Arc::new(Rooms::default());
        let its_rooms = Arc::clone(&rooms);
        let server = Server::bind("127.0.0.1:0")
            .unwrap()
            .route_with("/chat", move |request, _| admit(&its_rooms, request), fragile)
            .subprotocol("/chat", JSON);
        let running = server.start().unwrap();
        let mut witness = join(running.handle(), "Ann");
        assert_eq!([event(&mut witness), event(&mut witness)].map(|event| event["name"].clone()), ["Ann", "Ann"]);
        for end in ["return", "error", "panic"] {
            let mut client = join(running.handle(), end);
            assert_eq!(event(&mut witness), json!({"type": "joined", "name": end, "members": 2}));
            client.send(Message::from(end)).unwrap();
            assert_eq!(event(&mut witness), json!({"type": "left", "name": end, "members": 1}));
        }
        running.handle().shutdown();
        drop(witness);
        running.join().unwrap();
        assert!(rooms.is_empty());
    }

    #[test]
    fn bucket_is_full_at_first_and_is_refilled_at_the_rate() {
        let mut bucket = TokenBucket::full();
        assert!(bucket.take(BURST as usize).is_zero());
        let pause = bucket.take(RATE as usize).as_secs_f64();
        assert!((0.5..=1.0).contains(&pause), "{pause}");
    }
}
