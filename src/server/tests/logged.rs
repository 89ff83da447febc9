//! The lines that the tests of this crate have logged.

use crate::server::lock;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::net::SocketAddr;
use std::sync::{Mutex, Once};

struct Kept;

static START: Once = Once::new();

static LINES: Mutex<Vec<(Level, String)>> = Mutex::new(Vec::new());

impl Log for Kept {
    fn enabled(&self, _: &Metadata) -> bool {
        true
    }

    fn log(&self, record: &Record) {
        lock(&LINES).push((record.level(), record.args().to_string()));
    }

    fn flush(&self) {}
}

/// Everything from here on is kept, down to the level debug.
pub fn keep_log() {
    START.call_once(|| {
        log::set_logger(&Kept).expect("no other test has a logger");
        log::set_max_level(LevelFilter::Debug);
    });
}

/// The lines about one client: the level of each, and the text behind the client's address.
pub fn lines_about(peer: SocketAddr) -> Vec<(Level, String)> {
    let start = format!("{peer}: ");
    let about = |(level, line): &(Level, String)| Some((*level, line.strip_prefix(&start)?.to_owned()));
    lock(&LINES).iter().filter_map(about).collect()
}
