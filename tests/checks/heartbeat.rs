//! Step 17: a silent client gets a Ping, and a client that stays silent is dropped (§5.5.2).

use super::guard;
use super::lesson::{Lesson, Trial, hex};
use super::mistakes::Mistake;
use super::running::{Running, quick};
use super::subject::Subject;
use super::talk::{FIN, Seen, Talk, masked};
use super::words::{PING, Settings, Verdict};
use std::time::{Duration, Instant};

pub(super) const WHY: &str =
    "§5.5.2: a Ping can serve \"as a means to verify that the remote endpoint is still responsive\".";

pub(super) const INTERVAL: Duration = Duration::from_millis(150);

pub(super) fn start(subject: &Subject) -> Running {
    Running::start(subject, Settings { ping_interval: INTERVAL, pong_timeout: INTERVAL * 2, ..quick() })
}

pub fn the_verdict_goes_by_two_times(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let seconds = Duration::from_secs;
    let settings = Settings { ping_interval: seconds(20), pong_timeout: seconds(10), ..Settings::default() };
    let cases = [
        (0, None, Verdict::Fine),
        // It has just been heard, and the Ping was before that.
        (0, Some(15), Verdict::Fine),
        (19, None, Verdict::Fine),
        (20, None, Verdict::Ping),
        (100, None, Verdict::Ping),
        (20, Some(0), Verdict::Fine),
        (29, Some(9), Verdict::Fine),
        (100, Some(50), Verdict::Drop),
        (30, Some(10), Verdict::Drop),
        (100, Some(5), Verdict::Fine),
    ];
    let takes = |silent: u64, pinged: Option<u64>| (subject.verdict)(seconds(silent), pinged.map(seconds), &settings);
    // These are the results if the two times are exchanged. A constant is none of these times.
    let longer = Settings { ping_interval: seconds(200), pong_timeout: seconds(100), ..Settings::default() };
    let takes_longer =
        |silent: u64, pinged: Option<u64>| (subject.verdict)(seconds(silent), pinged.map(seconds), &longer);
    let swapped = || {
        (takes_longer(50, None), takes_longer(150, None)) == (Verdict::Fine, Verdict::Ping)
            || (takes_longer(600, Some(150)), takes_longer(600, Some(250))) == (Verdict::Fine, Verdict::Drop)
    };
    for (silent, pinged, expected) in cases {
        let asked = pinged.map_or("None".to_owned(), |since| format!("Some({since} s)"));
        trial.case(
            format!("verdict({silent} s, {asked}, ...); ping_interval is 20 s, pong_timeout 10 s"),
            format!("{expected:?}"),
            "After ping_interval of silence send a Ping; after pong_timeout without activity after that Ping, end the connection.",
        );
        let came = (subject.verdict)(seconds(silent), pinged.map(seconds), &settings);
        if came == expected {
            continue;
        }
        let mistake = match (expected, came) {
            (_, Verdict::Drop) if pinged.is_none() => Some(Mistake::DroppedUnasked),
            (Verdict::Fine, Verdict::Ping) if pinged.is_some() && silent > 0 => Some(Mistake::PingAgain),
            (Verdict::Fine, _) => Some(Mistake::TooEarly),
            (Verdict::Drop, Verdict::Ping) => Some(Mistake::PingAgain),
            (Verdict::Ping, Verdict::Fine) if takes(1000, None) == Verdict::Fine => Some(Mistake::NeverPing),
            (Verdict::Drop, Verdict::Fine) if takes(1000, Some(900)) == Verdict::Fine => Some(Mistake::NeverDrop),
            (Verdict::Ping, Verdict::Fine) if takes(silent + 1, None) == Verdict::Fine => Some(Mistake::TimesIgnored),
            (Verdict::Drop, Verdict::Fine) if takes(silent, pinged.map(|since| since + 1)) == Verdict::Fine => {
                Some(Mistake::TimesIgnored)
            }
            (_, Verdict::Fine) => Some(Mistake::TimeReached),
            _ => None,
        };
        let mistake =
            if swapped() && mistake != Some(Mistake::DroppedUnasked) { Some(Mistake::TimesSwapped) } else { mistake };
        return Err(trial.came(format!("{came:?}")).named(mistake));
    }
    a_part_of_a_second_counts(subject, trial)
}

