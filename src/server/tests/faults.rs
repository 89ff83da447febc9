//! Faults on purpose: one conversation, again and again, each time with a fault at another call for a socket.

use super::{ClientsEnd, Fault, peer, request, serve};
use crate::config::Config;
use crate::error::Error;
use crate::protocol::message::Message;
use crate::server::Connection;
use crate::server::routes::open_route;
use crate::server::service::Service;
use std::collections::{HashMap, HashSet};
use std::iter;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// More than any conversation here has: a fault that is never reached ends a loop long before.
const MOST_CALLS: usize = 500;

const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// The two clients of the conversation. The talker has a handshake, a fragmented message that is broadcast, a Ping, a
/// large message that is sent back, and a close; the listener hears the broadcast, sends one of its own, and closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Talker,
    Listener,
}

/// The bytes sent to the clients, and the calls at which there was a fault.
struct Outcome {
    talker: Vec<u8>,
    listener: Vec<u8>,
    faulty: Vec<(&'static str, Fault)>,
    written_before_fatal: Option<usize>,
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length @ 126..0x1_0000 => bytes.extend([&[0xFE][..], &(length as u16).to_be_bytes()].concat()),
        length => bytes.extend([&[0xFF][..], &(length as u64).to_be_bytes()].concat()),
    }
    bytes.extend(KEY);
    bytes.extend(payload.iter().enumerate().map(|(i, byte)| byte ^ KEY[i % 4]));
    bytes
}

/// Text goes to all, binary comes back.
fn handler(connection: &mut Connection) -> Result<(), Error> {
    while let Some(message) = connection.recv()? {
        match message {
            Message::Text(_) => connection.broadcast(message)?,
            Message::Binary(_) => connection.send(message)?,
        }
    }
    Ok(())
}

/// Whether the talker and the server compress the large message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Large {
    Plain,
    #[cfg(feature = "deflate")]
    Compressed,
}

impl Large {
    fn config(self) -> Config {
        Config {
            close_timeout: Duration::from_secs(10),
            #[cfg(feature = "deflate")]
            compression: crate::Compression::PerMessage,
            ..Config::default()
        }
    }

    /// The header of the talker's request, and of the response to it.
    fn extensions(self) -> [&'static str; 2] {
        match self {
            Large::Plain => [""; 2],
            #[cfg(feature = "deflate")]
            Large::Compressed => [
                "Sec-WebSocket-Extensions: permessage-deflate\r\n",
                "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
                 client_no_context_takeover\r\n",
            ],
        }
    }

    /// The first byte of the large message's frame, and its payload.
    fn frame(self) -> (u8, Vec<u8>) {
        let message = vec![7; 100_000];
        match self {
            Large::Plain => (0x82, message),
            #[cfg(feature = "deflate")]
            Large::Compressed => {
                use crate::protocol::deflate::{Agreement, Deflater};
                let mut compressed = Vec::new();
                Deflater::new(Agreement::default()).compress(&message, &mut compressed);
                (0xC2, compressed)
            }
        }
    }
}

/// A server without a listener, and whether a handler has panicked.
fn service(large: Large) -> (Arc<Service>, Arc<AtomicBool>) {
    let config = large.config();
    let panicked = Arc::new(AtomicBool::new(false));
    let its_panicked = Arc::clone(&panicked);
    let mut service = Service { config, ..Service::new().expect("descriptors") };
    service.routes.insert(
        "/talk",
        open_route(move |connection: &mut Connection| {
            catch_unwind(AssertUnwindSafe(|| handler(connection))).unwrap_or_else(|_| {
                its_panicked.store(true, Ordering::Relaxed);
                Ok(())
            })
        }),
    );
    (Arc::new(service), panicked)
}

/// A thread that ends with the client's life; unlike the real one it can be joined.
fn welcome(service: &Arc<Service>, client: &ClientsEnd, port: u16) -> JoinHandle<()> {
    let (service, client) = (Arc::clone(service), client.clone());
    thread::spawn(move || serve(&service, &client, peer(port)))
}

/// The whole conversation, with `faults` from the call with this number on for one client's socket.
fn converse(large: Large, whose: Who, call: usize, faults: &[Fault]) -> Outcome {
    let most = |who| if who == whose { usize::MAX } else { 0 };
    let plan = |who| iter::repeat_n(None, call).chain(faults.iter().copied().map(Some)).take(most(who));
    let (talker, listener) = (ClientsEnd::new(None, plan(Who::Talker)), ClientsEnd::new(None, plan(Who::Listener)));
    let (service, panicked) = service(large);

    listener.send(request("/talk"));
    let listening = welcome(&service, &listener, 1);
    let accepted = listener.wait_for(1);
    // The 101 comes before the entry: only what is entered can be reached.
    while !accepted.is_empty() && service.registry.count() == 0 && !listener.is_closed() {
        thread::yield_now();
    }

    let head = request("/talk").replace("\r\n\r\n", &format!("\r\n{}\r\n", large.extensions()[0]));
    let (first, second) = head.split_at(30);
    let (opcode, payload) = large.frame();
    let message = frame(opcode, &payload);
    let (begin, rest) = message.split_at(message.len() * 3 / 5);
    for piece in [
        first.into(),
        [second.as_bytes(), &frame(0x01, b"Hel")].concat(),
        frame(0x89, b"are you there?"),
        frame(0x80, b"lo"),
        begin.to_vec(),
        rest.to_vec(),
        frame(0x88, &1000_u16.to_be_bytes()),
    ] {
        talker.send(piece);
    }
    talker.end();
    welcome(&service, &talker, 2).join().expect("no panic in the talker's thread");
    let heard_before = listener.wait_for(0).len();

    listener.send(frame(0x81, b"still here"));
    listener.wait_for(heard_before + 12);
    listener.send(frame(0x88, &[]));
    listener.end();
    listening.join().expect("no panic in the listener's thread");

    assert!(!panicked.load(Ordering::Relaxed), "a handler has panicked");
    assert!(service.registry.wait_until_empty(Instant::now() + Duration::from_secs(10)), "a seat is left");
    assert_eq!(service.registry.count(), 0, "an entry is left");
    let faulty = if whose == Who::Talker { &talker } else { &listener };
    Outcome {
        faulty: faulty.faulty(),
        written_before_fatal: faulty.written_before_fatal(),
        talker: talker.wait_for_end(),
        listener: listener.wait_for_end(),
    }
}

