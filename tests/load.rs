//! The server's promises under load, measured from outside, one test for each promise:
//! `cargo test --release --test load -- --ignored --nocapture`. Takes a minute and a half; prints its figures.
//!
//! The figures for memory hold with the feature `speed`, the default, and not for the plain server.
//!
//! Needs 10,500 file descriptors (`ulimit -n`), Linux for the figures in /proc, and root for one of the tests.
#![cfg(target_os = "linux")]

mod support;

use std::io::Read;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use support::program::{OWN_THREADS, Program};
use support::{BINARY, CLOSE, Client, TEXT, close_frame, frame, request, status, wait_for, wait_for_a_seat};

/// Allows one measurement at a time, however many test threads there are.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn echo_once(client: &mut Client) {
    client.send(frame(TEXT, b"Hello"));
    assert_eq!(client.read_frame(), (TEXT, b"Hello".to_vec()));
}

#[test]
#[ignore = "load"]
fn ten_thousand_idle_clients_cost_at_most_16_kib_each() {
    const CLIENTS: usize = 10_000;
    let _alone = alone();
    let server = Program::start_with_descriptors("10500", &["--ping-interval", "600"]);
    let resident = server.status("VmRSS");
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| Client::connect(server.address, "/echo")).collect();
    clients.iter_mut().for_each(echo_once);
    let each = (server.status("VmRSS") - resident) as f64 / CLIENTS as f64;
    println!("{CLIENTS} idle clients: {each:.1} KiB each");
    assert_eq!(server.status("Threads"), OWN_THREADS + CLIENTS);
    assert!(each <= 16.0, "{each:.1} KiB each");
    clients.iter_mut().for_each(|client| client.send(frame(TEXT, b"again")));
    for client in &mut clients {
        assert_eq!(client.read_frame(), (TEXT, b"again".to_vec()));
    }
}

#[test]
#[ignore = "load"]
fn members_that_never_read_are_evicted_and_delay_nobody() {
    const PERIOD: Duration = Duration::from_millis(10);
    const MESSAGES: usize = 2000;
    const HEALTHY: usize = 50;
    const STALLED: usize = 5;
    let _alone = alone();
    let server = Program::start(&[]);
    let mut healthy: Vec<Client> = (0..HEALTHY).map(|_| Client::connect(server.address, "/chat")).collect();
    let mut publisher = Client::connect(server.address, "/chat");
    let before = server.status("VmRSS");
    let stalled: Vec<Client> = (0..STALLED).map(|_| Client::connect(server.address, "/chat")).collect();
    let start = Instant::now();
    let (mut delays, peak) = thread::scope(|scope| {
        let readers: Vec<_> =
            healthy.iter_mut().map(|client| scope.spawn(move || read_delays(client, start, MESSAGES))).collect();
        // The publisher is a member too, so it must read its own messages.
        let mut own = Client::from_stream(publisher.stream.try_clone().unwrap());
        scope.spawn(move || read_delays(&mut own, start, MESSAGES));
        let mut peak = 0;
        for i in 0..MESSAGES {
            thread::sleep((start + PERIOD * i as u32).saturating_duration_since(Instant::now()));
            let mut payload = vec![b'x'; 16 * 1024];
            payload[..8].copy_from_slice(&(start.elapsed().as_nanos() as u64).to_be_bytes());
            publisher.send(frame(BINARY, &payload));
            peak = peak.max(server.status("VmRSS"));
        }
        (readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect::<Vec<_>>(), peak)
    });
    assert_eq!(delays.len(), HEALTHY * MESSAGES, "nothing was lost");
    delays.sort();
    let p99 = delays[delays.len() * 99 / 100];
    println!("{} deliveries: median {:.1?}, 99th percentile {p99:.1?}", delays.len(), delays[delays.len() / 2]);
    assert!(p99 < Duration::from_millis(20), "99th percentile {p99:?}");
    // Only the threads of healthy clients are left: the stalled clients and their backlogs are gone.
    wait_for("the eviction of the stalled", || server.status("Threads") == OWN_THREADS + HEALTHY + 1);
    let after = server.status("VmRSS");
    println!("memory: {before} KiB before, {peak} KiB at most, {after} KiB after");
    assert!(after < before + 4096, "{before} KiB before, {after} KiB after");
    drop(stalled);
}

