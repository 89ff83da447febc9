//! Step 04: the handshake over a real socket.

use super::guard::Task;
use super::lesson::{Lesson, Trial, hex};
use super::mistakes::Mistake;
use super::request::{STATUS_LINE, lacks_space};
use super::subject::{Shaken, Subject};
use super::talk::{ACCEPT, Seen, Talk, connected_pair, request, reset};
use std::io::Read as _;
use std::net::TcpStream;
use std::time::Duration;

/// Starts the subject's handshake in a thread of its own; the socket stays open until the check is over.
fn shake<'a>(subject: &Subject, trial: &'a Trial) -> (Talk<'a>, Task<(Shaken, TcpStream)>) {
    let (client, mut server) = connected_pair();
    let shake_hands = subject.shake_hands;
    let task = Task::start(move || {
        let shaken = shake_hands(&mut server);
        (shaken, server)
    });
    (Talk::over(trial, client), task)
}

/// Expects a reply that begins like this, and returns its head.
fn expect_head(talk: &mut Talk, task: &Task<(Shaken, TcpStream)>, start: &str) -> Result<String, Lesson> {
    let came = match talk.head() {
        Ok(head) if head.replace("\r\n", "").contains('\n') => {
            return Err(talk.trial.came(format!("{head:?}")).named(Mistake::ReplyBareNewline));
        }
        Ok(head) if head.starts_with(start) && (start != "HTTP/1.1 101 " || head.contains(ACCEPT)) => return Ok(head),
        Ok(head) if lacks_space(&head, start) => {
            let lesson = Lesson { why: STATUS_LINE, ..talk.trial.came(format!("{head:?}")) };
            return Err(lesson.named(Mistake::StatusWithoutSpace));
        }
        Ok(head) => {
            let other_status = head.starts_with("HTTP/1.1 ") && start != "HTTP/1.1 101 ";
            let mistake = if other_status { Mistake::OtherStatus } else { Mistake::ReplyStatus };
            let mistake = if head.starts_with(start) { Mistake::AcceptWrong } else { mistake };
            return Err(talk.trial.came(format!("{head:?}")).named(mistake));
        }
        Err(seen) => match task.panic(talk.trial) {
            Some(panic) => return Err(panic),
            None if !talk.unread().is_empty() => {
                let text = String::from_utf8_lossy(talk.unread()).into_owned();
                let bare = text.replace("\r\n", "").contains('\n');
                let mistake = if bare { Mistake::ReplyBareNewline } else { Mistake::NoBlankLineInReply };
                return Err(talk.trial.came(format!("{text:?}, then {seen}")).named(mistake));
            }
            None if seen == Seen::Nothing => {
                let has_returned = task.ends_within(Duration::ZERO);
                // Finds out whether it waits for the end of the stream.
                talk.hang_up();
                let mistake = match talk.head() {
                    _ if has_returned => Mistake::NoReply,
                    Ok(_) => Mistake::ReadToEndOfStream,
                    Err(_) => Mistake::Hangs,
                };
                return Err(talk.trial.came("nothing; the client waits for the reply").named(mistake));
            }
            None => seen.to_string(),
        },
    };
    Err(talk.trial.came(came))
}

fn shown(shaken: &Shaken) -> String {
    match shaken {
        Ok(Some((request, rest))) => {
            format!("Ok(Some((request, rest))), with path {:?} and the rest {}", request.path, hex(rest))
        }
        Ok(None) => "Ok(None)".to_owned(),
        Err(error) => format!("Err({:?})", error.kind()),
    }
}

/// Returns the mistake in a rest that should be `expected`, after the client has sent `sent`.
fn wrong_rest(shaken: &Shaken, sent: &[u8], expected: &[u8]) -> Option<Mistake> {
    let Ok(Some((_, rest))) = shaken else { return None };
    match rest.strip_prefix(expected) {
        _ if rest == sent => Some(Mistake::HeadInRest),
        Some(more) if more.len() > 1 && more.iter().all(|&byte| byte == 0) => Some(Mistake::WholeArrayTaken),
        None if rest.is_empty() => Some(Mistake::FrameBehindHeadLost),
        _ => None,
    }
}

