//! Runs code that can panic or never return, and turns both into lessons.

use super::lesson::{Lesson, Trial};
use super::mistakes::Mistake;
use super::subject::Subject;
use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread;
use std::time::Duration;

/// The name of the threads whose panics become lessons.
const CHECKED: &str = "checked";

pub type Check = fn(&Subject, &Trial) -> Result<(), Lesson>;

thread_local! {
    /// The text and the place of this thread's last panic.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
    /// The panics of all calls that the check has started. The check's own thread passes the list on to the threads of
    /// the calls.
    static PANICS: RefCell<Panics> = RefCell::default();
}

type Panics = Arc<Mutex<Vec<String>>>;

/// Panics in threads that the subject itself has started. They are kept only if nothing else runs in this process.
static ELSEWHERE: Mutex<Vec<String>> = Mutex::new(Vec::new());
static ALONE: AtomicBool = AtomicBool::new(false);

/// The folders of the servers under test.
const YOURS: [&str; 2] = ["tests/my_server/", "tests/checks/wrong/"];

/// Hides the output of panics, in a process that runs only the checks.
pub fn silence_every_panic() {
    ALONE.store(true, Ordering::SeqCst);
}

fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let payload = info.payload();
            let text = payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
            let text = text.unwrap_or("without a text");
            let place = info.location().map_or(String::new(), |at| format!(", at {}", place(at.file(), at.line())));
            if thread::current().name() == Some(CHECKED) {
                PANIC.set(format!("{text}{place}"));
            } else if ALONE.load(Ordering::SeqCst) {
                ELSEWHERE.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{text}{place}"));
            } else {
                usual(info);
            }
        }));
    });
}

/// Returns the place of a panic. If it is in the standard library, returns the last line of your code that led there.
fn place(file: &str, line: u32) -> String {
    let file = file.replace('\\', "/");
    if !ALONE.load(Ordering::SeqCst) || YOURS.iter().any(|folder| file.contains(folder)) {
        return format!("{file}:{line}");
    }
    your_line(&Backtrace::force_capture().to_string()).unwrap_or(format!("{file}:{line}"))
}

/// Returns the first line of your code that a backtrace names.
pub fn your_line(trace: &str) -> Option<String> {
    let trace = trace.replace('\\', "/");
    trace.lines().find_map(|line| {
        let start = YOURS.iter().find_map(|folder| line.find(folder))?;
        // The column is left out.
        line[start..].rsplit_once(':').map(|(place, _)| place.to_owned())
    })
}

/// Returns the processor time used so far, if this process runs only the checks of one step and the system reports it.
pub fn processor_times() -> Option<super::runner::limits::Times> {
    if ALONE.load(Ordering::SeqCst) { super::runner::limits::times() } else { None }
}

/// Waits until the check itself has used this much processor time, and returns whether your threads have used nearly as
/// much meanwhile; `None` if that cannot be measured. On a busy machine it waits as long as a busy thread of yours would
/// need.
pub fn burns_a_core(time: Duration) -> Option<bool> {
    let first = processor_times()?;
    let (mut own, mut others) = (Duration::ZERO, Duration::ZERO);
    while own < time {
        let now = processor_times()?;
        own = now.thread.saturating_sub(first.thread);
        others = now.process.saturating_sub(first.process).saturating_sub(own);
    }
    Some(others >= time * 2 / 5)
}

/// Returns a number that Linux keeps about this process.
fn status(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Returns how many threads there are, if this process runs only the checks of one step and the system reports it.
pub fn threads() -> Option<u64> {
    if ALONE.load(Ordering::SeqCst) { status("Threads:") } else { None }
}

/// Returns the resource that your code has used without limit, if the system reports it. The checks need far fewer
/// threads and far less memory.
fn excess() -> Option<(String, Mistake)> {
    const THREADS: u64 = 200;
    const KIB: u64 = 500 << 10;
    let threads = status("Threads:").filter(|threads| *threads > THREADS);
    let memory = status("VmRSS:").filter(|kib| *kib > KIB);
    let threads = threads.map(|_| (format!("more than {THREADS} threads at work"), Mistake::ThreadsRunOut));
    threads.or(memory.map(|_| (format!("more than {} MiB in use", KIB >> 10), Mistake::MemoryRunsOut)))
}

/// A call of the subject's code in a thread of its own.
pub struct Task<T> {
    result: Receiver<Result<T, String>>,
    /// The outcome, if it was taken out of `result` before the check asked for it.
    early: RefCell<Option<Result<T, String>>>,
}

/// The panic's text if the check itself cannot start a thread.
const NO_THREAD: &str = "the system has a thread for us";

impl<T: Send + 'static> Task<T> {
    pub fn start(call: impl FnOnce() -> T + Send + 'static) -> Task<T> {
        install_hook();
        let (done, result) = mpsc::channel();
        let panics = PANICS.with_borrow(Arc::clone);
        let body = move || {
            PANICS.set(Arc::clone(&panics));
            let outcome = catch_unwind(AssertUnwindSafe(call)).map_err(|_: Box<dyn Any + Send>| PANIC.take());
            if let Err(text) = &outcome {
                panics.lock().unwrap_or_else(PoisonError::into_inner).push(text.clone());
            }
            // If the call took too long, the check no longer waits.
            let _ = done.send(outcome);
        };
        thread::Builder::new().name(CHECKED.to_owned()).spawn(body).expect(NO_THREAD);
        Task { result, early: RefCell::new(None) }
    }

    /// Returns the value of the call. A panic or a hang becomes a lesson.
    pub fn finish(&self, trial: &Trial) -> Result<T, Lesson> {
        self.finish_within(trial, trial.patience, Mistake::Hangs)
    }

    /// Does the same for a call that must first do much work, which takes a while on a busy machine.
    pub fn finish_late(&self, trial: &Trial) -> Result<T, Lesson> {
        self.finish_within(trial, trial.patience * 3, Mistake::Hangs)
    }

    fn finish_within(&self, trial: &Trial, patience: Duration, hang: Mistake) -> Result<T, Lesson> {
        if self.ends_within(patience)
            && let Some(outcome) = self.early.take()
        {
            return outcome.map_err(|text| panicked(trial, &text));
        }
        Err(trial.came("nothing: the function did not return in time").named(hang))
    }

    /// Returns whether the call is over, or ends within this time.
    pub fn ends_within(&self, time: Duration) -> bool {
        if self.early.borrow().is_none() {
            let outcome = match self.result.recv_timeout(time) {
                Ok(outcome) => outcome,
                Err(RecvTimeoutError::Timeout) => return false,
                Err(RecvTimeoutError::Disconnected) => Err("the thread is gone".to_owned()),
            };
            self.early.replace(Some(outcome));
        }
        true
    }

    /// Returns the panic that has ended the call, if there was one.
    pub fn panic(&self, trial: &Trial) -> Option<Lesson> {
        // A panicking thread drops its socket first, and reports the panic a little later.
        self.ends_within(Duration::from_millis(20));
        match &*self.early.borrow() {
            Some(Err(text)) => Some(panicked(trial, text)),
            _ => None,
        }
    }
}

