//! Compares the speed of plainsocket with a raw TCP echo, which only reads and writes, and with a server on another
//! library. README.md says what is measured and how to read it.
#![forbid(unsafe_code)]

#[path = "../../child/build.rs"]
mod build;
mod compare;
mod cores;
#[path = "../../child/deadline.rs"]
mod deadline;
mod idle;
mod load;
mod options;
mod peers;
#[path = "../../child/process.rs"]
mod process;
mod report;
mod scenario;
mod server;
mod system;

use anyhow::Result;
use options::{Command, Options};
use scenario::Kind;
use server::{Program, Server};
use std::process::ExitCode;

fn main() -> ExitCode {
    let outcome = match options::parse(lexopt::Parser::from_env()) {
        Ok(Command::Compare(options)) => compare(&options),
        Ok(Command::ServeRaw) => peers::raw::serve(),
        Ok(Command::ServeTungstenite) => peers::tungstenite::serve(),
        Ok(Command::Help) => {
            print!("{}", options::help());
            Ok(())
        }
        Err(error) => {
            eprintln!("plainsocket-bench: {error}; try --help");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("plainsocket-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn compare(options: &Options) -> Result<()> {
    deadline::end_on_signals()?;
    let (plainsocket, plain) = (build::release_server(false)?, build::release_server(true)?);
    // The process is moved only now, because the builds use every core.
    let cores = cores::split();
    report::preface(options, cores);
    let programs = [Program::Raw, Program::Plainsocket(plainsocket), Program::Plain(plain), Program::Tungstenite];
    let servers = programs.iter().map(|program| Server::start(program, cores)).collect::<Result<Vec<_>>>()?;
    for scenario in &options.scenarios {
        eprintln!("measuring {}: {}", scenario.name, scenario.title);
        match &scenario.kind {
            Kind::Load(load) => {
                let rows = compare::run(load, &servers, options, cores)?;
                report::load(scenario, &rows);
            }
            Kind::Idle => {
                let rows = idle::run(&programs, cores)?;
                report::idle(scenario, &rows);
            }
        }
    }
    Ok(())
}
