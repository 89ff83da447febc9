//! Which handler serves which path: a route that ends in `/*`, its rooms and subprotocols, pages, and texts

use crate::support::{Client, TEXT, chat, echo, frame, header, request, status, wait_for};
use plainsocket::{Connection, Error, Running, Server};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

fn start(build: impl FnOnce(Server) -> Server) -> (SocketAddr, Running) {
    let server = build(Server::bind("127.0.0.1:0").unwrap());
    (server.local_addr().unwrap(), server.start().unwrap())
}

fn end(running: Running) {
    running.handle().shutdown();
    running.join().unwrap();
}

/// Returns the status of the reply, and its body if it is no upgrade.
fn ask(address: SocketAddr, bytes: &str) -> (String, String) {
    let mut client = Client::tcp(address);
    client.send(bytes);
    let head = client.read_head();
    let body = if status(&head) == 101 { Vec::new() } else { client.read_to_end() };
    (head, String::from_utf8(body).unwrap())
}

fn plain(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
}

// A route that ends in `/*`

fn tell(text: &'static str) -> impl Fn(&mut Connection) -> Result<(), Error> {
    move |connection| connection.send(format!("{text} {}", connection.request().path()))
}

#[test]
fn route_below_a_path_serves_what_no_other_route_does() {
    let (address, running) = start(|server| {
        let server = server.route("/a/*", tell("below a")).route("/a/b/*", tell("below b")).route("/a/b", tell("b"));
        server.route("/lit*eral", tell("literal")).page("/a/page", "page").page("/docs/*", "docs")
    });
    for (path, expected) in [
        ("/a/x", Some("below a /a/x")),
        ("/a/x/y?z=/", Some("below a /a/x/y")),
        ("/a/x%22%0a", Some("below a /a/x%22%0a")),
        ("/a/b", Some("b /a/b")),
        ("/a/b/", Some("below a /a/b/")),
        ("/a/b/c", Some("below b /a/b/c")),
        ("/a/*", Some("below a /a/*")),
        ("/lit*eral", Some("literal /lit*eral")),
        ("/literal", None),
        ("/a", None),
        ("/a/", None),
        ("/a/?x", None),
        ("/ab/x", None),
        ("/", None),
    ] {
        let mut client = Client::tcp(address);
        client.send(request(path));
        let got = status(&client.read_head());
        assert_eq!(got, if expected.is_some() { 101 } else { 404 }, "{path}");
        if let Some(text) = expected {
            assert_eq!(client.read_frame(), (TEXT, text.as_bytes().to_vec()));
        }
        // A plain GET of the same path.
        assert_eq!(status(&ask(address, &plain(path)).0), if expected.is_some() { 426 } else { 404 }, "{path}");
    }
    assert_eq!(ask(address, &plain("/a/page")).1, "page");
    assert_eq!(ask(address, &plain("/docs/one/two")).1, "docs");
    assert_eq!(status(&ask(address, &plain("/docs")).0), 404);
    assert_eq!(status(&ask(address, &request("/docs/one")).0), 404, "a page is no route");
    end(running);
}

#[test]
fn each_path_below_a_route_is_a_room_of_its_own() {
    let (address, running) = start(|server| server.route("/chat", chat).route("/chat/*", chat));
    let rooms = ["/chat", "/chat/a", "/chat/a?name=Ann", "/chat/b", "/chat/a/b", "/chat/A"];
    let mut clients = rooms.map(|path| Client::connect(address, path));
    wait_for("all clients", || running.handle().clients() == rooms.len());
    clients[1].send(frame(TEXT, b"for a"));
    for at in [1, 2] {
        assert_eq!(clients[at].read_frame(), (TEXT, b"for a".to_vec()));
    }
    // Each client's next message is its own echo, so it has received nothing else before.
    for (at, client) in clients.iter_mut().enumerate() {
        client.send(frame(TEXT, b"own"));
        let count = if at == 2 { 2 } else { 1 };
        for _ in 0..count {
            assert_eq!(client.read_frame(), (TEXT, b"own".to_vec()), "{}", rooms[at]);
        }
    }
    drop(clients);
    end(running);
}

#[test]
fn name_of_a_room_is_bounded_by_the_limit_of_the_head() {
    let (address, running) = start(|server| server.route("/chat/*", tell("in")));
    let room = |length: usize| request(&format!("/chat/{}", "x".repeat(length)));
    let rest = room(0).len();
    assert_eq!(status(&ask(address, &room(8192 - rest)).0), 101);
    assert_eq!(status(&ask(address, &room(8193 - rest)).0), 431);
    assert_eq!(status(&ask(address, &room(8192)).0), 414);
    end(running);
}