const KEEPS_READING: &str = "TCP is a stream of bytes without boundaries: a read brings any part of what was sent.";

pub fn the_client_reads_its_101(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    trial.case(
        "the request of §1.3 in one piece; the client keeps the connection open",
        format!("on the socket HTTP/1.1 101 with Sec-WebSocket-Accept: {ACCEPT}"),
        "§4.2.2: the server sends its reply when it has the head. The stream has no end yet.",
    );
    let (mut talk, task) = shake(subject, trial);
    let sent = request("/chat");
    talk.send(sent.as_bytes());
    expect_head(&mut talk, &task, "HTTP/1.1 101 ")?;
    trial.case(
        "the request of §1.3 in one piece; the client has read its 101",
        "shake_hands returns Ok(Some((request, rest))), with path \"/chat\" and no rest",
        KEEPS_READING,
    );
    let (shaken, server) = task.finish(trial)?;
    if !matches!(&shaken, Ok(Some((request, rest))) if request.path == "/chat" && rest.is_empty()) {
        return Err(trial.came(shown(&shaken)).named(wrong_rest(&shaken, sent.as_bytes(), b"")));
    }
    trial.case(
        "the request of §1.3 in one piece; the client has read its 101",
        "nothing after the blank line of the 101",
        "§4.2.2: with the blank line the handshake is over. What follows are frames.",
    );
    // The subject's output ends here, if it has written any.
    drop(server);
    let behind = talk.look();
    if behind == Seen::End && talk.unread().is_empty() {
        return Ok(());
    }
    let came = if talk.unread().is_empty() { behind.to_string() } else { hex(talk.unread()) };
    Err(trial.came(came).named(Mistake::BytesBehindReply))
}

/// Whether a request is good whose first piece ends within a value, where zeros do no harm.
fn fills_with_zeros(subject: &Subject, trial: &Trial) -> bool {
    let (mut talk, _task) = shake(subject, trial);
    let request = request("/chat").replace("\r\n\r\n", "\r\nCookie: ab\r\n\r\n");
    let (first, second) = request.split_at(request.len() - 5);
    talk.send(first.as_bytes());
    talk.look_for(Duration::from_millis(60));
    talk.send(second.as_bytes());
    talk.head().is_ok_and(|head| head.starts_with("HTTP/1.1 101 "))
}

pub fn a_request_may_come_in_pieces(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let request = request("/chat");
    let (first, second) = request.split_at(60);
    trial.case(
        "60 bytes of the request, and after a pause the rest",
        "no reply before the rest, then HTTP/1.1 101",
        KEEPS_READING,
    );
    let (mut talk, task) = shake(subject, trial);
    talk.send(first.as_bytes());
    let early = talk.look_for(Duration::from_millis(60));
    if let Some(panic) = task.panic(trial) {
        return Err(if panic.unwritten.is_some() { panic } else { panic.named(Mistake::OneReadOneRequest) });
    }
    if early != Seen::Nothing || !talk.unread().is_empty() {
        return Err(trial.came("an answer before the rest was sent").named(Mistake::OneReadOneRequest));
    }
    talk.send(second.as_bytes());
    match talk.head() {
        Ok(head) if head.starts_with("HTTP/1.1 101 ") => task.finish(trial).map(drop),
        Ok(head) => {
            let whole_array = fills_with_zeros(subject, trial);
            let mistake = if whole_array { Mistake::WholeArrayTaken } else { Mistake::OneReadOneRequest };
            Err(trial.came(format!("{head:?}")).named(mistake))
        }
        Err(seen) => Err(trial.came(seen.to_string()).named(Mistake::OneReadOneRequest)),
    }
}

/// Whether these bytes are the next on the socket.
fn is_unread(server: &mut TcpStream, bytes: &[u8]) -> bool {
    let mut came = vec![0; bytes.len()];
    let timeout = server.set_read_timeout(Some(Duration::from_millis(100)));
    timeout.and_then(|()| server.read_exact(&mut came)).is_ok() && came == bytes
}

