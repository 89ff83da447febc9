//! Steps 14 and 15: one client's life from top to bottom, and many clients.

use super::guard::Task;
use super::lesson::{Lesson, Trial, hex};
use super::mistakes::Mistake;
use super::running::{Running, quick};
use super::subject::Subject;
use super::talk::{Asked, Seen, Talk, connected_pair, masked, request};
use super::tcp::CROWD;
use super::words::Settings;
use std::io::Write as _;
use std::time::{Duration, Instant};

// Step 14

/// Connects a client on `/echo`. Returns it after its handshake, and the thread that serves it.
fn serve<'a>(subject: &Subject, trial: &'a Trial, settings: Settings) -> Result<(Talk<'a>, Task<()>), Lesson> {
    serve_on("/echo", subject, trial, settings)
}

fn serve_on<'a>(
    path: &str,
    subject: &Subject,
    trial: &'a Trial,
    settings: Settings,
) -> Result<(Talk<'a>, Task<()>), Lesson> {
    let (mut talk, task) = accept(subject, trial, settings);
    let sent = format!("the request of §1.3 for {path}");
    trial.case(sent, "HTTP/1.1 101", "§4.2.2: serve_client begins with shake_hands.");
    talk.shake(path).map_err(|lesson| task.panic(trial).unwrap_or(lesson))?;
    Ok((talk, task))
}

fn accept<'a>(subject: &Subject, trial: &'a Trial, settings: Settings) -> (Talk<'a>, Task<()>) {
    let (client, server) = connected_pair();
    let serve_client = subject.serve_client;
    let task = Task::start(move || serve_client(server, &settings));
    (Talk::over(trial, client), task)
}

const ECHO: &str = "The handler of /echo: every text or binary message goes back with the same opcode and payload.";

pub fn messages_come_back(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let (mut talk, task) = serve(subject, trial, quick())?;
    for (first, payload) in [(0x81, &b"Hello"[..]), (0x82, b"\x00\xFF"), (0x81, b""), (0x82, &vec![7; 70_000])] {
        talk.ask("a message", &masked(first, payload), first, payload, ECHO).map_err(|asked| {
            let lesson = task.panic(trial).unwrap_or(asked.lesson);
            match asked.seen {
                Seen::Frame { masked: true, .. } => lesson.named(Mistake::ReplyMasked),
                Seen::Frame { first: other, .. } if matches!(other, 0x81 | 0x82) && other != first => {
                    lesson.named(Mistake::OpcodeNotKept)
                }
                _ => lesson,
            }
        })?;
    }
    let frames = [masked(0x81, b"one"), masked(0x81, b"two")].concat();
    talk.ask("two messages in one segment", &frames, 0x81, b"one", ECHO)?;
    trial.case("two messages in one segment, \"one\" and \"two\"", "after the text \"one\" the text \"two\"", ECHO);
    talk.expect(0x81, b"two").map_err(|asked| asked.lesson.named(Mistake::LeftoverDropped))?;
    Ok(())
}

pub fn every_path_is_echoed(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let (mut talk, task) = serve_on("/other", subject, trial, quick())?;
    let why = "In this step every message goes back, whatever the path is.";
    talk.ask("a message of a client on /other", &masked(0x81, b"Hello"), 0x81, b"Hello", why)
        .map_err(|asked| task.panic(trial).unwrap_or(asked.lesson.named(Mistake::OneEchoPath)))
        .map(drop)
}

pub fn a_pong_and_many_messages_are_no_end(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    const MANY: usize = 100;
    let (mut talk, _task) = serve(subject, trial, quick())?;
    let why = "§5.5.3: a Pong can arrive without a Ping, and needs no answer.";
    talk.ask("a Pong, then a text", &[masked(0x8A, b"?"), masked(0x81, b"hi")].concat(), 0x81, b"hi", why)
        .map_err(|asked| asked.lesson.named(Mistake::PongRefused))?;
    trial.case(format!("{MANY} texts, one after the other"), "each of them comes back", ECHO);
    for _ in 0..MANY {
        talk.send(&masked(0x81, b"again"));
        talk.expect(0x81, b"again").map_err(|asked| match asked.seen {
            Seen::End | Seen::Reset | Seen::Frame { first: 0x88, .. } => asked.lesson.named(Mistake::EndsByItself),
            _ => asked.lesson,
        })?;
    }
    Ok(())
}