#[test]
fn subprotocol_of_a_pattern_holds_for_the_paths_below() {
    let (address, running) = start(|server| {
        let server = server.route("/chat/*", echo).route("/chat", echo).route("/chat/old", echo);
        server.subprotocol("/chat/*", "v2").subprotocol("/chat/*", "v1").subprotocol("/chat/old", "v1")
    });
    for (path, expected) in [("/chat/a", Some("v2")), ("/chat/old", Some("v1")), ("/chat", None)] {
        let (head, _) = ask(address, &request(path).replace("Host", "Sec-WebSocket-Protocol: v1, v2\r\nHost"));
        assert_eq!((status(&head), header(&head, "Sec-WebSocket-Protocol")), (101, expected), "{path}");
    }
    end(running);
}

// Texts

#[test]
fn text_is_made_for_each_request() {
    let count = AtomicUsize::new(0);
    let body = move || format!("größe {}\n", count.fetch_add(1, Ordering::SeqCst));
    let (address, running) = start(|server| server.text("/metrics", "text/plain; version=0.0.4; charset=utf-8", body));
    for number in 0..3 {
        let (head, body) = ask(address, &plain("/metrics?x"));
        assert_eq!((status(&head), body), (200, format!("größe {number}\n")));
        for (name, value) in [
            ("Content-Type", "text/plain; version=0.0.4; charset=utf-8"),
            ("Content-Length", "10"),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("Connection", "close"),
        ] {
            assert_eq!(header(&head, name), Some(value));
        }
    }
    let (head, body) = ask(address, &plain("/metrics").replace("GET", "HEAD"));
    assert_eq!((status(&head), header(&head, "Content-Length"), &body[..]), (200, Some("10"), ""));
    assert_eq!(status(&ask(address, &request("/metrics")).0), 404, "nobody speaks WebSocket there");
    assert_eq!(status(&ask(address, &plain("/metrics/x")).0), 404);
    end(running);
}

#[test]
fn panic_of_a_texts_body_is_a_500() {
    let (address, running) =
        start(|server| server.text("/metrics", "text/plain", || panic!("on purpose")).route("/", echo));
    let mut bystander = Client::connect(address, "/");
    for _ in 0..3 {
        let (head, body) = ask(address, &plain("/metrics"));
        assert!(head.starts_with("HTTP/1.1 500 Internal Server Error\r\n"), "{head}");
        assert_eq!(body, "the program's own code for this path panicked\n");
    }
    bystander.send(frame(TEXT, b"still here"));
    assert_eq!(bystander.read_frame(), (TEXT, b"still here".to_vec()));
    drop(bystander);
    end(running);
}

#[test]
#[should_panic(expected = "no header can have the value")]
fn texts_type_that_would_split_its_reply_panics() {
    let _ = Server::bind("127.0.0.1:0").unwrap().text("/", "text/plain\r\nX: y", String::new);
}

// Ways to embed the server

#[test]
fn listeners_of_others_serve_and_shutdown_reaches_each() {
    let [first, second, third] = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    first.set_nonblocking(true).unwrap();
    third.set_nonblocking(true).unwrap();
    let addresses = [&first, &second, &third].map(|listener| listener.local_addr().unwrap());
    let server = Server::from_listener(first).unwrap().and_listener(second).unwrap().and_listener(third).unwrap();
    assert_eq!(server.local_addr().unwrap(), addresses[0]);
    assert_eq!(server.local_addrs().unwrap(), addresses);
    let running = server.route("/", echo).start().unwrap();
    for address in addresses {
        let mut client = Client::connect(address, "/");
        client.send(frame(TEXT, b"Hello"));
        assert_eq!(client.read_frame(), (TEXT, b"Hello".to_vec()));
    }
    end(running);
    for address in addresses {
        assert!(std::net::TcpStream::connect(address).is_err(), "{address} still listens");
    }
}

#[test]
fn non_blocking_listener_is_made_blocking() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let another = TcpListener::bind("127.0.0.1:0").unwrap();
    another.set_nonblocking(true).unwrap();
    let clones = [&listener, &another].map(|listener| listener.try_clone().unwrap());
    let _server = Server::from_listener(listener).unwrap().and_listener(another).unwrap();
    for clone in clones {
        let address = clone.local_addr().unwrap();
        let (accepted, result) = mpsc::channel();
        thread::spawn(move || accepted.send(clone.accept().map(drop)));
        assert!(result.recv_timeout(Duration::from_millis(100)).is_err(), "accept has not waited");
        let _client = Client::tcp(address);
        result.recv().unwrap().unwrap();
    }
}

#[test]
fn started_server_serves_until_its_handle_ends_it() {
    let (address, running) = start(|server| server.route("/", echo));
    let mut client = Client::connect(address, "/");
    assert_eq!(running.handle().address(), address);
    assert_eq!(running.handle().clients(), 1);
    let handle = running.handle().clone();
    let joined = thread::spawn(move || running.join());
    client.send(frame(TEXT, b"Hello"));
    assert_eq!(client.read_frame(), (TEXT, b"Hello".to_vec()));
    assert!(!joined.is_finished());
    handle.shutdown();
    client.send(crate::support::close_frame(1001, ""));
    client.expect_close(Some(1001));
    joined.join().unwrap().unwrap();
}
