//! Messages that no client asked for: a `Sender` and a `Handle` send them while a client's own thread waits in `recv`.

use crate::support::{
    BINARY, CLOSE, Client, DEADLINE, PING, PONG, TEXT, close_frame, frame, request, status, wait_for,
};
use plainsocket::{CloseCode, Config, Connection, Error, Handle, Sender, Server};
use std::io::{ErrorKind, Read};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// A server whose handlers all wait in `recv`. The test gets its clients' Senders, and the result of each handler.
struct House {
    address: SocketAddr,
    handle: Handle,
    senders: Receiver<Sender>,
    ends: Receiver<Result<(), Error>>,
}

fn house(config: Config) -> House {
    let ((give, senders), (tell, ends)) = (mpsc::channel(), mpsc::channel());
    let wait = move |connection: &mut Connection| {
        give.send(connection.sender()).unwrap();
        let ended = wait_to_the_end(connection);
        connection.broadcast("for the others").expect("no error after the end, so the test sees how it has ended");
        // An error means that the test is over.
        let _ = tell.send(ended);
        Ok(())
    };
    let server = Server::bind("127.0.0.1:0")
        .unwrap()
        .config(config)
        .route("/", wait.clone())
        .route("/other", wait.clone())
        .route("/echo", wait);
    let (address, handle) = (server.local_addr().unwrap(), server.handle().unwrap());
    thread::spawn(|| server.run());
    House { address, handle, senders, ends }
}

fn wait_to_the_end(connection: &mut Connection) -> Result<(), Error> {
    match connection.recv()? {
        Some(message) => panic!("nothing is expected, not {message:?}"),
        None => Ok(()),
    }
}

impl House {
    fn connect(&self, path: &str) -> (Client, Sender) {
        let client = Client::connect(self.address, path);
        (client, next(&self.senders))
    }
}

fn next<T>(receiver: &Receiver<T>) -> T {
    receiver.recv_timeout(DEADLINE).expect("it comes in time")
}

// Sender

#[test]
fn sender_reaches_a_client_whose_thread_waits() {
    let house = house(Config::default());
    let (mut client, sender) = house.connect("/");
    assert_eq!((sender.peer(), sender.is_open()), (client.stream.local_addr().unwrap(), true));
    assert_eq!(format!("{sender:?}"), format!("Sender {{ peer: {}, .. }}", sender.peer()));
    sender.send("Hello").unwrap();
    sender.clone().send(vec![1, 2, 3]).unwrap();
    assert_eq!(client.read_frame(), (TEXT, b"Hello".to_vec()));
    assert_eq!(client.read_frame(), (BINARY, vec![1, 2, 3]));
    assert_eq!(sender.waiting_bytes(), 0);
}

// Handle

#[test]
fn broadcast_of_the_handle_reaches_the_clients_of_its_path() {
    let house = house(Config::default());
    let mut members: Vec<Client> = (0..3).map(|_| house.connect("/?query").0).collect();
    let (mut outsider, sender) = house.connect("/other");
    assert_eq!((house.handle.clients_of("/"), house.handle.clients_of("/other")), (3, 1));
    assert_eq!((house.handle.clients_of("/nobody"), house.handle.broadcast("/nobody", "x")), (0, 0));
    assert_eq!(house.handle.broadcast("/", "noon"), 3);
    sender.send("for you only").unwrap();
    for member in &mut members {
        assert_eq!(member.read_frame(), (TEXT, b"noon".to_vec()));
    }
    assert_eq!(outsider.read_frame(), (TEXT, b"for you only".to_vec()));
    members.pop().unwrap().send(close_frame(1000, ""));
    wait_for("a member to leave", || house.handle.clients_of("/") == 2);
    assert_eq!(house.handle.broadcast("/", "one"), 2);
}

#[test]
fn ticks_reach_dozens_of_waiting_clients_whole_and_in_order() {
    const TICKS: u32 = 200;
    let house = house(Config::default());
    let mut clients: Vec<Client> = (0..40).map(|_| house.connect("/").0).collect();
    let handle = house.handle.clone();
    let ticker = thread::spawn(move || (0..TICKS).all(|tick| handle.broadcast("/", tick.to_be_bytes().to_vec()) == 40));
    for client in &mut clients {
        for tick in 0..TICKS {
            assert_eq!(client.read_frame(), (BINARY, tick.to_be_bytes().to_vec()));
        }
    }
    assert!(ticker.join().unwrap(), "each tick counts all clients");
}

// Many threads

const THREADS: u8 = 16;

const LONGEST: usize = 40_000;

