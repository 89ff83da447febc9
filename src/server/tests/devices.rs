//! The reads and writes that the devices of `speed/fast` save. Without the feature `speed` there are none.

use super::transfers::{frame, in_vain, quiet, start, transfers};
use super::{ClientsEnd, echo, request, wait_until};
use crate::error::Error;
use crate::server::speed::POLLS;
use crate::server::{Connection, Received};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn batch_beyond_the_small_buffer_is_answered_with_one_write() {
    let (client, serving) = quiet();
    client.send((0..16).flat_map(|_| frame(64)).collect::<Vec<u8>>());
    client.end();
    serving.join().unwrap();
    assert_eq!(client.transfers()[2..], [("read", 1024), ("read", 16 * 70 - 1024), ("write", 16 * 66)]);
}

#[test]
fn batch_that_fills_the_small_buffer_is_whole() {
    let (client, serving) = quiet();
    let handshake = client.wait_for(1).len();
    client.send(frame(1024 - 8));
    assert_eq!(client.wait_for(handshake + 1020).len(), handshake + 1020);
    // That there was nothing more to read is no end.
    client.send(frame(1));
    client.wait_for(handshake + 1020 + 3);
    client.end();
    serving.join().unwrap();
    assert!(client.transfers().contains(&("read", 1024)));
}

#[test]
fn large_payload_is_read_straight_into_its_message() {
    let reads = transfers(echo, &[frame(1 << 20)]).into_iter().filter(|(name, _)| *name == "read");
    let longest = reads.map(|(_, length)| length).max().unwrap();
    assert_eq!(longest, 256 * 1024, "four times what goes through the inbox at once");
}

/// An echo that waits in short steps.
fn echo_in_steps(connection: &mut Connection) -> Result<(), Error> {
    loop {
        match connection.recv_timeout(Duration::from_millis(1))? {
            Received::Message(message) => connection.send(message)?,
            Received::Nothing => {}
            Received::Closed => return Ok(()),
        }
    }
}

#[test]
fn large_payload_is_read_straight_into_its_message_in_steps_too() {
    let reads = transfers(echo_in_steps, &[frame(1 << 20)]).into_iter().filter(|(name, _)| *name == "read");
    assert_eq!(reads.map(|(_, length)| length).max(), Some(256 * 1024));
}

#[test]
fn wait_in_vain_with_a_limit_leaves_no_buffer_borrowed() {
    let client = ClientsEnd::default();
    client.send(request("/"));
    let serving = start(&client, echo_in_steps);
    client.send(frame(1));
    wait_until(|| client.transfers().contains(&("write", 3)));
    let before = in_vain(&client, "read");
    wait_until(|| in_vain(&client, "read") > before + 4);
    client.send((0..16).flat_map(|_| frame(64)).collect::<Vec<u8>>());
    client.end();
    serving.join().unwrap();
    let reads: Vec<_> = client.transfers().into_iter().filter(|call| call.0 == "read" && call.1 > 50).collect();
    assert_eq!(reads[1..], [("read", 1024), ("read", 16 * 70 - 1024)], "the small buffer, and then a large one");
}

/// Sends messages until the thread has looked for one more, in vain. One will do, unless this machine is so slow that
/// the thread has slept for 50 ms. How many it took.
fn make_busy(client: &ClientsEnd) -> usize {
    let looks = |messages: &usize| {
        client.send(frame(1));
        wait_until(|| client.transfers().iter().filter(|call| **call == ("write", 3)).count() == *messages);
        let looked = Instant::now() + Duration::from_millis(200);
        while in_vain(client, "read") == 0 && Instant::now() < looked {
            thread::yield_now();
        }
        in_vain(client, "read") > 0
    };
    (1..100).find(looks).expect("a thread that looks")
}

#[test]
fn busy_client_is_polled_a_few_times_before_its_thread_blocks() {
    let client = ClientsEnd::default();
    client.send(request("/"));
    let serving = start(&client, echo);
    let messages = make_busy(&client);
    wait_until(|| in_vain(&client, "read") >= POLLS);
    // Asleep, it does not look again.
    thread::sleep(Duration::from_millis(20));
    assert_eq!(in_vain(&client, "read"), POLLS, "after {messages} messages");
    client.end();
    serving.join().unwrap();
}

#[test]
fn reply_to_a_full_socket_is_not_retried_in_a_loop() {
    let client = ClientsEnd::new(Some(1000), []);
    client.send(request("/"));
    let serving = start(&client, echo);
    let messages = make_busy(&client);
    let before = client.wait_for(0).len();
    client.send(frame(2000));
    client.wait_for(1000);
    // Time in which a thread that does not sleep would try a thousand times.
    thread::sleep(Duration::from_millis(50));
    let tries = in_vain(&client, "write");
    assert!(tries <= 20, "{tries} writes in vain after {messages} messages");
    for written in [2000, before + 2004] {
        client.take(1000);
        client.wait_for(written);
    }
    client.end();
    serving.join().unwrap();
}
