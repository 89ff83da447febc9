//! Runs the checks of a step in a child process, so that your code can do harm to that process only.

use super::super::guard;
use super::super::lesson::Lesson;
use super::super::steps::Step;
use super::super::subject::Subject;
use super::ends;
use super::limits;
use super::report::{self, Progress};
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// More output than this is no message for people.
const MOST_OUTPUT: usize = 1 << 20;

/// The longest time for which a child can report nothing: each check has a shorter patience of its own.
const SILENCE: Duration = Duration::from_secs(30);

/// The time for a process to end, and the time to read the pipes of a process that has ended while another holds them.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// In the child: runs the checks, and reports their results.
pub fn serve(step: &Step, subject: Subject, patience: Duration, path: &Path) -> io::Result<()> {
    limits::set();
    report::open(path)?;
    guard::silence_every_panic();
    let longest_gap = watch_the_machine();
    let outcome = step.run(subject, patience);
    if Duration::from_millis(longest_gap.load(Ordering::Relaxed)) > patience / 4 {
        report::stalled(path)?;
    }
    report::verdict(&outcome, path)
}

/// Starts a thread that does nothing but sleep. Returns the longest time in milliseconds by which it woke up late: for as
/// long this process did not get the processor.
fn watch_the_machine() -> Arc<AtomicU64> {
    const NAP: Duration = Duration::from_millis(10);
    let longest = Arc::new(AtomicU64::new(0));
    let its_longest = Arc::clone(&longest);
    thread::spawn(move || {
        loop {
            let begin = Instant::now();
            thread::sleep(NAP);
            let gap = begin.elapsed().saturating_sub(NAP);
            its_longest.fetch_max(u64::try_from(gap.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    });
    longest
}

/// The outcome of a child process.
pub struct Outcome {
    pub result: Result<(), Lesson>,
    /// The output of your code.
    pub printed: Vec<u8>,
    /// The machine has stalled, so a wait can have ended too early.
    pub stalled: bool,
}

/// In the parent: starts the child that reports to `path`, and waits for its end.
pub fn run(command: &mut Command, path: &Path) -> io::Result<Outcome> {
    report::remove(path);
    // If memory runs out, the standard library then names the line.
    command.env("RUST_BACKTRACE", "1");
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (send, receive) = mpsc::channel();
    listen(child.stdout.take(), Said::Printed, &send);
    listen(child.stderr.take(), Said::Complained, &send);
    drop(send);
    let mut heard = Heard::default();
    let end = wait(&mut child, &receive, &mut heard, path)?;
    let result = match (report::read(path)?, end) {
        (Progress::Green, _) => Ok(()),
        (Progress::Red(lesson), _) => Err(lesson),
        (Progress::Trying(lesson), end) => Err(ends::lesson(lesson, end, &heard.complained)),
    };
    let stalled = report::is_stalled(path);
    report::remove(path);
    heard.printed.truncate(ends::last_words(&heard.printed));
    Ok(Outcome { result, printed: heard.printed, stalled })
}

enum Said {
    Printed(Vec<u8>),
    Complained(Vec<u8>),
}

#[derive(Default)]
struct Heard {
    /// All output, in the order in which it arrived.
    printed: Vec<u8>,
    /// The bytes written to stderr: at an abort the standard library writes its message there.
    complained: Vec<u8>,
}

impl Heard {
    fn take(&mut self, said: Said) {
        match said {
            Said::Printed(bytes) => self.printed.extend(bytes),
            Said::Complained(bytes) => {
                self.printed.extend_from_slice(&bytes);
                self.complained.extend(bytes);
            }
        }
    }
}

/// Passes on the bytes of a pipe, until its end.
fn listen(pipe: Option<impl Read + Send + 'static>, as_said: fn(Vec<u8>) -> Said, to: &Sender<Said>) {
    let (Some(mut pipe), to) = (pipe, to.clone()) else { return };
    thread::spawn(move || {
        let mut buffer = [0; 1 << 14];
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            if to.send(as_said(buffer[..count].to_vec())).is_err() {
                return;
            }
        }
    });
}

/// The reason why a child has no verdict.
pub enum End {
    Itself(ExitStatus),
    /// The runner has killed the child.
    Silent,
    Talkative,
}

fn wait(child: &mut Child, said: &Receiver<Said>, heard: &mut Heard, path: &Path) -> io::Result<End> {
    let (mut last, mut since) = (None, Instant::now());
    loop {
        let open = match said.recv_timeout(Duration::from_millis(10)) {
            Ok(said) => {
                heard.take(said);
                true
            }
            Err(error) => error == RecvTimeoutError::Timeout,
        };
        if heard.printed.len() > MOST_OUTPUT {
            return end(child, End::Talkative);
        }
        // Both pipes are closed when the child ends, unless a process that it has started holds them.
        if !open {
            return Ok(End::Itself(child.wait()?));
        }
        if let Some(status) = child.try_wait()? {
            // The child's last bytes can still be on their way.
            let deadline = Instant::now() + LAST_WORDS;
            while let Ok(said) = said.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                heard.take(said);
            }
            return Ok(End::Itself(status));
        }
        let changed: Option<SystemTime> = path.metadata().and_then(|data| data.modified()).ok();
        if changed != last {
            (last, since) = (changed, Instant::now());
        }
        // A process that has used up its memory does not always manage to end.
        let over = report::verdict_since(path).and_then(|since| since.elapsed().ok());
        if since.elapsed() > SILENCE || over.is_some_and(|time| time > LAST_WORDS) {
            return end(child, End::Silent);
        }
    }
}

fn end(child: &mut Child, why: End) -> io::Result<End> {
    child.kill()?;
    child.wait()?;
    Ok(why)
}
