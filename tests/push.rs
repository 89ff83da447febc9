//! The promises of push from other threads under load, with figures:
//! `cargo test --release --test push -- --ignored --nocapture`. Takes half a minute.
//!
//! Needs 4,500 file descriptors (`ulimit -n`), because servers and clients are in one process, and Linux for the
//! figures in /proc.
#![cfg(target_os = "linux")]

mod support;

use plainsocket::{Config, Connection, Error, Handle, Message, Sender, Server};
use socket2::{Domain, Socket, Type};
use std::fs;
use std::io::{BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use support::{Client, DEADLINE, TEXT, frame, request, status, wait_for};

const CLIENTS: usize = 1000;

/// Allows one measurement at a time, however many test threads there are.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Limits for clients that answer no Ping.
fn patient() -> Config {
    Config { ping_interval: Duration::from_secs(600), ..Config::default() }
}

/// Serves a client that sends nothing.
fn wait_only(connection: &mut Connection) -> Result<(), Error> {
    while connection.recv()?.is_some() {}
    Ok(())
}

/// The processor time that this thread has used.
fn processor_time() -> Duration {
    let figures = fs::read_to_string("/proc/thread-self/schedstat").expect("/proc/thread-self/schedstat");
    let used = figures.split(' ').next().and_then(|figure| figure.parse().ok());
    Duration::from_nanos(used.expect("a number of nanoseconds"))
}

/// The number of clients' threads. A thread can end while they are counted.
fn client_threads() -> usize {
    let threads = fs::read_dir("/proc/self/task").expect("/proc/self/task");
    let names = threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("client-")).count()
}

/// A server that runs until the end of its test.
struct Running(Option<plainsocket::Running>);

impl Running {
    fn start(server: Server) -> Running {
        Running(Some(server.start().expect("a thread")))
    }

    fn handle(&self) -> &Handle {
        self.0.as_ref().expect("it runs").handle()
    }

    fn address(&self) -> SocketAddr {
        self.handle().address()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle().shutdown();
        let ended = self.0.take().expect("it runs").join();
        assert!(ended.is_ok() || thread::panicking(), "{ended:?}");
    }
}

/// Reads the next frame, a whole text message.
fn read_text(reader: &mut impl Read) -> Vec<u8> {
    let mut header = [0; 2];
    reader.read_exact(&mut header).expect("a header");
    assert_eq!(header[0], TEXT, "a whole text message");
    assert!(header[1] < 126, "a short one");
    let mut payload = vec![0; usize::from(header[1])];
    reader.read_exact(&mut payload).expect("a payload");
    payload
}

fn connect(address: SocketAddr, path: &str, count: usize) -> Vec<BufReader<TcpStream>> {
    (0..count).map(|_| BufReader::with_capacity(4096, Client::connect(address, path).stream)).collect()
}

#[test]
#[ignore = "load"]
fn ticker_reaches_a_thousand_clients_without_loss() {
    const TICKS: usize = 1000;
    const PERIOD: Duration = Duration::from_millis(1);
    let _alone = alone();
    let server = Running::start(Server::bind("127.0.0.1:0").unwrap().config(patient()).route("/", wait_only));
    let handle = server.handle();
    wait_for("the end of the threads of another test", || client_threads() == 0);
    let mut clients = connect(server.address(), "/", CLIENTS);
    assert_eq!(client_threads(), CLIENTS, "one thread a client");
    let began = Instant::now();
    thread::scope(|scope| {
        for some in clients.chunks_mut(CLIENTS / 4) {
            scope.spawn(|| {
                for tick in 0..TICKS {
                    for client in &mut *some {
                        assert_eq!(read_text(client), format!("tick {tick}").into_bytes());
                    }
                }
            });
        }
        for tick in 0..TICKS {
            thread::sleep((began + PERIOD * tick as u32).saturating_duration_since(Instant::now()));
            assert_eq!(handle.broadcast("/", format!("tick {tick}")), CLIENTS);
        }
    });
    let took = began.elapsed();
    println!("{TICKS} ticks to {CLIENTS} clients each: {took:.1?}, {:.1?} a delivery", took / (TICKS * CLIENTS) as u32);
    assert_eq!((handle.clients(), handle.counters().evicted), (CLIENTS, 0));
}

