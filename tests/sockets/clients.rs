//! Many clients over real sockets: the registry, which thread writes and which waits, broadcasts, limits, and shutdown.

#[cfg(target_os = "linux")]
use crate::support::wait_for;
use crate::support::{
    BINARY, CLOSE, Client, DEADLINE, PING, Running, TEXT, close_frame, frame, request, status, wait_for_a_seat,
};
use plainsocket::{Config, Server};
#[cfg(target_os = "linux")]
use socket2::{Domain, Socket, Type};
use std::collections::HashMap;
use std::io::{ErrorKind, Write};
use std::iter;
use std::net::TcpStream;
#[cfg(target_os = "linux")]
use std::net::{SocketAddr, TcpListener};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

fn running() -> Running {
    Running::start(Config::default())
}

fn assert_echo(client: &mut Client, payload: &[u8]) {
    client.send(frame(BINARY, payload));
    assert_eq!(client.read_frame(), (BINARY, payload.to_vec()));
}

// Broadcast

#[test]
fn broadcast_reaches_the_path_and_its_sender_only() {
    let server = running();
    let mut members: Vec<Client> = (0..5).map(|_| Client::connect(server.address, "/chat")).collect();
    members.push(Client::connect(server.address, "/chat?name=with-a-query"));
    let mut outsiders = [Client::connect(server.address, "/chat2"), Client::connect(server.address, "/echo")];
    server.wait_for_clients(8);
    members[2].send([frame(TEXT, b"Hello"), frame(BINARY, &[0, 255])].concat());
    for member in &mut members {
        assert_eq!(member.read_frame(), (TEXT, b"Hello".to_vec()));
        assert_eq!(member.read_frame(), (BINARY, vec![0, 255]));
    }
    for outsider in &mut outsiders {
        assert_echo(outsider, b"nothing came before this");
    }
}

#[test]
fn own_sends_and_broadcasts_reach_their_client_in_order() {
    let server = running();
    let mut other = Client::connect(server.address, "/mixed");
    server.wait_for_clients(1);
    let mut client = Client::connect(server.address, "/mixed");
    server.wait_for_clients(2);
    client.send(frame(TEXT, b"go"));
    for i in 0..5 {
        assert_eq!(client.read_frame(), (TEXT, format!("own {i}").into_bytes()));
        assert_eq!(client.read_frame(), (TEXT, format!("all {i}").into_bytes()));
        assert_eq!(other.read_frame(), (TEXT, format!("all {i}").into_bytes()));
    }
}

#[test]
fn frames_of_many_senders_stay_whole_and_in_order() {
    const SENDERS: usize = 8;
    const MESSAGES: usize = 60;
    let server = running();
    let mut clients: Vec<Client> = (0..SENDERS).map(|_| Client::connect(server.address, "/chat")).collect();
    server.wait_for_clients(SENDERS);
    thread::scope(|scope| {
        for (sender, client) in clients.iter_mut().enumerate() {
            let mut stream = client.stream.try_clone().unwrap();
            scope.spawn(move || {
                for i in 0..MESSAGES {
                    // Lengths of all three forms, and a payload that says which client sent it as which message.
                    let mut payload = format!("{sender} {i} ").into_bytes();
                    payload.resize(payload.len() + [0, 100, 1000, 70_000][i % 4], b'.');
                    stream.write_all(&frame(TEXT, &payload)).unwrap();
                }
            });
            scope.spawn(move || {
                let mut next = HashMap::new();
                for _ in 0..SENDERS * MESSAGES {
                    let (first, payload) = client.read_frame();
                    assert_eq!(first, TEXT);
                    let text = String::from_utf8(payload).unwrap();
                    let mut words = text.split(' ');
                    let sender: usize = words.next().unwrap().parse().unwrap();
                    let number: usize = words.next().unwrap().parse().unwrap();
                    let dots = words.next().unwrap();
                    assert_eq!(dots.len(), [0, 100, 1000, 70_000][number % 4]);
                    assert!(dots.bytes().all(|byte| byte == b'.'));
                    let expected = next.entry(sender).or_insert(0);
                    assert_eq!(number, *expected, "of sender {sender}");
                    *expected += 1;
                }
            });
        }
    });
}

// Writing and waiting

