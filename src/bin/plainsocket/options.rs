//! The command line.

use lexopt::{Arg, ValueExt as _};
use plainsocket::Config;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

/// The task that the command line gives.
pub enum Command {
    Serve(Options),
    /// Print this text and exit: `--help`, `--version`.
    Print(String),
}

pub struct Options {
    pub listen: String,
    pub config: Config,
    /// Whether `GET /metrics` is answered.
    pub metrics: bool,
    /// The Redis that connects this server with others.
    #[cfg(feature = "redis")]
    pub bus: Option<Box<redis::ConnectionInfo>>,
    /// How many messages a stream of the bus keeps.
    #[cfg(feature = "redis")]
    pub bus_keep: usize,
}

const HELP: &str = "\
A WebSocket server on plain sockets, one thread per client.

Usage: plainsocket [OPTIONS]

  --listen HOST:PORT          where to listen; *:PORT is every address [127.0.0.1:8000]
  --max-clients N             clients at a time; one more gets 503 [10000]
  --max-clients-per-ip N      clients at a time from one IP; one more gets 429 [no limit]
  --max-message-size BYTES    the largest message; a larger one is closed with 1009 [16777216]
  --max-backlog BYTES         what can be queued for a client that reads slowly before it is evicted [16777216]
  --max-memory BYTES          memory for all clients together; one that needs more gets 1013 [1073741824]
  --handshake-timeout SECS    time for the whole handshake [10]
  --ping-interval SECS        silence before a Ping [20]
  --pong-timeout SECS         silence after the Ping before the client is dropped, and the longest
                              that a byte can be queued for it [20]
  --close-timeout SECS        the longest wait for the client's Close [5]
  --allow-origin ORIGIN       let pages of this Origin connect too; can be repeated; any: all [the server's own]
  --compress [context]        compress messages with clients that offer it; context: each client keeps its windows [off]
  --metrics                   show counters at /metrics, for Prometheus [404]
  --bus redis://HOST:PORT/    share the chat with other servers; in a build with --features redis [none]
  --bus-keep N                messages that the bus keeps of each room, or some more [10000]
  --help                      print this
  --version                   print the version

Paths: /echo (and /), /chat and /chat/ROOM (?name=NAME with the subprotocol plainsocket.json), /clock, /inspect, and the
page at /.

SECS takes decimals. RUST_LOG sets the log's level: error, warn, info (the default), debug.
RUST_LOG=plainsocket::wire=trace shows every frame, and what clients say in them.
SIGINT, SIGTERM and SIGHUP let clients finish, with exit code 0; another one, after a second or more, ends at once.
";

pub fn parse(mut arguments: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let mut options = Options {
        listen: "127.0.0.1:8000".to_owned(),
        config: Config::default(),
        metrics: false,
        #[cfg(feature = "redis")]
        bus: None,
        #[cfg(feature = "redis")]
        bus_keep: 10_000,
    };
    let config = &mut options.config;
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("listen") => options.listen = arguments.value()?.string()?,
            Arg::Long("max-clients") => config.max_clients = count(&mut arguments)?,
            Arg::Long("max-clients-per-ip") => config.max_clients_per_ip = Some(count(&mut arguments)?),
            Arg::Long("max-message-size") => config.max_message_size = count(&mut arguments)?,
            Arg::Long("max-backlog") => config.max_backlog = count(&mut arguments)?,
            Arg::Long("max-memory") => config.max_memory = count(&mut arguments)?,
            Arg::Long("handshake-timeout") => config.handshake_timeout = seconds(&mut arguments)?,
            Arg::Long("ping-interval") => config.ping_interval = seconds(&mut arguments)?,
            Arg::Long("pong-timeout") => config.pong_timeout = seconds(&mut arguments)?,
            Arg::Long("close-timeout") => config.close_timeout = seconds(&mut arguments)?,
            Arg::Long("allow-origin") => arguments.value()?.parse_with(|text| config.allow_origin(text))?,
            Arg::Long("compress") => compress(&mut arguments, config)?,
            Arg::Long("metrics") => options.metrics = true,
            #[cfg(feature = "redis")]
            Arg::Long("bus") => {
                // `parse_with` would show the value, and a password can be in it.
                let server = crate::bus::parse_url(&arguments.value()?.string()?);
                options.bus = Some(server.map_err(|error| format!("invalid --bus: {error}"))?.into());
            }
            #[cfg(feature = "redis")]
            Arg::Long("bus-keep") => options.bus_keep = count(&mut arguments)?,
            #[cfg(not(feature = "redis"))]
            Arg::Long("bus" | "bus-keep") => return Err("--bus needs a build with --features redis".into()),
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Print(HELP.to_owned())),
            Arg::Long("version") | Arg::Short('V') => {
                return Ok(Command::Print(format!("plainsocket {}\n", env!("CARGO_PKG_VERSION"))));
            }
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Command::Serve(options))
}

/// Parses `--compress`, `--compress context` and `--compress=context`.
#[cfg(feature = "deflate")]
fn compress(arguments: &mut lexopt::Parser, config: &mut Config) -> Result<(), lexopt::Error> {
    let next = arguments.try_raw_args().and_then(|mut raw| raw.next_if(|next| next == "context"));
    config.compression = match next.or_else(|| arguments.optional_value()) {
        None => plainsocket::Compression::PerMessage,
        Some(value) => value.parse_with(|text| match text {
            "context" => Ok(plainsocket::Compression::Context),
            _ => Err("it must be context, or nothing"),
        })?,
    };
    Ok(())
}

#[cfg(not(feature = "deflate"))]
fn compress(_: &mut lexopt::Parser, _: &mut Config) -> Result<(), lexopt::Error> {
    Err("--compress: built without it; build with --features deflate".into())
}

/// Returns the addresses that `--listen` names: all of the host, and for `*:8000` or `:8000` all of the machine.
pub fn addresses(listen: &str) -> io::Result<Vec<SocketAddr>> {
    if let Some(port) = listen.strip_prefix('*').unwrap_or(listen).strip_prefix(':').and_then(|port| port.parse().ok())
    {
        // IPv6 first, because on most systems its socket accepts clients of IPv4 too.
        return Ok(vec![(Ipv6Addr::UNSPECIFIED, port).into(), (Ipv4Addr::UNSPECIFIED, port).into()]);
    }
    let found = listen.to_socket_addrs().map_err(|error| match error.kind() {
        ErrorKind::InvalidInput => io::Error::other(format!("{error}; it reads 127.0.0.1:8000, [::1]:8000 or *:8000")),
        _ => error,
    })?;
    Ok(found.collect())
}

fn count(arguments: &mut lexopt::Parser) -> Result<usize, lexopt::Error> {
    arguments.value()?.parse_with(|text| match text.parse::<usize>() {
        Ok(0) => Err("it must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(error.to_string()),
    })
}

/// Parses seconds with decimals. A year is as good as forever, and keeps sums of timeouts from overflowing.
fn seconds(arguments: &mut lexopt::Parser) -> Result<Duration, lexopt::Error> {
    const YEAR: f64 = 365.0 * 24.0 * 3600.0;
    arguments.value()?.parse_with(|text| match text.parse::<f64>() {
        Ok(seconds) if (0.001..=YEAR).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        Ok(_) => Err("it must be between 0.001 and a year".to_owned()),
        Err(error) => Err(error.to_string()),
    })
}
