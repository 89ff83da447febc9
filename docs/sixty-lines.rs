//! A server with rooms, names, a clock and a goodbye, in under 60 lines of the public API. The chapter Push explains
//! it. `cargo run --example sixty-lines`, and then `websocat -H 'Cookie: name=Ann' ws://127.0.0.1:8000/rooms/tea`.

use plainsocket::{Admission, Connection, Error, Message, Refusal, Request, Running, Server};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use std::{io, thread};

/// Says that a member has left, however its handler ends.
struct Member<'a> {
    connection: &'a mut Connection,
    name: String,
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        let _ = self.connection.broadcast(format!("{} has left", self.name));
    }
}

/// Before the 101: a client without a name gets 401. Yours would look a session up instead of believing a name.
fn admit(request: &Request, _peer: SocketAddr) -> Result<Admission<String>, Refusal> {
    let name = request.cookie("name").map(str::to_owned);
    name.map(Admission::new).ok_or_else(|| Refusal::new(401, "log in first").header("WWW-Authenticate", "Cookie"))
}

fn room(connection: &mut Connection, name: String) -> Result<(), Error> {
    let member = Member { connection, name };
    member.connection.broadcast(format!("{} is here", member.name))?;
    while let Some(message) = member.connection.recv()? {
        let Message::Text(text) = message else { continue };
        assert!(text.as_str() != "/crash", "a bug, which ends this handler only");
        member.connection.broadcast(format!("{}: {}", member.name, text.as_str()))?;
    }
    Ok(())
}

/// Starts the server, and a ticker that pushes to everybody at `/clock`, whose own threads only wait.
pub fn start(address: &str) -> io::Result<Running> {
    let server = Server::bind(address)?.route_with("/rooms/*", admit, room).route("/clock", |connection| {
        while connection.recv()?.is_some() {}
        Ok(())
    });
    let running = server.start()?;
    let (handle, started) = (running.handle().clone(), Instant::now());
    thread::spawn(move || {
        loop {
            thread::sleep(Duration::from_secs(1));
            handle.broadcast("/clock", format!("{} s", started.elapsed().as_secs()));
        }
    });
    Ok(running)
}

fn main() -> io::Result<()> {
    start("127.0.0.1:8000")?.join()
}
