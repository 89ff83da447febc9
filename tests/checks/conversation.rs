//! Step 19: a real client, and the ideas of the Autobahn suite, against the whole server.

use super::lesson::{Lesson, Trial};
use super::message::BAD_TEXTS;
use super::mistakes::Mistake;
use super::running::{Running, quick};
use super::subject::Subject;
use super::talk::masked;
use super::words::Settings;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message};

const WHOLE: &str = "Everything together. If this fails and the steps before are green, look at run.rs.";

fn start(subject: &Subject) -> Running {
    Running::start(subject, Settings { max_message: 1 << 20, ..quick() })
}

pub fn a_real_client_talks_to_it(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let server = start(subject);
    // If the server does not run at all, the lesson says that in one sentence.
    drop(server.connect(trial, "/echo")?);
    trial.case("tungstenite connects to /echo", "an open connection", WHOLE);
    let failed = |error: Error| trial.came(format!("its error: {error}"));
    let stream = std::net::TcpStream::connect(server.address).map_err(|error| failed(error.into()))?;
    stream.set_read_timeout(Some(trial.patience)).map_err(|error| failed(error.into()))?;
    let url = format!("ws://{}/echo", server.address);
    let (mut client, _) =
        tungstenite::client(url, stream).map_err(|error| trial.came(format!("its error: {error}")))?;
    let messages = [
        Message::text("Hello"),
        Message::text(""),
        Message::text("Grüße, 世界 👋"),
        Message::binary(vec![0, 1, 254, 255]),
        Message::binary(vec![7; 200_000]),
    ];
    for message in messages {
        trial.case(format!("tungstenite sends {}", shown(&message)), "the same message", WHOLE);
        client.send(message.clone()).map_err(failed)?;
        let came = client.read().map_err(|error| {
            let masked = error.to_string().contains("masked frame from server");
            failed(error).named(masked.then_some(Mistake::ReplyMasked))
        })?;
        if came != message {
            return Err(trial.came(shown(&came)));
        }
    }
    trial.case("tungstenite sends a Ping", "a Pong with the same bytes", WHOLE);
    client.send(Message::Ping("are you there".into())).map_err(failed)?;
    trial.equal(client.read().map_err(failed)?, Message::Pong("are you there".into()))?;
    trial.case("tungstenite closes with code 4000", "a Close with code 4000, then the end of the connection", WHOLE);
    client.close(Some(CloseFrame { code: CloseCode::Library(4000), reason: "bye".into() })).map_err(failed)?;
    match client.read().map_err(failed)? {
        Message::Close(Some(close)) if close.code == CloseCode::Library(4000) => {}
        other => return Err(trial.came(shown(&other))),
    }
    match client.read() {
        Err(Error::ConnectionClosed) => Ok(()),
        other => Err(trial.came(format!("{other:?}"))),
    }
}

fn shown(message: &Message) -> String {
    let kind = match message {
        Message::Text(_) => "a text",
        Message::Binary(_) => "a binary message",
        Message::Close(_) => "a Close",
        Message::Ping(_) => "a Ping",
        Message::Pong(_) => "a Pong",
        Message::Frame(_) => "a frame",
    };
    format!("{kind} of {} bytes", message.len())
}