pub fn a_message_behind_the_request_comes_back(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let (mut talk, _task) = accept(subject, trial, quick());
    trial.case("the request and the text \"Hello\" in one segment", "HTTP/1.1 101, then the text \"Hello\"", ECHO);
    talk.send(&[request("/echo").as_bytes(), &masked(0x81, b"Hello")].concat());
    talk.head().map_err(|seen| trial.came(seen.to_string()))?;
    talk.expect(0x81, b"Hello").map_err(|asked| match asked.seen {
        Seen::Nothing => asked.lesson.named(Mistake::FrameBehindHeadLost),
        _ => asked.lesson,
    })
}

pub fn a_ping_gets_its_pong(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "§5.5.2: a Pong \"unless it already received a Close frame\", and \"as soon as is practical\".";
    let unanswered = |asked: Asked| match asked.seen {
        Seen::Nothing => asked.lesson.named(Mistake::PingUnanswered),
        _ => asked.lesson,
    };
    let (mut talk, _task) = serve(subject, trial, quick())?;
    talk.ask("a Ping", &masked(0x89, b"are you there"), 0x8A, b"are you there", why).map_err(unanswered)?;
    let together = [masked(0x89, b"1"), masked(0x81, b"hi"), masked(0x89, b"2")].concat();
    talk.ask("a Ping, a text and a Ping in one segment", &together, 0x8A, b"1", why).map_err(|asked| {
        match asked.seen {
            Seen::Frame { first: 0x81, .. } => asked.lesson.named(Mistake::PingUnanswered),
            _ => unanswered(asked),
        }
    })?;
    talk.expect(0x81, b"hi")?;
    talk.expect(0x8A, b"2").map_err(unanswered)?;
    let fragment_and_ping = [masked(0x01, b"Hel"), masked(0x89, b"?")].concat();
    talk.ask("the first fragment of a message, and a Ping", &fragment_and_ping, 0x8A, b"?", why).map_err(unanswered)?;
    talk.ask("the last fragment", &masked(0x80, b"lo"), 0x81, b"Hello", ECHO).map_err(|asked| match asked.seen {
        Seen::Frame { first: 0x88, ref payload, .. } if payload.starts_with(&1002_u16.to_be_bytes()) => {
            asked.lesson.named(Mistake::AssemblerAnew)
        }
        _ => asked.lesson,
    })?;
    Ok(())
}

/// Returns the mistake in the end of a connection, whichever side began it.
fn not_closed(asked: &Asked, code: Option<u16>) -> Option<Mistake> {
    match &asked.seen {
        Seen::Reset => Some(Mistake::CloseDestroyed),
        Seen::Frame { .. } if asked.behind_close => Some(Mistake::SentBehindClose),
        Seen::Nothing if asked.behind_close => Some(Mistake::ReadsBehindClose),
        Seen::Frame { first: 0x88, payload, .. } => {
            let came = payload.first_chunk().map(|&bytes| u16::from_le_bytes(bytes));
            (came == code && came.is_some()).then_some(Mistake::CodeLittleEndian)
        }
        _ => None,
    }
}

pub fn a_close_is_answered_and_tcp_ends(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "§5.5.1: \"If an endpoint receives a Close frame and did not previously send a Close frame, the endpoint MUST send \
               a Close frame in response.\" §7.1.1: then the server ends TCP.";
    for (payload, code) in [(&b"\x03\xE8"[..], Some(1000)), (b"\x0F\xA0bye", Some(4000)), (b"", None)] {
        let (mut talk, task) = serve(subject, trial, quick())?;
        talk.ask_close("a Close", &masked(0x88, payload), code, why).map_err(|asked| {
            let mistake = not_closed(&asked, code).or(match asked.seen {
                Seen::End | Seen::Nothing => Some(Mistake::NoCloseReply),
                Seen::Frame { first: 0x88, .. } if code.is_none() => Some(Mistake::EmptyCloseGotCode),
                _ => None,
            });
            let lesson = task.panic(trial).unwrap_or(asked.lesson);
            if lesson.mistake.is_some() { lesson } else { lesson.named(mistake) }
        })?;
        talk.hang_up();
        trial.case("the same, and the client closes its side too", "serve_client returns", why);
        task.finish(trial)?;
    }
    let (mut talk, _task) = serve(subject, trial, quick())?;
    let why = "§5.5.1: no message follows a Close frame; §1.4: nothing after the client's is looked at.";
    let bytes = [masked(0x88, b"\x03\xE8"), masked(0x81, b"late"), masked(0x89, b"?")].concat();
    talk.ask_close("a Close, a text and a Ping in one segment", &bytes, Some(1000), why).map_err(
        |asked| match asked.seen {
            Seen::Frame { first: 0x81 | 0x8A, .. } => asked.lesson.named(Mistake::SentBehindClose),
            _ => {
                let mistake = not_closed(&asked, Some(1000));
                asked.lesson.named(mistake)
            }
        },
    )?;
    Ok(())
}

