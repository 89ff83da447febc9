//! Without this folder the server does the same, slower.
//!
//! It has the devices that exist only for speed or memory. `plain` is their counterpart with the same interface: read
//! it to know what the server needs, and `fast` to know what makes it quick. The chapter Speed measures each of them.
//! Cargo's feature `speed`, on by default, chooses; what it chooses is decided here and nowhere else.
//!
//! | device | what it saves |
//! | --- | --- |
//! | `buffers` | memory: a pool lends large buffers to threads that work; and time: they are still in the cache |
//! | `blocking` | time: polling before blocking, because being woken is expensive |
//! | `direct` | copies: a read puts a large payload straight into its message |
//! | `memory` | memory and time: reserved address space for long messages |
//! | `segments` | memory: frames for slow clients share blocks that go back to the system as a whole |
//! | `members`, `prefetch` | time in a broadcast: kept lists of members; data for many writes fetched at once |
//! | `stack` | a page of stack for each client |

#[cfg(feature = "speed")]
mod fast;
#[cfg(feature = "speed")]
pub(super) use fast::*;

#[cfg(not(feature = "speed"))]
mod plain;
#[cfg(not(feature = "speed"))]
pub(super) use plain::*;
