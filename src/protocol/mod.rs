//! RFC 6455 as pure functions: bytes in, values out. Nothing in here knows a socket, a thread or a clock.
//!
//! Every decoder gives one of three answers: `Ok(None)`, more bytes are needed; `Ok(Some((value, used)))`, a
//! value and how many bytes it took; `Err`, the bytes break a rule. More bytes never turn an error into a value.

pub mod close;
pub mod frame;
pub mod handshake;
pub mod message;