pub fn a_broken_rule_is_told(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "§7.1.7: to fail the connection, send a Close frame with the code, then end TCP.";
    let settings = Settings { max_message: 1000, ..quick() };
    let cases: [(&str, Vec<u8>, u16); 6] = [
        ("a frame without a mask", b"\x81\x05Hello".to_vec(), 1002),
        ("a continuation of nothing", masked(0x80, b"lo"), 1002),
        ("a text that is not UTF-8", masked(0x81, b"\xFF"), 1007),
        ("a message over the limit of 1000", masked(0x82, &[7; 1001]), 1009),
        ("a frame without a mask, and many bytes after it", [b"\x81\x05Hello", &[0; 200_000][..]].concat(), 1002),
        ("a Close with code 1005", masked(0x88, b"\x03\xED"), 1002),
    ];
    for (sent, bytes, code) in cases {
        let (mut talk, task) = serve(subject, trial, settings.clone())?;
        talk.ask_close(sent, &bytes, Some(code), why).map_err(|asked| {
            let mistake = not_closed(&asked, Some(code)).or(match asked.seen {
                Seen::End => Some(Mistake::NoCloseForFault),
                Seen::Frame { first: 0x88, ref payload, .. } if payload == b"\x03\xED" => Some(Mistake::BadCodeEchoed),
                Seen::Frame { first: 0x88, .. } => Some(Mistake::FaultCode),
                Seen::Frame { first: 0x82, .. } if code == 1009 => Some(Mistake::MaxMessageIgnored),
                Seen::Nothing | Seen::Frame { .. } => Some(Mistake::FaultIgnored),
                Seen::Reset => None,
            });
            let lesson = task.panic(trial).unwrap_or(asked.lesson);
            if lesson.mistake.is_some() { lesson } else { lesson.named(mistake) }
        })?;
    }
    Ok(())
}

pub fn the_limit_of_the_settings_holds(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "§10.4: settings.max_message is the limit for a frame and for a message: for read_frame and for Assembler::new.";
    let whole = |length: usize| masked(0x82, &vec![7; length]);
    let parts = |length: usize| [masked(0x02, &[7; 600]), masked(0x80, &vec![7; length - 600])].concat();
    for limit in [1000, 100_000] {
        let settings = Settings { max_message: limit, ..quick() };
        for (sent, bytes) in [("one frame", whole(limit)), ("two fragments", parts(limit))] {
            let (mut talk, _task) = serve(subject, trial, settings.clone())?;
            let came = format!("max_message is {limit}; a message of {limit} bytes, in {sent}");
            trial.case(came, "it comes back", why);
            talk.send(&bytes);
            talk.expect(0x82, &vec![7; limit]).map_err(|asked| asked.lesson.named(Mistake::MaxMessageIgnored))?;
        }
        // The first is over the limit, which is known before a byte of its payload has arrived.
        let too_big = [
            ("one frame, whose header has arrived", whole(limit + 1)[..10].to_vec()),
            ("one frame", whole(limit + 1)),
            ("two fragments", parts(limit + 1)),
        ];
        for (sent, bytes) in too_big {
            let (mut talk, _task) = serve(subject, trial, settings.clone())?;
            let came = format!("max_message is {limit}; a message of {} bytes, in {sent}", limit + 1);
            trial.case(came, "a Close frame 1009, then the end of the stream", why);
            talk.send(&bytes);
            talk.expect_close(Some(1009)).map_err(|asked| match asked.seen {
                Seen::Frame { first: 0x81 | 0x82, .. } | Seen::Nothing => {
                    asked.lesson.named(Mistake::MaxMessageIgnored)
                }
                _ => {
                    let mistake = not_closed(&asked, Some(1009));
                    asked.lesson.named(mistake)
                }
            })?;
        }
    }
    Ok(())
}

