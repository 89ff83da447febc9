//! Step 21: a client. The check plays the server at first, and at the end the subject's own server is used.

use super::guard::Task;
use super::lesson::{Lesson, Trial, hex};
use super::mistakes::Mistake;
use super::running::{Running, quick};
use super::subject::{Opened, Subject};
use super::talk::{Seen, Talk, connected_pair, masked};
use super::words::BINARY;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io;
use std::net::TcpStream;

pub fn a_client_masks(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why =
        "§5.3: a client masks every frame. The bit 0x80 of the second byte is set, and the key follows the length.";
    let example = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    trial.case("mask_frame, with a text \"Hello\" and key 37 fa 21 3d", hex(example), why);
    let came = (subject.mask_frame)(1, b"Hello", [0x37, 0xFA, 0x21, 0x3D]);
    if came != example {
        let mistake = match &came[..] {
            [_, second, ..] if second & 0x80 == 0 => Some(Mistake::ClientNotMasked),
            [_, _, rest @ ..] if rest.ends_with(b"Hello") => Some(Mistake::KeyWithoutMasking),
            [_, _, rest @ ..] if rest == &example[6..] => Some(Mistake::KeyNotSent),
            _ => None,
        };
        return Err(trial.came(hex(&came)).named(mistake));
    }
    for length in [0, 125, 126, 65535, 65536] {
        let payload: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
        let expected = masked(0x82, &payload);
        trial.case(format!("mask_frame, with a binary payload of {length} bytes"), hex(&expected), why);
        let came = (subject.mask_frame)(BINARY, &payload, super::talk::KEY);
        if came != expected {
            let key = came.windows(4).position(|bytes| bytes == super::talk::KEY);
            let there = came.len() == expected.len() && key.is_some_and(|at| at + 4 != expected.len() - payload.len());
            return Err(trial.came(hex(&came)).named(there.then_some(Mistake::KeyMisplaced)));
        }
    }
    Ok(())
}

/// The server's side, the request that it has read, and the client, which waits for the reply.
type Opening<'a> = (Talk<'a>, String, Task<(Opened, TcpStream)>);

/// A part of the request, whether it is right, and how it should be.
type Part = (&'static str, fn(&str) -> bool, &'static str);

/// The fault of a reply, the reply with that fault for the right accept value, and the mistake of a client that accepts
/// it.
type BadReply = (&'static str, fn(&str) -> String, Mistake);

/// Has the subject open a connection in a thread of its own. The check is the server: it has the request, and can
/// answer it.
fn open<'a>(subject: &Subject, trial: &'a Trial) -> Result<Opening<'a>, Lesson> {
    let (server, mut client) = connected_pair();
    let open = subject.open;
    let task = Task::start(move || {
        let opened = open(&mut client, "server.example.com", "/chat?room=7");
        (opened, client)
    });
    let mut talk = Talk::over(trial, server);
    trial.case(
        "open, with host server.example.com and path /chat?room=7",
        "on the socket a request with its blank line",
        "§4.1: the client speaks first.",
    );
    match talk.head() {
        Ok(request) => Ok((talk, request, task)),
        Err(seen) => {
            let came = format!("{:?}, then {seen}", String::from_utf8_lossy(talk.unread()));
            Err(task.panic(trial).unwrap_or(trial.came(came).named(Mistake::NoBlankLineInReply)))
        }
    }
}

fn value<'a>(head: &'a str, name: &str) -> &'a str {
    let mut headers = head.split("\r\n").filter_map(|line| line.split_once(':'));
    headers.find(|(came, _)| came.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value.trim())
}