#[test]
fn late_reader_delays_nobody_and_gets_all_in_order() {
    const MESSAGES: usize = 600;
    let server = running();
    let mut late = Client::connect(server.address, "/chat");
    let mut sender = Client::connect(server.address, "/chat");
    server.wait_for_clients(2);
    let payload = |i: usize| [format!("{i:04}").as_bytes(), &[b'x'; 16_000]].concat();
    for i in 0..MESSAGES {
        let started = Instant::now();
        sender.send(frame(BINARY, &payload(i)));
        assert_eq!(sender.read_frame(), (BINARY, payload(i)));
        assert!(started.elapsed() < Duration::from_secs(1), "message {i} took {:?}", started.elapsed());
    }
    for i in 0..MESSAGES {
        assert_eq!(late.read_frame(), (BINARY, payload(i)));
    }
    assert_echo_between(&mut sender, &mut late);
}

fn assert_echo_between(from: &mut Client, to: &mut Client) {
    from.send(frame(TEXT, b"and still a member"));
    assert_eq!(to.read_frame(), (TEXT, b"and still a member".to_vec()));
}

#[test]
fn member_that_never_reads_is_evicted_at_its_backlog_limit() {
    let config = Config { max_message_size: 64 * 1024, max_backlog: 256 * 1024, ..Config::default() };
    let server = Running::start(config);
    let mut stalled = Client::connect(server.address, "/chat");
    let mut sender = Client::connect(server.address, "/chat");
    server.wait_for_clients(2);
    // The kernel's buffers take some megabytes before bytes wait in the server.
    let message = frame(BINARY, &[7; 60_000]);
    let deadline = Instant::now() + DEADLINE;
    while server.handle.clients() == 2 {
        sender.send(&message);
        assert_eq!(sender.read_frame().1.len(), 60_000);
        assert!(Instant::now() < deadline, "not evicted");
    }
    assert_echo(&mut sender, b"the other one goes on");
    let mut buffer = [0; 65536];
    while let Ok(1..) = std::io::Read::read(&mut stalled.stream, &mut buffer) {}
}

#[test]
fn reading_members_survive_the_largest_messages() {
    let server = Running::start(Config { max_message_size: 4_000_000, ..Config::default() });
    let mut member = Client::connect(server.address, "/chat");
    let mut sender = Client::connect(server.address, "/chat");
    server.wait_for_clients(2);
    let mut stream = sender.stream.try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || (0..8).for_each(|i| stream.write_all(&frame(BINARY, &vec![i; 4_000_000])).unwrap()));
        for client in [&mut member, &mut sender] {
            scope.spawn(move || {
                (0..8).for_each(|i| assert!(client.read_frame() == (BINARY, vec![i; 4_000_000]), "message {i}"))
            });
        }
    });
}

#[test]
fn slow_reader_of_replies_is_waited_for_and_loses_nothing() {
    const MESSAGES: usize = 300;
    let server = running();
    let mut client = Client::connect(server.address, "/echo");
    let mut stream = client.stream.try_clone().unwrap();
    let writer = thread::spawn(move || {
        for i in 0..MESSAGES {
            stream.write_all(&frame(BINARY, &vec![i as u8; 100_000])).unwrap();
        }
    });
    // Once the server waits for us, both directions are full. Our reading must then wake it.
    assert_echo(&mut Client::connect(server.address, "/echo"), b"nobody else waits");
    for i in 0..MESSAGES {
        assert_eq!(client.read_frame(), (BINARY, vec![i as u8; 100_000]));
    }
    writer.join().unwrap();
}

// The heartbeat (§5.5.2, §5.5.3)

fn impatient() -> Config {
    let [ping_interval, pong_timeout] = [Duration::from_millis(300), Duration::from_millis(300)];
    Config { ping_interval, pong_timeout, ..Config::default() }
}

#[test]
fn a_silent_client_gets_pings_and_stays_as_long_as_it_answers() {
    let server = Running::start(impatient());
    let mut client = Client::connect(server.address, "/echo");
    for _ in 0..4 {
        let (first, payload) = client.read_frame();
        assert_eq!(first, PING);
        client.send(frame(crate::support::PONG, &payload));
    }
    assert_echo(&mut client, b"still here");
}

