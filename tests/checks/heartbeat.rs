//! Step 17: who is silent gets a Ping, who stays silent is dropped (§5.5.2).

use super::lesson::{Lesson, Trial};
use super::mistakes::Mistake;
use super::running::{Running, quick};
use super::subject::Subject;
use super::talk::{FIN, Seen, Talk, masked};
use super::words::{PING, Settings};
use std::time::{Duration, Instant};

const WHY: &str = "§5.5.2: a Ping may serve \"as a means to verify that the remote endpoint is still responsive\".";

fn start(subject: &Subject) -> Running {
    let (ping_interval, pong_timeout) = (Duration::from_millis(150), Duration::from_millis(300));
    Running::start(subject, Settings { ping_interval, pong_timeout, ..quick() })
}

/// The payload of the server's next frame, which is a Ping.
fn expect_ping(talk: &mut Talk, sent: &str) -> Result<Vec<u8>, Lesson> {
    talk.trial.case(sent, "a Ping", WHY);
    match talk.look() {
        Seen::Frame { first, masked: false, payload } if first == FIN | PING => Ok(payload),
        Seen::End | Seen::Reset => Err(talk.trial.came("the end of the connection").named(Mistake::LivingDropped)),
        Seen::Nothing => Err(talk.trial.came(Seen::Nothing.to_string()).named(Mistake::NoPing)),
        seen => Err(talk.trial.came(seen.to_string())),
    }
}

pub fn a_silent_client_gets_a_ping_and_is_dropped(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let server = start(subject);
    let mut talk = server.connect(trial, "/echo")?;
    expect_ping(&mut talk, "nothing; ping_interval is 150 ms")?;
    trial.case(
        "nothing, and no Pong either; pong_timeout is 300 ms",
        "the end of the connection",
        "A client whose machine or network is gone never answers. Its thread and its socket are needed elsewhere.",
    );
    let deadline = Instant::now() + trial.patience;
    loop {
        match talk.look() {
            Seen::End | Seen::Reset => return Ok(()),
            Seen::Frame { .. } if Instant::now() < deadline => {}
            seen => return Err(trial.came(seen.to_string()).named(Mistake::NeverDropped)),
        }
    }
}

pub fn a_client_that_answers_stays(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let server = start(subject);
    let mut talk = server.connect(trial, "/echo")?;
    for _ in 0..5 {
        let payload = expect_ping(&mut talk, "nothing but a Pong for each Ping, five times")?;
        talk.send(&masked(0x8A, &payload));
    }
    Ok(())
}

pub fn a_client_that_talks_stays(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let server = start(subject);
    let mut talk = server.connect(trial, "/echo")?;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(900) {
        trial.case("a text every 60 ms, for longer than both times together", "each comes back", WHY);
        talk.send(&masked(0x81, b"I am here"));
        loop {
            match talk.look() {
                Seen::Frame { first: 0x81, .. } => break,
                // A Ping that is too early does no harm.
                Seen::Frame { first: 0x89, .. } => {}
                seen => return Err(trial.came(seen.to_string()).named(Mistake::LivingDropped)),
            }
        }
        if let Seen::End | Seen::Reset = talk.look_for(Duration::from_millis(60)) {
            return Err(trial.came("the end of the connection").named(Mistake::LivingDropped));
        }
    }
    Ok(())
}
