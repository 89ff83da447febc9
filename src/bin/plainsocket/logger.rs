//! The log, written to stderr by a thread of its own.
//!
//! stderr can be a pipe that nobody reads, or a terminal stopped with Ctrl-S: then a write blocks. Only the log's
//! thread can afford that, so the others leave their lines in a bounded queue. Lines that do not fit are lost and
//! counted.

use crate::output;
use env_logger::{Builder, Env, Target, WriteStyle};
use log::{Level, LevelFilter, Log as _, Record};
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::{env, mem, panic, thread};

/// The most bytes of lines in the queue.
const MOST: usize = 1024 * 1024;

/// The lines on their way from the server's threads to the log's thread.
#[derive(Clone, Default)]
struct Queue(Arc<(Mutex<Lines>, Condvar)>);

#[derive(Default)]
struct Lines {
    lines: Vec<u8>,
    /// The number of lines that did not fit since the last batch.
    lost: u64,
    is_writing: bool,
}

/// A guard that writes the last lines however the program's work ends, by return, error or panic.
pub struct Log(Queue);

impl Drop for Log {
    fn drop(&mut self) {
        self.0.finish();
    }
}

/// Starts the log's thread, and makes it the program's log. The error is that the system has no thread left.
pub fn start() -> io::Result<Log> {
    let queue = Queue::default();
    builder()?.target(Target::Pipe(Box::new(queue.clone()))).init();
    panic::set_hook(Box::new(log_panic));
    let its_queue = queue.clone();
    thread::Builder::new().name("log".to_owned()).spawn(move || its_queue.write_out())?;
    Ok(Log(queue))
}

/// Returns what `RUST_LOG` asks for. `env_logger` warns of a wrong filter with `eprintln!`, which can wait or panic. So
/// a thread of its own asks, and without its answer within a second the level is `info`.
fn builder() -> io::Result<Builder> {
    let style = if has_colours() { "always" } else { "never" };
    let (sender, answer) = mpsc::channel();
    let ask = move || {
        let environment = Env::default().default_filter_or("info").default_write_style_or(style);
        // The error is that nobody waits for it any more.
        let _ = sender.send(Builder::from_env(environment));
    };
    thread::Builder::new().name("RUST_LOG".to_owned()).spawn(ask)?;
    Ok(answer.recv_timeout(output::PATIENCE).unwrap_or_else(|_| {
        let mut usual = Builder::new();
        usual.filter_level(LevelFilter::Info).parse_write_style(style);
        usual
    }))
}

/// Logs a panic. The usual hook writes to stderr itself, so that a thread that panics could block.
fn log_panic(panic: &panic::PanicHookInfo) {
    log::error!("{}", panic.to_string().replacen(":\n", ": ", 1).escape_debug());
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        log::error!("{backtrace}");
    }
}

/// Returns whether stderr shows colours, because `env_logger` sees only the queue. Only on Unix does each terminal do
/// so.
fn has_colours() -> bool {
    let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = env::var_os("TERM").is_none_or(|terminal| terminal == "dumb");
    cfg!(unix) && io::stderr().is_terminal() && !no_color && !dumb
}

/// Puts one line a call into the queue, without waiting.
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
    /// Waits until every line is written, for at most a second.
    fn finish(&self) {
        let is_busy = |state: &mut Lines| state.is_writing || !state.lines.is_empty();
        let _ = self.0.1.wait_timeout_while(self.lock(), output::PATIENCE, is_busy);
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes lines out as they arrive, forever: the log's thread.
    fn write_out(&self) {
        // The number of lost lines is reported whatever RUST_LOG says.
        let style = if has_colours() { WriteStyle::Always } else { WriteStyle::Never };
        let notices = Builder::new().filter_level(LevelFilter::Warn).write_style(style).build();
        loop {
            let (lines, lost) = self.take();
            output::write_all(io::stderr(), &lines);
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

    /// Waits for lines, and takes all of them with the number of those lost.
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
        // The handlers of other tests panic too, perhaps at the same time.
        let is_ours = |line: &str| line.contains(" ERROR ") && line.ends_with(r": on\npurpose");
        assert_eq!(lines.lines().filter(|line| is_ours(line)).count(), 1, "{lines}");
    }
}
