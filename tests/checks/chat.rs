//! Step 16: the registry, `/chat`, and which thread is allowed to write to a socket. The checks try first the registry
//! alone, then clients that are served with it, then the whole server.

use super::guard::Task;
use super::lesson::{Lesson, Trial};
use super::mistakes::Mistake;
use super::running::{Running, quick};
use super::subject::{Client, Clients, Registry, Subject};
use super::talk::{Seen, Talk, connected_pair, describe, masked};
use super::words::Settings;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// A frame of 16 MiB, which exceeds all buffers between two sockets, so it cannot be written to a client that does not
/// read.
pub(super) static BIG: LazyLock<Vec<u8>> = LazyLock::new(|| binary(b'x', 16 << 20));

/// Three frames of 8 MiB that differ in every byte of their payload.
static THREE: LazyLock<[Vec<u8>; 3]> = LazyLock::new(|| [b'a', b'b', b'c'].map(|letter| binary(letter, 8 << 20)));

const LARGE_HEADER: usize = 10;

fn binary(letter: u8, length: usize) -> Vec<u8> {
    let mut frame = vec![letter; LARGE_HEADER + length];
    frame[..2].copy_from_slice(&[0x82, 127]);
    frame[2..LARGE_HEADER].copy_from_slice(&(length as u64).to_be_bytes());
    frame
}

fn is_big(seen: &Seen) -> bool {
    matches!(seen, Seen::Frame { first: 0x82, masked: false, payload } if payload[..] == BIG[LARGE_HEADER..])
}

/// Makes a call, in a thread of its own, that only ever waits for locks. If it does not return, the lesson names
/// `mistake`.
pub(super) fn promptly<T: Send + 'static>(
    trial: &Trial,
    mistake: Mistake,
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Lesson> {
    Task::start(call).finish(trial).map_err(|lesson| match lesson.mistake {
        Some(Mistake::Hangs) => lesson.named(mistake),
        _ => lesson,
    })
}

/// The step is done in three stages, and a card says in which one it is.
pub(super) struct Stage(pub(super) &'static str);

const ALONE: Stage = Stage("stage 1, the registry alone");
const HOUSE: Stage = Stage("stage 2, serve_client");
const WHOLE: Stage = Stage("stage 3, the whole server");

impl Stage {
    pub(super) fn case(
        &self,
        trial: &Trial,
        sent: impl std::fmt::Display,
        expected: impl Into<String>,
        why: &'static str,
    ) {
        trial.case(format!("{}: {sent}", self.0), expected, why);
    }
}

// The registry alone.

/// A registry of the subject, and clients that are entered without being served.
pub(super) struct Alone<'a> {
    pub(super) trial: &'a Trial,
    registry: Arc<dyn Registry>,
}

/// A client's end, the address under which it is entered, and the value that `join` has returned.
pub(super) struct Entered<'a> {
    pub(super) talk: Talk<'a>,
    peer: SocketAddr,
    pub(super) client: Arc<dyn Client>,
}

