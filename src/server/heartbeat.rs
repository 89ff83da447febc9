//! The heartbeat: a silent client gets a Ping (§5.5.2), and one that stays silent is dropped. TCP alone does not report
//! that a client's machine or network is gone, and a server that only waits would keep its thread forever.
//!
//! One thread decides for all clients, in [`verdict`]. It goes by what [`activity`](super::activity) measures.

use super::frames::Frames;
use super::refusal;
use super::registry::{Client, Registry};
use super::service::Service;
use crate::config::Config;
use crate::protocol::close::{CloseCode, CloseFrame};
use crate::protocol::frame::{self, Opcode};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How often unused memory is given back. The sweeps can be more frequent.
const TIDY_EVERY: Duration = Duration::from_secs(1);

/// How long the other threads need to read the bytes that arrived while the process was stopped.
const TURN: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Fine,
    Ping,
    Drop,
}

/// Decides about a client: `silent` is how long it has been silent, `pinged` how long ago it was sent a Ping in this
/// silence, if it was.
fn verdict(silent: Duration, pinged: Option<Duration>, config: &Config) -> Verdict {
    match pinged {
        _ if silent < config.ping_interval => Verdict::Fine,
        None => Verdict::Ping,
        Some(since) if since < config.pong_timeout => Verdict::Fine,
        Some(_) => Verdict::Drop,
    }
}

/// Returns the time between two sweeps: a tenth of the shortest limit, so that no client outlasts a limit by more than
/// a tenth (or 10 ms, if that is more).
fn period(config: &Config) -> Duration {
    let limit = config.ping_interval.min(config.pong_timeout).min(config.close_timeout);
    (limit / 10).clamp(Duration::from_millis(10), Duration::from_secs(1))
}

/// Runs the thread of the heartbeat until there is a message in `stopped`.
pub(super) fn run(service: &Service, stopped: &Receiver<()>) {
    let period = period(&service.config);
    let mut tidied = Instant::now();
    let pause = || if service.refusals.is_empty() { period } else { period.min(refusal::PAUSE) };
    while let Some(late) = sleep(pause(), stopped) {
        // The process was stopped, or the machine is busy: bytes that have arrived meanwhile can still be unread.
        if late > period && sleep(period.max(TURN), stopped).is_none() {
            return;
        }
        sweep(&service.registry, &service.config);
        service.refusals.sweep();
        if tidied.elapsed() >= TIDY_EVERY {
            service.buffer_pool.tidy();
            tidied = Instant::now();
        }
    }
}

/// Sleeps, and returns by how much it slept too long. `None`: the server is being stopped.
fn sleep(pause: Duration, stopped: &Receiver<()>) -> Option<Duration> {
    let begin = Instant::now();
    let is_over = stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout);
    if is_over { None } else { Some(begin.elapsed().saturating_sub(pause)) }
}

/// Looks at every client once. A client that is closing has the close timeout instead of a Ping. No client can hold up
/// the sweep, because it writes only what a socket takes at once.
pub(super) fn sweep(registry: &Registry, config: &Config) {
    let mut awake = Instant::now();
    for client in &registry.clients() {
        let peer = client.outbox.peer;
        if !client.outbox.is_open() {
            // Its own thread has a deadline, unless it was waiting already when another thread sent the Close.
            if client.outbox.expire(config.close_timeout) {
                log::debug!("{peer}: has not closed within the close timeout");
            }
            continue;
        }
        let (bytes, oldest) = client.outbox.waiting();
        let age = oldest.map_or(Duration::ZERO, |oldest| oldest.elapsed());
        let (silent, pinged) = client.outbox.activity.silence();
        let verdict = verdict(silent, pinged, config);
        // The process was stopped in the middle of this loop, so the figures prove nothing. The next sweep decides.
        if awake.elapsed() > period(config) {
            return;
        }
        awake = Instant::now();
        match verdict {
            Verdict::Drop => drop_silent(client, silent, bytes),
            _ if age > config.pong_timeout => {
                client.outbox.evict(format_args!("it reads too slowly, a byte has waited for it for {age:.1?}"));
            }
            Verdict::Fine => {}
            Verdict::Ping => {
                let mut out = Vec::new();
                frame::encode(Opcode::Ping, &client.outbox.activity.new_ping(), &mut out);
                log::debug!("{peer}: silent for {silent:.1?}: a Ping");
                // A client that is closing or dead needs no Ping.
                let _ = client.outbox.write(&Frames::ping(&out));
            }
        }
    }
}

/// Drops a silent client. It gets a Close, because it can be alive after all; but if bytes wait for it, there is no
/// room.
fn drop_silent(client: &Client, silent: Duration, bytes: usize) {
    let peer = client.outbox.peer;
    match bytes {
        0 => log::info!("{peer}: dropped after {silent:.1?} of silence"),
        bytes => log::info!("{peer}: dropped after {silent:.1?}: it does not read, and {bytes} bytes wait for it"),
    }
    client.send_close(&CloseFrame::new(CloseCode::GOING_AWAY, &format!("no activity for {silent:.0?}")));
    client.outbox.drop_silent();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_answered_with_one_ping_and_then_with_the_end() {
        let config = Config {
            ping_interval: Duration::from_secs(20),
            pong_timeout: Duration::from_secs(10),
            ..Config::default()
        };
        let verdict = |silent, pinged: Option<u64>| {
            verdict(Duration::from_secs(silent), pinged.map(Duration::from_secs), &config)
        };
        assert_eq!(verdict(0, None), Verdict::Fine);
        assert_eq!(verdict(19, None), Verdict::Fine);
        assert_eq!(verdict(20, None), Verdict::Ping);
        assert_eq!(verdict(29, Some(9)), Verdict::Fine, "its time is not over yet");
        assert_eq!(verdict(30, Some(10)), Verdict::Drop);
        assert_eq!(verdict(35, Some(5)), Verdict::Fine, "a late sweep does not shorten the time to answer");
        assert_eq!(verdict(100, None), Verdict::Ping, "nobody is dropped without having been asked");
        assert_eq!(verdict(5, Some(10)), Verdict::Fine, "it has spoken since");
    }

    #[test]
    fn a_sweep_is_late_by_a_tenth_of_the_shortest_limit_at_most() {
        let period_of = |ping_interval, pong_timeout, close_timeout| {
            let [ping_interval, pong_timeout] = [ping_interval, pong_timeout].map(Duration::from_millis);
            period(&Config { ping_interval, pong_timeout, close_timeout, ..Config::default() })
        };
        let period = |ping_interval, pong_timeout| period_of(ping_interval, pong_timeout, Duration::MAX);
        assert_eq!(period(5000, 3000), Duration::from_millis(300));
        assert_eq!(period(3000, 5000), Duration::from_millis(300));
        assert_eq!(period(20_000, 20), Duration::from_millis(10));
        let with_close_timeout = |secs| period_of(20_000, 20_000, Duration::from_secs(secs));
        assert_eq!(with_close_timeout(5), Duration::from_millis(500));
        assert_eq!(with_close_timeout(60), Duration::from_secs(1), "once a second costs nothing");
    }
}
