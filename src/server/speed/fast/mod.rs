//! The devices, one a file.

mod blocking;
mod buffers;
mod direct;
mod members;
mod memory;
mod prefetch;
mod segments;
mod stack;

#[cfg(test)]
pub(in crate::server) use blocking::POLLS;
pub(in crate::server) use blocking::{after_blocking, before_blocking};
pub(in crate::server) use buffers::{BufferPool, INBOX, return_buffers, reuse};
pub(in crate::server) use direct::Devices;
pub(in crate::server) use members::{MemberLists, Members};
pub(in crate::server) use memory::{MAPPED, decoder};
pub(in crate::server) use prefetch::prefetched;
pub(in crate::server) use segments::{Frame, Segments};
pub(in crate::server) use stack::out_of_line;