impl<'a> Alone<'a> {
    pub(super) fn new(subject: &Subject, trial: &'a Trial) -> Alone<'a> {
        Alone { trial, registry: (subject.registry)() }
    }

    /// Enters a client on `path`; a write to this client takes `limit` at most.
    pub(super) fn join(&self, path: &'static str, limit: Duration) -> Result<Entered<'a>, Lesson> {
        let (client, server) = connected_pair();
        server.set_write_timeout(Some(limit)).expect("set_write_timeout");
        let peer = server.peer_addr().expect("an address");
        let registry = Arc::clone(&self.registry);
        let entered = promptly(self.trial, Mistake::Deadlock, move || registry.join(peer, path, server))?;
        Ok(Entered { talk: Talk::over(self.trial, client), peer, client: entered })
    }

    /// Enters a client as `join` does. The second is the server's side, for a read of it.
    pub(super) fn join_readable(
        &self,
        path: &'static str,
        limit: Duration,
    ) -> Result<(Entered<'a>, TcpStream), Lesson> {
        let (client, server) = connected_pair();
        server.set_write_timeout(Some(limit)).expect("set_write_timeout");
        let (peer, reader) = (server.peer_addr().expect("an address"), server.try_clone().expect("a clone"));
        let registry = Arc::clone(&self.registry);
        let entered = promptly(self.trial, Mistake::Deadlock, move || registry.join(peer, path, server))?;
        Ok((Entered { talk: Talk::over(self.trial, client), peer, client: entered }, reader))
    }

    /// The addresses in the list.
    fn listed(&self) -> Result<Vec<SocketAddr>, Lesson> {
        let registry = Arc::clone(&self.registry);
        let clients = promptly(self.trial, Mistake::Deadlock, move || registry.clients())?;
        Ok(clients.into_iter().map(|(peer, _)| peer).collect())
    }

    fn leave(&self, peer: SocketAddr) -> Result<(), Lesson> {
        let registry = Arc::clone(&self.registry);
        promptly(self.trial, Mistake::Deadlock, move || registry.leave(peer))
    }

    pub(super) fn broadcast(&self, path: &'static str, frame: &'static [u8]) -> Task<()> {
        let registry = Arc::clone(&self.registry);
        Task::start(move || registry.broadcast(path, frame))
    }
}

/// Waits until the first bytes have arrived, and leaves them unread. It waits long, because a thread can start late on
/// a busy machine; if the bytes arrive, the wait is short.
pub(super) fn wait_for_bytes(talk: &Talk) -> Result<(), Lesson> {
    talk.stream.set_read_timeout(Some(talk.trial.patience * 3)).expect("set_read_timeout");
    match talk.stream.peek(&mut [0]) {
        Ok(1..) => Ok(()),
        Ok(_) => Err(talk.trial.came("the end of the stream, and not a byte of it")),
        Err(error) => Err(talk.trial.came(format!("not a byte of it ({})", error.kind()))),
    }
}

pub fn the_list_knows_who_is_there(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "The registry alone, before anybody is served: a map from the client's address to what others need to reach it.";
    let alone = Alone::new(subject, trial);
    ALONE.case(trial, "join, for a client on /chat", "it returns the client", why);
    let ann = alone.join("/chat", trial.patience)?;
    ALONE.case(trial, "join for one client on /chat, then clients()", "a list of one client, with the path /chat", why);
    if ann.client.path() != "/chat" {
        return Err(trial.came(format!("the client has the path {:?}", ann.client.path())));
    }
    let number = |list: &[SocketAddr]| trial.came(format!("a list of {}", list.len()));
    let list = alone.listed()?;
    if list != [ann.peer] {
        return Err(number(&list).named(list.is_empty().then_some(Mistake::NotListed)));
    }
    ALONE.case(
        trial,
        "join for one client, then clients()",
        "the client in the list is the one that join has returned",
        "Both write through the same lock: there is one `Client` for each connection.",
    );
    let registry = Arc::clone(&alone.registry);
    let listed = promptly(trial, Mistake::Deadlock, move || registry.clients())?;
    // Where it is, whatever its kind.
    let place = |client: &Arc<dyn Client>| Arc::as_ptr(client).cast::<()>();
    if listed.first().is_some_and(|(_, client)| place(client) != place(&ann.client)) {
        return Err(trial.came("another client").named(Mistake::JoinReturnsAnother));
    }
    drop(listed);
    ALONE.case(trial, "join for two clients, then clients()", "a list of both", why);
    let bob = alone.join("/echo", trial.patience)?;
    let list = alone.listed()?;
    if list.len() != 2 {
        return Err(number(&list));
    }
    ALONE.case(trial, "leave for the first of two clients, then clients()", "only the second is left", why);
    alone.leave(ann.peer)?;
    let list = alone.listed()?;
    if list != [bob.peer] {
        let mistake = if list.contains(&ann.peer) { Mistake::NeverLeft } else { Mistake::WrongOneLeft };
        return Err(number(&list).named(mistake));
    }
    ALONE.case(trial, "leave for the first once more", "it does no harm", "Two threads can remove the same client.");
    alone.leave(ann.peer)?;
    trial.equal(alone.listed()?.len(), 1)
}

pub fn a_frame_goes_to_everybody_on_the_path(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "broadcast: every client on this path gets the frame, through Client::send; nobody else does.";
    let alone = Alone::new(subject, trial);
    let mut ann = alone.join("/chat", trial.patience)?;
    let mut bob = alone.join("/chat", trial.patience)?;
    let mut elsewhere = alone.join("/echo", trial.patience)?;
    ALONE.case(
        trial,
        "Client::send, with 81 02 68 69",
        "this client gets the frame",
        "One call writes one whole frame.",
    );
    for entered in [&mut ann, &mut elsewhere] {
        let client = Arc::clone(&entered.client);
        let sent = promptly(trial, Mistake::Deadlock, move || client.send(b"\x81\x02hi"))?;
        sent.map_err(|error| trial.came(format!("an error: {error}")))?;
        entered.talk.expect(0x81, b"hi")?;
    }
    ALONE.case(
        trial,
        "two clients on /chat, one on /echo; broadcast(\"/chat\", 81 05 48 65 6c 6c 6f), then (\"/echo\", 81 04 6d 69 6e 65)",
        "the first frame at both on /chat, the second at the one on /echo",
        why,
    );
    for (path, frame) in [("/chat", &b"\x81\x05Hello"[..]), ("/echo", b"\x81\x04mine")] {
        alone.broadcast(path, frame).finish(trial).map_err(|lesson| match lesson.mistake {
            Some(Mistake::Hangs) => lesson.named(Mistake::Deadlock),
            _ => lesson,
        })?;
    }
    for member in [&mut ann, &mut bob] {
        member.talk.expect(0x81, b"Hello").map_err(|asked| asked.lesson.named(Mistake::NotEverybody))?;
    }
    elsewhere.talk.expect(0x81, b"mine").map_err(|asked| match asked.seen {
        Seen::Frame { .. } => asked.lesson.named(Mistake::WrongRoom),
        _ => asked.lesson,
    })?;
    similar_paths_get_nothing(&alone)
}

/// A client gets no messages for `/chat` if its path only looks like `/chat`.
fn similar_paths_get_nothing(alone: &Alone) -> Result<(), Lesson> {
    let trial = alone.trial;
    let mut similar = Vec::new();
    for path in ["/chat2", "/chat/2", "/cha", "/CHAT", "/other/chat", "/"] {
        similar.push((path, alone.join(path, trial.patience)?));
    }
    alone.broadcast("/chat", b"\x81\x05Hello").finish(trial)?;
    for (path, entered) in &mut similar {
        ALONE.case(
            trial,
            format!("broadcast to /chat, then Client::send, with 8a 00, for a client on {path}"),
            "only the second frame",
            "A path is compared as a whole, and with its case.",
        );
        let client = Arc::clone(&entered.client);
        promptly(trial, Mistake::Deadlock, move || drop(client.send(b"\x8A\x00")))?;
        entered.talk.expect(0x8A, b"").map_err(|asked| match asked.seen {
            Seen::Frame { first: 0x81, .. } => asked.lesson.named(Mistake::PathPrefix),
            _ => asked.lesson,
        })?;
    }
    Ok(())
}

pub fn the_list_is_free_while_somebody_is_written_to(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let alone = Alone::new(subject, trial);
    let slow = alone.join("/chat", trial.patience * 4)?;
    ALONE.case(
        trial,
        "broadcast to a member of /chat that does not read; meanwhile clients(), join, send and leave for others",
        "these return at once",
        "A write to a slow member waits. A thread that wants the list must not wait with it.",
    );
    let writing = alone.broadcast("/chat", &BIG);
    wait_for_bytes(&slow.talk).map_err(|lesson| writing.panic(trial).unwrap_or(lesson))?;
    let locked = |lesson: Lesson| match lesson.mistake {
        Some(Mistake::Deadlock) => lesson.named(Mistake::ListLocked),
        _ => lesson,
    };
    alone.listed().map_err(locked)?;
    let other = alone.join("/echo", trial.patience).map_err(locked)?;
    let client = Arc::clone(&other.client);
    promptly(trial, Mistake::OneLockForAll, move || drop(client.send(b"\x81\x02hi")))?;
    alone.leave(other.peer).map_err(locked)?;
    drop(slow);
    ALONE.case(trial, "the same; then the slow member leaves", "broadcast returns", "A write to it fails by then.");
    writing.finish(trial).map_err(|lesson| match lesson.mistake {
        Some(Mistake::Hangs) => lesson.named(Mistake::Deadlock),
        _ => lesson,
    })
}

pub fn who_took_half_a_frame_is_let_go(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let alone = Alone::new(subject, trial);
    // There are two slow clients. Whichever is written to first, the broadcast must go on after it.
    let limit = Duration::from_millis(100);
    let mut slow = [alone.join("/chat", limit)?, alone.join("/chat", limit)?];
    let mut fine = alone.join("/chat", trial.patience * 4)?;
    ALONE.case(
        trial,
        "broadcast of 16 MiB; two members do not read, and their write timeout is 100 ms; a third reads",
        "the third gets the frame; the two are let go, and their sockets are shut down",
        "A write that fails can have written a part of the frame, and nothing can follow that.",
    );
    let writing = alone.broadcast("/chat", &BIG);
    let seen = fine.talk.look_for(trial.patience * 2);
    let got_it = is_big(&seen);
    // The slow clients can be the reason why the third got nothing, so they are checked first.
    writing.finish(trial).map_err(|lesson| match lesson.mistake {
        Some(Mistake::Hangs) if got_it && is_big(&fine.talk.look_for(trial.patience * 2)) => {
            Lesson { came: "the frame twice at the third".to_owned(), ..lesson }.named(Mistake::BroadcastAgain)
        }
        // More bytes for the one that reads: then it waits in a write, and for no lock.
        Some(Mistake::Hangs) if got_it && fine.talk.count(1) > 0 => lesson.named(None),
        Some(Mistake::Hangs) => lesson.named(Mistake::Deadlock),
        _ => lesson,
    })?;
    let listed = alone.listed()?;
    // The part of the frame does not matter here; the check looks for the end that must follow it.
    let open =
        slow.each_mut().map(|member| !matches!(member.talk.look_for(trial.patience / 2), Seen::End | Seen::Reset));
    let kept = slow.each_ref().map(|member| listed.contains(&member.peer));
    match (open, kept) {
        ([false, false], [false, false]) => {}
        ([false, false], _) => {
            return Err(trial
                .came("their sockets are shut down, and they are still in the list")
                .named(Mistake::LeaveForgotten));
        }
        ([true, true], [false, false]) => {
            return Err(trial.came("the sockets of the two are still open").named(Mistake::NotShutDown));
        }
        ([true, true], [true, true]) => {
            let lesson = trial.came("the two are still in the list");
            // There is still no room for a frame, so another write has to fail too.
            let client = Arc::clone(&slow[0].client);
            return Err(match promptly(trial, Mistake::Deadlock, move || client.send(&BIG)) {
                Ok(Ok(())) => lesson.named(Mistake::SendSaysOk),
                _ => lesson.named(Mistake::HalfFrameKept),
            });
        }
        _ => return Err(trial.came("only one of the two is let go").named(Mistake::BroadcastStops)),
    }
    if !got_it {
        return Err(trial.came(seen.to_string()).named((seen == Seen::Nothing).then_some(Mistake::NotEverybody)));
    }
    if !listed.contains(&fine.peer) {
        return Err(trial.came("the member that reads is no longer in the list").named(Mistake::WrongOneLeft));
    }
    ALONE.case(trial, "Client::shut_down", "the client sees the end", "The heartbeat of step 17 needs it too.");
    let client = Arc::clone(&fine.client);
    promptly(trial, Mistake::Deadlock, move || client.shut_down())?;
    match fine.talk.look() {
        Seen::End | Seen::Reset => a_read_wakes_up(&alone),
        seen => Err(trial.came(seen.to_string())),
    }
}

fn a_read_wakes_up(alone: &Alone) -> Result<(), Lesson> {
    let trial = alone.trial;
    let (ann, mut reader) = alone.join_readable("/chat", trial.patience)?;
    ALONE.case(
        trial,
        "Client::shut_down, for a client that neither reads nor closes its side",
        "a read of its socket in another thread returns",
        "The client's own thread waits in a read. If its cable is pulled out, nothing else wakes it.",
    );
    let client = Arc::clone(&ann.client);
    promptly(trial, Mistake::Deadlock, move || client.shut_down())?;
    reader.set_read_timeout(Some(trial.patience)).expect("set_read_timeout");
    match std::io::Read::read(&mut reader, &mut [0]) {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Err(trial.came("a read that waits").named(Mistake::HalfShutDown))
        }
        _ => Ok(()),
    }
}

pub fn nothing_is_sent_again(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    ALONE.case(
        trial,
        "broadcast of 16 MiB to a member that begins to read late; its write timeout is 60 ms",
        "at most one frame, or a part of it and the end of the stream",
        "A write that fails can have written a part of the frame. A second frame would be taken for the rest of the first.",
    );
    // The system tells nobody when the first write has failed. One of these members begins to read soon after.
    let delays = (3..9).map(|times| Duration::from_millis(40) * times);
    std::thread::scope(|scope| {
        let members: Vec<_> =
            delays.map(|delay| scope.spawn(move || one_frame_at_most(subject, trial, delay))).collect();
        members.into_iter().try_for_each(|member| member.join().expect("no panic in a check"))
    })
}

fn one_frame_at_most(subject: &Subject, trial: &Trial, delay: Duration) -> Result<(), Lesson> {
    let alone = Alone::new(subject, trial);
    let mut late = alone.join("/chat", Duration::from_millis(60))?;
    let writing = alone.broadcast("/chat", &BIG);
    wait_for_bytes(&late.talk).map_err(|lesson| writing.panic(trial).unwrap_or(lesson))?;
    writing.ends_within(delay);
    if late.talk.count(BIG.len() + 1) > BIG.len() {
        return Err(trial.came("more bytes than the frame has").named(Mistake::SentAgain));
    }
    writing.finish(trial).map_err(|lesson| match lesson.mistake {
        Some(Mistake::Hangs) => lesson.named(Mistake::Deadlock),
        _ => lesson,
    })
}

/// So many small frames each of three threads writes: enough that a lock which is let go within a frame is taken by another.
const SMALL: usize = 1000;

/// A lock that is let go in the middle of a frame, and taken again at once, shows in many small frames only.
fn small_frames_are_not_mixed(alone: &Alone) -> Result<(), Lesson> {
    let trial = alone.trial;
    let mut listener = alone.join("/chat", trial.patience * 4)?;
    ALONE.case(
        trial,
        format!("three threads write {SMALL} small frames each to one client with Client::send"),
        "the client gets one frame after the other",
        "§5.4: frames are not interleaved. One lock is held from the first byte of a frame to its last.",
    );
    let frame = |letter: u8| [&[0x82, 100][..], &[letter; 100]].concat();
    let tasks = [b'a', b'b', b'c'].map(|letter| {
        let (client, frame) = (Arc::clone(&listener.client), frame(letter));
        Task::start(move || (0..SMALL).for_each(|_| drop(client.send(&frame))))
    });
    let bytes = listener.talk.bytes(tasks.len() * SMALL * frame(0).len());
    let whole = |bytes: &[u8]| bytes.len() > 2 && bytes == frame(bytes[2]);
    if bytes.chunks(frame(0).len()).any(|bytes| !whole(bytes)) {
        let panic = tasks.iter().find_map(|task| task.panic(trial));
        let mixed = trial.came("a frame in which the bytes of several are mixed").named(Mistake::FramesMixed);
        return Err(panic.unwrap_or(mixed));
    }
    tasks.iter().try_for_each(|task| task.finish(trial))
}

pub fn frames_of_two_writers_are_not_mixed(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let alone = Alone::new(subject, trial);
    small_frames_are_not_mixed(&alone)?;
    drop(alone);
    let alone = Alone::new(subject, trial);
    let mut listener = alone.join("/chat", trial.patience * 4)?;
    ALONE.case(
        trial,
        "three threads write a frame of 8 MiB each to one client, two with Client::send, one with broadcast",
        "the client gets one frame after the other",
        "§5.2: a payload follows its header directly, so frames are not interleaved. A big write is done in parts, \
         and between two of them another thread can write.",
    );
    // The frames exist before the threads start, so the threads only have to write.
    let tasks = THREE.each_ref().map(|frame| {
        let (registry, client) = (Arc::clone(&alone.registry), Arc::clone(&listener.client));
        Task::start(move || match frame[LARGE_HEADER] {
            b'a' => registry.broadcast("/chat", frame),
            // The other end shows whether the frame has arrived.
            _ => drop(client.send(frame)),
        })
    });
    wait_for_bytes(&listener.talk)
        .map_err(|lesson| tasks.iter().find_map(|task| task.panic(trial)).unwrap_or(lesson))?;
    // By then all three have started to write, if they can.
    std::thread::sleep(Duration::from_millis(30));
    for _ in 0..tasks.len() {
        let seen = listener.talk.look_for(trial.patience * 2);
        let whole = matches!(&seen, Seen::Frame { first: 0x82, masked: false, payload }
            if THREE.iter().any(|frame| payload[..] == frame[LARGE_HEADER..]));
        if !whole {
            let panic = tasks.iter().find_map(|task| task.panic(trial));
            let mixed = trial.came("a frame in which the bytes of several are mixed").named(Mistake::FramesMixed);
            return Err(panic.unwrap_or(match seen {
                Seen::Nothing if listener.talk.unread().is_empty() => {
                    trial.came("nothing more").named(Mistake::NotEverybody)
                }
                Seen::Frame { .. } | Seen::Nothing => mixed,
                seen => trial.came(seen.to_string()),
            }));
        }
    }
    Ok(())
}

// Clients that are served with a registry.

/// A registry, and clients that `serve_client` serves with it.
pub(super) struct House<'a> {
    trial: &'a Trial,
    registry: Arc<dyn Registry>,
    settings: Settings,
}

