//! `/clock`: a thread of the program pushes the time each second to every client that is there.

use plainsocket::protocol::date::civil;
use plainsocket::{Connection, Error, Handle};
use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub const PATH: &str = "/clock";

/// Waits until the client leaves. Its messages are dropped: the time comes from another thread, while this one waits.
pub fn clock(connection: &mut Connection) -> Result<(), Error> {
    while connection.recv()?.is_some() {}
    Ok(())
}

/// The thread that pushes; it ends with this value.
pub struct Clock {
    running: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts the thread. The error is that the system has none left.
pub fn start(handle: Handle) -> io::Result<Clock> {
    let (running, ended) = mpsc::channel();
    let push = move || {
        let mut last = None;
        // Nobody sends anything: the channel's end is the program's.
        while ended.recv_timeout(until_the_next_second(now())) == Err(RecvTimeoutError::Timeout) {
            let second = now().as_secs();
            // A clock that is being corrected can wake us a little before the second is over.
            if last.replace(second) != Some(second) && handle.clients_of(PATH) > 0 {
                handle.broadcast(PATH, rfc3339(second));
            }
        }
    };
    let thread = thread::Builder::new().name("clock".to_owned()).spawn(push)?;
    Ok(Clock { running: Some(running), thread: Some(thread) })
}

impl Drop for Clock {
    fn drop(&mut self) {
        drop(self.running.take());
        // The error is that it has panicked.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Returns the time since the beginning of 1970 (UTC), or zero on a machine whose clock is before that.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn until_the_next_second(now: Duration) -> Duration {
    Duration::from_secs(1) - Duration::from_nanos(now.subsec_nanos().into())
}

/// Formats seconds since the beginning of 1970 (UTC) as RFC 3339 does: `2026-11-27T15:20:00Z`.
fn rfc3339(seconds: u64) -> String {
    let (year, month, day) = civil(seconds / 86_400);
    let (month, time) = (month + 1, seconds % 86_400);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", time / 3600, time / 60 % 60, time % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_of_known_moments() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (1_795_792_800, "2026-11-27T15:20:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(seconds), text);
        }
    }

    #[test]
    fn wait_ends_with_the_second() {
        let waits = [0, 1, 999_999_999].map(|nanos| until_the_next_second(Duration::new(7, nanos)).as_nanos());
        assert_eq!(waits, [1_000_000_000, 999_999_999, 1]);
    }
}
