use crate::checks::subject::MY_SERVER;
use crate::checks::words::Settings;
use std::net::{Shutdown, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Calls `heartbeat::watch`, which never returns, before the loop.
pub fn never_accepts(listener: TcpListener, _: Settings) {
    let _listener = listener;
    loop {
        thread::park();
    }
}

pub fn one_after_the_other(listener: TcpListener, settings: Settings) {
    for stream in listener.incoming().flatten() {
        (MY_SERVER.serve_client)(stream, &settings);
    }
}

/// Ends when a client connects after one whose request was bad.
pub fn one_ends_all(listener: TcpListener, settings: Settings) {
    let over = Arc::new(AtomicBool::new(false));
    for stream in listener.incoming().flatten() {
        if over.load(Ordering::SeqCst) {
            return;
        }
        let (settings, over) = (settings.clone(), Arc::clone(&over));
        thread::spawn(move || {
            let mut first = [0];
            if stream.peek(&mut first).is_ok_and(|_| first[0] != b'G') {
                over.store(true, Ordering::SeqCst);
            }
            (MY_SERVER.serve_client)(stream, &settings);
        });
    }
}

const NEVER: Duration = Duration::from_secs(3600);

pub fn no_ping(listener: TcpListener, settings: Settings) {
    (MY_SERVER.run)(listener, Settings { ping_interval: NEVER, ..settings });
}

pub fn never_dropped(listener: TcpListener, settings: Settings) {
    (MY_SERVER.run)(listener, Settings { pong_timeout: NEVER, ..settings });
}

/// Ends every connection some time after its first Ping.
pub fn pongs_ignored(listener: TcpListener, settings: Settings) {
    for stream in listener.incoming().flatten() {
        let settings = settings.clone();
        thread::spawn(move || {
            let end = settings.ping_interval + settings.pong_timeout;
            let socket = stream.try_clone().unwrap();
            thread::spawn(move || {
                thread::sleep(end);
                let _ = socket.shutdown(Shutdown::Both);
            });
            let inner = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = inner.local_addr().unwrap();
            thread::spawn(move || (MY_SERVER.run)(inner, settings));
            crate::my_server::run::pipe(&stream, address);
        });
    }
}

pub fn keeps_sockets(listener: TcpListener, settings: Settings) {
    let mut all = Vec::new();
    for stream in listener.incoming().flatten() {
        all.push(stream.try_clone().unwrap());
        let settings = settings.clone();
        thread::spawn(move || (MY_SERVER.serve_client)(stream, &settings));
    }
}

/// Counts clients, and never down. A check that has many clients at once is not what finds it.
pub fn counts_up(listener: TcpListener, settings: Settings) {
    let seats = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    for stream in listener.incoming().flatten() {
        let (settings, seats) = (settings.clone(), Arc::clone(&seats));
        thread::spawn(move || {
            // A seat is taken once the client has sent something.
            if stream.peek(&mut [0]).is_ok_and(|count| count > 0) && seats.fetch_add(1, Ordering::SeqCst) >= 30 {
                return thread::park();
            }
            (MY_SERVER.serve_client)(stream, &settings);
        });
    }
}
