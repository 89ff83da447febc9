//! The limit for the memory of the checks and your server together, and the processor time that they have used. The
//! stacks of threads count as memory, so the limit bounds threads too.

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::time::TimeValLike as _;
use std::time::Duration;

/// A process of checks needs some hundred MiB.
const MEMORY: u64 = 1 << 30;

pub fn set() {
    // If the limit cannot be set, the time is the only limit.
    let _ =
        getrlimit(Resource::RLIMIT_DATA).and_then(|(_, most)| setrlimit(Resource::RLIMIT_DATA, MEMORY.min(most), most));
}

/// The processor time of this process, and of the calling thread alone.
#[derive(Clone, Copy)]
pub struct Times {
    pub process: Duration,
    pub thread: Duration,
}

pub fn times() -> Option<Times> {
    Some(Times { process: time_of(UsageWho::RUSAGE_SELF)?, thread: time_of(UsageWho::RUSAGE_THREAD)? })
}

fn time_of(who: UsageWho) -> Option<Duration> {
    let usage = getrusage(who).ok()?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Some(Duration::from_micros(u64::try_from(micros).ok()?))
}
