//! The command line.

use crate::scenario::{SCENARIOS, Scenario};
use lexopt::{Arg, ValueExt as _};
use std::time::Duration;

/// The action that the command line asks for.
pub enum Command {
    Compare(Options),
    /// Serve as a server to compare with. This program uses these two itself, when it starts a copy of itself.
    ServeRaw,
    ServeTungstenite,
    Help,
}

pub struct Options {
    pub scenarios: Vec<&'static Scenario>,
    pub rounds: usize,
    /// The time of one reading, without its warm-up.
    pub length: Duration,
}

const HELP: &str = "\
Measures plainsocket, end to end, beside a raw TCP echo and beside tungstenite.

Usage: cargo run --release --manifest-path tests/bench/Cargo.toml -- [OPTIONS]

  --scenarios A,B,...    what to measure, from the list below [all]
  --rounds N             how often each server is measured [5]
  --seconds S            how long each time; takes decimals [1]
  --help                 print this

";

pub fn help() -> String {
    let list = SCENARIOS.iter().map(|scenario| format!("  {:4} {}\n", scenario.name, scenario.title));
    HELP.to_owned() + &list.collect::<String>()
}

pub fn parse(mut arguments: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let mut options = Options { scenarios: SCENARIOS.iter().collect(), rounds: 5, length: Duration::from_secs(1) };
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("scenarios") => options.scenarios = arguments.value()?.parse_with(scenarios)?,
            Arg::Long("rounds") => options.rounds = arguments.value()?.parse_with(rounds)?,
            Arg::Long("seconds") => options.length = arguments.value()?.parse_with(seconds)?,
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            Arg::Value(word) if word == "serve-raw" => return Ok(Command::ServeRaw),
            Arg::Value(word) if word == "serve-tungstenite" => return Ok(Command::ServeTungstenite),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Command::Compare(options))
}

fn scenarios(names: &str) -> Result<Vec<&'static Scenario>, String> {
    let find = |name: &str| {
        let found = SCENARIOS.iter().find(|scenario| scenario.name == name);
        found.ok_or_else(|| format!("there is no scenario {name}"))
    };
    names.split(',').map(find).collect()
}

fn rounds(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("it must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(error.to_string()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if (0.05..=60.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        Ok(_) => Err("it must be between 0.05 and 60".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
