//! Many threads at once, in orders that chance picks. A model checker (loom) would try all orders, but it knows neither
//! waits with a limit nor threads with a small stack, and the outbox lives on both.

use super::stream::DEADLINE;
use super::{ClientsEnd, peer, request, service};
use crate::config::Config;
use crate::error::Error;
use crate::protocol::frame::{Header, Opcode, encode};
use crate::server::accept::welcome;
use crate::server::drain::Drain;
use crate::server::frames::Frames;
use crate::server::outbox::Outbox;
use crate::server::registry::Registry;
use crate::server::socket::Socket;
use crate::server::{Connection, lock};
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const FRAMES: u32 = 100;

const CLOSE: &[u8] = &[0x88, 0x00];

fn outbox(client: &ClientsEnd, registry: &Registry, limit: usize) -> Arc<Outbox> {
    registry.budget().set_limits(usize::MAX, limit);
    let socket = Arc::new(Socket::new(client.servers_end()));
    let drain = Drain::start().unwrap();
    let budget = Arc::clone(registry.budget());
    let outbox = Arc::new(Outbox::new(peer(1), socket, drain, budget));
    outbox.write_response(&[], Instant::now()).unwrap();
    outbox
}

/// A binary frame that tells its sender and number, of any length.
fn frame(sender: u8, number: u32, random: &mut fastrand::Rng) -> Vec<u8> {
    let mut payload = vec![sender; random.usize(5..300)];
    payload[1..5].copy_from_slice(&number.to_be_bytes());
    let mut bytes = Vec::new();
    encode(Opcode::Binary, &payload, &mut bytes);
    bytes
}

/// The sender and number of each frame, and whether a Close is the last. Panics at anything that is no whole frame.
fn parse(mut bytes: &[u8]) -> (Vec<(u8, u32)>, bool) {
    let mut frames = Vec::new();
    while let Some((header, length)) = Header::decode(bytes).expect("a frame, not the middle of one") {
        let (frame, rest) = bytes.split_at(length + header.length as usize);
        bytes = rest;
        if header.opcode == Opcode::Close {
            assert!(bytes.is_empty(), "after the Close: {bytes:02x?}");
            return (frames, true);
        }
        let payload = &frame[length..];
        assert!(payload[5..].iter().all(|byte| *byte == payload[0]), "torn: {payload:02x?}");
        frames.push((payload[0], u32::from_be_bytes(payload[1..5].try_into().unwrap())));
    }
    assert!(bytes.is_empty(), "half a frame: {bytes:02x?}");
    (frames, false)
}

/// Sends frames as the client's own thread (sender 0) or a guest until the outbox takes no more. How many it took;
/// `all` counts those of all senders.
fn send(outbox: &Arc<Outbox>, registry: &Registry, sender: u8, mut random: fastrand::Rng, all: &AtomicU32) -> u32 {
    for number in 0..FRAMES {
        let bytes = frame(sender, number, &mut random);
        let pieces = bytes.split_at(random.usize(..bytes.len()));
        let frames = Frames::new([pieces.0, pieces.1], registry);
        let written = if sender == 0 { outbox.write_own(&frames, None) } else { outbox.write(&frames) };
        if written.is_err() {
            return number;
        }
        all.fetch_add(1, Ordering::Relaxed);
        if random.u8(..4) == 0 {
            thread::yield_now();
        }
    }
    FRAMES
}

/// One client that reads now and then, four threads that send to it and two that close after any number of frames. How
/// many frames the client got.
fn send_and_close(seed: u64) -> usize {
    let mut random = fastrand::Rng::with_seed(seed);
    let client = ClientsEnd::new(Some(random.usize(1..2000)), []);
    let registry = Registry::default();
    let outbox = outbox(&client, &registry, usize::MAX);
    let done = AtomicBool::new(false);
    let closes = Mutex::new(0);
    let (all, close_after) = (AtomicU32::new(0), random.u32(..=4 * FRAMES));
    let accepted: Vec<u32> = thread::scope(|scope| {
        let (outbox, registry, client, done, closes, all) = (&outbox, &registry, &client, &done, &closes, &all);
        let mut its_random = random.fork();
        scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                client.take(its_random.usize(..1000));
                thread::yield_now();
            }
        });
        let closers = [(); 2].map(|()| {
            scope.spawn(move || {
                // Before the Close every frame is taken, so this comes to its end.
                while all.load(Ordering::Relaxed) < close_after {
                    thread::yield_now();
                }
                let closed = outbox.write(&Frames::close(CLOSE));
                *lock(closes) += u32::from(closed.is_ok());
            })
        });
        let senders: Vec<_> = (0..4)
            .map(|sender| {
                let random = random.fork();
                scope.spawn(move || send(outbox, registry, sender, random, all))
            })
            .collect();
        let accepted = senders.into_iter().map(|sender| sender.join().unwrap()).collect();
        closers.into_iter().for_each(|closer| closer.join().unwrap());
        // The client's thread does this last: it waits for the writer, any thread.
        outbox.wait_until_out(Some(Instant::now() + DEADLINE));
        outbox.socket.shutdown(Shutdown::Write).unwrap();
        done.store(true, Ordering::Relaxed);
        accepted
    });
    drop(outbox);
    assert_eq!(registry.budget().used(), 0, "seed {seed}");
    let (frames, closed) = parse(&client.wait_for_end());
    assert_eq!((*lock(&closes), closed), (1, true), "seed {seed}: one Close was taken, and written");
    for (sender, count) in accepted.into_iter().enumerate() {
        let numbers = frames.iter().filter(|frame| usize::from(frame.0) == sender).map(|frame| frame.1);
        assert!(numbers.eq(0..count), "seed {seed}: sender {sender} loses no frame of {count}, and keeps their order");
    }
    frames.len()
}

