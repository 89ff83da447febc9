//! `Handle::counters`: each number, and that a client that leaves is counted exactly once.

use crate::support::{BINARY, CLOSE, Client, DEADLINE, PING, PONG, Running, TEXT, close_frame, frame, request, status};
use plainsocket::{Config, Counters, Handle, Refusal, Server};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Returns the status of the only reply to a client that sends these bytes.
fn status_of(address: SocketAddr, bytes: impl AsRef<[u8]>) -> u16 {
    let mut client = Client::tcp(address);
    client.send(bytes);
    let status = status(&client.read_head());
    client.read_to_end();
    status
}

/// Exchanges Close frames, the client's first.
fn say_goodbye(mut client: Client, code: u16) {
    client.send(close_frame(code, ""));
    client.expect_close(Some(code));
}

fn by_code(codes: &[(u16, u64)]) -> BTreeMap<u16, u64> {
    codes.iter().copied().collect()
}

#[test]
fn messages_and_bytes_are_those_of_the_wire() {
    let server = Running::start(Config::default());
    let mut client = Client::tcp(server.address);
    let large = frame(BINARY, &vec![7; 300_000]);
    let sent = [&frame(TEXT, b"with the request")[..], &frame(PING, b"hi"), &large, &frame(BINARY, &[7; 200])].concat();
    client.send([request("/echo").as_bytes(), &sent].concat());
    client.read_head();
    let replies = [client.read_frame(), client.read_frame(), client.read_frame(), client.read_frame()];
    assert_eq!(
        replies.each_ref().map(|(first, payload)| (*first, payload.len())),
        [(TEXT, 16), (PONG, 2), (BINARY, 300_000), (BINARY, 200)]
    );
    let counters = server.handle.counters();
    let open = counters.clone();
    assert_eq!((counters.accepted, counters.open), (1, 1));
    assert_eq!((counters.messages_in, counters.messages_out), (3, 3));
    assert_eq!((counters.bytes_in, counters.bytes_out), (sent.len() as u64, (18 + 4 + 300_010 + 204) as u64));
    say_goodbye(client, 1000);
    let counters = server.handle.counters();
    assert_eq!((counters.open, &counters.closed), (0, &by_code(&[(1000, 1)])));
    // Each side sends a Close with a code of two bytes, and the client's is masked.
    assert_eq!((counters.bytes_in, counters.bytes_out), (open.bytes_in + 8, open.bytes_out + 4));
    assert_eq!((counters.messages_in, counters.messages_out), (3, 3));
}

#[test]
fn broadcast_counts_for_each_client_that_it_goes_to() {
    let server = Running::start(Config::default());
    let mut clients: Vec<Client> = (0..3).map(|_| Client::connect(server.address, "/chat")).collect();
    server.wait_for_clients(3);
    clients[0].send(frame(TEXT, b"hello"));
    clients.iter_mut().for_each(|client| assert_eq!(client.read_frame(), (TEXT, b"hello".to_vec())));
    assert_eq!(server.handle.broadcast("/chat", "all"), 3);
    let counters = server.handle.counters();
    assert_eq!((counters.messages_in, counters.messages_out), (1, 6));
    assert_eq!((counters.bytes_in, counters.bytes_out), (11, 3 * (7 + 5)));
}

#[test]
fn clients_that_have_closed_are_counted_by_their_code() {
    let server = Running::start(Config { close_timeout: Duration::from_secs(1), ..Config::default() });
    let closes: [(&str, &[u8]); 6] = [
        ("/echo", &close_frame(1000, "")),
        ("/echo", &close_frame(1001, "away")),
        ("/echo", &close_frame(4321, "")),
        ("/echo", &frame(CLOSE, b"")),
        // A client's answer to our Close counts as well, but nothing counts after a protocol violation.
        ("/leave", &close_frame(1008, "")),
        ("/echo", &[&[0x81, 0][..], &close_frame(1000, "")].concat()),
    ];
    for (path, bytes) in closes {
        let mut client = Client::connect(server.address, path);
        client.send(bytes);
        while client.read_frame().0 != CLOSE {}
        client.read_to_end();
    }
    Client::connect(server.address, "/echo").hang_up();
    let mut silent = Client::connect(server.address, "/leave");
    while silent.read_frame().0 != CLOSE {}
    silent.read_to_end();
    server.wait_for_clients(0);
    let closed = by_code(&[(1000, 1), (1001, 1), (1005, 1), (1006, 3), (1008, 1), (4321, 1)]);
    let counters = server.handle.counters();
    assert_eq!((counters.accepted, counters.closed), (8, closed));
    assert_eq!((counters.evicted, counters.dropped, counters.refused), (0, 0, BTreeMap::new()));
}

#[test]
fn refusals_are_counted_by_status_and_pages_are_none() {
    let config = Config {
        // This leaves time for the other requests, also on a busy machine.
        handshake_timeout: Duration::from_secs(2),
        max_clients: 3,
        max_clients_per_ip: Some(2),
        ..Config::default()
    };
    let server = Server::bind("127.0.0.1:0").unwrap().config(config).page("/", "<!doctype html>");
    let server = server.route("/echo", crate::support::echo);
    let server =
        server.route_with("/members", |_, _| Err::<plainsocket::Admission<()>, _>(Refusal::new(401, "who?")), {
            |_, ()| Ok(())
        });
    let running = server.start().unwrap();
    let (address, handle) = (running.handle().address(), running.handle());
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(status_of(address, get("/")), 200);
    let mut refused = BTreeMap::new();
    let mut refuse = |expected: u16, bytes: &str| {
        assert_eq!(status_of(address, bytes), expected);
        *refused.entry(expected).or_default() += 1;
        assert_eq!(handle.counters().refused, refused);
    };
    refuse(404, &get("/nowhere"));
    refuse(404, &request("/nowhere"));
    refuse(426, &get("/echo"));
    refuse(405, "POST / HTTP/1.1\r\nHost: a\r\n\r\n");
    refuse(400, "nonsense\r\n\r\n");
    refuse(401, &request("/members"));
    refuse(408, "GET / HT");
    // The accept loop itself refuses these clients, without a thread.
    let _clients = [(); 2].map(|()| Client::connect(address, "/echo"));
    refuse(429, "");
    let counters = handle.counters();
    assert_eq!((counters.accepted, counters.open), (11, 2));
    assert_eq!(counters.closed, BTreeMap::new());
    handle.shutdown();
}

