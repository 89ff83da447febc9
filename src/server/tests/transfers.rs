//! How many reads and writes a conversation takes, and of how many bytes: each costs a system call, and most of what a
//! small message costs is that.

use super::{ClientsEnd, echo, peer, request, serve, service, wait_until};
use crate::config::Config;
use crate::error::Error;
use crate::protocol::frame::{Header, Opcode};
use crate::server::Connection;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A binary frame with a masking key of zeros.
pub(super) fn frame(length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    Header { fin: true, rsv1: false, opcode: Opcode::Binary, masked: true, length: length as u64 }.encode(&mut bytes);
    bytes.extend(vec![0; 4 + length]);
    bytes
}

/// In a thread of its own.
pub(super) fn start(client: &ClientsEnd, handler: fn(&mut Connection) -> Result<(), Error>) -> JoinHandle<()> {
    let client = client.clone();
    thread::spawn(move || serve(&service(Config::default(), handler), &client, peer(1)))
}

/// The reads and writes after the handshake, for a client that has sent `pieces` and closed its side before its turn.
pub(super) fn transfers(
    handler: fn(&mut Connection) -> Result<(), Error>,
    pieces: &[Vec<u8>],
) -> Vec<(&'static str, usize)> {
    let client = ClientsEnd::default();
    client.send(request("/"));
    pieces.iter().for_each(|piece| client.send(piece.clone()));
    client.end();
    serve(&service(Config::default(), handler), &client, peer(1));
    client.transfers()[2..].to_vec()
}

#[test]
fn messages_that_come_together_are_answered_with_one_write() {
    let together: Vec<u8> = (0..16).flat_map(|_| frame(64)).collect();
    let expected = [("read", 16 * 70), ("write", 16 * 66)];
    assert_eq!(transfers(echo, std::slice::from_ref(&together)), expected);
    assert_eq!(transfers(echo, &[together.clone(), together]), expected.repeat(2));
}

/// A client that has just sent its handshake, and is quiet: its thread has slept for longer than 50 ms.
pub(super) fn quiet() -> (ClientsEnd, JoinHandle<()>) {
    let client = ClientsEnd::default();
    let serving = start(&client, echo);
    client.wait_for_wait();
    thread::sleep(Duration::from_millis(80));
    client.send(request("/"));
    (client, serving)
}

#[test]
fn message_and_close_before_eof_are_answered_at_any_length() {
    const CLOSE: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8];
    let lengths = (1000..1050).chain([200, 2048, 2049, 4096]);
    thread::scope(|scope| {
        for total in lengths {
            scope.spawn(move || {
                let (client, serving) = quiet();
                let handshake = client.wait_for(1).len();
                let length = total - CLOSE.len() - 8;
                client.send([frame(length), CLOSE.to_vec()].concat());
                client.end();
                serving.join().unwrap();
                let reply = client.wait_for_end().split_off(handshake);
                assert_eq!(reply.len(), 4 + length + 4, "{total} bytes and the end of the stream");
                assert!(reply.ends_with(&[0x88, 0x02, 0x03, 0xE8]), "{total}");
            });
        }
    });
}

#[test]
fn half_closed_client_gets_its_queued_replies() {
    static HAS_ENDED: AtomicBool = AtomicBool::new(false);
    fn echo_to_the_end(connection: &mut Connection) -> Result<(), Error> {
        let result = echo(connection);
        HAS_ENDED.store(true, Ordering::Relaxed);
        result
    }
    let client = ClientsEnd::new(Some(1000), []);
    client.send(request("/"));
    client.send(frame(5000));
    client.end();
    let serving = start(&client, echo_to_the_end);
    wait_until(|| HAS_ENDED.load(Ordering::Relaxed));
    assert_eq!(client.wait_for(1000).len(), 1000, "most of the reply has had no room so far");
    wait_until(|| {
        client.take(1000);
        client.is_closed()
    });
    serving.join().unwrap();
    assert!(client.wait_for_end().ends_with(&[0; 5000]));
}

