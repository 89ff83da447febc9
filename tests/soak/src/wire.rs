//! A client without manners, which can send any bytes. The good clients are from another library.

use anyhow::{Result, ensure};
use plainsocket::protocol::frame::{Header, Opcode, apply_mask};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// The longest wait: a server that takes longer hangs.
pub const PATIENCE: Duration = Duration::from_secs(10);

const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

pub fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// The handshake with the key of RFC 6455 §1.3.
pub fn request(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// A client's frame.
pub fn frame(fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(fin, opcode, payload.len());
    let mut masked = payload.to_vec();
    apply_mask(&mut masked, KEY, 0);
    bytes.extend(masked);
    bytes
}

/// The bytes before the payload of a client's frame: the header and the masking key.
pub fn header(fin: bool, opcode: Opcode, length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    Header { fin, rsv1: false, opcode, masked: true, length: length as u64 }.encode(&mut bytes);
    bytes.extend(KEY);
    bytes
}

pub struct Raw(pub TcpStream);

impl Raw {
    /// Opens a TCP connection and sends nothing.
    pub fn connect(address: SocketAddr) -> Result<Raw> {
        Ok(Raw(connect(address)?))
    }

    /// Opens a connection with a handshake. The server sends nothing unasked, so no byte after the head is read.
    pub fn upgrade(address: SocketAddr, path: &str) -> Result<Raw> {
        let mut raw = Raw::connect(address)?;
        raw.0.write_all(request(path).as_bytes())?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            ensure!(raw.0.read(&mut byte)? == 1 && head.len() < 1024, "the reply's head has no end");
            head.push(byte[0]);
        }
        ensure!(head.starts_with(b"HTTP/1.1 101 "), "refused: {}", String::from_utf8_lossy(&head));
        Ok(raw)
    }

    /// Sends bytes. Returns whether the server still took them.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.write_all(bytes.as_ref()).is_ok()
    }

    pub fn hang_up(&self) {
        let _ = self.0.shutdown(Shutdown::Write);
    }

    /// Returns everything up to the server's FIN.
    pub fn read_to_end(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Waits until the server ends the connection, in whatever way. A timeout is an error.
    pub fn expect_gone(&mut self) -> Result<()> {
        let mut buffer = [0; 65536];
        loop {
            match self.0.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Checks that the last frame is a Close with this code, and that the connection ends after it, without a reset.
    pub fn expect_close(&mut self, code: u16) -> Result<()> {
        let last = frames(&self.read_to_end()?)?.pop();
        let got = last.filter(|(opcode, _)| *opcode == Opcode::Close).map(|(_, payload)| payload);
        ensure!(got.as_ref().is_some_and(|payload| payload.starts_with(&code.to_be_bytes())), "{got:02x?}, not {code}");
        Ok(())
    }
}

/// Returns the frames of the server in `bytes`, which must be whole.
pub fn frames(mut bytes: &[u8]) -> Result<Vec<(Opcode, Vec<u8>)>> {
    let mut frames = Vec::new();
    while let Some((header, used)) = Header::decode(bytes)? {
        let end = used + header.length as usize;
        ensure!(!header.masked && end <= bytes.len(), "a frame that is masked or cut: {header:?}");
        frames.push((header.opcode, bytes[used..end].to_vec()));
        bytes = &bytes[end..];
    }
    ensure!(bytes.is_empty(), "a header that is cut");
    Ok(frames)
}
