use crate::checks::subject::MY_SERVER;
use crate::checks::words::Settings;
use crate::my_server::run::{echo, serve, server};
use std::io::Write as _;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

pub fn one_after_the_other(listener: TcpListener, settings: Settings) {
    for stream in listener.incoming().flatten() {
        (MY_SERVER.serve_client)(stream, &settings);
    }
}

/// Ends when somebody comes after a client whose request was bad.
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

pub fn echo_only(listener: TcpListener, settings: Settings) {
    let server = server(&settings).route("/chat", echo);
    serve(listener, server);
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

#[derive(Clone, Copy, PartialEq)]
pub enum Flaw {
    NoLock,
    SenderLeftOut,
    EveryPath,
    NoTimeout,
}

type Room = Arc<Mutex<Vec<(SocketAddr, String, Arc<Mutex<TcpStream>>)>>>;

/// A small chat on the real protocol, with one flaw.
pub fn chat(listener: TcpListener, settings: Settings, flaw: Flaw) {
    let room = Room::default();
    while let Ok((stream, peer)) = listener.accept() {
        let (room, settings) = (Arc::clone(&room), settings.clone());
        thread::spawn(move || {
            let _ = chat_with(stream, peer, &room, &settings, flaw);
            room.lock().unwrap().retain(|(other, _, _)| *other != peer);
        });
    }
}

fn chat_with(mut stream: TcpStream, peer: SocketAddr, room: &Room, settings: &Settings, flaw: Flaw) -> Option<()> {
    let (request, mut buffer) = (MY_SERVER.shake_hands)(&mut stream).ok()??;
    if flaw != Flaw::NoTimeout {
        stream.set_write_timeout(Some(settings.send_timeout)).ok()?;
    }
    let writer = Arc::new(Mutex::new(stream.try_clone().ok()?));
    room.lock().unwrap().push((peer, request.path.clone(), writer));
    while let Ok(Some(frame)) = (MY_SERVER.read_frame)(&mut stream, &mut buffer, settings.max_message) {
        let bytes = (MY_SERVER.encode_frame)(frame.opcode, &frame.payload);
        if frame.opcode == 8 {
            stream.write_all(&bytes).ok()?;
            (MY_SERVER.hang_up)(stream, settings.close_timeout);
            return Some(());
        }
        let members = room.lock().unwrap().clone();
        for (other, path, writer) in members {
            let here = path == request.path && path == "/chat" || other == peer || flaw == Flaw::EveryPath;
            if here && (other != peer || flaw != Flaw::SenderLeftOut || path != "/chat") {
                let sent = send(&writer, &bytes, flaw);
                if sent.is_none() {
                    room.lock().unwrap().retain(|(gone, _, _)| *gone != other);
                }
            }
        }
    }
    Some(())
}

fn send(writer: &Mutex<TcpStream>, bytes: &[u8], flaw: Flaw) -> Option<()> {
    if flaw != Flaw::NoLock {
        return writer.lock().unwrap().write_all(bytes).ok();
    }
    // Each part of the frame has the lock for itself.
    bytes.chunks(1000).try_for_each(|part| {
        thread::yield_now();
        writer.lock().unwrap().write_all(part).ok()
    })
}