/// A message with the number of its thread and its own number, of a length that depends on both.
fn numbered(thread: u8, number: u32) -> Vec<u8> {
    let mut payload = vec![thread; 5 + (number as usize * 3701 + usize::from(thread) * 2003) % LONGEST];
    payload[1..5].copy_from_slice(&number.to_be_bytes());
    payload
}

#[test]
fn frames_of_many_threads_stay_whole_in_order_and_bounded() {
    const MESSAGES: u32 = 100;
    let house = house(Config::default());
    let (mut client, sender) = house.connect("/");
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (sender, deadline) = (sender.clone(), Instant::now() + DEADLINE);
                let send = move |number| sender.send_when_ready(numbered(thread, number), deadline);
                scope.spawn(move || (0..MESSAGES).for_each(|number| send(number).unwrap()))
            })
            .collect();
        let most = scope.spawn(|| {
            let mut most = 0;
            while !is_over.load(Ordering::Relaxed) {
                most = most.max(sender.waiting_bytes());
                thread::yield_now();
            }
            most
        });
        // A slow client, which begins to read only when the system's buffers are full.
        wait_for("a full queue", || sender.waiting_bytes() > 32 * 1024);
        let mut next = [0; THREADS as usize];
        for _ in 0..u32::from(THREADS) * MESSAGES {
            let (opcode, payload) = client.read_frame();
            let expected = &mut next[usize::from(payload[0])];
            assert_eq!((opcode, &payload), (BINARY, &numbered(payload[0], *expected)));
            *expected += 1;
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        is_over.store(true, Ordering::Relaxed);
        let most = most.join().unwrap();
        assert!(most < 64 * 1024 + LONGEST + 10, "one message on top of the bound, not {most} bytes");
    });
}

/// Calls `end` while many threads wait for a client that reads nothing. Returns the error that each thread gets.
fn errors(sender: &Sender, end: impl FnOnce()) -> Vec<Error> {
    sender.send(vec![7; 16 << 20]).unwrap();
    let (mut before, mut unchanged) = (0, 0);
    wait_for("buffers of the system that are full", || {
        let waiting = sender.waiting_bytes();
        unchanged = if waiting == before { unchanged + 1 } else { 0 };
        before = waiting;
        unchanged == 20
    });
    let started = AtomicUsize::new(0);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let started = &started;
                scope.spawn(move || {
                    started.fetch_add(1, Ordering::Relaxed);
                    sender.send_when_ready(numbered(thread, 0), Instant::now() + DEADLINE).unwrap_err()
                })
            })
            .collect();
        wait_for("the threads", || started.load(Ordering::Relaxed) == usize::from(THREADS));
        end();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn lost_client_ends_the_waits_of_all_threads_with_an_error() {
    let house = house(Config::default());
    let (client, sender) = house.connect("/");
    let errors = errors(&sender, || drop(client));
    assert!(errors.iter().all(|error| matches!(error, Error::Io(error) if error.kind() != ErrorKind::TimedOut)));
    assert!(matches!(next(&house.ends), Err(Error::Io(_))));
    assert!(!sender.is_open() && matches!(sender.send("late"), Err(Error::Io(_))) && sender.waiting_bytes() == 0);
}

#[test]
fn close_ends_the_waits_of_all_threads_with_an_error() {
    let house = house(Config::default());
    let (_client, sender) = house.connect("/");
    let mut begin = None;
    let errors = errors(&sender, || {
        begin = Some(Instant::now());
        sender.close(CloseCode::NORMAL, "").unwrap();
    });
    assert!(errors.iter().all(|error| matches!(error, Error::Closed)));
    assert!(begin.unwrap().elapsed() < Duration::from_secs(2), "they wait neither for the client nor for a timeout");
}

#[test]
fn slow_client_is_evicted_and_its_sender_and_its_handler_know() {
    let house = house(Config { max_backlog: 100_000, ..Config::default() });
    let (_client, sender) = house.connect("/");
    let begin = Instant::now();
    let error = loop {
        if let Err(error) = sender.send(vec![7; 60_000]) {
            break error;
        }
        // The message that would follow a queue over the bound evicts the client instead.
        assert!(sender.waiting_bytes() < 100_000 + 60_010 && begin.elapsed() < DEADLINE);
    };
    assert!(matches!(error, Error::Evicted), "{error}");
    assert!(matches!(next(&house.ends), Err(Error::Evicted)));
    let late = [sender.send("late"), sender.send_when_ready("late", Instant::now() + DEADLINE)];
    assert!(late.iter().all(|late| matches!(late, Err(Error::Evicted))));
    assert!(matches!(sender.close(CloseCode::NORMAL, ""), Err(Error::Evicted)));
    wait_for("the seat", || house.handle.clients() == 0);
    assert!(matches!(sender.send("after its thread"), Err(Error::Evicted)));
}

