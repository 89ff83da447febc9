//! The cost of clients that do not read, or that read slowly, measured from outside:
//! `cargo test --release --test slow_consumers -- --ignored --nocapture`. Prints its figures.
//!
//! Two of the tests measure memory, and hold with the feature `speed`, the default, and not for the plain server:
//! `memory_goes_back_after_each_wave_of_stalled_members` and `sum_of_all_memory_has_a_bound`.
//!
//! Needs 10,500 file descriptors (`ulimit -n`; one of the tests needs 19,000), and Linux for the figures in /proc and
//! for small receive buffers.
#![cfg(target_os = "linux")]

mod support;

use nix::sys::resource::{Resource, getrlimit};
use socket2::{Domain, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use support::program::{OWN_THREADS, Program};
use support::{BINARY, CLOSE, Client, PING, TEXT, frame, request, wait_for};

/// Allows one measurement at a time, however many test threads there are.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn socket() -> Socket {
    Socket::new(Domain::IPV4, Type::STREAM, None).unwrap()
}

/// A client whose system buffers hardly any of the server's bytes.
fn narrow(address: SocketAddr, path: &str) -> Client {
    let socket = socket();
    socket.set_recv_buffer_size(2048).unwrap();
    socket.connect(&address.into()).unwrap();
    let mut client = Client::from_stream(socket.into());
    client.send(request(path));
    assert!(client.read_head().starts_with("HTTP/1.1 101 "));
    client
}

fn narrow_members(server: &Program, count: usize) -> Vec<Client> {
    (0..count).map(|_| narrow(server.address, "/chat")).collect()
}

/// Sends messages of `length` bytes to the chat, each after the previous one has come back.
fn talk(sender: &mut Client, length: usize, count: usize) {
    for _ in 0..count {
        sender.send(frame(BINARY, &vec![7; length]));
        assert_eq!(sender.read_frame().1.len(), length);
    }
}

fn mib(kib: usize) -> f64 {
    kib as f64 / 1024.0
}

#[test]
#[ignore = "load"]
fn thousand_stalled_members_cost_no_thread_and_no_cpu() {
    const STALLED: usize = 1000;
    let _alone = alone();
    let server = Program::start_with_descriptors("10500", &["--ping-interval", "600", "--pong-timeout", "600"]);
    let mut stalled = narrow_members(&server, STALLED);
    let mut sender = Client::connect(server.address, "/chat");
    talk(&mut sender, 10_000, 200);
    assert_eq!(server.status("Threads"), OWN_THREADS + STALLED + 1);
    // Each stalled member sends Pings, so its own thread has Pongs to write, and then falls silent.
    for member in &mut stalled {
        let _ = member.stream.write(&frame(PING, &[]).repeat(200));
    }
    talk(&mut sender, 10_000, 1);
    thread::sleep(Duration::from_secs(1));
    let (cpu, start) = (server.cpu_seconds(), Instant::now());
    thread::sleep(Duration::from_secs(4));
    let share = (server.cpu_seconds() - cpu) / start.elapsed().as_secs_f64();
    println!("{STALLED} stalled members: {:.2} % of a core", 100.0 * share);
    assert!(share < 0.02, "{share}");
    assert_eq!(server.status("Threads"), OWN_THREADS + STALLED + 1);
}

#[test]
#[ignore = "load"]
fn nine_thousand_stalled_members_leave_the_server_alive() {
    const STALLED: usize = 9_900;
    let _alone = alone();
    let server = Program::start_with_descriptors("10500", &["--ping-interval", "600", "--pong-timeout", "600"]);
    let stalled = narrow_members(&server, STALLED);
    let mut sender = Client::connect(server.address, "/chat");
    talk(&mut sender, 1000, 400);
    let threads = server.status("Threads");
    println!("{STALLED} members that do not read: {threads} threads, {:.0} MiB", mib(server.status("VmRSS")));
    assert_eq!(threads, OWN_THREADS + STALLED + 1);
    let mut good = Client::connect(server.address, "/echo");
    good.send(frame(TEXT, b"still served"));
    assert_eq!(good.read_frame(), (TEXT, b"still served".to_vec()));
    drop(stalled);
}