pub fn the_time_of_the_settings_holds(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "settings.close_timeout is how long hang_up waits for the client's end.";
    let waits = |close_timeout: Duration| {
        let (mut talk, task) = serve(subject, trial, Settings { close_timeout, ..quick() })?;
        talk.ask_close("a Close", &masked(0x88, b"\x03\xE8"), Some(1000), why)?;
        Ok::<_, Lesson>((talk, task))
    };
    let (_long_client, long) = waits(Duration::from_secs(600))?;
    let (_short_client, short) = waits(Duration::from_millis(30))?;
    trial.case(
        "two clients that send a Close and never close their side; close_timeout is 30 ms for one, and 10 minutes for the other",
        "serve_client returns for the first alone",
        why,
    );
    short.finish(trial).map_err(|lesson| match lesson.mistake {
        Some(Mistake::Hangs) => lesson.named(Mistake::CloseTimeoutIgnored),
        _ => lesson,
    })?;
    if long.ends_within(Duration::from_millis(60)) {
        return Err(trial.came("it has returned for both").named(Mistake::HangsUpTooSoon));
    }
    Ok(())
}

pub fn a_quiet_client_stays(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let short = Duration::from_millis(40);
    let settings = Settings { send_timeout: short, close_timeout: short, ..quick() };
    let (mut talk, _task) = serve(subject, trial, settings)?;
    let why = "A chat is silent most of the time. send_timeout is for writes, and close_timeout for the end.";
    // Longer than both times.
    std::thread::sleep(short * 4);
    talk.ask(
        "nothing for 160 ms, then a text; send_timeout and close_timeout are 40 ms",
        &masked(0x81, b"hi"),
        0x81,
        b"hi",
        why,
    )
    .map_err(|asked| match asked.seen {
        Seen::Frame { first: 0x81, .. } | Seen::Nothing => asked.lesson,
        _ => asked.lesson.named(Mistake::QuietDropped),
    })
}

pub fn a_refused_client_reads_the_reply(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "§7.1.1 holds for every end: shut down writing, then read until the client closes its side too. \
               A socket that is dropped with unread bytes in it resets the connection.";
    let (client, server) = connected_pair();
    let mut talk = Talk::over(trial, client);
    trial.case(
        "a request without Sec-WebSocket-Key, and 200000 bytes after it",
        "HTTP/1.1 400, then the end of the stream; serve_client reads on until the client closes its side too",
        why,
    );
    talk.send(
        &[b"GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", &[b'x'; 200_000][..]]
            .concat(),
    );
    let (serve_client, settings) = (subject.serve_client, quick());
    let task = Task::start(move || serve_client(server, &settings));
    let destroyed = |seen: &str| trial.came(seen.to_owned()).named(Mistake::RefusalDestroyed);
    match talk.head() {
        Ok(head) if head.starts_with("HTTP/1.1 4") => {}
        Ok(head) => return Err(trial.came(head.lines().next().unwrap_or_default())),
        Err(Seen::Reset) => return Err(destroyed("a reset of the connection, and no reply")),
        Err(seen) => return Err(task.panic(trial).unwrap_or(trial.came(seen.to_string()))),
    }
    match talk.look() {
        Seen::End => {}
        Seen::Reset => return Err(destroyed("the reply, then a reset of the connection")),
        seen => return Err(trial.came(format!("the reply, then {seen}"))),
    }
    talk.hang_up();
    task.finish(trial)
}

