//! Tests from the inside: clients whose connection is in memory, where it fails at whichever call one likes. What can be
//! seen from the outside is tested in the folder `tests` beside `src`. The fuzz target `connection` uses this too.
#![allow(missing_docs, missing_debug_implementations)] // public for the fuzz target only

#[cfg(test)]
mod endings;
#[cfg(test)]
mod faults;
mod stream;
#[cfg(test)]
mod stress;
#[cfg(test)]
mod transfers;

pub(super) use stream::Stream;
pub use stream::{ClientsEnd, Fault};

/// The request of §1.3 for any path.
pub fn request(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// All that a server answers to a client at the path `/`, which gets an echo, when it sends `pieces` and ends its side.
/// `faults`: one for each call for the socket, as far as they go.
#[cfg(fuzzing)]
pub fn converse(config: crate::Config, pieces: Vec<Vec<u8>>, faults: Vec<Option<Fault>>) -> Vec<u8> {
    use super::{Service, Socket};
    use std::{net::SocketAddr, sync::Arc};
    let mut service = Service { config, ..Service::default() };
    service.routes.insert(
        "/".to_owned(),
        Box::new(|connection| {
            while let Some(message) = connection.recv()? {
                connection.send(message)?;
            }
            Ok(())
        }),
    );
    let client = ClientsEnd::new(None, faults);
    pieces.into_iter().for_each(|piece| client.send(piece));
    client.end();
    let (socket, peer) = (Arc::new(Socket::new(client.servers_end())), SocketAddr::from(([192, 0, 2, 1], 1)));
    let seat = service.registry.take_seat(peer, &socket, &service.config).expect("the first client");
    service.client(socket, peer, &seat);
    drop(seat);
    client.wait_for_close()
}
