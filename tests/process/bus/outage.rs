//! The bus is absent, is suspended, or has restarted.

use super::{Redis, answer, event, id, listener, said, say, servers, wait_for_bus};
use crate::support::program::Program;
use crate::support::{CLOSE, Client, TEXT, header};
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn chat_without_the_bus_gets_503_until_the_bus_is_there() {
    let mut redis = Redis::absent();
    let program = Program::start(&["--bus", &redis.url()]);
    let (status, head) = answer(&program, "/chat");
    assert_eq!((status, header(&head, "Retry-After")), (503, Some("5")));
    assert_eq!(answer(&program, "/echo").0, 101, "everything else is there");
    redis.run();
    wait_for_bus(&program);
}

#[test]
fn frozen_bus_stops_nobody_and_no_message_is_ignored() {
    let redis = Redis::start();
    let [one, other] = servers(&redis, &[]);
    let (mut ann, _) = listener(&one, "/chat?name=Ann");
    let (mut bob, _) = listener(&other, "/chat?name=Bob");
    let mut plain = Client::connect(one.address, "/chat");
    say(&mut ann, "before");
    assert_eq!(event(&mut bob, "message")["text"], json!("before"));
    assert_eq!(plain.read_frame(), (TEXT, b"before".to_vec()));
    redis.signal("STOP");
    let begun = Instant::now();
    say(&mut ann, "into the ice");
    let refused = event(&mut ann, "refused");
    assert_eq!(refused["number"], json!(2), "{refused}");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    for client in [&mut ann, &mut bob] {
        assert_eq!(event(client, "bus")["state"], json!("down"));
    }
    assert!(String::from_utf8(plain.read_frame().1).unwrap().starts_with("[plainsocket: the bus"));
    let begun = Instant::now();
    say(&mut ann, "to nobody");
    assert_eq!(event(&mut ann, "refused")["known"], json!(true));
    assert_eq!(answer(&one, "/chat").0, 503);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    say(&mut plain, "to nobody");
    assert!(String::from_utf8(plain.read_frame().1).unwrap().contains("your message number 1 was not passed on"));
    redis.signal("CONT");
    for client in [&mut ann, &mut bob] {
        assert_eq!(event(client, "bus")["state"], json!("up"));
    }
    say(&mut ann, "after");
    for client in [&mut ann, &mut bob] {
        assert_eq!(said(client)["text"], json!("after"), "what was refused is not obeyed later");
    }
}

#[test]
fn member_that_catches_up_from_a_frozen_bus_gets_1013() {
    let redis = Redis::start();
    let [program] = servers(&redis, &[]);
    // While the room has a member, the server knows the room and need not ask Redis before the 101.
    let (_ann, _) = listener(&program, "/chat?name=Ann");
    redis.signal("STOP");
    let begun = Instant::now();
    let mut bob = Client::connect(program.address, "/chat?after=0-0");
    let (first, payload) = loop {
        let (first, payload) = bob.read_frame();
        if first != TEXT {
            break (first, payload);
        }
        assert!(payload.starts_with(b"[plainsocket: the bus"), "a notice can come first");
    };
    assert_eq!((first, &payload[..2]), (CLOSE, &1013_u16.to_be_bytes()[..]));
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    redis.signal("CONT");
}

#[test]
fn messages_accepted_before_a_restart_are_delivered_after_it() {
    let mut redis = Redis::start();
    let [one, other] = servers(&redis, &[]);
    let (mut ann, _) = listener(&one, "/chat?name=Ann");
    let (mut bob, _) = listener(&other, "/chat?name=Bob");
    // Bob's server is stopped while Redis accepts these messages.
    other.signal("STOP");
    for text in ["1", "2", "3"] {
        say(&mut ann, text);
        event(&mut ann, "message");
    }
    redis.kill();
    assert_eq!(event(&mut ann, "bus")["state"], json!("down"));
    other.signal("CONT");
    redis.run();
    let heard = [(); 3].map(|()| said(&mut bob));
    assert_eq!(heard.clone().map(|event| event["text"].clone()), ["1", "2", "3"]);
    assert_eq!(event(&mut ann, "bus")["state"], json!("up"));
    wait_for_bus(&one);
    say(&mut ann, "4");
    let last = said(&mut bob);
    assert_eq!(last["text"], json!("4"));
    assert!(id(&heard[2]).ends_with("-3") && id(&last).ends_with("-4"), "{last}");
}

#[test]
fn bus_that_has_lost_everything_is_noticed() {
    let redis = Redis::start();
    let [program] = servers(&redis, &[]);
    let (mut ann, _) = listener(&program, "/chat?name=Ann");
    for text in ["1", "2"] {
        say(&mut ann, text);
        event(&mut ann, "message");
    }
    let _: () = ::redis::cmd("FLUSHALL").query(&mut redis.connect()).unwrap();
    say(&mut ann, "new");
    assert_eq!(said(&mut ann), json!({"type": "gap", "missing": null}));
    assert_eq!(said(&mut ann)["text"], json!("new"));
}

#[test]
fn lost_idle_connection_is_found_before_a_message_needs_it() {
    let redis = Redis::start();
    let [program] = servers(&redis, &[]);
    let (mut ann, _) = listener(&program, "/chat?name=Ann");
    let mut operator = redis.connect();
    let list: String = ::redis::cmd("CLIENT").arg("LIST").query(&mut operator).unwrap();
    // The publishing connection has so far only asked for the time.
    let idle = list.lines().find(|line| line.contains(" cmd=time ")).expect("the connection that publishes");
    let number = idle.split(' ').find_map(|field| field.strip_prefix("id=")).unwrap();
    let killed: i64 = ::redis::cmd("CLIENT").arg(&["KILL", "ID", number]).query(&mut operator).unwrap();
    assert_eq!(killed, 1);
    for state in ["down", "up"] {
        assert_eq!(event(&mut ann, "bus")["state"], json!(state));
    }
    say(&mut ann, "as if nothing had been");
    assert_eq!(said(&mut ann)["text"], json!("as if nothing had been"));
}
