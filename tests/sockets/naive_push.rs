//! The naive ways to push, from the book's chapter Push: each test shows how one of them fails. The server's side is a
//! plain socket, as in a first attempt, and does not use the crate at all.

use crate::support::{Client, DEADLINE, TEXT, frame, wait_for};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// The ticker's message: a text frame of a server.
const TICK: &[u8] = b"\x81\x04tick";

/// Both ends of a connection: the client, and the server's socket.
fn pair() -> (Client, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = Client::tcp(listener.local_addr().unwrap());
    let (socket, _) = listener.accept().unwrap();
    socket.set_nodelay(true).unwrap();
    (client, socket)
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Reads until nothing has arrived for `patience`, and returns how many bytes there were.
fn read_until_quiet(stream: &mut TcpStream, patience: Duration) -> usize {
    stream.set_read_timeout(Some(patience)).unwrap();
    let (mut count, mut buffer) = (0, vec![0; 65536]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return count,
            Ok(more) => count += more,
            Err(error) if is_timeout(&error) => return count,
            Err(error) => panic!("{error}"),
        }
    }
}

// A thread that waits

#[test]
fn a_waiting_read_is_ended_by_a_shutdown_and_by_nothing_else() {
    let (mut client, socket) = pair();
    let socket = Arc::new(socket);
    let (read, reads) = mpsc::channel();
    let its_socket = Arc::clone(&socket);
    let reader = thread::spawn(move || {
        for _ in 0..2 {
            read.send((&*its_socket).read(&mut [0; 64]).unwrap()).unwrap();
        }
    });
    reader.thread().unpark();
    drop(socket.try_clone().unwrap());
    client.send("x");
    assert_eq!(reads.recv_timeout(DEADLINE), Ok(1), "neither of the two has ended the read");
    socket.shutdown(Shutdown::Both).unwrap();
    assert_eq!(reads.recv_timeout(DEADLINE), Ok(0), "the end of the stream");
    reader.join().unwrap();
}

// Polling

/// Serves one client, and looks for pushes after each read. Calls `reading` when a read begins.
fn poll(mut socket: &TcpStream, pushes: &Receiver<&[u8]>, timeout: Duration, reading: impl Fn()) -> io::Result<()> {
    socket.set_read_timeout(Some(timeout))?;
    loop {
        reading();
        match socket.read(&mut [0; 4096]) {
            Ok(0) => return Ok(()),
            Ok(_) => {} // a frame, perhaps
            Err(error) if is_timeout(&error) => {}
            Err(error) => return Err(error),
        }
        for push in pushes.try_iter() {
            socket.write_all(push)?;
        }
    }
}

#[test]
fn a_push_waits_for_the_end_of_a_long_read_timeout() {
    const TIMEOUT: Duration = Duration::from_millis(300);
    let (mut client, socket) = pair();
    let (push, pushes) = mpsc::channel();
    let (begun, reads) = mpsc::channel();
    let server = thread::spawn(move || poll(&socket, &pushes, TIMEOUT, || begun.send(Instant::now()).unwrap_or(())));
    let read_began = reads.recv_timeout(DEADLINE).unwrap();
    push.send(TICK).unwrap();
    assert_eq!(client.read_frame(), (TEXT, b"tick".to_vec()));
    // The system's clock can tick in steps of up to 16 ms.
    assert!(read_began.elapsed() > TIMEOUT - Duration::from_millis(40), "it came after {:?}", read_began.elapsed());
    client.hang_up();
    server.join().unwrap().unwrap();
}

#[test]
fn a_short_read_timeout_wakes_a_thread_for_nothing() {
    let (client, socket) = pair();
    let (_push, pushes) = mpsc::channel();
    let (begun, reads) = mpsc::channel();
    let server =
        thread::spawn(move || poll(&socket, &pushes, Duration::from_millis(1), || begun.send(()).unwrap_or(())));
    // The client sends nothing, and there is nothing to push.
    for _ in 0..100 {
        reads.recv_timeout(DEADLINE).unwrap();
    }
    client.hang_up();
    server.join().unwrap().unwrap();
}

#[test]
fn a_read_exact_that_times_out_loses_the_bytes_it_has_read() {
    let (mut client, mut socket) = pair();
    let hello = frame(TEXT, b"Hello"); // 81 85 37 fa 21 3d 7f 9f 4d 51 58
    client.send(&hello[..3]);
    while socket.peek(&mut [0; 3]).unwrap() < 3 {}
    socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut header_and_key = [0; 6];
    let error = socket.read_exact(&mut header_and_key).unwrap_err();
    assert!(is_timeout(&error), "{error}");

    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    client.send(&hello[3..]);
    let mut header = [0; 2];
    socket.read_exact(&mut header).unwrap();
    assert_eq!(header, [0xFA, 0x21], "the middle of the masking key, taken for a header");
}

