//! The command line.

use lexopt::{Arg, ValueExt as _};
use std::time::Duration;

/// The action that the command line asks for.
pub enum Command {
    Soak(Options),
    Help,
}

pub struct Options {
    pub length: Duration,
    /// The seed of the clients' random numbers. It repeats the clients' choices, not the timing of threads and sockets.
    pub seed: u64,
}

pub const HELP: &str = "\
Good and bad clients use a plainsocket server for a while; then it is looked at for what they left behind.

Usage: cargo run --release --manifest-path tests/soak/Cargo.toml -- [OPTIONS]

  --seconds N    how long, after 40 seconds of warm-up [30]
  --seed N       the same choices of the clients once more [another one each time]
  --help         print this
";

pub fn parse(mut arguments: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let mut options = Options { length: Duration::from_secs(30), seed: rand::random_range(0..1_000_000) };
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("seconds") => options.length = Duration::from_secs(arguments.value()?.parse()?),
            Arg::Long("seed") => options.seed = arguments.value()?.parse()?,
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Command::Soak(options))
}