pub fn the_request_is_complete(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let mut keys = Vec::new();
    for _ in 0..2 {
        let (_talk, request, _task) = open(subject, trial)?;
        let needed: [Part; 6] = [
            ("the first line", |line| line == "GET /chat?room=7 HTTP/1.1", "GET /chat?room=7 HTTP/1.1"),
            ("Host", |value| value == "server.example.com", "server.example.com"),
            ("Upgrade", |value| value.eq_ignore_ascii_case("websocket"), "websocket"),
            ("Connection", |value| value.eq_ignore_ascii_case("upgrade"), "Upgrade"),
            ("Sec-WebSocket-Version", |value| value == "13", "13"),
            (
                "Sec-WebSocket-Key",
                |value| STANDARD.decode(value).is_ok_and(|bytes| bytes.len() == 16),
                "16 random bytes in base64",
            ),
        ];
        for (name, is_good, expected) in needed {
            trial.case(
                "open, with host server.example.com and path /chat?room=7",
                format!("in the request, {name}: {expected}"),
                "§4.1: what a client's handshake must have.",
            );
            let line = request.split("\r\n").next().unwrap_or_default();
            let came = if name == "the first line" { line } else { value(&request, name) };
            if !is_good(came) {
                let key = (name == "Sec-WebSocket-Key" && !came.is_empty()).then_some(Mistake::ClientKey);
                return Err(trial.came(format!("{came:?}")).named(key.unwrap_or(Mistake::RequestIncomplete)));
            }
        }
        keys.push(value(&request, "Sec-WebSocket-Key").to_owned());
    }
    trial.case("open, twice", "two keys", "§4.1: \"The nonce MUST be selected randomly for each connection.\"");
    if keys[0] == keys[1] { Err(trial.came(format!("{} twice", keys[0])).named(Mistake::ClientKey)) } else { Ok(()) }
}

/// Returns the reply for this accept value.
fn reply(accept: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade:WebSocket\r\nCONNECTION: upgrade \r\nsec-websocket-accept: {accept}\r\n\r\n"
    )
}

