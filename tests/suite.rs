//! The tests of the protocol, of the server over sockets, and of the source's layers. Those over sockets mostly wait, for a timeout
//! or for another thread, so all of them are one file to cargo, and the others run meanwhile.

// It takes in `support/bytes.rs` by itself, because a learner's tests have no `support`.
#[allow(clippy::duplicate_mod)]
mod checks;
mod layers;
#[path = "checks/adapter/mod.rs"]
mod my_server;
mod process;
mod protocol;
mod reference;
mod sockets;
mod support;
