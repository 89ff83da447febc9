//! The chat over several servers, `--bus`, on a real Redis: order, what a client missed, outages.

mod after;
mod outage;
mod redis;

use self::redis::Redis;
use crate::support::program::{Program, plainsocket};
use crate::support::{BINARY, CLOSE, Client, TEXT, close_frame, frame, request, status, wait_for};
use serde_json::{Value, json};
use std::thread;

/// Starts the servers and waits until each is connected to the bus.
fn servers<const N: usize>(redis: &Redis, arguments: &[&str]) -> [Program; N] {
    let url = redis.url();
    let all: Vec<&str> = ["--bus", &url].into_iter().chain(arguments.iter().copied()).collect();
    let programs = [(); N].map(|()| Program::start(&all));
    programs.iter().for_each(wait_for_bus);
    programs
}

/// Waits for the bus. Without it a client gets 503.
fn wait_for_bus(program: &Program) {
    wait_for("the bus", || answer(program, "/chat/wait_for_bus").0 == 101);
}

/// Returns the status and the head of the reply to a handshake.
fn answer(program: &Program, path: &str) -> (u16, String) {
    let mut client = Client::tcp(program.address);
    client.send(request(path));
    let head = client.read_head();
    (status(&head), head)
}

/// Returns a client that wants events, and its welcome.
fn listener(program: &Program, path: &str) -> (Client, Value) {
    let mut client = Client::tcp(program.address);
    client.send(request(path).replace("Host", "Sec-WebSocket-Protocol: plainsocket.json\r\nHost"));
    assert_eq!(status(&client.read_head()), 101, "{path}");
    let welcome = event(&mut client, "welcome");
    (client, welcome)
}

/// Returns the next event of this kind and skips others.
fn event(client: &mut Client, kind: &str) -> Value {
    loop {
        let (first, payload) = client.read_frame();
        assert_eq!(first, TEXT, "an event is a text message");
        let event: Value = serde_json::from_slice(&payload).expect("JSON");
        if event["type"] == kind {
            return event;
        }
    }
}

/// Returns the next event that is a message or a gap.
fn said(client: &mut Client) -> Value {
    loop {
        let (_, payload) = client.read_frame();
        let event: Value = serde_json::from_slice(&payload).expect("JSON");
        if event["type"] == "message" || event["type"] == "gap" {
            return event;
        }
    }
}

fn id(event: &Value) -> &str {
    event["id"].as_str().unwrap_or_else(|| panic!("no id: {event}"))
}

fn say(client: &mut Client, text: &str) {
    client.send(frame(TEXT, text.as_bytes()));
}

#[test]
fn message_reaches_members_of_all_servers_with_its_type() {
    let redis = Redis::start();
    let [one, other] = servers(&redis, &[]);
    let mut ann = Client::connect(one.address, "/chat/tea");
    let mut bob = Client::connect(other.address, "/chat/tea");
    let (mut carl, _) = listener(&other, "/chat/tea?name=Carl");
    let mut elsewhere = Client::connect(other.address, "/chat/coffee");
    say(&mut ann, "Grüße");
    for client in [&mut ann, &mut bob] {
        assert_eq!(client.read_frame(), (TEXT, "Grüße".as_bytes().to_vec()), "the sender too");
    }
    bob.send(frame(BINARY, &[0xff, 0]));
    for client in [&mut ann, &mut bob] {
        assert_eq!(client.read_frame(), (BINARY, vec![0xff, 0]));
    }
    let (first, second) = (event(&mut carl, "message"), event(&mut carl, "message"));
    assert_eq!((&first["from"], &first["text"]), (&json!("guest-1"), &json!("Grüße")));
    assert_eq!(
        (&second["from"], &second["bytes"]),
        (&json!("guest-1"), &json!(2)),
        "guests are counted by each server"
    );
    assert!(id(&first).ends_with("-1") && id(&second).ends_with("-2"), "{first} {second}");
    say(&mut elsewhere, "mine");
    assert_eq!(elsewhere.read_frame(), (TEXT, b"mine".to_vec()), "a room of its own");
}

#[test]
fn members_of_all_servers_see_one_order() {
    const EACH: usize = 200;
    let redis = Redis::start();
    let servers: [Program; 2] = servers(&redis, &[]);
    let clients: Vec<Client> = (0..6).map(|i| listener(&servers[i % 2], &format!("/chat?name={i}")).0).collect();
    let speak = |(i, mut client): (usize, Client)| {
        thread::spawn(move || {
            (0..EACH).for_each(|number| say(&mut client, &format!("{i} {number}")));
            let text = |event: Value| event["text"].as_str().unwrap().to_owned();
            (0..6 * EACH).map(|_| text(event(&mut client, "message"))).collect()
        })
    };
    let threads: Vec<_> = clients.into_iter().enumerate().map(speak).collect();
    let seen: Vec<Vec<String>> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert!(seen.iter().all(|order| *order == seen[0]), "one order for all");
    for i in 0..6 {
        let of_one: Vec<&String> = seen[0].iter().filter(|text| text.starts_with(&format!("{i} "))).collect();
        assert!(
            of_one.into_iter().eq(&(0..EACH).map(|number| format!("{i} {number}")).collect::<Vec<_>>()),
            "each in its order"
        );
    }
}

