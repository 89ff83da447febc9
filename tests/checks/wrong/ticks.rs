//! A small server that pushes ticks, on the real protocol, with one flaw at a time.

use crate::checks::subject::{Client, Clients, MY_SERVER, Registry};
use crate::checks::words::{CLOSE, Failure, Settings};
use std::collections::HashMap;
use std::io::{self, ErrorKind, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Flaw {
    // push_ticks, and Client::send
    Once,
    NotCounted,
    NoPause,
    LockedPause,
    GoesOn,
    Unwraps,
    NotMarked,
    ShutDownAtTheClose,
    HalfATick,
    BroadcastShutsDown,
    SendEndsTcp,
    // serve_client
    NotStarted,
    WhenSpokenTo,
    LockOverRead,
    OwnThread,
    InSilenceOnly,
    ToOneOnly,
    DiesWithTheFirst,
    EveryPath,
    PathPrefix,
    BesideTheLock,
    SlowHoldsUp,
    LeftOut,
    TriesAgain,
    CloseBesideTheMark,
    OwnLoop,
    FromZero,
    OtherLock,
    MarkSetFirst,
    NoShutdown,
    MarkSaysOk,
    ControlMarked,
    AllMarked,
    Ten,
    OwnInterval,
    LongInterval,
    EchoForgotten,
    Joined,
    ShutDownUnderLock,
    TwoTickers,
    SaysOk,
    HalfShutDown,
    Spins,
    TwoLocks,
    SleepsFirst,
    DefaultInterval,
}

type Members = Arc<Mutex<HashMap<SocketAddr, Arc<Member>>>>;

struct Board {
    members: Members,
    /// For a flaw that ticks to the first client alone, or from one thread for all.
    started: AtomicBool,
    flaw: Flaw,
}

struct Member {
    path: String,
    /// The stream, and whether its last frame was the last that is allowed.
    writer: Mutex<(TcpStream, bool)>,
    /// The mark where it is looked at without that lock.
    marked: AtomicBool,
    flaw: Flaw,
}

pub fn registry(flaw: Flaw) -> Arc<dyn Registry> {
    Arc::new(Board { members: Members::default(), started: AtomicBool::new(false), flaw })
}

impl Client for Member {
    fn path(&self) -> &str {
        &self.path
    }

    fn send(&self, frame: &[u8]) -> io::Result<()> {
        if self.marked.load(Ordering::SeqCst) {
            return Err(ErrorKind::BrokenPipe.into());
        }
        if self.flaw == Flaw::TwoLocks && self.writer.lock().unwrap().1 {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let mut writer = self.writer.lock().unwrap();
        self.write(&mut writer, frame)
    }

    fn shut_down(&self) {
        let _ = self.writer.lock().unwrap().0.shutdown(Shutdown::Both);
    }

    fn push_ticks(&self, settings: &Settings) {
        let mut number = u64::from(self.flaw != Flaw::FromZero);
        if self.flaw == Flaw::SleepsFirst {
            thread::sleep(settings.tick_interval);
        }
        loop {
            let locked = (self.flaw == Flaw::LockedPause).then(|| self.writer.lock().unwrap());
            let frame = (MY_SERVER.tick_frame)(number);
            let sent = match locked {
                Some(mut writer) => {
                    let sent = self.write(&mut writer, &frame);
                    thread::sleep(settings.tick_interval);
                    sent
                }
                None => self.send_tick(&frame),
            };
            match sent {
                Ok(()) | Err(_) if self.flaw == Flaw::GoesOn => {}
                Err(_) => return self.give_up(),
                Ok(()) if self.flaw == Flaw::Once || self.flaw == Flaw::Ten && number == 10 => return,
                Ok(()) => {}
            }
            number += u64::from(self.flaw != Flaw::NotCounted);
            match self.flaw {
                Flaw::NoPause | Flaw::LockedPause => {}
                Flaw::Spins => {
                    let begin = std::time::Instant::now();
                    while begin.elapsed() < settings.tick_interval {
                        std::hint::spin_loop();
                    }
                }
                Flaw::OwnInterval => thread::sleep(Duration::from_millis(100)),
                Flaw::LongInterval => thread::sleep(Duration::from_millis(300)),
                _ => thread::sleep(settings.tick_interval),
            }
        }
    }
}

impl Member {
    fn write(&self, (stream, over): &mut (TcpStream, bool), frame: &[u8]) -> io::Result<()> {
        let marked = self.flaw == Flaw::MarkSetFirst && frame[0] & 0x0F == CLOSE;
        if *over && self.flaw == Flaw::MarkSaysOk {
            return Ok(());
        }
        if *over && !matches!(self.flaw, Flaw::OtherLock | Flaw::TwoLocks) || marked {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let outcome = stream.write_all(frame);
        *over = match self.flaw {
            Flaw::NotMarked => false,
            Flaw::ControlMarked => frame[0] & 0x08 != 0,
            Flaw::AllMarked => true,
            // The write that comes too late leaves the mark.
            Flaw::TwoLocks => *over || frame[0] & 0x0F == CLOSE,
            _ => frame[0] & 0x0F == CLOSE,
        };
        if outcome.is_err() && self.flaw == Flaw::ShutDownUnderLock {
            self.shut_down();
        }
        if outcome.is_err() && self.flaw != Flaw::HalfATick {
            *over = true;
            match self.flaw {
                Flaw::NoShutdown => {}
                Flaw::HalfShutDown => drop(stream.shutdown(Shutdown::Write)),
                _ => drop(stream.shutdown(Shutdown::Both)),
            }
        }
        if *over && self.flaw == Flaw::SendEndsTcp {
            let _ = stream.shutdown(Shutdown::Both);
        }
        if self.flaw == Flaw::SaysOk {
            return Ok(());
        }
        self.marked.fetch_or(*over && self.flaw == Flaw::OtherLock, Ordering::SeqCst);
        outcome
    }

    fn send_tick(&self, frame: &[u8]) -> io::Result<()> {
        match self.flaw {
            Flaw::BesideTheLock => {
                // The lock is released at the end of the statement.
                let mut stream = self.writer.lock().unwrap().0.try_clone()?;
                stream.write_all(frame)
            }
            Flaw::LeftOut => match self.writer.try_lock() {
                Ok(mut writer) => self.write(&mut writer, frame),
                Err(_) => Ok(()),
            },
            _ => self.send(frame),
        }
    }

    fn give_up(&self) {
        match self.flaw {
            // The kind of error depends on the system.
            Flaw::Unwraps => panic!("called `Result::unwrap()` on an `Err` value"),
            Flaw::ShutDownAtTheClose => self.shut_down(),
            _ => {}
        }
    }
}

impl Registry for Board {
    fn join(&self, peer: SocketAddr, path: &str, stream: TcpStream) -> Arc<dyn Client> {
        self.enter(peer, path, stream)
    }

    fn leave(&self, peer: SocketAddr) {
        self.members.lock().unwrap().remove(&peer);
    }

    fn clients(&self) -> Clients {
        list(&self.members).into_iter().map(|(peer, member)| (peer, member as Arc<dyn Client>)).collect()
    }

    fn broadcast(&self, path: &str, frame: &[u8]) {
        broadcast(&self.members, path, frame);
    }

    fn serve_client(&self, mut stream: TcpStream, settings: &Settings) {
        let peer = stream.peer_addr().unwrap();
        let Ok(Some((request, buffer))) = (MY_SERVER.shake_hands)(&mut stream) else { return };
        stream.set_write_timeout(Some(settings.send_timeout)).unwrap();
        let me = self.enter(peer, &request.path, stream.try_clone().unwrap());
        let begins = me.path.starts_with("/ticks") && self.flaw == Flaw::PathPrefix;
        if me.path == "/ticks" || begins || self.flaw == Flaw::EveryPath {
            self.start(&me, settings);
        }
        let outcome = self.talk(&mut stream, &me, buffer, settings);
        // The ticker ends when nothing can follow what was written.
        while self.flaw == Flaw::Joined && !me.writer.lock().unwrap().1 {
            thread::sleep(Duration::from_millis(5));
        }
        self.leave(peer);
        let close = match outcome {
            Ok(payload) => payload,
            Err(Failure::Close(code)) => Some(code.to_be_bytes().to_vec()),
            Err(Failure::Io(_)) => None,
        };
        match close.map(|payload| (MY_SERVER.encode_frame)(CLOSE, &payload)) {
            Some(close) if self.flaw == Flaw::CloseBesideTheMark => {
                let _ = me.writer.lock().unwrap().0.write_all(&close);
                // The pause lets the Close arrive.
                thread::sleep(Duration::from_millis(50));
            }
            Some(close) => drop(me.send(&close)),
            None => {}
        }
        (MY_SERVER.hang_up)(stream, settings.close_timeout);
    }
}

fn list(members: &Members) -> Vec<(SocketAddr, Arc<Member>)> {
    members.lock().unwrap().iter().map(|(peer, member)| (*peer, Arc::clone(member))).collect()
}

fn broadcast(members: &Members, path: &str, frame: &[u8]) {
    for (peer, member) in list(members) {
        if member.path == path && member.send(frame).is_err() {
            members.lock().unwrap().remove(&peer);
            if member.flaw == Flaw::BroadcastShutsDown {
                member.shut_down();
            }
        }
    }
}

/// One thread for every client on the path.
fn tick_for_all(members: &Members, settings: &Settings, goes_on: impl Fn() -> bool) {
    let mut number = 1;
    while goes_on() {
        broadcast(members, "/ticks", &(MY_SERVER.tick_frame)(number));
        number += 1;
        thread::sleep(settings.tick_interval);
    }
}

impl Board {
    fn enter(&self, peer: SocketAddr, path: &str, stream: TcpStream) -> Arc<Member> {
        let writer = Mutex::new((stream, false));
        let marked = AtomicBool::new(false);
        let member = Arc::new(Member { path: path.to_owned(), writer, marked, flaw: self.flaw });
        self.members.lock().unwrap().insert(peer, Arc::clone(&member));
        member
    }

    /// Starts the ticks of one client, or of all clients.
    fn start(&self, me: &Arc<Member>, settings: &Settings) {
        let is_first = !self.started.swap(true, Ordering::SeqCst);
        let (me, members, settings) = (Arc::clone(me), Arc::clone(&self.members), settings.clone());
        if self.flaw == Flaw::TwoTickers {
            for (_, member) in list(&members) {
                let settings = settings.clone();
                thread::spawn(move || member.push_ticks(&settings));
            }
            return;
        }
        match self.flaw {
            Flaw::NotStarted | Flaw::WhenSpokenTo | Flaw::InSilenceOnly => {}
            Flaw::OwnThread => me.push_ticks(&settings),
            Flaw::ToOneOnly | Flaw::DiesWithTheFirst | Flaw::SlowHoldsUp if !is_first => {}
            Flaw::DiesWithTheFirst => {
                let me = Arc::downgrade(&me);
                thread::spawn(move || tick_for_all(&members, &settings, || me.upgrade().is_some()));
            }
            Flaw::OwnLoop => {
                let mut clone = me.writer.lock().unwrap().0.try_clone().unwrap();
                thread::spawn(move || {
                    let mut ticks = (1..).map(|number| clone.write_all(&(MY_SERVER.tick_frame)(number)));
                    while ticks.next().unwrap().is_ok() {
                        thread::sleep(settings.tick_interval);
                    }
                });
            }
            Flaw::SlowHoldsUp => drop(thread::spawn(move || tick_for_all(&members, &settings, || true))),
            Flaw::TriesAgain => drop(thread::spawn(move || {
                loop {
                    me.push_ticks(&settings);
                    thread::sleep(settings.tick_interval);
                }
            })),
            Flaw::DefaultInterval => drop(thread::spawn(move || me.push_ticks(&Settings::default()))),
            _ => drop(thread::spawn(move || me.push_ticks(&settings))),
        }
    }

    /// Returns the payload of the Close that answers the client's; `None`: the client has left without one.
    fn talk(
        &self,
        stream: &mut TcpStream,
        me: &Member,
        mut buffer: Vec<u8>,
        settings: &Settings,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let mut assembler = (MY_SERVER.assembler)(settings.max_message);
        let mut number = 0;
        let mut tick = || {
            number += 1;
            me.send(&(MY_SERVER.tick_frame)(number))
        };
        if self.flaw == Flaw::InSilenceOnly {
            stream.set_read_timeout(Some(settings.tick_interval))?;
            tick()?;
        }
        loop {
            let read = match self.flaw {
                Flaw::LockOverRead => {
                    (MY_SERVER.read_frame)(&mut me.writer.lock().unwrap().0, &mut buffer, settings.max_message)
                }
                _ => (MY_SERVER.read_frame)(stream, &mut buffer, settings.max_message),
            };
            let frame = match read {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(None),
                Err(Failure::Io(error))
                    if self.flaw == Flaw::InSilenceOnly
                        && matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    tick()?;
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            if frame.opcode == CLOSE {
                return Ok(Some((MY_SERVER.answer_close)(&frame.payload)));
            }
            if let Some(pong) = (MY_SERVER.answer_ping)(&frame) {
                me.send(&pong)?;
            } else if let Some(message) = assembler(frame)?
                && !(self.flaw == Flaw::EchoForgotten && me.path == "/ticks")
            {
                me.send(&(MY_SERVER.encode_frame)(message.opcode, &message.payload))?;
            }
            if self.flaw == Flaw::WhenSpokenTo {
                tick()?;
            }
        }
    }
}