fn accept_for(key: &str) -> String {
    STANDARD.encode(sha1_smol::Sha1::from(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11")).digest().bytes())
}

fn bad_replies() -> [BadReply; 13] {
    [
        ("the accept value of another key", |_| reply("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), Mistake::AcceptNotVerified),
        ("no accept value", |good| reply(good).replace("sec-websocket-accept", "x"), Mistake::AcceptNotVerified),
        ("the right accept value in capitals", |good| reply(&good.to_uppercase()), Mistake::AcceptNotVerified),
        ("the status 200", |good| reply(good).replace("101", "200"), Mistake::StatusNotAsked),
        (
            "the status 404, and 101 in its words",
            |good| reply(good).replace("101", "404 HTTP/1.1 101"),
            Mistake::StatusNotAsked,
        ),
        ("no Upgrade header", |good| reply(good).replace("upgrade:WebSocket\r\n", ""), Mistake::ReplyHeaderNotAsked),
        (
            "no Connection header",
            |good| reply(good).replace("CONNECTION: upgrade \r\n", ""),
            Mistake::ReplyHeaderNotAsked,
        ),
        ("Upgrade: h2c", |good| reply(good).replace("WebSocket", "h2c"), Mistake::ReplyHeaderNotAsked),
        ("Upgrade: websockets", |good| reply(good).replace("WebSocket", "websockets"), Mistake::HalfToken),
        ("Connection: upgraded", |good| reply(good).replace("upgrade ", "upgraded"), Mistake::HalfToken),
        ("X-Upgrade in place of Upgrade", |good| reply(good).replace("upgrade:", "x-upgrade:"), Mistake::HeaderInPart),
        (
            "Proxy-Connection in place of Connection",
            |good| reply(good).replace("CONNECTION", "Proxy-Connection"),
            Mistake::HeaderInPart,
        ),
        (
            "X-Sec-WebSocket-Accept in place of Sec-WebSocket-Accept",
            |good| reply(good).replace("sec-", "x-sec-"),
            Mistake::HeaderInPart,
        ),
    ]
}

pub fn the_reply_is_looked_at(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "§4.1: the client MUST fail the connection if the status is not 101, or a header is missing or has another value.";
    let (mut talk, request, task) = open(subject, trial)?;
    // With a blank line in it, which is not that of the head.
    let frame = b"\x81\x06hi\r\n\r\n";
    trial.case(
        "open; the reply is a good 101, and after it in the same segment comes the frame 81 06 68 69 0d 0a 0d 0a",
        "Ok(Some(81 06 68 69 0d 0a 0d 0a))",
        "§4.1, and TCP: the bytes after the blank line are frames already, and names have no case.",
    );
    let good = accept_for(value(&request, "Sec-WebSocket-Key"));
    // In three parts, as TCP can bring it: the second ends within the blank line.
    let head = reply(&good);
    let whole = [head.as_bytes(), frame].concat();
    for part in [&whole[..40], &whole[40..head.len() - 2]] {
        talk.send(part);
        if task.ends_within(std::time::Duration::from_millis(30)) {
            let came = trial.came("an answer before the blank line has arrived");
            return Err(came.named(Mistake::HeadWithoutBlankLine));
        }
    }
    talk.send(&whole[head.len() - 2..]);
    match task.finish(trial)?.0 {
        Ok(Some(rest)) if rest == frame => {}
        Ok(Some(rest)) => {
            let head_too = rest.len() > frame.len() && rest.ends_with(frame);
            let mistake = if head_too { Mistake::HeadInRest } else { Mistake::FrameBehindHeadLost };
            return Err(trial.came(format!("Ok(Some({}))", hex(&rest))).named(mistake));
        }
        other => return Err(trial.came(format!("{other:?}")).named(Mistake::GoodReplyRefused)),
    }
    for (what, answer, mistake) in bad_replies() {
        let (mut talk, request, task) = open(subject, trial)?;
        trial.case(format!("open; the reply has {what}"), "Ok(None), or an error", why);
        talk.send(answer(&accept_for(value(&request, "Sec-WebSocket-Key"))).as_bytes());
        if let Ok(Some(_)) = task.finish(trial)?.0 {
            return Err(trial.came("Ok(Some(...))").named(mistake));
        }
    }
    let (talk, _, task) = open(subject, trial)?;
    trial.case("open; the server closes its side without a reply", "Ok(None), or an error", why);
    drop(talk);
    match task.finish(trial) {
        Ok((Ok(Some(_)), _)) => Err(trial.came("Ok(Some(...))").named(Mistake::StatusNotAsked)),
        Ok(_) => Ok(()),
        Err(lesson) if lesson.mistake == Some(Mistake::Hangs) => Err(lesson.named(Mistake::EndIgnored)),
        Err(lesson) => Err(lesson),
    }
}

/// The subject's client, after its handshake.
struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

type Said = (io::Result<Option<String>>, Client);

fn say(subject: &Subject, mut client: Client, text: &'static str) -> Task<Said> {
    let say = subject.say;
    Task::start(move || {
        let said = say(&mut client.stream, &mut client.buffer, text);
        (said, client)
    })
}

/// Expects a masked frame, and returns its key and its payload.
fn expect_masked(talk: &mut Talk, first: u8, plain: &[u8]) -> Result<[u8; 4], Lesson> {
    let trial = talk.trial;
    match talk.look() {
        Seen::Frame { first: came, masked: true, payload } if came == first => {
            let key = talk.key;
            let unmasked: Vec<u8> = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
            if unmasked == plain { Ok(key) } else { Err(trial.came(hex(&unmasked))) }
        }
        seen @ Seen::Frame { masked: false, .. } => Err(trial.came(seen.to_string()).named(Mistake::ClientNotMasked)),
        seen @ Seen::Nothing if first == 0x8A => Err(trial.came(seen.to_string()).named(Mistake::PingUnanswered)),
        seen => Err(trial.came(seen.to_string())),
    }
}

const STAYS: &str =
    "The frame that is returned is taken out of the buffer; what follows it stays there for the next call.";

pub fn a_long_answer_may_come_in_pieces(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    for length in [300_usize, 70_000] {
        let (server, client) = connected_pair();
        let mut talk = Talk::over(trial, server);
        let text = "x".repeat(length);
        // A server's frame is a client's without the mask.
        let mut frame = masked(0x81, text.as_bytes());
        let header = frame.len() - length - 4;
        frame[1] &= 0x7F;
        frame.truncate(header);
        frame.extend(text.bytes());
        trial.case(
            format!("say; the server answers a text of {length} bytes: its first 3 bytes, and after a pause the rest"),
            "Ok(Some(...)) of the text",
            "§5.2: a length has one, two or eight bytes, and TCP can bring any part of a frame.",
        );
        let task = say(subject, Client { stream: client, buffer: Vec::new() }, "Hello");
        expect_masked(&mut talk, 0x81, b"Hello")?;
        talk.send(&frame[..3]);
        let early = task.ends_within(std::time::Duration::from_millis(30));
        talk.send(&frame[3..]);
        match task.finish(trial)?.0 {
            Ok(Some(came)) if came == text => {}
            Ok(Some(came)) => {
                return Err(trial
                    .came(format!("a text of {} bytes", came.len()))
                    .named(early.then_some(Mistake::HalfFrameTaken)));
            }
            other => return Err(trial.came(format!("{other:?}")).named(early.then_some(Mistake::HalfFrameTaken))),
        }
    }
    Ok(())
}

/// Expects what `say` returns after this answer, and what it leaves in the buffer.
fn said_as_expected(talk: &mut Talk, task: &Task<Said>, answer: &[u8], expected: &str) -> Result<Client, Lesson> {
    let trial = talk.trial;
    let (said, after) = task.finish(trial).map_err(|lesson| match lesson.mistake {
        Some(Mistake::Hangs) if answer.is_empty() => lesson.named(Mistake::LeftoverDropped),
        Some(Mistake::Hangs) if !answer.starts_with(b"\x81") => {
            // Finds out whether it still has the text, and was only waiting for another read.
            talk.send(b"\x81\x05later");
            let said = task.finish(trial).map(|(said, _)| said.ok().flatten());
            match said.ok().flatten() {
                Some(text) if text == "later" => lesson.named(Mistake::LeftoverDropped),
                Some(text) if text == expected => lesson.named(Mistake::ReadBeforeBuffer),
                _ => lesson,
            }
        }
        _ => lesson,
    })?;
    match said {
        Ok(Some(came)) if came == expected => {}
        Ok(Some(came)) => {
            let other = (came == "no").then_some(Mistake::BinaryAsText);
            return Err(trial.came(format!("Ok(Some({came:?}))")).named(other));
        }
        other => return Err(trial.came(format!("{other:?}")).named(Mistake::GoodReplyRefused)),
    }
    let left = if answer.ends_with(b"ho") { &answer[4..] } else { b"" };
    trial.case("say, and it has returned a text", format!("afterwards the buffer holds {}", hex(left)), STAYS);
    if after.buffer != left {
        return Err(trial.came(hex(&after.buffer)).named(Mistake::FrameNotRemoved));
    }
    Ok(after)
}

pub fn a_text_is_sent_and_the_next_one_read(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why =
        "§5.1: a client masks, a server does not, and each of them fails the connection if the other does otherwise.";
    let (server, client) = connected_pair();
    let mut talk = Talk::over(trial, server);
    let mut client = Client { stream: client, buffer: Vec::new() };
    let mut keys = Vec::new();
    for (text, answer, expected) in [
        ("Hello", &b"\x81\x02hi"[..], "hi"),
        ("Hello", b"\x89\x01?\x81\x02hi", "hi"),
        ("Hello", b"\x82\x02no\x8A\x00\x81\x02hi", "hi"),
        ("Hello", b"\x81\x02hi\x81\x02ho", "hi"),
        ("", b"", "ho"),
        ("Hello", b"\x81\x00", ""),
    ] {
        trial.case(format!("say, with {text:?}"), "on the socket a masked text frame with it", why);
        let task = say(subject, client, text);
        let key =
            expect_masked(&mut talk, 0x81, text.as_bytes()).map_err(|lesson| task.panic(trial).unwrap_or(lesson))?;
        keys.push(key);
        let sent = match answer.is_empty() {
            true => "nothing more: a second text came with the last one".to_owned(),
            false => format!("the server answers {}", hex(answer)),
        };
        let answered = || trial.case(format!("say, with {text:?}; {sent}"), format!("Ok(Some({expected:?}))"), why);
        answered();
        talk.send(answer);
        if answer.starts_with(b"\x89") {
            trial.case(
                "say; the server sends a Ping with 3f, then a text",
                "a masked Pong with 3f",
                "§5.5.2: either side answers a Ping.",
            );
            expect_masked(&mut talk, 0x8A, b"?")?;
            answered();
        }
        client = said_as_expected(&mut talk, &task, answer, expected)?;
    }
    trial.case(
        "say, again and again",
        "other masking keys",
        "§5.3: \"The masking key needs to be unpredictable\", in each frame.",
    );
    keys.dedup();
    if keys.len() < 3 {
        return Err(trial.came(format!("the key {} again and again", hex(&keys[0]))).named(Mistake::KeyNotRandom));
    }
    Ok(())
}

pub fn a_masked_answer_and_a_close_are_the_end(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let why = "§5.1: a server does not mask, and a client fails the connection if it does.";
    let (server, client) = connected_pair();
    let mut talk = Talk::over(trial, server);
    let client = Client { stream: client, buffer: Vec::new() };
    trial.case("say; the server answers with a masked text", "an error, or Ok(None)", why);
    let task = say(subject, client, "Hello");
    expect_masked(&mut talk, 0x81, b"Hello")?;
    // The payload is "hi" with and without unmasking.
    talk.send(b"\x81\x82hihi\0\0");
    let (said, client) = task.finish(trial)?;
    if let Ok(Some(came)) = said {
        return Err(trial.came(format!("Ok(Some({came:?}))")).named(Mistake::MaskedAccepted));
    }
    drop((talk, client));
    let (server, client) = connected_pair();
    let mut talk = Talk::over(trial, server);
    trial.case(
        "say; the server answers a text that is no UTF-8",
        "an error, or Ok(None)",
        "§8.1: both sides look at each text.",
    );
    let task = say(subject, Client { stream: client, buffer: Vec::new() }, "Hello");
    expect_masked(&mut talk, 0x81, b"Hello")?;
    talk.send(b"\x81\x02h\xFF");
    if let Ok(Some(came)) = task.finish(trial)?.0 {
        return Err(trial.came(format!("Ok(Some({came:?}))")).named(Mistake::TextRepaired));
    }
    drop(talk);
    let (server, client) = connected_pair();
    let mut talk = Talk::over(trial, server);
    trial.case("say; the server sends a Close", "Ok(None), or an error", "§5.5.1: no message follows a Close.");
    let task = say(subject, Client { stream: client, buffer: Vec::new() }, "Hello");
    expect_masked(&mut talk, 0x81, b"Hello")?;
    talk.send(b"\x88\x02\x03\xE8");
    match task.finish(trial)?.0 {
        Ok(Some(came)) => Err(trial.came(format!("Ok(Some({came:?}))"))),
        _ => Ok(()),
    }
}

pub fn it_talks_to_your_own_server(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let server = Running::start(subject, quick());
    drop(server.connect(trial, "/echo")?);
    trial.case(
        "open and say, with your own server and the path /echo",
        "the same text",
        "Both sides of everything are yours.",
    );
    let (open, say, address) = (subject.open, subject.say, server.address);
    let talk = move || -> io::Result<Option<String>> {
        let mut stream = TcpStream::connect(address)?;
        let Some(mut buffer) = open(&mut stream, &address.to_string(), "/echo")? else { return Ok(None) };
        say(&mut stream, &mut buffer, "Grüße")
    };
    match Task::start(talk).finish(trial)? {
        Ok(Some(text)) if text == "Grüße" => Ok(()),
        // The lesson leaves out the port, which changes with each run.
        other => Err(trial.came(format!("{other:?}"))),
    }
}