#[test]
fn frames_stay_whole_and_in_order_before_one_close() {
    let frames: usize = (0..50).map(send_and_close).sum();
    assert!(frames > 5000, "{frames} frames say little");
}

#[test]
fn waiter_for_a_disconnected_client_continues() {
    for seed in 0..100 {
        let mut random = fastrand::Rng::with_seed(seed);
        // Nobody takes anything: all run into the full socket, or into the limit.
        let client = ClientsEnd::new(Some(random.usize(1..500)), []);
        let registry = Registry::default();
        let outbox = outbox(&client, &registry, 3000);
        let (begin, all) = (Instant::now(), AtomicU32::new(0));
        thread::scope(|scope| {
            for sender in 0..4 {
                let (outbox, registry, all, random) = (&outbox, &registry, &all, random.fork());
                scope.spawn(move || {
                    assert_ne!(send(outbox, registry, sender, random, all), FRAMES, "evicted before its last");
                });
            }
            if seed % 2 == 0 {
                let killer = &outbox;
                scope.spawn(move || killer.disconnect());
            }
        });
        drop(outbox);
        assert_eq!(registry.budget().used(), 0, "seed {seed}");
        client.wait_for_end();
        assert!(begin.elapsed() < DEADLINE / 2, "seed {seed}: {:?}", begin.elapsed());
    }
}

/// The ways in which a client's thread can end.
fn live(connection: &mut Connection) -> Result<(), Error> {
    while let Some(message) = connection.recv()? {
        match message.as_bytes() {
            b"panic" => panic!("on purpose"),
            b"fail" => return Err(Error::handler("on purpose")),
            b"return" => return Ok(()),
            _ => connection.broadcast(message)?,
        }
    }
    Ok(())
}

/// Frames whose masking key is zero.
fn clients_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    [&[first, 0x80 | payload.len() as u8, 0, 0, 0, 0], payload].concat()
}

#[test]
fn no_seat_and_no_entry_is_left_however_clients_end() {
    let endings: [&[u8]; 7] = [
        &clients_frame(0x81, b"panic"),
        &clients_frame(0x81, b"fail"),
        &clients_frame(0x81, b"return"),
        &clients_frame(0x88, &[]),
        &clients_frame(0xF1, b"a broken rule"),
        // The end of TCP without a Close; and none, so that the server's shutdown has to do it.
        b"",
        &clients_frame(0x81, b"stays"),
    ];
    for seed in 0..30 {
        let mut random = fastrand::Rng::with_seed(seed);
        let config = Config { max_backlog: 0, max_message_size: 1000, close_timeout: DEADLINE, ..Config::default() };
        let service = Arc::new(service(config, live));
        let clients: Vec<_> = (0..40).map(|_| ClientsEnd::new([None, Some(300)][random.usize(..2)], [])).collect();
        for (port, client) in clients.iter().enumerate() {
            welcome(&service, Arc::new(Socket::new(client.servers_end())), peer(port as u16));
            client.send(request("/"));
            client.send(clients_frame(0x82, &[7; 100]));
            let ending = random.usize(..endings.len());
            client.send(endings[ending]);
            if !endings[ending].ends_with(b"stays") {
                client.end();
            }
            if port == 35 {
                service.registry.stop();
            }
        }
        service.registry.wait_until_empty(Instant::now() + Duration::from_millis(50));
        service.registry.cut_off();
        assert!(service.registry.wait_until_empty(Instant::now() + DEADLINE), "seed {seed}: a seat is left");
        assert_eq!(service.registry.count(), 0, "seed {seed}");
        assert!(lock(&service.registry.table).rooms.is_empty(), "seed {seed}");
        // It has the sockets of the refused.
        drop(service);
        clients.iter().for_each(|client| drop(client.wait_for_end()));
    }
}

#[test]
fn a_lock_that_a_panic_has_poisoned_is_taken_all_the_same() {
    let mutex = Arc::new(Mutex::new(7));
    let its_mutex = Arc::clone(&mutex);
    let panicked = thread::spawn(move || {
        let _guard = its_mutex.lock();
        panic!("on purpose");
    });
    assert!(panicked.join().is_err() && mutex.is_poisoned());
    assert_eq!(*lock(&mutex), 7);
}