impl<'a> House<'a> {
    pub(super) fn new(subject: &Subject, trial: &'a Trial, settings: Settings) -> House<'a> {
        House { trial, registry: (subject.registry)(), settings }
    }

    /// A client after its handshake, and the thread that serves it.
    pub(super) fn connect(&self, path: &str) -> Result<(Talk<'a>, Task<()>), Lesson> {
        self.connect_and_keep(path).map(|(talk, task, _)| (talk, task))
    }

    /// Connects a client as `connect` does. The third is the server's side, for a look at its options.
    fn connect_and_keep(&self, path: &str) -> Result<(Talk<'a>, Task<()>, TcpStream), Lesson> {
        let (client, server) = connected_pair();
        let side = server.try_clone().expect("a clone");
        let (registry, settings) = (Arc::clone(&self.registry), self.settings.clone());
        let task = Task::start(move || registry.serve_client(server, &settings));
        let mut talk = Talk::over(self.trial, client);
        HOUSE.case(self.trial, format!("serve_client for a client on {path}: its request"), "HTTP/1.1 101", SERVED);
        talk.shake(path).map_err(|lesson| task.panic(self.trial).unwrap_or(lesson))?;
        Ok((talk, task, side))
    }

    /// Does the same, and waits until the client has got a message of its own back: then it is in the list.
    fn greet(&self, path: &str) -> Result<(Talk<'a>, Task<()>), Lesson> {
        let (talk, task) = self.connect(path)?;
        self.greeted(path, talk, task)
    }

    fn greeted(&self, path: &str, mut talk: Talk<'a>, task: Task<()>) -> Result<(Talk<'a>, Task<()>), Lesson> {
        HOUSE.case(self.trial, format!("{path}: the text \"hi\""), "the client gets it back", ROOM);
        talk.send(&masked(0x81, b"hi"));
        talk.expect(0x81, b"hi").map_err(|asked| {
            let lesson = task.panic(self.trial).unwrap_or(asked.lesson);
            match asked.seen {
                Seen::Nothing if talk.unread() == b"hi" => lesson.named(Mistake::PayloadOnly),
                Seen::Nothing => self.why_nothing(path, lesson),
                _ => lesson,
            }
        })?;
        HOUSE.case(self.trial, format!("{path}: the text \"hi\", then a Ping"), "the text once, then the Pong", ROOM);
        talk.send(&masked(0x89, b"?"));
        talk.expect(0x8A, b"?").map_err(|asked| match asked.seen {
            Seen::Frame { first: 0x81, .. } => asked.lesson.named(Mistake::SentTwice),
            _ => asked.lesson,
        })?;
        Ok((talk, task))
    }

    /// Returns why a client does not get its own message back: a lock, the list, or the room.
    fn why_nothing(&self, path: &str, lesson: Lesson) -> Lesson {
        match self.say_to_all(b"\x81\x02hi").and_then(|()| self.clients()) {
            Err(locked) => Lesson { mistake: locked.mistake, ..lesson },
            Ok(list) if list.is_empty() => lesson.named(Mistake::NotListed),
            Ok(_) if path != "/chat" => lesson.named(Mistake::EchoForgotten),
            Ok(_) => lesson.named(Mistake::NotEverybody),
        }
    }

    pub(super) fn clients(&self) -> Result<Clients, Lesson> {
        let registry = Arc::clone(&self.registry);
        promptly(self.trial, Mistake::LockOverRead, move || registry.clients())
    }

    /// Sends a frame from another thread to every client in the list.
    pub(super) fn say_to_all(&self, frame: &'static [u8]) -> Result<(), Lesson> {
        for (_, client) in self.clients()? {
            // The other end shows whether the frame has arrived.
            promptly(self.trial, Mistake::LockOverRead, move || drop(client.send(frame)))?;
        }
        Ok(())
    }
}

const SERVED: &str = "Clients that are served: serve_client enters each in the registry, and takes it out at its end.";

const ROOM: &str = "On /chat every message goes to all clients of /chat, the sender included; elsewhere it is echoed.";

pub fn who_is_served_is_in_the_list(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let ends =
        [("a Close", &masked(0x88, b"\x03\xE8")[..]), ("a frame without a mask", b"\x81\x02hi"), ("nothing", b"")];
    for (sent, bytes) in ends {
        let house = House::new(subject, trial, quick());
        let (mut talk, task) = house.greet("/chat")?;
        HOUSE.case(
            trial,
            "serve_client for a client on /chat, then clients()",
            "this client, with the path /chat",
            SERVED,
        );
        let list = house.clients()?;
        match &list[..] {
            [(_, client)] if client.path() == "/chat" => {}
            [(_, client)] => return Err(trial.came(format!("a client with the path {:?}", client.path()))),
            _ => {
                let lesson = trial.came(format!("a list of {}", list.len()));
                return Err(lesson.named(list.is_empty().then_some(Mistake::NotListed)));
            }
        }
        drop(list);
        HOUSE.case(
            trial,
            format!("the same client sends {sent} and leaves; when serve_client has returned, clients()"),
            "an empty list",
            SERVED,
        );
        talk.send(bytes);
        talk.hang_up();
        while matches!(talk.look(), Seen::Frame { .. }) {}
        drop(talk);
        task.finish(trial)?;
        let left = house.clients()?.len();
        if left > 0 {
            return Err(trial.came(format!("a list of {left}")).named(Mistake::NeverLeft));
        }
    }
    Ok(())
}

pub fn a_silent_client_can_be_written_to(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let short = Duration::from_millis(40);
    let house = House::new(subject, trial, Settings { send_timeout: short, ..quick() });
    let (mut talk, _task) = house.greet("/chat")?;
    HOUSE.case(
        trial,
        "a client on /chat is silent; another thread calls clients() and Client::send, with 81 02 68 69",
        "the client gets the frame",
        "serve_client waits in a read most of the time. No other thread should have to wait for that.",
    );
    // send_timeout is for writes.
    std::thread::sleep(short * 3);
    house.say_to_all(b"\x81\x02hi")?;
    talk.expect(0x81, b"hi").map_err(|asked| match asked.seen {
        Seen::End | Seen::Reset => asked.lesson.named(Mistake::ReadTimedOut),
        _ => asked.lesson,
    })
}

pub fn a_message_goes_to_the_room(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let house = House::new(subject, trial, quick());
    let (ann, _ann) = house.greet("/chat")?;
    let (mut elsewhere, _elsewhere) = house.greet("/echo")?;
    let mut room = vec![ann];
    for name in ["Bob", "Cleo"] {
        let (mut talk, _) = house.connect("/chat")?;
        HOUSE.case(trial, format!("/chat: {name} says \"{name} is here\""), "everybody on /chat gets it", ROOM);
        let text = format!("{name} is here");
        talk.send(&masked(0x81, text.as_bytes()));
        room.push(talk);
        for member in &mut room {
            member.expect(0x81, text.as_bytes()).map_err(|asked| match asked.seen {
                // This message was sent on /echo.
                Seen::Frame { ref payload, .. } if payload == b"hi" => asked.lesson.named(Mistake::WrongRoom),
                _ => asked.lesson.named(Mistake::NotEverybody),
            })?;
        }
    }
    HOUSE.case(trial, "/chat: Cleo sends a binary message", "everybody on /chat gets it, as a binary one", ROOM);
    room[2].send(&masked(0x82, b"\0\xFF"));
    for member in &mut room {
        member.expect(0x82, b"\0\xFF").map_err(|asked| asked.lesson.named(Mistake::NotEverybody))?;
    }
    HOUSE.case(trial, "/chat: Cleo sends a Ping, then Bob does", "each gets the Pong for its own Ping alone", ROOM);
    for (at, payload) in [(2, b"c"), (1, b"b")] {
        room[at].send(&masked(0x89, payload));
        room[at].expect(0x8A, payload).map_err(|asked| match asked.seen {
            Seen::Frame { first: 0x8A, .. } => asked.lesson.named(Mistake::PongToAll),
            _ => asked.lesson,
        })?;
    }
    other_paths_echo(&house, trial)?;
    HOUSE.case(
        trial,
        "/chat: some messages; meanwhile a client on /echo sends \"mine\"",
        "only \"mine\" on /echo",
        ROOM,
    );
    elsewhere.send(&masked(0x81, b"mine"));
    elsewhere.expect(0x81, b"mine").map_err(|asked| asked.lesson.named(Mistake::WrongRoom))?;
    HOUSE.case(trial, "/echo: \"mine\"; then a Ping from a client on /chat", "nothing but the Pong on /chat", ROOM);
    room[0].send(&masked(0x89, b"?"));
    room[0].expect(0x8A, b"?").map_err(|asked| match asked.seen {
        Seen::Frame { first: 0x81, .. } => asked.lesson.named(Mistake::WrongRoom),
        _ => asked.lesson,
    })?;
    Ok(())
}

/// Clients on other paths, some of which only look like `/chat`: each must hear itself.
fn other_paths_echo(house: &House, trial: &Trial) -> Result<(), Lesson> {
    // A path that does not look like `/chat` at all: here no part of it has been compared.
    let greet_other = || {
        house.greet("/other").map_err(|lesson| match lesson.mistake {
            Some(Mistake::EchoForgotten) => lesson.named(Mistake::OneEchoPath),
            _ => lesson,
        })
    };
    let neighbours = &mut [greet_other()?.0, greet_other()?.0];
    each_hears_itself(trial, "/other", neighbours, Mistake::EveryPathARoom)?;
    // A message that goes to /chat instead does not come back.
    let greet = |path| {
        house.greet(path).map_err(|lesson| match lesson.mistake {
            Some(Mistake::NotEverybody | Mistake::EchoForgotten) => lesson.named(Mistake::PathPrefix),
            _ => lesson,
        })
    };
    for path in ["/CHAT", "/other/chat"] {
        greet(path)?;
    }
    let neighbours = &mut [greet("/chat2")?.0, greet("/chat2")?.0];
    each_hears_itself(trial, "/chat2", neighbours, Mistake::PathPrefix)
}

fn each_hears_itself(trial: &Trial, path: &str, neighbours: &mut [Talk], mistake: Mistake) -> Result<(), Lesson> {
    for talk in neighbours {
        talk.send(&[masked(0x81, b"mine"), masked(0x89, b"?")].concat());
        for (expected, first, payload) in
            [("each gets the text", 0x81, &b"mine"[..]), ("each gets the text once, and after it its Pong", 0x8A, b"?")]
        {
            let sent = format!("{path}: two clients, and each says \"mine\", then sends a Ping");
            HOUSE.case(trial, sent, expected, ROOM);
            talk.expect(first, payload).map_err(|asked| asked.lesson.named(mistake))?;
        }
    }
    Ok(())
}

pub fn replies_go_through_send(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let replies = [
        ("a Ping", masked(0x89, b"?"), 0x8A, &b"?"[..]),
        ("a text", masked(0x81, b"hi"), 0x81, b"hi"),
        ("a Close", masked(0x88, b"\x03\xE8"), 0x88, b"\x03\xE8"),
        ("a frame without a mask", b"\x81\x02hi".to_vec(), 0x88, b"\x03\xEA"),
    ];
    for (what, sent, first, reply) in replies {
        let house = House::new(subject, trial, Settings { send_timeout: trial.patience * 4, ..quick() });
        let (mut talk, _task) = house.greet("/echo")?;
        HOUSE.case(
            trial,
            format!("another thread is writing a frame of 16 MiB to a client; meanwhile the client sends {what}"),
            format!("the whole frame, and after it {}", describe(first, reply)),
            "§5.2: a payload follows its header directly, so frames are not interleaved. Every thread that writes to \
             a client does so through Client::send.",
        );
        let Some((_, client)) = house.clients()?.pop() else {
            return Err(trial.came("nobody is in the list").named(Mistake::NotListed));
        };
        let writing = Task::start(move || drop(client.send(&BIG)));
        wait_for_bytes(&talk)?;
        talk.send(&sent);
        // The write waits, because nobody reads. So a reply has time to go wrong.
        std::thread::sleep(Duration::from_millis(30));
        let seen = talk.look_for(trial.patience * 2);
        if !is_big(&seen) {
            let panic = writing.panic(trial);
            // Nothing but a part of the frame.
            let ended = matches!(seen, Seen::End | Seen::Reset)
                && talk.unread().iter().skip(LARGE_HEADER).all(|byte| *byte == b'x');
            let mixed = matches!(seen, Seen::Frame { .. }) || !talk.unread().is_empty();
            return Err(panic.unwrap_or(match mixed {
                true if ended && first == 0x88 => {
                    trial.came("the end of the stream in the middle of the frame").named(Mistake::NoCloseForFault)
                }
                true => trial.came("a frame with other bytes in the middle").named(Mistake::BesideTheLock),
                false => trial.came(seen.to_string()),
            }));
        }
        let seen = talk.look();
        if !matches!(&seen, Seen::Frame { first: came, payload, .. } if *came == first && payload.starts_with(reply)) {
            return Err(trial.came(format!("the frame, then {seen}")));
        }
    }
    Ok(())
}

pub fn who_has_closed_is_not_in_the_list(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let ends = [("a Close", masked(0x88, b"\x03\xE8")), ("a frame without a mask", b"\x81\x02hi".to_vec())];
    for (what, sent) in ends {
        let house = House::new(subject, trial, Settings { send_timeout: trial.patience * 4, ..quick() });
        let (mut talk, _task) = house.greet("/echo")?;
        HOUSE.case(
            trial,
            format!("another thread is writing a frame of 16 MiB to a client, which sends {what}; then clients()"),
            "an empty list, though the server's Close still has to wait for the frame",
            "§5.5.1: no message is allowed to follow a Close. A client in the list can get a broadcast at any time: \
             so first `leave`.",
        );
        let Some((_, client)) = house.clients()?.pop() else {
            return Err(trial.came("nobody is in the list").named(Mistake::NotListed));
        };
        let writing = Task::start(move || drop(client.send(&BIG)));
        wait_for_bytes(&talk)?;
        talk.send(&sent);
        // The frame is not read, so the Close cannot be sent, however long the check waits.
        let begin = Instant::now();
        while !house.clients()?.is_empty() {
            if begin.elapsed() > trial.patience {
                return Err(trial.came("the client is still in the list").named(Mistake::LeftTooLate));
            }
            // Checks often; the loop ends when the patience is over.
            writing.ends_within(Duration::from_millis(5));
        }
    }
    Ok(())
}

pub fn a_write_has_a_limit(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let house = House::new(subject, trial, Settings { send_timeout: Duration::from_millis(150), ..quick() });
    let (talk, task, side) = house.connect_and_keep("/chat")?;
    let (talk, task) = house.greeted("/chat", talk, task)?;
    let limit = "settings.send_timeout says how long a write can wait; the socket's write timeout keeps to it.";
    HOUSE.case(trial, "a client on /chat; send_timeout is 150 ms", "its socket has a write timeout of 150 ms", limit);
    // Without a write timeout the broadcast shows what happens. A system can round the time.
    if let Some(set) = side.write_timeout().ok().flatten().filter(|set| *set > house.settings.send_timeout * 2) {
        return Err(trial
            .came(format!("a write timeout of {} ms", set.as_millis()))
            .named(Mistake::SendTimeoutIgnored));
    }
    drop(side);
    HOUSE.case(
        trial,
        "a client on /chat does not read; broadcast of 16 MiB; send_timeout is 150 ms",
        "broadcast returns",
        limit,
    );
    let registry = Arc::clone(&house.registry);
    promptly(trial, Mistake::SlowHoldsAll, move || registry.broadcast("/chat", &BIG))?;
    HOUSE.case(
        trial,
        "the same; the client neither reads nor leaves",
        "its serve_client returns, and it is not in the list",
        SERVED,
    );
    task.finish(trial).map_err(|lesson| match lesson.mistake {
        Some(Mistake::Hangs) => lesson.named(Mistake::NotShutDown),
        _ => lesson,
    })?;
    let left = house.clients()?.len();
    drop(talk);
    if left > 0 { Err(trial.came(format!("a list of {left}")).named(Mistake::NeverLeft)) } else { Ok(()) }
}

pub fn who_cannot_be_written_to_is_let_go(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let (send_timeout, close_timeout) = (Duration::from_millis(150), Duration::from_millis(100));
    let house = House::new(subject, trial, Settings { send_timeout, close_timeout, ..quick() });
    let (mut talk, task) = house.greet("/echo")?;
    HOUSE.case(
        trial,
        "/echo: a client sends messages and reads none of the replies; send_timeout is 150 ms",
        "its serve_client returns, and it is not in the list",
        "A write that takes longer than send_timeout is an error. It ends the client's life like any other.",
    );
    talk.flood();
    task.finish_late(trial).map_err(|lesson| match lesson.mistake {
        Some(Mistake::Panics | Mistake::UnwrapPanics) => lesson.named(Mistake::WriteUnwrapped),
        // A client that has left the list is in `hang_up`, the last thing that it does.
        Some(Mistake::Hangs) if house.clients().is_ok_and(|list| list.is_empty()) => {
            lesson.named(Mistake::CloseTimeoutIgnored)
        }
        Some(Mistake::Hangs) => lesson.named(Mistake::WriteIgnored),
        _ => lesson,
    })?;
    let left = house.clients()?.len();
    drop(talk);
    if left > 0 { Err(trial.came(format!("a list of {left}")).named(Mistake::NeverLeft)) } else { Ok(()) }
}

// The whole server.

/// A member of the room, which has received a message of its own, so it will receive those of others too.
fn join<'a>(server: &Running, trial: &'a Trial, name: &str) -> Result<Talk<'a>, Lesson> {
    let mut talk = server.connect(trial, "/chat")?;
    WHOLE.case(trial, format!("/chat: {name} says \"{name} is here\""), format!("{name} gets it too"), ROOM);
    talk.send(&masked(0x81, format!("{name} is here").as_bytes()));
    talk.expect(0x81, format!("{name} is here").as_bytes()).map_err(|asked| match asked.seen {
        Seen::Nothing => asked.lesson.named(Mistake::NotEverybody),
        _ => asked.lesson,
    })?;
    Ok(talk)
}

