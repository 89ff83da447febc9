//! The protocol, section by section of the RFC. Pure: no socket.

mod admission;
mod close;
mod error;
mod frame;
mod handshake;
mod message;
mod properties;
mod wire;
