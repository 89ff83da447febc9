//! The verdict on a run, with one line for each question.

use crate::server::Log;
use crate::system::Holdings;
use crate::tally::Tally;

/// The memory that the allocator is allowed to keep.
const MEMORY_KIB: u64 = 5 * 1024;

pub struct Verdict {
    pub tally: Tally,
    pub before: Holdings,
    pub after: Holdings,
    pub exit_code: Option<i32>,
    pub log: Log,
}

impl Verdict {
    /// Prints the answers. Returns whether all of them are good.
    pub fn tell(&self) -> bool {
        let Verdict { tally, before, after, log, .. } = self;
        println!("{tally}");
        println!("the server's log: {} evicted, {} dropped for silence", log.evicted, log.dropped);
        tally.complaints().iter().chain(&log.alarms).for_each(|text| println!("  ! {text}"));
        let grown = after.resident_kib.saturating_sub(before.resident_kib);
        let answers = [
            ("every message of a good client arrived", tally.lost.get() == 0 && tally.echoed.get() > 0),
            ("no good client was cut off", tally.cut_off.get() == 0),
            ("every bad client met its end", tally.surprises.get() == 0 && tally.ends.get() > 0),
            ("no thread is left", after.threads == before.threads),
            ("no descriptor is left", after.descriptors == before.descriptors),
            (&format!("memory has grown by {grown} KiB, at most {MEMORY_KIB}"), grown <= MEMORY_KIB),
            ("no panic and no error in the server's log", log.alarms.is_empty()),
            ("SIGTERM ends the server with exit code 0", self.exit_code == Some(0)),
        ];
        for (question, good) in answers {
            println!("{} {question}", if good { "ok    " } else { "FAILED" });
        }
        answers.iter().all(|(_, good)| *good)
    }
}
