//! The server over real sockets, in this process and as a program. Most of these tests wait for
//! something.

mod advisories;
mod api;
mod clients;
#[cfg(unix)]
mod freeze;
mod inspect;
mod log;
mod program;
mod real_client;
mod server;
#[cfg(unix)]
mod signals;
#[cfg(unix)]
mod stuck_log;
