//! What a program decides before the 101: which clients it lets in, with which headers and value, and which it refuses

use crate::support::{Client, DEADLINE, TEXT, frame, header, request, status, wait_for};
use plainsocket::{Admission, Config, Connection, Error, Refusal, Request, Running, Server};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

/// The server of one test, which shuts down at the end of the test.
struct Served {
    running: Option<Running>,
    address: SocketAddr,
}

fn serve(build: impl FnOnce(Server) -> Server) -> Served {
    let server = build(Server::bind("127.0.0.1:0").unwrap());
    let address = server.local_addr().unwrap();
    Served { running: Some(server.start().unwrap()), address }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.handle().shutdown();
            running.join().unwrap();
        }
    }
}

impl Served {
    /// Sends the request of §1.3 with more header lines, and returns the client and the reply's head.
    fn ask(&self, path: &str, lines: &str) -> (Client, String) {
        let mut client = Client::tcp(self.address);
        client.send(request(path).replace("\r\n\r\n", &format!("\r\n{lines}\r\n")));
        let head = client.read_head();
        (client, head)
    }

    /// Does the same for a client that is refused: the reply is complete, and the server's FIN follows it.
    fn refused(&self, path: &str, lines: &str) -> (String, String) {
        let (mut client, head) = self.ask(path, lines);
        let body = String::from_utf8(client.read_to_end()).unwrap();
        assert_eq!(header(&head, "Content-Length"), Some(body.len().to_string().as_str()), "{head}");
        assert_eq!(header(&head, "X-Content-Type-Options"), Some("nosniff"));
        assert!(header(&head, "Connection").unwrap().starts_with("close"));
        assert!(header(&head, "Date").is_some());
        (head, body)
    }
}

/// All values of a header, line by line.
fn values<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(its_name, _)| *its_name == name).map(|(_, value)| value).collect()
}

fn read_text(client: &mut Client) -> String {
    let (first, payload) = client.read_frame();
    assert_eq!(first, TEXT);
    String::from_utf8(payload).unwrap()
}

fn greet(connection: &mut Connection, name: String) -> Result<(), Error> {
    connection.send(format!("Hello {name}"))?;
    while connection.recv()?.is_some() {}
    Ok(())
}

fn let_in<T>(value: T) -> Result<Admission<T>, Refusal> {
    Ok(Admission::new(value))
}

// Ways to know who the client is

#[test]
fn ticket_in_the_query_is_good_once() {
    let tickets = Mutex::new(HashSet::from(["a+b c".to_owned()]));
    let served = serve(|server| {
        server.route_with(
            "/chat",
            move |request, _| {
                let ticket = request.query_value("ticket").unwrap_or_default();
                if tickets.lock().unwrap().remove(&ticket) {
                    let_in("Ann".to_owned())
                } else {
                    Err(Refusal::new(401, "get a ticket first").header("WWW-Authenticate", "Ticket"))
                }
            },
            greet,
        )
    });
    let (mut client, head) = served.ask("/chat?room=1&ticket=a%2Bb+c", "");
    assert_eq!(status(&head), 101);
    assert_eq!(read_text(&mut client), "Hello Ann");
    for path in ["/chat?room=1&ticket=a%2Bb+c", "/chat?ticket=", "/chat"] {
        let (head, body) = served.refused(path, "");
        assert_eq!((status(&head), &body[..]), (401, "get a ticket first"), "{path}");
        assert_eq!(header(&head, "WWW-Authenticate"), Some("Ticket"));
        assert_eq!(header(&head, "Content-Type"), Some("text/plain; charset=utf-8"));
    }
}

#[test]
fn cookie_identifies_the_client_and_the_101_sets_new_ones() {
    let served = serve(|server| {
        server.route_with(
            "/chat",
            |request, _| match request.cookie("session") {
                Some("31d4") => Ok(Admission::new("Ann".to_owned())
                    .header("Set-Cookie", "session=96e4; Path=/; SameSite=Strict; HttpOnly; Secure")
                    .header("Set-Cookie", "seen=yes; SameSite=Lax")
                    .header("X-Server", "7")),
                _ => Err(Refusal::new(401, "log in first").header("WWW-Authenticate", "Cookie")),
            },
            greet,
        )
    });
    let (mut client, head) = served.ask("/chat", "Cookie: theme=dark; session=31d4\r\n");
    assert_eq!(status(&head), 101);
    assert_eq!(
        values(&head, "Set-Cookie"),
        ["session=96e4; Path=/; SameSite=Strict; HttpOnly; Secure", "seen=yes; SameSite=Lax"]
    );
    assert_eq!(values(&head, "X-Server"), ["7"]);
    assert_eq!(header(&head, "Content-Length"), None);
    assert_eq!(read_text(&mut client), "Hello Ann");
    for lines in ["", "Cookie: session=96e4\r\n", "Cookie: Session=31d4\r\n", "Cookie: xsession=31d4\r\n"] {
        assert_eq!(status(&served.refused("/chat", lines).0), 401, "{lines}");
    }
}

