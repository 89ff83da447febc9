//! The server: sockets and threads. The accept loop, and one client's life from top to bottom.

mod backlog;
mod budget;
mod connection;
mod desk;
mod drain;
mod frames;
mod heartbeat;
mod inbox;
mod life;
mod listeners;
mod machine;
mod outbox;
mod refusal;
mod registry;
mod reply;
mod socket;
mod speed;
mod system;
#[cfg(any(test, fuzzing))]
pub mod tests;
mod trace;
mod turn;

use crate::config::Config;
use crate::error::{Error, HandshakeError, shown};
use crate::protocol::close::CloseCode;
use crate::protocol::grammar::is_token;
use crate::protocol::request::{Request, is_path};
use crate::protocol::response::Response;
use budget::Share;
pub use connection::Connection;
use desk::Desks;
use drain::Drain;
use inbox::Inbox;
use outbox::Outbox;
use refusal::Refusals;
use registry::{Client, Registry, Seat};
use socket::{Reader, Socket, Until};
use std::collections::HashMap;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Only what a thread has touched of its stack takes memory; this is what it may touch.
const STACK_SIZE: usize = 256 * 1024;

/// The pause after a failed `accept`: without it, a server that is out of descriptors spins.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

type Handler = dyn Fn(&mut Connection) -> Result<(), Error> + Send + Sync;

/// A WebSocket server: its listening sockets, and what lives at its paths.
/// The crate's front page has an example.
#[must_use = "it serves nobody before `run`"]
pub struct Server {
    listeners: Vec<TcpListener>,
    /// `0.0.0.0`, if the socket for `[::]` takes its clients too.
    covered: Option<SocketAddr>,
    service: Service,
}

/// On the heap, because a page more of stack would cost each client 4 KiB.
type OpenedBy = Box<(Request, Response)>;

/// What the threads of all clients share.
struct Service {
    config: Config,
    routes: HashMap<String, Box<Handler>>,
    /// For each path, the best first.
    subprotocols: HashMap<String, Vec<String>>,
    pages: HashMap<String, String>,
    registry: Arc<Registry>,
    desks: Arc<Desks>,
    drain: Arc<Drain>,
    refusals: Refusals,
    /// The last client could not be given a thread; so that an outage is logged once.
    no_thread: AtomicBool,
}

/// Looks at a running server, and ends it, from another thread; made by [`Server::handle`].
#[derive(Clone)]
pub struct Handle {
    registry: Arc<Registry>,
    /// At least one for each listening socket.
    addresses: Vec<SocketAddr>,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("address", &self.address()).field("clients", &self.clients()).finish()
    }
}

impl Handle {
    /// An address at which this machine reaches the server: the one of loopback where it listens on every address. It
    /// is one of IPv4 if there is one.
    pub fn address(&self) -> SocketAddr {
        *self.addresses.iter().find(|address| address.is_ipv4()).unwrap_or(&self.addresses[0])
    }

    /// How many clients are connected, those in their handshake not counted.
    pub fn clients(&self) -> usize {
        self.registry.count()
    }

    /// Begins the end: every client is sent Close 1001, one that is still in its handshake is cut off, no new one is let
    /// in, and [`Server::run`] returns when all have answered or the close timeout is over. It waits for none of them, but
    /// while the machine is out of sockets it may take a while. A second call does no harm.
    pub fn shutdown(&self) {
        self.registry.stop();
        self.addresses.iter().for_each(wake);
    }
}

