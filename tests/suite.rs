//! The tests of the protocol, of the server over sockets, of the program's process and of the source's layers. Most of
//! them wait, for a timeout or for another thread. So all of them are one file to cargo, in which the others run
//! meanwhile.

// `checks` includes `support/bytes.rs` itself, because a learner's tests have no `support`.
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