pub fn all_share_one_registry(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let server = Running::start(subject, quick());
    let mut ann = join(&server, trial, "Ann")?;
    let mut bob = join(&server, trial, "Bob")?;
    let why = "The whole server: run makes one registry, and every serve_client gets the same.";
    WHOLE.case(trial, "/chat: Ann is there, then Bob says \"Bob is here\"", "Ann gets it", why);
    if let Err(asked) = ann.expect(0x81, b"Bob is here") {
        // With a list of her own Ann hears at least herself.
        ann.send(&masked(0x81, b"I am alone"));
        let hears_herself = matches!(ann.look(), Seen::Frame { .. });
        return Err(match asked.seen {
            Seen::Nothing if hears_herself => asked.lesson.named(Mistake::RegistryForEach),
            Seen::Nothing => asked.lesson.named(Mistake::KeyShared),
            _ => asked.lesson,
        });
    }
    // Ann leaves with a Close and a third member without one: neither must disturb a broadcast.
    ann.ask_close("/chat: a Close", &masked(0x88, b"\x03\xE8"), Some(1000), "§5.5.1: /chat closes as /echo does.")?;
    drop(ann);
    drop(server.connect(trial, "/chat")?);
    for text in ["anybody?", "nobody."] {
        WHOLE.case(trial, format!("/chat: the others have left; Bob says {text:?}"), "Bob gets it", ROOM);
        bob.send(&masked(0x81, text.as_bytes()));
        bob.expect(0x81, text.as_bytes())?;
    }
    Ok(())
}

