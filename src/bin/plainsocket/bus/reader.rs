//! The thread that reads what all servers have published, and hands it on to the members that are here. So the order of
//! a stream is the order for all members of all servers.

use super::Bus;
use super::entry::Entry;
use super::link::{NOBODY, PATIENCE};
use super::room::Room;
use log::{info, warn};
use plainsocket::Handle;
use redis::{Connection, ConnectionLike as _, RedisResult, Value};
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How long one command waits for messages: how late the reader can notice a new room, at worst.
const BLOCK: Duration = Duration::from_millis(500);

/// The most entries in one answer, over all streams. With messages of the largest size these are 250 MiB.
const MOST_ENTRIES: usize = 1000;

/// How many bytes go to a member in one write, unless one message is larger. Bytes that its socket does not take wait
/// for it.
const ONE_WRITE: usize = 16 * 1024;

/// How often the connections that nobody uses get a `PING`.
const CHECK: Duration = Duration::from_secs(2);

/// The pauses between two tries to connect: they are doubled from the first to the last one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// How long a connection must have been good for the pauses to begin at the first one again.
const STEADY: Duration = Duration::from_secs(10);

/// Reads for as long as the program runs.
pub fn run(bus: &Bus) {
    let mut pause = FIRST_PAUSE;
    loop {
        let begun = Instant::now();
        let error = match bus.link.connect() {
            Ok(connection) => {
                info!("the bus is there");
                bus.set_up(true);
                read(bus, connection).expect_err("it returns only when it has failed")
            }
            Err(error) => error,
        };
        bus.link.disconnect();
        if bus.set_up(false) {
            warn!("the bus is unavailable: {error}");
        }
        if begun.elapsed() > STEADY {
            pause = FIRST_PAUSE;
        }
        thread::sleep(with_jitter(pause));
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

/// Hands on what arrives, from the last message of each room on, until a connection fails.
fn read(bus: &Bus, mut connection: Connection) -> RedisResult<()> {
    let number: i64 = redis::cmd("CLIENT").arg("ID").query(&mut connection)?;
    bus.link.set_reader(number);
    connection.set_read_timeout(Some(BLOCK + PATIENCE))?;
    let mut checked = Instant::now();
    while bus.link.is_whole() {
        if checked.elapsed() > CHECK {
            bus.link.keep_alive();
            checked = Instant::now();
        }
        let rooms = bus.rooms();
        let mut command = redis::cmd("XREAD");
        command.arg("COUNT").arg((MOST_ENTRIES / (rooms.len() + 1)).max(1));
        command.arg("BLOCK").arg(BLOCK.as_millis() as u64).arg("STREAMS");
        // A key that nobody writes to: with it the command waits even when there is no room.
        for room in &rooms {
            command.arg(&*room.key);
        }
        command.arg(NOBODY);
        for room in &rooms {
            command.arg(room.last().to_string());
        }
        command.arg("0");
        let streams = connection.req_command(&command)?.extract_error()?;
        hand_on(&bus.handle, streams, &rooms);
    }
    Err(std::io::Error::other("a message was not answered in time").into())
}

fn hand_on(handle: &Handle, streams: Value, rooms: &[Arc<Room>]) {
    // Nil: nothing has arrived.
    let Value::Array(streams) = streams else { return };
    let rooms: HashMap<&[u8], &Arc<Room>> = rooms.iter().map(|room| (room.key.as_bytes(), room)).collect();
    for stream in streams {
        let Value::Array(parts) = stream else { continue };
        let Ok([Value::BulkString(key), Value::Array(entries)]) = <[Value; 2]>::try_from(parts) else { continue };
        let Some(room) = rooms.get(&*key) else { continue };
        let (mut together, mut bytes) = (Vec::new(), 0);
        for entry in entries.into_iter().filter_map(Entry::from_value) {
            if entry.said.is_none() {
                warn!("the entry {} of {} breaks the rules of the bus, so nobody gets it", entry.id, room.path);
            }
            bytes += entry.said.as_ref().map_or(0, |said| said.message.as_bytes().len());
            together.push(entry);
            if bytes >= ONE_WRITE {
                room.deliver(handle, std::mem::take(&mut together));
                bytes = 0;
            }
        }
        room.deliver(handle, together);
    }
}

/// Returns a time from half of the pause to all of it, so that servers do not come back in the same moment.
fn with_jitter(pause: Duration) -> Duration {
    // Each of these has other random keys.
    let random = RandomState::new().hash_one(0) as f64 / u64::MAX as f64;
    pause.mul_f64(0.5 + random / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_differ_and_stay_between_half_and_all() {
        let pauses: Vec<Duration> = (0..100).map(|_| with_jitter(LAST_PAUSE)).collect();
        assert!(pauses.iter().all(|pause| (LAST_PAUSE / 2..=LAST_PAUSE).contains(pause)));
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }
}