#[test]
#[ignore = "load"]
fn ticker_costs_a_delivery_what_a_clients_own_broadcast_costs() {
    const ROUNDS: usize = 400;
    let _alone = alone();
    let (report, costs) = mpsc::sync_channel(1);
    // As in row g of the benchmark, each client's thread broadcasts the messages that its client sends.
    let of_own = report.clone();
    let chat = move |connection: &mut Connection| {
        while let Some(message) = connection.recv()? {
            let before = processor_time();
            connection.broadcast(message)?;
            connection.flush()?;
            of_own.send(processor_time() - before).map_err(Error::handler)?;
        }
        Ok(())
    };
    let server = Running::start(Server::bind("127.0.0.1:0").unwrap().config(patient()).route("/", chat));
    let (tick, ticks) = mpsc::channel::<String>();
    let handle = server.handle().clone();
    let ticker = thread::spawn(move || {
        for text in ticks {
            let before = processor_time();
            assert_eq!(handle.broadcast("/", text), CLIENTS);
            report.send(processor_time() - before).unwrap();
        }
    });
    let mut clients = connect(server.address(), "/", CLIENTS);
    let payload = "x".repeat(64);
    let mut sender = Client::from_stream(clients[0].get_ref().try_clone().unwrap());
    let mut next_cost = || {
        let cost = costs.recv_timeout(DEADLINE).expect("the cost of a broadcast");
        clients.iter_mut().for_each(|client| assert_eq!(read_text(client), payload.as_bytes()));
        cost
    };
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        sender.send(frame(TEXT, payload.as_bytes()));
        own.push(next_cost());
        tick.send(payload.clone()).unwrap();
        others.push(next_cost());
    }
    drop(tick);
    ticker.join().unwrap();
    let [own, other] = [&mut own, &mut others].map(|costs| {
        costs.sort();
        costs[ROUNDS / 2] / CLIENTS as u32
    });
    let ratio = other.as_secs_f64() / own.as_secs_f64();
    println!("a delivery: {own:.2?} of a client's own thread, {other:.2?} of a ticker: {ratio:.3}");
    // The client's thread also delivers to its own client, which the ticker does not; that is a thousandth.
    assert!(ratio < 1.05, "{ratio:.3}");
}

/// Gives the test the `Sender` of each client, whose thread waits in `recv`.
fn start_with_senders(config: Config) -> (Running, mpsc::Receiver<Sender>) {
    let (give, senders) = mpsc::sync_channel(1);
    let handler = move |connection: &mut Connection| {
        give.send(connection.sender()).map_err(Error::handler)?;
        wait_only(connection)
    };
    (Running::start(Server::bind("127.0.0.1:0").unwrap().config(config).route("/", handler)), senders)
}

/// A client with a small receive buffer, so that the system holds fewer bytes for it.
fn narrow_client(server: &Running) -> BufReader<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(32 * 1024).unwrap();
    socket.connect(&server.address().into()).unwrap();
    let mut client = Client::from_stream(socket.into());
    client.send(request("/"));
    assert_eq!(status(&client.read_head()), 101);
    BufReader::with_capacity(1 << 16, client.stream)
}

/// A message of 100 bytes, long enough that the system's buffers hold only a limited number of them.
fn numbered(number: usize, message: usize) -> String {
    format!("{:.<100}", format!("{number} {message} "))
}

const SENDERS: usize = 16;
const MESSAGES: usize = 100_000;

