//! Every check of the exercises against the real server: each step can be solved, and there is no second solution to rot.

mod checks;
#[path = "checks/adapter/mod.rs"]
mod my_server;

use checks::steps::STEPS;
use checks::subject::MY_SERVER;
use std::thread;
use std::time::Duration;

/// Nothing is waited for in vain here, so a slow machine may take its time.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn the_real_server_passes_every_step() {
    // All at once: some steps wait for the heartbeat, others for a slow member to be given up.
    thread::scope(|scope| {
        for step in STEPS {
            scope.spawn(move || {
                let outcome = step.run(MY_SERVER, PATIENCE);
                assert!(outcome.is_ok(), "step {}\n{}", step.number, outcome.unwrap_err().card(step));
            });
        }
    });
}
