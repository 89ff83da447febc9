//! Step 00: an echo over TCP, with a thread for each client.

use super::guard::Task;
use super::lesson::{Lesson, Trial, hex};
use super::mistakes::Mistake;
use super::subject::Subject;
use super::talk::{Seen, Talk};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

const ECHO: &str = "TCP is a stream of bytes. A client's bytes come back to it, unchanged and in their order.";

/// This many silent clients fill a thread pool of any usual size.
pub const CROWD: usize = 64;

struct Echo {
    address: SocketAddr,
    task: Task<()>,
}

fn start(subject: &Subject) -> Echo {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
    let address = listener.local_addr().expect("an address");
    let echo_bytes = subject.echo_bytes;
    Echo { address, task: Task::start(move || echo_bytes(listener)) }
}

impl Echo {
    fn connect<'a>(&self, trial: &'a Trial) -> Result<Talk<'a>, Lesson> {
        let stream = TcpStream::connect_timeout(&self.address, trial.patience);
        let stream = stream.map_err(|error| self.why(trial, trial.came(format!("no connection: {error}"))))?;
        Ok(Talk::over(trial, stream))
    }

    /// Returns the reason behind a lesson: the server has panicked, or has returned.
    fn why(&self, trial: &Trial, lesson: Lesson) -> Lesson {
        match self.task.panic(trial) {
            Some(panic) => panic,
            None if self.task.ends_within(Duration::ZERO) => lesson.named(Mistake::RunReturns),
            None => lesson,
        }
    }
}

/// Sends bytes, and expects them back.
fn ask(echo: &Echo, talk: &mut Talk, sent: &str, bytes: &[u8], nothing: Mistake) -> Result<(), Lesson> {
    let trial = talk.trial;
    trial.case(format!("{sent}: {}", hex(bytes)), "the same bytes", ECHO);
    talk.send(bytes);
    let came = talk.bytes(bytes.len());
    if came == bytes {
        return Ok(());
    }
    let shown = if came.is_empty() { "nothing".to_owned() } else { hex(&came) };
    let mistake = match came.len() {
        0 => Some(nothing),
        _ if came.iter().all(|byte| *byte == 0) => Some(Mistake::WholeArrayTaken),
        _ if nothing == Mistake::EchoText => Some(nothing),
        length if length < bytes.len() => Some(Mistake::EchoCutShort),
        _ => Some(Mistake::EchoOtherBytes),
    };
    let lesson = echo.why(trial, trial.came(shown).named(mistake));
    Err(if lesson.mistake == Some(Mistake::EchoNothing) { lesson.named(waits_for(talk)) } else { lesson })
}

/// Returns the mistake of a server that has sent nothing back: it waits for more bytes, for the end of the stream, or
/// for nothing.
fn waits_for(talk: &mut Talk) -> Mistake {
    talk.send(&[b'x'; 1 << 16]);
    if !talk.bytes(1).is_empty() {
        return Mistake::EchoFullArray;
    }
    talk.hang_up();
    if talk.bytes(1).is_empty() { Mistake::EchoNothing } else { Mistake::EchoAtTheEnd }
}

pub fn bytes_come_back(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let echo = start(subject);
    let mut talk = echo.connect(trial)?;
    ask(&echo, &mut talk, "a line", b"Hello\n", Mistake::EchoNothing)?;
    ask(&echo, &mut talk, "another line on the same connection", b"Are you still there?\n", Mistake::EchoOnce)?;
    ask(&echo, &mut talk, "bytes that are no text", b"\xFF\0\x80", Mistake::EchoText)?;
    ask(&echo, &mut talk, "two bytes without a line end", b"ok", Mistake::EchoLines)?;
    trial.case("nothing more", "nothing more", ECHO);
    match talk.look_for(Duration::from_millis(20)) {
        Seen::Nothing if talk.unread().is_empty() => {}
        _ => return Err(trial.came(hex(talk.unread())).named(Mistake::WholeArrayTaken)),
    }
    let many: Vec<u8> = (0..100_000_u32).map(|i| (i % 251) as u8).collect();
    ask(&echo, &mut talk, "100000 bytes at once", &many, Mistake::EchoCutShort)
}

pub fn a_silent_client_keeps_no_other_waiting(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let echo = start(subject);
    let silent = echo.connect(trial)?;
    let mut patient = echo.connect(trial)?;
    let begin = Instant::now();
    let mut other = echo.connect(trial)?;
    let sent = "one client connects and says nothing; another sends a line";
    ask(&echo, &mut other, sent, b"Hello\n", Mistake::OneAfterTheOther)?;
    drop(silent);
    let crowd = (0..CROWD).map(|_| echo.connect(trial)).collect::<Result<Vec<_>, _>>()?;
    let mut last = echo.connect(trial)?;
    let sent = format!("{CROWD} clients connect and say nothing; another sends a line");
    ask(&echo, &mut last, &sent, b"Hello\n", Mistake::FewThreads)?;
    drop(crowd);
    ask(&echo, &mut other, "the silent one has left; the other sends a line", b"Me again\n", Mistake::OneEndsAll)?;
    let mut third = echo.connect(trial)?;
    ask(&echo, &mut third, "a third client connects, and sends a line", b"And me\n", Mistake::OneEndsAll)?;
    std::thread::sleep(Duration::from_millis(500).saturating_sub(begin.elapsed()));
    let sent = "a client that has said nothing for half a second sends a line";
    ask(&echo, &mut patient, sent, b"At last\n", Mistake::QuietDropped)
}

pub fn the_end_of_a_client_is_its_end(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let echo = start(subject);
    let mut talk = echo.connect(trial)?;
    ask(&echo, &mut talk, "a line", b"bye\n", Mistake::EchoNothing)?;
    trial.case(
        "the end of the client's side",
        "the end of the stream: the server drops its socket",
        "A read of 0 bytes means that the client has closed its side: nothing more will follow.",
    );
    talk.hang_up();
    match talk.look() {
        Seen::End => {}
        seen => return Err(echo.why(trial, trial.came(seen.to_string()).named(Mistake::EndIgnored))),
    }
    let mut next = echo.connect(trial)?;
    ask(&echo, &mut next, "the next client sends a line", b"Hello\n", Mistake::OneEndsAll)
}
