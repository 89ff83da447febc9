//! The program: flags, log, and what lives at which path.
#![forbid(unsafe_code)]

mod chat;
mod echo;
mod inspect;
mod options;

use options::{Command, Options};
use plainsocket::{Handle, Server};
use std::io::{self, Write as _};
use std::process::{self, ExitCode};
use std::thread;

const PAGE: &str = include_str!("page.html");

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    match options::parse(lexopt::Parser::from_env()) {
        Ok(Command::Serve(options)) => match serve(&options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("plainsocket: cannot listen on {}: {error}", options.listen);
                ExitCode::FAILURE
            }
        },
        Ok(Command::Print(text)) => {
            // A reader such as `head` may be gone; that is no failure.
            let _ = io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("plainsocket: {error}; try --help");
            ExitCode::from(2)
        }
    }
}

fn serve(options: &Options) -> io::Result<()> {
    let server = Server::bind(options.listen.as_str())?
        .config(options.config.clone())
        .route("/", echo::echo)
        .route("/echo", echo::echo)
        .route("/chat", chat::chat)
        .route("/inspect", inspect::inspect)
        .subprotocol("/inspect", inspect::JSON)
        .page("/", PAGE);
    shut_down_on_signal(server.handle()?);
    let address = server.local_addr()?;
    let _ = writeln!(
        io::stdout(),
        "plainsocket {} listening on {address}\n  page:     http://{address}/\n  terminal: websocat ws://{address}/echo\n  \
         each bit: websocat ws://{address}/inspect",
        env!("CARGO_PKG_VERSION"),
    );
    server.run()
}

/// SIGINT and SIGTERM (and SIGHUP) end the server calmly, a second one ends it at once.
fn shut_down_on_signal(handle: Handle) {
    let mut handle = Some(handle);
    let registered = ctrlc::set_handler(move || match handle.take() {
        // In a thread of its own, so that this one is free for the second signal.
        Some(handle) => drop(thread::spawn(move || handle.shutdown())),
        None => process::exit(130),
    });
    if let Err(error) = registered {
        log::warn!("signals end the server at once: {error}");
    }
}