pub fn a_frame_behind_the_head_is_kept(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    for payload in [&b"Hello"[..], &[b'x'; 3000]] {
        frame_behind_the_head(subject, trial, &super::talk::masked(0x81, payload))?;
    }
    Ok(())
}

fn frame_behind_the_head(subject: &Subject, trial: &Trial, frame: &[u8]) -> Result<(), Lesson> {
    trial.case(
        "the request and the frame of a text in one segment",
        format!("shake_hands returns the frame's bytes as the rest: {}", hex(frame)),
        KEEPS_READING,
    );
    let (mut talk, task) = shake(subject, trial);
    let sent = [request("/chat").as_bytes(), frame].concat();
    talk.send(&sent);
    expect_head(&mut talk, &task, "HTTP/1.1 101 ")?;
    let (shaken, mut server) = task.finish(trial)?;
    match shaken {
        Ok(Some((_, rest))) if rest == frame => Ok(()),
        // If it was not read, it is still there: nobody has to read much at once.
        Ok(Some((_, rest))) if frame.starts_with(&rest) && is_unread(&mut server, &frame[rest.len()..]) => Ok(()),
        came => Err(trial.came(shown(&came)).named(wrong_rest(&came, &sent, frame))),
    }
}

pub fn a_refusal_is_told(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let cases = [
        (request("/").replace("Version: 13", "Version: 8"), "HTTP/1.1 426 "),
        (request("/").replace("Host: server", "Host server"), "HTTP/1.1 400 "),
    ];
    for (head, start) in cases {
        trial.case(
            format!("{head:?}"),
            format!("{start}and a blank line on the socket; shake_hands returns Ok(None)"),
            "§4.2.1: if the request does not match, \"the server MUST ... return an HTTP response with an appropriate \
             error code\".",
        );
        let (mut talk, task) = shake(subject, trial);
        talk.send(head.as_bytes());
        let reply = expect_head(&mut talk, &task, start)?;
        let (shaken, server) = task.finish(trial)?;
        match shaken {
            Ok(None) => {}
            came => return Err(trial.came(shown(&came)).named(Mistake::RefusedAndKept)),
        }
        drop(server);
        let promised = reply
            .to_lowercase()
            .split("content-length:")
            .nth(1)
            .and_then(|line| line.split("\r\n").next().and_then(|length| length.trim().parse().ok()));
        if promised.is_some_and(|length| talk.bytes(length).len() < length) {
            return Err(trial.came(format!("{reply:?}, and no body of this length")).named(Mistake::BodyPromised));
        }
    }
    Ok(())
}

pub fn a_long_request_is_read(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let cookie = format!("Cookie: {}\r\n\r\n", "x".repeat(7000));
    let head = request("/chat").replace("\r\n\r\n", &format!("\r\n{cookie}"));
    trial.case(
        format!("a request of {} bytes, most of them in one Cookie", head.len()),
        "HTTP/1.1 101",
        "Browsers send cookies of some KiB. The limit of step 02 is 8192 bytes, however many reads that takes.",
    );
    let (mut talk, task) = shake(subject, trial);
    talk.send(head.as_bytes());
    expect_head(&mut talk, &task, "HTTP/1.1 101 ").map_err(|lesson| match lesson.mistake {
        Some(Mistake::AcceptWrong | Mistake::ReplyBareNewline) => lesson,
        _ if lesson.came.starts_with("a panic") => lesson,
        _ => lesson.named(Mistake::OneReadOneRequest),
    })?;
    match task.finish(trial)?.0 {
        Ok(Some((_, rest))) if rest.is_empty() => Ok(()),
        came => Err(trial.came(shown(&came)).named(wrong_rest(&came, head.as_bytes(), b""))),
    }
}

/// A header that a refusal must have, with the token that must be among its values.
struct Needed {
    name: &'static str,
    token: &'static str,
    why: &'static str,
    mistake: Mistake,
}

