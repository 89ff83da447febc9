//! Step 18: push, which sends messages that nobody asked for. The checks try first the ticks of one client alone, then
//! clients that are served.

use super::chat::{Alone, BIG, Entered, House, Stage, promptly, wait_for_bytes};
use super::guard::Task;
use super::heartbeat;
use super::lesson::{Lesson, Trial, hex};
use super::mistakes::Mistake;
use super::running::quick;
use super::subject::{Client, Subject};
use super::talk::{FIN, Seen, Talk, describe, masked};
use super::words::{BINARY, Settings, TEXT};
use std::io::Read as _;
use std::sync::{Arc, LazyLock, Weak};
use std::thread;
use std::time::{Duration, Instant};

const ALONE: Stage = Stage("stage 1, push_ticks alone");
const HOUSE: Stage = Stage("stage 2, serve_client");

const INTERVAL: Duration = Duration::from_millis(10);

/// Over loopback, written bytes arrive at once.
const A_MOMENT: Duration = Duration::from_millis(1);

/// Gives a thread time to reach a lock.
const A_WHILE: Duration = Duration::from_millis(20);

/// A message that exceeds the buffers between the server and a client that does not read.
static LARGE: LazyLock<Vec<u8>> = LazyLock::new(|| vec![b'x'; 8 << 20]);

/// The frame of a client with this message. The masking key is 0, so that no byte has to be masked.
static LARGE_SENT: LazyLock<Vec<u8>> =
    LazyLock::new(|| [&[0x82, 0xFF], &(LARGE.len() as u64).to_be_bytes()[..], &[0; 4], &LARGE[..]].concat());

fn every(tick_interval: Duration) -> Settings {
    Settings { tick_interval, ..quick() }
}

/// Returns the number of a tick, or `None` if this is no tick.
fn number_of(seen: &Seen) -> Option<u64> {
    match seen {
        Seen::Frame { first: 0x81, masked: false, payload } => {
            std::str::from_utf8(payload).ok()?.strip_prefix("tick ")?.parse().ok()
        }
        _ => None,
    }
}

/// Describes a tick without its number, which depends on the time.
fn describe_seen(seen: &Seen) -> String {
    match number_of(seen) {
        Some(_) => "a tick".to_owned(),
        None => seen.to_string(),
    }
}

// One client's ticks, without a server around them.

pub fn a_tick_is_a_text_frame(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    for number in [1, 2, 1000, u64::MAX] {
        let text = format!("tick {number}");
        let expected = [&[FIN | TEXT, text.len() as u8], text.as_bytes()].concat();
        ALONE.case(
            trial,
            format!("tick_frame({number})"),
            format!("the text {text:?} as a frame: {}", hex(&expected)),
            "§5.1, §5.2: what a server pushes is a frame like any other.",
        );
        let came = (subject.tick_frame)(number);
        if came != expected {
            let lesson = trial.came(hex(&came));
            return Err(lesson.named(match came[..] {
                _ if came == text.as_bytes() => Some(Mistake::TickNotEncoded),
                [0x81, second, ..] if second & 0x80 != 0 => Some(Mistake::ReplyMasked),
                [TEXT, ..] => Some(Mistake::FinMissing),
                [first, ..] if first == FIN | BINARY => Some(Mistake::TickNotText),
                [0x81, ..] => Some(Mistake::TickOtherText),
                _ => None,
            }));
        }
    }
    Ok(())
}

/// Runs `push_ticks` for a client, in a thread of its own.
fn push_ticks(entered: &Entered, settings: Settings) -> Task<()> {
    let client = Arc::clone(&entered.client);
    Task::start(move || client.push_ticks(&settings))
}

