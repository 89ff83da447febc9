//! Checks that the server loses nothing, leaks nothing and does not crash while good and bad clients use it for a long
//! time. README.md says what is counted and when a run passes.
#![forbid(unsafe_code)]

#[path = "../../child/build.rs"]
mod build;
mod clients;
#[path = "../../child/deadline.rs"]
mod deadline;
mod options;
#[path = "../../child/process.rs"]
mod process;
mod server;
mod system;
mod tally;
mod verdict;
mod wire;

use anyhow::Result;
use clients::Mix;
use options::{Command, Options};
use server::Server;
use std::process::ExitCode;
use std::time::Duration;
use verdict::Verdict;

/// After this time the allocator's memory has reached its size.
const WARM_UP: Duration = Duration::from_secs(40);

fn main() -> ExitCode {
    let outcome = match options::parse(lexopt::Parser::from_env()) {
        Ok(Command::Soak(options)) => soak(&options),
        Ok(Command::Help) => {
            print!("{}", options::HELP);
            Ok(true)
        }
        Err(error) => {
            eprintln!("plainsocket-soak: {error}; try --help");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("plainsocket-soak: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether the run has passed.
fn soak(options: &Options) -> Result<bool> {
    deadline::end_on_signals()?;
    let server = Server::start(&build::release_server(false)?)?;
    println!("server at {}, seed {}", server.address, options.seed);

    println!("\nwarm-up, {WARM_UP:?}");
    Mix::new(&server, options.seed, WARM_UP).run()?;
    let before = server.wait_until_quiet()?;

    println!("\nsoak, {:?}", options.length);
    let tally = Mix::new(&server, options.seed.wrapping_add(1), options.length).run()?;
    let after = server.wait_for_as_quiet_as(&before)?;

    println!("\nthe server without clients:");
    println!("  at the start   {before}\n  at the end     {after}\n");
    let (exit_code, log) = server.end()?;
    let verdict = Verdict { tally, before, after, exit_code, log };
    Ok(verdict.tell())
}