#[test]
fn entry_that_breaks_the_rules_reaches_nobody() {
    let redis = Redis::start();
    let [program] = servers(&redis, &[]);
    let mut ann = Client::connect(program.address, "/chat");
    let mut stranger = redis.connect();
    let mut add = |fields: &[&[u8]]| -> String {
        ::redis::cmd("XADD").arg("plainsocket:/chat").arg("*").arg(fields).query(&mut stranger).unwrap()
    };
    add(&[b"k", b"t", b"n", b"Eve", b"d", b"\xff"]);
    add(&[b"k", b"t", b"n", b"Eve\n", b"d", b"hi"]);
    add(&[b"k", b"t", b"n", b"Eve", b"d", &vec![b'x'; 300_000]]);
    add(&[b"\xff", b"\xfe"]);
    say(&mut ann, "good");
    loop {
        let (first, payload) = ann.read_frame();
        if payload.starts_with(b"[plainsocket: ") {
            continue; // these notices have numbers that differ from those of our messages
        }
        assert_eq!((first, &*payload), (TEXT, &b"good"[..]));
        break;
    }
}

#[test]
fn large_message_is_closed_with_1009_and_long_path_gets_414() {
    let redis = Redis::start();
    let [program] = servers(&redis, &[]);
    let mut ann = Client::connect(program.address, "/chat");
    ann.send(frame(BINARY, &vec![7; 256 * 1024]));
    assert_eq!(ann.read_frame(), (BINARY, vec![7; 256 * 1024]));
    ann.send(frame(BINARY, &vec![7; 256 * 1024 + 1]));
    let (first, payload) = ann.read_frame();
    assert_eq!((first, &payload[..2]), (CLOSE, &1009_u16.to_be_bytes()[..]));
    let path = format!("/chat/{}", "x".repeat(250));
    assert_eq!(answer(&program, &path).0, 101);
    assert_eq!(answer(&program, &format!("{path}x")).0, 414);
}

#[test]
fn room_over_the_bound_gets_503_until_another_room_ends() {
    let redis = Redis::start();
    let [program] = servers(&redis, &[]);
    let mut clients: Vec<Client> = (0..999).map(|i| Client::connect(program.address, &format!("/chat/{i}"))).collect();
    // The room of `wait_for_bus` can take a moment to close.
    let mut last = Client::tcp(program.address);
    wait_for("the last place", || {
        last = Client::tcp(program.address);
        last.send(request("/chat/last"));
        status(&last.read_head()) == 101
    });
    assert_eq!(answer(&program, "/chat/more").0, 503);
    assert_eq!(answer(&program, "/chat/7").0, 101, "a room that is there");
    clients[7].send(close_frame(1000, ""));
    clients[7].expect_close(Some(1000));
    wait_for("a place", || answer(&program, "/chat/more").0 == 101);
}

#[test]
fn stream_is_trimmed_and_expires() {
    let redis = Redis::start();
    let [program] = servers(&redis, &["--bus-keep", "100"]);
    let mut ann = Client::connect(program.address, "/chat");
    (0..1000).for_each(|number| say(&mut ann, &number.to_string()));
    (0..1000).for_each(|number| assert_eq!(ann.read_frame(), (TEXT, number.to_string().into_bytes())));
    // The room of `wait_for_bus` has no stream, because no message was sent there.
    let mut connection = redis.connect();
    let length: usize = ::redis::cmd("XLEN").arg("plainsocket:/chat").query(&mut connection).unwrap();
    assert!((100..300).contains(&length), "{length}");
    let seconds: i64 = ::redis::cmd("TTL").arg("plainsocket:/chat").query(&mut connection).unwrap();
    assert!((86_000..=86_400).contains(&seconds), "{seconds}");
    let keys: Vec<String> = ::redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
    assert_eq!(keys, ["plainsocket:/chat"], "nothing else is left behind");
}

#[test]
fn password_comes_from_the_environment_only() {
    let redis = Redis::start_with(Some("secret"));
    let mut command = plainsocket(&["--listen", "127.0.0.1:0", "--bus", &redis.url()]);
    command.env("PLAINSOCKET_BUS_PASSWORD", "secret").stderr(std::process::Stdio::null());
    wait_for_bus(&Program::spawn_with_log(command));
    let url = redis.url().replace("//", "//:secret@");
    let output = plainsocket(&["--bus", &url]).output().unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && words.contains("PLAINSOCKET_BUS_PASSWORD"), "{words}");
    assert!(!words.contains("secret"), "{words}");
}