pub fn ticks_are_counted(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let alone = Alone::new(subject, trial);
    let mut ann = alone.join("/ticks", trial.patience)?;
    let ticker = push_ticks(&ann, every(INTERVAL));
    for number in 1..=5 {
        ALONE.case(
            trial,
            "push_ticks for one client; tick_interval is 10 ms",
            format!("\"tick {number}\""),
            "The first tick goes out at once, and one more after each tick_interval, with the next number.",
        );
        let seen = ann.talk.look();
        if number_of(&seen) != Some(number) {
            let came = number_of(&seen).map_or(seen.to_string(), |came| format!("\"tick {came}\""));
            let lesson = ticker.panic(trial).unwrap_or(trial.came(came));
            return Err(match number_of(&seen) {
                Some(_) if number == 1 => lesson.named(Mistake::FirstTick),
                Some(came) if came + 1 == number => lesson.named(Mistake::TickNotCounted),
                None if seen == Seen::Nothing && ann.client.send(b"\x8A\x00").is_err() => {
                    lesson.named(Mistake::MarkTooOften)
                }
                None if seen == Seen::Nothing && ticker.ends_within(Duration::ZERO) => lesson.named(Mistake::TickOnce),
                _ => lesson,
            });
        }
    }
    ticks_go_on(subject, trial)
}

fn ticks_go_on(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    const MANY: u64 = 150;
    let alone = Alone::new(subject, trial);
    let mut ann = alone.join("/ticks", trial.patience)?;
    ALONE.case(
        trial,
        format!("push_ticks for one client; tick_interval is 1 ms; the first {MANY} ticks"),
        "they come, and soon",
        "settings.tick_interval is the pause between two ticks, and there is no last tick.",
    );
    let ticker = push_ticks(&ann, every(Duration::from_millis(1)));
    let begin = Instant::now();
    for number in 1..=MANY {
        let seen = ann.talk.look();
        if number_of(&seen) != Some(number) {
            let lesson = ticker.panic(trial).unwrap_or(trial.came(format!("some of them, then {seen}")));
            let over = seen == Seen::Nothing && ticker.ends_within(Duration::ZERO);
            return Err(if over { lesson.named(Mistake::TicksEnd) } else { lesson });
        }
        if begin.elapsed() > trial.patience * 2 {
            return Err(trial.came("some of them, and the others late").named(Mistake::TickInterval));
        }
    }
    Ok(())
}

pub fn a_tick_is_followed_by_a_pause(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let alone = Alone::new(subject, trial);
    let mut ann = alone.join("/ticks", trial.patience)?;
    ALONE.case(
        trial,
        "push_ticks for one client, with a long tick_interval",
        "\"tick 1\", and nothing more for now",
        "A push has its own pace. Without a pause it fills the client's buffers, and then yours.",
    );
    // The second tick is due later than this check waits.
    let ticker = push_ticks(&ann, every(trial.patience * 2));
    let seen = ann.talk.look();
    if number_of(&seen) != Some(1) {
        let lesson = ticker.panic(trial).unwrap_or(trial.came(describe_seen(&seen)));
        return Err(if seen == Seen::Nothing { lesson.named(Mistake::FirstTickLate) } else { lesson });
    }
    no_tick(&mut ann.talk, INTERVAL)?;
    if heartbeat::works_without_a_pause() {
        return Err(trial.came(heartbeat::MUCH_WORK).named(Mistake::TickerSpins));
    }
    if number_of(&ann.talk.look_for(INTERVAL * 15)).is_some() {
        return Err(trial.came("one more tick, too early").named(Mistake::TickInterval));
    }
    ALONE.case(
        trial,
        "push_ticks for one client; after its first tick another thread calls Client::send, with 81 02 68 69",
        "\"tick 1\", then the other frame",
        "The replies to this client need the same lock, and the pause between two ticks is long.",
    );
    let client = Arc::clone(&ann.client);
    let sent = promptly(trial, Mistake::TickerHoldsLock, move || client.send(b"\x81\x02hi"));
    if sent.is_err() {
        // A loop that takes the lock again and again hardly ever leaves it free.
        no_tick(&mut ann.talk, A_MOMENT)?;
    }
    sent?.map_err(|error| trial.came(format!("an error: {error}")))?;
    Ok(ann.talk.expect(0x81, b"hi")?)
}

/// Checks that no tick arrives within this time, because a tick so early follows without a pause.
fn no_tick(talk: &mut Talk, time: Duration) -> Result<(), Lesson> {
    match number_of(&talk.look_for(time)) {
        Some(_) => Err(talk.trial.came("one more tick at once").named(Mistake::TickNoPause)),
        None => Ok(()),
    }
}

