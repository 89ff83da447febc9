//! `/chat` of the program: joining and leaving, names and rooms. A client with the subprotocol `plainsocket.json` gets
//! all of that as events; a client without it gets only the messages.

use crate::support::program::Program;
use crate::support::{BINARY, CLOSE, Client, TEXT, close_frame, frame, header, request, status, wait_for};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::thread;

/// A client that wants events, and has read none of them yet.
fn listener(program: &Program, path: &str) -> Client {
    let mut client = Client::tcp(program.address);
    client.send(request(path).replace("Host", "Sec-WebSocket-Protocol: plainsocket.json\r\nHost"));
    let head = client.read_head();
    assert_eq!((status(&head), header(&head, "Sec-WebSocket-Protocol")), (101, Some("plainsocket.json")));
    client
}

fn event(client: &mut Client) -> Value {
    let (first, payload) = client.read_frame();
    assert_eq!(first, TEXT, "an event is a text message");
    serde_json::from_slice(&payload).expect("JSON")
}

/// A client that has read its welcome, and the event that it joined.
fn member(program: &Program, path: &str) -> (Client, Value) {
    let mut client = listener(program, path);
    let welcome = event(&mut client);
    let joined = event(&mut client);
    assert_eq!((&joined["type"], &joined["name"]), (&json!("joined"), &welcome["name"]));
    (client, welcome)
}

fn joined(name: &str, members: usize) -> Value {
    json!({"type": "joined", "name": name, "members": members})
}

fn left(name: &str, members: usize) -> Value {
    json!({"type": "left", "name": name, "members": members})
}

#[test]
fn welcome_names_the_client_its_room_and_the_others() {
    let program = Program::start(&[]);
    let (mut ann, welcome) = member(&program, "/chat?name=Ann");
    assert_eq!(welcome, json!({"type": "welcome", "name": "Ann", "room": "/chat", "members": []}));
    let (_bob, welcome) = member(&program, "/chat?other=1&name=+Bob+M%C3%BCller%22%E2%80%A8%20");
    let bob = "Bob Müller\"";
    assert_eq!(welcome, json!({"type": "welcome", "name": bob, "room": "/chat", "members": ["Ann"]}));
    assert_eq!(event(&mut ann), joined(bob, 2));
}

#[test]
fn taken_names_get_numbers_and_nameless_clients_are_guests() {
    let program = Program::start(&[]);
    let name = |(client, welcome): (Client, Value)| (client, welcome["name"].as_str().unwrap().to_owned());
    let clients = ["?name=Ann", "?name=Ann", "?name=ann", "?name=Ann", "", "?name=", "?name=%20", "?nam=Ann"]
        .map(|query| name(member(&program, &format!("/chat{query}"))));
    let names: Vec<&str> = clients.iter().map(|(_, name)| &**name).collect();
    assert_eq!(names, ["Ann", "Ann-2", "ann", "Ann-3", "guest-1", "guest-2", "guest-3", "guest-4"]);
}

#[test]
fn name_with_controls_or_over_32_characters_gets_400() {
    let program = Program::start(&[]);
    let reply = |name: &str| {
        let mut client = Client::tcp(program.address);
        client.send(request(&format!("/chat/room?name={name}")));
        let head = client.read_head();
        (status(&head), if status(&head) == 101 { Vec::new() } else { client.read_to_end() })
    };
    let longest = "%C3%BC".repeat(32);
    assert_eq!(reply(&longest).0, 101);
    for (name, rule) in [
        (&*format!("{longest}x"), "a name has at most 32 characters"),
        ("Ann%0D%0AX:%20y", "a name has no control characters"),
        ("%00", "a name has no control characters"),
        ("%1B[31m", "a name has no control characters"),
        ("%C2%9B", "a name has no control characters"),
    ] {
        let (status, body) = reply(name);
        let body = String::from_utf8(body).unwrap();
        assert!(status == 400 && body.contains(rule), "{name}: {status} {body}");
    }
}

