//! The program: flags, the log, and the handler of each path.
#![forbid(unsafe_code)]

#[cfg(feature = "redis")]
mod bus;
mod chat;
mod clock;
mod echo;
mod events;
mod inspect;
mod logger;
mod metrics;
mod options;
mod output;
mod rooms;
mod signals;

use options::{Command, Options};
use plainsocket::Server;
use rooms::Rooms;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

const PAGE: &str = include_str!("page.html");

fn main() -> ExitCode {
    match options::parse(lexopt::Parser::from_env()) {
        Ok(Command::Serve(options)) => match serve(&options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                report(&format!("cannot listen on {}: {error}", options.listen));
                ExitCode::FAILURE
            }
        },
        Ok(Command::Print(text)) => {
            // A reader such as `head` can be gone already, which is no failure.
            output::write_last(io::stdout, &text);
            ExitCode::SUCCESS
        }
        Err(error) => {
            report(&format!("{error}; try --help"));
            ExitCode::from(2)
        }
    }
}

/// Says on stderr, in one line, why the program ends.
fn report(problem: &str) {
    output::write_last(io::stderr, &format!("plainsocket: {}\n", output::one_line(problem)));
}

/// Runs the server. Everything for shutdown exists before the first client, so that it works with all threads in use.
fn serve(options: &Options) -> io::Result<()> {
    let signals = signals::start()?;
    let _log = logger::start()?;
    let server = server(options)?;
    let handle = server.handle()?;
    let address = handle.address();
    signals.shut_down(handle.clone());
    let _clock = clock::start(handle)?;
    let listening: Vec<String> = server.local_addrs()?.iter().map(SocketAddr::to_string).collect();
    let first_lines = format!(
        "plainsocket {} listening on {}\n  page:     http://{address}/\n  terminal: websocat ws://{address}/echo\n  \
         each bit: websocat -t --no-line ws://{address}/inspect\n",
        env!("CARGO_PKG_VERSION"),
        listening.join(" and "),
    );
    // Nobody waits for them: the server serves and ends with a stdout that takes nothing too.
    let _ = output::start_writing(io::stdout(), first_lines)?;
    server.run()
}

/// Sets up what is served at which path.
fn server(options: &Options) -> io::Result<Server> {
    let mut server = Server::bind(&options::addresses(&options.listen)?[..])?
        .config(options.config.clone())
        .route("/", echo::echo)
        .route("/echo", echo::echo)
        .route("/inspect", inspect::inspect)
        .subprotocol("/inspect", inspect::JSON)
        .route(clock::PATH, clock::clock)
        .page("/", PAGE);
    server = chat_routes(server, options)?;
    if options.metrics {
        let handle = server.handle()?;
        server = server.text(metrics::PATH, metrics::CONTENT_TYPE, move || metrics::text(&handle.counters()));
    }
    Ok(server)
}

/// Sets up the chat: of this server alone, or shared with others through the bus.
fn chat_routes(mut server: Server, options: &Options) -> io::Result<Server> {
    let rooms = Arc::new(Rooms::default());
    #[cfg(feature = "redis")]
    let bus = match &options.bus {
        Some(redis) => Some(bus::Bus::start(server.handle()?, (**redis).clone(), options.bus_keep)?),
        None => None,
    };
    #[cfg(not(feature = "redis"))]
    let _ = options;
    for path in ["/chat", "/chat/*"] {
        let rooms = Arc::clone(&rooms);
        #[cfg(feature = "redis")]
        if let Some(bus) = &bus {
            let bus = Arc::clone(bus);
            let admit = move |request: &_, _| bus::admit(&rooms, &bus, request);
            server = server.route_with(path, admit, bus::chat).subprotocol(path, inspect::JSON);
            continue;
        }
        let admit = move |request: &_, _| chat::admit(&rooms, request);
        server = server.route_with(path, admit, chat::chat).subprotocol(path, inspect::JSON);
    }
    Ok(server)
}
