//! A `Sender` that outlives its client, and a room whose last member has gone.

use super::transfers::frame;
use super::{ClientsEnd, peer, request, seat, service, wait_until};
use crate::config::Config;
use crate::error::Error;
use crate::protocol::close::CloseCode;
use crate::server::connection::Connection;
use crate::server::outbox::Outbox;
use crate::server::registry::Audience;
use crate::server::seat::Seat;
use crate::server::sender::Sender;
use crate::server::service::Service;
use crate::server::{client, lock};
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const CLOSE: &[u8] = &[0x88, 0x80, 0, 0, 0, 0];

/// The senders that handlers have put away, each in a map of its own.
static KEPT: Mutex<Vec<Sender>> = Mutex::new(Vec::new());

fn keep_sender(connection: &mut Connection) -> Result<(), Error> {
    let sender = connection.sender();
    KEPT.lock().unwrap().push(sender.clone());
    while connection.recv()?.is_some() {}
    Ok(())
}

/// Takes the Sender of the client with this port.
fn kept(port: u16) -> Option<Sender> {
    let mut kept = KEPT.lock().unwrap();
    let position = kept.iter().position(|sender| sender.peer() == peer(port))?;
    Some(kept.remove(position))
}

#[test]
fn sender_after_its_client_holds_neither_socket_nor_seat() {
    for (last, is_closed) in [(CLOSE, true), (&[], false), (&[0x81, 0][..], true)] {
        let service = service(Config::default(), keep_sender);
        let client = ClientsEnd::new(None, []);
        client.send(request("/"));
        client.send(last);
        client.end();
        let seat = seat(&service, &client, peer(1));
        let socket = Arc::downgrade(&seat.outbox.socket);
        client::run(&service, &seat);
        drop(seat);
        // The heartbeat closes the socket of a client that has had its Close.
        service.refusals.sweep();
        assert!(socket.upgrade().is_none() && client.is_closed(), "{last:?}: the descriptor is still open");
        let sender = kept(1).unwrap();
        // The memory of the outbox is still reserved, and nothing that it referred to.
        assert!(size_of::<Outbox>() < 1000, "{} bytes", size_of::<Outbox>());
        assert_eq!((service.registry.count(), sender.is_open(), sender.waiting_bytes()), (0, false, 0));
        let ends = [sender.send("late"), sender.send_when_ready("late", Instant::now() + Duration::from_secs(9))];
        let is_right = |end: &Result<(), Error>| match end {
            Err(Error::Closed) => is_closed,
            Err(Error::Io(_)) => !is_closed,
            _ => false,
        };
        assert!(ends.iter().all(is_right), "{last:?}: {ends:?}");
    }
}

#[test]
fn waiting_sender_lets_go_of_the_socket_at_the_end() {
    let close_timeout = Duration::from_secs(1);
    let service = service(Config { close_timeout, ..Config::default() }, keep_sender);
    let client = ClientsEnd::new(Some(1000), []);
    client.send(request("/"));
    let seat = seat(&service, &client, peer(2));
    let socket = Arc::downgrade(&seat.outbox.socket);
    thread::scope(|scope| {
        scope.spawn(move || client::run(&service, &seat));
        let sender = loop {
            match kept(2) {
                Some(sender) => break sender,
                None => thread::yield_now(),
            }
        };
        let waiting = scope.spawn(move || {
            let deadline = Instant::now() + Duration::from_secs(60);
            (0..).find_map(|_| sender.send_when_ready(vec![7; 100_000], deadline).err())
        });
        client.wait_for(1000);
        // It takes nothing of what is queued, so its thread waits for the close timeout, and the other does not.
        client.end();
        let begin = Instant::now();
        assert!(matches!(waiting.join().unwrap(), Some(Error::Io(error)) if error.kind() != ErrorKind::TimedOut));
        assert!(begin.elapsed() < close_timeout / 2);
    });
    wait_until(|| socket.upgrade().is_none());
}

#[test]
fn room_is_gone_with_its_last_member_during_broadcasts() {
    let service = service(Config::default(), |_| Ok(()));
    let (registry, is_over) = (&service.registry, AtomicBool::new(false));
    let mut wrong = Vec::new();
    let audiences = [Audience::Everybody, Audience::Speaking(None), Audience::Speaking(Some("json".into()))];
    thread::scope(|scope| {
        for audience in &audiences {
            let is_over = &is_over;
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    drop((registry.members("/", audience), registry.members("/nobody", audience)));
                }
            });
        }
        for round in 0..300 {
            let client = ClientsEnd::default();
            let seats = [1, 2].map(|port| seat(&service, &client, peer(port)));
            seats[0].enter("/", None).unwrap();
            seats[1].enter("/", Some("json")).unwrap();
            let reached = audiences.each_ref().map(|audience| registry.members("/", audience).len());
            let outboxes = seats.each_ref().map(|seat| Arc::downgrade(&seat.outbox));
            drop(seats);
            let is_gone = lock(&registry.table).rooms.is_empty();
            if reached != [2, 1, 1] || !is_gone {
                // A panic here would leave the threads running.
                wrong.push((round, reached, is_gone));
                break;
            }
            wait_until(|| outboxes.iter().all(|outbox| outbox.upgrade().is_none()));
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert_eq!(wrong, [], "the round, how many each audience had, whether the room has gone");
}

/// Another member of the room `/`, whose thread does nothing.
fn member(service: &Service, client: &ClientsEnd) -> Seat {
    let seat = seat(service, client, peer(2));
    seat.enter("/", None).unwrap();
    seat.outbox.write_response(&[], Instant::now()).unwrap();
    seat
}

/// A chat that speaks two subprotocols.
fn bilingual(connection: &mut Connection) -> Result<(), Error> {
    while let Some(message) = connection.recv()? {
        connection.broadcast_to(Some("json"), "{}")?;
        connection.broadcast_to(None, message)?;
    }
    Ok(())
}

#[test]
fn broadcasts_to_the_only_subprotocol_of_a_room_are_gathered() {
    let service = service(Config::default(), bilingual);
    let (client, other) = (ClientsEnd::default(), ClientsEnd::default());
    let _others_seat = member(&service, &other);
    client.send(request("/"));
    client.send((0..16).flat_map(|_| frame(64)).collect::<Vec<u8>>());
    client.end();
    client::run(&service, &seat(&service, &client, peer(1)));
    assert_eq!(client.transfers()[2..], [("read", 16 * 70), ("write", 16 * 66)]);
    assert_eq!(other.transfers(), [("write", 16 * 66)]);
}

#[test]
fn gathered_broadcast_goes_out_before_a_late_failure() {
    let service = service(Config::default(), |connection| {
        connection.recv()?;
        connection.broadcast("gathered")?;
        connection.sender().close(CloseCode::NORMAL, "")?;
        connection.recv().map(drop)
    });
    let (client, other) = (ClientsEnd::default(), ClientsEnd::default());
    let _others_seat = member(&service, &other);
    client.send(request("/"));
    // Together with the message, a text that is not UTF-8.
    client.send([frame(1), vec![0x81, 0x81, 0, 0, 0, 0, 0xFF]].concat());
    client.end();
    client::run(&service, &seat(&service, &client, peer(1)));
    assert_eq!(other.wait_for(10), b"\x81\x08gathered");
}
