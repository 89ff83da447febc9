//! The protocol, section by section of the RFC. Pure: no socket.

mod close;
mod error;
mod frame;
mod handshake;
mod message;
mod parameters;
mod properties;
mod wire;
