//! Step 17: who is silent gets a Ping, who stays silent is dropped (§5.5.2).

use super::lesson::{Lesson, Trial};
use super::mistakes::Mistake;
use super::running::{Running, quick};
use super::subject::Subject;
use super::talk::{FIN, Seen, Talk, masked};
use super::words::{PING, Settings, Verdict};
use std::time::{Duration, Instant};

const WHY: &str = "§5.5.2: a Ping may serve \"as a means to verify that the remote endpoint is still responsive\".";

const INTERVAL: Duration = Duration::from_millis(150);

fn start(subject: &Subject) -> Running {
    Running::start(subject, Settings { ping_interval: INTERVAL, pong_timeout: INTERVAL * 2, ..quick() })
}

pub fn the_verdict_goes_by_two_times(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let seconds = Duration::from_secs;
    let settings = Settings { ping_interval: seconds(20), pong_timeout: seconds(10), ..Settings::default() };
    let cases = [
        (0, None, Verdict::Fine),
        (19, None, Verdict::Fine),
        (20, None, Verdict::Ping),
        (100, None, Verdict::Ping),
        (20, Some(0), Verdict::Fine),
        (29, Some(9), Verdict::Fine),
        (100, Some(50), Verdict::Drop),
        (30, Some(10), Verdict::Drop),
        (100, Some(5), Verdict::Fine),
    ];
    for (silent, pinged, expected) in cases {
        let asked = pinged.map_or("None".to_owned(), |since| format!("Some({since} s)"));
        trial.case(
            format!("verdict({silent} s, {asked}, ...); ping_interval is 20 s, pong_timeout 10 s"),
            format!("{expected:?}"),
            "After ping_interval of silence a Ping; after pong_timeout without a sign of life since that Ping, the end.",
        );
        let came = (subject.verdict)(seconds(silent), pinged.map(seconds), &settings);
        let mistake = match (expected, came) {
            (_, Verdict::Drop) if pinged.is_none() => Some(Mistake::DroppedUnasked),
            (Verdict::Fine, Verdict::Ping) if pinged.is_some() => Some(Mistake::PingAgain),
            (Verdict::Fine, _) => Some(Mistake::TooEarly),
            (Verdict::Drop, Verdict::Ping) => Some(Mistake::PingAgain),
            (_, Verdict::Fine) => Some(Mistake::TimeReached),
            _ => None,
        };
        trial.equal(came, expected).map_err(|lesson| lesson.named(mistake))?;
    }
    Ok(())
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
    let mut talk = server.connect(trial, "/echo").map_err(|lesson| match lesson.came == Seen::Nothing.to_string() {
        true => lesson.named(Mistake::WatchEndsAll),
        false => lesson,
    })?;
    expect_ping(&mut talk, "nothing; ping_interval is 150 ms").map_err(|lesson| match lesson.mistake {
        Some(Mistake::LivingDropped) => lesson.named(Mistake::DroppedUnasked),
        _ => lesson,
    })?;
    trial.case(
        "nothing, and no Pong either; pong_timeout is 300 ms",
        "the end of the connection, and no second Ping before it",
        "A client whose machine or network is gone never answers. Its thread and its socket are needed elsewhere.",
    );
    match talk.look() {
        Seen::End | Seen::Reset => Ok(()),
        // It may be told why, where that takes no wait.
        Seen::Frame { first: 0x88, .. } => match talk.look() {
            Seen::End | Seen::Reset => Ok(()),
            seen => Err(trial.came(seen.to_string()).named(Mistake::NeverDropped)),
        },
        seen @ Seen::Frame { first: 0x89, .. } => Err(trial.came(seen.to_string()).named(Mistake::PingAgain)),
        seen @ Seen::Frame { .. } => Err(trial.came(seen.to_string())),
        seen @ Seen::Nothing => Err(trial.came(seen.to_string()).named(Mistake::NeverDropped)),
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
    let begin = Instant::now();
    let mut talk = server.connect(trial, "/echo")?;
    trial.case("a text every 20 ms, for longer than both times together", "each comes back, and no Ping", WHY);
    // The server has heard the client at this time or later, and never waited longer than this.
    let (mut heard, mut silence) = (begin, Duration::ZERO);
    while begin.elapsed() < INTERVAL * 6 {
        let sent = Instant::now();
        talk.send(&masked(0x81, b"I am here"));
        let mut echoed = false;
        loop {
            let seen = talk.look_for(if echoed { Duration::from_millis(20) } else { trial.patience });
            silence = silence.max(heard.elapsed());
            match seen {
                Seen::Frame { first: 0x81, .. } => (echoed, heard) = (true, sent),
                Seen::Nothing if echoed => break,
                // On a busy machine the client has been silent against its will.
                Seen::Frame { first: 0x89, .. } if silence >= INTERVAL => {}
                Seen::Frame { first: 0x89, .. } => return Err(trial.came(seen.to_string()).named(Mistake::NotHeard)),
                Seen::End | Seen::Reset => {
                    return Err(trial.came("the end of the connection").named(Mistake::LivingDropped));
                }
                seen => return Err(trial.came(seen.to_string())),
            }
        }
    }
    Ok(())
}

pub fn a_write_that_fails_does_not_end_it(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let send_timeout = INTERVAL * 3;
    // Nobody is dropped here for being late.
    let pong_timeout = trial.patience * 10;
    let server = Running::start(subject, Settings { ping_interval: INTERVAL, pong_timeout, send_timeout, ..quick() });
    let mut full = server.connect(trial, "/echo")?;
    full.flood();
    let mut silent = server.connect(trial, "/echo")?;
    trial.case(
        "one client sends messages and reads none of what comes back, so its Ping cannot be sent; another is silent, \
         but answers each Ping",
        "the other gets its Pings, also when the first has been given up",
        "One thread watches everybody. What goes wrong with one client must not end it.",
    );
    // The Ping waits for the lock until the client's own thread is given up, and then for as long at most.
    let begin = Instant::now();
    while begin.elapsed() < send_timeout * 2 + INTERVAL {
        match silent.look_for(trial.patience * 2) {
            Seen::Frame { first: 0x89, payload, .. } => silent.send(&masked(0x8A, &payload)),
            seen @ Seen::Nothing => return Err(trial.came(seen.to_string()).named(Mistake::HeartbeatEnds)),
            seen => return Err(trial.came(seen.to_string())),
        }
    }
    Ok(())
}