fn a_part_of_a_second_counts(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let millis = Duration::from_millis;
    let settings = Settings { ping_interval: millis(1500), pong_timeout: millis(700), ..Settings::default() };
    let cases = [
        (1499, None, Verdict::Fine),
        (1500, None, Verdict::Ping),
        (2500, Some(699), Verdict::Fine),
        (2500, Some(700), Verdict::Drop),
    ];
    for (silent, pinged, expected) in cases {
        let asked = pinged.map_or("None".to_owned(), |since| format!("Some({since} ms)"));
        trial.case(
            format!("verdict({silent} ms, {asked}, ...); ping_interval is 1500 ms, pong_timeout 700 ms"),
            format!("{expected:?}"),
            "The times are Durations, and a part of a second counts.",
        );
        let came = (subject.verdict)(millis(silent), pinged.map(millis), &settings);
        if came == expected {
            continue;
        }
        // Much later it does not matter how a time is rounded.
        let late = [(10_000, None, Verdict::Ping), (10_000, Some(5_000), Verdict::Drop)];
        let ignored = late.iter().any(|(silent, pinged, expected)| {
            (subject.verdict)(millis(*silent), pinged.map(millis), &settings) != *expected
        });
        let mistake = if ignored { Mistake::TimesIgnored } else { Mistake::TimesRounded };
        return Err(trial.came(format!("{came:?}")).named(mistake));
    }
    Ok(())
}

/// Why nobody is served.
fn watch_ends_all(lesson: Lesson) -> Lesson {
    if lesson.came == Seen::Nothing.to_string() { lesson.named(Mistake::WatchEndsAll) } else { lesson }
}

pub fn the_watch_sleeps(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let server = start(subject);
    let why = "`watch` sleeps between two looks, a tenth of `ping_interval`. Without a sleep it burns a core.";
    trial.case("nobody is connected, for a moment", "nearly no work: a look at the list now and then", why);
    if works_without_a_pause() {
        return Err(trial.came(MUCH_WORK).named(Mistake::WatchSpins));
    }
    let _silent = server.connect(trial, "/echo").map_err(watch_ends_all)?;
    trial.case("a client that says nothing, for a moment", "nearly no work: a look at the list now and then", why);
    if works_without_a_pause() { Err(trial.came(MUCH_WORK).named(Mistake::WatchSpins)) } else { Ok(()) }
}

pub(super) const MUCH_WORK: &str = "much work of your threads, as much as this check's own";

/// Whether another thread uses a processor all the time. If other code shares the process, nobody can tell.
pub(super) fn works_without_a_pause() -> bool {
    let Some(first) = guard::processor_times() else { return false };
    // The check uses the processor too. So on a busy machine it waits as long as a busy thread of the subject would
    // need.
    let (mut own, mut others) = (Duration::ZERO, Duration::ZERO);
    while own < INTERVAL / 2 {
        let now = guard::processor_times().unwrap_or(first);
        own = now.thread.saturating_sub(first.thread);
        others = now.process.saturating_sub(first.process).saturating_sub(own);
    }
    others >= INTERVAL / 5
}

