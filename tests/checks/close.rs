//! Step 13: the closing handshake: the answer to a Close, and the end of TCP (§5.5.1, §7).

use super::guard::{self, Task};
use super::lesson::{Lesson, Trial, hex};
use super::mistakes::Mistake;
use super::subject::Subject;
use super::talk::{Seen, Talk, connected_pair, reset};
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

fn code(payload: &[u8]) -> Option<u16> {
    payload.first_chunk().map(|&bytes| u16::from_be_bytes(bytes))
}

fn takes(subject: &Subject, code: u16) -> bool {
    (subject.answer_close)(&code.to_be_bytes()).starts_with(&code.to_be_bytes())
}

/// Gives the Close payload `sent` to `answer_close`; the answer begins with the code `expected`, or is empty.
fn answer(
    subject: &Subject,
    trial: &Trial,
    sent: &[u8],
    expected: Option<u16>,
    why: &'static str,
) -> Result<(), Lesson> {
    let wanted = expected.map_or("an empty payload".to_owned(), |code| {
        format!("{} (code {code}), with or without a reason", hex(&code.to_be_bytes()))
    });
    let sent_code = code(sent).map_or(String::new(), |code| format!(" (code {code})"));
    let payload = if sent.is_empty() { "an empty payload".to_owned() } else { format!("the payload {}", hex(sent)) };
    trial.case(format!("answer_close, with {payload}{sent_code}"), wanted, why);
    let came = (subject.answer_close)(sent);
    let reason_is_text = str::from_utf8(came.get(2..).unwrap_or_default()).is_ok();
    if code(&came) == expected && came.len() != 1 && came.len() <= 125 && (reason_is_text || expected.is_none()) {
        return Ok(());
    }
    let swapped = code(&came).map(u16::swap_bytes);
    let mistake = match code(&came) {
        _ if came.first() == Some(&0x88) => Some(Mistake::FrameForPayload),
        _ if sent.len() == 1 => Some(Mistake::HalfACode),
        Some(_) if expected.is_none() => Some(Mistake::EmptyCloseGotCode),
        Some(1005 | 1006 | 1015) => Some(Mistake::CodeNeverSent),
        Some(_) if swapped == expected || swapped == Some(1002) => Some(Mistake::CodeLittleEndian),
        // A server that reads the bytes in the other order takes 1000 only if they are exchanged.
        Some(1002) if expected == Some(1000) && code(&(subject.answer_close)(b"\xE8\x03")) != Some(1002) => {
            Some(Mistake::CodeLittleEndian)
        }
        Some(1002) if expected == Some(1000) && !takes(subject, 3000) && takes(subject, 3100) => {
            Some(Mistake::CodeSigned)
        }
        Some(1002) if sent.len() > 2 && expected == code(sent) && expected.is_some_and(|code| takes(subject, code)) => {
            Some(Mistake::ReasonRefused)
        }
        Some(1002) if expected.is_some() && expected == code(sent) => Some(Mistake::GoodCodeRefused),
        came if expected == Some(1007) && came == code(sent) => Some(Mistake::ReasonNotChecked),
        Some(_) if expected == Some(1007) => Some(Mistake::ReasonCode),
        _ if came == sent => Some(Mistake::BadCodeEchoed),
        came if came.is_some() && came == code(sent) => Some(Mistake::BadCodeEchoed),
        _ => None,
    };
    Err(trial.came(hex(&came)).named(mistake))
}

pub fn a_close_is_answered_with_its_code(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "§5.5.1: \"the endpoint typically echos the status code it received\"; an empty Close has none to echo.";
    answer(subject, trial, b"", None, why)?;
    for code in [1000_u16, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999] {
        let payload = [&code.to_be_bytes()[..], "bis später".as_bytes()].concat();
        answer(subject, trial, &payload, Some(code), why)?;
    }
    answer(subject, trial, &[&[0x03, 0xE8][..], &[b'x'; 123]].concat(), Some(1000), why)
}

pub fn a_bad_close_is_answered_with_1002(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why =
        "§7.4.1: 1005, 1006 and 1015 \"MUST NOT be set as a status code in a Close control frame by an endpoint\".";
    for code in [1005_u16, 1006, 1015] {
        answer(subject, trial, &code.to_be_bytes(), Some(1002), why)?;
    }
    let why = "§5.5.1: if there is a payload, its first two bytes are the code.";
    answer(subject, trial, &[0x03], Some(1002), why)?;
    let why = "§7.4.2: below 1000 is not used; 1004 and 1016 to 2999 are not given out; above 4999 there is nothing.";
    for code in [0_u16, 1, 999, 1004, 1016, 2000, 2999, 5000, 65535] {
        answer(subject, trial, &code.to_be_bytes(), Some(1002), why)?;
    }
    let why = "§5.5.1 and §8.1: the reason is UTF-8; otherwise 1007.";
    answer(subject, trial, b"\x03\xE8\xFF", Some(1007), why)?;
    answer(subject, trial, b"\x03\xE8bye \xFF", Some(1007), "§5.5.1 and §8.1: the reason is UTF-8; otherwise 1007.")
}