#[test]
fn leaving_is_announced_and_frees_the_name_however_it_ends() {
    let program = Program::start(&[]);
    let (mut ann, _) = member(&program, "/chat?name=Ann");
    type End = fn(Client);
    let ends: [(&str, End); 3] = [
        ("Close", |mut client| {
            client.send(close_frame(1000, ""));
            client.expect_close(Some(1000));
        }),
        ("reset", |client| {
            socket2::SockRef::from(&client.stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
        }),
        ("unmasked", |mut client| {
            client.send(b"\x81\x05Hello");
            assert_eq!(client.read_frame().0, CLOSE);
        }),
    ];
    for (name, end) in ends {
        // Members without events are announced to the others too.
        for wants_events in [true, false] {
            let path = format!("/chat?name={name}");
            let client = match wants_events {
                true => member(&program, &path).0,
                false => Client::connect(program.address, &path),
            };
            assert_eq!(event(&mut ann), joined(name, 2));
            end(client);
            assert_eq!(event(&mut ann), left(name, 1));
            wait_for_name(&program, &mut ann, name);
        }
    }
}

/// Waits until a name is free, which is shortly after the others have heard that its owner has left.
fn wait_for_name(program: &Program, witness: &mut Client, wanted: &str) {
    wait_for("the name", || {
        let (mut probe, welcome) = member(program, &format!("/chat?name={wanted}"));
        let name = welcome["name"].as_str().unwrap();
        assert_eq!(event(witness), joined(name, 2));
        probe.send(close_frame(1000, ""));
        probe.expect_close(Some(1000));
        assert_eq!(event(witness), left(name, 1));
        name == wanted
    });
}

/// Returns the names that a member knows when it reads the message "the end". A member that was there from the
/// beginning must have heard each name exactly once.
fn known_at_the_end(client: &mut Client, welcome: &Value, heard_all: bool) -> BTreeSet<String> {
    let name_of = |value: &Value| value.as_str().unwrap().to_owned();
    let mut names: BTreeSet<String> = welcome["members"].as_array().unwrap().iter().map(name_of).collect();
    loop {
        let event = event(client);
        let is_news = match event["type"].as_str().unwrap() {
            "joined" => names.insert(name_of(&event["name"])),
            "left" => names.remove(&name_of(&event["name"])),
            _ if event["text"] == "the end" => return names,
            _ => unreachable!(),
        };
        assert!(is_news || !heard_all, "{event}");
    }
}

#[test]
fn members_agree_on_the_list_after_many_joins_and_leaves() {
    const ROUNDS: usize = 50;
    let program = Program::start(&[]);
    let welcomed = |number: usize| {
        let mut client = listener(&program, &format!("/chat?name=witness-{number}"));
        // Other members' events can arrive before the welcome.
        let welcome = std::iter::repeat_with(|| event(&mut client)).find(|event| event["type"] == "welcome");
        (client, welcome.unwrap())
    };
    let mut witnesses = vec![welcomed(0)];
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                // All four want the same name in each round, and no later round uses that name, so no error is undone
                // by a later event.
                for round in 0..ROUNDS {
                    let mut client = listener(&program, &format!("/chat?name=Bob-{round}"));
                    client.send(close_frame(1000, ""));
                    // Once the connection ends, the others have been notified.
                    client.read_to_end();
                }
            });
        }
        witnesses.extend((1..ROUNDS).map(welcomed));
    });
    witnesses[0].0.send(frame(TEXT, b"the end"));
    let expected: BTreeSet<String> = (0..ROUNDS).map(|number| format!("witness-{number}")).collect();
    for (number, (client, welcome)) in witnesses.iter_mut().enumerate() {
        assert_eq!(known_at_the_end(client, welcome, number == 0), expected, "witness {number}");
    }
}

