//! How much memory the checks and your server can use together (the stacks of threads count, so it bounds them too), and
//! how much of the processor they have used.

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::time::TimeValLike as _;
use std::time::Duration;

/// A process of checks needs some hundred MiB.
const MEMORY: u64 = 1 << 30;

pub fn set() {
    // Where it cannot be set, the time is the only limit.
    let _ =
        getrlimit(Resource::RLIMIT_DATA).and_then(|(_, most)| setrlimit(Resource::RLIMIT_DATA, MEMORY.min(most), most));
}

/// How long the processor has worked for this process, and for the calling thread alone.
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
