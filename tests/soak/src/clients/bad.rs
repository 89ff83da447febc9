//! What all bad clients share: they come, misbehave in a way that is drawn, and must meet the end that belongs to it.

use super::Mix;
use anyhow::Result;
use rand::RngExt as _;
use rand::rngs::StdRng;
use std::thread;
use std::time::Duration;

/// A way to misbehave, and its name. The error is that the server did something else than it should.
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
