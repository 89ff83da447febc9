//! Without this folder the server does the same, slower.

pub(super) mod memory;
