//! The drain thread: one thread writes what waits for all slow clients. It waits for none of them: it sleeps in `poll`
//! until the socket of one has room, writes what fits, and sleeps again.

use super::lock;
use super::outbox::Outbox;
use super::socket::{Socket, Waker};
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The pause after a failed `poll`, for example because the system is out of memory.
const PAUSE: Duration = Duration::from_millis(10);

pub(super) struct Drain {
    /// Clients that became slow since the thread last looked.
    newcomers: Mutex<Vec<Arc<Outbox>>>,
    waker: Waker,
    is_over: AtomicBool,
}

impl Drain {
    pub(super) fn new() -> io::Result<Arc<Drain>> {
        let (newcomers, is_over) = (Mutex::default(), AtomicBool::new(false));
        Ok(Arc::new(Drain { newcomers, waker: Waker::new()?, is_over }))
    }

    /// Starts the thread; it ends when the guard is dropped.
    pub(super) fn start(self: &Arc<Drain>) -> io::Result<Draining> {
        let drain = Arc::clone(self);
        let thread = thread::Builder::new().name("drain".to_owned()).spawn(move || drain.run())?;
        Ok(Draining { drain: Arc::clone(self), thread: Some(thread) })
    }

    /// Leaves what waits in this outbox to the thread, together with the right to write.
    pub(super) fn take_over(&self, outbox: Arc<Outbox>) {
        lock(&self.newcomers).push(outbox);
        self.waker.wake();
    }

    fn run(&self) {
        let mut slow: Vec<Arc<Outbox>> = Vec::new();
        while !self.is_over.load(Ordering::Relaxed) {
            slow.append(&mut lock(&self.newcomers));
            let sockets: Vec<&Socket> = slow.iter().map(|outbox| outbox.socket()).collect();
            let ready = match Socket::wait_for_any(&sockets, &self.waker) {
                Ok(ready) => ready,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => {
                    thread::sleep(PAUSE);
                    continue;
                }
            };
            // From the back: the last one takes the place of one that is removed.
            for position in ready.into_iter().rev() {
                if slow[position].drain() {
                    slow.swap_remove(position);
                }
            }
        }
    }
}

/// The running thread.
pub(super) struct Draining {
    drain: Arc<Drain>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Draining {
    fn drop(&mut self) {
        self.drain.is_over.store(true, Ordering::Relaxed);
        self.drain.waker.wake();
        let _ = self.thread.take().map(JoinHandle::join);
        // An outbox refers to the drain, and these would refer to the outboxes.
        lock(&self.drain.newcomers).clear();
    }
}
