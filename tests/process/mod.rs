//! The program as a process: what the system and its surroundings do to it. These tests wait longest, and cargo starts tests
//! in the order of their names, so they begin first.
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
