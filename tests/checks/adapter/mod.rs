//! The real server behind the signatures of `tests/my_server`. It proves that every step can be solved.
//!
//! A warning for those who still want to solve them: some of this comes close to an answer.

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