#[test]
fn message_that_does_not_become_ready_is_not_sent() {
    let house = house(Config::default());
    let (mut client, sender) = house.connect("/");
    let moment = || Instant::now() + Duration::from_millis(50);
    let mut sent = 0_u32;
    let error = loop {
        match sender.send_when_ready(numbered(1, sent), moment()) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, Error::Io(error) if error.kind() == ErrorKind::TimedOut), "{error}");
    for number in 0..sent {
        assert_eq!(client.read_frame(), (BINARY, numbered(1, number)));
    }
    // An expired deadline is no error if the call does not have to wait.
    wait_for("an empty queue", || sender.waiting_bytes() == 0);
    sender.send_when_ready("Hello", Instant::now()).unwrap();
    assert_eq!(client.read_frame(), (TEXT, b"Hello".to_vec()));
}

// Close

#[test]
fn sender_close_answered_ends_recv_and_drops_later_data() {
    let house = house(Config::default());
    let (mut client, sender) = house.connect("/echo");
    sender.send("before").unwrap();
    sender.close(CloseCode::POLICY_VIOLATION, "enough").unwrap();
    assert!(!sender.is_open());
    assert!(matches!(sender.send("after"), Err(Error::Closed)));
    assert!(matches!(sender.close(CloseCode::NORMAL, ""), Err(Error::Closed)));
    assert_eq!(house.handle.broadcast("/echo", "after"), 0, "it is no member for data any more");
    assert_eq!(client.read_frame(), (TEXT, b"before".to_vec()));
    assert_eq!(client.read_frame(), (CLOSE, [&1008_u16.to_be_bytes()[..], b"enough"].concat()));
    client.send([frame(TEXT, b"crossed our Close"), frame(PING, b"alive"), close_frame(1008, "")].concat());
    assert_eq!(client.read_frame(), (PONG, b"alive".to_vec()), "until its Close a Ping is answered (§5.5.2)");
    assert_eq!(client.read_to_end(), b"");
    assert!(next(&house.ends).is_ok());
    wait_for("the seat", || house.handle.clients() == 0);
    assert!(matches!(sender.send("after its thread"), Err(Error::Closed)));
}

#[test]
fn sender_close_unanswered_ends_within_the_close_timeout() {
    let close_timeout = Duration::from_millis(300);
    let house = house(Config { close_timeout, ..Config::default() });
    for queued in [0, 16 << 20] {
        let (mut client, sender) = house.connect("/");
        sender.send(vec![7; queued]).unwrap();
        let begin = Instant::now();
        sender.close(CloseCode::NORMAL, "").unwrap();
        let ended = next(&house.ends);
        let lasted = begin.elapsed();
        assert!(lasted >= close_timeout && lasted < 5 * close_timeout, "{lasted:?}");
        assert!(matches!(&ended, Err(Error::Io(error)) if error.kind() == ErrorKind::TimedOut), "{ended:?}");
        wait_for("the seat", || house.handle.clients() == 0);
        if queued == 0 {
            assert_eq!(client.read_frame().0, BINARY);
            client.expect_close(Some(1000));
        }
    }
}

#[test]
fn close_comes_after_all_that_is_queued_for_a_slow_client() {
    const PIECES: u32 = 400;
    let house = house(Config::default());
    let (mut client, sender) = house.connect("/");
    (0..PIECES).for_each(|number| sender.send(numbered(1, number)).unwrap());
    sender.close(CloseCode::NORMAL, "").unwrap();
    for number in 0..PIECES {
        assert_eq!(client.read_frame(), (BINARY, numbered(1, number)));
    }
    assert_eq!(client.read_frame().0, CLOSE);
    client.send(close_frame(1000, ""));
    assert_eq!(client.read_to_end(), b"");
    assert!(next(&house.ends).is_ok());
}

// The order of a handler's own messages and its Sender's

#[test]
fn messages_of_handler_and_sender_arrive_in_the_order_of_calls() {
    let server = Server::bind("127.0.0.1:0").unwrap().route("/", |connection| {
        let sender = connection.sender();
        while connection.recv()?.is_some() {
            connection.send("handler")?;
            sender.send("sender")?;
            connection.broadcast("all")?;
        }
        Ok(())
    });
    let address = server.local_addr().unwrap();
    thread::spawn(|| server.run());
    let mut client = Client::connect(address, "/");
    // All ten are sent in one segment, because the server gathers replies while it has more messages to handle.
    client.send(frame(TEXT, b"x").repeat(10));
    for _ in 0..10 {
        for expected in ["handler", "sender", "all"] {
            assert_eq!(client.read_frame(), (TEXT, expected.into()));
        }
    }
}

