//! The checks of the exercises: one set for the learner's server, for the real one, and for wrong answers.
//!
//! `steps.rs` is the list of all steps. Each check tries a [`subject::Subject`], and returns a [`lesson::Lesson`] if
//! the result differs from what the rule requires.

#[path = "all.rs"]
mod all;
pub mod inflate;
pub mod random;
pub mod words;

#[allow(unused_imports)] // each test uses its part
pub use all::*;
