//! The checks of the exercises: one set for the learner's server, for the real one, and for wrong answers.
//!
//! `steps.rs` is the list of all steps. Each check takes a [`subject::Subject`], tries it, and returns a
//! [`lesson::Lesson`] if something else came than the rule asks for.

#[path = "all.rs"]
mod all;
pub mod inflate;
pub mod random;
pub mod words;

#[allow(unused_imports)] // each test uses its part
pub use all::*;