// Broadcast

/// A chat that announces when a member leaves.
fn farewell(connection: &mut Connection) -> Result<(), Error> {
    struct Guard<'a>(&'a mut Connection);
    impl Drop for Guard<'_> {
        fn drop(&mut self) {
            // After a panic or a return this client is still connected. If it disconnects meanwhile, the broadcast
            // fails.
            let _ = self.0.broadcast("has left");
            let _ = self.0.broadcast(vec![7; 100_000]);
        }
    }
    let guard = Guard(connection);
    while let Some(message) = guard.0.recv()? {
        match message.as_bytes() {
            b"panic" => panic!("on purpose"),
            b"return" => return Ok(()),
            b"fail" => return Err(Error::handler("on purpose")),
            b"close" => guard.0.close(CloseCode::NORMAL, "")?,
            _ => guard.0.broadcast(message)?,
        }
    }
    Ok(())
}

fn chat_with_farewell(config: Config) -> SocketAddr {
    let server = Server::bind("127.0.0.1:0").unwrap().config(config).route("/", farewell);
    let address = server.local_addr().unwrap();
    thread::spawn(|| server.run());
    address
}

#[test]
fn others_learn_at_once_that_a_member_has_left_whichever_way() {
    let address = chat_with_farewell(Config::default());
    let mut witness = Client::connect(address, "/");
    // One member leaves without a Close, some break a rule, and some do what their text says.
    for last in [&[][..], &[0x81, 0], &close_frame(1000, ""), b"panic", b"return", b"fail", b"close"] {
        let mut member = Client::connect(address, "/");
        // The replies are gathered, but must still be sent before the farewell.
        member.send(frame(TEXT, b"Hello").repeat(3));
        match last {
            [] => member.hang_up(),
            [b'a'..=b'z', ..] => member.send(frame(TEXT, last)),
            _ => member.send(last),
        }
        if last == b"close" {
            (0..3).for_each(|_| assert_eq!(member.read_frame().1, b"Hello"));
            assert_eq!(member.read_frame().0, CLOSE);
            member.send(close_frame(1000, ""));
        }
        let begin = Instant::now();
        (0..3).for_each(|_| assert_eq!(witness.read_frame(), (TEXT, b"Hello".to_vec())));
        assert_eq!(witness.read_frame(), (TEXT, b"has left".to_vec()), "{last:?}");
        assert_eq!(witness.read_frame(), (BINARY, vec![7; 100_000]), "{last:?}");
        // Its close timeout alone would take 5 s.
        assert!(begin.elapsed() < Duration::from_secs(2), "{last:?}: {:?}", begin.elapsed());
    }
}

#[test]
fn others_learn_that_a_member_was_evicted() {
    let address = chat_with_farewell(Config { max_backlog: 100_000, ..Config::default() });
    let _stalled = Client::connect(address, "/");
    let mut witness = Client::connect(address, "/");
    let mut flooder = Client::connect(address, "/");
    loop {
        flooder.send(frame(BINARY, &[1; 60_000]));
        flooder.read_frame();
        let (opcode, payload) = witness.read_frame();
        if opcode == TEXT {
            assert_eq!(payload, b"has left");
            return;
        }
    }
}

#[test]
fn broadcast_goes_to_one_subprotocol_in_order_with_those_to_all() {
    let server = Server::bind("127.0.0.1:0").unwrap().subprotocol("/", "json").subprotocol("/", "xml");
    let server = server.route("/", |connection| {
        for number in 0.. {
            if connection.recv()?.is_none() {
                break;
            }
            connection.broadcast_to(Some("json"), format!("json {number}"))?;
            connection.broadcast_to(None, format!("plain {number}"))?;
            connection.broadcast_to(Some("nobody's"), "lost")?;
            connection.broadcast(format!("all {number}"))?;
            connection.broadcast_to(Some("xml"), vec![b'x'; 100_000])?;
            connection.broadcast_to(None, format!("plain, after all {number}"))?;
        }
        Ok(())
    });
    let (address, handle) = (server.local_addr().unwrap(), server.handle().unwrap());
    thread::spawn(|| server.run());
    let connect = |subprotocol: &str| {
        let mut client = Client::tcp(address);
        let header = format!("\r\nSec-WebSocket-Protocol: {subprotocol}\r\n\r\n");
        client.send(request("/").replace("\r\n\r\n", if subprotocol.is_empty() { "\r\n\r\n" } else { &header }));
        assert_eq!(status(&client.read_head()), 101);
        client
    };
    let mut members = ["json", "", "xml", "json", ""].map(|subprotocol| (subprotocol, connect(subprotocol)));
    assert_eq!(handle.clients_of("/"), 5);
    const NUMBERS: usize = 20;
    for sender in 0..members.len() {
        members[sender].1.send(frame(TEXT, b"go").repeat(NUMBERS));
        for (subprotocol, member) in &mut members {
            for number in 0..NUMBERS {
                let expected = match *subprotocol {
                    "json" => vec![format!("json {number}"), format!("all {number}")],
                    "xml" => vec![format!("all {number}"), "x".repeat(100_000)],
                    _ => vec![format!("plain {number}"), format!("all {number}"), format!("plain, after all {number}")],
                };
                for expected in expected {
                    assert!(member.read_frame().1 == expected.as_bytes(), "{subprotocol}: {expected:.30}");
                }
            }
        }
    }
}

