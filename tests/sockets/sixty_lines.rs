//! The server in under 60 lines from the chapter Push, over real sockets: each of the five things that it does.

use crate::support::{CLOSE, Client, TEXT, close_frame, frame, header, request, status};
use plainsocket::Running;

/// The program itself: `cargo run --example sixty-lines`.
#[allow(dead_code)] // its `main`
#[path = "../../docs/sixty-lines.rs"]
mod server;

fn start() -> Running {
    server::start("127.0.0.1:0").unwrap()
}

/// Joins a room as `name`, and waits for the member's own "is here".
fn join(server: &Running, room: &str, name: &str) -> Client {
    let mut client = Client::tcp(server.handle().address());
    client.send(request(room).replace("\r\n\r\n", &format!("\r\nCookie: theme=dark; name={name}\r\n\r\n")));
    assert_eq!(status(&client.read_head()), 101);
    assert_eq!(text(&mut client), format!("{name} is here"));
    client
}

fn text(client: &mut Client) -> String {
    let (first, payload) = client.read_frame();
    assert_eq!(first, TEXT);
    String::from_utf8(payload).unwrap()
}

#[test]
fn sixty_lines_are_enough() {
    let lines = include_str!("../../docs/sixty-lines.rs").lines().count();
    assert!(lines < 60, "{lines} lines");
}

#[test]
fn sixty_lines_refuse_a_client_without_a_name_before_the_101() {
    let server = start();
    let mut client = Client::tcp(server.handle().address());
    client.send(request("/rooms/tea"));
    let head = client.read_head();
    assert_eq!((status(&head), header(&head, "WWW-Authenticate")), (401, Some("Cookie")), "{head}");
    assert!(String::from_utf8(client.read_to_end()).unwrap().contains("log in first"));
}

#[test]
fn sixty_lines_keep_rooms_apart_and_take_names_from_a_cookie() {
    let server = start();
    let mut ann = join(&server, "/rooms/tea", "Ann");
    let mut eve = join(&server, "/rooms/coffee", "Eve");
    let mut bob = join(&server, "/rooms/tea", "Bob");
    assert_eq!(text(&mut ann), "Bob is here");
    bob.send(frame(TEXT, b"hi"));
    assert_eq!([text(&mut ann), text(&mut bob)], ["Bob: hi", "Bob: hi"]);
    eve.send(frame(TEXT, b"anybody?"));
    assert_eq!(text(&mut eve), "Eve: anybody?", "nothing of the other room came before it");
}

#[test]
fn sixty_lines_say_who_has_left_after_a_close_and_without_one() {
    let server = start();
    let mut ann = join(&server, "/rooms/tea", "Ann");
    for name in ["Bob", "Carl"] {
        let mut other = join(&server, "/rooms/tea", name);
        assert_eq!(text(&mut ann), format!("{name} is here"));
        if name == "Bob" {
            other.send(close_frame(1000, ""));
        }
        drop(other);
        assert_eq!(text(&mut ann), format!("{name} has left"));
    }
}

#[test]
fn sixty_lines_say_who_has_left_when_its_handler_panics() {
    let server = start();
    let mut ann = join(&server, "/rooms/tea", "Ann");
    let mut bob = join(&server, "/rooms/tea", "Bob");
    assert_eq!(text(&mut ann), "Bob is here");
    bob.send(frame(TEXT, b"/crash"));
    assert_eq!(text(&mut ann), "Bob has left");
    // While the handler unwinds, its connection is still open, so its own client also receives this.
    assert_eq!(text(&mut bob), "Bob has left");
    let (first, payload) = bob.read_frame();
    assert_eq!((first, payload), (CLOSE, 1011_u16.to_be_bytes().to_vec()));
}

#[test]
fn sixty_lines_tick_while_the_clients_thread_waits() {
    let server = start();
    let mut client = Client::connect(server.handle().address(), "/clock");
    assert!(text(&mut client).ends_with(" s"));
}
