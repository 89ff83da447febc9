//! The bytes that a client sends. Written without the crate's own encoder, so that a fault there cannot hide here.

/// The masking key of §5.7.
pub const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// The handshake of the RFC (§1.3), for any path.
pub fn request(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// Returns a client's frame; `first` is its first byte on the wire.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length @ 126..65536 => bytes.extend([0xFE, (length >> 8) as u8, length as u8]),
        length => {
            bytes.push(0xFF);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(KEY);
    // Masks sixteen bytes at a time: byte by byte, 16 MiB take half a second without optimisation.
    let wide = u128::from_ne_bytes(std::array::from_fn(|i| KEY[i % 4]));
    let (chunks, rest) = payload.as_chunks::<16>();
    chunks.iter().for_each(|chunk| bytes.extend_from_slice(&(u128::from_ne_bytes(*chunk) ^ wide).to_ne_bytes()));
    bytes.extend(rest.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}
