//! The sockets that the server listens on: one for each address, because a name such as `localhost` can have two.

use super::system;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::thread;

/// How often we let the system pick a port, if it is free for the first address and taken for another one.
const TRIES: usize = 10;

/// At least one socket, and the address that needs no socket of its own, if there is one.
pub(super) type Bound = (Vec<TcpListener>, Option<SocketAddr>);

/// Listens on each of `addresses`, with the same port for all if the system picks it. Fails if there is no address, if
/// an address is in use or not permitted, or if this machine has none of them.
pub(super) fn bind_all(addresses: impl ToSocketAddrs) -> io::Result<Bound> {
    let addresses: Vec<SocketAddr> = addresses.to_socket_addrs()?.collect();
    let is_picked = addresses.iter().any(|address| address.port() == 0);
    for _ in 1..TRIES {
        match try_bind(&addresses) {
            Err(error) if is_picked && error.kind() == ErrorKind::AddrInUse => {}
            result => return result,
        }
    }
    try_bind(&addresses)
}

fn try_bind(addresses: &[SocketAddr]) -> io::Result<Bound> {
    let (mut listeners, mut covered) = (Vec::new(), None);
    let mut taken: Vec<SocketAddr> = Vec::new();
    let mut missing = io::Error::new(ErrorKind::InvalidInput, "the name has no address");
    for &(mut address) in addresses {
        if address.port() == 0 {
            address.set_port(taken.first().map_or(0, SocketAddr::port));
        }
        if taken.contains(&address) {
            continue;
        }
        match TcpListener::bind(address) {
            Ok(listener) => {
                system::lengthen_accept_queue(&listener)?;
                taken.push(listener.local_addr()?);
                listeners.push(listener);
            }
            // Most systems let a socket that listens on `[::]` take clients of IPv4 too.
            Err(error) if error.kind() == ErrorKind::AddrInUse && is_covered(address, &taken) => {
                covered = Some(address)
            }
            Err(error) if matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied) => {
                return Err(error);
            }
            // A machine without IPv6, for example.
            Err(error) => missing = error,
        }
    }
    if listeners.is_empty() { Err(missing) } else { Ok((listeners, covered)) }
}

/// Takes a socket that listens already: sets what the server needs, and checks that the system can tell its address.
pub(super) fn adopt(listener: &TcpListener) -> io::Result<()> {
    listener.local_addr()?;
    // Otherwise the accept loop would take "nobody is there" for a failure.
    listener.set_nonblocking(false)?;
    system::lengthen_accept_queue(listener)
}

/// Returns whether the socket for `[::]` accepts the clients of `address` too.
fn is_covered(address: SocketAddr, taken: &[SocketAddr]) -> bool {
    let every = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), address.port());
    address.ip() == Ipv4Addr::UNSPECIFIED && taken.contains(&every)
}

/// Runs `accept` for each listener until it returns: for the first in this thread, for the others in threads of their
/// own.
pub(super) fn serve(listeners: Vec<TcpListener>, accept: impl Fn(&TcpListener) + Sync) {
    let accept = &accept;
    thread::scope(|scope| {
        let mut listeners = listeners.into_iter();
        let Some(first) = listeners.next() else { return };
        for other in listeners {
            let address = other.local_addr();
            let thread = thread::Builder::new().name("accept".to_owned());
            if let Err(error) = thread.spawn_scoped(scope, move || accept(&other)) {
                log::error!("no thread to accept clients on {address:?}, so nobody can connect there: {error}");
            }
        }
        accept(&first);
    });
}

/// Returns the client's own address: a socket that listens on `[::]` shows one of IPv4 as `::ffff:192.0.2.1`.
pub(super) fn peer(shown: SocketAddr) -> SocketAddr {
    SocketAddr::new(shown.ip().to_canonical(), shown.port())
}

/// Returns an address at which this machine reaches a socket that listens on `address`, because nobody can connect to
/// "every address".
pub(super) fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}
