//! The solutions of the book's chapter Push: a `Sender` and a `Handle` in other threads, while the client's own thread
//! waits in `recv`. Other files test each promise of the two types.

use crate::support::{BINARY, Client, DEADLINE, TEXT, frame, wait_for};
use plainsocket::{Config, Connection, Error, Running, Sender, Server};
use std::io::{self, Read};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_millis(10); // a short one

/// Sends this client a tick each second, from a thread of its own, and echoes the client's messages meanwhile.
fn clock(connection: &mut Connection) -> Result<(), Error> {
    let sender = connection.sender();
    thread::spawn(move || {
        while sender.send("tick").is_ok() {
            thread::sleep(SECOND);
        }
    });
    while let Some(message) = connection.recv()? {
        connection.send(message)?;
    }
    Ok(())
}

#[test]
fn ticks_arrive_while_the_clients_thread_waits() {
    let running = Server::bind("127.0.0.1:0").unwrap().route("/", clock).start().unwrap();
    let mut client = Client::connect(running.handle().address(), "/");
    for _ in 0..3 {
        assert_eq!(client.read_frame(), (TEXT, b"tick".to_vec()));
    }
    client.send(frame(TEXT, b"and an answer"));
    let answered = Instant::now();
    while client.read_frame().1 != b"and an answer" {
        assert!(answered.elapsed() < DEADLINE, "ticks only");
    }
}

/// Sends a new position to each viewer that has taken the one before. A slow viewer gets fewer.
fn push_position(viewers: &mut Vec<Sender>, position: Vec<u8>) {
    viewers.retain(Sender::is_open);
    for viewer in viewers.iter().filter(|viewer| viewer.waiting_bytes() == 0) {
        let _ = viewer.send(position.clone());
    }
}

/// A server whose handler puts its sender into a list and then waits.
fn viewers() -> (Running, Arc<Mutex<Vec<Sender>>>) {
    let viewers = Arc::<Mutex<Vec<Sender>>>::default();
    let its_viewers = Arc::clone(&viewers);
    // With this interval no Ping appears among the frames, however slow the machine is.
    let config = Config { max_backlog: 1024 * 1024, ping_interval: Duration::from_secs(600), ..Config::default() };
    let server = Server::bind("127.0.0.1:0").unwrap().config(config).route("/", move |connection| {
        its_viewers.lock().unwrap().push(connection.sender());
        while connection.recv()?.is_some() {}
        Ok(())
    });
    (server.start().unwrap(), viewers)
}

#[test]
fn viewer_that_does_not_read_misses_positions_and_stays() {
    const POSITIONS: usize = 300;
    let (running, viewers) = viewers();
    let mut slow = Client::connect(running.handle().address(), "/");
    wait_for("the viewer", || viewers.lock().unwrap().len() == 1);
    // The positions are 19 MiB in all, and only 1 MiB can wait.
    for number in 0..POSITIONS {
        let mut position = number.to_string().into_bytes();
        position.resize(65536, b' ');
        push_position(&mut viewers.lock().unwrap(), position);
    }
    let last = viewers.lock().unwrap()[0].clone();
    assert!(last.is_open() && last.waiting_bytes() <= 65546, "one position at most: {}", last.waiting_bytes());
    last.send("the end").unwrap();
    let (mut count, mut newest) = (0, None);
    loop {
        let (_, payload) = slow.read_frame();
        if payload == b"the end" {
            break;
        }
        let number: usize = String::from_utf8(payload).unwrap().trim_end().parse().unwrap();
        assert!(newest.is_none_or(|newest| newest < number), "in order");
        (count, newest) = (count + 1, Some(number));
    }
    assert!((1..POSITIONS).contains(&count), "{count} of {POSITIONS}");
}

/// Streams a file to a client. Memory holds only a few chunks of it, however slow the client is.
fn send_file(mut file: impl Read, sender: &Sender, patience: Duration) -> Result<(), Error> {
    loop {
        let mut chunk = Vec::with_capacity(64 * 1024);
        if file.by_ref().take(64 * 1024).read_to_end(&mut chunk)? == 0 {
            return Ok(());
        }
        sender.send_when_ready(chunk, Instant::now() + patience)?;
    }
}

#[test]
fn file_goes_to_a_slow_client_whole_and_without_a_queue() {
    const LENGTH: usize = 12 * 1024 * 1024;
    let (running, viewers) = viewers();
    let mut client = Client::connect(running.handle().address(), "/");
    wait_for("the client", || viewers.lock().unwrap().len() == 1);
    let sender = viewers.lock().unwrap()[0].clone();
    let watched = sender.clone();
    let file: Vec<u8> = (0..LENGTH).map(|i| (i / 1000) as u8).collect();
    let its_file = file.clone();
    let writer = thread::spawn(move || send_file(&its_file[..], &sender, DEADLINE));
    // The client does not read until the first chunk has to wait.
    wait_for("a full socket", || watched.waiting_bytes() > 0);
    let mut arrived = Vec::new();
    while arrived.len() < LENGTH {
        assert!(watched.waiting_bytes() <= 256 * 1024, "{} bytes wait", watched.waiting_bytes());
        let (first, payload) = client.read_frame();
        assert_eq!(first, BINARY);
        arrived.extend(payload);
    }
    assert!(arrived == file);
    writer.join().unwrap().unwrap();
}

#[test]
fn file_for_a_client_that_takes_nothing_ends_at_the_deadline() {
    let (running, viewers) = viewers();
    let _client = Client::connect(running.handle().address(), "/");
    wait_for("the client", || viewers.lock().unwrap().len() == 1);
    let sender = viewers.lock().unwrap()[0].clone();
    match send_file(io::repeat(7), &sender, Duration::from_millis(200)) {
        Err(Error::Io(error)) => assert_eq!(error.kind(), io::ErrorKind::TimedOut),
        other => panic!("{other:?}"),
    }
    assert!(sender.is_open(), "the caller decides what becomes of the client");
}

#[test]
fn handle_sends_to_chosen_clients_with_one_write_in_order() {
    let (running, viewers) = viewers();
    let mut clients = [(); 3].map(|()| Client::connect(running.handle().address(), "/"));
    wait_for("three viewers", || viewers.lock().unwrap().len() == 3);
    let senders = viewers.lock().unwrap().clone();
    let port = |sender: &&Sender| Some(sender.peer()) != clients[1].stream.local_addr().ok();
    let chosen: Vec<&Sender> = senders.iter().filter(port).collect();
    let long = vec![7; 100_000];
    let handle = running.handle();
    assert_eq!(handle.send_to(chosen.iter().copied(), &["one".into(), long.clone().into(), "two".into()]), 2);
    assert_eq!(handle.send_to(chosen.iter().copied(), &[]), 0, "nothing is sent, and nobody is harmed");
    handle.send_to(&senders, &["all".into()]);
    for chosen in [true, false, true].into_iter().zip(&mut clients).map(|(chosen, client)| chosen.then_some(client)) {
        let Some(client) = chosen else { continue };
        assert_eq!(client.read_frame(), (TEXT, b"one".to_vec()));
        assert_eq!(client.read_frame(), (BINARY, long.clone()));
        assert_eq!(client.read_frame(), (TEXT, b"two".to_vec()));
        assert_eq!(client.read_frame(), (TEXT, b"all".to_vec()));
    }
    assert_eq!(clients[1].read_frame(), (TEXT, b"all".to_vec()), "it was not chosen before");
    assert_eq!(handle.counters().messages_out, 9);
    clients[0].hang_up();
    drop(clients);
    wait_for("the end of all", || handle.send_to(&senders, &["gone".into()]) == 0);
}