/// Groups 1 and 2 of Autobahn: every form of length, in one piece and in small pieces, and many Pings in a row.
pub fn lengths_and_pieces(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let server = start(subject);
    for first in [0x81, 0x82] {
        let mut talk = server.connect(trial, "/echo")?;
        for length in [0, 1, 125, 126, 127, 128, 65535, 65536] {
            let (payload, why) = (vec![b'*'; length], "§5.2: the three forms of the length, there and back.");
            talk.ask("a message", &masked(first, &payload), first, &payload, why)?;
            trial.case(format!("a message of {length} bytes, 997 at a time"), "it comes back whole", why);
            for piece in masked(first, &payload).chunks(997) {
                talk.send(piece);
            }
            talk.expect(first, &payload)?;
        }
    }
    let mut talk = server.connect(trial, "/echo")?;
    trial.case("a Ping, a Pong and a text, byte by byte", "a Pong and the text", "TCP cuts where it likes.");
    for byte in [masked(0x89, b"1"), masked(0x8A, b"unasked"), masked(0x81, b"text")].concat() {
        talk.send(&[byte]);
    }
    talk.expect(0x8A, b"1")?;
    talk.expect(0x81, b"text")?;
    trial.case("ten Pings in one segment", "ten Pongs in the same order", "§5.5.3: each Pong has its Ping's bytes.");
    talk.send(&(0..10).flat_map(|i| masked(0x89, &[i])).collect::<Vec<u8>>());
    for i in 0..10 {
        talk.expect(0x8A, &[i])?;
    }
    Ok(())
}

/// Groups 3 to 5 of Autobahn: messages before a violation are answered, and then the connection fails.
pub fn faults_after_a_good_message(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let server = start(subject);
    let faults: [(&str, Vec<u8>); 8] = [
        ("a frame with RSV1", masked(0xC1, b"x")),
        ("the reserved opcode 3", masked(0x83, b"x")),
        ("the reserved control opcode 0xB", masked(0x8B, b"x")),
        ("a Ping of 126 bytes", masked(0x89, &[7; 126])),
        ("a fragmented Ping", masked(0x09, b"x")),
        ("a continuation of nothing", masked(0x80, b"x")),
        ("a message in a message", [masked(0x01, b"a"), masked(0x81, b"b")].concat()),
        ("a Close of one byte", masked(0x88, b"\x03")),
    ];
    for (what, bytes) in faults {
        let mut talk = server.connect(trial, "/echo")?;
        talk.send(&masked(0x81, b"good"));
        trial.case(format!("a good text, then {what}"), "the text comes back", WHOLE);
        talk.expect(0x81, b"good")?;
        let why = "§7.1.7: the code is 1002, and the reason is yours.";
        talk.ask_close(what, &bytes, Some(1002), why)?;
    }
    Ok(())
}

/// Groups 5 to 7 of Autobahn: fragments with Pings between them, UTF-8, and ways to end a conversation.
pub fn fragments_texts_and_closes(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    let server = start(subject);
    let mut talk = server.connect(trial, "/echo")?;
    let euro = "€".as_bytes();
    let bytes =
        [masked(0x01, &euro[..1]), masked(0x89, b"1"), masked(0x00, &euro[1..]), masked(0x89, b"2"), masked(0x80, b"")];
    trial.case("a text in three fragments with two Pings between them", "two Pongs, then the text", WHOLE);
    talk.send(&bytes.concat());
    talk.expect(0x8A, b"1")?;
    talk.expect(0x8A, b"2")?;
    talk.expect(0x81, euro)?;
    for (bytes, what) in BAD_TEXTS {
        let mut talk = server.connect(trial, "/echo")?;
        talk.ask_close(&format!("a text with {what}"), &masked(0x81, bytes), Some(1007), "§8.1: 1007.")?;
    }
    for (payload, code) in
        [(&b""[..], None), (b"\x03\xE8bye", Some(1000)), (b"\x0B\xB8", Some(3000)), (b"\x03\xED", Some(1002))]
    {
        let mut talk = server.connect(trial, "/echo")?;
        talk.ask_close(
            "a Close",
            &masked(0x88, payload),
            code,
            "§5.5.1 and §7.4: the same code back, unless it must not be sent.",
        )
        .map_err(|asked| match asked.seen {
            super::talk::Seen::Frame { first: 0x88, .. } if code.is_none() => {
                asked.lesson.named(Mistake::EmptyCloseGotCode)
            }
            super::talk::Seen::Frame { payload, .. } if payload == b"\x03\xED" => {
                asked.lesson.named(Mistake::CodeNeverSent)
            }
            _ => asked.lesson,
        })?;
    }
    Ok(())
}