#[test]
#[ignore = "load"]
fn one_large_message_is_held_once_for_all_stalled_members() {
    const LENGTH: usize = 16 << 20;
    let _alone = alone();
    let server = Program::start(&[]);
    talk(&mut Client::connect(server.address, "/chat"), 10, 1);
    let stalled = narrow_members(&server, 150);
    let mut sender = Client::connect(server.address, "/chat");
    let before = server.status("VmRSS");
    talk(&mut sender, LENGTH, 1);
    let peak = server.status("VmHWM") - before;
    println!("one message of 16 MiB, 150 stalled members: {:.1} MiB", mib(peak));
    // The message that the server has received, and the frame that waits to be sent.
    assert!(peak < 2 * LENGTH / 1024 + 5 * 1024, "{peak} KiB");
    drop((stalled, sender));
    wait_for("the memory to go back", || server.status("VmRSS") < before + 5 * 1024);
}

#[test]
#[ignore = "load"]
fn memory_goes_back_after_each_wave_of_stalled_members() {
    let _alone = alone();
    let server = Program::start_with_descriptors("10500", &[]);
    let mut sender = Client::connect(server.address, "/chat");
    talk(&mut sender, 65_000, 3);
    drop(narrow_members(&server, 2000));
    wait_for("the first to leave", || server.status("Threads") == OWN_THREADS + 1);
    let before = server.status("VmRSS");
    let mut after = Vec::new();
    for _ in 0..5 {
        let stalled = narrow_members(&server, 2000);
        talk(&mut sender, 65_000, 3);
        drop(stalled);
        wait_for("the wave to leave", || server.status("Threads") == OWN_THREADS + 1);
        wait_for("the memory to go back", || server.status("VmRSS") < before + 5 * 1024);
        after.push(server.status("VmRSS"));
    }
    println!("waves of 2,000 stalled members: {before} KiB before, then {after:?}");
}

#[test]
#[ignore = "load"]
fn members_that_read_20_mbit_survive_a_burst_of_8_mib() {
    const MEMBERS: usize = 100;
    const MESSAGE: usize = 65_000;
    const MESSAGES: usize = 8 * 1024 * 1024 / MESSAGE;
    let _alone = alone();
    let server = Program::start(&["--max-message-size", "65536"]);
    let members: Vec<Client> = (0..MEMBERS).map(|_| Client::connect(server.address, "/chat")).collect();
    let mut sender = Client::connect(server.address, "/chat");
    let complete = AtomicUsize::new(0);
    thread::scope(|scope| {
        for mut member in members {
            let complete = &complete;
            scope.spawn(move || {
                let (start, mut received) = (Instant::now(), 0);
                while received < MESSAGES * (MESSAGE + 4) {
                    // 2.5 MB per second.
                    let due = Duration::from_micros((received as f64 / 2.5) as u64);
                    thread::sleep(due.saturating_sub(start.elapsed()));
                    match member.stream.read(&mut [0; 50_000]) {
                        Ok(count) if count > 0 => received += count,
                        other => panic!("evicted after {received} bytes: {other:?}"),
                    }
                }
                complete.fetch_add(1, Ordering::Relaxed);
            });
        }
        let start = Instant::now();
        talk(&mut sender, MESSAGE, MESSAGES);
        println!("a burst of 8 MiB took {:.2?}", start.elapsed());
    });
    assert_eq!(complete.into_inner(), MEMBERS);
}