#[test]
fn token_beside_the_subprotocol_identifies_the_client() {
    let served = serve(|server| {
        let admit = |request: &Request, _| {
            let token = request.offered_subprotocols().find_map(|offer| offer.strip_prefix("token."));
            if token == Some("abc") { let_in("Ann".to_owned()) } else { Err(Refusal::new(403, "not with this token")) }
        };
        server.route_with("/chat", admit, greet).subprotocol("/chat", "plainsocket.json")
    });
    for lines in [
        "Sec-WebSocket-Protocol: plainsocket.json, token.abc\r\n",
        "Sec-WebSocket-Protocol: token.abc\r\nSec-WebSocket-Protocol: plainsocket.json\r\n",
    ] {
        let (mut client, head) = served.ask("/chat", lines);
        assert_eq!(status(&head), 101);
        assert_eq!(values(&head, "Sec-WebSocket-Protocol"), ["plainsocket.json"], "the token is not repeated");
        assert_eq!(read_text(&mut client), "Hello Ann");
    }
    let (head, body) = served.refused("/chat", "Sec-WebSocket-Protocol: plainsocket.json, token.abd\r\n");
    assert_eq!((status(&head), &body[..]), (403, "not with this token"));
}

#[test]
fn admitted_value_reaches_its_handler_with_its_type() {
    let served = serve(|server| {
        server.route_with(
            "/who",
            |request, peer| let_in(Rc::new((request.path().to_owned(), peer))),
            |connection, who: Rc<(String, SocketAddr)>| {
                assert_eq!(who.1, connection.peer());
                connection.send(format!("{} {}", who.0, Rc::strong_count(&who)))
            },
        )
    });
    let (mut client, head) = served.ask("/who", "");
    assert_eq!(status(&head), 101);
    assert_eq!(read_text(&mut client), "/who 1");
}

#[test]
fn headers_of_the_101_are_explained_without_their_values() {
    let served = serve(|server| {
        let admit =
            |_: &Request, _| Ok(Admission::new(()).header("Set-Cookie", "id=secret").header("X-Token", "secret"));
        server.route_with("/", admit, |connection, ()| connection.send(connection.handshake().to_text()))
    });
    let (mut client, head) = served.ask("/", "");
    assert_eq!(values(&head, "X-Token"), ["secret"]);
    let text = read_text(&mut client);
    assert!(text.contains("  Set-Cookie: (not shown)\n      what the browser keeps"), "{text}");
    assert!(text.contains("  X-Token: (not shown)\n      a header that the application has added"), "{text}");
    assert!(text.contains("  Date: ") && !text.contains("secret"), "{text}");
}

// Refusals

#[test]
fn refusal_reaches_the_client_whole() {
    let long = "x".repeat(3_000_000);
    let (text, moved) = (long.clone(), "this room has moved");
    let served = serve(move |server| {
        let admit = move |request: &Request, _| -> Result<Admission<()>, Refusal> {
            Err(match request.query_value("status").as_deref() {
                Some("302") => Refusal::new(302, moved).header("Location", "/chat/new"),
                Some("304") => Refusal::new(304, "not seen"),
                Some("403") => Refusal::new(403, ""),
                Some("405") => Refusal::new(405, "x").header("allow", "HEAD"),
                Some("418") => Refusal::new(418, "{}").header("content-type", "application/json"),
                Some("426") => Refusal::new(426, "a newer client"),
                Some("503") => Refusal::new(503, "später\n").header("Retry-After", "60"),
                _ => Refusal::new(599, &text),
            })
        };
        server.route_with("/", admit, |_, ()| Ok(()))
    });
    let ask = |wanted: &str| served.refused(&format!("/?status={wanted}"), "");
    let (head, body) = ask("302");
    assert!(head.starts_with("HTTP/1.1 302 Found\r\n"), "{head}");
    assert_eq!((header(&head, "Location"), &body[..]), (Some("/chat/new"), moved));
    let (head, body) = ask("403");
    assert_eq!((status(&head), &body[..]), (403, ""));
    let (head, _) = ask("405");
    assert_eq!((values(&head, "allow"), values(&head, "Allow")), (vec!["HEAD"], vec![]));
    let (head, body) = ask("418");
    assert!(head.starts_with("HTTP/1.1 418 Client Error\r\n"), "{head}");
    assert_eq!((values(&head, "content-type"), values(&head, "Content-Type")), (vec!["application/json"], vec![]));
    assert_eq!(body, "{}");
    let (head, _) = ask("426");
    assert_eq!(
        ["Upgrade", "Sec-WebSocket-Version", "Connection"].map(|name| header(&head, name)),
        [Some("websocket"), Some("13"), Some("close, Upgrade")]
    );
    let (head, body) = ask("503");
    assert_eq!((header(&head, "Retry-After"), &body[..]), (Some("60"), "später\n"));
    let (head, body) = ask("599");
    assert!(head.starts_with("HTTP/1.1 599 Server Error\r\n"), "{head}");
    assert!(body == long, "{} bytes", body.len());
    let (mut client, head) = served.ask("/?status=304", "");
    assert_eq!((status(&head), header(&head, "Content-Length")), (304, None));
    assert_eq!(client.read_to_end(), b"", "a 304 has no body (RFC 9110 §15.4.5)");
}

