//! The server on one page: the whole idea of this project, for clients that mean well. It echoes at `/` and `/echo`,
//! and at `/chat` it sends each message to all. The chapter docs/one-page.md explains it, and says what breaks it.
//!
//! Start it:      cargo run --example one-page
//! Talk to it:    websocat ws://127.0.0.1:8000/chat
//! In a browser:  new WebSocket("ws://127.0.0.1:8000/chat")
//!
//! The first argument is the address (127.0.0.1:8000), the second the heartbeat's interval in seconds (20).
#![forbid(unsafe_code)]

use base64::{Engine, prelude::BASE64_STANDARD};
use sha1_smol::Sha1;
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{env, thread};

/// The text that makes our proof out of a client's key: we speak WebSocket (§1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

// The opcodes (§5.2).
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// A client as the other threads know it.
struct Client {
    stream: TcpStream,
    resource_name: String,
    last_seen: Instant,
}

/// Every connected client, by its address. All threads share it.
type Registry = Mutex<HashMap<SocketAddr, Client>>;

fn main() -> io::Result<()> {
    env_logger::init_from_env(env_logger::Env::default().default_filter_or("info"));
    let mut arguments = env::args().skip(1);
    let address = arguments.next().unwrap_or("127.0.0.1:8000".to_owned());
    let seconds = arguments.next().map_or(20.0, |argument| argument.parse().expect("the interval in seconds"));

    let listener = TcpListener::bind(&address)?;
    println!("one-page listening on {}", listener.local_addr()?);

    let registry = Arc::new(Registry::default());
    let for_heartbeat = Arc::clone(&registry);
    thread::spawn(move || heartbeat(&for_heartbeat, Duration::from_secs_f64(seconds)));

    loop {
        let (stream, peer) = listener.accept()?;
        let registry = Arc::clone(&registry);
        thread::spawn(move || {
            if let Err(error) = serve(stream, peer, &registry) {
                log::info!("{peer}: {error}");
            }
            registry.lock().unwrap().remove(&peer);
        });
    }
}

/// One client's life, on a thread of its own.
fn serve(mut stream: TcpStream, peer: SocketAddr, registry: &Registry) -> io::Result<()> {
    // Otherwise the system can hold a small frame back until it can send more along with it.
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);

    let (resource_name, key) = read_request(&mut reader)?;
    log::info!("{peer}: asks for {resource_name}");
    if key.is_empty() || !["/", "/echo", "/chat"].contains(&resource_name.as_str()) {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\n\r\nOnly WebSocket here, at /echo and /chat.\n");
    }
    let client =
        Client { stream: stream.try_clone()?, resource_name: resource_name.clone(), last_seen: Instant::now() };
    // The lock keeps a broadcast from getting in before the response, or from missing the client after it.
    let mut clients = registry.lock().unwrap();
    stream.write_all(response(&key).as_bytes())?;
    clients.insert(peer, client);
    drop(clients);

    loop {
        let (opcode, payload) = read_frame(&mut reader)?;
        if let Some(client) = registry.lock().unwrap().get_mut(&peer) {
            client.last_seen = Instant::now();
        }
        match opcode {
            TEXT | BINARY if resource_name == "/chat" => broadcast(registry, &resource_name, opcode, &payload)?,
            TEXT | BINARY => stream.write_all(&encode_frame(opcode, &payload))?,
            PING => stream.write_all(&encode_frame(PONG, &payload))?,
            // The answer repeats the client's status code and reason (§5.5.1).
            CLOSE => return stream.write_all(&encode_frame(CLOSE, &payload)),
            // A Pong needs no answer: with `last_seen` it has done its work.
            _ => {}
        }
    }
}

/// Reads the client's half of the handshake (§4.1). Returns the resource name (path and query) and the key.
fn read_request(reader: &mut BufReader<TcpStream>) -> io::Result<(String, String)> {
    let mut request_line = String::new();
    reader.read_line(&mut request_line)?;
    let resource_name = request_line.split(' ').nth(1).unwrap_or("/").to_owned();

    let mut key = String::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        // The blank line ends the request.
        let Some((name, value)) = line.split_once(':') else { return Ok((resource_name, key)) };
        if name.eq_ignore_ascii_case("Sec-WebSocket-Key") {
            key = value.trim().to_owned();
        }
    }
}

/// Returns the server's half of the handshake (§4.2.2), with the proof that it has read the key.
fn response(key: &str) -> String {
    let accept = BASE64_STANDARD.encode(Sha1::from(format!("{key}{GUID}")).digest().bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

/// Reads one frame, and returns its opcode and its payload, unmasked (§5.2).
fn read_frame(reader: &mut BufReader<TcpStream>) -> io::Result<(u8, Vec<u8>)> {
    let first = read_number(reader, 1)? as u8;
    let second = read_number(reader, 1)? as u8;
    let opcode = first & 0x0F;
    let masked = second & 0x80 != 0;
    let length = match second & 0x7F {
        126 => read_number(reader, 2)?,
        127 => read_number(reader, 8)?,
        length => u64::from(length),
    };

    let mut masking_key = [0; 4];
    if masked {
        reader.read_exact(&mut masking_key)?;
    }
    let mut payload = vec![0; length as usize];
    reader.read_exact(&mut payload)?;
    for (i, byte) in payload.iter_mut().enumerate() {
        *byte ^= masking_key[i % 4]; // §5.3
    }
    Ok((opcode, payload))
}

/// Reads a number of 1 to 8 bytes, the highest byte first.
fn read_number(reader: &mut BufReader<TcpStream>, size: usize) -> io::Result<u64> {
    let mut bytes = [0; 8];
    reader.read_exact(&mut bytes[8 - size..])?;
    Ok(u64::from_be_bytes(bytes))
}

/// Returns a message as one frame. A server does not mask (§5.1).
fn encode_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode]; // FIN: nothing of this message follows
    match payload.len() {
        length @ 0..=125 => frame.push(length as u8),
        length @ 126..=65_535 => frame.extend([126, (length >> 8) as u8, length as u8]),
        length => {
            frame.push(127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}

/// Sends a message to every client on the same path, the sender included.
fn broadcast(registry: &Registry, resource_name: &str, opcode: u8, payload: &[u8]) -> io::Result<()> {
    let frame = encode_frame(opcode, payload);
    for client in registry.lock().unwrap().values_mut() {
        if client.resource_name == resource_name {
            client.stream.write_all(&frame)?;
        }
    }
    Ok(())
}

/// Sweeps at each interval: sends every client a Ping (§5.5.2), and drops those that were silent for two intervals.
fn heartbeat(registry: &Registry, interval: Duration) {
    loop {
        thread::sleep(interval);
        registry.lock().unwrap().retain(|peer, client| {
            if client.last_seen.elapsed() < interval * 2 {
                return client.stream.write_all(&encode_frame(PING, b"")).is_ok();
            }
            log::info!("{peer}: silent for too long");
            // The client's own thread waits in a read. The read returns, and the thread ends.
            let _ = client.stream.shutdown(Shutdown::Both);
            false
        });
    }
}