const FOR_426: [Needed; 3] = [
    Needed {
        name: "Upgrade",
        token: "websocket",
        why: "RFC 9110 §15.5.22: a 426 MUST have an Upgrade header that names the protocol which is needed.",
        mistake: Mistake::UpgradeNotNamed,
    },
    Needed {
        name: "Connection",
        token: "Upgrade",
        why: "RFC 9110 §7.8: a sender of Upgrade MUST also name it in Connection.",
        mistake: Mistake::UpgradeNotInConnection,
    },
    Needed {
        name: "Sec-WebSocket-Version",
        token: "13",
        why: "§4.4: a server that does not support the version \"MUST respond with a |Sec-WebSocket-Version| header \
              field ... containing all versions it is willing to use\".",
        mistake: Mistake::VersionNotNamed,
    },
];

const FOR_405: [Needed; 1] = [Needed {
    name: "Allow",
    token: "GET",
    why: "RFC 9110 §15.5.6: a 405 MUST have an Allow header with the methods that are supported.",
    mistake: Mistake::AllowMissing,
}];

/// Returns whether a header of this name has the token in its list, which can continue in another header line.
fn has_token(head: &str, name: &str, token: &str) -> bool {
    let headers = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let mut elements = headers.filter(|(n, _)| n.eq_ignore_ascii_case(name)).flat_map(|(_, value)| value.split(','));
    // Only a method is compared with its case.
    elements.any(|element| match name {
        "Allow" => element.trim() == token,
        _ => element.trim().eq_ignore_ascii_case(token),
    })
}

pub fn a_refusal_names_what_would_be_accepted(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let cases: [(String, &str, &str, &[Needed]); 3] = [
        (
            request("/").replace("Upgrade: websocket\r\n", ""),
            "HTTP/1.1 426 ",
            "Upgrade: websocket, Connection: Upgrade and Sec-WebSocket-Version: 13",
            &FOR_426,
        ),
        (
            request("/").replace("Version: 13", "Version: 8"),
            "HTTP/1.1 426 ",
            "Upgrade: websocket, Connection: Upgrade and Sec-WebSocket-Version: 13",
            &FOR_426,
        ),
        (request("/").replace("GET", "POST"), "HTTP/1.1 405 ", "an Allow header that names GET", &FOR_405),
    ];
    for (head, start, expected, needed) in cases {
        for Needed { name, token, why, mistake } in needed {
            trial.case(format!("{head:?}"), format!("{start}with {expected}"), why);
            let (mut talk, task) = shake(subject, trial);
            talk.send(head.as_bytes());
            let reply = expect_head(&mut talk, &task, start)?;
            match task.finish(trial)?.0 {
                Ok(None) => {}
                came => return Err(trial.came(shown(&came)).named(Mistake::RefusedAndKept)),
            }
            if !has_token(&reply, name, token) {
                return Err(trial.came(format!("{reply:?}")).named(*mistake));
            }
        }
    }
    Ok(())
}

pub fn a_client_that_leaves_is_let_go(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    trial.case(
        "half of the request, then the end of the stream",
        "shake_hands returns: Ok(None) or an error",
        "A read of 0 bytes means that the client has closed its side: nothing more will follow.",
    );
    let (mut talk, task) = shake(subject, trial);
    talk.send(b"GET /chat HTTP/1.1\r\n");
    talk.hang_up();
    match task.finish(trial) {
        Ok((came @ Ok(Some(_)), _)) => Err(trial.came(shown(&came))),
        Ok(_) => Ok(()),
        Err(lesson) if lesson.mistake == Some(Mistake::Hangs) => Err(lesson.named(Mistake::EndIgnored)),
        Err(lesson) => Err(lesson),
    }?;
    trial.case(
        "half of the request, then a reset of the connection",
        "shake_hands returns: an error or Ok(None)",
        "A read fails when the network does. That is no reason to panic.",
    );
    let (mut talk, task) = shake(subject, trial);
    talk.send(b"GET /chat HTTP/1.1\r\n");
    reset(talk.stream);
    task.finish(trial).map(drop)
}
