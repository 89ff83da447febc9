//! The data that the threads of all clients share: the limits, the routes, and the registry.

use super::drain::Drain;
use super::refusal::Refusals;
use super::registry::Registry;
use super::routes::{Paths, Route};
use super::speed::BufferPool;
use crate::config::Config;
use crate::protocol::response::Response;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The reply to a plain GET.
pub(super) type Page = Box<dyn Fn() -> Response + Send + Sync>;

/// See the top of this file. A [`Server`](super::Server) fills it before it runs; from then on nothing in it is
/// replaced.
pub(super) struct Service {
    pub(super) config: Config,
    pub(super) routes: Paths<Route>,
    /// For each path, the preferred one first.
    pub(super) subprotocols: Paths<Vec<String>>,
    pub(super) pages: Paths<Page>,
    pub(super) registry: Arc<Registry>,
    pub(super) buffer_pool: Arc<BufferPool>,
    pub(super) drain: Arc<Drain>,
    pub(super) refusals: Refusals,
    /// Whether there was no thread for the last client: an outage is logged once.
    pub(super) no_thread: AtomicBool,
}

impl Service {
    /// Returns a service without paths. The error is that the system has no file descriptor or thread left.
    pub(super) fn new() -> io::Result<Service> {
        let config = Config::default();
        let registry = Arc::new(Registry::default());
        registry.budget().set_limits(config.max_memory, config.max_backlog);
        Ok(Service {
            config,
            routes: Paths::default(),
            subprotocols: Paths::default(),
            pages: Paths::default(),
            registry,
            buffer_pool: Arc::default(),
            drain: Drain::start()?,
            refusals: Refusals::default(),
            no_thread: AtomicBool::new(false),
        })
    }
}