fn panicked(trial: &Trial, text: &str) -> Lesson {
    // A stub has `todo!("step 04: ...")`.
    if let Some((_, todo)) = text.split_once("not yet implemented: step ") {
        // A step can have several stubs; the text after the number says which one it is.
        let (number, which) = todo.split_once(": ").unwrap_or((todo, "it"));
        return Lesson {
            unwritten: Some(number.to_owned()),
            ..trial.came(format!("todo!: step {number} is not written yet: {which}"))
        };
    }
    trial.came(format!("a panic: {text}")).named(kind_of_panic(text))
}

/// Replaces a lesson by the panic that caused it: a thread that panics drops its socket, which a check notices first.
fn hidden_panic(trial: &Trial, panics: &Panics, lesson: Lesson) -> Lesson {
    if lesson.came.starts_with("a panic: ") || lesson.unwritten.is_some() {
        return lesson;
    }
    let first = || panics.lock().unwrap_or_else(PoisonError::into_inner).first().cloned();
    // The panic is reported a little later.
    let text = first().or_else(|| {
        thread::sleep(Duration::from_millis(20));
        first()
    });
    let Some(text) = text else { return lesson };
    let panic = panicked(trial, &text);
    let came = format!("{}; before that, {}", lesson.came, panic.came);
    Lesson { came, mistake: panic.mistake, unwritten: panic.unwritten, ..lesson }
}

/// Returns the kind of panic, which the standard library's words show.
fn kind_of_panic(text: &str) -> Mistake {
    match text {
        _ if text.starts_with("called `") => Mistake::UnwrapPanics,
        _ if text.starts_with("attempt to ") => Mistake::CalculationPanics,
        _ if text.contains("failed to spawn thread") || text.contains(NO_THREAD) => Mistake::ThreadsRunOut,
        _ if text.starts_with("capacity overflow") => Mistake::MemoryRunsOut,
        _ if text.contains("out of bounds") || text.contains("out of range") => Mistake::IndexPanics,
        _ => Mistake::Panics,
    }
}

/// Runs one check of a step, in bounded time: a case that takes longer than `silence` has hung.
pub fn run(check: Check, subject: Subject, patience: Duration, silence: Duration) -> Result<(), Lesson> {
    ELSEWHERE.lock().unwrap_or_else(PoisonError::into_inner).clear();
    let trial = Arc::new(Trial::new(patience));
    let its_trial = Arc::clone(&trial);
    // Each run has its own list, because checks of other subjects can run at the same time.
    PANICS.set(Panics::default());
    let panics = PANICS.with_borrow(Arc::clone);
    let task = Task::start(move || check(&subject, &its_trial));
    while !task.ends_within(silence.saturating_sub(trial.tried_for())) && trial.tried_for() < silence {}
    let outcome = task.finish_within(&trial, Duration::ZERO, Mistake::LoopsForEver).and_then(|result| result);
    let outcome = outcome.map_err(|lesson| hidden_panic(&trial, &panics, lesson));
    // In a process that runs only checks, all threads belong to the subject.
    let excess = if outcome.is_err() && ALONE.load(Ordering::SeqCst) { excess() } else { None };
    if let (Err(lesson), Some((taken, mistake))) = (&outcome, excess) {
        return Err(Lesson { came: format!("{}; {taken}", lesson.came), ..lesson.clone() }.named(mistake));
    }
    let elsewhere = ELSEWHERE.lock().unwrap_or_else(PoisonError::into_inner).first().cloned();
    match (outcome, elsewhere) {
        // A panic in one of the subject's own threads explains why no reply arrived.
        (Err(lesson), Some(text)) if lesson.unwritten.is_none() && text.contains("not yet implemented") => {
            Err(panicked(&trial, &text))
        }
        (Err(mut lesson), Some(text)) => {
            lesson.came += &format!(" (one of your threads panicked: {text})");
            Err(lesson)
        }
        (outcome, _) => outcome,
    }
}
