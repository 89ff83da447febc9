//! A client that keeps the rules, from the library tungstenite.

use crate::wire;
use anyhow::{Result, anyhow, bail};
use rand::RngExt as _;
use rand::rngs::StdRng;
use std::net::{SocketAddr, TcpStream};
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame, coding::CloseCode};
use tungstenite::{Bytes, Error, Message, WebSocket};

pub struct Good(WebSocket<TcpStream>);

impl Good {
    pub fn connect(address: SocketAddr, path: &str) -> Result<Good> {
        let stream = wire::connect(address)?;
        let connected = tungstenite::client(format!("ws://localhost{path}"), stream);
        connected.map(|(socket, _)| Good(socket)).map_err(|error| anyhow!("handshake: {error}"))
    }

    pub fn send(&mut self, message: Message) -> Result<()> {
        Ok(self.0.send(message)?)
    }

    /// Sends a message in a few frames, cut anywhere, even within a character, and perhaps with a Ping between them.
    pub fn send_in_fragments(&mut self, message: &Message, random: &mut StdRng) -> Result<()> {
        let mut rest = message.clone().into_data();
        let mut kind = if message.is_text() { Data::Text } else { Data::Binary };
        for _ in 0..random.random_range(1..5) {
            let piece = rest.split_to(random.random_range(0..=rest.len()));
            self.0.write(fragment(piece, kind, false))?;
            kind = Data::Continue;
            if random.random_bool(0.3) {
                self.0.write(Message::Ping(Bytes::from_static(b"in between")))?;
            }
        }
        self.0.write(fragment(rest, kind, true))?;
        Ok(self.0.flush()?)
    }

    /// Returns the next message, and answers Pings that precede it.
    pub fn receive(&mut self) -> Result<Message> {
        loop {
            match self.0.read()? {
                message @ (Message::Text(_) | Message::Binary(_)) => return Ok(message),
                Message::Close(close) => bail!("the server closed: {close:?}"),
                _ => {}
            }
        }
    }

    /// Does the closing handshake.
    pub fn leave(mut self) -> Result<()> {
        self.0.close(Some(CloseFrame { code: CloseCode::Normal, reason: "".into() }))?;
        loop {
            match self.0.read() {
                Ok(_) => {}
                Err(Error::ConnectionClosed) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn fragment(piece: Bytes, kind: Data, last: bool) -> Message {
    Message::Frame(Frame::message(piece, OpCode::Data(kind), last))
}
