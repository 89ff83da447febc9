//! Heartbeats with one flaw each, beside the real server, which has no heartbeat here.

use crate::checks::subject::MY_SERVER;
use crate::checks::words::Settings;
use crate::my_server::run::pipe;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Serves with the real server without a heartbeat; `beat` is called for each client instead, in a thread of its own.
fn beside(listener: TcpListener, settings: Settings, beat: fn(&TcpStream, &Settings)) {
    let inner = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = inner.local_addr().unwrap();
    let quiet = Settings { ping_interval: Duration::from_secs(3600), ..settings.clone() };
    thread::spawn(move || (MY_SERVER.run)(inner, quiet));
    for stream in listener.incoming().flatten() {
        let (socket, settings) = (stream.try_clone().unwrap(), settings.clone());
        thread::spawn(move || beat(&socket, &settings));
        thread::spawn(move || pipe(&stream, address));
    }
}

fn ping(mut stream: &TcpStream) -> bool {
    stream.write_all(b"\x89\x00").is_ok()
}

pub fn dropped_unasked(listener: TcpListener, settings: Settings) {
    beside(listener, settings, |stream, settings| {
        thread::sleep(settings.ping_interval);
        let _ = stream.shutdown(Shutdown::Both);
    });
}

pub fn two_pings(listener: TcpListener, settings: Settings) {
    beside(listener, settings, |stream, settings| {
        for _ in 0..2 {
            thread::sleep(settings.ping_interval);
            ping(stream);
        }
    });
}

/// Any bytes from the client end the wait for its Pong, but do not end its silence.
pub fn never_heard(listener: TcpListener, settings: Settings) {
    let pinged = Arc::new(Mutex::new(None));
    let inner = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = inner.local_addr().unwrap();
    let quiet = Settings { ping_interval: Duration::from_secs(3600), ..settings.clone() };
    thread::spawn(move || (MY_SERVER.run)(inner, quiet));
    // Each check has one client.
    for mut stream in listener.incoming().flatten() {
        let mut server = TcpStream::connect(address).unwrap();
        let (mut from_server, mut to_client) = (server.try_clone().unwrap(), stream.try_clone().unwrap());
        thread::spawn(move || io::copy(&mut from_server, &mut to_client));
        let (socket, settings, mine) = (stream.try_clone().unwrap(), settings.clone(), Arc::clone(&pinged));
        thread::spawn(move || watch(&socket, &settings, &mine));
        let mine = Arc::clone(&pinged);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                *mine.lock().unwrap() = None;
                let _ = server.write_all(&buffer[..count]);
            }
        });
    }
}

fn watch(stream: &TcpStream, settings: &Settings, pinged: &Mutex<Option<Instant>>) {
    thread::sleep(settings.ping_interval);
    loop {
        let last = *pinged.lock().unwrap();
        if last.is_some_and(|last| last.elapsed() >= settings.pong_timeout) {
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
        if last.is_none() {
            *pinged.lock().unwrap() = Some(Instant::now());
            if !ping(stream) {
                return;
            }
        }
        thread::sleep(settings.ping_interval / 10);
    }
}