#[test]
#[ignore = "load"]
fn sixteen_senders_survive_a_client_that_pauses() {
    let _alone = alone();
    let (server, senders) = start_with_senders(patient());
    let mut client = narrow_client(&server);
    let sender = senders.recv_timeout(DEADLINE).unwrap();
    const PAUSES: [usize; 3] = [1, SENDERS * MESSAGES / 4, SENDERS * MESSAGES / 2];
    let began = Instant::now();
    let most_waiting = thread::scope(|scope| {
        for number in 0..SENDERS {
            let sender = sender.clone();
            scope.spawn(move || {
                for message in 0..MESSAGES {
                    let deadline = Instant::now() + DEADLINE;
                    sender.send_when_ready(numbered(number, message), deadline).expect("the client reads on");
                }
            });
        }
        let mut next = [0; SENDERS];
        let mut most_waiting = 0;
        for count in 0..SENDERS * MESSAGES {
            // At three points the client pauses: the system's buffers and the queue fill up, and the senders wait.
            if PAUSES.contains(&count) {
                // Each short frame also counts with its overhead in the queue, so only half of the 64 KiB are bytes to
                // send.
                wait_for("a full queue", || sender.waiting_bytes() > 24 * 1024);
                most_waiting = most_waiting.max(sender.waiting_bytes());
            }
            let text = String::from_utf8(read_text(&mut client)).expect("a whole message");
            let number: usize = text.split(' ').next().and_then(|number| number.parse().ok()).expect("a number");
            assert_eq!(text, numbered(number, next[number]), "the order of each thread");
            next[number] += 1;
        }
        assert_eq!(next, [MESSAGES; SENDERS], "nothing lost");
        most_waiting
    });
    println!(
        "{SENDERS} threads, {MESSAGES} messages each: {:.1?}, {most_waiting} bytes waited at most",
        began.elapsed()
    );
    assert!(most_waiting <= 64 * 1024, "{most_waiting} bytes waited");
    assert_eq!((client.buffer().len(), server.handle().counters().waiting_bytes), (0, 0));
}

#[test]
#[ignore = "load"]
fn sixteen_senders_get_an_error_when_their_client_leaves() {
    let _alone = alone();
    let (server, senders) = start_with_senders(patient());
    let mut client = narrow_client(&server);
    let sender = senders.recv_timeout(DEADLINE).unwrap();
    let errors = thread::scope(|scope| {
        let threads: Vec<_> = (0..SENDERS)
            .map(|number| {
                let sender = sender.clone();
                scope.spawn(move || {
                    (0..MESSAGES).find_map(|message| {
                        let deadline = Instant::now() + DEADLINE;
                        sender.send_when_ready(numbered(number, message), deadline).err()
                    })
                })
            })
            .collect();
        for _ in 0..SENDERS * MESSAGES / 2 {
            read_text(&mut client);
        }
        let gone = Instant::now();
        drop(client);
        let errors: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert!(gone.elapsed() < Duration::from_secs(2), "the last error came after {:?}", gone.elapsed());
        errors
    });
    for error in errors {
        let error = error.expect("nobody has sent everything");
        let is_lost = matches!(&error, Error::Io(error) if error.kind() != std::io::ErrorKind::TimedOut);
        assert!(is_lost || matches!(error, Error::Closed), "{error:?}");
    }
    wait_for("the client's end", || server.handle().clients() == 0);
    assert!(!sender.is_open());
}

#[test]
#[ignore = "load"]
fn eviction_within_the_bound_reaches_the_senders() {
    const MAX_BACKLOG: usize = 1024 * 1024;
    let _alone = alone();
    let (server, senders) = start_with_senders(Config { max_backlog: MAX_BACKLOG, ..patient() });
    let _client = narrow_client(&server);
    let sender = senders.recv_timeout(DEADLINE).unwrap();
    let message = Message::from(vec![7; 1000]);
    thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                let error = loop {
                    if let Err(error) = sender.send(message.clone()) {
                        break error;
                    }
                    assert!(sender.waiting_bytes() <= MAX_BACKLOG + SENDERS * 1004);
                };
                assert!(matches!(error, Error::Evicted), "{error:?}");
            });
        }
    });
    assert_eq!(server.handle().counters().evicted, 1);
}
