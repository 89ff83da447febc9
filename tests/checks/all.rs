//! All checks, without what they share with the server under test: its words, and what is given to it.
//!
//! `tests/steps.rs` declares this module in a block, where no path leads to it. Otherwise rustc would suggest the checks'
//! own names to a learner who has not defined one yet.
#![allow(dead_code)] // each test uses its part
#![allow(clippy::result_large_err)] // a lesson is for people, and nobody counts its bytes

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

use crate::checks::{inflate, words};
