//! The log, written to stderr by a thread of its own.
//!
//! stderr can be a pipe that nobody reads, or a terminal that was stopped with Ctrl-S. Then a write to it waits for as
//! long as that lasts, and only the log's thread may wait so: the others leave their lines in a queue with a bound. Lines
//! that find no room are lost, and counted.

use env_logger::{Builder, Env, Target, WriteStyle};
use log::{Level, LevelFilter, Log as _, Record};
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, ErrorKind, IsTerminal as _, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{env, mem, panic, thread};

/// How many bytes of lines may wait.
const MOST: usize = 1024 * 1024;

/// How long the end of the program waits for the last lines.
const PATIENCE: Duration = Duration::from_secs(1);

/// The pause before another try where somebody has made stderr non-blocking, for example a program that shares it.
const PAUSE: Duration = Duration::from_millis(20);

/// The lines that wait; the threads of the server are on one side of it, and the log's thread is on the other.
#[derive(Clone, Default)]
struct Queue(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    lines: Vec<u8>,
    /// How many lines found no room since the last batch was taken.
    lost: u64,
    is_writing: bool,
}

/// A guard: however the program's work ends, by return, error or panic, the last lines are written.
pub struct Log(Queue);

impl Drop for Log {
    fn drop(&mut self) {
        self.0.finish();
    }
}

/// Starts the thread, and makes it the program's log. The error is that there is no thread.
pub fn start() -> io::Result<Log> {
    let queue = Queue::default();
    let style = if has_colours() { "always" } else { "never" };
    let environment = Env::default().default_filter_or("info").default_write_style_or(style);
    Builder::from_env(environment).target(Target::Pipe(Box::new(queue.clone()))).init();
    panic::set_hook(Box::new(log_panic));
    let its_queue = queue.clone();
    thread::Builder::new().name("log".to_owned()).spawn(move || its_queue.write_out())?;
    Ok(Log(queue))
}

/// The usual hook writes to stderr itself, and so a thread that panics would wait for it.
fn log_panic(panic: &panic::PanicHookInfo) {
    log::error!("{}", panic.to_string().replacen(":\n", ": ", 1).escape_debug());
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        log::error!("{backtrace}");
    }
}

/// `env_logger` sees a queue where it would look for a terminal. Elsewhere than on Unix a terminal may not know colours.
fn has_colours() -> bool {
    let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = env::var_os("TERM").is_none_or(|terminal| terminal == "dumb");
    cfg!(unix) && io::stderr().is_terminal() && !no_color && !dumb
}

/// Each call is a line; it never waits.
impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut state = self.lock();
        if state.lines.len() + line.len() > MOST {
            state.lost += 1;
        } else {
            state.lines.extend_from_slice(line);
        }
        self.0.1.notify_all();
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Queue {
    /// Waits until every line is written, but no longer than a second.
    fn finish(&self) {
        let is_busy = |state: &mut State| state.is_writing || !state.lines.is_empty();
        let _ = self.0.1.wait_timeout_while(self.lock(), PATIENCE, is_busy);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log's thread.
    fn write_out(&self) {
        // How many lines are lost must be said whatever RUST_LOG is.
        let style = if has_colours() { WriteStyle::Always } else { WriteStyle::Never };
        let notices = Builder::new().filter_level(LevelFilter::Warn).write_style(style).build();
        loop {
            let (lines, lost) = self.take();
            write_all(&lines);
            if lost > 0 {
                notices.log(
                    &Record::builder()
                        .level(Level::Warn)
                        .target(module_path!())
                        .args(format_args!(
                            "{lost} lines of this log are lost here: nobody read it, and too many waited"
                        ))
                        .build(),
                );
            }
        }
    }

    /// Waits for lines, and takes all of them.
    fn take(&self) -> (Vec<u8>, u64) {
        let mut state = self.lock();
        state.is_writing = false;
        self.0.1.notify_all();
        let waited = self.0.1.wait_while(state, |state| state.lines.is_empty());
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.is_writing = true;
        (mem::take(&mut state.lines), mem::take(&mut state.lost))
    }
}

/// Writes to stderr, and waits for it. Lines that it will never take, because it is closed for example, are dropped.
fn write_all(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match io::stderr().write(bytes) {
            Ok(0) => return,
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(PAUSE),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_beyond_the_bound_are_lost_and_counted() {
        let mut queue = Queue::default();
        let (line, count) = ([b'x'; 1000], MOST / 1000);
        (0..count + 3).for_each(|_| queue.write_all(&line).unwrap());
        let (lines, lost) = queue.take();
        assert_eq!((lines.len(), lost), (count * 1000, 3));
        queue.write_all(b"there is room again\n").unwrap();
        assert_eq!(queue.take(), (b"there is room again\n".to_vec(), 0));
    }

    #[test]
    fn panic_is_a_line_of_the_log_and_stays_in_it() {
        let queue = Queue::default();
        Builder::new().filter_level(LevelFilter::Error).target(Target::Pipe(Box::new(queue.clone()))).init();
        let usual = panic::take_hook();
        panic::set_hook(Box::new(log_panic));
        let panicked = thread::spawn(|| panic!("on\npurpose")).join();
        panic::set_hook(usual);
        assert!(panicked.is_err());
        let lines = String::from_utf8(mem::take(&mut queue.lock().lines)).unwrap();
        let first = lines.lines().next().unwrap();
        assert!(first.contains(" ERROR ") && first.ends_with(r": on\npurpose"), "{lines}");
    }
}