#[test]
fn sender_close_ends_a_handler_that_waits_for_a_slow_client() {
    let close_timeout = Duration::from_millis(300);
    let ((give, senders), (tell, ends)) = (mpsc::channel(), mpsc::channel());
    let server = Server::bind("127.0.0.1:0").unwrap().config(Config { close_timeout, ..Config::default() });
    let server = server.route("/", move |connection| {
        give.send(connection.sender()).unwrap();
        let error = (0..).find_map(|_| connection.send(vec![7; 1 << 20]).err());
        tell.send(error).unwrap();
        Ok(())
    });
    let (address, handle) = (server.local_addr().unwrap(), server.handle().unwrap());
    thread::spawn(|| server.run());
    let _client = Client::connect(address, "/");
    let sender = next(&senders);
    wait_for("a handler that waits", || sender.waiting_bytes() > 64 * 1024);
    let begin = Instant::now();
    sender.close(CloseCode::NORMAL, "").unwrap();
    assert!(matches!(next(&ends), Some(Error::Closed)));
    assert!(begin.elapsed() < 5 * close_timeout, "{:?}", begin.elapsed());
    wait_for("the seat", || handle.clients() == 0);
}

#[test]
fn client_that_reads_steadily_and_slowly_is_not_evicted() {
    const CHUNK: usize = 16 * 1024;
    const CHUNKS: usize = 384;
    let patience = Duration::from_millis(1500);
    let house = house(Config { pong_timeout: patience, ..Config::default() });
    let (mut client, sender) = house.connect("/");
    let file = sender.clone();
    let stream = thread::spawn(move || {
        (0..CHUNKS).try_for_each(|_| file.send_when_ready(vec![7; CHUNK], Instant::now() + DEADLINE))
    });
    wait_for("full buffers", || sender.waiting_bytes() > 0);
    // This reading is so slow that the system never sees a third of its buffer free in all this time.
    let began = Instant::now();
    let mut received = 0;
    while began.elapsed() < 2 * patience {
        let count = client.stream.read(&mut [0; 32 * 1024]).expect("it is not evicted");
        assert!(count > 0, "evicted after {received} bytes");
        received += count;
        thread::sleep(Duration::from_millis(100));
    }
    assert!(sender.is_open(), "evicted after {received} bytes");
    // The rest arrives completely.
    while received < CHUNKS * (CHUNK + 4) {
        received += client.stream.read(&mut [0; 65536]).expect("the rest");
    }
    stream.join().unwrap().expect("all chunks are sent");
}

#[test]
fn broadcast_does_not_count_a_client_that_has_closed_its_side() {
    let (tell, told) = mpsc::channel();
    let (go, goes_on) = mpsc::channel::<()>();
    let goes_on = Mutex::new(goes_on);
    let server = Server::bind("127.0.0.1:0").unwrap().route("/", move |connection| {
        let ended = connection.recv();
        tell.send(format!("{ended:?}")).unwrap();
        goes_on.lock().unwrap().recv().unwrap();
        ended.map(drop)
    });
    let running = server.start().unwrap();
    let client = Client::connect(running.handle().address(), "/");
    client.hang_up();
    assert_eq!(next(&told), "Err(Io(Kind(UnexpectedEof)))");
    assert_eq!((running.handle().clients(), running.handle().broadcast("/", "too late")), (1, 0));
    assert_eq!(running.handle().counters().messages_out, 0);
    go.send(()).unwrap();
    wait_for("the end of its handler", || running.handle().clients() == 0);
    assert_eq!(running.handle().counters().messages_out, 0);
}