#[test]
fn client_that_answers_our_close_late_is_not_dropped_before() {
    let server = Running::start(Config { close_timeout: Duration::from_secs(8), ..impatient() });
    let mut client = Client::connect(server.address, "/leave");
    assert_eq!([client.read_frame().0, client.read_frame().0], [TEXT, crate::support::CLOSE]);
    // A Ping and its Pong take less than this; the close timeout is much longer.
    let patience = 3 * (impatient().ping_interval + impatient().pong_timeout) / 2;
    client.stream.set_read_timeout(Some(patience)).unwrap();
    let unread = std::io::Read::read(&mut client.stream, &mut [0; 64]);
    assert!(matches!(unread, Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)));
    client.stream.set_read_timeout(Some(crate::support::DEADLINE)).unwrap();
    client.send(close_frame(1008, ""));
    assert_eq!(client.read_to_end(), b"");
}

#[test]
fn unanswered_ping_drops_client_and_removes_its_entry() {
    let server = Running::start(impatient());
    let mut client = Client::connect(server.address, "/echo");
    let started = Instant::now();
    assert_eq!(client.read_frame().0, PING);
    assert!(started.elapsed() >= Duration::from_millis(250), "pinged after {:?}", started.elapsed());
    // The client could be alive after all, so the Close gives the reason.
    let (first, payload) = client.read_frame();
    assert_eq!((first, &payload[..2]), (crate::support::CLOSE, &1001u16.to_be_bytes()[..]));
    assert!(payload[2..].starts_with(b"no activity for "), "{}", payload.escape_ascii());
    assert_eq!(client.read_to_end(), b"");
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(550) && took < Duration::from_secs(3), "dropped after {took:?}");
    server.wait_for_clients(0);
}

#[test]
fn client_that_never_reads_is_dropped_as_silent() {
    let server = Running::start(impatient());
    let mut client = Client::connect(server.address, "/echo");
    let message = frame(BINARY, &[7; 60_000]);
    let started = Instant::now();
    while client.stream.write_all(&message).is_ok() {
        assert!(started.elapsed() < DEADLINE, "not dropped");
    }
    server.wait_for_clients(0);
}

#[test]
fn slow_reader_is_not_dropped_while_it_takes_bytes() {
    // It must be one message: between two messages the server would read, and so notice that the client is alive. The
    // system's buffers take up to 10 MB of it, and the client reads the rest for longer than both times together.
    const LENGTH: usize = 24_000_000;
    let config = Config { pong_timeout: Duration::from_millis(700), max_message_size: LENGTH, ..impatient() };
    let server = Running::start(config);
    // The mask is applied before the client connects: it takes a while, in which the client would be silent and be
    // dropped.
    let message = frame(BINARY, &vec![7; LENGTH]);
    let mut client = Client::connect(server.address, "/echo");
    client.send(message);
    let mut received = 0;
    while received < LENGTH {
        let count = std::io::Read::read(&mut client.stream, &mut vec![0; 500_000]).unwrap();
        assert!(count > 0, "dropped after {received} bytes");
        received += count;
        thread::sleep(Duration::from_millis(40));
    }
    assert_eq!(server.handle.clients(), 1);
}

#[test]
fn busy_handler_does_not_count_as_silence() {
    let server = Running::start(impatient());
    let mut client = Client::connect(server.address, "/push");
    for i in 0..15 {
        assert_eq!(client.read_frame(), (TEXT, i.to_string().into_bytes()));
    }
    assert_eq!(client.read_frame().0, CLOSE);
}

#[test]
fn drained_client_is_pinged_again_when_silent() {
    // These times allow for 12 MB on a machine that is busy with ten other tests.
    let config =
        Config { ping_interval: Duration::from_millis(500), pong_timeout: Duration::from_secs(3), ..Config::default() };
    let server = Running::start(config);
    let large = frame(BINARY, &vec![7; 1_000_000]);
    let mut late = Client::connect(server.address, "/chat");
    let mut sender = Client::connect(server.address, "/chat");
    server.wait_for_clients(2);
    // This exceeds the system's buffers, so the drain thread writes the rest.
    for _ in 0..12 {
        sender.send(&large);
        assert_eq!(sender.read_frame().1.len(), 1_000_000);
    }
    let mut messages = 0;
    while messages < 12 {
        match late.read_frame() {
            // On a busy machine the client can have been silent for long enough already.
            (PING, payload) => late.send(frame(crate::support::PONG, &payload)),
            (_, payload) => {
                assert_eq!(payload.len(), 1_000_000);
                messages += 1;
            }
        }
    }
    assert_eq!(late.read_frame().0, PING);
    // On a busy machine the server can have noticed late that the last bytes were taken, and then it asks once more.
    let (first, payload) = iter::repeat_with(|| late.read_frame()).take(3).find(|(first, _)| *first != PING).unwrap();
    assert_eq!((first, &payload[..2]), (CLOSE, &1001u16.to_be_bytes()[..]));
}