#[test]
fn replies_are_gathered_up_to_64_kib() {
    fn three(connection: &mut Connection) -> Result<(), Error> {
        while let Some(message) = connection.recv()? {
            (0..3).try_for_each(|_| connection.send(message.clone()))?;
        }
        Ok(())
    }
    // To the byte: header and payload of the first two are 65,536.
    let told = transfers(three, &[[frame(32_764), frame(1)].concat()]);
    let (reads, writes): (Vec<_>, Vec<_>) = told.into_iter().partition(|(name, _)| *name == "read");
    assert_eq!(reads.iter().map(|(_, length)| length).sum::<usize>(), 32_772 + 9 - 2);
    assert_eq!(writes, [("write", 65_536), ("write", 32_768 + 3), ("write", 3), ("write", 3)]);
}

#[test]
fn replies_are_gathered_up_to_sixteen() {
    let together: Vec<u8> = (0..20).flat_map(|_| frame(64)).collect();
    let told = transfers(echo, &[together]);
    assert_eq!(told, [("read", 20 * 70), ("write", 16 * 66), ("write", 4 * 66)]);
}

#[test]
fn send_is_flushed_unless_a_whole_message_is_unread() {
    fn two(connection: &mut Connection) -> Result<(), Error> {
        while let Some(message) = connection.recv()? {
            (0..2).try_for_each(|_| connection.send(message.clone()))?;
        }
        Ok(())
    }
    let (message, ping) = (frame(10), [0x89, 0x80, 0, 0, 0, 0].to_vec());
    let fragment = [vec![0x02], frame(10)[1..].to_vec()].concat();
    let at_once = [("write", 12), ("write", 12)];
    assert_eq!(transfers(two, std::slice::from_ref(&message))[1..], at_once);
    for half in [&message[..1], &message[..15], &fragment, &ping[..5]] {
        let told = transfers(two, &[[&message, half].concat()]);
        assert_eq!(told[1..3], at_once, "{half:02x?}");
    }
    // The second message is whole, so the first's replies wait for it.
    let told = transfers(two, &[[message.clone(), message.clone()].concat()]);
    assert_eq!(told[1..], [("write", 36), ("write", 12)]);
    // The handler can take its time: the Pong does not wait for it.
    let told = transfers(two, &[[ping.clone(), message.clone()].concat()]);
    assert_eq!(told[1..], [("write", 2), ("write", 12), ("write", 12)]);
    let told = transfers(two, &[[message.clone(), ping].concat()]);
    assert_eq!(told[1..], [("write", 12), ("write", 12), ("write", 2)]);
}

#[test]
fn a_large_payload_is_written_without_a_copy() {
    fn broadcast(connection: &mut Connection) -> Result<(), Error> {
        while let Some(message) = connection.recv()? {
            connection.broadcast(message)?;
        }
        Ok(())
    }
    for handler in [echo, broadcast] {
        let writes = |length| {
            let told = transfers(handler, &[frame(length)]);
            told.into_iter().filter(|(name, _)| *name != "read").collect::<Vec<_>>()
        };
        assert_eq!(writes(65_535), [("write", 65_539)]);
        assert_eq!(writes(65_536), [("write_vectored", 65_546)]);
    }
}

pub(super) fn in_vain(client: &ClientsEnd, name: &str) -> usize {
    client.transfers().iter().filter(|call| **call == (name, 0)).count()
}

#[test]
fn reply_to_a_full_socket_is_not_tried_again_and_again() {
    let client = ClientsEnd::new(Some(1000), []);
    client.send(request("/"));
    let serving = start(&client, echo);
    let before = client.wait_for(1).len();
    client.send(frame(2000));
    client.wait_for(1000);
    // Time in which a thread that does not sleep would try a thousand times.
    thread::sleep(Duration::from_millis(50));
    let tries = in_vain(&client, "write");
    assert!(tries <= 20, "{tries} writes in vain");
    for written in [2000, before + 2004] {
        client.take(1000);
        client.wait_for(written);
    }
    client.end();
    serving.join().unwrap();
}
