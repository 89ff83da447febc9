//! The promises of the chapter Recipes, tested with the client in 60 lines.

use super::sixty_lines_client::client::Client;
use crate::support::{DEADLINE, TEXT, frame, header, request, wait_for};
use plainsocket::{Counters, Running};
use server::{Feed, TokenBucket};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The program itself: `cargo run --example recipes`.
#[allow(dead_code)] // its `main`
#[path = "../../docs/recipes.rs"]
mod server;

fn start() -> (Running, Arc<Mutex<Feed>>) {
    let feed = Arc::new(Mutex::new(Feed::default()));
    (server::start("127.0.0.1:0", Arc::clone(&feed)).unwrap(), feed)
}

fn connect(server: &Running, path: &str) -> io::Result<Client> {
    let client = Client::connect(&server.handle().address().to_string(), path)?;
    // This is shorter than the interval of the server's Pings, so a missing message fails the test.
    client.0.get_ref().set_read_timeout(Some(DEADLINE))?;
    Ok(client)
}

fn text(client: &mut Client) -> String {
    let (opcode, payload) = client.recv().unwrap();
    assert_eq!(opcode, 0x1, "{}", String::from_utf8_lossy(&payload));
    String::from_utf8(payload).unwrap()
}

/// Returns the code and reason of the Close, which must be next.
fn close(client: &mut Client) -> (u16, String) {
    let (opcode, payload) = client.recv().unwrap();
    assert_eq!(opcode, 0x8, "{}", String::from_utf8_lossy(&payload));
    (u16::from_be_bytes([payload[0], payload[1]]), String::from_utf8(payload[2..].to_vec()).unwrap())
}

#[test]
fn token_bucket_allows_a_burst_and_then_its_rate() {
    let start = Instant::now();
    let after = |milliseconds| start + Duration::from_millis(milliseconds);
    let mut bucket = TokenBucket::new(5.0, 20.0, start);
    let mut takes = |now| (0..100).take_while(|_| bucket.take(now)).count();
    assert_eq!(takes(after(0)), 20);
    assert_eq!(takes(after(100)), 0, "half a token");
    assert_eq!(takes(after(250)), 1, "the half was kept");
    assert_eq!(takes(after(1250)), 5);
    assert_eq!(takes(after(3_600_000)), 20, "never more than the burst");
}

#[test]
fn client_over_the_rate_limit_gets_1008() {
    let (server, _) = start();
    let mut client = connect(&server, "/limited").unwrap();
    // The bucket gains 5 messages each second, so sending 100 must take less than 16 seconds.
    for _ in 0..100 {
        client.send(0x1, b"x").unwrap();
    }
    let mut echoed = 0;
    let reason = loop {
        match client.recv().unwrap() {
            (0x8, payload) => break payload,
            _ => echoed += 1,
        }
    };
    assert!((20..100).contains(&echoed), "{echoed}");
    assert_eq!(reason, [&1008_u16.to_be_bytes()[..], b"more than 5 messages a second"].concat());
}

#[test]
fn feed_sends_missed_messages_and_then_new_ones() {
    let (server, feed) = start();
    feed.lock().unwrap().publish("a");
    feed.lock().unwrap().publish("b");
    let mut client = connect(&server, "/feed?after=1").unwrap();
    assert_eq!(text(&mut client), "2 b");
    feed.lock().unwrap().publish("c");
    assert_eq!(text(&mut client), "3 c");
    drop(client);
    feed.lock().unwrap().publish("d");
    let mut client = connect(&server, "/feed?after=3").unwrap();
    assert_eq!(text(&mut client), "4 d");
}

#[test]
fn feed_has_no_gap_while_messages_are_published() {
    let (server, feed) = start();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..900 {
                feed.lock().unwrap().publish("x");
            }
        });
        let mut client = connect(&server, "/feed?after=0").unwrap();
        for number in 1..=900 {
            assert_eq!(text(&mut client), format!("{number} x"));
        }
    });
}

#[test]
fn feed_says_4000_for_missing_messages_and_400_for_no_number() {
    let (server, feed) = start();
    (0..1001).for_each(|_| feed.lock().unwrap().publish("x"));
    // A client has seen number 1002 only if it was connected before the server restarted.
    for after in [0, 1002] {
        let mut client = connect(&server, &format!("/feed?after={after}")).unwrap();
        assert_eq!(close(&mut client), (4000, "messages are missing: load the page again".to_owned()));
    }
    assert_eq!(text(&mut connect(&server, "/feed?after=1").unwrap()), "2 x");
    assert_eq!(text(&mut connect(&server, "/feed").unwrap()), "2 x", "the oldest that is kept");
    let Err(error) = connect(&server, "/feed?after=x") else { panic!("connected") };
    assert!(error.to_string().starts_with("HTTP/1.1 400 "), "{error}");
}

#[test]
fn report_has_what_happened_since_the_last_one() {
    let (server, _) = start();
    let mut client = connect(&server, "/limited").unwrap();
    client.send(0x1, b"x").unwrap();
    client.recv().unwrap();
    assert!(connect(&server, "/gone").is_err());
    wait_for("the refusal", || server.handle().counters().refused.get(&404) == Some(&1));
    let now = server.handle().counters();
    let wanted = "1 clients, 1 messages in, 1 out, 1 refused, 0 evicted, 0 dropped, 0 bytes waiting";
    assert_eq!(server::report(&Counters::default(), &now), wanted);
    let wanted = "1 clients, 0 messages in, 0 out, 0 refused, 0 evicted, 0 dropped, 0 bytes waiting";
    assert_eq!(server::report(&now, &now), wanted);
}

#[test]
fn shout_answers_in_the_version_that_was_selected() {
    let (server, _) = start();
    for (offer, selected, answer) in [
        ("shout.v1, shout.v2", Some("shout.v2"), "HELLO!"),
        ("shout.v1", Some("shout.v1"), "HELLO"),
        ("shout.v3, shout.v1", Some("shout.v1"), "HELLO"),
        ("shout.v3", None, "HELLO"),
    ] {
        let mut client = crate::support::Client::tcp(server.handle().address());
        let offer = format!("\r\nSec-WebSocket-Protocol: {offer}\r\n\r\n");
        client.send(request("/shout").replace("\r\n\r\n", &offer));
        assert_eq!(header(&client.read_head(), "Sec-WebSocket-Protocol"), selected);
        client.send(frame(TEXT, b"Hello"));
        assert_eq!(client.read_frame(), (TEXT, answer.as_bytes().to_vec()));
    }
    let mut client = connect(&server, "/shout").unwrap();
    client.send(0x1, b"Hello").unwrap();
    assert_eq!(text(&mut client), "HELLO", "a client without versions");
}