#[test]
fn refused_client_that_has_sent_frames_reads_why() {
    let served = serve(|server| {
        server.route_with("/", |_, _| Err::<Admission<()>, _>(Refusal::new(403, "not you")), |_, ()| Ok(()))
    });
    let mut client = Client::tcp(served.address);
    client.send([request("/").into_bytes(), frame(TEXT, &[b'x'; 60_000])].concat());
    assert_eq!(status(&client.read_head()), 403);
    assert_eq!(client.read_to_end(), b"not you");
}

#[test]
fn request_that_breaks_a_rule_does_not_reach_admit() {
    let calls = Arc::new(AtomicUsize::new(0));
    let its_calls = Arc::clone(&calls);
    let served = serve(move |server| {
        let admit = move |_: &Request, _| {
            its_calls.fetch_add(1, Ordering::SeqCst);
            let_in(())
        };
        server.route_with("/chat", admit, |_, ()| Ok(()))
    });
    let good = request("/chat");
    for (bytes, expected) in [
        (good.replace("Version: 13", "Version: 8"), 426),
        (good.replace("Connection: Upgrade\r\n", ""), 400),
        (good.replace("Key: ", "Key: x"), 400),
        (good.replace("Host: ", "Origin: https://evil.example\r\nHost: "), 403),
        (good.replace("Upgrade: websocket\r\n", ""), 426),
        (good.replace("/chat", "/chats"), 404),
        (good.replace("GET", "HEAD"), 426),
    ] {
        let mut client = Client::tcp(served.address);
        client.send(&bytes);
        assert_eq!(status(&client.read_head()), expected, "{bytes}");
    }
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    assert_eq!(status(&served.ask("/chat", "").1), 101);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

// Errors in the program's own code

#[test]
fn panic_of_admit_is_a_500_and_frees_the_seat() {
    let config = Config { max_clients: 2, ..Config::default() };
    let served = serve(|server| {
        let admit = |request: &Request, _| {
            let text = request.query_value("text").expect("a text on purpose");
            Ok(Admission::new(text.clone()).header("X-Text", &text))
        };
        server.config(config).route_with("/", admit, greet)
    });
    let (mut bystander, head) = served.ask("/?text=hi", "");
    assert_eq!((status(&head), header(&head, "X-Text")), (101, Some("hi")));
    assert_eq!(read_text(&mut bystander), "Hello hi");
    // A panic, and values that would split the response, which end in a panic too.
    for path in ["/", "/?text=a%0D%0ASet-Cookie:%20admin=1", "/?text=a%0Ab", "/?text=%00", "/?text=a%0D%0A%0D%0Ab"] {
        let (head, body) = served.refused(path, "");
        assert_eq!((status(&head), &body[..]), (500, "the program's own code for this path panicked\n"), "{path}");
        assert_eq!((header(&head, "Set-Cookie"), header(&head, "X-Text")), (None, None));
    }
    bystander.send(frame(TEXT, b"still here"));
    wait_for("a free seat", || status(&served.ask("/?text=again", "").1) == 101);
}

#[test]
fn header_that_could_split_or_contradict_a_response_panics() {
    let panics = |name: &str, value: &str| {
        let admission = std::panic::catch_unwind(|| Admission::new(()).header(name, value)).is_err();
        let refusal = std::panic::catch_unwind(|| Refusal::new(403, "").header(name, value)).is_err();
        assert_eq!(admission, refusal, "{name:?} {value:?}");
        admission
    };
    for control in (0..0x20).chain([0x7F, 0x85]) {
        let control = char::from_u32(control).unwrap();
        assert!(panics("X-Text", &format!("a{control}b")), "{control:?} in a value");
        assert!(panics(&format!("X{control}"), "a"), "{control:?} in a name");
    }
    for name in ["", " X", "X:", "X Y", "X\u{e4}", "\"X\""] {
        assert!(panics(name, "a"), "{name:?}");
    }
    for name in [
        "Connection",
        "UPGRADE",
        "content-length",
        "Transfer-Encoding",
        "Date",
        "Sec-WebSocket-Accept",
        "sec-websocket-protocol",
        "Sec-WebSocket-Extensions",
    ] {
        assert!(panics(name, "a"), "{name}");
    }
    for (name, value) in [("Set-Cookie", "a=b; Path=/"), ("Location", "https://x.example/?a=%0D"), ("X-Gr", "grün")] {
        assert!(!panics(name, value), "{name}: {value}");
    }
    for status in [0, 100, 101, 200, 299, 600, u16::MAX] {
        assert!(std::panic::catch_unwind(|| Refusal::new(status, "")).is_err(), "{status}");
    }
}

#[test]
fn value_that_panics_when_dropped_harms_nobody() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    let served = serve(|server| {
        server.route_with(
            "/",
            |_, _| let_in(Bomb),
            |_, bomb| {
                drop(bomb);
                Ok(())
            },
        )
    });
    for _ in 0..3 {
        let (mut client, head) = served.ask("/", "");
        assert_eq!(status(&head), 101);
        client.send(crate::support::close_frame(1000, ""));
        client.expect_close(Some(1011));
    }
}