#[test]
#[ignore = "load"]
fn memory_of_large_messages_returns_to_the_system() {
    const CLIENTS: usize = 16;
    const LENGTHS: [usize; 4] = [16 << 20, 300_000, 3 << 20, 1 << 20];
    let _alone = alone();
    let server = Program::start(&[]);
    echo_once(&mut Client::connect(server.address, "/echo"));
    let before = server.status("VmRSS");
    let start = Barrier::new(CLIENTS);
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = Client::connect(server.address, "/echo");
                start.wait();
                for length in LENGTHS {
                    client.send(frame(BINARY, &vec![7; length]));
                    assert_eq!(client.read_frame().1.len(), length);
                }
            });
        }
    });
    wait_for("the clients to leave", || server.status("Threads") == OWN_THREADS);
    // The server keeps buffers for the next message, and frees them after a second or two.
    wait_for("the memory to go back", || server.status("VmRSS") < before + 4096);
    let (peak, after) = (server.status("VmHWM"), server.status("VmRSS"));
    println!("{CLIENTS} clients with large messages: {before} KiB before, {peak} KiB at most, {after} KiB after");
}

#[test]
#[ignore = "load"]
fn stall_of_300_members_delays_the_sender_only_briefly() {
    const STALLED: usize = 300;
    let _alone = alone();
    let server = Program::start(&["--max-message-size", "65536"]);
    let stalled: Vec<Client> = (0..STALLED).map(|_| Client::connect(server.address, "/chat")).collect();
    let mut sender = Client::connect(server.address, "/chat");
    let mut worst = Duration::ZERO;
    let deadline = Instant::now() + Duration::from_secs(60);
    while server.status("Threads") > OWN_THREADS + 1 {
        assert!(Instant::now() < deadline, "not evicted");
        let began = Instant::now();
        sender.send(frame(BINARY, &[b'x'; 16 * 1024]));
        sender.read_frame();
        worst = worst.max(began.elapsed());
    }
    println!("{STALLED} stalled members: a message took its sender {worst:.1?} at worst");
    assert!(worst < Duration::from_millis(500), "{worst:?}");
    drop(stalled);
}

fn read_delays(client: &mut Client, start: Instant, count: usize) -> Vec<Duration> {
    let next = |_| {
        let (_, payload) = client.read_frame();
        let sent = u64::from_be_bytes(*payload.first_chunk().unwrap());
        start.elapsed() - Duration::from_nanos(sent)
    };
    (0..count).map(next).collect()
}

#[test]
#[ignore = "load"]
fn ten_thousand_newcomers_miss_nothing_after_their_101() {
    const NEWCOMERS: usize = 10_000;
    let _alone = alone();
    let server = Program::start(&[]);
    let mut sender = Client::connect(server.address, "/chat");
    let start = Instant::now();
    let over = AtomicBool::new(false);
    let missed = thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop()
                }
            });
        }
        let misses = |number: &usize| {
            let mut newcomer = Client::connect(server.address, "/chat");
            let message = number.to_be_bytes();
            sender.send(frame(BINARY, &message));
            assert_eq!(sender.read_frame(), (BINARY, message.to_vec()));
            newcomer.stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            let mut received = [0; 10];
            let missed = newcomer.stream.read_exact(&mut received).is_err() || received[2..] != message;
            newcomer.stream.shutdown(Shutdown::Both).unwrap();
            missed
        };
        let missed = (0..NEWCOMERS).filter(misses).take(5).count();
        over.store(true, Ordering::Relaxed);
        missed
    });
    println!("{missed} of {NEWCOMERS} newcomers missed a message, in {:.1?}", start.elapsed());
    assert_eq!(missed, 0);
}