const CLIENTS_END: &str =
    "§7.1.1: read \"until obtaining a return value of 0\", which is the client's end of the stream.";

pub fn the_close_reaches_the_client(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    trial.case(
        "10000 bytes that the server does not read; then it writes a Close frame and calls hang_up(stream, patience)",
        "the client reads the Close and then the end of the stream; hang_up reads on until the client closes its side too",
        "§7.1.1: the server ends TCP first. A socket that is dropped with unread bytes in it resets the connection, and the \
         client loses what it has not read.",
    );
    let (client, mut server) = connected_pair();
    let mut talk = Talk::over(trial, client);
    talk.send(&[0; 10_000]);
    server.set_read_timeout(Some(trial.patience)).expect("set_read_timeout");
    server.peek(&mut [0]).expect("the client's bytes have arrived");
    server.write_all(b"\x88\x02\x03\xE8").expect("a Close fits into the socket's buffer");
    // This time is so long that the check notices a server that waits for its end.
    let (hang_up, patience) = (subject.hang_up, trial.patience * 4);
    let task = Task::start(move || hang_up(server, patience));
    let dropped =
        || trial.came("the connection was dropped while the client was still sending").named(Mistake::CloseDestroyed);
    let seen = talk.look();
    if let Some(panic) = task.panic(trial) {
        return Err(panic);
    }
    if seen == Seen::Reset {
        return Err(dropped());
    }
    match talk.look_for(trial.patience / 2) {
        Seen::End => {}
        Seen::Nothing => return Err(trial.came("the Close, but no end of the stream").named(Mistake::EndNotSent)),
        seen @ Seen::Frame { .. } => {
            return Err(trial.came(format!("the Close, then {seen}")).named(Mistake::SentBehindClose));
        }
        _ => return Err(dropped()),
    }
    // A server that drains is still reading.
    talk.send(&[0; 200_000]);
    if task.ends_within(Duration::from_millis(60)) {
        return Err(dropped());
    }
    talk.hang_up();
    trial.case("the same; then the client closes its side too", "hang_up returns at once", CLIENTS_END);
    task.finish(trial).map_err(|lesson| match lesson.mistake {
        Some(Mistake::Hangs) => lesson.named(Mistake::DrainSpins),
        _ => lesson,
    })
}

pub fn a_reset_is_the_end(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    trial.case(
        "a reset of the connection; hang_up has 10 minutes of patience",
        "hang_up returns at once",
        "§7.1.1: the client can be gone already. Then nothing can be shut down and nothing read, and both are no reason to stay.",
    );
    let (client, server) = connected_pair();
    reset(client);
    server.set_read_timeout(Some(trial.patience)).expect("set_read_timeout");
    // By now the reset has arrived.
    let _ = server.peek(&mut [0]);
    let hang_up = subject.hang_up;
    Task::start(move || hang_up(server, Duration::from_secs(600))).finish(trial).map_err(|lesson| {
        match lesson.mistake {
            Some(Mistake::Hangs) => lesson.named(Mistake::DrainError),
            _ => lesson,
        }
    })
}

pub fn a_client_that_stays_is_left(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "§7.1.1: wait for the client's end, but not forever: whatever a client makes us hold has a bound.";
    let patience = Duration::from_millis(100);
    let for_ever = |lesson: Lesson| match lesson.mistake {
        Some(Mistake::Hangs) => lesson.named(Mistake::DrainForever),
        _ => lesson,
    };
    trial.case("nothing; the client never closes its side, and hang_up has 100 ms of patience", "hang_up returns", why);
    let (client, server) = connected_pair();
    let hang_up = subject.hang_up;
    let outcome = Task::start(move || hang_up(server, patience)).finish(trial).map_err(for_ever);
    drop(client);
    outcome
}

pub fn the_wait_is_no_work(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    // If other code shares the process, the processor time cannot be attributed to the subject.
    if guard::processor_times().is_none() {
        return Ok(());
    }
    trial.case(
        "nothing; the client never closes its side, and hang_up has 10 s of patience",
        "nearly no work meanwhile",
        "Each client that leaves late has a thread that waits here. A read that blocks costs nothing.",
    );
    let (_client, server) = connected_pair();
    let hang_up = subject.hang_up;
    let task = Task::start(move || hang_up(server, Duration::from_secs(10)));
    if guard::burns_a_core(Duration::from_millis(60)) != Some(true) {
        return Ok(());
    }
    Err(task
        .panic(trial)
        .unwrap_or(trial.came("much work of your threads, as much as this check's own").named(Mistake::HangUpSpins)))
}

