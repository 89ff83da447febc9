//! Tests from the inside: clients whose connection is in memory, where it fails at any call that a test chooses. The
//! folder `tests` beside `src` tests everything that can be seen from the outside. The fuzz target `connection` uses
//! this too.
#![allow(missing_docs, missing_debug_implementations)] // public for the fuzz target only

#[cfg(test)]
mod admitting;
#[cfg(fuzzing)]
mod decoder;
#[cfg(all(test, feature = "speed"))]
mod devices;
#[cfg(test)]
mod endings;
#[cfg(test)]
mod entering;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod leaving;
#[cfg(test)]
pub(super) mod logged;
#[cfg(test)]
mod promises;
#[cfg(test)]
mod senders;
#[cfg(test)]
mod silence;
mod stream;
#[cfg(test)]
mod stress;
#[cfg(test)]
mod transfers;

use super::accept::take_seat;
use super::routes::open_route;
use super::seat::Seat;
use super::service::Service;
use super::socket::Socket;
use super::{Connection, client};
use crate::config::Config;
use crate::error::Error;
#[cfg(fuzzing)]
pub use decoder::ServersDecoder;
use std::net::SocketAddr;
use std::sync::Arc;
#[cfg(test)]
use std::{thread, time::Instant};
pub(super) use stream::Stream;
pub use stream::{ClientsEnd, Fault};

/// The request of §1.3 for any path.
pub fn request(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// A server without a listener, whose only path is `/`.
fn service(config: Config, handler: fn(&mut Connection) -> Result<(), Error>) -> Service {
    let mut service = Service::new().expect("descriptors");
    service.registry.budget().set_limits(config.max_memory, config.max_backlog);
    service.config = config;
    service.routes.insert("/", open_route(handler));
    service
}

fn peer(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

/// Does the accept loop's work for a client, and then its thread's, in this thread.
fn serve(service: &Service, client: &ClientsEnd, peer: SocketAddr) {
    client::run(service, &seat(service, client, peer));
}

fn seat(service: &Service, client: &ClientsEnd, peer: SocketAddr) -> Seat {
    take_seat(service, &Arc::new(Socket::new(client.servers_end())), peer).expect("a free seat")
}

fn echo(connection: &mut Connection) -> Result<(), Error> {
    while let Some(message) = connection.recv()? {
        connection.send(message)?;
    }
    Ok(())
}

/// For what sends no event.
#[cfg(test)]
pub(super) fn wait_until(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + stream::DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "it does not come");
        thread::yield_now();
    }
}

/// All that a server answers to a client at the path `/`, which gets an echo, when it sends `pieces` and closes its
/// side. `faults`: one for each call for the socket, as far as they go.
#[cfg(fuzzing)]
pub fn converse(config: Config, pieces: Vec<Vec<u8>>, faults: Vec<Option<Fault>>) -> Vec<u8> {
    let client = ClientsEnd::new(None, faults);
    pieces.into_iter().for_each(|piece| client.send(piece));
    client.end();
    serve(&service(config, echo), &client, peer(1));
    client.wait_for_end()
}
