//! plainsocket: a WebSocket server (RFC 6455) to read and learn from. Plain `std::net` sockets, one
//! thread per client, handshake and frames by hand.
//!
//! ```no_run
//! use plainsocket::{Connection, Error, Server};
//!
//! fn echo(connection: &mut Connection) -> Result<(), Error> {
//!     while let Some(message) = connection.recv()? {
//!         connection.send(message)?;
//!     }
//!     Ok(())
//! }
//!
//! fn main() -> std::io::Result<()> {
//!     Server::bind("127.0.0.1:8000")?.route("/echo", echo).run()
//! }
//! ```
//!
//! A book goes with the code, chapter by chapter in the order of the bytes: it begins in `docs/README.md`, beside `src/`.
//!
//! # How the bytes flow
//!
//! ```text
//!   TcpListener::accept                                 server/accept.rs: a thread per client (server/client.rs)
//!          |                                            server/seat.rs: a seat for each, or 429, 503
//!      Socket --read--> Inbox                           server/receive.rs, server/socket.rs, server/inbox.rs
//!                           |  bytes                     (in memory of a server/desk.rs)
//!            Request::parse |  once, then Response      protocol/request.rs, upgrade.rs, response.rs (server/opening.rs)
//!                           v
//!            MessageDecoder::decode                     protocol/decoder.rs
//!              Header::decode, apply_mask               protocol/frame.rs
//!                           |  Event
//!                           v
//!     Connection::recv -----+--> Ping: Pong             server/connection.rs, server/batch.rs
//!          |                +--> Close: the closing handshake            server/closing.rs
//!          | Message        +--> a broken rule: Close 1002, 1007, 1009   protocol/close.rs
//!          v
//!       handler
//!          | send, broadcast
//!          v
//!        Batch                                          server/batch.rs: gathered while more messages are unread
//!          | flushed by recv before it waits, or full
//!          v
//!       Outbox --write--> Socket                        server/outbox.rs: who writes, who waits
//!        ^  |               ^                           server/frames.rs, server/backlog.rs: what waits
//!        |  +- drain thread +                           server/drain.rs: one thread for all slow clients
//!        |
//!        +-- broadcasts of others on the path           server/registry.rs
//!        +-- Pings                                      server/heartbeat.rs
//!        +-- the Close 1001 of a shutdown               server/registry.rs
//!
//!   Past the inbox: a large payload, which is read directly into its message.
//!   Past the outbox: the 101, and the replies to refused requests.
//! ```
//!
//! What all clients make the server hold has one bound (`server/budget.rs`). The system calls that std lacks are in
//! `server/system/`.
//!
//! The trace log (`server/trace.rs`) and [`Connection::recv_frame`] show the bytes themselves. Each puts a
//! [`Dissector`](protocol::wire::Dissector) beside the decoder; `protocol/wire/` explains what comes out of it.
//!
//! Imports point one way: `bin` -> `server` -> `protocol` -> `error` (`server` uses `config` too). Nothing in
//! [`protocol`] knows a socket, a thread or a clock; read it first.
//!
//! # Glossary
//!
//! The words are those of RFC 6455.
//!
//! - **handshake**: the HTTP request and its `101` reply, before the first frame (§4).
//! - **resource name**: what comes after the host in `ws://host/path?query` (§3).
//! - **Origin**: the site whose page opened the connection, as told by the browser (§10.2).
//! - **frame**: the unit on the wire: header, masking key, payload (§5.2).
//! - **opcode**: what a frame is for: continuation, text, binary, Close, Ping, Pong.
//! - **masking key**: four bytes that a client XORs its payload with (§5.3).
//! - **message**: the unit of the application: one frame, or several fragments (§5.4); text or binary (§5.6).
//! - **fragment**: a frame that holds a part of a message.
//! - **control frame**: Close, Ping or Pong; may arrive between fragments (§5.5).
//! - **closing handshake**: a Close frame each way, then the end of TCP (§7).
//! - **Close code**: the number in a Close frame that says why (§7.4).
//! - **to fail the connection**: to end it because a rule was broken (§7.1.7).
#![forbid(unsafe_code)]
#![warn(missing_docs, missing_debug_implementations)]

#[cfg(doctest)]
mod chapters;
mod config;
mod error;
pub mod protocol;
mod server;

pub use config::Config;
pub use error::{Error, HandshakeError, OriginError, ProtocolError};
pub use protocol::close::{CloseCode, CloseFrame};
pub use protocol::message::Message;
pub use protocol::text::Text;
pub use server::{Connection, Handle, Server};

/// For the fuzz target `connection`.
#[cfg(fuzzing)]
#[doc(hidden)]
pub use server::tests as inside;
