//! The drain thread writes for all slow clients. It waits for none of them: it blocks in `poll` until the socket of one
//! has room, writes what fits, and blocks again. Now and then it tries all of them.

use super::outbox::Outbox;
use super::socket::{Sleeper, Socket, Waker};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

/// How often each client is tried though its socket shows no room. A system can show none until a third of its buffer
/// is free, which a slow client can need longer for than the pong timeout; a write takes what is free.
const TRY_EVERY: Duration = Duration::from_millis(500);

/// How many turns of writing one such try has at most.
const MOST_TURNS: usize = 64;

pub(super) struct Drain {
    slow: Sender<Arc<Outbox>>,
    waker: Waker,
}

impl Drain {
    /// Starts the thread, which ends with the last reference to the result. The error is the system's.
    pub(super) fn start() -> io::Result<Arc<Drain>> {
        let (slow, newcomers) = mpsc::channel();
        let (waker, sleeper) = Waker::new()?;
        thread::Builder::new().name("drain".to_owned()).spawn(move || run(&newcomers, &sleeper))?;
        Ok(Arc::new(Drain { slow, waker }))
    }

    /// Gives the thread this outbox to drain, and the right to write with it.
    pub(super) fn take_over(&self, outbox: Arc<Outbox>) {
        let _ = self.slow.send(outbox);
        self.waker.wake();
    }
}

fn run(newcomers: &Receiver<Arc<Outbox>>, sleeper: &Sleeper) {
    let (mut slow, mut tried): (Vec<Arc<Outbox>>, _) = (Vec::new(), Instant::now());
    loop {
        loop {
            match newcomers.try_recv() {
                Ok(outbox) => slow.push(outbox),
                Err(TryRecvError::Empty) => break,
                // Each outbox refers to the drain, so no outbox is left.
                Err(TryRecvError::Disconnected) => return,
            }
        }
        let sockets: Vec<&Socket> = slow.iter().map(|outbox| &*outbox.socket).collect();
        let Ok(mut ready) = Socket::wait_for_any(&sockets, sleeper, TRY_EVERY) else {
            // Perhaps the system is out of memory.
            thread::sleep(Duration::from_millis(10));
            continue;
        };
        let mut turns = 1;
        if tried.elapsed() >= TRY_EVERY {
            (ready, turns, tried) = ((0..slow.len()).collect(), MOST_TURNS, Instant::now());
        }
        // From the back, because the last one takes the place of one that is removed.
        for position in ready.into_iter().rev() {
            if drain(&slow[position], turns) {
                slow.swap_remove(position);
            }
        }
    }
}

/// Writes until the socket is full, or the turns are over. Returns `true` if nothing is left.
fn drain(outbox: &Outbox, turns: usize) -> bool {
    for _ in 0..turns {
        let before = outbox.waiting_bytes();
        if outbox.drain() {
            return true;
        } else if outbox.waiting_bytes() >= before {
            break;
        }
    }
    false
}