/// Expects a Ping as the server's next frame, and returns its payload.
pub(super) fn expect_ping(talk: &mut Talk, sent: &str) -> Result<Vec<u8>, Lesson> {
    talk.trial.case(sent, "a Ping", WHY);
    match talk.look() {
        Seen::Frame { first, masked: false, payload } if first == FIN | PING => Ok(payload),
        Seen::End | Seen::Reset if !talk.unread().is_empty() => Err(talk
            .trial
            .came(format!("bytes that are no frame, {}, and the end of the connection", hex(talk.unread())))),
        Seen::End | Seen::Reset => Err(talk.trial.came("the end of the connection").named(Mistake::LivingDropped)),
        Seen::Nothing => {
            let lesson = talk.trial.came(Seen::Nothing.to_string());
            if matches!(talk.look_for(talk.trial.patience * 2), Seen::Frame { first: 0x89, .. }) {
                return Err(talk.trial.came("nothing for a long time, then a Ping").named(Mistake::WatchPause));
            }
            // Finds out whether the client's own thread can still get its locks.
            talk.send(&masked(0x81, b"hi"));
            let answered = matches!(talk.look_for(talk.trial.patience / 2), Seen::Frame { .. });
            Err(lesson.named(if answered { Mistake::NoPing } else { Mistake::WatchDeadlock }))
        }
        seen => Err(talk.trial.came(seen.to_string())),
    }
}

pub fn a_silent_client_gets_a_ping_and_is_dropped(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let server = start(subject);
    // For a while nobody is connected, and `watch` goes on.
    std::thread::sleep(INTERVAL / 2);
    let mut talk = server.connect(trial, "/echo").map_err(watch_ends_all)?;
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
        Seen::End | Seen::Reset => the_next_gets_its_ping(&server, trial),
        // A Close with the reason is fine, if sending it takes no wait.
        Seen::Frame { first: 0x88, .. } => match talk.look() {
            Seen::End | Seen::Reset => Ok(()),
            seen => Err(trial.came(seen.to_string()).named(Mistake::NeverDropped)),
        },
        seen @ Seen::Frame { first: 0x89, .. } => Err(trial.came(seen.to_string()).named(Mistake::PingAgain)),
        seen @ Seen::Frame { .. } => Err(trial.came(seen.to_string())),
        seen @ Seen::Nothing => {
            let lesson = trial.came(seen.to_string());
            // Finds out whether another client can still join.
            let mut other = server.connect(trial, "/echo")?;
            other.send(&masked(0x81, b"hi"));
            let answered = matches!(other.look_for(trial.patience / 2), Seen::Frame { .. });
            Err(lesson.named(if answered { Mistake::NeverDropped } else { Mistake::WatchDeadlock }))
        }
    }
}

/// A client that connects when another has been dropped.
fn the_next_gets_its_ping(server: &Running, trial: &Trial) -> Result<(), Lesson> {
    let mut next = server.connect(trial, "/echo")?;
    expect_ping(&mut next, "one client has been dropped; another one is silent").map(drop).map_err(|lesson| {
        let ends = matches!(lesson.mistake, Some(Mistake::NoPing));
        if ends { lesson.named(Mistake::WatchEndsAtDrop) } else { lesson }
    })
}

pub fn a_client_that_answers_stays(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let server = start(subject);
    let mut talk = server.connect(trial, "/echo")?;
    for _ in 0..4 {
        let payload = expect_ping(&mut talk, "nothing but a Pong for each Ping, four times")?;
        talk.send(&masked(0x8A, &payload));
    }
    // Data is activity too, and ends the silence in which the Ping was sent.
    for _ in 0..3 {
        expect_ping(&mut talk, "an empty text for each Ping, three times")?;
        talk.send(&masked(0x81, b""));
        // On a busy machine one more Ping can be under way.
        let came = loop {
            match talk.look() {
                Seen::Frame { first: 0x89, .. } => {}
                seen => break seen,
            }
        };
        if !matches!(came, Seen::Frame { first: 0x81, .. }) {
            return Err(trial.came(came.to_string()));
        }
    }
    Ok(())
}

pub fn a_client_that_talks_stays(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    talks(subject, trial, "a text", &masked(0x81, b"I am here"), 0x81)?;
    talks(subject, trial, "a Ping", &masked(0x89, b"I am here"), 0x8A)
}

