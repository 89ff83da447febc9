//! `?after=ID`: a client first gets the messages that it missed, and then the new ones.

use super::{Redis, answer, event, id, listener, said, say, servers};
use crate::support::{BINARY, Client, TEXT, close_frame, frame};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

fn number(event: &Value) -> u64 {
    id(event).split_once('-').unwrap().1.parse().unwrap()
}

#[test]
fn returning_client_gets_missed_messages_then_new_ones() {
    let redis = Redis::start();
    let [one, other] = servers(&redis, &[]);
    let (mut ann, welcome) = listener(&one, "/chat/tea?name=Ann");
    assert_eq!(id(&welcome), "0-0", "nothing was said yet");
    for text in ["1", "2", "3"] {
        say(&mut ann, text);
    }
    let heard = [(); 3].map(|()| event(&mut ann, "message"));
    let (mut bob, welcome) = listener(&other, "/chat/tea?name=Bob");
    assert_eq!(id(&welcome), id(&heard[2]), "the position of a client that has missed nothing");
    ann.send(close_frame(1000, ""));
    ann.expect_close(Some(1000));
    for text in ["4", "5"] {
        say(&mut bob, text);
        event(&mut bob, "message");
    }
    // The client reconnects to the other server.
    let (mut ann, welcome) = listener(&other, &format!("/chat/tea?name=Ann&after={}", id(&heard[1])));
    assert_eq!(id(&welcome), id(&heard[1]));
    say(&mut bob, "6");
    for text in ["3", "4", "5", "6"] {
        assert_eq!(said(&mut ann)["text"], json!(text));
    }
    // A client without events gets the same messages, in the form in which they were sent.
    let mut plain = Client::connect(one.address, &format!("/chat/tea?after={}", id(&heard[1])));
    for text in ["3", "4", "5", "6"] {
        assert_eq!(plain.read_frame(), (TEXT, text.into()));
    }
}

#[test]
fn replay_and_live_messages_have_no_gap_and_no_repeat() {
    let redis = Redis::start();
    let [one, other] = servers(&redis, &[]);
    let (mut speaker, _) = listener(&one, "/chat");
    let ends = AtomicBool::new(false);
    thread::scope(|scope| {
        let speaks = scope.spawn(|| {
            let mut count = 0;
            while !ends.load(Relaxed) {
                // So some messages are on their way at any time.
                (0..20).for_each(|_| say(&mut speaker, &"x".repeat(count % 700)));
                (0..20).for_each(|_| {
                    assert_eq!(number(&event(&mut speaker, "message")) as usize, {
                        count += 1;
                        count
                    })
                });
            }
            count as u64
        });
        let mut after = 0;
        for round in 0..40 {
            let program = if round % 2 == 0 { &one } else { &other };
            // `0-0` is the position before the first message.
            let (mut client, _) = listener(program, "/chat?after=0-0");
            let until = after + 50;
            for expected in 1..=until {
                let event = said(&mut client);
                assert_eq!((&event["type"], number(&event)), (&json!("message"), expected), "round {round}");
            }
            after = until;
        }
        ends.store(true, Relaxed);
        let count = speaks.join().unwrap();
        assert!(count > after, "{count} messages, so that some were live");
    });
}

#[test]
fn more_messages_during_a_replay_than_fit_are_not_lost() {
    let redis = Redis::start();
    let [program] = servers(&redis, &[]);
    let (mut speaker, _) = listener(&program, "/chat");
    let mut speak = |count| {
        for _ in 0..count {
            speaker.send(frame(BINARY, &[7; 256 * 1024]));
            event(&mut speaker, "message");
        }
    };
    speak(60);
    // The slow client does not read. So its thread waits in the middle of the 15 MiB while others send more than 1 MiB.
    let mut slow = Client::connect(program.address, "/chat?after=0-0");
    speak(8);
    speaker.send(frame(TEXT, b"the last"));
    for _ in 0..68 {
        assert_eq!(slow.read_frame().0, BINARY);
    }
    assert_eq!(slow.read_frame(), (TEXT, b"the last".to_vec()));
}

#[test]
fn client_gets_the_number_of_messages_no_longer_kept() {
    const ALL: u64 = 1000;
    let redis = Redis::start();
    let [program] = servers(&redis, &["--bus-keep", "50"]);
    let (mut ann, _) = listener(&program, "/chat?name=Ann");
    let mut ids = Vec::new();
    for i in 0..ALL {
        say(&mut ann, &i.to_string());
        ids.push(id(&event(&mut ann, "message")).to_owned());
    }
    let (mut bob, _) = listener(&program, &format!("/chat?after={}", ids[4]));
    let gap = said(&mut bob);
    let first = said(&mut bob);
    assert_eq!(gap["type"], "gap");
    // Bob has seen five messages before, and now gets those that are still kept.
    assert_eq!(gap["missing"].as_u64().unwrap() + 5, number(&first) - 1);
    let rest = (number(&first) + 1..=ALL).map(|expected| assert_eq!(number(&said(&mut bob)), expected)).count();
    assert!((49..250).contains(&rest), "{rest}");
    let mut plain = Client::connect(program.address, "/chat?after=0-0");
    let words = format!("[plainsocket: {} messages before the next one are no longer kept]", number(&first) - 1);
    assert_eq!(plain.read_frame(), (TEXT, words.into_bytes()));
}

#[test]
fn position_that_the_stream_does_not_have_is_answered() {
    let redis = Redis::start();
    let [program] = servers(&redis, &[]);
    for wrong in ["x", "1-", "-1", "1-2-3", "%241", "1-2%00", "$"] {
        assert_eq!(answer(&program, &format!("/chat?after={wrong}")).0, 400, "{wrong}");
    }
    let (mut ann, _) = listener(&program, "/chat?after=99999999999999-5");
    assert_eq!(said(&mut ann), json!({"type": "gap", "missing": null}));
    say(&mut ann, "new");
    assert_eq!(said(&mut ann)["text"], json!("new"), "it is no deaf member");
}
