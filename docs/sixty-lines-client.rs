//! A WebSocket client in 60 lines, with nothing between it and the bytes. The chapter "The client's side" explains it.
//! Start the server, then `cargo run --example sixty-lines-client`: it sends each line that you type to /echo.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, BufRead as _, BufReader, Error, Read as _, Write as _};
use std::{net::TcpStream, time::Duration};

/// The connection. Bytes that arrive with the 101 are frames already, so they stay in the reader.
pub struct Client(pub BufReader<TcpStream>);

impl Client {
    /// Connects to `address`, which is a host and a port, and makes the opening handshake for `path`.
    pub fn connect(address: &str, path: &str) -> io::Result<Client> {
        let mut reader = BufReader::new(TcpStream::connect(address)?);
        // A server that is alive sends a Ping before that.
        reader.get_ref().set_read_timeout(Some(Duration::from_secs(45)))?;
        let key = BASE64_STANDARD.encode(random::<16>());
        let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13";
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{upgrade}\r\nSec-WebSocket-Key: {key}\r\n\r\n");
        reader.get_mut().write_all(request.as_bytes())?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") && reader.by_ref().take(8192).read_line(&mut head)? > 0 {}
        let proof = sha1_smol::Sha1::from(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest().bytes();
        let agreed = head.starts_with("HTTP/1.1 101 ") && head.contains(&BASE64_STANDARD.encode(proof));
        if agreed { Ok(Client(reader)) } else { Err(Error::other(head)) }
    }

    /// Sends a frame that is a whole message: opcode 1 is text, 2 binary, 8 a Close, 9 a Ping.
    pub fn send(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        let (mut frame, key) = (vec![0x80 | opcode], random::<4>()); // FIN
        match payload.len() {
            length @ ..126 => frame.push(0x80 | length as u8), // MASK
            length @ ..65_536 => frame.extend([&[0x80 | 126], &(length as u16).to_be_bytes()[..]].concat()),
            length => frame.extend([&[0x80 | 127], &(length as u64).to_be_bytes()[..]].concat()),
        }
        frame.extend(key);
        frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        self.0.get_mut().write_all(&frame)
    }

    /// Returns the next message after its opcode. Answers Pings. A Close (8) is the last message.
    pub fn recv(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let (mut kind, mut message) = (0, Vec::new());
        loop {
            let [first, second] = self.read()?;
            let length = match second {
                ..126 => second.into(),
                126 => u16::from_be_bytes(self.read()?).into(),
                127 => u64::from_be_bytes(self.read()?),
                _ => return Err(Error::other("a server must not mask")),
            };
            // Grows with what arrives, not with what is announced.
            let payload = self.0.by_ref().take(length).bytes().collect::<io::Result<Vec<u8>>>()?;
            match first & 0x0F {
                _ if (payload.len() as u64) < length => return Err(io::ErrorKind::UnexpectedEof.into()),
                0x8 => return Ok((0x8, payload)),
                0x9 => self.send(0xA, &payload)?,
                0xA => {}
                // FIN: the message is whole. A continuation has opcode 0 and changes nothing in `kind`.
                opcode if first & 0x80 != 0 => return Ok((kind | opcode, [message, payload].concat())),
                opcode => (kind, message) = (kind | opcode, [message, payload].concat()),
            }
        }
    }

    fn read<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes).map(|()| bytes)
    }
}

/// Hard to guess, because the keys of a `RandomState` are. A client for production asks the crate `getrandom`.
fn random<const N: usize>() -> [u8; N] {
    std::array::from_fn(|_| RandomState::new().hash_one(()) as u8)
}

fn main() -> io::Result<()> {
    let mut client = Client::connect("127.0.0.1:8000", "/echo")?;
    for line in io::stdin().lines() {
        client.send(0x1, line?.as_bytes())?;
        println!("{}", String::from_utf8_lossy(&client.recv()?.1));
    }
    client.send(0x8, &1000_u16.to_be_bytes())?;
    while client.recv()?.0 != 0x8 {}
    Ok(())
}