/// A client that sends this frame every 20 ms, and gets another for it.
fn talks(subject: &Subject, trial: &Trial, sent: &str, frame: &[u8], reply: u8) -> Result<(), Lesson> {
    let server = start(subject);
    let begin = Instant::now();
    let mut talk = server.connect(trial, "/echo")?;
    trial.case(
        format!("{sent} every 20 ms, for longer than both times together"),
        "each is answered, and no Ping",
        WHY,
    );
    // The server heard the client at `heard` or later, and never waited longer than `silence`.
    let (mut heard, mut silence) = (begin, Duration::ZERO);
    // Since `calm` the client has talked without a break.
    let mut calm = begin;
    while calm.elapsed() < INTERVAL * 4 && begin.elapsed() < INTERVAL * 40 {
        let sent = Instant::now();
        talk.send(frame);
        let mut echoed = false;
        loop {
            let seen = talk.look_for(if echoed { Duration::from_millis(20) } else { trial.patience });
            silence = silence.max(heard.elapsed());
            match seen {
                Seen::Frame { first, .. } if first == reply => (echoed, heard) = (true, sent),
                Seen::Nothing if echoed => break,
                // On a busy machine the client was silent against its will.
                Seen::Frame { first: 0x89, .. } if silence >= INTERVAL || Instant::now() < calm => {}
                Seen::Frame { first: 0x89, .. } => return Err(trial.came(seen.to_string()).named(Mistake::NotHeard)),
                Seen::End | Seen::Reset => {
                    return Err(trial.came("the end of the connection").named(Mistake::LivingDropped));
                }
                seen => return Err(trial.came(seen.to_string())),
            }
        }
        if silence >= INTERVAL {
            // A Ping for this break can still be on its way; after that the client begins again.
            (calm, silence) = (Instant::now() + INTERVAL, Duration::ZERO);
        }
    }
    Ok(())
}

pub fn a_ping_is_no_activity(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let (ping_interval, pong_timeout) = (Duration::from_secs(1), Duration::from_millis(50));
    let begin = Instant::now();
    let server = Running::start(subject, Settings { ping_interval, pong_timeout, ..quick() });
    let mut talk = server.connect(trial, "/echo")?;
    trial.case("nothing; ping_interval is 1 s", "a Ping", WHY);
    match talk.look_for(trial.patience + ping_interval * 2) {
        Seen::Frame { first: 0x89, .. } => {}
        seen => return Err(trial.came(seen.to_string())),
    }
    // A `watch` that sleeps for the whole interval finds too little silence the first time it looks.
    let late = begin.elapsed() > ping_interval * 17 / 10;
    trial.case(
        "nothing, and no Pong either; pong_timeout is 50 ms, and ping_interval 1 s",
        "the end of the connection, long before a second has passed since the Ping",
        "The silence of the client counts, and your own Ping does not end it.",
    );
    match talk.look_for(ping_interval * 9 / 10) {
        Seen::Nothing => {
            let mistake = if late { Mistake::WatchPause } else { Mistake::SentCountsAsHeard };
            Err(trial.came(Seen::Nothing.to_string()).named(mistake))
        }
        _ => Ok(()),
    }
}

pub fn everybody_is_watched(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let elsewhere = ("/echo", Mistake::NotAllWatched);
    // On /chat the silent ones get what the busy ones say, which is no activity of theirs.
    for (path, mistake) in [elsewhere, ("/chat", Mistake::SentCountsAsHeard)] {
        // Nobody is dropped in this check.
        let pong_timeout = trial.patience * 10;
        let server = Running::start(subject, Settings { ping_interval: INTERVAL, pong_timeout, ..quick() });
        let mut silent = (0..3).map(|_| server.connect(trial, path)).collect::<Result<Vec<_>, _>>()?;
        let mut busy = (0..5).map(|_| server.connect(trial, path)).collect::<Result<Vec<_>, _>>()?;
        trial.case(
            format!("on {path}, 5 clients send a text every 20 ms, and 3 send nothing"),
            "each of the 3 gets a Ping",
            "Silence is that of the client. One look of `watch` is at everybody, and one client's verdict does not end it.",
        );
        let mut waiting: Vec<&mut Talk> = silent.iter_mut().collect();
        let begin = Instant::now();
        while !waiting.is_empty() {
            if begin.elapsed() > trial.patience * 2 {
                return Err(trial.came("no Ping for one of the 3, or for more").named(mistake));
            }
            for talk in &mut busy {
                talk.send(&masked(0x81, b"here"));
                while matches!(talk.look_for(Duration::from_millis(1)), Seen::Frame { .. }) {}
            }
            waiting.retain_mut(|talk| {
                loop {
                    match talk.look_for(Duration::from_millis(1)) {
                        Seen::Frame { first: 0x89, .. } => break false,
                        Seen::Frame { .. } => {}
                        _ => break true,
                    }
                }
            });
        }
    }
    Ok(())
}

