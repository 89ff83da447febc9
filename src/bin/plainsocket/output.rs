//! The program's own lines on stdout and stderr: the first lines, the help, and the line that says why it ends.
//!
//! Either stream can be a pipe that nobody reads, or a terminal stopped with Ctrl-S: then a write blocks. So a thread
//! of its own writes, and nobody waits for that thread without a limit. `eprintln!` would also panic on a full disk.

use std::io::{self, ErrorKind, Write};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

/// The longest wait for the last words before the program exits.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// The pause before another try where a program that shares the stream made it non-blocking.
const PAUSE: Duration = Duration::from_millis(20);

/// Writes the text in a thread of its own, for as long as the stream takes, and does not wait for it. The receiver
/// reports the end. The error is that the system has no thread left.
pub fn start_writing(stream: impl Write + Send + 'static, text: String) -> io::Result<Receiver<()>> {
    let (done, is_done) = mpsc::channel();
    let write = move || {
        write_all(stream, text.as_bytes());
        // The error is that nobody waits for it.
        let _ = done.send(());
    };
    thread::Builder::new().name("output".to_owned()).spawn(write)?;
    Ok(is_done)
}

/// Writes the last words of a program that is about to exit, and waits at most a second for the stream to take them.
pub fn write_last<S: Write + Send + 'static>(stream: fn() -> S, text: &str) {
    match start_writing(stream(), text.to_owned()) {
        // The error is that the second is over.
        Ok(is_done) => drop(is_done.recv_timeout(PATIENCE)),
        // Without a thread to be had, which can be what the text says, this one writes.
        Err(_) => write_all(stream(), text.as_bytes()),
    }
}

/// Writes to a stream, which can block. The rest is dropped if the stream fails, for example because its reader is
/// gone.
pub fn write_all(mut stream: impl Write, mut bytes: &[u8]) {
    loop {
        // stdout has a buffer, which can hold the end of the text.
        let result = if bytes.is_empty() { stream.flush().map(|()| 0) } else { stream.write(bytes) };
        match result {
            Ok(0) => return,
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(PAUSE),
            Err(_) => return,
        }
    }
}

/// Returns the text with its control characters escaped, because an argument can hold a line break or a colour.
pub fn one_line(text: &str) -> String {
    let escape = |letter: char| if letter.is_control() { letter.escape_debug().to_string() } else { letter.into() };
    text.chars().map(escape).collect()
}