#[test]
fn any_bytes_count_as_activity() {
    let config = impatient();
    let server = Running::start(config.clone());
    let slow_frame = frame(BINARY, &[0; 100]);
    for _ in 0..20 {
        let mut client = Client::connect(server.address, "/swallow");
        let (started, mut longest_gap) = (Instant::now(), Duration::ZERO);
        // One frame in single bytes, which lasts longer than the server waits for a silent client.
        for byte in slow_frame.iter().take_while(|_| started.elapsed() < Duration::from_secs(1)) {
            let before = Instant::now();
            thread::sleep(Duration::from_millis(20));
            client.send([*byte]);
            longest_gap = longest_gap.max(before.elapsed());
        }
        client.stream.set_nonblocking(true).unwrap();
        let unread = std::io::Read::read(&mut client.stream, &mut [0; 64]);
        // If the machine paused this thread for too long, the client really was silent, and the round says nothing.
        if longest_gap < config.ping_interval / 2 {
            assert_eq!(unread.unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "no Ping, no end");
            return;
        }
    }
    panic!("this machine is too busy to tell");
}

// Limits

#[test]
fn client_over_the_limit_gets_503_until_a_slot_is_free() {
    let server = Running::start(Config { max_clients: 2, ..Config::default() });
    let first = Client::connect(server.address, "/echo");
    // A client that is still in its handshake counts.
    let mut second = Client::tcp(server.address);
    second.send("GET /echo");
    server.wait_for_clients(1);
    let mut third = Client::tcp(server.address);
    third.send(request("/echo"));
    assert_eq!(status(&third.read_head()), 503);
    assert_eq!(third.read_to_end(), b"the server is full\n");
    drop(first);
    wait_for_a_seat(server.address);
}

#[test]
fn leaving_frees_a_slot_of_its_address() {
    let server = Running::start(Config { max_clients_per_ip: Some(1), ..Config::default() });
    let first = Client::connect(server.address, "/echo");
    for _ in 0..100 {
        let mut again = Client::tcp(server.address);
        again.send(request("/echo"));
        assert_eq!(status(&again.read_head()), 429);
        assert_eq!(again.read_to_end(), b"too many connections from this IP address\n");
    }
    drop(first);
    wait_for_a_seat(server.address);
}

#[test]
fn client_that_has_seen_close_and_fin_can_reconnect_at_once() {
    let server = Running::start(Config { max_clients_per_ip: Some(1), max_clients: 1, ..Config::default() });
    let mut before = Vec::new();
    for round in 0..100 {
        let mut client = Client::tcp(server.address);
        client.send(request("/echo"));
        assert_eq!(status(&client.read_head()), 101, "round {round}");
        client.send(close_frame(1000, ""));
        assert_eq!(client.read_frame().0, CLOSE);
        assert!(client.read_to_end().is_empty(), "our FIN");
        // The client keeps its own side open.
        before.push(client);
    }
}

