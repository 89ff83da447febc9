//! The limits and timeouts of a server.

use std::time::Duration;

/// The limits and timeouts of a [`Server`](crate::Server). `Config::default()` holds the values named below.
///
/// ```
/// use plainsocket::Config;
/// let config = Config { max_message_size: 64 * 1024, ..Config::default() };
/// assert_eq!(config.max_clients, 10_000);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The most connections at a time, those in their handshake too; one more gets 503. 10,000.
    pub max_clients: usize,
    /// The most connections at a time from one IP address; one more gets 429. No limit.
    pub max_clients_per_ip: Option<usize>,
    /// The largest message in bytes, summed over its fragments; a larger one is closed with 1009. 16 MiB.
    pub max_message_size: usize,
    /// How many bytes may wait for one client that does not read as fast as others send. If more wait when the next message
    /// arrives, the client is evicted; one message on top of little may always wait. Default: 16 MiB.
    pub max_backlog: usize,
    /// How many bytes all clients together may make the server hold: unfinished messages, frames that wait, requests. A
    /// client that needs more is closed with 1013; among slow clients, the slowest is evicted first. Default: 1 GiB.
    pub max_memory: usize,
    /// The time for the whole handshake, from accept to the blank line. 10 s.
    pub handshake_timeout: Duration,
    /// A client that is silent for this long while its thread waits for it gets a Ping. 20 s.
    pub ping_interval: Duration,
    /// A client that stays silent for this long after the Ping is dropped. 20 s.
    pub pong_timeout: Duration,
    /// The longest wait for the client's part of the closing handshake, and for a refused one to read why. 5 s.
    pub close_timeout: Duration,
    /// The Origins whose pages may connect (§10.2), compared as they stand; empty: every Origin. Empty.
    pub allowed_origins: Vec<String>,
}

impl Config {
    /// The same with each time between a millisecond and a year: shorter ones leave no time to answer, and longer ones
    /// overflow the clock.
    pub(crate) fn within_reason(mut self) -> Config {
        let [shortest, longest] = [Duration::from_millis(1), Duration::from_secs(365 * 24 * 3600)];
        let times =
            [&mut self.handshake_timeout, &mut self.ping_interval, &mut self.pong_timeout, &mut self.close_timeout];
        for time in times {
            *time = (*time).clamp(shortest, longest);
        }
        self
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            max_clients: 10_000,
            max_clients_per_ip: None,
            max_message_size: 16 * 1024 * 1024,
            max_backlog: 16 * 1024 * 1024,
            max_memory: 1024 * 1024 * 1024,
            handshake_timeout: Duration::from_secs(10),
            ping_interval: Duration::from_secs(20),
            pong_timeout: Duration::from_secs(20),
            close_timeout: Duration::from_secs(5),
            allowed_origins: Vec::new(),
        }
    }
}