pub fn a_member_that_does_not_read_holds_nobody_up(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let server = Running::start(subject, quick());
    let _slow = join(&server, trial, "a slow one")?;
    let mut ann = join(&server, trial, "Ann")?;
    let mut bob = join(&server, trial, "Bob")?;
    WHOLE.case(trial, "/chat: Bob is there", "Ann gets his message", ROOM);
    ann.expect(0x81, b"Bob is here")?;
    let text = vec![b'x'; 1 << 20];
    let message = masked(0x82, &text);
    // The buffers of the member that does not read still take some of them.
    for _ in 0..16 {
        WHOLE.case(
            trial,
            "/chat: one member does not read; Ann sends 16 messages of 1 MiB, one after the other",
            "Ann and Bob get each of them",
            "Once the slow client's buffers are full, a write to it waits. settings.send_timeout says for how long.",
        );
        ann.send(&message);
        for member in [&mut ann, &mut bob] {
            let seen = member.look_for(trial.patience.max(Duration::from_secs(1)));
            if seen != (Seen::Frame { first: 0x82, masked: false, payload: text.clone() }) {
                return Err(trial
                    .came(seen.to_string())
                    .named((seen == Seen::Nothing).then_some(Mistake::SlowHoldsAll)));
            }
        }
    }
    Ok(())
}
