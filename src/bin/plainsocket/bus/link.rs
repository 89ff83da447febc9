//! The connections to Redis: one that reads, one on which all clients' threads publish, one for what a client missed.

use super::entry::{Entry, Id, Said};
use super::lock;
use redis::{Client, Cmd, Connection, ConnectionLike as _, ErrorKind, Pipeline, RedisError, RedisResult, Value};
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// The longest that a thread waits for an answer of Redis, and the reader for a connection.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// A key that nobody writes to. It is no room's, because a path begins with a slash.
pub const NOBODY: &str = "plainsocket:nobody";

/// How long a stream outlives its last message, in seconds: a day.
const EXPIRES: u64 = 24 * 3600;

/// The most messages that go to Redis in one write.
const BATCH: usize = 64;

/// Adds a message to a stream. Redis runs it without another command in between.
///
/// Its first lines are a fence: a command that has waited in the socket of a frozen Redis must not be obeyed later,
/// after its sender has learned that it failed. It could overtake messages that the client has sent since then.
const PUBLISH: &str = "\
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now > tonumber(ARGV[1]) then return redis.error_reply('LATE the time for this message is over') end
local milliseconds, number = 0, 0
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if last then milliseconds, number = string.match(last[1], '(%d+)-(%d+)') end
local id = string.format('%.0f-%.0f', math.max(now, tonumber(milliseconds)), number + 1)
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], id, 'k', ARGV[4], 'n', ARGV[5], 'd', ARGV[6])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return id";

/// Why a message is not on the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It is not: there is no connection.
    Unavailable,
    /// It is perhaps: it was sent, and nothing came back in time.
    NoAnswer,
    /// It is not, because it reached Redis too late.
    Late,
    /// It is not, and Redis has said why.
    Refused(String),
}

/// A message on its way to Redis, and the place for its answer.
struct Ticket {
    key: Arc<str>,
    said: Said,
    answer: Arc<OnceLock<Result<Id, Failure>>>,
}

pub struct Link {
    client: Client,
    /// How many messages a stream keeps.
    keep: usize,
    /// At most one for each client, because its thread waits for the answer.
    queue: Mutex<VecDeque<Ticket>>,
    publisher: Mutex<Option<Publisher>>,
    searcher: Mutex<Option<Connection>>,
    /// Redis's number of the reader's connection.
    reader: AtomicI64,
}

struct Publisher {
    connection: Connection,
    /// Redis's clock in milliseconds, and when it showed that.
    clock: (u64, Instant),
}

impl Link {
    pub fn new(client: Client, keep: usize) -> Link {
        let (queue, publisher, searcher) = Default::default();
        Link { client, keep, queue, publisher, searcher, reader: AtomicI64::new(0) }
    }

    /// Opens all connections, and returns the one for the reader. Only the reader calls this: nobody else waits for it.
    pub fn connect(&self) -> RedisResult<Connection> {
        let open = || -> RedisResult<Connection> {
            let connection = self.client.get_connection_with_timeout(PATIENCE)?;
            connection.set_read_timeout(Some(PATIENCE))?;
            connection.set_write_timeout(Some(PATIENCE))?;
            Ok(connection)
        };
        let (mut reader, searcher, mut connection) = (open()?, open()?, open()?);
        // A Redis that still loads its file takes connections, and answers no question about a key.
        redis::cmd("XLEN").arg(NOBODY).query::<u64>(&mut reader)?;
        let (seconds, microseconds): (u64, u64) = redis::cmd("TIME").query(&mut connection)?;
        // Read after the answer, so that the fence is rather too early than too late.
        let clock = (seconds * 1000 + microseconds / 1000, Instant::now());
        *lock(&self.searcher) = Some(searcher);
        *lock(&self.publisher) = Some(Publisher { connection, clock });
        Ok(reader)
    }

    pub fn disconnect(&self) {
        *lock(&self.publisher) = None;
        *lock(&self.searcher) = None;
    }

    /// Returns whether no connection has failed. It waits for nobody: a connection that is in use has not failed yet.
    pub fn is_whole(&self) -> bool {
        let publishes = self.publisher.try_lock().map_or(true, |publisher| publisher.is_some());
        publishes && self.searcher.try_lock().map_or(true, |searcher| searcher.is_some())
    }

    /// Sends a `PING` on the connections that nobody uses now, because what is between here and Redis can drop
    /// those that are silent for long. A message would find that out too late.
    pub fn keep_alive(&self) {
        if let Ok(mut publisher) = self.publisher.try_lock()
            && publisher.as_mut().is_some_and(|publisher| !is_alive(&mut publisher.connection))
        {
            *publisher = None;
        }
        if let Ok(mut searcher) = self.searcher.try_lock()
            && searcher.as_mut().is_some_and(|connection| !is_alive(connection))
        {
            *searcher = None;
        }
    }

    /// Adds a message to a stream, and waits for the answer: at most `PATIENCE` for a Redis that hangs.
    ///
    /// The first thread that arrives sends; the others leave their messages, and the next one sends them all together.
    pub fn publish(&self, key: Arc<str>, said: Said) -> Result<Id, Failure> {
        let answer = Arc::new(OnceLock::new());
        lock(&self.queue).push_back(Ticket { key, said, answer: Arc::clone(&answer) });
        let mut publisher = lock(&self.publisher);
        loop {
            if let Some(answer) = answer.get() {
                return answer.clone();
            }
            self.send_queued(&mut publisher);
        }
    }

