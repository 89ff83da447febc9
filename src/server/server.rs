//! [`Server`]: what it listens on, what it serves at which path, and its run from start to shutdown.

use super::accept::accept;
use super::connection::Connection;
use super::handle::Handle;
use super::routes::{open_route, route};
use super::service::Service;
use super::{heartbeat, listeners, machine};
use crate::config::Config;
use crate::error::Error;
use crate::protocol::admission::{Admission, Refusal};
use crate::protocol::grammar::is_token;
use crate::protocol::request::{Request, is_path};
use crate::protocol::response::Response;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// How long shutdown waits for threads that have nothing more to send.
const LAST_MOMENT: Duration = Duration::from_millis(500);

/// A WebSocket server: its listening sockets, and what it serves at which path.
/// The crate's front page has an example.
#[must_use = "it serves nobody before `run`"]
pub struct Server {
    listeners: Vec<TcpListener>,
    /// `0.0.0.0`, if the socket for `[::]` accepts its clients too.
    covered: Option<SocketAddr>,
    pub(super) service: Service,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Service { config, routes, pages, .. } = &self.service;
        let mut out = f.debug_struct("Server");
        out.field("listeners", &self.listeners).field("config", config);
        let (routes, pages): (Vec<_>, Vec<_>) = (routes.patterns().collect(), pages.patterns().collect());
        out.field("routes", &routes).field("pages", &pages).finish_non_exhaustive()
    }
}