#[test]
fn mixed_room_gives_each_client_what_it_asked_for() {
    let program = Program::start(&[]);
    let mut raw = Client::connect(program.address, "/chat?name=Raw");
    // No member wants events, so the client gets its messages back unchanged.
    raw.send([frame(TEXT, b"one"), frame(BINARY, b"\x00two")].concat());
    assert_eq!([raw.read_frame(), raw.read_frame()], [(TEXT, b"one".to_vec()), (BINARY, b"\x00two".to_vec())]);

    let (mut ann, welcome) = member(&program, "/chat?name=Ann");
    assert_eq!(welcome["members"], json!(["Raw"]));
    let text = "h\"i\\\n\u{1}\u{2028}<b>👋";
    raw.send([frame(TEXT, text.as_bytes()), frame(BINARY, b"12345")].concat());
    assert_eq!(event(&mut ann), json!({"type": "message", "from": "Raw", "text": text}));
    assert_eq!(event(&mut ann), json!({"type": "message", "from": "Raw", "bytes": 5}));
    // The raw client has received neither a welcome nor any event. It reads before Ann answers, because messages of
    // different members have no common order.
    for (first, payload) in [(TEXT, text.as_bytes()), (BINARY, b"12345")] {
        assert_eq!(raw.read_frame(), (first, payload.to_vec()));
    }
    ann.send([frame(TEXT, b"to all"), frame(TEXT, b""), frame(BINARY, b"")].concat());
    for expected in [json!({"text": "to all"}), json!({"text": ""}), json!({"bytes": 0})] {
        let mut whole = json!({"type": "message", "from": "Ann"});
        whole.as_object_mut().unwrap().extend(expected.as_object().unwrap().clone());
        assert_eq!(event(&mut ann), whole);
    }
    for (first, payload) in [(TEXT, &b"to all"[..]), (TEXT, b""), (BINARY, b"")] {
        assert_eq!(raw.read_frame(), (first, payload.to_vec()));
    }
    ann.send(close_frame(1000, ""));
    ann.expect_close(Some(1000));
    raw.send(frame(TEXT, b"alone"));
    assert_eq!(raw.read_frame(), (TEXT, b"alone".to_vec()), "it has not seen that Ann has left");
}

#[test]
fn rooms_are_separate() {
    let program = Program::start(&[]);
    let paths = ["/chat", "/chat/a", "/chat/b", "/chat/a/b", "/chat/a%2Fb", "/chat/A"];
    let mut clients = paths.map(|path| {
        let (client, welcome) = member(&program, &format!("{path}?name=Ann"));
        assert_eq!(
            (&welcome["name"], &welcome["room"], &welcome["members"]),
            (&json!("Ann"), &json!(path), &json!([]))
        );
        client
    });
    for (path, client) in paths.iter().zip(&mut clients) {
        client.send(frame(TEXT, path.as_bytes()));
    }
    for (path, client) in paths.iter().zip(&mut clients) {
        assert_eq!(event(client), json!({"type": "message", "from": "Ann", "text": path}));
        client.send(close_frame(1000, ""));
        client.expect_close(Some(1000));
    }
    // The query is no part of the room's name. An empty room forgets its members.
    let (_first, welcome) = member(&program, "/chat/a?x=1");
    assert_eq!(welcome["name"], "guest-1");
    let (_second, welcome) = member(&program, "/chat/a?x=2");
    assert_eq!(welcome["members"], json!(["guest-1"]));
    for path in ["/chat/", "/chats", "/chatter/a"] {
        let mut client = Client::tcp(program.address);
        client.send(request(path));
        assert_eq!(status(&client.read_head()), 404, "{path}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn long_name_of_a_room_is_kept_few_times() {
    const CLIENTS: usize = 150;
    let program = Program::start(&[]);
    // The memory in KiB that each client takes in a room with such a name.
    let cost = |name: &str| {
        let before = program.status("VmRSS");
        let connect = |number| {
            let mut client = Client::connect(program.address, &format!("/chat/{number}{name}"));
            client.send(frame(TEXT, b"here"));
            assert_eq!(client.read_frame(), (TEXT, b"here".to_vec()));
            client
        };
        let clients: Vec<Client> = (0..CLIENTS).map(connect).collect();
        ((program.status("VmRSS") - before) / CLIENTS, clients)
    };
    let (short, _clients) = cost("");
    let (long, _more_clients) = cost(&"x".repeat(7900));
    assert!(long < short + 36, "{long} KiB with a long name, {short} KiB with a short one");
}
