//! Replies and seats at the end: what shutdown still lets out, and when a client's seat is free again.

use super::{ClientsEnd, peer, request, seat, serve, service, wait_until};
use crate::config::Config;
use crate::error::HandshakeError;
use crate::protocol::response::Response;
use crate::server::accept::take_seat;
use crate::server::client;
use crate::server::service::Service;
use crate::server::socket::Socket;
use std::io::IoSlice;
use std::sync::Arc;
use std::thread;

const GET: &str = "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n";

fn idle_service() -> Service {
    service(Config::default(), |connection| connection.recv().map(drop))
}

/// Fails unless this is the whole reply, which has `Content-Length` and ends with the line of text that says what was
/// wrong.
fn expect_whole(reply: &[u8], status: &str) {
    let text = String::from_utf8_lossy(reply);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no whole head: {text:?}"));
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    assert!(head.contains(&format!("Content-Length: {}", body.len())) && body.ends_with('\n'), "{text}");
}

#[test]
fn shutdown_during_a_reply_lets_the_rest_of_it_out() {
    let service = idle_service();
    let client = ClientsEnd::new(Some(10), []);
    client.send(GET);
    thread::scope(|scope| {
        scope.spawn(|| serve(&service, &client, peer(1)));
        client.wait_for(10);
        service.registry.stop();
        client.end();
        wait_until(|| {
            client.take(10);
            client.is_closed()
        });
    });
    expect_whole(&client.wait_for_end(), "404");
}

#[test]
fn request_that_arrived_before_shutdown_is_still_answered() {
    for clients_turn in [false, true] {
        for (sent, status) in [(GET.to_owned(), "404"), ("nonsense\r\n\r\n".to_owned(), "400"), (request("/"), "503")] {
            let service = idle_service();
            let client = ClientsEnd::default();
            let seat = seat(&service, &client, peer(1));
            if clients_turn {
                seat.outbox.turn.give();
            }
            // In two portions, so that one read does not bring all of it.
            client.send(&sent.as_bytes()[..5]);
            client.send(&sent.as_bytes()[5..]);
            service.registry.stop();
            client.end();
            client::run(&service, &seat);
            expect_whole(&client.wait_for_end(), status);
        }
    }
}

#[test]
fn half_a_request_is_cut_off_at_shutdown() {
    for sent in ["", "GET / HTTP/1.1\r\nHo"] {
        let service = idle_service();
        let client = ClientsEnd::default();
        thread::scope(|scope| {
            scope.spawn(|| serve(&service, &client, peer(1)));
            if !sent.is_empty() {
                client.send(sent);
            }
            client.wait_for_wait();
            service.registry.stop();
            assert_eq!(client.wait_for_end(), b"");
            wait_until(|| client.is_closed());
        });
    }
}

#[test]
fn request_read_just_before_shutdown_can_be_answered() {
    let service = idle_service();
    let client = ClientsEnd::default();
    let seat = seat(&service, &client, peer(1));
    // The thread has read the whole request, but has not taken the turn back yet.
    seat.outbox.turn.give();
    service.registry.stop();
    assert_eq!(seat.outbox.socket.read_now(&mut [0]).ok(), Some(0));
    assert_eq!(seat.outbox.socket.write_some(&[IoSlice::new(b"reply")]).ok(), Some(5));
}

/// Fails unless a client that has seen our FIN finds a free seat, though it keeps its own side open.
fn expect_free_seat_after(config: Config, sent: &[u8], reply: &str) {
    let mut service = service(Config { max_clients_per_ip: Some(1), ..config }, |connection| {
        while connection.recv()?.is_some() {}
        Ok(())
    });
    service.pages.insert("/", Box::new(|| Response::page("<!doctype html>")));
    let (client, next) = (ClientsEnd::default(), ClientsEnd::default());
    client.send(sent);
    thread::scope(|scope| {
        scope.spawn(|| serve(&service, &client, peer(1)));
        let received = client.wait_for_end();
        let again = take_seat(&service, &Arc::new(Socket::new(next.servers_end())), peer(2)).map(drop);
        client.end();
        let received = received.escape_ascii().to_string();
        assert!(received.contains(reply), "{received}");
        assert_eq!(again, Ok(()), "after {received}");
    });
}

#[test]
fn client_that_has_seen_our_fin_finds_its_seat_free() {
    let broken = |frame: &[u8]| [request("/").as_bytes(), frame].concat();
    expect_free_seat_after(Config::default(), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200");
    expect_free_seat_after(Config::default(), b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200");
    expect_free_seat_after(Config::default(), GET.as_bytes(), "HTTP/1.1 404");
    expect_free_seat_after(Config::default(), b"nonsense\r\n\r\n", "HTTP/1.1 400");
    expect_free_seat_after(Config { max_memory: 1, ..Config::default() }, GET.as_bytes(), "HTTP/1.1 503");
    // A reserved opcode, a code that must not be sent, bad UTF-8, a message over the limit.
    expect_free_seat_after(Config::default(), &broken(b"\x83\x80\0\0\0\0"), r"\x88\x1d\x03\xea");
    expect_free_seat_after(Config::default(), &broken(b"\x88\x82\0\0\0\0\x03\xed"), r"\x03\xea");
    expect_free_seat_after(Config::default(), &broken(b"\x81\x81\0\0\0\0\xff"), r"\x03\xef");
    let small = Config { max_message_size: 1, ..Config::default() };
    expect_free_seat_after(small, &broken(b"\x82\x82\0\0\0\0ab"), r"\x03\xf1");
}

#[test]
fn client_that_does_not_answer_1011_loses_its_seat_with_our_fin() {
    let config = Config { max_clients_per_ip: Some(1), ..Config::default() };
    let service = service(config, |_| Err(crate::Error::handler("on purpose")));
    let (client, next) = (ClientsEnd::default(), ClientsEnd::default());
    // A rule broken instead of an answer.
    client.send([request("/").as_bytes(), b"\x83\x80\0\0\0\0"].concat());
    thread::scope(|scope| {
        scope.spawn(|| serve(&service, &client, peer(1)));
        let received = client.wait_for_end().escape_ascii().to_string();
        let again = take_seat(&service, &Arc::new(Socket::new(next.servers_end())), peer(2)).map(drop);
        client.end();
        assert!(received.contains(r"\x03\xf3"), "{received}");
        assert_eq!(again, Ok::<(), HandshakeError>(()));
    });
}
