//! All checks, except the modules that the server under test uses too: its types, and the code that it is given.
//!
//! `tests/steps.rs` declares this module in a block, where no path leads to it. Otherwise rustc would suggest names of
//! the checks to a learner who has not yet defined a name.
#![allow(dead_code)] // each test uses its part
#![allow(clippy::result_large_err)] // a lesson is for people, so its size does not matter

pub mod accept;
pub mod chat;
pub mod client;
pub mod clients;
pub mod close;
pub mod conversation;
pub mod course;
pub mod deflate;
pub mod frame;
pub mod guard;
pub mod handshake;
pub mod heartbeat;
pub mod lesson;
pub mod limits;
pub mod message;
pub mod mistakes;
pub mod push;
pub mod read;
pub mod request;
pub mod runner;
pub mod running;
pub mod steps;
pub mod subject;
pub mod talk;
pub mod tcp;
pub mod watch;

use crate::checks::{inflate, words};