#[test]
#[ignore = "load"]
fn closed_clients_that_stay_hold_no_thread_or_descriptor() {
    let _alone = alone();
    let server = Program::start(&["--close-timeout", "600"]);
    drop(Client::connect(server.address, "/echo"));
    wait_for("the warm-up client to leave", || server.status("Threads") == OWN_THREADS);
    let descriptors = server.descriptors();
    let mut clients: Vec<Client> = (0..1000).map(|_| Client::connect(server.address, "/echo")).collect();
    for client in &mut clients {
        client.send(close_frame(1000, ""));
        assert_eq!(client.read_frame().0, CLOSE);
    }
    wait_for("every thread to end", || server.status("Threads") == OWN_THREADS);
    wait_for("every descriptor to be closed", || server.descriptors() == descriptors);
    drop(clients);
}

#[test]
#[ignore = "load"]
fn two_thousand_connects_and_disconnects_leave_nothing_behind() {
    let _alone = alone();
    let server = Program::start(&["--max-clients", "100"]);
    drop(Client::connect(server.address, "/echo"));
    wait_for("the warm-up client to leave", || server.status("Threads") == OWN_THREADS);
    let descriptors = server.descriptors();
    for _ in 0..500 {
        let mut orderly = Client::connect(server.address, "/chat");
        orderly.send(close_frame(1000, ""));
        orderly.expect_close(Some(1000));
        let mut abrupt = Client::connect(server.address, "/echo");
        // Closing a socket with unread bytes sends a reset.
        abrupt.send(frame(TEXT, b"never read"));
        abrupt.stream.peek(&mut [0]).unwrap();
        drop(abrupt);
        let mut in_handshake = Client::tcp(server.address);
        in_handshake.send("GET /echo HTTP/1.1\r\nHo");
        drop(in_handshake);
        let mut in_frame = Client::connect(server.address, "/chat");
        in_frame.send(&frame(BINARY, &[0; 1000])[..500]);
        drop(in_frame);
    }
    wait_for("every thread to end", || server.status("Threads") == OWN_THREADS);
    wait_for("every descriptor to be closed", || server.descriptors() == descriptors);
    // Not a single slot is lost: all 100 can be taken at once.
    let mut all: Vec<Client> = (0..100).map(|_| Client::connect(server.address, "/echo")).collect();
    all.iter_mut().for_each(echo_once);
}

