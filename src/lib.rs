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
//! A book goes with the code, chapter by chapter in the order of the bytes: it begins in `docs/README.md`, beside
//! `src/`.
//!
//! # How the bytes flow
//!
//! ```text
//!   TcpListener::accept                                 server/accept.rs: a thread per client (server/client.rs)
//!          |                                            server/seat.rs: a seat for each, or 429, 503
//!      Socket --read--> Inbox                           server/receive.rs reads server/socket.rs into server/inbox.rs
//!                           |  bytes
//!            Request::parse |  once: server/opening.rs  protocol/request.rs
//!            Request::accept, Response                  protocol/upgrade.rs, protocol/response.rs
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
//!        Batch                                          server/batch.rs: written at once, unless the client's next
//!          |                                            whole message has arrived already; 16 at most gather
//!          +--> own Outbox -----> Socket                server/outbox.rs: one thread writes, others leave their frames
//!          |        |                ^
//!          |     Backlog --drain-----+                  server/backlog.rs, drain.rs: what the socket did not take
//!          |
//!          +--> for a broadcast, the Outbox of each other client on the path, in the same way   server/registry.rs
//!
//!   Other threads that use an Outbox: the heartbeat (Ping), shutdown (Close 1001), and the program's own, with a
//!   Sender (server/sender.rs) or Handle::broadcast (server/handle.rs).
//!   Past the inbox: a large payload, which is read directly into its message.
//!   Past the outbox: the 101, and the replies to refused requests.
//! ```
//!
//! Everything that clients make the server hold has one bound (`server/budget.rs`). The system calls that std lacks are
//! in `server/system/`.
//!
//! The trace log (`server/trace.rs`) and [`Connection::recv_frame`] show the bytes themselves. Each puts a
//! [`Dissector`](protocol::wire::Dissector) beside the decoder; `protocol/wire/` explains its findings.
//!
//! Imports point one way: `bin` -> `server` -> `protocol` -> `error` (`server` uses `config` too). Nothing in
//! [`protocol`] knows a socket, a thread or a clock. Read it first, in the order of the README's list.
//!
//! # Threads
//!
//! | thread | started in | how many | what it waits for | writes to sockets |
//! | --- | --- | --- | --- | --- |
//! | accept loop | `server/listeners.rs` | one for each listening socket | the next connection | refusals |
//! | client | `server/accept.rs` | one for each client | its own client only | its own client; the others, without
//! waiting |
//! | drain | `server/drain.rs` | one | any slow client's socket, with `poll` | what is queued |
//! | heartbeat | `server/server.rs` | one | the next sweep | Pings, without waiting |
//! | signals | `bin/plainsocket/` | one, in the program | a signal | the Close 1001: it calls [`Handle::shutdown`] |
//! | clock | `bin/plainsocket/` | one, in the program | the next second | the time, to everybody at `/clock`, without
//! waiting |
//! | log | `bin/plainsocket/` | one, in the program | a line of the log | nothing |
//! | output | `bin/plainsocket/` | one, in the program, at its start | stdout, for the first lines | nothing |
//! | your own | your program | any number | your business | what a [`Sender`] or [`Handle::broadcast`] sends, without
//! waiting |
//!
//! A message to other clients is written by the thread that sends it: `broadcast` writes to each member's socket what
//! the socket takes at once, and leaves the rest to the drain thread. [`Sender::send`] does the same for one client.
//!
//! # How a connection ends
//!
//! | word | who decides | where | what the client sees |
//! | --- | --- | --- | --- |
//! | refused | the limits, the rules of the request, or the program's [`Refusal`] | `accept.rs`, `opening.rs` | an HTTP
//! error and its reason |
//! | closed | the client, a handler that returns, or a thread with [`Sender::close`] | `closing.rs` | a Close each way,
//! then FIN (§7.1.2) |
//! | failed | the decoder, for a protocol violation | `closing.rs` | Close 1002, 1007 or 1009, then FIN |
//! | failed | the server, without memory for a message | `connection.rs` | Close 1013, then FIN |
//! | failed | a handler that fails or panics | `client.rs` | Close 1011, then FIN |
//! | dropped | the heartbeat, for silence, either way | `heartbeat.rs` | Close 1001 if its socket has room, then the
//! end of TCP |
//! | evicted | a writer, for too long a queue | `outbox.rs` | the end of TCP: a full socket takes no Close |
//! | evicted | the heartbeat, for too old a queue | `heartbeat.rs` | the same |
//! | evicted | a writer, at the bound of all memory | `registry.rs`: `reserve` | the same, for the client with the
//! oldest queue |
//! | cut off | shutdown, after the close timeout | `registry.rs` | Close 1001 if it got none, then the end of TCP |
//!
//! A client that vanishes without a Close is none of these: its thread gets an error, and the log says so.
//!
//! "Dropped": the server waits for the client in vain. The client sends nothing, or its own thread wants to write
//! **its own** replies and the socket takes none. A client of `/echo` that stops reading is dropped. "Evicted": what
//! **others** have sent waits for it in its queue. A member of `/chat` that stops reading is evicted.
//!
//! # Where to change what
//!
//! | to change | look at |
//! | --- | --- |
//! | the syntax of a request | `Request::parse` in `protocol/request.rs` |
//! | what an upgrade requires, for example of a header | `Request::accept` in `protocol/upgrade.rs` |
//! | which path is served by what | `Paths` in `server/routes.rs` |
//! | the status and text of a refusal | `HandshakeError` in `error.rs`, `Response::from` in `protocol/response.rs` |
//! | the Close code for a protocol violation | `From<ProtocolError> for CloseFrame` in `protocol/close.rs` |
//! | when a silent client gets a Ping or is dropped | `verdict` in `server/heartbeat.rs`, which `sweep` carries out |
//! | what counts as activity | `Activity` in `server/activity.rs`: any byte, and the start of a wait without a limit |
//! | what a Pong does | `Receiver::note_pong` in `server/receive.rs`: it logs the round trip, and counts like any byte
//! |
//! | the end of a client that does not take its own replies | `verdict`, as above: that is silence, too |
//! | the end of a client that does not take what others send | `Outbox::evict` in `server/outbox/ending.rs`; age:
//! `sweep` |
//! | when small replies are written | `Batch` in `server/batch.rs` |
//! | a trick that only makes something faster | a file in `server/speed/fast/`, with a plain version in `plain.rs` |
//! | who can be found, and by which key | `Table` in `server/registry.rs`, filled by `Seat::enter` in `server/seat.rs`
//! |
//! | the name of a client in the lines of the log | `peer` in `Outbox`, its address: each thread that logs about a
//! client has its outbox |
//! | how a connection's end is logged | `log_end` in `server/client.rs` |
//! | what `/chat` does, for example its pace | `chat` in `bin/plainsocket/chat.rs` |
//! | who is in a room of `/chat`, and under which name | `Rooms` in `bin/plainsocket/rooms.rs` |
//!
//! # Glossary
//!
//! The words are those of RFC 6455.
//!
//! - **handshake**: the HTTP request and its `101` reply, before the first frame (§4).
//! - **resource name**: the part after the host in `ws://host/path?query` (§3).
//! - **Origin**: the site whose page opened the connection, sent by the browser (§10.2).
//! - **frame**: the unit on the wire: header, masking key, payload (§5.2).
//! - **opcode**: what a frame is for: continuation, text, binary, Close, Ping, Pong.
//! - **masking key**: four bytes that a client XORs its payload with (§5.3).
//! - **message**: the unit of the application: one frame, or several fragments (§5.4); text or binary (§5.6).
//! - **fragment**: a frame that holds a part of a message.
//! - **control frame**: Close, Ping or Pong; can arrive between fragments (§5.5).
//! - **closing handshake**: a Close frame each way, then the end of TCP (§7).
//! - **Close code**: the number in a Close frame that says why (§7.4).
//! - **to fail the connection**: to end it because a rule was broken (§7.1.7).
//!
//! These words are the server's own:
//!
//! - **seat**: a connection slot, held by an RAII guard from `accept` to the end of the client's thread. It is
//!   *entered* just before the 101: from then on, others find the client in the registry.
//! - **registry**: the table of all connections: a `Mutex` around a `HashMap<SocketAddr, Client>` and what the
//!   limits count.
//! - **inbox**: the buffer of bytes that are received and not yet decoded.
//! - **batch**: encoded frames of a handler that nobody has written yet.
//! - **outbox**: the sending side of a client: the right to write, and a queue.
//! - **backlog**: that queue. It is empty unless the socket is full or another thread is writing.
//! - **sender**: an outbox in the hands of a program's own threads. Its reference is weak, so it keeps no client alive.
//! - **room**: a path below a route that ends in `/*`. A broadcast goes by the whole path.
//! - **drain thread**: the one thread that writes the backlogs of all slow clients.
//! - **slow consumer**: a client that reads more slowly than others send to it; in the end it is **evicted**.
//! - **turn**: whose move it is. If a client's thread waits in `recv` at shutdown, the thread that shuts down sends
//!   the Close. If its handler is busy, the handler's replies go out first, and then its own thread sends the Close.
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
pub use protocol::admission::{Admission, Refusal};
pub use protocol::close::{CloseCode, CloseFrame};
#[cfg(feature = "deflate")]
pub use protocol::deflate::Compression;
pub use protocol::message::Message;
pub use protocol::request::Request;
pub use protocol::text::Text;
pub use server::{Connection, Counters, Handle, Received, Running, Sender, Server};

/// For the fuzz target `connection`.
#[cfg(fuzzing)]
#[doc(hidden)]
pub use server::tests as inside;