#[test]
fn client_too_many_is_counted_with_503() {
    let server = Running::start(Config { max_clients: 1, ..Config::default() });
    let client = Client::connect(server.address, "/echo");
    assert_eq!(status_of(server.address, ""), 503);
    say_goodbye(client, 1000);
    let counters = server.handle.counters();
    assert_eq!((counters.accepted, counters.refused), (2, by_code(&[(503, 1)])));
}

#[test]
fn silent_client_is_counted_as_dropped() {
    let [ping_interval, pong_timeout] = [Duration::from_millis(100); 2];
    let server = Running::start(Config { ping_interval, pong_timeout, ..Config::default() });
    let mut client = Client::connect(server.address, "/echo");
    assert_eq!([client.read_frame().0, client.read_frame().0], [PING, CLOSE]);
    server.wait_for_clients(0);
    let counters = server.handle.counters();
    assert_eq!((counters.dropped, counters.evicted, counters.closed), (1, 0, by_code(&[(1006, 1)])));
}

#[test]
fn stalled_client_counts_as_evicted_once_with_its_bytes() {
    let server = Running::start(Config { max_backlog: 1_000_000, ..Config::default() });
    let _slow = Client::connect(server.address, "/chat");
    server.wait_for_clients(1);
    let message = vec![7; 100_000];
    let mut waited = false;
    let started = Instant::now();
    while server.handle.counters().evicted == 0 {
        assert!(started.elapsed() < DEADLINE, "not evicted");
        server.handle.broadcast("/chat", message.clone());
        let counters = server.handle.counters();
        waited |= counters.waiting_bytes > 0;
        assert!(counters.waiting_bytes as u64 <= counters.bytes_out, "{counters:?}");
    }
    assert!(waited);
    server.wait_for_clients(0);
    server.handle.broadcast("/chat", "nobody is there");
    let counters = server.handle.counters();
    assert_eq!((counters.evicted, counters.dropped, counters.waiting_bytes), (1, 0, 0));
    assert_eq!(counters.closed, by_code(&[(1006, 1)]));
}

#[test]
fn shutdown_accepts_nobody_and_counts_those_who_were_there() {
    let server = Running::start(Config::default());
    let mut client = Client::connect(server.address, "/echo");
    server.handle.shutdown();
    assert_eq!(client.read_frame().0, CLOSE);
    client.send(close_frame(1001, ""));
    client.read_to_end();
    server.thread.join().unwrap().unwrap();
    let counters = server.handle.counters();
    assert_eq!((counters.accepted, counters.open, counters.closed), (1, 0, by_code(&[(1001, 1)])));
}

/// The counters that never fall.
fn growing(handle: &Handle) -> [u64; 9] {
    let counters = handle.counters();
    let ended = counters.closed.values().sum::<u64>();
    let Counters { accepted, messages_in, messages_out, bytes_in, bytes_out, evicted, dropped, .. } = counters;
    // `ended + open`: each client that was entered is either connected or has closed.
    [accepted, ended, ended + counters.open as u64, messages_in, messages_out, bytes_in, bytes_out, evicted, dropped]
}

#[test]
fn sums_never_fall_while_clients_come_and_go() {
    const CLIENTS: u64 = 4 * 100;
    let server = Running::start(Config::default());
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut before, mut reads, mut reached) = ([0; 9], 0, 0);
            while !done.load(Ordering::Relaxed) {
                reached += server.handle.broadcast("/echo", "all");
                let now = growing(&server.handle);
                assert!(before.iter().zip(now).all(|(before, now)| *before <= now), "{before:?}, then {now:?}");
                (before, reads) = (now, reads + 1);
            }
            (reads, reached as u64)
        });
        let clients = [(); 4].map(|()| {
            scope.spawn(|| {
                for number in 0..CLIENTS / 4 {
                    let mut client = Client::connect(server.address, "/echo");
                    client.send(frame(TEXT, b"hello"));
                    while client.read_frame().1 != b"hello" {}
                    // Every second client leaves without a Close.
                    if number % 2 == 0 {
                        client.send(close_frame(1000, ""));
                        while client.read_frame().0 != CLOSE {}
                    }
                }
            })
        });
        clients.into_iter().for_each(|client| client.join().unwrap());
        server.wait_for_clients(0);
        done.store(true, Ordering::Relaxed);
        let (reads, reached) = reader.join().unwrap();
        let counters = server.handle.counters();
        assert!(reads > 100, "{reads}");
        assert_eq!((counters.accepted, &counters.closed), (CLIENTS, &by_code(&[(1000, 200), (1006, 200)])));
        assert_eq!((counters.messages_in, counters.bytes_in), (CLIENTS, CLIENTS * 11 + CLIENTS / 2 * 8));
        // A message whose write fails counts too, although no client received it: one for each client that left without
        // a Close.
        let failed = counters.messages_out - CLIENTS - reached;
        assert!(failed <= CLIENTS / 2, "{failed}");
        assert_eq!(counters.bytes_out, CLIENTS * 7 + (reached + failed) * 5 + CLIENTS / 2 * 4);
    });
}
