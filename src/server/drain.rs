//! The drain thread: one thread writes what waits for all slow clients. It waits for none of them: it sleeps in `poll`
//! until the socket of one has room, writes what fits, and sleeps again.

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
    /// Starts the thread. It ends with the last reference to what this returns.
    pub(super) fn start() -> io::Result<Arc<Drain>> {
        let (slow, newcomers) = mpsc::channel();
        let (waker, sleeper) = Waker::new()?;
        thread::Builder::new().name("drain".to_owned()).spawn(move || run(&newcomers, &sleeper))?;
        Ok(Arc::new(Drain { slow, waker }))
    }

    /// Leaves what waits in this outbox to the thread, together with the right to write.
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
                // Each outbox refers to the drain, so there is none any more.
                Err(TryRecvError::Disconnected) => return,
            }
        }
        let sockets: Vec<&Socket> = slow.iter().map(|outbox| &*outbox.socket).collect();
        let Ok(ready) = Socket::wait_for_any(&sockets, sleeper) else {
            // The system is out of memory perhaps.
            thread::sleep(std::time::Duration::from_millis(10));
            continue;
        };
        // From the back: the last one takes the place of one that is removed.
        for position in ready.into_iter().rev() {
            if slow[position].drain() {
                slow.swap_remove(position);
            }
        }
    }
}