pub fn nothing_follows_a_close(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let alone = Alone::new(subject, trial);
    let mut ann = alone.join("/ticks", trial.patience)?;
    for (frame, first) in [(&b"\x89\x00"[..], 0x89), (b"\x8A\x00", 0x8A), (b"\x81\x00", 0x81)] {
        ALONE.case(
            trial,
            "Client::send with a Ping, a Pong and a text",
            "each goes out",
            "Only a Close, or a write that has failed, is the end: opcode 8 alone is a Close.",
        );
        let client = Arc::clone(&ann.client);
        promptly(trial, Mistake::Deadlock, move || client.send(frame))?
            .map_err(|error| trial.came(format!("an error: {error}")).named(Mistake::MarkTooOften))?;
        ann.talk.expect(first, b"")?;
    }
    ALONE.case(
        trial,
        "Client::send with a Close, 88 02 03 e8; then with a tick",
        "the Close goes out; for the tick an error, and the client gets nothing",
        "§5.5.1: no message is allowed to follow a Close. The thread that ticks cannot know what the client's own \
         thread sends.",
    );
    for (frame, may_go) in [(&b"\x88\x02\x03\xE8"[..], true), (b"\x81\x06tick 1", false)] {
        let client = Arc::clone(&ann.client);
        match promptly(trial, Mistake::Deadlock, move || client.send(frame))? {
            Err(error) if may_go => {
                let lesson = trial.came(format!("an error for the Close: {error}"));
                return Err(lesson.named(Mistake::MarkTooEarly));
            }
            Ok(()) if !may_go => {
                let lesson = trial.came("no error for the tick");
                ann.talk.expect(0x88, b"\x03\xE8")?;
                let sent = matches!(ann.talk.look_for(A_WHILE), Seen::Frame { .. });
                return Err(lesson.named(if sent { Mistake::TickAfterClose } else { Mistake::MarkSaysOk }));
            }
            _ => {}
        }
    }
    ann.talk.expect(0x88, b"\x03\xE8")?;
    ALONE.case(
        trial,
        "Client::send with a Close; then broadcast by a thread that has copied the list before",
        "the client gets the Close, nothing after it, and TCP is still open",
        "The client's own thread ends TCP so that the Close arrives: hang_up, as in step 13.",
    );
    alone.broadcast("/ticks", b"\x81\x02hi").finish(trial)?;
    match ann.talk.look_for(A_MOMENT) {
        Seen::Nothing => Ok(()),
        seen @ Seen::Frame { .. } => Err(trial.came(seen.to_string()).named(Mistake::TickAfterClose)),
        seen => Err(trial.came(seen.to_string()).named(Mistake::ShutDownAtClose)),
    }
}

pub fn nothing_that_waits_follows_a_close(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let alone = Alone::new(subject, trial);
    let mut ann = alone.join("/ticks", trial.patience * 4)?;
    ALONE.case(
        trial,
        "a client does not read a frame of 16 MiB; so a Close waits for the lock, and after it some ticks; then the client reads",
        "the frame, the Close, and nothing after it",
        "§5.5.1: nothing is allowed to follow a Close. A tick that waits for the lock finds the mark only if it looks under that lock.",
    );
    let send = |frame: &'static [u8]| {
        let client = Arc::clone(&ann.client);
        Task::start(move || drop(client.send(frame)))
    };
    let writing = send(&BIG);
    wait_for_bytes(&ann.talk).map_err(|lesson| writing.panic(trial).unwrap_or(lesson))?;
    // A lock usually goes to the thread that has waited longest.
    let closing = send(b"\x88\x02\x03\xE8");
    closing.ends_within(A_WHILE);
    let ticking = [(); 3].map(|()| send(b"\x81\x06tick 1"));
    ticking[0].ends_within(A_WHILE);
    let mut closed = false;
    loop {
        match ann.talk.look_for(if closed { A_WHILE } else { trial.patience * 2 }) {
            Seen::Frame { first: 0x88, .. } => closed = true,
            Seen::Frame { .. } if !closed => {}
            seen @ Seen::Frame { .. } => {
                return Err(trial.came(format!("the Close, then {seen}")).named(Mistake::TickAfterClose));
            }
            Seen::Nothing if closed => return Ok(()),
            seen => {
                let tasks = [&writing, &closing].into_iter().chain(&ticking);
                return Err(tasks
                    .into_iter()
                    .find_map(|task| task.panic(trial))
                    .unwrap_or(trial.came(seen.to_string())));
            }
        }
    }
}