/// Reads and discards the bytes of all these clients until `stop` is set. Returns their number.
fn swallow(clients: &mut [Client], stop: &AtomicBool) -> usize {
    let mut buffer = vec![0; 1 << 20];
    clients.iter().for_each(|client| client.stream.set_nonblocking(true).unwrap());
    let mut received = 0;
    while !stop.load(Ordering::Relaxed) {
        let before = received;
        for client in clients.iter_mut() {
            match client.stream.read(&mut buffer) {
                Ok(0) => panic!("a healthy member was disconnected"),
                Ok(count) => received += count,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        if received == before {
            thread::sleep(Duration::from_millis(1));
        }
    }
    received
}

#[test]
#[ignore = "load"]
fn members_with_tiny_windows_do_not_make_the_healthy_expensive() {
    const HEALTHY: usize = 1000;
    const LENGTH: usize = 600_000;
    const MESSAGES: usize = 5;
    let _alone = alone();
    let cost = |tiny: usize| {
        let server = Program::start_with_descriptors("10500", &[]);
        let _tiny = narrow_members(&server, tiny);
        let mut healthy: Vec<Client> = (0..HEALTHY).map(|_| Client::connect(server.address, "/chat")).collect();
        let mut sender = Client::connect(server.address, "/chat");
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let swallowing = scope.spawn(|| swallow(&mut healthy, &stop));
            let cpu = server.cpu_seconds();
            talk(&mut sender, LENGTH, MESSAGES);
            assert_eq!(server.status("Threads"), OWN_THREADS + tiny + HEALTHY + 1);
            // When the processor time stops growing, the server has written everything.
            let mut last = cpu;
            wait_for("a calm server", || {
                thread::sleep(Duration::from_millis(300));
                std::mem::replace(&mut last, server.cpu_seconds()) == last
            });
            stop.store(true, Ordering::Relaxed);
            assert_eq!(swallowing.join().unwrap(), HEALTHY * MESSAGES * (LENGTH + 10), "nothing was lost");
            (last - cpu) / MESSAGES as f64
        })
    };
    // Other processes can only make a measurement larger, so the least of three counts.
    let least = |tiny| (0..3).map(|_| cost(tiny)).fold(f64::MAX, f64::min);
    let (alone, with_tiny) = (least(0), least(4));
    println!("a message to {HEALTHY} members: {alone:.2} s of processor, with four tiny windows {with_tiny:.2} s");
    assert!(with_tiny < 1.5 * alone, "{alone} and {with_tiny}");
}

#[test]
#[ignore = "load"]
fn sum_of_all_memory_has_a_bound() {
    let _alone = alone();
    let server = Program::start_with_descriptors("10500", &["--max-memory", &BOUND.to_string()]);
    let mut good = Client::connect(server.address, "/echo");
    echo(&mut good, "before");
    let before = server.status("VmRSS");
    let mut rest = Vec::new();
    for _ in 0..3 {
        fill_memory(&server, &mut good);
        let peak = server.status("VmHWM") - before;
        // Threads, and memory that the allocator keeps, come on top of the bound.
        assert!(peak * 1024 < BOUND + (40 << 20), "{peak} KiB");
        wait_for("the memory to go back", || server.status("VmRSS") < before + 16 * 1024);
        wait_for("the threads to end", || server.status("Threads") <= OWN_THREADS + 2);
        rest.push(server.status("VmRSS"));
    }
    println!("rounds under a bound of 64 MiB: {before} KiB before, then {rest:?}");
    // The allocator keeps 8 to 13 MiB in its arenas. A leak would grow with each round.
    assert!(rest[1].min(rest[2]) < rest[0] + 4 * 1024, "{rest:?}");
}

const BOUND: usize = 64 << 20;

fn echo(good: &mut Client, what: &str) {
    good.send(frame(TEXT, what.as_bytes()));
    assert_eq!(good.read_frame(), (TEXT, what.as_bytes().to_vec()));
}

