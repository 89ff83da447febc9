//! The tests of the protocol and of the server over sockets. The latter mostly wait, for a timeout or for another thread, so all
//! of them are one file to cargo, and the former run meanwhile.

mod process;
mod protocol;
mod sockets;
mod support;
