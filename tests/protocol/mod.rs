//! The protocol, section by section of the RFC. Pure: no socket.

mod close;
#[cfg(feature = "deflate")]
mod deflate;
mod error;
mod frame;
mod handshake;
mod message;
mod parameters;
mod properties;
mod wire;
#[cfg(feature = "deflate")]
mod wire_compressed;