#[test]
fn client_that_has_seen_reply_and_fin_can_reconnect_at_once() {
    let server = Running::start(Config { max_clients_per_ip: Some(1), max_clients: 1, ..Config::default() });
    let broken = |frame: &[u8]| [request("/echo").as_bytes(), frame, &close_frame(1002, "")].concat();
    let kinds: [(&[u8], &str); 5] = [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "200"),
        (b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", "200"),
        (b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", "404"),
        (&broken(b"\x83\x80\x01\x02\x03\x04"), "101"),
        (&broken(b"\x88\x82\0\0\0\0\x03\xed"), "101"),
    ];
    for (round, (sent, expected)) in kinds.iter().cycle().take(200).enumerate() {
        let mut client = Client::tcp(server.address);
        client.send(sent);
        let reply = client.read_to_end().escape_ascii().to_string();
        assert!(reply.starts_with(&format!("HTTP/1.1 {expected}")), "round {round}: {reply}");
    }
}

#[test]
fn every_end_of_a_client_removes_its_entry() {
    let server = running();
    for path in ["/return", "/error", "/panic", "/echo"] {
        let mut client = Client::connect(server.address, path);
        if path == "/echo" {
            client.send(close_frame(1000, ""));
        }
        assert_eq!(client.read_frame().0, CLOSE);
    }
    drop(Client::connect(server.address, "/echo"));
    let mut cut = Client::connect(server.address, "/echo");
    cut.send(&frame(BINARY, b"never complete")[..8]);
    drop(cut);
    server.wait_for_clients(0);
}

// Shutdown

#[test]
fn shutdown_sends_1001_to_everyone_and_run_returns() {
    let server = running();
    let mut clients: Vec<Client> =
        ["/echo", "/chat", "/swallow"].into_iter().map(|path| Client::connect(server.address, path)).collect();
    server.wait_for_clients(3);
    // The server cuts this client off, or refuses it if it was not accepted yet.
    let mut in_handshake = Client::tcp(server.address);
    let started = Instant::now();
    server.handle.shutdown();
    for client in &mut clients {
        let (first, payload) = client.read_frame();
        assert_eq!((first, &payload[..2]), (CLOSE, &1001u16.to_be_bytes()[..]));
        client.send(close_frame(1001, ""));
        assert_eq!(client.read_to_end(), b"");
    }
    let mut rest = String::new();
    match std::io::Read::read_to_string(&mut in_handshake.stream, &mut rest) {
        Ok(_) => assert!(rest.is_empty() || status(&rest) == 503, "{rest}"),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
    }
    drop(clients);
    server.thread.join().unwrap().unwrap();
    assert!(started.elapsed() < Duration::from_secs(3), "took {:?}", started.elapsed());
    server.handle.shutdown();
    assert_eq!(server.handle.clients(), 0);
    assert!(TcpStream::connect(server.address).is_err(), "nobody listens any more");
}

#[test]
fn upgraded_client_gets_1001_on_early_shutdown() {
    for round in 0..100 {
        let server = Running::start(Config::default());
        // The client's thread might not have added it to the registry yet.
        let mut client = Client::connect(server.address, "/chat");
        server.handle.shutdown();
        let (first, payload) = client.read_frame();
        assert_eq!((first, &payload[..2]), (CLOSE, &1001u16.to_be_bytes()[..]), "round {round}");
        drop(client);
        server.thread.join().unwrap().unwrap();
    }
}

/// A server whose handler reports the number of each message, and answers it with `replies` when the test allows it.
fn deliberate(config: Config, replies: &'static [usize]) -> (Running, Receiver<usize>, Sender<()>) {
    let (given, is_given) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel();
    let may_go_on = Mutex::new(may_go_on);
    let server = Server::bind("127.0.0.1:0").unwrap().config(config).route("/", move |connection| {
        let mut count = 0;
        while connection.recv()?.is_some() {
            count += 1;
            given.send(count).unwrap();
            // An error means that the test is over.
            let _ = may_go_on.lock().unwrap().recv();
            for length in replies {
                connection.send(vec![7; *length]).expect("what will be written");
                connection.flush().expect("what will be written");
            }
        }
        Ok(())
    });
    let (address, handle) = (server.local_addr().unwrap(), server.handle().unwrap());
    (Running { address, handle, thread: thread::spawn(|| server.run()) }, is_given, go_on)
}

#[test]
fn shutdown_sends_pending_replies_and_then_1001() {
    let (server, is_given, go_on) = deliberate(Config::default(), &[3, 1 << 20]);
    let mut client = Client::connect(server.address, "/");
    client.send(frame(TEXT, b"first"));
    assert_eq!(is_given.recv_timeout(DEADLINE), Ok(1));
    // This message is in the server's socket buffer when the shutdown begins.
    client.send(frame(TEXT, b"second"));
    server.handle.shutdown();
    for _ in 0..2 {
        go_on.send(()).unwrap();
        assert_eq!(client.read_frame(), (BINARY, vec![7; 3]));
        assert_eq!(client.read_frame(), (BINARY, vec![7; 1 << 20]));
    }
    client.send(close_frame(1001, ""));
    client.expect_close(Some(1001));
    server.thread.join().unwrap().unwrap();
}

#[test]
fn busy_handler_is_cut_off_with_1001_at_close_timeout() {
    let close_timeout = Duration::from_millis(200);
    let (server, is_given, go_on) = deliberate(Config { close_timeout, ..Config::default() }, &[]);
    let mut client = Client::connect(server.address, "/");
    client.send(frame(TEXT, b"first"));
    assert_eq!(is_given.recv_timeout(DEADLINE), Ok(1));
    server.handle.shutdown();
    client.expect_close(Some(1001));
    server.thread.join().unwrap().unwrap();
    drop(go_on);
}

// §5.5.1: no data follows a Close, and messages that still arrive are ignored.
#[test]
fn after_the_goodbye_a_handler_gets_no_more_messages() {
    let (server, is_given, go_on) = deliberate(Config::default(), &[1]);
    let mut client = Client::connect(server.address, "/");
    // The answer shows that the thread is in its loop; it makes no difference whether the thread waits already.
    client.send(frame(TEXT, b"first"));
    go_on.send(()).unwrap();
    assert_eq!(client.read_frame(), (BINARY, vec![7]));
    server.handle.shutdown();
    assert_eq!(client.read_frame().0, CLOSE);
    client.send([frame(TEXT, b"second"), close_frame(1001, "")].concat());
    assert_eq!(client.read_to_end(), b"");
    server.thread.join().unwrap().unwrap();
    assert_eq!(is_given.iter().collect::<Vec<_>>(), [1]);
}

#[test]
fn shutdown_waits_for_silent_client_until_close_timeout() {
    let close_timeout = Duration::from_millis(300);
    let server = Running::start(Config { close_timeout, ..Config::default() });
    let mut silent = Client::connect(server.address, "/echo");
    server.wait_for_clients(1);
    let started = Instant::now();
    server.handle.shutdown();
    server.thread.join().unwrap().unwrap();
    let took = started.elapsed();
    assert!(took >= close_timeout && took < close_timeout * 10, "took {took:?}");
    assert_eq!(server.handle.clients(), 0, "its thread was waited for");
    assert_eq!(silent.read_frame().0, CLOSE);
    silent.expect_gone();
}

#[test]
fn a_server_that_nobody_is_connected_to_ends_at_once() {
    let server = running();
    let started = Instant::now();
    server.handle.shutdown();
    server.thread.join().unwrap().unwrap();
    // By now no accept loop is left to be woken.
    server.handle.shutdown();
    assert!(started.elapsed() < Duration::from_secs(1), "took {:?}", started.elapsed());
}

// Only Linux has all of 127.0.0.0/8 without configuration.
#[cfg(target_os = "linux")]
#[test]
fn a_server_at_one_address_of_several_is_woken_at_that_one() {
    let server = Server::bind("127.0.0.2:0").unwrap().route("/", |_| Ok(()));
    let (address, handle) = (server.local_addr().unwrap(), server.handle().unwrap());
    let (ended, end) = std::sync::mpsc::channel();
    thread::spawn(move || ended.send(server.run()));
    // The shutdown must wake the accept loop, so the loop must be waiting for the next client.
    let mut client = Client::connect(address, "/");
    assert_eq!(client.read_frame().0, CLOSE);
    client.send(close_frame(1000, ""));
    drop(client);
    handle.shutdown();
    end.recv_timeout(Duration::from_secs(10)).expect("the end of run").unwrap();
}

// Two connections can have the same peer address and port if the server has two addresses.
#[cfg(target_os = "linux")]
#[test]
fn clients_with_one_peer_address_all_get_shutdown() {
    let server = Server::bind("0.0.0.0:0").unwrap().route("/chat", crate::support::chat);
    let (port, handle) = (server.local_addr().unwrap().port(), server.handle().unwrap());
    let running = thread::spawn(move || server.run());
    let free_port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut clients: Vec<Client> = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
        .map(|ip| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_reuse_address(true).unwrap();
            socket.bind(&free_port.into()).unwrap();
            socket.connect(&SocketAddr::new(ip.parse().unwrap(), port).into()).unwrap();
            let mut client = Client::from_stream(socket.into());
            client.send(request("/chat"));
            assert_eq!(status(&client.read_head()), 101);
            client
        })
        .into();
    wait_for("three clients", || handle.clients() == 3);
    clients[2].send(frame(TEXT, b"Hello"));
    for client in &mut clients {
        assert_eq!(client.read_frame(), (TEXT, b"Hello".to_vec()));
    }
    // When the second client leaves, the other entries must stay.
    let mut second = clients.remove(1);
    second.send(close_frame(1000, ""));
    second.expect_close(Some(1000));
    wait_for("two clients", || handle.clients() == 2);
    handle.shutdown();
    for client in &mut clients {
        client.send(close_frame(1001, ""));
        client.expect_close(Some(1001));
    }
    running.join().unwrap().unwrap();
}
