//! The program as a process: what the system and its surroundings do to it. These tests mostly wait, so they are one
//! file to cargo, and wait together.
#![cfg(unix)]

#[path = "../support/mod.rs"]
mod support;

mod freeze;
mod signals;
mod stuck_log;