/// Makes the server hold as much as it allows, in each possible way, and then disconnects all clients.
fn fill_memory(server: &Program, good: &mut Client) {
    // Request heads that never end.
    let mut heads: Vec<Client> = (0..500).map(|_| Client::tcp(server.address)).collect();
    for head in &mut heads {
        head.send(format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(7000)));
    }
    echo(good, "with heads");
    // Backlogs of many frames and of few. All of them are in one room; several rooms would hold more.
    let stalled = narrow_members(server, 300);
    let mut sender = Client::connect(server.address, "/chat");
    for (length, count) in [(1, 2000), (1000, 1000), (65_000, 150)] {
        talk(&mut sender, length, count);
    }
    echo(good, "with backlogs");
    // Replies that nobody reads: each thread waits in a write and keeps all its buffers.
    let mut deaf: Vec<Client> = (0..300).map(|_| narrow(server.address, "/echo")).collect();
    for client in &mut deaf {
        client.stream.set_nonblocking(true).unwrap();
        let _ = client.stream.write(&frame(BINARY, &[1; 60_000]).repeat(4));
    }
    echo(good, "with replies");
    // Messages that never end, whole and in fragments.
    let mut greedy: Vec<Client> = (0..16).map(|_| Client::connect(server.address, "/echo")).collect();
    let mut closed = 0;
    for (number, client) in greedy.iter_mut().enumerate() {
        client.stream.set_nonblocking(false).unwrap();
        let length = 10_000_000;
        let bytes = if number % 2 == 0 {
            frame(BINARY, &vec![1; length])[..length - 1].to_vec()
        } else {
            let fragment = |first| frame(first, &[1; 10_000]);
            [fragment(0x02), fragment(0x00).repeat(999)].concat()
        };
        let sent = client.stream.write_all(&bytes);
        client.stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let mut reply = [0; 4];
        let told = client.stream.read(&mut reply).is_ok_and(|count| count == 4);
        if told {
            assert_eq!((reply[0], &reply[2..]), (CLOSE, &1013u16.to_be_bytes()[..]));
        }
        closed += usize::from(told || sent.is_err());
    }
    echo(good, "after all");
    println!("a bound of 64 MiB: {closed} of {} closed", greedy.len());
    assert!(closed > 0 && closed < greedy.len(), "{closed}");
    drop((heads, stalled, deaf, greedy));
}

#[test]
#[ignore = "load"]
fn bursts_of_connects_do_not_delay_a_good_one() {
    let _alone = alone();
    let server = Program::start_with_descriptors("10500", &[]);
    let mut worst = Duration::ZERO;
    let mut burst = Vec::new();
    for _ in 0..10 {
        let start = Instant::now();
        for _ in 0..500 {
            let socket = socket();
            socket.set_nonblocking(true).unwrap();
            // The connection is made in the background.
            let _ = socket.connect(&server.address.into());
            burst.push(socket);
        }
        let connecting = Instant::now();
        drop(Client::connect(server.address, "/echo"));
        worst = worst.max(connecting.elapsed());
        thread::sleep(Duration::from_millis(100).saturating_sub(start.elapsed()));
    }
    println!("beside bursts of 500 connects, one took {worst:.1?} at worst");
    // The system repeats a lost SYN after a second, so a longer wait would mean that one was lost.
    assert!(worst < Duration::from_millis(500), "{worst:?}");
}

#[test]
#[ignore = "load"]
fn clients_beyond_what_the_machine_allows_get_503() {
    let _alone = alone();
    let allowed: usize = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap().trim().parse().unwrap();
    // Each idle client takes one descriptor here and one in the server.
    let (_, descriptors) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    if allowed > 70_000 || descriptors < 19_000 {
        return println!("NOT CHECKED: too few descriptors to open as many clients as this machine has threads for");
    }
    let server = Program::start_with_descriptors("19000", &["--max-clients", "30000", "--ping-interval", "600"]);
    let (mut served, mut refused) = (Vec::new(), 0);
    for number in 0..16_800_u32 {
        // One address has too few ports for all of them.
        let from = SocketAddr::from(([127, 0, 0, 1 + (number % 4) as u8], 0));
        let socket = socket();
        socket.bind(&from.into()).unwrap();
        socket.connect(&server.address.into()).unwrap();
        let mut client = Client::from_stream(socket.into());
        client.send(request("/echo"));
        match support::status(&client.read_head()) {
            101 => served.push(client),
            503 => refused += 1,
            other => panic!("{other}"),
        }
    }
    println!("--max-clients 30000: {} served, {refused} refused", served.len());
    assert!(served.len() > 10_000 && refused > 0);
    served[0].send(frame(TEXT, b"still served"));
    assert_eq!(served[0].read_frame(), (TEXT, b"still served".to_vec()));
}
