//! Your server. tests/README.md says how to begin. This file stays as it is; the others are yours.

pub mod accept;
pub mod client;
pub mod close;
pub mod deflate;
pub mod frame;
pub mod heartbeat;
pub mod message;
pub mod push;
pub mod registry;
pub mod request;
pub mod run;
pub mod tcp;