#[test]
#[ignore = "load"]
fn slow_handshakes_delay_nobody_and_end_at_the_timeout() {
    const TIMEOUT: Duration = Duration::from_secs(10);
    let _alone = alone();
    let server = Program::start(&[]);
    let slow: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    let start = Instant::now();
    let done = AtomicBool::new(false);
    let (mut worst, mut gone_after) = (Duration::ZERO, Duration::ZERO);
    thread::scope(|scope| {
        scope.spawn(|| {
            // The client keeps sending as long as the connection takes it, and ignores the 408.
            for byte in "GET /echo HTTP/1.1\r\nX: and so on and on".bytes().cycle() {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                for mut stream in &slow {
                    let _ = std::io::Write::write(&mut stream, &[byte]);
                }
                thread::sleep(Duration::from_secs(1));
            }
        });
        // The flag must be set even if a check below fails, because the scope waits for the thread.
        let _done = SetOnDrop(&done);
        while start.elapsed() < TIMEOUT - Duration::from_millis(200) {
            let began = Instant::now();
            let mut good = Client::connect(server.address, "/echo");
            worst = worst.max(began.elapsed());
            echo_once(&mut good);
            thread::sleep(Duration::from_millis(20));
        }
        assert!(server.status("Threads") >= OWN_THREADS + 200, "they are there all the while");
        wait_for("the slow ones to be gone", || server.status("Threads") == OWN_THREADS);
        gone_after = start.elapsed();
    });
    println!("200 slow handshakes: a good one took {worst:.1?} at worst; all gone after {gone_after:.1?}");
    assert!(worst < Duration::from_millis(100), "{worst:?}");
    // One second of this is for reading the 408.
    assert!(gone_after < TIMEOUT + Duration::from_millis(1500), "{gone_after:?}");
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
#[ignore = "load"]
fn lack_of_descriptors_pauses_accept_until_some_are_free() {
    let _alone = alone();
    let server = Program::start_with_descriptors("64", &[]);
    let mut clients: Vec<TcpStream> = Vec::new();
    for _ in 0..200 {
        let Ok(mut stream) = TcpStream::connect_timeout(&server.address, Duration::from_millis(50)) else { continue };
        let _ = std::io::Write::write(&mut stream, request("/echo").as_bytes());
        clients.push(stream);
    }
    wait_for("the descriptors to run out", || server.descriptors_below(64) == 64);
    let (cpu, start) = (server.cpu_seconds(), Instant::now());
    thread::sleep(Duration::from_secs(3));
    let share = (server.cpu_seconds() - cpu) / start.elapsed().as_secs_f64();
    println!("out of descriptors: {:.1} % of a core", share * 100.0);
    assert!(share < 0.05, "{share}");
    clients.truncate(20);
    let start = Instant::now();
    echo_once(&mut Client::connect(server.address, "/echo"));
    println!("served again after {:.1?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[test]
#[ignore = "load"]
fn without_descriptors_the_server_can_still_be_ended() {
    let _alone = alone();
    let mut server = Program::start_with_descriptors("64", &["--close-timeout", "1"]);
    // The clients never answer the Close. `accept` takes a descriptor before it waits, so with 63 open none is left.
    let mut clients: Vec<Client> = Vec::new();
    while server.descriptors_below(64) < 63 {
        clients.push(Client::connect(server.address, "/echo"));
    }
    let start = Instant::now();
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
    println!("ended without descriptors after {:.1?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

#[test]
#[ignore = "load, and needs root"]
fn lack_of_threads_gives_503_until_some_are_free() {
    let _alone = alone();
    let server = Program::start_with_threads(10);
    let mut served = Vec::new();
    let mut refused = 0;
    for _ in 0..20 {
        let mut client = Client::tcp(server.address);
        client.send(request("/echo"));
        match status(&client.read_head()) {
            101 => served.push(client),
            503 => {
                assert_eq!(client.read_to_end(), b"the server is full\n");
                refused += 1;
            }
            other => panic!("{other}"),
        }
    }
    assert!(!served.is_empty() && refused >= 10, "{} served, {refused} refused", served.len());
    served.iter_mut().for_each(echo_once);
    served.clear();
    wait_for_a_seat(server.address);
}

#[test]
#[ignore = "load"]
fn silent_network_drops_client_and_ends_its_thread() {
    let _alone = alone();
    let server = Program::start(&["--ping-interval", "1", "--pong-timeout", "1"]);
    let mut silent = Client::connect(server.address, "/chat");
    echo_once(&mut silent);
    let start = Instant::now();
    wait_for("the silent client to be dropped", || server.status("Threads") == OWN_THREADS);
    println!("silent client gone after {:.2?}", start.elapsed());
    let sweep = Duration::from_millis(100);
    assert!(start.elapsed() < Duration::from_secs(2) + 2 * sweep, "{:?}", start.elapsed());
}

#[test]
#[ignore = "load"]
fn sigterm_tells_a_thousand_clients_and_ends_in_time() {
    let _alone = alone();
    let mut server = Program::start_with_descriptors("10500", &[]);
    let mut clients: Vec<Client> = (0..1000).map(|_| Client::connect(server.address, "/chat")).collect();
    wait_for("a thread for each", || server.status("Threads") == OWN_THREADS + clients.len());
    let start = Instant::now();
    server.signal("TERM");
    for client in &mut clients {
        let (first, payload) = client.read_frame();
        assert_eq!((first, &payload[..2]), (CLOSE, &1001u16.to_be_bytes()[..]));
        client.send(close_frame(1001, ""));
    }
    drop(clients);
    assert_eq!(server.wait(), Some(0));
    println!("1,000 clients told and gone in {:.2?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}
