//! The system calls that the server needs and std lacks: reads and writes that do not wait, a wait for many sockets at
//! once, a long accept queue, and the limits of the machine.
//!
//! Unix has all of it. Other systems, Windows among them, get a simple substitute with the same interface.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::*;

#[cfg(not(unix))]
mod portable;
#[cfg(not(unix))]
pub use portable::*;