impl Server {
    /// Listens on `address`. `address` can be several addresses: a slice of them, or a name such as `localhost` on many
    /// machines. Then the server listens on each that the machine has. With port 0 the system picks one port for all of
    /// them: [`local_addr`](Server::local_addr) returns it.
    ///
    /// # Errors
    ///
    /// The system's error, for example that an address is in use.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<Server> {
        Server::new(listeners::bind_all(address)?)
    }

    /// Listens with a socket that somebody else has bound: systemd's socket activation, or a test. A socket that is
    /// non-blocking is made blocking. Nothing else should accept from it, because [`Handle::shutdown`] wakes the server
    /// with a connection of its own.
    ///
    /// # Errors
    ///
    /// The system's error, for example that this is no socket of TCP.
    ///
    /// ```
    /// use plainsocket::Server;
    /// # fn main() -> std::io::Result<()> {
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let address = listener.local_addr()?;
    /// let server = Server::from_listener(listener)?.route("/", |_| Ok(()));
    /// assert_eq!(server.local_addr()?, address);
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_listener(listener: TcpListener) -> io::Result<Server> {
        listeners::adopt(&listener)?;
        Server::new((vec![listener], None))
    }

    /// Listens with one more socket, as with [`from_listener`](Server::from_listener).
    ///
    /// # Errors
    ///
    /// As with [`from_listener`](Server::from_listener).
    ///
    /// ```
    /// use plainsocket::Server;
    /// # fn main() -> std::io::Result<()> {
    /// let another = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let server = Server::bind("127.0.0.1:0")?.and_listener(another)?;
    /// assert_eq!(server.local_addrs()?.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn and_listener(mut self, listener: TcpListener) -> io::Result<Server> {
        listeners::adopt(&listener)?;
        self.listeners.push(listener);
        Ok(self)
    }

    fn new((listeners, covered): listeners::Bound) -> io::Result<Server> {
        let service = Service::new()?;
        service.registry.keep_spare(listeners[0].try_clone()?);
        Ok(Server { listeners, covered, service })
    }

    /// Replaces the limits and timeouts. A time below a millisecond counts as a millisecond, one over a year as a year.
    ///
    /// # Panics
    ///
    /// If [`Config::allowed_origins`] has one that no browser would send. [`Config::allow_origin`] returns an error
    /// instead.
    pub fn config(mut self, config: Config) -> Server {
        if let Some((origin, error)) = config.impossible_origin() {
            panic!("allowed_origins has {origin:?}: {error}");
        }
        self.service.config = config.within_reason();
        let config = &self.service.config;
        self.service.registry.budget().set_limits(config.max_memory, config.max_backlog);
        self
    }

    /// Lets `handler` serve the WebSocket clients of `path`, each in a thread of its own. The path is compared byte by
    /// byte, without the query. A second handler for it replaces the first.
    ///
    /// A path that ends in `/*` serves every path below it: `/chat/*` serves `/chat/a` and `/chat/a/b`, neither `/chat`
    /// nor `/chat/`. A route of just the requested path comes first, then the longest. `*` anywhere else is a `*`.
    /// [`broadcast`](Connection::broadcast) goes by the requested path, so that each is a room of its own.
    ///
    /// When the handler returns, its client gets Close 1000. If the handler fails by itself or panics, its client gets
    /// 1011, and nobody else notices. An error of the connection that it passes up means that the connection has ended.
    ///
    /// The handler's stack has 256 KiB. Keep large buffers on the heap, because a stack overflow ends the process.
    ///
    /// # Panics
    ///
    /// If no request can have this path: it does not begin with `/`, or it contains `?`, `#` or a byte that is not
    /// visible ASCII. Other bytes arrive percent-encoded, so `/grüße` is `/gr%C3%BC%C3%9Fe`.
    pub fn route<H>(mut self, path: &str, handler: H) -> Server
    where
        H: Fn(&mut Connection) -> Result<(), Error> + Send + Sync + 'static,
    {
        check_path(path);
        self.service.routes.insert(path, open_route(handler));
        self
    }

    /// Does what [`route`](Server::route) does for clients that `admit` lets in.
    ///
    /// `admit` is called with a request for an upgrade and the client's address, once the request keeps all rules,
    /// Origin included, and before the 101. It either lets the client in, with a value for the handler and with more
    /// headers for the 101, or refuses it with a status, headers and a text. During shutdown a client that was let in
    /// gets 503 instead.
    ///
    /// It runs in the client's own thread, in the handler's stack, so it can wait, for example for a database. Nobody
    /// else waits for it. No timeout of the server ends it: a shutdown leaves it behind after the close timeout. If it
    /// panics, the client gets 500, and the log an error.
    ///
    /// # Panics
    ///
    /// For a path as with [`route`](Server::route).
    ///
    /// ```
    /// use plainsocket::{Admission, Connection, Error, Refusal, Server};
    ///
    /// fn greet(connection: &mut Connection, name: String) -> Result<(), Error> {
    ///     connection.send(format!("Hello {name}"))
    /// }
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let server = Server::bind("127.0.0.1:0")?.route_with(
    ///     "/hello",
    ///     |request, _peer| match request.cookie("session") {
    ///         Some("31d4d96e407aad42") => Ok(Admission::new("Ann".to_owned())),
    ///         _ => Err(Refusal::new(401, "log in first").header("WWW-Authenticate", "Cookie")),
    ///     },
    ///     greet,
    /// );
    /// # drop(server);
    /// # Ok(())
    /// # }
    /// ```
    pub fn route_with<T, A, H>(mut self, path: &str, admit: A, handler: H) -> Server
    where
        A: Fn(&Request, SocketAddr) -> Result<Admission<T>, Refusal> + Send + Sync + 'static,
        H: Fn(&mut Connection, T) -> Result<(), Error> + Send + Sync + 'static,
        T: 'static,
    {
        check_path(path);
        self.service.routes.insert(path, route(admit, handler));
        self
    }

    /// Names a subprotocol that clients of `path` can ask for (§1.9). Another call for the same path adds one that the
    /// server prefers less. `path` can end in `/*`, as with [`route`](Server::route): those of just the requested path
    /// replace those of a pattern.
    ///
    /// Of those that a client offers, the server selects the one that it prefers most, and the handler finds it in
    /// [`Connection::subprotocol`]. Names are compared with their case. A client that offers none, or only unknown
    /// ones, is served without a subprotocol; a browser whose page has offered only unknown ones gives up then.
    ///
    /// # Panics
    ///
    /// If the name is not a token of HTTP, because no client can offer it, or for a path as with
    /// [`route`](Server::route).
    pub fn subprotocol(mut self, path: &str, name: &str) -> Server {
        check_path(path);
        assert!(is_token(name), "no client can offer the subprotocol {name:?}: it must be a token of HTTP");
        self.service.subprotocols.entry(path).push(name.to_owned());
        self
    }

    /// Answers a plain GET of `path` with an HTML page, and HEAD with its head. The same path can have a
    /// [`route`](Server::route) too. The page must contain its scripts, styles and images (images as `data:`), because
    /// its `Content-Security-Policy` lets the browser load nothing else, and connect to this server only. `path` can
    /// end in `/*`, as with [`route`](Server::route). A plain GET gets 426 from a route only where there is no page.
    ///
    /// # Panics
    ///
    /// For a path as with [`route`](Server::route).
    pub fn page(mut self, path: &str, html: &str) -> Server {
        check_path(path);
        let html = html.to_owned();
        self.service.pages.insert(path, Box::new(move || Response::page(&html)));
        self
    }

    /// Answers a plain GET of `path` with a text that `body` makes for each request, for example figures for an
    /// operator. It replaces a [`page`](Server::page) of the same path. `body` does not see the request, so anyone who
    /// can reach the server can read the text, and all paths of a pattern have the same one.
    ///
    /// `body` runs in the client's own thread, as `admit` of [`route_with`](Server::route_with) does. If it panics, the
    /// client gets 500, and the log an error.
    ///
    /// # Panics
    ///
    /// If the type has a control character, or for a path as with [`route`](Server::route).
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let server = plainsocket::Server::bind("127.0.0.1:0")?;
    /// let handle = server.handle()?;
    /// let server = server.text("/clients", "text/plain", move || format!("{}\n", handle.clients()));
    /// # drop(server);
    /// # Ok(())
    /// # }
    /// ```
    pub fn text(mut self, path: &str, content_type: &str, body: impl Fn() -> String + Send + Sync + 'static) -> Server {
        check_path(path);
        assert!(!content_type.contains(char::is_control), "no header can have the value {content_type:?}");
        let content_type = content_type.to_owned();
        self.service.pages.insert(path, Box::new(move || Response::text(&content_type, body())));
        self
    }

    /// Returns the address that the server listens on, the first if there are several.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listeners[0].local_addr()
    }

    /// Returns all addresses that the server listens on.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.listeners.iter().map(TcpListener::local_addr).chain(self.covered.map(Ok)).collect()
    }

    /// Returns a handle with which another thread can look at the server and shut it down.
    ///
    /// # Errors
    ///
    /// The system's error, if it cannot tell our address.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let server = plainsocket::Server::bind("127.0.0.1:0")?;
    /// let handle = server.handle()?;
    /// let running = std::thread::spawn(|| server.run());
    /// handle.shutdown();
    /// running.join().unwrap()
    /// # }
    /// ```
    pub fn handle(&self) -> io::Result<Handle> {
        let addresses = self.local_addrs()?.into_iter().map(listeners::reachable).collect();
        Ok(Handle { registry: Arc::clone(&self.service.registry), addresses })
    }

    /// Accepts clients on all addresses, a thread for each, until [`Handle::shutdown`]. A failing `accept` or a missing
    /// thread is logged, and the server goes on. A handler that is busy with something else at shutdown is left behind
    /// with its thread.
    ///
    /// First the server raises the process's soft limit of file descriptors to the hard one. It lowers
    /// [`max_clients`](Config::max_clients) to the number of threads that the machine has, and logs that.
    ///
    /// The log goes to the logger that the program has set up with the crate `log`. A logger that waits, for example
    /// for a pipe that nobody reads, holds up the thread that logs, which can be the one that accepts.
    ///
    /// # Errors
    ///
    /// The system's error, if there is no thread for the heartbeat.
    pub fn run(mut self) -> io::Result<()> {
        machine::prepare(&mut self.service.config);
        let service = Arc::new(self.service);
        let (stop_heartbeat, stopped) = mpsc::channel();
        let its_service = Arc::clone(&service);
        let heartbeat = thread::Builder::new().name("heartbeat".to_owned());
        let heartbeat = heartbeat.spawn(move || heartbeat::run(&its_service, &stopped))?;
        listeners::serve(self.listeners, |listener| accept(listener, &service));
        if !service.registry.wait_for_seats(Instant::now() + service.config.close_timeout) {
            service.registry.cut_off();
        }
        // Threads that wait for their client end now. A handler that is busy with something else is left behind, and so
        // is a client that has its reply and does not close its side.
        service.registry.wait_until_empty(Instant::now() + LAST_MOMENT);
        // Both fail only if the heartbeat has ended before.
        let _ = stop_heartbeat.send(());
        let _ = heartbeat.join();
        Ok(())
    }
}

/// Panics for a path that no request can have: it is a mistake of the program, and only its users would find it.
fn check_path(path: &str) {
    let rule = "it begins with /, without ? and #, in visible ASCII (other bytes as %C3%A4)";
    assert!(is_path(path), "no request can have the path {path:?}: {rule}");
}