// Slow hooks

/// A server whose `admit` for `/slow` reports each call and then waits until the test lets it continue.
fn serve_slow(config: Config) -> (Served, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (called, calls) = mpsc::channel();
    let (go_on, waits) = mpsc::channel::<()>();
    let waits = Mutex::new(waits);
    let admit = move |_: &Request, _| {
        called.send(()).unwrap();
        let _ = waits.lock().unwrap().recv();
        let_in("slow".to_owned())
    };
    let quick = |connection: &mut Connection| connection.send("quick");
    let served = serve(|server| server.config(config).route("/", quick).route_with("/slow", admit, greet));
    (served, calls, go_on)
}

#[test]
fn slow_admit_delays_nobody_and_outlasts_handshake_timeout() {
    let timeout = Duration::from_millis(200);
    let (served, calls, go_on) = serve_slow(Config { handshake_timeout: timeout, ..Config::default() });
    let mut client = Client::tcp(served.address);
    client.send(request("/slow"));
    calls.recv_timeout(DEADLINE).unwrap();
    let since = Instant::now();
    while since.elapsed() < 2 * timeout {
        assert_eq!(read_text(&mut Client::connect(served.address, "/")), "quick");
    }
    go_on.send(()).unwrap();
    assert_eq!(status(&client.read_head()), 101);
    assert_eq!(read_text(&mut client), "Hello slow");
}

#[test]
fn request_in_admit_when_shutdown_begins_gets_503() {
    let (mut served, calls, go_on) = serve_slow(Config::default());
    let mut client = Client::tcp(served.address);
    client.send(request("/slow"));
    calls.recv_timeout(DEADLINE).unwrap();
    let running = served.running.take().unwrap();
    running.handle().shutdown();
    go_on.send(()).unwrap();
    assert_eq!(status(&client.read_head()), 503);
    assert_eq!(client.read_to_end(), b"the server is shutting down\n");
    drop(client);
    running.join().unwrap();
}

#[test]
fn endless_admit_delays_shutdown_by_close_timeout_only() {
    let close_timeout = Duration::from_millis(200);
    let (mut served, calls, go_on) = serve_slow(Config { close_timeout, ..Config::default() });
    let mut client = Client::tcp(served.address);
    client.send(request("/slow"));
    calls.recv_timeout(DEADLINE).unwrap();
    let running = served.running.take().unwrap();
    let since = Instant::now();
    running.handle().shutdown();
    running.join().unwrap();
    // The join waits up to half a second more, for threads that have nothing left to send.
    assert!(
        (close_timeout..close_timeout + Duration::from_secs(2)).contains(&since.elapsed()),
        "{:?}",
        since.elapsed()
    );
    client.expect_gone();
    drop(go_on);
}

#[test]
fn clients_in_admit_count_as_seats_and_not_as_clients() {
    let (served, calls, go_on) = serve_slow(Config { max_clients: 1, ..Config::default() });
    let mut client = Client::tcp(served.address);
    client.send(request("/slow"));
    calls.recv_timeout(DEADLINE).unwrap();
    let handle = served.running.as_ref().unwrap().handle();
    assert_eq!(handle.clients(), 0);
    assert_eq!(status(&Client::tcp(served.address).read_head()), 503);
    go_on.send(()).unwrap();
    assert_eq!(read_text_after_101(&mut client), "Hello slow");
    assert_eq!(handle.clients(), 1);
}

fn read_text_after_101(client: &mut Client) -> String {
    assert_eq!(status(&client.read_head()), 101);
    read_text(client)
}
