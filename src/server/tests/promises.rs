//! The promise of an `Ok` from a handler's `send`: the message is written if the client lives.

use super::{ClientsEnd, peer, request, serve, service, wait_until};
use crate::config::Config;
use crate::error::Error;
use crate::protocol::close::{CloseCode, CloseFrame};
use crate::server::Connection;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// "Hello", masked with zeros.
const HELLO: &[u8] = b"\x81\x85\0\0\0\0Hello";

static IS_BUSY: AtomicBool = AtomicBool::new(false);
static CLOSE_IS_OUT: AtomicBool = AtomicBool::new(false);
static RESULTS: Mutex<Vec<Result<(), Error>>> = Mutex::new(Vec::new());

fn handler(connection: &mut Connection) -> Result<(), Error> {
    connection.recv()?;
    IS_BUSY.store(true, Ordering::Release);
    wait_until(|| CLOSE_IS_OUT.load(Ordering::Acquire));
    let mut results = RESULTS.lock().unwrap();
    results.push(connection.send("a reply"));
    results.push(connection.send("another"));
    results.push(connection.broadcast(vec![7; 1 << 20]));
    Ok(())
}

#[test]
fn send_after_close_of_another_thread_is_refused() {
    let service = service(Config::default(), handler);
    let client = ClientsEnd::default();
    thread::scope(|scope| {
        scope.spawn(|| serve(&service, &client, peer(1)));
        client.send(request("/"));
        client.send(HELLO);
        wait_until(|| IS_BUSY.load(Ordering::Acquire));
        service.registry.clients()[0].send_close(&CloseFrame::new(CloseCode::GOING_AWAY, ""));
        CLOSE_IS_OUT.store(true, Ordering::Release);
        client.end();
    });
    let results = RESULTS.lock().unwrap();
    // A broadcast still goes to the others.
    assert!(matches!(results[..], [Err(Error::Closed), Err(Error::Closed), Ok(())]), "{results:?}");
    assert!(client.wait_for_end().ends_with(b"\x88\x02\x03\xe9"));
}
