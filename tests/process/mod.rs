//! The program as a process, with what the system and its surroundings do to it. These tests wait longest. Cargo starts
//! tests in the order of their names, so these begin first.
#![cfg(unix)]

#[cfg(feature = "redis")]
mod bus;
mod chat;
mod clock;
mod compress;
mod freeze;
mod metrics;
mod signals;
mod stuck_log;
mod stuck_output;