pub fn a_client_that_leaves_ends_its_thread(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "Phones lose their network in the middle of a message. The thread must not stay there.";
    let ignored = |lesson: Lesson| match lesson.mistake {
        Some(Mistake::Hangs) => lesson.named(Mistake::EndOfClientIgnored),
        _ => lesson,
    };
    for bytes in [&b""[..], b"\x81\x85\x37"] {
        let (mut talk, task) = serve(subject, trial, quick())?;
        trial.case(format!("{}, then the end of the stream, without a Close", hex(bytes)), "serve_client returns", why);
        talk.send(bytes);
        drop(talk);
        task.finish(trial).map_err(ignored)?;
    }
    let (mut talk, task) = serve(subject, trial, quick())?;
    trial.case("a text; then the client is gone without having read the echo", "serve_client returns", why);
    talk.send(&masked(0x81, b"Hello"));
    talk.stream.set_read_timeout(Some(trial.patience)).expect("set_read_timeout");
    if talk.stream.peek(&mut [0]).is_err() {
        return Err(trial.came("no echo"));
    }
    // The client has unread bytes, so dropping it sends a reset, and the server's next read is an error.
    drop(talk);
    task.finish(trial).map_err(ignored)
}

pub fn a_write_that_fails_is_no_panic(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let (mut talk, task) = serve(subject, trial, quick())?;
    trial.case(
        "messages, until the server cannot send back any more, because the client does not read; then the client is gone",
        "serve_client returns",
        "A write fails when the client is gone. Then the thread of this client ends in good order.",
    );
    talk.flood();
    // The client has unread bytes, so dropping it sends a reset, and the server's write is an error.
    drop(talk);
    task.finish_late(trial).map_err(|lesson| match lesson.mistake {
        Some(Mistake::Panics | Mistake::UnwrapPanics) => lesson.named(Mistake::WriteUnwrapped),
        Some(Mistake::Hangs) => lesson.named(Mistake::EndOfClientIgnored),
        _ => lesson,
    })
}

// Step 15

const ALONE: &str = "A thread for each client: whatever one does or does not do, the accept loop goes on.";

fn echo(talk: &mut Talk, text: &str) -> Result<(), Lesson> {
    Ok(talk.ask("a text", &masked(0x81, text.as_bytes()), 0x81, text.as_bytes(), ALONE)?)
}

/// This check asks for nothing more: a server that serves one client after the other passes it.
pub fn a_lone_client_is_served(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let server = Running::start(subject, quick());
    let mut talk = server.connect(trial, "/echo").map_err(|lesson| match lesson.came == Seen::Nothing.to_string() {
        true => Lesson { sent: format!("a lone client: {}", lesson.sent), why: ALONE, ..lesson }
            .named(Mistake::NeverAccepts),
        false => lesson,
    })?;
    echo(&mut talk, "hello")
}

pub fn a_silent_client_keeps_nobody_waiting(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let server = Running::start(subject, quick());
    let waits = |mut lesson: Lesson| {
        lesson.sent = format!("one client connects and says nothing; another: {}", lesson.sent);
        lesson.why = ALONE;
        match lesson.came.contains("nothing") {
            _ if lesson.unwritten.is_some() => lesson,
            _ if server.is_over() => lesson.named(Mistake::RunReturns),
            true => lesson.named(Mistake::OneAfterTheOther),
            false => lesson,
        }
    };
    let silent = std::net::TcpStream::connect(server.address);
    let mut first = server.connect(trial, "/echo").map_err(waits)?;
    let mut second = server.connect(trial, "/echo").map_err(waits)?;
    for round in 0..3 {
        echo(&mut first, &format!("first {round}")).map_err(waits)?;
        echo(&mut second, &format!("second {round}")).map_err(waits)?;
    }
    let crowd: Vec<_> = (0..CROWD).map(|_| std::net::TcpStream::connect(server.address)).collect();
    let waits = |mut lesson: Lesson| {
        lesson.sent = format!("{CROWD} clients connect and say nothing; another: {}", lesson.sent);
        lesson.why = ALONE;
        if lesson.came.contains("nothing") { lesson.named(Mistake::FewThreads) } else { lesson }
    };
    echo(&mut server.connect(trial, "/echo").map_err(waits)?, "last").map_err(waits)?;
    drop((silent, crowd));
    Ok(())
}