/// Nothing interrupts `accept` as `ServerSocket.close()` does in Java: a connection wakes it.
fn wake(address: &SocketAddr) {
    for _ in 0..50 {
        match TcpStream::connect_timeout(address, Duration::from_secs(1)) {
            Ok(_) => break,
            // Somebody else has woken it, and it is over.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => break,
            Err(_) => thread::sleep(ACCEPT_PAUSE),
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Service { config, routes, pages, .. } = &self.service;
        let mut out = f.debug_struct("Server");
        out.field("listeners", &self.listeners).field("config", config);
        out.field("routes", &routes.keys()).field("pages", &pages.keys()).finish_non_exhaustive()
    }
}

impl Server {
    /// Listens on `address`. If that is a name with several addresses, as `localhost` on many machines, or a slice of them,
    /// the server listens on each that the machine has. With port 0 the system picks one for all: see
    /// [`local_addr`](Server::local_addr). An error is what the system says, for example that an address is in use.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<Server> {
        let ((listeners, covered), service) = (listeners::bind_all(address)?, Service::new()?);
        service.registry.keep_spare(listeners[0].try_clone()?);
        Ok(Server { listeners, covered, service })
    }

    /// Replaces the limits and timeouts. A time below a millisecond or over a year is taken for that.
    ///
    /// # Panics
    ///
    /// If [`Config::allowed_origins`] has one that no browser would send: [`Config::allow_origin`] tells without a panic.
    pub fn config(mut self, config: Config) -> Server {
        if let Some((origin, error)) = config.impossible_origin() {
            panic!("allowed_origins has {origin:?}: {error}");
        }
        self.service.config = config.within_reason();
        let config = &self.service.config;
        self.service.registry.budget().set_limits(config.max_memory, config.max_backlog);
        self
    }

    /// Lets `handler` serve the WebSocket clients of `path`, each in a thread of its own. The path is compared as it
    /// stands, without the query; a second handler for it replaces the first.
    ///
    /// When the handler returns, its client gets Close 1000; if it fails by itself or panics, 1011, and nobody else
    /// notices. (If it passes an error of the connection up, the connection is over already.) Its stack has 256 KiB: keep
    /// large buffers on the heap, since an overflow of the stack is no panic, it ends the process.
    ///
    /// # Panics
    ///
    /// If no request can have this path: it does not begin with `/`, it has `?` or `#` in it, or a byte that is not
    /// visible ASCII. Other bytes arrive percent-encoded, so `/grüße` is `/gr%C3%BC%C3%9Fe`.
    pub fn route<H>(mut self, path: &str, handler: H) -> Server
    where
        H: Fn(&mut Connection) -> Result<(), Error> + Send + Sync + 'static,
    {
        check_path(path);
        self.service.routes.insert(path.to_owned(), Box::new(handler));
        self
    }

    /// Names a subprotocol that the clients of `path` may ask for (§1.9); another call for the same path adds one that the
    /// server likes less. Of those that a client offers the server selects the one it likes best, and the handler finds
    /// it in [`Connection::subprotocol`]. A client that offers none, or only unknown ones, is served without; a browser
    /// whose page offers only unknown ones gives up then. The name is
    /// compared with its case.
    ///
    /// # Panics
    ///
    /// If the name is no token of HTTP, because no client can offer it, or for a path as with [`route`](Server::route).
    pub fn subprotocol(mut self, path: &str, name: &str) -> Server {
        check_path(path);
        assert!(is_token(name), "no client can offer the subprotocol {name:?}: it must be a token of HTTP");
        self.service.subprotocols.entry(path.to_owned()).or_default().push(name.to_owned());
        self
    }

    /// Answers a plain GET of `path` with an HTML page, and HEAD with its head. The same path may have a
    /// [`route`](Server::route) too. Scripts, styles and images have to stand in the page itself (images as `data:`): its
    /// `Content-Security-Policy` lets the browser load nothing else, and connect to this server only.
    ///
    /// # Panics
    ///
    /// For a path as with [`route`](Server::route).
    pub fn page(mut self, path: &str, html: &str) -> Server {
        check_path(path);
        self.service.pages.insert(path.to_owned(), html.to_owned());
        self
    }

    /// The address that the server listens on, the first if there are several, or the system's error.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listeners[0].local_addr()
    }

    /// All addresses that the server listens on, or the system's error.
    pub fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.listeners.iter().map(TcpListener::local_addr).chain(self.covered.map(Ok)).collect()
    }

    /// A handle to look at the server and to end it with. The error is the system's, if it cannot tell our address.
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

    /// Accepts clients, a thread each, on all its addresses, until [`Handle::shutdown`]. A failing `accept` or a missing
    /// thread is logged, and the server goes on. The error is that there is no thread for the heartbeat. A handler that is
    /// busy with something else when the server ends is left behind with its thread.
    ///
    /// First it raises the process's soft limit of file descriptors to the hard one, and lowers
    /// [`max_clients`](Config::max_clients) to what the machine has threads for, with a line in the log.
    ///
    /// The log goes to whatever logger the program has set up with the crate `log`. A logger that waits, for example for
    /// a pipe that nobody reads, makes the thread that logs wait too, which may be the one that accepts.
    pub fn run(mut self) -> io::Result<()> {
        machine::prepare(&mut self.service.config);
        let service = Arc::new(self.service);
        let (stop_heartbeat, stopped) = mpsc::channel::<()>();
        let its_service = Arc::clone(&service);
        let heartbeat = thread::Builder::new().name("heartbeat".to_owned()).spawn(move || {
            heartbeat::run(&its_service, &stopped);
        })?;
        listeners::serve(self.listeners, |listener| accept(listener, &service));
        if !service.registry.wait_until_empty(Instant::now() + service.config.close_timeout) {
            service.registry.cut_off();
            // Threads that wait for their client end now; a handler that is busy with something else is left behind.
            service.registry.wait_until_empty(Instant::now() + Duration::from_millis(500));
        }
        drop(stop_heartbeat);
        let _ = heartbeat.join();
        Ok(())
    }
}