/// So often a Close and ticks compete for the lock. A thread that lets the lock go between its look at the mark and its
/// write loses it there sooner or later.
const RACES: usize = 40;

pub fn nothing_overtakes_a_close(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    for _ in 0..RACES {
        let alone = Alone::new(subject, trial);
        let ann = alone.join("/ticks", trial.patience)?;
        ALONE.case(
            trial,
            format!("two threads send ticks until a send fails, and a third one sends a Close; this {RACES} times"),
            "nothing follows the Close",
            "§5.5.1: nothing is allowed to follow a Close. The look at the mark and the write that follows need one lock \
             without a break.",
        );
        let ticking = [(); 2].map(|()| {
            let client = Arc::clone(&ann.client);
            // A lock is not fair, so the Close could have to wait for a long time.
            Task::start(move || {
                let begin = Instant::now();
                while begin.elapsed() < A_WHILE && client.send(b"\x81\x06tick 1").is_ok() {}
            })
        });
        wait_for_bytes(&ann.talk).map_err(|lesson| ticking[0].panic(trial).unwrap_or(lesson))?;
        let mut stream = ann.talk.stream.try_clone().expect("a clone");
        // It reads, so no tick has to wait for room.
        let reading = Task::start(move || {
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).map(|_| bytes)
        });
        let client = Arc::clone(&ann.client);
        promptly(trial, Mistake::Deadlock, move || drop(client.send(b"\x88\x02\x03\xE8")))?;
        ticking.iter().try_for_each(|task| task.finish(trial).map_err(ticker_lesson))?;
        // Now the client finds an end after the last byte.
        let client = Arc::clone(&ann.client);
        promptly(trial, Mistake::Deadlock, move || client.shut_down())?;
        let Ok(bytes) = reading.finish(trial)? else { continue };
        if bytes.contains(&0x88) && !bytes.ends_with(b"\x88\x02\x03\xE8") {
            return Err(trial.came("the Close, then a tick").named(Mistake::TickAfterClose));
        }
    }
    Ok(())
}

/// Returns why `push_ticks` has not returned.
fn ticker_lesson(lesson: Lesson) -> Lesson {
    match lesson.mistake {
        Some(Mistake::Hangs) => lesson.named(Mistake::TickerSurvives),
        Some(Mistake::Panics | Mistake::UnwrapPanics) => lesson.named(Mistake::TickUnwrapped),
        _ => lesson,
    }
}

fn has_ticks_after_close(talk: &mut Talk) -> bool {
    while number_of(&talk.look()).is_some() {}
    number_of(&talk.look()).is_some()
}

/// Runs `push_ticks` for a client, and waits for its first tick.
fn first_tick(alone: &Alone, entered: &mut Entered) -> Result<Task<()>, Lesson> {
    let ticker = push_ticks(entered, every(INTERVAL));
    let seen = entered.talk.look();
    match number_of(&seen) {
        Some(1) => Ok(ticker),
        _ => Err(ticker.panic(alone.trial).unwrap_or(alone.trial.came(seen.to_string()))),
    }
}

const LEFT_OVER: &str = "If each client left a thread behind, the threads would fill the machine.";

pub fn ticks_end_with_their_client(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    for vanishes in [false, true] {
        let alone = Alone::new(subject, trial);
        let mut ann = alone.join("/ticks", trial.patience)?;
        let end = if vanishes { "the client vanishes" } else { "Client::shut_down in another thread" };
        ALONE.case(
            trial,
            format!("push_ticks for one client; after its first tick: {end}"),
            "push_ticks returns",
            LEFT_OVER,
        );
        let ticker = first_tick(&alone, &mut ann)?;
        if vanishes {
            drop(ann.talk);
        } else {
            let client = Arc::clone(&ann.client);
            promptly(trial, Mistake::Deadlock, move || client.shut_down())?;
        }
        ticker.finish(trial).map_err(|lesson| locked_or(trial, &ann.client, ticker_lesson(lesson)))?;
    }
    Ok(())
}

/// Returns this lesson, or the one on a lock if `send` waits for one that nobody lets go.
fn locked_or(trial: &Trial, client: &Arc<dyn Client>, lesson: Lesson) -> Lesson {
    let client = Arc::clone(client);
    match promptly(trial, Mistake::Deadlock, move || drop(client.send(b"\x8A\x00"))) {
        Err(locked) if lesson.mistake == Some(Mistake::TickerSurvives) => lesson.named(locked.mistake),
        _ => lesson,
    }
}

