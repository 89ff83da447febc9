//! The same service as plainsocket's, on the library tungstenite with its default settings.

use super::{Members, accept};
use anyhow::Context as _;
use std::net::TcpStream;
use tungstenite::handshake::server::{Request, Response};
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

static MEMBERS: Members<WebSocket<TcpStream>> = Members::new();

pub fn serve() -> anyhow::Result<()> {
    accept("tungstenite", |stream| {
        // A client that disconnects is no error here.
        let _ = serve_client(stream);
        MEMBERS.leave();
    })
}

fn serve_client(stream: TcpStream) -> anyhow::Result<()> {
    let mut path = String::new();
    #[expect(clippy::result_large_err)] // the library's own type
    let note_path = |request: &Request, response: Response| {
        path = request.uri().path().to_owned();
        Ok(response)
    };
    let mut socket = tungstenite::accept_hdr(stream, note_path).ok().context("no handshake")?;
    let broadcast = path == "/chat";
    if broadcast {
        // A `WebSocket` cannot read and write at the same time, so the threads of other members get a second one to
        // write with.
        MEMBERS.join(WebSocket::from_raw_socket(socket.get_ref().try_clone()?, Role::Server, None));
    }
    loop {
        match socket.read()? {
            message @ (Message::Text(_) | Message::Binary(_)) if broadcast => {
                MEMBERS.each(|member| drop(member.send(message.clone())));
            }
            message @ (Message::Text(_) | Message::Binary(_)) => socket.send(message)?,
            // The next read answers Pings and a Close.
            _ => {}
        }
    }
}