// A lock around the socket

/// Serves one client. Each thread that writes takes the same lock.
fn read_locked(socket: &Mutex<TcpStream>) -> io::Result<()> {
    loop {
        // The guard lives until the end of the statement, so the lock is held while the thread waits.
        let count = socket.lock().unwrap().read(&mut [0; 4096])?;
        if count == 0 {
            return Ok(());
        }
    }
}

#[test]
fn socket_lock_delays_push_until_the_client_speaks() {
    let (mut client, socket) = pair();
    let socket = Arc::new(Mutex::new(socket));
    let its_socket = Arc::clone(&socket);
    let server = thread::spawn(move || read_locked(&its_socket));
    wait_for("the reader to have the lock", || socket.try_lock().is_err());
    let ticker = thread::spawn(move || socket.lock().unwrap().write_all(TICK));

    assert_eq!(read_until_quiet(&mut client.stream, Duration::from_millis(200)), 0, "the client waits for its tick");
    assert!(!ticker.is_finished());
    // Now the client sends. One message is often not enough, because the reader is quicker to take the lock again.
    let deadline = Instant::now() + DEADLINE;
    while read_until_quiet(&mut client.stream, Duration::from_millis(5)) == 0 {
        assert!(Instant::now() < deadline);
        client.send("x");
    }
    ticker.join().unwrap().unwrap();
    client.hang_up();
    server.join().unwrap().unwrap();
}

// A second thread with a clone

/// 16 MiB, which exceeds the buffers of both sides, so a write of it has to pause.
const LARGE: usize = 16 * 1024 * 1024;
const LARGE_HEADER: [u8; 10] = [0x82, 127, 0, 0, 0, 0, 1, 0, 0, 0];

/// Lets a client's thread write a large reply, and a ticker write to a clone of the same socket. Returns the reply's
/// payload as the client reads it, and the bytes that follow it.
#[cfg(target_os = "linux")]
fn reply_and_tick() -> (Vec<u8>, Vec<u8>) {
    let (mut client, mut socket) = pair();
    let mut clone = socket.try_clone().unwrap();
    let reply = thread::spawn(move || clone.write_all(&[&LARGE_HEADER[..], &[0xAA; LARGE]].concat()));
    // The reply has begun, and the client has not read any of it.
    client.stream.peek(&mut [0]).unwrap();
    let (begun, writes) = mpsc::channel();
    let ticker = thread::spawn(move || {
        begun.send(()).unwrap();
        socket.write_all(TICK).map(|()| socket)
    });
    writes.recv_timeout(DEADLINE).unwrap();
    let (first, payload) = client.read_frame();
    assert_eq!((first, payload.len()), (0x82, LARGE));
    reply.join().unwrap().unwrap();
    ticker.join().unwrap().unwrap().shutdown(Shutdown::Write).unwrap();
    (payload, client.read_to_end())
}

/// On Linux another thread's write can slip in while the first one waits for room. Other systems can write in one
/// piece.
#[cfg(target_os = "linux")]
#[test]
fn frames_of_two_cloned_sockets_tear_each_other() {
    // Usually the first try is enough. It is not if the ticker gets no processor until the client has read the whole
    // reply.
    for _ in 0..50 {
        let (payload, rest) = reply_and_tick();
        if let Some(torn) = payload.iter().position(|&byte| byte != 0xAA) {
            assert_eq!(&payload[torn..torn + TICK.len()], TICK, "in the middle of the reply");
            assert_eq!(rest, [0xAA; 6], "the reply's last bytes, taken for the header of a Pong with RSV2");
            return;
        }
    }
    panic!("not torn in fifty times");
}

/// Sends every tick to every client, one after the other.
fn tick_all(mut clones: Vec<TcpStream>, ticks: usize) -> io::Result<()> {
    let tick = [&LARGE_HEADER[..], &[0; LARGE]].concat();
    for _ in 0..ticks {
        for clone in &mut clones {
            clone.write_all(&tick)?;
        }
    }
    Ok(())
}

#[test]
fn a_client_that_does_not_read_holds_up_the_ticks_of_all_others() {
    const ALL: usize = 3 * (LARGE_HEADER.len() + LARGE);
    let (mut slow, its_socket) = pair();
    let (mut good, another_socket) = pair();
    let ticker = thread::spawn(move || tick_all(vec![its_socket, another_socket], 3));
    let before = read_until_quiet(&mut good.stream, Duration::from_millis(200));
    assert!(before < ALL && !ticker.is_finished(), "the ticker waits for the other client");
    let reader = thread::spawn(move || read_until_quiet(&mut slow.stream, DEADLINE));
    let after = read_until_quiet(&mut good.stream, DEADLINE);
    assert_eq!((before + after, reader.join().unwrap()), (ALL, ALL), "now both get their ticks");
    ticker.join().unwrap().unwrap();
}
