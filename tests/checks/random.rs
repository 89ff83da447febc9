//! Bytes that nobody can guess, which is what a masking key needs. This file is given: nothing to edit.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

/// Returns different bytes at each call.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    // Each RandomState has keys of its own, which std takes from the system's random numbers.
    std::array::from_fn(|_| RandomState::new().build_hasher().finish().to_be_bytes()[0])
}