pub fn the_patience_is_the_callers(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    trial.case(
        "two clients that never close their side; hang_up has 30 ms of patience with one, and 10 minutes with the other",
        "hang_up returns for the first alone",
        "§7.1.1 leaves the time open, so the caller chooses it with `patience`.",
    );
    let hang_up = subject.hang_up;
    let waits = |patience: Duration| {
        let (client, server) = connected_pair();
        (client, Task::start(move || hang_up(server, patience)))
    };
    let (_long_client, long) = waits(Duration::from_secs(600));
    let (short_client, short) = waits(Duration::from_millis(30));
    short.finish(trial).map_err(nothing_left).map_err(|lesson| match lesson.mistake {
        Some(Mistake::Hangs) => lesson.named(Mistake::PatienceIgnored),
        _ => lesson,
    })?;
    drop(short_client);
    // A server that uses a time of its own returns for both.
    if long.ends_within(Duration::from_millis(60)) {
        long.finish(trial)?;
        return Err(trial.came("it has returned for both").named(Mistake::PatienceIgnored));
    }
    Ok(())
}

/// Finds out whether a panic of `hang_up` comes from a timeout of zero.
fn nothing_left(lesson: Lesson) -> Lesson {
    if lesson.came.contains("0 duration timeout") { lesson.named(Mistake::ZeroTimeout) } else { lesson }
}

/// Returns the lesson for a `hang_up` that has not returned in time. From now on no bytes arrive, so the end of its
/// last read shows which timeout it has.
fn reads_on(trial: &Trial, task: &Task<()>, patience: Duration) -> Lesson {
    // A timeout that is set shortly before the deadline is short; a constant one is `patience` long.
    let mistake = if task.ends_within(patience / 2) { Mistake::ZeroTimeout } else { Mistake::DrainTimeoutAnew };
    trial.came("nothing: the function did not return in time").named(mistake)
}

pub fn a_client_that_floods_is_left(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let patience = Duration::from_millis(300);
    trial.case(
        "bytes without a pause, forever; hang_up has 300 ms of patience",
        "hang_up returns",
        "§7.1.1: wait for the client's end, but not forever. No read of this one times out, because its bytes are there \
         already: the deadline is looked at before each read.",
    );
    // There are several clients, because a busy machine can pause one of them, and then a read times out after all.
    let (hang_up, enough) = (subject.hang_up, AtomicBool::new(false));
    let (clients, tasks): (Vec<TcpStream>, Vec<Task<()>>) = (0..4)
        .map(|_| {
            let (client, server) = connected_pair();
            client.set_write_timeout(Some(trial.patience)).expect("set_write_timeout");
            (client, Task::start(move || hang_up(server, patience)))
        })
        .unzip();
    let late = thread::scope(|scope| {
        clients.iter().for_each(|client| drop(scope.spawn(|| flood(client, &enough))));
        let deadline = Instant::now() + trial.patience;
        let late = tasks.iter().find(|task| !task.ends_within(deadline.saturating_duration_since(Instant::now())));
        enough.store(true, Ordering::SeqCst);
        late
    });
    match late {
        Some(task) => Err(reads_on(trial, task, patience)),
        None => tasks.iter().try_for_each(|task| task.finish(trial)).map_err(nothing_left),
    }
}

/// Writes until `enough` is set, or until the server has hung up.
fn flood(mut client: &TcpStream, enough: &AtomicBool) {
    let mut open = true;
    while open && !enough.load(Ordering::SeqCst) {
        open = client.write_all(&[0; 1 << 16]).is_ok();
    }
}

pub fn a_client_that_dribbles_is_left(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "§7.1.1: wait for the client's end, but not forever: whatever a client makes us hold has a bound.";
    let patience = Duration::from_millis(200);
    trial.case("a byte every 20 ms, forever; hang_up has 200 ms of patience", "hang_up returns", why);
    let (client, server) = connected_pair();
    let mut talk = Talk::over(trial, client);
    let hang_up = subject.hang_up;
    let task = Task::start(move || hang_up(server, patience));
    // One byte now and then: a timeout for each read would restart each time.
    for _ in 0..trial.patience.as_millis() / 20 {
        if task.ends_within(Duration::from_millis(20)) {
            return task.finish(trial).map_err(nothing_left);
        }
        talk.send(&[0]);
    }
    Err(reads_on(trial, &task, patience))
}

pub fn a_late_byte_changes_nothing(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let patience = Duration::from_millis(200);
    let hang_up = subject.hang_up;
    let begin = Instant::now();
    // On a busy machine one of several attempts is quick enough.
    loop {
        trial.case(
            "one byte after 150 ms; hang_up has 200 ms of patience",
            "hang_up returns after 200 ms in all",
            "§7.1.1: wait for the client's end, but not forever. The patience that is left becomes less with each read.",
        );
        let (client, server) = connected_pair();
        let mut talk = Talk::over(trial, client);
        let started = Instant::now();
        let task = Task::start(move || hang_up(server, patience));
        if !task.ends_within(patience * 3 / 4) {
            talk.send(&[0]);
            // A read that begins now, with the whole patience, ends after 350 ms.
            task.ends_within((patience * 3 / 2).saturating_sub(started.elapsed()));
        }
        if task.ends_within(Duration::ZERO) {
            return task.finish(trial);
        }
        if begin.elapsed() > trial.patience * 2 {
            return Err(trial.came("nothing: the function did not return in time").named(Mistake::TimeoutSetOnce));
        }
    }
}