pub fn ticks_end_with_a_close(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let alone = Alone::new(subject, trial);
    let mut ann = alone.join("/ticks", trial.patience)?;
    ALONE.case(
        trial,
        "push_ticks for one client; after its first tick another thread sends a Close with Client::send",
        "push_ticks returns",
        LEFT_OVER,
    );
    let ticker = first_tick(&alone, &mut ann)?;
    let client = Arc::clone(&ann.client);
    // The other end shows whether the Close has arrived.
    promptly(trial, Mistake::Deadlock, move || drop(client.send(b"\x88\x02\x03\xE8")))?;
    if let Err(lesson) = ticker.finish(trial) {
        // `send` knows of the Close by now, so ticks after it do not go through `send`.
        let beside = lesson.mistake == Some(Mistake::Hangs) && has_ticks_after_close(&mut ann.talk);
        return Err(if beside { lesson.named(Mistake::TickBesideTheLock) } else { ticker_lesson(lesson) });
    }
    ALONE.case(
        trial,
        "the same; then the client reads",
        "its ticks, the Close, and TCP is still open",
        "The client's own thread ends TCP so that the Close arrives: hang_up, as in step 13.",
    );
    while number_of(&ann.talk.look()).is_some() {}
    match ann.talk.look_for(A_MOMENT) {
        Seen::Nothing => Ok(()),
        seen => Err(trial.came(format!("the Close, then {seen}")).named(Mistake::ShutDownAtClose)),
    }
}

pub fn half_a_frame_is_the_end(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let alone = Alone::new(subject, trial);
    let (mut slow, mut reader) = alone.join_readable("/ticks", Duration::from_millis(50))?;
    ALONE.case(
        trial,
        "a write of 16 MiB to a client that does not read; its socket's write timeout ends it, and push_ticks goes on \
         with the same client",
        "push_ticks returns, and the client sees the end of its connection",
        "A part of a frame has gone out, and nothing can follow a part.",
    );
    let client = Arc::clone(&slow.client);
    let writing = Task::start(move || client.send(&BIG));
    wait_for_bytes(&slow.talk).map_err(|lesson| writing.panic(trial).unwrap_or(lesson))?;
    let ticker = push_ticks(&slow, every(INTERVAL));
    if writing.finish(trial)?.is_ok() {
        return Err(trial.came("no error for the first write").named(Mistake::SendSaysOk));
    }
    ticker.finish(trial).map_err(ticker_lesson)?;
    match slow.talk.look_for(trial.patience / 2) {
        Seen::End | Seen::Reset => {}
        seen => return Err(trial.came(seen.to_string()).named(Mistake::FailedWriteKept)),
    }
    ALONE.case(
        trial,
        "the same; then the client's own thread reads",
        "the end, without a wait",
        "It waits in a read, and has to wake up.",
    );
    reader.set_read_timeout(Some(trial.patience / 2)).expect("set_read_timeout");
    match std::io::Read::read(&mut reader, &mut [0]) {
        Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
            Err(trial.came("a read that waits").named(Mistake::FailedWriteKept))
        }
        _ => Ok(()),
    }
}

// Clients that are served.

const PUSHED: &str =
    "serve_client starts push_ticks for a client on /ticks and reads on: its own thread waits, and another one writes.";

/// A client on `/ticks`, and the number of its last tick.
struct Listener<'a> {
    talk: Talk<'a>,
    last: Option<u64>,
    serving: Task<()>,
}

