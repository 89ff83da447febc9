//! The drain thread writes for all slow clients. It waits for none of them: it blocks in `poll` until the socket of one
//! has room, writes what fits, and blocks again.

use super::outbox::Outbox;
use super::socket::{Sleeper, Socket, Waker};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread;

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
    let mut slow: Vec<Arc<Outbox>> = Vec::new();
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
        let Ok(ready) = Socket::wait_for_any(&sockets, sleeper) else {
            // Perhaps the system is out of memory.
            thread::sleep(std::time::Duration::from_millis(10));
            continue;
        };
        // From the back, because the last one takes the place of one that is removed.
        for position in ready.into_iter().rev() {
            if slow[position].drain() {
                slow.swap_remove(position);
            }
        }
    }
}
