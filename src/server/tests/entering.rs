//! From when on a client is one of those that the others reach.

use super::{ClientsEnd, peer, request, serve, service, wait_until};
use crate::config::Config;
use std::thread;

/// "Hello", masked with zeros.
const HELLO: &[u8] = b"\x81\x85\0\0\0\0Hello";

#[test]
fn frames_sent_during_the_101_follow_it() {
    let service = service(Config::default(), |connection| {
        while let Some(message) = connection.recv()? {
            connection.broadcast(message)?;
        }
        Ok(())
    });
    let (newcomer, other) = (ClientsEnd::new(Some(10), []), ClientsEnd::default());
    thread::scope(|scope| {
        scope.spawn(|| serve(&service, &newcomer, peer(1)));
        newcomer.send(request("/"));
        newcomer.wait_for(10);
        scope.spawn(|| serve(&service, &other, peer(2)));
        other.send(request("/"));
        other.send(HELLO);
        wait_until(|| other.wait_for(1).ends_with(b"\x81\x05Hello"));
        newcomer.end();
        other.end();
        wait_until(|| {
            newcomer.take(10);
            newcomer.is_closed()
        });
    });
    let received = newcomer.wait_for_end();
    assert!(received.starts_with(b"HTTP/1.1 101 "), "{}", received.escape_ascii());
    assert!(received.ends_with(b"\r\n\r\n\x81\x05Hello"), "{}", received.escape_ascii());
}