pub fn a_ping_that_waits_holds_no_list(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    // With these times no client is dropped.
    let (pong_timeout, send_timeout) = (trial.patience * 10, trial.patience * 10);
    let server = Running::start(subject, Settings { ping_interval: INTERVAL, pong_timeout, send_timeout, ..quick() });
    let mut full = server.connect(trial, "/echo")?;
    full.flood();
    trial.case(
        "one client does not read, so its Ping waits for the frame before it; meanwhile another one connects and says \"hi\"",
        "it gets it back",
        "As in step 16: no lock is held while you write. `clients` copies the list, and `send` comes after that.",
    );
    // By then a Ping has long been due.
    std::thread::sleep(INTERVAL * 2);
    let mut other = server.connect(trial, "/echo")?;
    other.send(&masked(0x81, b"hi"));
    loop {
        match other.look() {
            Seen::Frame { first: 0x81, .. } => return Ok(()),
            Seen::Frame { first: 0x89, payload, .. } => other.send(&masked(0x8A, &payload)),
            seen => {
                let mistake = (seen == Seen::Nothing).then_some(Mistake::WatchHoldsList);
                return Err(trial.came(seen.to_string()).named(mistake));
            }
        }
    }
}

pub fn a_ping_is_a_whole_frame(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    // With these times no client is dropped.
    let (pong_timeout, send_timeout) = (trial.patience * 10, trial.patience * 10);
    let server = Running::start(subject, Settings { ping_interval: INTERVAL, pong_timeout, send_timeout, ..quick() });
    let mut talk = server.connect(trial, "/echo")?;
    let payload = vec![b'x'; 8 << 20];
    trial.case(
        "a message of 8 MiB, whose echo the client reads late: a Ping is due by then",
        "the whole echo, and no Ping in the middle of it",
        "§5.4: frames are not interleaved. The Ping goes through Client::send, with its lock, like everything else.",
    );
    talk.send(&masked(0x82, &payload));
    std::thread::sleep(INTERVAL * 3);
    let mixed = || trial.came("an echo with other bytes in the middle").named(Mistake::PingBesideTheLock);
    loop {
        match talk.look_for(trial.patience * 3) {
            Seen::Frame { first: 0x82, payload: came, .. } if came == payload => return Ok(()),
            Seen::Frame { first: 0x82, .. } => return Err(mixed()),
            // On a slow machine a Ping is due before the message is whole.
            Seen::Frame { first: 0x89, .. } => {}
            Seen::Nothing if !talk.unread().is_empty() => return Err(mixed()),
            seen => return Err(trial.came(seen.to_string())),
        }
    }
}

pub fn a_write_that_fails_does_not_end_it(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let send_timeout = INTERVAL * 3;
    // With this time no client is dropped for being late.
    let pong_timeout = trial.patience * 10;
    let server = Running::start(subject, Settings { ping_interval: INTERVAL, pong_timeout, send_timeout, ..quick() });
    let mut full = server.connect(trial, "/echo")?;
    full.flood();
    let mut silent = server.connect(trial, "/echo")?;
    trial.case(
        "one client sends messages and reads none of the replies, so its Ping cannot be sent; another is silent, \
         but answers each Ping",
        "the other gets its Pings, also when the first has been given up",
        "One thread watches everybody. A fault of one client must not end it.",
    );
    // The Ping waits for the lock until the write of the client's own thread times out, and then as long again at most.
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