pub fn a_rude_client_harms_nobody(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let server = Running::start(subject, quick());
    let mut good = server.connect(trial, "/echo")?;
    let rude = [
        ("no request at all", &b"\x16\x03\x01\x00\r\n\r\n"[..], false),
        ("half a request", b"GET / HT", false),
        ("a frame without a mask", b"\x81\x05Hello", true),
        ("half a frame", b"\x81\xFE\x01", true),
        ("a reserved opcode", b"\x83\x80\x00\x00\x00\x00", true),
    ];
    for (sent, bytes, shake) in rude {
        let ended = |mut lesson: Lesson| {
            lesson.sent = format!("a client sends {sent} and leaves; then another: {}", lesson.sent);
            lesson.why = ALONE;
            if !server.is_over() {
                return lesson;
            }
            lesson.came = "no answer, and run has returned".to_owned();
            lesson.named(Mistake::OneEndsAll)
        };
        let stream =
            std::net::TcpStream::connect(server.address).map_err(|error| ended(trial.came(error.to_string())))?;
        let mut talk = Talk::over(trial, stream);
        if shake {
            talk.shake("/echo").map_err(ended)?;
        }
        talk.send(bytes);
        talk.hang_up();
        // Waits until the server has noticed the end, and has closed its side, with or without a reply before that.
        while matches!(talk.look_for(trial.patience / 2), Seen::Frame { .. }) {}
        drop(talk);
        echo(&mut server.connect(trial, "/echo").map_err(ended)?, "still there?").map_err(ended)?;
        echo(&mut good, "and you?").map_err(ended)?;
    }
    Ok(())
}

pub fn the_settings_are_handed_on(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "Each client is served with the settings that `run` was given.";
    for max_message in [1000, 100_000] {
        let server = Running::start(subject, Settings { max_message, ..quick() });
        for (length, fits) in [(max_message, true), (max_message + 1, false)] {
            let mut talk = server.connect(trial, "/echo")?;
            let payload = vec![7; length];
            let expected = if fits { "it comes back" } else { "a Close frame 1009, then the end of the stream" };
            trial.case(format!("max_message is {max_message}; a message of {length} bytes"), expected, why);
            talk.send(&masked(0x82, &payload));
            let came = if fits { talk.expect(0x82, &payload) } else { talk.expect_close(Some(1009)) };
            came.map_err(|asked| asked.lesson.named(Mistake::SettingsNotHandedOn))?;
        }
    }
    Ok(())
}

pub fn no_socket_is_kept(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let server = Running::start(subject, Settings { close_timeout: Duration::from_millis(50), ..quick() });
    let mut talk = server.connect(trial, "/echo")?;
    let why =
        "§7.1.1: after close_timeout the server drops the socket. If a clone of it is left anywhere, it stays open.";
    talk.ask_close("a frame without a mask", b"\x81\x02hi", Some(1002), why)?;
    trial.case(
        "a fault, and after your Close bytes without end, because this client does not close its side; close_timeout \
         is 50 ms",
        "a reset of the connection, soon after close_timeout",
        why,
    );
    let begin = Instant::now();
    // The system answers bytes for a socket that is gone with a reset.
    while talk.stream.write_all(&[0]).is_ok() {
        if begin.elapsed() > trial.patience {
            return Err(trial.came("none: the socket still takes the bytes").named(Mistake::SocketKept));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

pub fn many_come_and_go(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    const MANY: usize = 40;
    let server = Running::start(subject, quick());
    for number in 1..=MANY {
        let late = |mut lesson: Lesson| {
            lesson.sent =
                format!("{MANY} clients, one after the other, each of which leaves; one of them: {}", lesson.sent);
            lesson.why = ALONE;
            if number > 1 && lesson.mistake.is_none() { lesson.named(Mistake::SeatsUsedUp) } else { lesson }
        };
        let mut talk = server.connect(trial, "/echo").map_err(late)?;
        echo(&mut talk, "hello").map_err(late)?;
    }
    Ok(())
}

pub fn twenty_clients_each_get_their_own(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let server = Running::start(subject, quick());
    let mut clients = (0..20).map(|_| server.connect(trial, "/echo")).collect::<Result<Vec<_>, _>>()?;
    for round in 0..3 {
        for (i, talk) in clients.iter_mut().enumerate() {
            talk.send(&masked(0x81, format!("client {i}, round {round}").as_bytes()));
        }
        for (i, talk) in clients.iter_mut().enumerate() {
            let text = format!("client {i}, round {round}");
            trial.case(format!("{text:?}, while 19 others send too"), format!("{text:?}"), ALONE);
            talk.expect(0x81, text.as_bytes())?;
        }
    }
    trial.case("nothing more", "run goes on", ALONE);
    if server.is_over() { Err(trial.came("run has returned").named(Mistake::RunReturns)) } else { Ok(()) }
}
