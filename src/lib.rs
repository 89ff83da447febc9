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
//!                           |  bytes
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
//! # How a connection ends
//!
//! | word | who decides | why | what the client sees |
//! | --- | --- | --- | --- |
//! | refused | `accept.rs`, `opening.rs` | no seat, or a request that cannot be served | an HTTP error and its reason |
//! | closed | the client or the handler: `closing.rs` | one of them is done | a Close each way, then FIN (§7.1.2) |
//! | failed | the decoder: `closing.rs` | a protocol violation, or no memory for the message | Close 1002, 1007, 1009 or 1013 |
//! | dropped | the heartbeat: `heartbeat.rs` | silence, or a client that takes no bytes for too long | Close 1001, if its socket has room |
//! | evicted | a writer: `outbox.rs`; the heartbeat | a slow consumer: its queue is too long or too old | nothing: its socket is full |
//! | cut off | shutdown: `registry.rs` | it has not answered 1001 within the close timeout | Close 1001, if it got none |
//!
//! "Dropped" and "evicted" are two mechanisms. The heartbeat measures how long the server has **waited for a client**, to
//! read from it or to write its own replies (`activity.rs`). The queue's age measures how long bytes **of others** have
//! waited for it (`backlog.rs`). Only a client's own thread waits for it, so a slow consumer delays nobody until then.
//!
//! # Where to change what
//!
//! | to change | look at |
//! | --- | --- |
//! | a rule of the request, a header of the response | `Request::accept` in `protocol/upgrade.rs` |
//! | what a refusal says | `HandshakeError` in `error.rs`, `protocol/response.rs` |
//! | the Close code for a protocol violation | `CloseFrame::from` in `protocol/close.rs` |
//! | when a client counts as silent, and what follows | `verdict` and `sweep` in `server/heartbeat.rs` |
//! | what happens to a client that does not read | `Outbox::put` and `Outbox::evict` in `server/outbox.rs` |
//! | how small replies are gathered | `Batch` in `server/batch.rs` |
//! | who can be found, and by which key | `Table` in `server/registry.rs`, `Seat::enter` in `server/seat.rs` |
//! | how a connection's end is logged | `log_end` in `server/client.rs` |
//! | what a path does, for example a rate limit in `/chat` | its handler in `bin/plainsocket/` |
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
//!
//! These words are the server's own:
//!
//! - **seat**: a connection slot, held by an RAII guard from `accept` to the end of the client's thread.
//! - **registry**: the table of all connections, `Mutex<HashMap<SocketAddr, Client>>`.
//! - **inbox**: the buffer of bytes that are received and not yet decoded.
//! - **batch**: encoded frames of a handler that nobody has written yet.
//! - **outbox**: the sending side of a client: the right to write, and a queue.
//! - **backlog**: that queue. It is empty unless the socket is full or another thread is writing.
//! - **drain thread**: the one thread that writes the backlogs of all slow clients.
//! - **slow consumer**: a client that reads more slowly than others send to it; in the end it is **evicted**.
//! - **turn**: whose move it is, the client's or the handler's. At shutdown that decides which thread sends the Close.
//! - **dissector**: explains the bytes of frames and handshakes for people, as Wireshark's dissectors do.
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
