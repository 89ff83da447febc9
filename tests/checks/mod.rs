//! The checks of the exercises: one set for the learner's server, for the real one, and for wrong answers.
//!
//! `steps.rs` is the list of all steps. Each check takes a [`subject::Subject`], tries it, and returns a
//! [`lesson::Lesson`] if something else came than the rule asks for.
#![allow(dead_code)] // each test uses its part
#![allow(clippy::result_large_err)] // a lesson is for people, and nobody counts its bytes

pub mod accept;
pub mod chat;
pub mod clients;
pub mod close;
pub mod conversation;
pub mod course;
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
pub mod running;
pub mod steps;
pub mod subject;
pub mod talk;
pub mod words;
