//! The server: sockets and threads. The accept loop, and one client's life from top to bottom.

mod connection;
mod inbox;

use crate::config::Config;
use crate::error::{Error, HandshakeError};
use crate::protocol::close::CloseCode;
use crate::protocol::handshake::{Method, Request, Response};
pub use connection::Connection;
use inbox::Inbox;
use std::collections::HashMap;
use std::io::{self, ErrorKind, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Only what a thread has touched of its stack takes memory; this is what it may touch.
const STACK_SIZE: usize = 256 * 1024;

/// The pause after a failed `accept`: without it, a server that is out of descriptors spins.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

type Handler = dyn Fn(&mut Connection) -> Result<(), Error> + Send + Sync;

/// A WebSocket server: a listening socket, and what lives at its paths.
/// The crate's front page has an example.
pub struct Server {
    listener: TcpListener,
    service: Service,
}

/// What the threads of all clients share.
#[derive(Default)]
struct Service {
    config: Config,
    routes: HashMap<String, Box<Handler>>,
    pages: HashMap<String, String>,
}

impl Server {
    /// Listens on `address`. With port 0 the system picks one: see [`local_addr`](Server::local_addr). An error is
    /// what the system says, for example that the address is in use.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<Server> {
        Ok(Server { listener: TcpListener::bind(address)?, service: Service::default() })
    }

    /// Replaces the limits and timeouts.
    pub fn config(mut self, config: Config) -> Server {
        self.service.config = config;
        self
    }

    /// Lets `handler` serve the WebSocket clients of `path`, each in a thread of its own. If it returns an error or
    /// panics, its client gets Close 1011, and nobody else notices.
    pub fn route<H>(mut self, path: &str, handler: H) -> Server
    where
        H: Fn(&mut Connection) -> Result<(), Error> + Send + Sync + 'static,
    {
        self.service.routes.insert(path.to_owned(), Box::new(handler));
        self
    }

    /// Answers a plain GET of `path` with an HTML page. The same path may have a [`route`](Server::route) too.
    pub fn page(mut self, path: &str, html: &str) -> Server {
        self.service.pages.insert(path.to_owned(), html.to_owned());
        self
    }

    /// The address that the server listens on, or the system's error.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Accepts clients, a thread each, for as long as the process lives. A failing `accept` or a missing thread is
    /// logged, and the server goes on.
    pub fn run(self) -> io::Result<()> {
        let service = Arc::new(self.service);
        let mut accept_fails = false;
        loop {
            match self.listener.accept() {
                Ok((stream, peer)) => {
                    accept_fails = false;
                    spawn(&service, stream, peer);
                }
                // The client left before its turn came, or a signal was handled.
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                Err(error) => {
                    if !accept_fails {
                        log::error!("accept: {error}; trying again every {ACCEPT_PAUSE:?}");
                    }
                    accept_fails = true;
                    thread::sleep(ACCEPT_PAUSE);
                }
            }
        }
    }
}

/// Starts the client's thread. If there is none to be had, the client is told, and the server lives on.
fn spawn(service: &Arc<Service>, stream: TcpStream, peer: SocketAddr) {
    let stream = Arc::new(stream);
    let (service, its_stream) = (Arc::clone(service), Arc::clone(&stream));
    let thread = thread::Builder::new().name(format!("client-{peer}")).stack_size(STACK_SIZE);
    if let Err(error) = thread.spawn(move || service.client(its_stream, peer)) {
        log::error!("no thread for {peer}: {error}");
        let response = Response::from(&HandshakeError::TooManyClients);
        // A fresh socket takes this much without waiting.
        let _ = (&*stream).write_all(&response.encode(Method::Get));
    }
}

/// What the answer to a request is, apart from a fault.
enum Answer<'a> {
    Upgrade(Response, &'a Handler),
    Page(Response),
}

impl Service {
    /// One client's life.
    fn client(&self, stream: Arc<TcpStream>, peer: SocketAddr) {
        // A client that takes no byte for this long is as gone as one that sends none.
        let patience = self.config.ping_interval + self.config.pong_timeout;
        if let Err(error) = stream.set_nodelay(true).and_then(|()| stream.set_write_timeout(Some(patience))) {
            return log::debug!("{peer}: {error}");
        }
        let mut inbox = Inbox::new(Arc::clone(&stream));
        let (request, handler) = match self.handshake(&stream, &mut inbox, peer) {
            Ok(Some(accepted)) => accepted,
            Ok(None) => return,
            Err(error) => return log::debug!("{peer}: gone during the handshake: {error}"),
        };
        log::debug!("{peer}: connected to {:?}", request.resource_name);

        let mut connection = Connection::new(peer, request, stream, inbox, &self.config);
        let result = catch_unwind(AssertUnwindSafe(|| handler(&mut connection)));
        let code = match &result {
            Ok(Ok(())) => CloseCode::NORMAL,
            _ => CloseCode::INTERNAL_ERROR,
        };
        let closed = connection.finish(code);
        match result.unwrap_or_else(|_| Err(Error::handler("panicked"))).and(closed) {
            Ok(()) => log::debug!("{peer}: closed"),
            Err(error @ Error::Handler(_)) => log::error!("{peer}: {error}"),
            Err(error @ Error::Protocol(_)) => log::info!("{peer}: failed: {error}"),
            Err(error) => log::debug!("{peer}: ended without a clean close: {error}"),
        }
    }

    /// Reads the request and answers it. `None`: the answer was no upgrade, and the connection is over.
    fn handshake(
        &self,
        mut stream: &TcpStream,
        inbox: &mut Inbox,
        peer: SocketAddr,
    ) -> io::Result<Option<(Request, &Handler)>> {
        // One deadline for the whole head: a timeout per read would let a byte a second go on forever.
        let deadline = Instant::now() + self.config.handshake_timeout;
        let request = loop {
            match Request::parse(inbox.unread()) {
                Ok(Some((request, used))) => {
                    inbox.consume(used);
                    break Ok(request);
                }
                Ok(None) => {}
                Err(fault) => break Err(fault),
            }
            match inbox.fill(Some(deadline)) {
                Err(error) if error.kind() == ErrorKind::TimedOut => break Err(HandshakeError::Timeout),
                filled => filled?,
            }
        };
        let method = request.as_ref().map_or(Method::Get, |request| request.method);
        let answer = request.and_then(|request| Ok((self.answer(&request)?, request)));
        let response = match answer {
            Ok((Answer::Upgrade(response, handler), request)) => {
                stream.write_all(&response.encode(method))?;
                stream.set_read_timeout(None)?;
                return Ok(Some((request, handler)));
            }
            Ok((Answer::Page(response), _)) => response,
            Err(fault) => {
                let response = Response::from(&fault);
                log::info!("{peer}: refused with {}: {fault}", response.status.0);
                response
            }
        };
        stream.write_all(&response.encode(method))?;
        stream.shutdown(Shutdown::Write)?;
        inbox.drain(Instant::now() + self.config.close_timeout);
        Ok(None)
    }

    fn answer(&self, request: &Request) -> Result<Answer<'_>, HandshakeError> {
        let route = self.routes.get(request.path());
        if request.wants_websocket() {
            let handler = route.ok_or(HandshakeError::NotFound)?;
            Ok(Answer::Upgrade(request.accept(&self.config.allowed_origins)?, &**handler))
        } else if let Some(html) = self.pages.get(request.path()) {
            Ok(Answer::Page(Response::page(html)))
        } else if route.is_some() {
            Err(HandshakeError::UpgradeRequired)
        } else {
            Err(HandshakeError::NotFound)
        }
    }
}