/// A path that nobody can ask for is a mistake of the program, and would be found only by its users.
fn check_path(path: &str) {
    let rule = "it begins with /, without ? and #, in visible ASCII (other bytes as %C3%A4)";
    assert!(is_path(path), "no request can have the path {path:?}: {rule}");
}

/// The accept loop. Whatever goes wrong in here concerns one client, or passes.
fn accept(listener: &TcpListener, service: &Arc<Service>) {
    let mut failing = false;
    while !service.registry.is_stopping() {
        match listener.accept() {
            Ok((stream, peer)) => {
                failing = false;
                // What woke us may be `shutdown`'s own connection.
                if !service.registry.is_stopping() {
                    service.welcome(Arc::new(Socket::new(stream)), listeners::peer(peer));
                }
            }
            // A client left before its turn came: `ConnectionAborted` on Unix, `ConnectionReset` on Windows.
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) => {}
            // A signal was handled.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                if !failing {
                    log::error!("accept: {error}; trying again every {ACCEPT_PAUSE:?}");
                }
                failing = true;
                thread::sleep(ACCEPT_PAUSE);
            }
        }
    }
}

/// A thread that panicked while it held a lock is no reason for all others to panic too: no lock of this server is held
/// where its data would be left half-changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the answer to a request is, apart from a fault.
enum Answer<'a> {
    Upgrade(Response, &'a Handler),
    Page(Response),
}

impl Service {
    /// A server without a listener and without paths; the error is that the system has no descriptor or thread left.
    fn new() -> io::Result<Service> {
        let config = Config::default();
        let registry = Arc::new(Registry::default());
        registry.budget().set_limits(config.max_memory, config.max_backlog);
        Ok(Service {
            config,
            routes: HashMap::new(),
            subprotocols: HashMap::new(),
            pages: HashMap::new(),
            registry,
            desks: Arc::default(),
            drain: Drain::start()?,
            refusals: Refusals::default(),
            no_thread: AtomicBool::new(false),
        })
    }