/// The bytes sent to the clients when nothing fails; for the listener: before the broadcast, and in all.
fn good(large: Large) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let head = |extensions: &str| {
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n{extensions}\
             Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n"
        )
    };
    let (opcode, payload) = large.frame();
    let mut message = frame(opcode, &payload);
    // The server's has no mask.
    let header = message.len() - payload.len() - KEY.len();
    message.truncate(header);
    message[1] &= 0x7F;
    message.extend(payload);
    let hello = b"\x8A\x0Eare you there?\x81\x05Hello";
    let talker = [head(large.extensions()[1]).as_bytes(), hello, &message, b"\x88\x02\x03\xE8"].concat();
    let alone = [head("").as_bytes(), b"\x81\x0Astill here\x88\x00"].concat();
    let both = [head("").as_bytes(), b"\x81\x05Hello\x81\x0Astill here\x88\x00"].concat();
    (talker, alone, both)
}

#[test]
fn without_a_fault_both_clients_get_all() {
    let both_ways = [
        Large::Plain,
        #[cfg(feature = "deflate")]
        Large::Compressed,
    ];
    for large in both_ways {
        let outcome = converse(large, Who::Talker, MOST_CALLS, &[Fault::BrokenPipe]);
        let (talker, _, listener) = good(large);
        assert!(outcome.faulty.is_empty(), "no call was reached");
        assert!(outcome.talker == talker && outcome.listener == listener, "{large:?}");
    }
}

/// Every call of the conversation for one client's socket, with every fault, each after the faults `before`; returns
/// how often each call had the fault.
fn every_call(large: Large, whose: Who, before: &[Fault]) -> HashMap<&'static str, usize> {
    let (talker, alone, both) = good(large);
    let mut reached = HashMap::new();
    for fault in Fault::ALL {
        let mut calls_in_vain = 0;
        for call in 0..MOST_CALLS {
            let outcome = converse(large, whose, call, &[before, &[fault]].concat());
            let place = format!("{whose:?}: {fault:?} at call {call}, {:?}", outcome.faulty);
            let Some((name, _)) = outcome.faulty.get(before.len()) else {
                // Only fatal faults concern a call that sets something, so one that concerns none is not yet the end.
                calls_in_vain += 1;
                if calls_in_vain > 20 { break } else { continue }
            };
            calls_in_vain = 0;
            assert!(call + 21 < MOST_CALLS, "{place}: the conversation has more calls than are tried");
            *reached.entry(*name).or_insert(0) += 1;
            let (its, others) = match whose {
                Who::Talker => ((&outcome.talker, &talker), (&outcome.listener, [&alone, &both])),
                Who::Listener => ((&outcome.listener, &both), (&outcome.talker, [&talker, &talker])),
            };
            assert!(others.1.contains(&others.0), "{place}: the other client has noticed");
            let is_its_own = its.1.starts_with(its.0) || (whose == Who::Listener && alone.starts_with(its.0));
            assert!(is_its_own, "{place}: something else was written");
            assert!(
                fault.is_fatal() || its.0 == its.1,
                "{place}: not all was written, though it was worth another try"
            );
            if let Some(length) = outcome.written_before_fatal {
                assert_eq!(its.0.len(), length, "{place}: a connection that is lost was used again");
            }
        }
    }
    reached
}

#[test]
fn failing_call_ends_its_thread_and_no_other() {
    let calls = every_call(Large::Plain, Who::Talker, &[]);
    let names: HashSet<_> = calls.keys().copied().collect();
    let all = ["read", "read_now", "write", "write_vectored", "set_nodelay", "set_read_timeout", "shutdown"];
    assert_eq!(names, HashSet::from(all), "{calls:?}");
}

#[cfg(feature = "deflate")]
#[test]
fn failing_call_ends_its_thread_with_compression_too() {
    let calls = every_call(Large::Compressed, Who::Talker, &[]);
    assert!(calls["read"] >= Fault::ALL.len() && calls["write"] >= Fault::ALL.len(), "{calls:?}");
}

#[test]
fn recipient_io_error_does_not_reach_sender() {
    // A thread that is busy looks for more a few times, and how often differs on a busy machine. So the calls have
    // other numbers in the next conversation, and a fault can miss a write.
    let enough = (0..3).any(|_| every_call(Large::Plain, Who::Listener, &[])["write"] >= 3 * Fault::ALL.len());
    assert!(enough, "its 101, the broadcast, its own broadcast");
}

#[test]
fn failing_wait_for_room_ends_its_thread_and_the_others_go_on() {
    // The 101 is waited for; what is full later is left to the drain thread, whose write is the next.
    let calls = every_call(Large::Plain, Who::Talker, &[Fault::WouldBlock]);
    assert!(calls["wait_for_room"] >= Fault::ALL.len() && calls["write"] >= Fault::ALL.len(), "{calls:?}");
}
