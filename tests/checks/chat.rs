//! Step 16: `/chat`, the registry, and who may write to a socket.

use super::lesson::{Lesson, Trial};
use super::mistakes::Mistake;
use super::running::{Running, quick};
use super::subject::Subject;
use super::talk::{Seen, Talk, masked};
use super::words::Settings;
use std::io::Read as _;
use std::io::Write as _;
use std::thread;
use std::time::Duration;

const ROOM: &str = "The handler of /chat: every message goes to all clients of /chat, the sender included.";

/// A member of the room: it has seen a message of its own, so the others' will come too.
fn join<'a>(server: &Running, trial: &'a Trial, name: &str) -> Result<Talk<'a>, Lesson> {
    let mut talk = server.connect(trial, "/chat")?;
    trial.case(format!("/chat: {name} says \"{name} is here\""), format!("{name} gets it too"), ROOM);
    talk.send(&masked(0x81, format!("{name} is here").as_bytes()));
    talk.expect(0x81, format!("{name} is here").as_bytes()).map_err(|asked| match asked.seen {
        Seen::Nothing => asked.lesson.named(Mistake::NotEverybody),
        _ => asked.lesson,
    })?;
    Ok(talk)
}

/// One member speaks, and all the others hear it next.
fn say(trial: &Trial, room: &mut [Talk], speaker: usize, text: &str) -> Result<(), Lesson> {
    room[speaker].send(&masked(0x81, text.as_bytes()));
    for (i, member) in room.iter_mut().enumerate() {
        trial.case(
            format!("/chat: member {speaker} says {text:?}"),
            format!("everybody in the room gets it, here member {i}"),
            ROOM,
        );
        member.expect(0x81, text.as_bytes()).map_err(|asked| match asked.seen {
            Seen::Nothing => asked.lesson.named(Mistake::NotEverybody),
            _ => asked.lesson,
        })?;
    }
    Ok(())
}

pub fn a_message_goes_to_everybody(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let server = Running::start(subject, quick());
    let mut elsewhere = server.connect(trial, "/echo")?;
    let mut ann = join(&server, trial, "Ann")?;
    let bob = join(&server, trial, "Bob")?;
    trial.case("/chat: Ann is there, then Bob says \"Bob is here\"", "Ann gets it", ROOM);
    ann.expect(0x81, b"Bob is here").map_err(|asked| asked.lesson.named(Mistake::NotEverybody))?;
    let mut room = [ann, bob];
    say(trial, &mut room, 0, "hello")?;
    say(trial, &mut room, 1, "hello yourself")?;

    trial.case("/chat: some messages; meanwhile a client is on /echo", "nothing on /echo but its own message", ROOM);
    elsewhere.send(&masked(0x81, b"mine"));
    elsewhere.expect(0x81, b"mine").map_err(|asked| asked.lesson.named(Mistake::WrongRoom))?;

    // Ann leaves with a Close, a third without: neither harms a broadcast.
    let [mut ann, bob] = room;
    ann.ask_close("/chat: a Close", &masked(0x88, b"\x03\xE8"), Some(1000), "§5.5.1: /chat closes as /echo does.")?;
    drop(ann);
    let mut room = [bob];
    drop(server.connect(trial, "/chat")?);
    say(trial, &mut room, 0, "anybody?")?;
    say(trial, &mut room, 0, "nobody.")
}

/// Several members speak at the same time, each with a letter of its own.
struct Crowd {
    writers: usize,
    rounds: usize,
    length: usize,
    /// How long a listener waits before it reads, so that its buffers fill and writes to it stop in the middle.
    pause: Duration,
}

pub fn frames_of_two_writers_are_not_mixed(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    // Frames so small that the threads meet often, and so many bytes that a write is done in parts.
    Crowd { writers: 6, rounds: 100, length: 700, pause: Duration::ZERO }.check(subject, trial)?;
    Crowd { writers: 2, rounds: 25, length: 256 * 1024, pause: Duration::from_millis(250) }.check(subject, trial)
}

impl Crowd {
    fn check(&self, subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
        let Crowd { writers, rounds, length, pause } = *self;
        let server = Running::start(subject, Settings { send_timeout: trial.patience * 2, ..quick() });
        let mut listener = join(&server, trial, "a listener")?;
        let clients = (0..writers).map(|_| server.connect(trial, "/chat")).collect::<Result<Vec<_>, _>>()?;
        trial.case(
            format!("/chat: {writers} clients at once, {rounds} messages of {length} bytes each; each has a letter of its own"),
            "another client gets them one by one, each of one letter",
            "§5.4: frames of different messages are not interleaved. A write may be done in several parts: hold the lock \
             from a frame's first byte to its last.",
        );
        thread::scope(|scope| {
            for (client, letter) in clients.iter().zip(b'a'..) {
                // Who does not read is a slow member: each reads while it writes.
                let (mut reader, mut writer) = (&client.stream, &client.stream);
                client.stream.set_read_timeout(Some(trial.patience * 2)).expect("set_read_timeout");
                scope.spawn(move || while reader.read(&mut [0; 65536]).is_ok_and(|count| count > 0) {});
                scope
                    .spawn(move || (0..rounds).all(|_| writer.write_all(&masked(0x82, &vec![letter; length])).is_ok()));
            }
            thread::sleep(pause);
            let outcome = (0..writers * rounds).try_for_each(|_| self.expect_whole(&mut listener));
            for client in &clients {
                let _ = client.stream.shutdown(std::net::Shutdown::Both);
            }
            outcome
        })
    }

    fn expect_whole(&self, listener: &mut Talk) -> Result<(), Lesson> {
        let trial = listener.trial;
        let mixed = || trial.came("a frame in which the bytes of several are mixed").named(Mistake::FramesMixed);
        match listener.look() {
            Seen::Frame { first: 0x82, masked: false, payload } if self.is_whole(&payload) => Ok(()),
            Seen::Frame { .. } => Err(mixed()),
            Seen::Nothing if !listener.unread().is_empty() => Err(mixed()),
            Seen::Nothing => Err(trial.came("nothing").named(Mistake::NotEverybody)),
            seen => Err(trial.came(seen.to_string())),
        }
    }

    fn is_whole(&self, payload: &[u8]) -> bool {
        payload.len() == self.length && payload.iter().all(|byte| *byte == payload[0])
    }
}

pub fn a_member_that_does_not_read_holds_nobody_up(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let server = Running::start(subject, quick());
    let _slow = join(&server, trial, "a slow one")?;
    let mut ann = join(&server, trial, "Ann")?;
    let mut bob = join(&server, trial, "Bob")?;
    trial.case("/chat: Bob is there", "Ann gets his message", ROOM);
    ann.expect(0x81, b"Bob is here")?;
    let text = vec![b'x'; 1 << 20];
    for round in 1..=16 {
        trial.case(
            format!("/chat: one member does not read; Ann sends messages of 1 MiB, now number {round}"),
            "Ann and Bob get it",
            "Once the slow one's buffers are full, a write to it waits. settings.send_timeout says for how long.",
        );
        ann.send(&masked(0x82, &text));
        for member in [&mut ann, &mut bob] {
            let seen = member.look_for(trial.patience.max(Duration::from_secs(1)));
            if seen != (Seen::Frame { first: 0x82, masked: false, payload: text.clone() }) {
                return Err(trial
                    .came(seen.to_string())
                    .named((seen == Seen::Nothing).then_some(Mistake::SlowHoldsAll)));
            }
        }
    }
    Ok(())
}