    /// Gives a new connection a seat and a thread, or tells the client that there is none.
    fn welcome(self: &Arc<Self>, socket: Arc<Socket>, peer: SocketAddr) {
        let seat = match self.registry.take_seat(peer, &socket, &self.config) {
            Ok(seat) => seat,
            Err(fault) => return self.refusals.refuse(peer, socket, &fault),
        };
        let (service, its_socket) = (Arc::clone(self), Arc::clone(&socket));
        let thread = thread::Builder::new().name(format!("client-{peer}")).stack_size(STACK_SIZE);
        let spawned = thread.spawn(move || service.client(its_socket, peer, &seat));
        let failed_before = self.no_thread.swap(spawned.is_err(), Ordering::Relaxed);
        if let Err(error) = spawned {
            if !failed_before {
                log::error!("no thread for {peer}, and perhaps for others after it: {error}");
            }
            self.refusals.refuse(peer, socket, &HandshakeError::TooManyClients);
        }
    }

    /// One client's life.
    fn client(&self, socket: Arc<Socket>, peer: SocketAddr, seat: &Seat) {
        let mut inbox = Inbox::new(Reader::new(Arc::clone(&socket)));
        let Some(mut share) = self.registry.budget().reserve(inbox.size()) else {
            return self.refusals.refuse(peer, socket, &HandshakeError::MemoryLimit);
        };
        let (opened_by, handler) = match self.handshake(&socket, &mut inbox, &mut share, peer, seat) {
            Ok(Some(accepted)) => accepted,
            Ok(None) => return,
            Err(error) => return log::debug!("{peer}: gone during the handshake: {error}"),
        };
        let (request, response) = &*opened_by;
        let accept_value = response.header_value("Sec-WebSocket-Accept").unwrap_or_default();
        log::debug!("{peer}: connected to \"{}\", accept value {accept_value}", shown(request.path()));
        trace::handshake(peer, request, response);
        let client = self.entry(peer, socket, request, seat.number());
        // Before the client can know that it is connected: it gets all that others send from then on.
        seat.enter(client.clone());
        if let Err(error) = client.outbox.open(&response.encode(request.method), self.reply_deadline()) {
            return log::debug!("{peer}: gone during the handshake: {error}");
        }
        self.serve(peer, (opened_by, share), inbox, (client, seat), handler);
    }

    /// A client's life after the handshake. What the two parts need of the stack lies in the same place, one after the
    /// other, as long as neither is inlined: else each client costs a page more, 4 KiB.
    #[inline(never)]
    fn serve(
        &self,
        peer: SocketAddr,
        opened_by: (OpenedBy, Share),
        inbox: Inbox,
        (client, seat): (Client, &Seat),
        handler: &Handler,
    ) {
        let (registry, desks) = (Arc::clone(&self.registry), Arc::clone(&self.desks));
        let socket = Arc::clone(&client.outbox.socket);
        let mut connection = Connection::new(peer, opened_by, inbox, client, registry, desks, &self.config);
        let result = catch_unwind(AssertUnwindSafe(|| handler(&mut connection)));
        let result = result.unwrap_or_else(|_| Err(Error::handler("panicked")));
        let code = if result.is_ok() { CloseCode::NORMAL } else { CloseCode::INTERNAL_ERROR };
        // With the connection still open, or its socket in order, it was nothing on the wire that made the handler fail.
        let by_itself = match &result {
            Err(Error::Io(_)) => !connection.is_lost(),
            Err(_) => connection.is_open(),
            Ok(()) => false,
        };
        let closed = connection.finish(code, seat);
        if connection.is_closed() {
            self.refusals.see_off(socket);
        }
        match result.and(closed) {
            Ok(()) | Err(Error::Closed) => log::debug!("{peer}: closed"),
            // What a client has sent may be part of the text.
            Err(error) if by_itself || matches!(error, Error::Handler(_)) => {
                log::error!("{peer}: {}", shown(&error.to_string()))
            }
            Err(error @ Error::Protocol(_)) => log::info!("{peer}: failed: {error}"),
            Err(error) => log::debug!("{peer}: ended without a clean close: {error}"),
        }
    }

