//! A small registry and chat on the real protocol, with one flaw at a time.

use crate::checks::subject::{Client, MY_SERVER, Registry};
use crate::checks::words::{CLOSE, Failure, Frame, PING, Settings, Verdict};
use std::collections::HashMap;
use std::io::{self, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Flaw {
    // The registry
    NotEntered,
    NotRemoved,
    AllRemoved,
    Deadlock,
    EveryPath,
    ListLocked,
    Kept,
    FineOneRemoved,
    NotShutDown,
    BroadcastStops,
    ShutDownUnderLock,
    NoLock,
    LeaveForgotten,
    HalfShutDown,
    SentAgain,
    JoinReturnsAnother,
    TwoLocks,
    // serve_client and run
    NothingEchoed,
    PathInAnyCase,
    OneLockForAll,
    ReadTimedOut,
    PongToAll,
    TextAlone,
    NotJoined,
    NotLeft,
    LeftAfterACloseOnly,
    LockOverRead,
    GuardInTheLoop,
    EchoOnly,
    SenderLeftOut,
    EchoToEverybody,
    SentTwice,
    PayloadOnly,
    PongBesideTheLock,
    CloseBesideTheLock,
    FaultBesideTheLock,
    NoTimeout,
    RegistryForEach,
    LeftBehindTheClose,
    LeftBehindHangUp,
    PathPrefix,
    UnwrapsWrites,
    WritesIgnored,
    PrefixInBroadcast,
    PrefixToTheRoom,
    SuffixInBroadcast,
    CaseIgnored,
    HangsUpForEver,
    KeyShared,
    BroadcastAgain,
    SendSaysOk,
    RoomForEachPath,
    OneEchoPath,
    OwnSendTimeout,
    // The heartbeat
    HeartbeatEnds,
    WatchSpins,
    WatchSpinsWithNobody,
    PingCountsAsHeard,
    PingsNotHeard,
    WatchDeadlock,
    WatchHoldsList,
    WatchLeavesUnderLock,
    WatchEndsWithNobody,
    WatchBreaks,
    SentCountsAsHeard,
    WatchEndsAtDrop,
    PingBesideTheLock,
    PongAloneResets,
    WatchPauses,
    WatchSleepsInterval,
    WatchEndsWithTheLast,
    WatchHoldsField,
    WatchForEach,
}

/// The one lock that a flaw has for all clients.
static FOR_ALL: Mutex<()> = Mutex::new(());

type Members = HashMap<SocketAddr, Arc<Member>>;

struct Room {
    members: Mutex<Members>,
    flaw: Flaw,
}

struct Member {
    peer: SocketAddr,
    path: String,
    stream: Mutex<TcpStream>,
    /// For a write without the lock.
    clone: TcpStream,
    /// The time at which it was last heard, and the time of a Ping since then.
    heard: Mutex<(Instant, Option<Instant>)>,
    flaw: Flaw,
}

pub fn registry(flaw: Flaw) -> Arc<dyn Registry> {
    room(flaw)
}

fn room(flaw: Flaw) -> Arc<Room> {
    Arc::new(Room { members: Mutex::default(), flaw })
}

pub fn run(listener: TcpListener, settings: Settings, flaw: Flaw) {
    let shared = room(flaw);
    if matches!(
        flaw,
        Flaw::HeartbeatEnds
            | Flaw::WatchSpins
            | Flaw::WatchSpinsWithNobody
            | Flaw::PingCountsAsHeard
            | Flaw::PingsNotHeard
            | Flaw::WatchDeadlock
            | Flaw::WatchHoldsList
            | Flaw::WatchLeavesUnderLock
            | Flaw::WatchEndsWithNobody
            | Flaw::WatchBreaks
            | Flaw::SentCountsAsHeard
            | Flaw::WatchEndsAtDrop
            | Flaw::PingBesideTheLock
            | Flaw::PongAloneResets
            | Flaw::WatchPauses
            | Flaw::WatchSleepsInterval
            | Flaw::WatchEndsWithTheLast
            | Flaw::WatchHoldsField
    ) {
        let (room, settings) = (Arc::clone(&shared), settings.clone());
        thread::spawn(move || room.watch(&settings));
    }
    let for_each = |room: &Arc<Room>| {
        let (room, settings) = (Arc::clone(room), settings.clone());
        thread::spawn(move || room.watch(&settings));
    };
    for stream in listener.incoming().flatten() {
        let room = if flaw == Flaw::RegistryForEach { room(flaw) } else { Arc::clone(&shared) };
        if flaw == Flaw::WatchForEach {
            for_each(&room);
        }
        let settings = settings.clone();
        thread::spawn(move || room.serve_client(stream, &settings));
    }
}

impl Member {
    fn new(peer: SocketAddr, path: &str, stream: TcpStream, flaw: Flaw) -> Arc<Member> {
        let heard = Mutex::new((Instant::now(), None));
        let clone = stream.try_clone().unwrap();
        Arc::new(Member { peer, path: path.to_owned(), stream: Mutex::new(stream), clone, heard, flaw })
    }
}

impl Client for Member {
    fn path(&self) -> &str {
        &self.path
    }

    fn send(&self, frame: &[u8]) -> io::Result<()> {
        if self.flaw == Flaw::NoLock {
            // The lock is released at the end of the statement.
            let mut stream = self.stream.lock().unwrap().try_clone()?;
            return stream.write_all(frame);
        }
        let _all = (self.flaw == Flaw::OneLockForAll).then(|| FOR_ALL.lock().unwrap());
        if self.flaw == Flaw::TwoLocks {
            let (first, second) = frame.split_at(2);
            self.stream.lock().unwrap().write_all(first)?;
            return self.stream.lock().unwrap().write_all(second);
        }
        let mut stream = self.stream.lock().unwrap();
        let outcome = stream.write_all(frame);
        if self.flaw == Flaw::SendSaysOk {
            return Ok(());
        }
        match self.flaw {
            Flaw::SentCountsAsHeard if frame[0] != 0x89 => *self.heard.lock().unwrap() = (Instant::now(), None),
            Flaw::PingCountsAsHeard if frame[0] == 0x89 => self.heard.lock().unwrap().0 = Instant::now(),
            _ => {}
        }
        if outcome.is_err() && self.flaw == Flaw::ShutDownUnderLock {
            self.shut_down();
        }
        outcome
    }

    fn shut_down(&self) {
        let how = if self.flaw == Flaw::HalfShutDown { Shutdown::Write } else { Shutdown::Both };
        if self.flaw != Flaw::NotShutDown {
            let _ = self.stream.lock().unwrap().shutdown(how);
        }
    }

    fn push_ticks(&self, _: &Settings) {
        unimplemented!("ticks.rs has those of step 18");
    }
}

impl Registry for Room {
    fn join(&self, peer: SocketAddr, path: &str, stream: TcpStream) -> Arc<dyn Client> {
        let member = Member::new(peer, path, stream, self.flaw);
        if self.flaw == Flaw::JoinReturnsAnother {
            let clone = member.stream.lock().unwrap().try_clone().unwrap();
            self.members.lock().unwrap().insert(peer, Member::new(peer, path, clone, self.flaw));
            return member;
        }
        if self.flaw != Flaw::NotEntered {
            self.members.lock().unwrap().insert(peer, Arc::clone(&member));
        }
        member
    }

    fn leave(&self, peer: SocketAddr) {
        match self.flaw {
            Flaw::NotRemoved => {}
            Flaw::AllRemoved => self.members.lock().unwrap().clear(),
            _ => drop(self.members.lock().unwrap().remove(&peer)),
        }
    }

    fn clients(&self) -> Vec<(SocketAddr, Arc<dyn Client>)> {
        let list = self.members.lock().unwrap();
        list.iter().map(|(peer, member)| (*peer, Arc::clone(member) as Arc<dyn Client>)).collect()
    }

    fn broadcast(&self, path: &str, frame: &[u8]) {
        let list = self.members.lock().unwrap();
        if self.flaw == Flaw::ListLocked {
            list.values().filter(|member| member.path == path).for_each(|member| drop(member.send(frame)));
            return;
        }
        if self.flaw != Flaw::Deadlock {
            drop(list);
        }
        let mut failed = false;
        for (peer, member) in self.clients() {
            let here = match self.flaw {
                Flaw::EveryPath => true,
                Flaw::PrefixInBroadcast => member.path().starts_with(path),
                Flaw::SuffixInBroadcast => member.path().ends_with(path),
                Flaw::CaseIgnored => member.path().eq_ignore_ascii_case(path),
                _ => member.path() == path,
            };
            let sent = || member.send(frame).is_ok() || self.flaw == Flaw::SentAgain && member.send(frame).is_ok();
            if !here || sent() || self.flaw == Flaw::Kept {
                continue;
            }
            if self.flaw != Flaw::LeaveForgotten {
                self.leave(peer);
            }
            member.shut_down();
            match self.flaw {
                Flaw::BroadcastAgain => failed = true,
                Flaw::FineOneRemoved => self.members.lock().unwrap().clear(),
                Flaw::BroadcastStops => return,
                _ => {}
            }
        }
        // After the loop, so that the order of the members does not matter.
        if failed {
            self.broadcast(path, frame);
        }
    }

    fn serve_client(&self, mut stream: TcpStream, settings: &Settings) {
        let flaw = self.flaw;
        let address = if flaw == Flaw::KeyShared { stream.local_addr() } else { stream.peer_addr() };
        let peer = address.unwrap();
        let Ok(Some((request, buffer))) = (MY_SERVER.shake_hands)(&mut stream) else { return };
        if flaw != Flaw::NoTimeout {
            let own = (flaw == Flaw::OwnSendTimeout).then_some(Duration::from_secs(10));
            stream.set_write_timeout(Some(own.unwrap_or(settings.send_timeout))).unwrap();
        }
        if flaw == Flaw::ReadTimedOut {
            stream.set_read_timeout(Some(settings.send_timeout)).unwrap();
        }
        let me = Member::new(peer, &request.path, stream.try_clone().unwrap(), flaw);
        if flaw != Flaw::NotJoined {
            self.members.lock().unwrap().insert(peer, Arc::clone(&me));
        }
        let outcome = self.talk(&mut stream, &me, buffer, settings);
        if self.leaves_early() && (flaw != Flaw::LeftAfterACloseOnly || outcome.is_ok()) {
            self.leave(peer);
        }
        if let Err(Failure::Close(code)) = outcome {
            let close = (MY_SERVER.encode_frame)(CLOSE, &code.to_be_bytes());
            let _ = if flaw == Flaw::FaultBesideTheLock { stream.write_all(&close) } else { me.send(&close) };
        }
        if flaw == Flaw::LeftBehindTheClose {
            self.leave(peer);
        }
        let own = (flaw == Flaw::HangsUpForEver).then_some(Duration::from_secs(600));
        (MY_SERVER.hang_up)(stream, own.unwrap_or(settings.close_timeout));
        if flaw == Flaw::LeftBehindHangUp {
            self.leave(peer);
        }
    }
}

impl Room {
    /// Returns whether a client leaves the list before its Close is sent.
    fn leaves_early(&self) -> bool {
        !matches!(self.flaw, Flaw::NotLeft | Flaw::LeftBehindTheClose | Flaw::LeftBehindHangUp)
    }

    /// A heartbeat that ends when a write fails. A learner's would panic, which looks the same to the clients.
    fn watch(&self, settings: &Settings) {
        let mut had_clients = false;
        loop {
            let alone = self.flaw == Flaw::WatchSpinsWithNobody && self.members.lock().unwrap().is_empty();
            match self.flaw {
                Flaw::WatchSpins => {}
                _ if alone => {}
                Flaw::WatchSleepsInterval => thread::sleep(settings.ping_interval),
                Flaw::WatchPauses => thread::sleep(Duration::from_secs(1)),
                _ => thread::sleep(settings.ping_interval / 10),
            }
            let list = self.members.lock().unwrap();
            let members: Vec<_> = list.values().map(Arc::clone).collect();
            let holds = matches!(self.flaw, Flaw::WatchHoldsList | Flaw::WatchLeavesUnderLock);
            let mut held = holds.then_some(list);
            if members.is_empty() && self.flaw == Flaw::WatchEndsWithNobody {
                return;
            }
            if members.is_empty() && had_clients && self.flaw == Flaw::WatchEndsWithTheLast {
                return;
            }
            had_clients |= !members.is_empty();
            for member in members {
                let guard = member.heard.lock().unwrap();
                let (heard, pinged) = *guard;
                let _held = (self.flaw == Flaw::WatchDeadlock).then_some(guard);
                match (MY_SERVER.verdict)(heard.elapsed(), pinged.map(|at| at.elapsed()), settings) {
                    Verdict::Fine if self.flaw == Flaw::WatchBreaks => break,
                    Verdict::Fine => {}
                    Verdict::Ping => {
                        let mut guard = member.heard.lock().unwrap();
                        guard.1 = Some(Instant::now());
                        let _held = (self.flaw == Flaw::WatchHoldsField).then_some(guard);
                        let ping = (MY_SERVER.encode_frame)(PING, b"");
                        let sent = match self.flaw {
                            Flaw::PingBesideTheLock => (&member.clone).write_all(&ping),
                            _ => member.send(&ping),
                        };
                        if sent.is_err() && self.flaw == Flaw::HeartbeatEnds {
                            return;
                        }
                    }
                    Verdict::Drop => {
                        match &mut held {
                            Some(list) if self.flaw == Flaw::WatchHoldsList => drop(list.remove(&member.peer)),
                            _ => self.leave(member.peer),
                        }
                        member.shut_down();
                        if self.flaw == Flaw::WatchEndsAtDrop {
                            return;
                        }
                    }
                }
            }
        }
    }

    fn read(&self, stream: &mut TcpStream, me: &Member, buffer: &mut Vec<u8>) -> Result<Option<Frame>, Failure> {
        let limit = 64 << 20;
        match self.flaw {
            Flaw::LockOverRead => (MY_SERVER.read_frame)(&mut me.stream.lock().unwrap(), buffer, limit),
            _ => (MY_SERVER.read_frame)(stream, buffer, limit),
        }
    }

    /// Returns `Ok` if the client has sent a Close.
    fn talk(
        &self,
        stream: &mut TcpStream,
        me: &Member,
        mut buffer: Vec<u8>,
        settings: &Settings,
    ) -> Result<(), Failure> {
        let mut assembler = (MY_SERVER.assembler)(settings.max_message);
        let guard = (self.flaw == Flaw::GuardInTheLoop).then(|| me.stream.lock().unwrap());
        while let Some(frame) = self.read(stream, me, &mut buffer)? {
            if self.flaw == Flaw::PingsNotHeard && frame.opcode == PING {
                me.send(&(MY_SERVER.answer_ping)(&frame).unwrap())?;
                continue;
            }
            let pinged = me.heard.lock().unwrap().1;
            let stays = self.flaw == Flaw::PongAloneResets && frame.opcode != 10;
            *me.heard.lock().unwrap() = (Instant::now(), pinged.filter(|_| stays));
            if frame.opcode == CLOSE {
                if self.leaves_early() {
                    self.leave(me.peer);
                }
                let reply = (MY_SERVER.encode_frame)(CLOSE, &(MY_SERVER.answer_close)(&frame.payload));
                if self.flaw == Flaw::CloseBesideTheLock {
                    stream.write_all(&reply)?
                } else {
                    me.send(&reply)?
                }
                return Ok(());
            }
            if let Some(pong) = (MY_SERVER.answer_ping)(&frame) {
                match self.flaw {
                    Flaw::PongBesideTheLock => stream.write_all(&pong)?,
                    Flaw::PongToAll => self.broadcast(&me.path, &pong),
                    _ => me.send(&pong)?,
                }
            } else if let Some(message) = assembler(frame)? {
                match self.flaw {
                    Flaw::PayloadOnly => self.broadcast(&me.path, &message.payload),
                    _ => self.message(me, &(MY_SERVER.encode_frame)(message.opcode, &message.payload))?,
                }
            }
        }
        drop(guard);
        Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())
    }

    fn message(&self, me: &Member, frame: &[u8]) -> io::Result<()> {
        let in_the_room = me.path == "/chat";
        match self.flaw {
            Flaw::PathInAnyCase if me.path.eq_ignore_ascii_case("/chat") => self.broadcast("/chat", frame),
            Flaw::RoomForEachPath => self.broadcast(&me.path, frame),
            Flaw::OneEchoPath if !in_the_room && me.path != "/echo" => {}
            Flaw::TextAlone if frame[0] != 0x81 => me.send(frame)?,
            Flaw::NothingEchoed if !in_the_room => self.broadcast("/chat", frame),
            Flaw::EchoToEverybody if !in_the_room => {
                self.broadcast("/chat", frame);
                me.send(frame)?;
            }
            Flaw::SentTwice if in_the_room => {
                self.broadcast("/chat", frame);
                me.send(frame)?;
            }
            Flaw::SenderLeftOut if in_the_room => {
                let others = self.members.lock().unwrap().clone();
                let others = others.values().filter(|member| member.path == me.path && !std::ptr::eq(&***member, me));
                others.for_each(|member| drop(member.send(frame)));
            }
            Flaw::PrefixToTheRoom if me.path.starts_with("/chat") => self.broadcast("/chat", frame),
            Flaw::PathPrefix if me.path.starts_with("/chat") => self.broadcast(&me.path, frame),
            // The kind of error depends on the system.
            Flaw::UnwrapsWrites if !in_the_room => {
                assert!(me.send(frame).is_ok(), "called `Result::unwrap()` on an `Err` value");
            }
            Flaw::WritesIgnored if !in_the_room => drop(me.send(frame)),
            _ if in_the_room && self.flaw != Flaw::EchoOnly => self.broadcast("/chat", frame),
            _ => me.send(frame)?,
        }
        Ok(())
    }
}