impl<'a> Listener<'a> {
    fn new(house: &House<'a>) -> Result<Listener<'a>, Lesson> {
        let (talk, serving) = house.connect("/ticks")?;
        Ok(Listener { talk, last: None, serving })
    }

    /// Returns the next frame. A tick must have the number that follows the previous one.
    fn look(&mut self, time: Duration) -> Result<Seen, Lesson> {
        let seen = self.talk.look_for(time);
        if let Some(number) = number_of(&seen)
            && let Some(last) = self.last.replace(number)
            && number != last + 1
        {
            let mistake = if number > last { Mistake::TicksLost } else { Mistake::TwoTickers };
            return Err(self.talk.trial.came("a tick with another number than the next").named(mistake));
        }
        Ok(seen)
    }

    /// Waits for a tick as the next frame. If nothing arrives, the lesson names `mistake`.
    fn tick(&mut self, mistake: Mistake) -> Result<(), Lesson> {
        let seen = self.look(self.talk.trial.patience)?;
        if number_of(&seen).is_some() {
            return Ok(());
        }
        let lesson = self.serving.panic(self.talk.trial).unwrap_or(self.talk.trial.came(seen.to_string()));
        Err(lesson.named((seen == Seen::Nothing).then_some(mistake)))
    }

    /// Reads ticks until some are newer than this call, because earlier ones could have waited in the socket.
    fn keeps_ticking(&mut self, mistake: Mistake) -> Result<(), Lesson> {
        let begin = Instant::now();
        while begin.elapsed() < INTERVAL * 4 {
            self.tick(mistake)?;
        }
        self.tick(mistake)
    }
}

pub fn ticks_come_while_the_client_is_silent(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let house = House::new(subject, trial, every(INTERVAL));
    let mut ann = Listener::new(&house)?;
    // The first tick can win a race against a thread that holds a lock, so all of them are one case.
    let sent = "a client on /ticks is silent; tick_interval is 10 ms, and not the default of 1 s";
    HOUSE.case(trial, sent, "six ticks, in much less than a second", PUSHED);
    ann.tick(Mistake::TicksNotStarted).map_err(|lesson| match lesson.mistake {
        Some(Mistake::TicksNotStarted) => why_no_tick(&house, &mut ann.talk, lesson),
        _ => lesson,
    })?;
    // On a busy machine one of several attempts is quick enough.
    for last_attempt in [false, false, true] {
        let begin = Instant::now();
        for _ in 0..5 {
            ann.tick(Mistake::TickInterval).map_err(|lesson| {
                match (lesson.mistake, house.say_to_all(b"\x8A\x00")) {
                    (Some(Mistake::TickInterval), Err(locked)) => lesson.named(locked.mistake),
                    _ => lesson,
                }
            })?;
        }
        if begin.elapsed() < trial.patience / 2 {
            break;
        }
        if last_attempt {
            return Err(trial.came("five ticks, but later").named(Mistake::TickInterval));
        }
    }
    Ok(())
}

/// Returns why a silent client gets no tick: a lock, or a thread that looks for ticks only after a message.
fn why_no_tick(house: &House, talk: &mut Talk, lesson: Lesson) -> Lesson {
    if let Err(locked) = house.say_to_all(b"\x8A\x00") {
        return Lesson { mistake: locked.mistake, ..lesson };
    }
    talk.send(&masked(0x81, b"hi"));
    loop {
        match talk.look_for(INTERVAL * 5) {
            seen if number_of(&seen).is_some() => return lesson.named(Mistake::TicksWhenSpokenTo),
            Seen::Frame { .. } => {}
            _ => return lesson,
        }
    }
}

/// Whether its own thread reads what a client on /ticks sends.
fn is_read(talk: &mut Talk) -> bool {
    talk.send(&masked(0x89, b"?"));
    let begin = Instant::now();
    while begin.elapsed() < talk.trial.patience {
        if matches!(talk.look(), Seen::Frame { first: 0x8A, .. }) {
            return true;
        }
    }
    false
}

pub fn a_client_is_answered_between_its_ticks(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    const TICKS: u32 = 3;
    let house = House::new(subject, trial, every(INTERVAL * 8));
    let mut ann = Listener::new(&house)?;
    HOUSE.case(
        trial,
        "a client on /ticks sends a text every 10 ms; tick_interval is 80 ms",
        "each text comes back, and there are ticks between them",
        "Reading and pushing do not wait for one another.",
    );
    let begin = Instant::now();
    let mut ticks = 0;
    while ticks < TICKS {
        if begin.elapsed() > trial.patience * 2 {
            let lesson = trial.came("each text, and hardly a tick");
            // In silence they come, or there are none for this client.
            let silent = (0..3).any(|_| number_of(&ann.talk.look_for(INTERVAL * 16)).is_some());
            return Err(lesson.named(if silent { Mistake::TicksInSilenceOnly } else { Mistake::TicksToOneOnly }));
        }
        ann.talk.send(&masked(0x81, b"here"));
        let sent = Instant::now();
        let mut echoed = false;
        while !echoed || sent.elapsed() < INTERVAL {
            let seen = ann.look(if echoed { INTERVAL } else { trial.patience })?;
            match seen {
                seen if number_of(&seen).is_some() => ticks += 1,
                Seen::Frame { first: 0x81, masked: false, ref payload } if payload == b"here" => echoed = true,
                Seen::Nothing if echoed => {}
                seen => return Err(ann.serving.panic(trial).unwrap_or(trial.came(seen.to_string()))),
            }
            if !echoed && sent.elapsed() > trial.patience {
                let lesson = trial.came("ticks, and nothing else");
                return Err(lesson.named(match is_read(&mut ann.talk) {
                    true => Mistake::EchoForgottenOnTicks,
                    false => Mistake::TickerInOwnThread,
                }));
            }
        }
    }
    Ok(())
}

pub fn every_client_has_its_ticks(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let house = House::new(subject, trial, every(INTERVAL));
    let mut ann = Listener::new(&house)?;
    HOUSE.case(trial, "/ticks: Ann is there", "ticks at Ann", PUSHED);
    ann.tick(Mistake::TicksNotStarted)?;
    let mut bob = Listener::new(&house)?;
    HOUSE.case(trial, "/ticks: Ann is there, then Bob", "ticks at both", PUSHED);
    bob.keeps_ticking(Mistake::TicksToOneOnly)?;
    ann.keeps_ticking(Mistake::TicksToOneOnly)?;
    HOUSE.case(trial, "/ticks: Ann, who came first, sends a Close", "her ticks, then the Close and the end", PUSHED);
    ann.talk.send(&masked(0x88, b"\x03\xE8"));
    past_the_ticks(&mut ann.talk)?;
    drop(ann);
    HOUSE.case(
        trial,
        "/ticks: Ann, who came first, has left",
        "Bob's ticks go on",
        "Only a client's own ticks end with it.",
    );
    bob.keeps_ticking(Mistake::TickerDiesWithFirst)?;
    HOUSE.case(trial, "/ticks: Ann has left, and Cleo connects", "ticks at Cleo too", PUSHED);
    Listener::new(&house)?.keeps_ticking(Mistake::TickerDiesWithFirst)
}

pub fn other_paths_are_left_alone(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let house = House::new(subject, trial, every(INTERVAL));
    for path in ["/echo", "/ticks2", "/tick", "/other/ticks", "/TICKS"] {
        let (mut ann, _serving) = house.connect(path)?;
        let mut bob = Listener::new(&house)?;
        let sent = format!("Ann is on {path}, Bob on /ticks");
        HOUSE.case(trial, format!("{sent}; tick_interval is 10 ms"), "ticks at Bob", PUSHED);
        bob.keeps_ticking(Mistake::TicksNotStarted)?;
        HOUSE.case(trial, format!("{sent}; Ann sends a Ping"), "nothing but the Pong at Ann", PUSHED);
        ann.send(&masked(0x89, b"?"));
        ann.expect(0x8A, b"?").map_err(|asked| match number_of(&asked.seen) {
            Some(_) => trial.came("a tick").named(Mistake::TicksOnEveryPath),
            None => asked.lesson,
        })?;
    }
    Ok(())
}

/// Waits until more bytes have arrived than those of ticks, and leaves them unread.
pub(super) fn wait_for_much(talk: &Talk) -> Result<(), Lesson> {
    let begin = Instant::now();
    let mut buffer = vec![0; 1 << 14];
    while begin.elapsed() < talk.trial.patience * 3 {
        wait_for_bytes(talk)?;
        if talk.stream.peek(&mut buffer).is_ok_and(|count| count == buffer.len()) {
            return Ok(());
        }
        // Checks often; the loop ends when the patience is over.
        thread::sleep(Duration::from_millis(1));
    }
    Err(talk.trial.came("ticks, and no echo"))
}

pub fn a_tick_waits_for_the_frame_before_it(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let house = House::new(subject, trial, Settings { send_timeout: trial.patience * 4, ..every(INTERVAL) });
    let mut ann = Listener::new(&house)?;
    let mut bob = Listener::new(&house)?;
    HOUSE.case(trial, "/ticks: Ann and Bob are there", "ticks at both", PUSHED);
    ann.tick(Mistake::TicksToOneOnly)?;
    bob.tick(Mistake::TicksToOneOnly)?;
    HOUSE.case(
        trial,
        "/ticks: Ann sends a message of 8 MiB and does not read for a moment, so that her echo is stuck half-way; \
         tick_interval is 10 ms",
        "Bob's ticks go on",
        "A client that does not read holds up its own frames, and nobody else's.",
    );
    ann.talk.send(&LARGE_SENT);
    wait_for_much(&ann.talk)?;
    bob.keeps_ticking(Mistake::SlowHoldsTicks)?;
    HOUSE.case(
        trial,
        "the same; then Ann reads",
        "her ticks so far, the whole echo, and more ticks after it",
        "§5.2: a payload follows its header directly, so frames are not interleaved. A tick that is due while another \
         frame is going out waits for its end.",
    );
    loop {
        let seen = ann.look(trial.patience)?;
        match &seen {
            Seen::Frame { first: 0x82, masked: false, payload } if *payload == *LARGE => break,
            seen if number_of(seen).is_some() => {}
            Seen::Frame { first, payload, .. } => {
                let came = match payload.len() > 1 << 20 {
                    true => "an echo with other bytes in the middle".to_owned(),
                    false => describe(*first, payload),
                };
                return Err(trial.came(came).named(Mistake::TickBesideTheLock));
            }
            _ if ann.talk.unread().len() > 1 << 20 => {
                let lesson = trial.came("a part of the echo, and nothing more");
                return Err(lesson.named(Mistake::TickBesideTheLock));
            }
            seen => return Err(trial.came(seen.to_string())),
        }
    }
    ann.tick(Mistake::TicksLost)?;
    ann.tick(Mistake::TicksLost)
}

/// Returns what follows the ticks of a client that is done.
fn past_the_ticks(talk: &mut Talk) -> Result<Seen, Lesson> {
    let begin = Instant::now();
    while begin.elapsed() < talk.trial.patience * 2 {
        let seen = talk.look();
        if number_of(&seen).is_none() {
            return Ok(seen);
        }
    }
    Err(talk.trial.came("ticks, and no end of them").named(Mistake::TicksOutliveClient))
}

pub fn ticks_stop_with_the_close(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let ends = [
        ("a Close", masked(0x88, b"\x03\xE8")),
        ("a frame without a mask", b"\x81\x02hi".to_vec()),
        ("nothing more, and closes its side", Vec::new()),
    ];
    for (what, bytes) in ends {
        let house = House::new(subject, trial, every(Duration::from_millis(1)));
        let mut ann = Listener::new(&house)?;
        HOUSE.case(
            trial,
            format!("a client on /ticks sends {what}; tick_interval is 1 ms"),
            "ticks, then the Close if there is one, then the end of the stream",
            "§5.5.1: no message is allowed to follow a Close.",
        );
        ann.tick(Mistake::TicksNotStarted)?;
        // A thread that still holds a client that has left keeps its socket open too.
        let held: Vec<Weak<dyn Client>> = house.clients()?.iter().map(|(_, client)| Arc::downgrade(client)).collect();
        ann.talk.send(&bytes);
        if bytes.is_empty() {
            ann.talk.hang_up();
        }
        let seen = past_the_ticks(&mut ann.talk)?;
        if matches!(seen, Seen::Frame { first: 0x88, .. }) {
            let next = ann.talk.look();
            if !matches!(next, Seen::End | Seen::Reset) {
                let lesson = trial.came(format!("the Close, then {}", describe_seen(&next)));
                return Err(lesson.named(number_of(&next).map(|_| Mistake::TickAfterClose)));
            }
        } else if !matches!(seen, Seen::End | Seen::Reset) {
            return Err(trial.came(seen.to_string()));
        }
        HOUSE.case(
            trial,
            format!("a client on /ticks has sent {what}; serve_client has returned"),
            "no thread holds the client any more",
            "If each client left a thread behind, the threads would fill the machine.",
        );
        drop(ann.talk);
        ann.serving.finish(trial)?;
        let begin = Instant::now();
        while held.iter().any(|client| client.upgrade().is_some()) {
            if begin.elapsed() > trial.patience {
                return Err(trial.came("somebody still holds it").named(Mistake::TickerSurvives));
            }
            // Checks often; the loop ends when the patience is over.
            thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(())
}
