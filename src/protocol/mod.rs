//! RFC 6455 without I/O: bytes in, values out. Nothing in here knows a socket, a thread or a clock.
//!
//! A decoder that reads from a stream gives one of three answers: more bytes are needed; a value, and how many bytes it
//! took; an error, because the bytes break a rule. More bytes never turn an error into a value.

pub(crate) mod admission;
pub mod close;
pub mod date;
pub mod decoder;
#[cfg(feature = "deflate")]
pub mod deflate;
#[cfg(not(feature = "deflate"))]
pub(crate) mod no_deflate;
#[cfg(not(feature = "deflate"))]
pub(crate) use no_deflate as deflate;
pub mod frame;
pub(crate) mod grammar;
pub mod message;
pub(crate) mod origin;
mod parameters;
pub(crate) mod payload;
pub mod request;
pub mod response;
pub mod text;
pub mod upgrade;
pub mod wire;
