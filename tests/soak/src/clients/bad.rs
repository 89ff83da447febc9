//! The common part of all bad clients: they connect, misbehave in a random way, and must be ended in the way that fits.

use super::Mix;
use anyhow::Result;
use rand::RngExt as _;
use rand::rngs::StdRng;
use std::thread;
use std::time::Duration;

/// A way to misbehave, and its name. An error says that the server did not react as it should.
pub type Habit = (&'static str, fn(&Mix, &mut StdRng) -> Result<()>);

pub fn live(mix: &Mix, random: &mut StdRng, habits: &[Habit]) {
    while !mix.is_over() {
        let (name, misbehave) = habits[random.random_range(0..habits.len())];
        match misbehave(mix, random) {
            Ok(()) => mix.tally.ends.add(1),
            Err(error) => {
                mix.tally.surprises.add(1);
                mix.tally.complain(format!("{name}: {error:#}"));
            }
        }
        thread::sleep(Duration::from_millis(random.random_range(5..50)));
    }
}