    fn entry(&self, peer: SocketAddr, socket: Arc<Socket>, request: &Request, seat_number: u64) -> Client {
        let (drain, budget) = (Arc::clone(&self.drain), Arc::clone(self.registry.budget()));
        let outbox = Outbox::new(peer, socket, drain, budget);
        Client { seat_number, path: request.path().into(), outbox: Arc::new(outbox) }
    }

    /// Reads the request, and answers one that is no upgrade: then the connection is over, and the result `None`.
    #[inline(never)]
    fn handshake(
        &self,
        socket: &Socket,
        inbox: &mut Inbox,
        share: &mut Share,
        peer: SocketAddr,
        seat: &Seat,
    ) -> io::Result<Option<(OpenedBy, &Handler)>> {
        socket.set_nodelay()?;
        let request = self.read_request(inbox, share)?;
        let method = request.as_ref().map_or_else(|_| reply::method_of(inbox.unread()), |request| request.method);
        let outcome = request.and_then(|request| {
            let answer = self.answer(&request)?;
            if let Answer::Upgrade(..) = answer {
                seat.upgrade()?;
            }
            Ok((answer, request))
        });
        let mut linger = self.config.close_timeout;
        let response = match outcome {
            Ok((Answer::Upgrade(response, handler), request)) => {
                let response = reply::dated(response);
                return Ok(Some((Box::new((request, response)), handler)));
            }
            Ok((Answer::Page(response), _)) => response,
            Err(fault) => {
                // Who has taken too long already gets a second to read why.
                if fault == HandshakeError::Timeout {
                    linger = linger.min(Duration::from_secs(1));
                }
                reply::refusal(peer, &fault, inbox.unread())
            }
        };
        socket.write_all(&reply::dated(response).encode(method), self.reply_deadline())?;
        socket.shutdown(Shutdown::Write)?;
        inbox.drain(Instant::now() + linger);
        Ok(None)
    }

    /// One deadline for the whole reply: a client that does not take it is waited for no longer than for its Close.
    fn reply_deadline(&self) -> Instant {
        Instant::now() + self.config.close_timeout
    }

    /// Reads the head of the request. What follows it stays in the inbox: frames.
    fn read_request(&self, inbox: &mut Inbox, share: &mut Share) -> io::Result<Result<Request, HandshakeError>> {
        // One deadline for the whole head: a timeout per read would let a byte a second go on forever.
        let deadline = Instant::now() + self.config.handshake_timeout;
        loop {
            match Request::parse(inbox.unread()) {
                Ok(Some((request, used))) => {
                    inbox.consume(used);
                    // The connection keeps the request, and the buffer as long as the head has made it.
                    if !share.resize(inbox.size() + used) {
                        return Ok(Err(HandshakeError::MemoryLimit));
                    }
                    return Ok(Ok(request));
                }
                Ok(None) => {}
                Err(fault) => return Ok(Err(fault)),
            }
            match inbox.fill(Until::Deadline(deadline)) {
                Err(error) if error.kind() == ErrorKind::TimedOut => return Ok(Err(HandshakeError::Timeout)),
                filled => filled?,
            }
            if !share.resize(inbox.size()) {
                return Ok(Err(HandshakeError::MemoryLimit));
            }
        }
    }

    fn answer(&self, request: &Request) -> Result<Answer<'_>, HandshakeError> {
        let route = self.routes.get(request.path());
        if request.wants_websocket() {
            let handler = route.ok_or(HandshakeError::NotFound)?;
            let mut response = request.accept(&self.config.allowed_origins)?;
            let ours = self.subprotocols.get(request.path()).map_or(&[][..], Vec::as_slice);
            if let Some(name) = request.select_subprotocol(ours) {
                response = response.with_subprotocol(name);
            }
            Ok(Answer::Upgrade(response, &**handler))
        } else if let Some(html) = self.pages.get(request.path()) {
            Ok(Answer::Page(Response::page(html)))
        } else if route.is_some() {
            Err(HandshakeError::UpgradeRequired)
        } else {
            Err(HandshakeError::NotFound)
        }
    }
}