    fn send_queued(&self, publisher: &mut Option<Publisher>) {
        let mut queue = lock(&self.queue);
        let count = queue.len().min(BATCH);
        let tickets: Vec<Ticket> = queue.drain(..count).collect();
        drop(queue);
        let answers = match publisher.as_mut().map(|publisher| publisher.publish(&tickets, self.keep)) {
            Some(Ok(answers)) => answers,
            failed => {
                *publisher = None;
                let failure = if failed.is_some() { Failure::NoAnswer } else { Failure::Unavailable };
                answer_all(tickets, &failure);
                // Those who have waited for this answer do not wait for another one.
                let rest = std::mem::take(&mut *lock(&self.queue));
                return answer_all(rest, &Failure::Unavailable);
            }
        };
        for (ticket, answer) in tickets.into_iter().zip(answers) {
            if answer == Err(Failure::Late) {
                // Redis was slow, or its clock has been set: the reader connects again, which looks at the clock.
                *publisher = None;
            }
            // Only this thread has the ticket.
            let _ = ticket.answer.set(answer);
        }
    }

    /// Returns the id of a stream's last message; of a stream that does not exist, zeros.
    pub fn last(&self, key: &str) -> Result<Id, Failure> {
        let entries = self.search(redis::cmd("XREVRANGE").arg(key).arg("+").arg("-").arg("COUNT").arg(1))?;
        Ok(entries.first().map_or_else(Id::default, |entry| entry.id))
    }

    /// Returns the messages after one, at most `count` of them.
    pub fn after(&self, key: &str, id: Id, count: usize) -> Result<Vec<Entry>, Failure> {
        self.search(redis::cmd("XRANGE").arg(key).arg(format!("({id}")).arg("+").arg("COUNT").arg(count))
    }

    pub fn set_reader(&self, number: i64) {
        self.reader.store(number, Relaxed);
    }

    /// Ends the reader's wait, so that it reads a new room's stream too. If that fails, it does so a little later.
    pub fn wake_reader(&self) {
        let number = self.reader.load(Relaxed);
        let _ = self.ask(redis::cmd("CLIENT").arg("UNBLOCK").arg(number));
    }

    fn search(&self, command: &Cmd) -> Result<Vec<Entry>, Failure> {
        match self.ask(command)? {
            Value::Array(entries) => Ok(entries.into_iter().filter_map(Entry::from_value).collect()),
            other => Err(Failure::Refused(format!("{other:?}"))),
        }
    }

    /// One thread at a time, so that not more than one answer is in memory.
    fn ask(&self, command: &Cmd) -> Result<Value, Failure> {
        let mut searcher = lock(&self.searcher);
        let connection = searcher.as_mut().ok_or(Failure::Unavailable)?;
        match connection.req_command(command).and_then(Value::extract_error) {
            Ok(value) => Ok(value),
            Err(error) if is_answer(&error) => Err(Failure::Refused(error.to_string())),
            Err(_) => {
                *searcher = None;
                Err(Failure::NoAnswer)
            }
        }
    }
}

impl Publisher {
    fn publish(&mut self, tickets: &[Ticket], keep: usize) -> RedisResult<Vec<Result<Id, Failure>>> {
        let (shown, at) = self.clock;
        let fence = shown + (at.elapsed() + PATIENCE).as_millis() as u64;
        let mut pipeline = Pipeline::with_capacity(tickets.len());
        for Ticket { key, said, .. } in tickets {
            let command = pipeline.cmd("EVAL").arg(PUBLISH).arg(1).arg(&**key).arg(fence).arg(keep).arg(EXPIRES);
            command.arg(said.kind()).arg(&*said.from).arg(said.message.as_bytes());
        }
        let deadline = Instant::now() + PATIENCE;
        self.connection.send_packed_command(&pipeline.get_packed_pipeline())?;
        let receive = |_| {
            // The patience is for all answers together, so that it is what a thread waits.
            let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero());
            self.connection.set_read_timeout(Some(left.ok_or(io::Error::from(io::ErrorKind::TimedOut))?))?;
            Ok(id_of(self.connection.recv_response()?))
        };
        tickets.iter().map(receive).collect()
    }
}

fn answer_all(tickets: impl IntoIterator<Item = Ticket>, failure: &Failure) {
    for ticket in tickets {
        let _ = ticket.answer.set(Err(failure.clone()));
    }
}

fn id_of(answer: Value) -> Result<Id, Failure> {
    match answer.extract_error() {
        Ok(Value::BulkString(id)) => {
            let id = str::from_utf8(&id).ok().and_then(Id::parse);
            id.ok_or_else(|| Failure::Refused("an id that is none".to_owned()))
        }
        Ok(other) => Err(Failure::Refused(format!("{other:?}"))),
        Err(error) if error.code() == Some("LATE") => Err(Failure::Late),
        Err(error) => Err(Failure::Refused(error.to_string())),
    }
}

fn is_alive(connection: &mut Connection) -> bool {
    connection.set_read_timeout(Some(PATIENCE)).is_ok() && connection.check_connection()
}

/// Returns whether Redis has said this itself, so that the connection is as good as before.
fn is_answer(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}
