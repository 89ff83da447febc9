//! Clients that compress (RFC 7692): with zlib on the way out, and with the plain decoder of `inflate.rs` on the way in.

use super::inflate::{Rules, inflate};
use super::{Client, header, request};
use flate2::{Compress, Compression, FlushCompress};
use std::net::SocketAddr;

/// The bit that marks the first frame of a compressed message (§6).
pub const RSV1: u8 = 0x40;

/// A request for an upgrade, with a header line for each list of offers.
pub fn offering(path: &str, lists: &[&str]) -> String {
    let lines: String = lists.iter().map(|list| format!("Sec-WebSocket-Extensions: {list}\r\n")).collect();
    request(path).replace("Host", &format!("{lines}Host"))
}

/// Compresses one message by itself.
pub fn deflated(message: &[u8]) -> Vec<u8> {
    deflate(&mut Compress::new(Compression::new(6), false), message)
}

fn deflate(zlib: &mut Compress, message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + message.len() / 100 + 100);
    zlib.compress_vec(message, &mut out, FlushCompress::Sync).unwrap();
    assert!(out.ends_with(&[0x00, 0x00, 0xFF, 0xFF]) && out.len() < out.capacity());
    out.truncate(out.len() - 4);
    out
}

/// A message that the server has sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Said {
    /// The first byte of its frame, without RSV1.
    pub first: u8,
    pub payload: Vec<u8>,
    /// The bytes of its payload on the wire, if it was compressed.
    pub compressed: Option<usize>,
}

/// A client that offers compression and follows the server's answer.
pub struct Compressing {
    pub client: Client,
    /// The server's answer to the offers.
    pub answer: Option<String>,
    /// The distance over which the server's messages can refer back.
    window: usize,
    /// The server's compressed messages so far, if the next one can refer to them.
    heard: Option<Vec<u8>>,
    zlib: Compress,
    keeps_window: bool,
}

impl Compressing {
    pub fn connect(address: SocketAddr, path: &str, lists: &[&str]) -> Compressing {
        Compressing::over(Client::tcp(address), path, lists)
    }

    /// Does the same over a connection on which nothing has been sent yet.
    pub fn over(mut client: Client, path: &str, lists: &[&str]) -> Compressing {
        client.send(offering(path, lists));
        let head = client.read_head();
        assert!(head.starts_with("HTTP/1.1 101 "), "no upgrade: {head}");
        let answer = header(&head, "Sec-WebSocket-Extensions").map(str::to_owned);
        let parameters: Vec<&str> = answer.iter().flat_map(|answer| answer.split("; ")).collect();
        let bits = parameters.iter().find_map(|parameter| parameter.strip_prefix("server_max_window_bits="));
        Compressing {
            client,
            window: 1 << bits.map_or(15, |bits| bits.parse().unwrap()),
            heard: (!parameters.contains(&"server_no_context_takeover")).then(Vec::new),
            zlib: Compress::new(Compression::new(6), false),
            keeps_window: !parameters.contains(&"client_no_context_takeover"),
            answer,
        }
    }

    /// Returns the payload of the next compressed message. Each of them must be sent, in order.
    pub fn compress(&mut self, message: &[u8]) -> Vec<u8> {
        if !self.keeps_window {
            self.zlib.reset();
        }
        deflate(&mut self.zlib, message)
    }

    /// Sends a compressed message in one frame.
    pub fn send(&mut self, first: u8, message: &[u8]) {
        let payload = self.compress(message);
        self.client.send(super::frame(first | RSV1, &payload));
    }

    /// The next frame, which is a whole message or a control frame.
    pub fn read(&mut self) -> Said {
        let (first, payload) = self.client.read_frame();
        if first & RSV1 == 0 {
            return Said { first, payload, compressed: None };
        }
        assert!(self.answer.is_some(), "compressed, without an agreement");
        let before = self.heard.as_deref().unwrap_or_default();
        let rules = Rules { before, window: self.window, limit: usize::MAX, allows: |streams, _| streams <= 2 };
        let message = inflate(&payload, rules).unwrap_or_else(|(fault, _)| panic!("{fault:?}: {payload:02x?}"));
        if let Some(heard) = &mut self.heard {
            heard.extend_from_slice(&message);
            heard.drain(..heard.len().saturating_sub(self.window));
        }
        Said { first: first ^ RSV1, payload: message, compressed: Some(payload.len()) }
    }

    /// Reads the next message, which must be this one.
    pub fn expect(&mut self, first: u8, message: &[u8]) -> Said {
        let said = self.read();
        assert!((said.first, &said.payload[..]) == (first, message), "not {} bytes, but {said:?}", message.len());
        said
    }
}

/// JSON of about this length, which repeats itself only in part.
pub fn json(length: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut text = String::from("[");
    while text.len() < length {
        let (id, price) = (random.u32(..), random.u16(..));
        text.push_str(&format!(r#"{{"id":{id},"symbol":"ABC","price":{price},"open":{}}},"#, random.bool()));
    }
    text.truncate(length);
    text.into_bytes()
}

/// Bytes that compress little or not at all.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..length).map(|_| random.u8(..)).collect()
}

/// The first `length` bytes of a DEFLATE stream that goes on with zeros forever. Each of its bytes inflates to 1,032.
pub fn bomb(length: usize) -> Vec<u8> {
    // A block with a code of its own (RFC 1951 §3.2.7). The code `0` copies 258 bytes, and the next `0` says that they
    // are at distance one; `10` is the byte 0, and `11` would end the block.
    let mut bits = vec![0, 0, 1];
    let number =
        |bits: &mut Vec<u8>, value: usize, width: usize| bits.extend((0..width).map(|i| (value >> i & 1) as u8));
    number(&mut bits, 29, 5); // 286 symbols
    number(&mut bits, 0, 5); // one distance
    number(&mut bits, 14, 4); // 18 lengths of the code of lengths: those of 18, 1 and 2 are not 0
    for place in 0..18 {
        number(
            &mut bits,
            [(2, 1), (15, 2), (17, 2)].iter().find(|(at, _)| *at == place).map_or(0, |(_, width)| *width),
            3,
        );
    }
    let zeros = |bits: &mut Vec<u8>, count: usize| {
        bits.push(0);
        number(bits, count - 11, 7);
    };
    let (one, two) = ([1, 0], [1, 1]);
    bits.extend(two); // the byte 0
    zeros(&mut bits, 138);
    zeros(&mut bits, 117);
    bits.extend(two); // the end of the block
    zeros(&mut bits, 28);
    bits.extend(one); // 258 bytes
    bits.extend(one); // one byte back
    bits.extend([1, 0]); // a byte to copy
    let mut bytes: Vec<u8> =
        bits.chunks(8).map(|bits| bits.iter().rev().fold(0, |byte, bit| byte << 1 | bit)).collect();
    bytes.resize(length.max(bytes.len()), 0);
    bytes
}
