//! Step 17, further: the thread that watches: when it looks, at whom, and what it holds meanwhile.

use super::guard;
use super::heartbeat::{INTERVAL, WHY, expect_ping, start};
use super::lesson::{Lesson, Trial};
use super::mistakes::Mistake;
use super::push::wait_for_much;
use super::running::{Running, quick};
use super::subject::Subject;
use super::talk::{Seen, masked};
use super::words::Settings;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// With this interval a client gets many Pings in a second, if the watch looks often enough.
const SHORT: Duration = Duration::from_millis(20);

pub fn the_watch_outlasts_every_client(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let settings = Settings { ping_interval: SHORT, pong_timeout: trial.patience * 10, ..quick() };
    let server = Running::start(subject, settings);
    for sent in
        ["nothing, as the first client, which connects a moment after the start", "nothing, after all others have left"]
    {
        // Meanwhile the watch finds nobody, several times.
        thread::sleep(SHORT * 3);
        let mut talk = server.connect(trial, "/echo")?;
        expect_ping(&mut talk, sent).map_err(|lesson| match lesson.mistake {
            Some(Mistake::NoPing) => lesson.named(Mistake::WatchEndsWithNobody),
            _ => lesson,
        })?;
        talk.send(&masked(0x88, b"\x03\xE8"));
        while matches!(talk.look(), Seen::Frame { .. }) {}
    }
    Ok(())
}

pub fn the_pause_follows_the_settings(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    const PINGS: usize = 10;
    let settings = Settings { ping_interval: SHORT, pong_timeout: trial.patience * 10, ..quick() };
    let server = Running::start(subject, settings);
    let mut talk = server.connect(trial, "/echo")?;
    // On a busy machine one of several attempts is quick enough.
    for last_attempt in [false, false, true] {
        let begin = Instant::now();
        let mut count = 0;
        while count < PINGS && begin.elapsed() < trial.patience {
            count += 1;
            let payload = expect_ping(&mut talk, "a Pong for each Ping; ping_interval is 20 ms")?;
            talk.send(&masked(0x8A, &payload));
        }
        if count == PINGS {
            break;
        }
        if last_attempt {
            trial.case("a Pong for each Ping; ping_interval is 20 ms", "ten Pings in much less than a second", WHY);
            return Err(trial.came("fewer Pings").named(Mistake::WatchPause));
        }
    }
    Ok(())
}

pub fn a_ping_that_waits_holds_no_field(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    // With these times no client is dropped.
    let (pong_timeout, send_timeout) = (trial.patience * 20, trial.patience * 20);
    let server = Running::start(subject, Settings { ping_interval: INTERVAL, pong_timeout, send_timeout, ..quick() });
    let mut full = server.connect(trial, "/chat")?;
    full.send(&masked(0x81, b"hi"));
    full.expect(0x81, b"hi")?;
    let mut loud = server.connect(trial, "/chat")?;
    let mut replies = loud.stream.try_clone().expect("a clone");
    // It reads, so its thread can wait only in a broadcast to the other one.
    thread::spawn(move || io::copy(&mut replies, &mut io::sink()));
    loud.send(&masked(0x82, &vec![7; 8 << 20]));
    wait_for_much(&full).map_err(|_| trial.came("not the message of 8 MiB that another one has sent"))?;
    // From now on a Ping for the other one waits too; an earlier one does not count any more.
    full.send(&masked(0x8A, b""));
    thread::sleep(INTERVAL * 2);
    full.send(&masked(0x88, b"\x03\xE8"));
    let begin = Instant::now();
    while begin.elapsed() < trial.patience * 2 {
        // A client that came too early waits for the first one.
        let mut new = server.connect(trial, "/chat")?;
        trial.case(
            "a client on /chat does not read, so a message for it waits, and a Ping after that; then it sends a Close, \
             and a new client on /chat says something twice",
            "the new client gets both back: the first one has left the list, as in step 16",
            "No lock is held while you write, not even that of a field: the client's own thread needs it for each frame.",
        );
        new.send(&[masked(0x81, b"one"), masked(0x81, b"two")].concat());
        let mut texts = 0;
        loop {
            match new.look_for(trial.patience / 4) {
                Seen::Frame { first: 0x81, .. } => texts += 1,
                Seen::Frame { .. } => {}
                _ => break,
            }
            if texts == 2 {
                return Ok(());
            }
        }
    }
    Err(trial.came("nothing, or only the first").named(Mistake::WatchHoldsField))
}

pub fn there_is_one_watch_for_all(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    const CLIENTS: u64 = 20;
    // If other code shares the process, its threads cannot be separated from those of the subject.
    if guard::threads().is_none() {
        return Ok(());
    }
    let server = start(subject);
    drop(server.connect(trial, "/echo")?);
    let before = guard::threads().unwrap_or_default();
    for _ in 0..CLIENTS {
        let mut talk = server.connect(trial, "/echo")?;
        talk.send(&masked(0x88, b"\x03\xE8"));
        while matches!(talk.look(), Seen::Frame { .. }) {}
    }
    trial.case(
        format!("{CLIENTS} clients, one after the other; each sends a Close and leaves"),
        "as many threads as before",
        "One thread watches everybody, and a client's own thread ends with the client.",
    );
    let begin = Instant::now();
    while guard::threads().unwrap_or_default() >= before + CLIENTS / 2 {
        if begin.elapsed() > trial.patience * 2 {
            return Err(trial.came("a thread more for each of them").named(Mistake::WatchForEach));
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
