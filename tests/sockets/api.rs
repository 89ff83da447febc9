//! What the public types promise beside their methods: which of them other threads can use, and what they print

use crate::support::{Client, request, status, wait_for};
use plainsocket::protocol::decoder::{Event, MessageDecoder};
use plainsocket::protocol::frame::{Header, Opcode};
use plainsocket::protocol::request::{Method, Request};
use plainsocket::protocol::response::Response;
use plainsocket::protocol::wire::{self, Dissector, Fault, Field, Handshake};
use plainsocket::{
    Admission, CloseCode, CloseFrame, Config, Connection, Counters, Error, Handle, HandshakeError, Message,
    ProtocolError, Received, Refusal, Running, Sender, Server, Text,
};
use std::fmt::Debug;
use std::io::ErrorKind;
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

/// The compiler is the test: this does not compile if a field must stay in its thread.
#[test]
fn public_types_can_be_shared_and_printed() {
    fn check<T: Send + Sync + Debug + 'static>() {}
    check::<Admission<String>>();
    check::<CloseCode>();
    check::<CloseFrame>();
    check::<Config>();
    check::<Counters>();
    check::<Error>();
    check::<Event>();
    check::<Fault>();
    check::<Field>();
    check::<wire::Frame>();
    check::<Handle>();
    check::<Handshake>();
    check::<HandshakeError>();
    check::<Header>();
    check::<Message>();
    check::<MessageDecoder>();
    check::<Method>();
    check::<Opcode>();
    check::<ProtocolError>();
    check::<Received>();
    check::<Refusal>();
    check::<Request>();
    check::<Response>();
    check::<Running>();
    check::<Sender>();
    check::<Dissector>();
    check::<Text>();
}

#[test]
fn text_returns_its_string_and_formats_like_one() {
    for plain in ["", "Hello", "Grüße \"€\" 🙂\n"] {
        let text = Text::from(plain);
        assert_eq!((text.as_str(), text.as_bytes()), (plain, plain.as_bytes()));
        assert_eq!((text.to_string(), format!("{text:?}")), (plain.to_owned(), format!("{plain:?}")));
        assert_eq!(text, plain);
        assert_eq!(text, Text::from(plain.to_owned()));
        assert_ne!(text, "something else");
        assert_eq!((text.clone().into_string(), text.into_bytes()), (plain.to_owned(), plain.as_bytes().to_vec()));
    }
    assert_eq!(format!("{:>4}|{:<4}|", Text::from("a"), Text::from("b")), "   a|b   |");
    assert_eq!(Message::from(Text::from("Hello")), Message::from("Hello"));
}

#[test]
fn server_and_connection_can_move_to_another_thread() {
    fn check<T: Send + Debug + 'static>() {}
    check::<Connection>();
    check::<Server>();
}

#[test]
#[should_panic(expected = "browsers write this Origin as https://good.example")]
fn a_config_with_an_origin_that_could_never_match_panics() {
    let allowed_origins = vec!["https://good.example:443".to_owned()];
    let _ = Server::bind("127.0.0.1:0").unwrap().config(Config { allowed_origins, ..Config::default() });
}

/// Returns the message with which `build` panics, or `None` if it does not panic.
fn panic_of(build: impl FnOnce(Server) -> Server) -> Option<String> {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| drop(build(server)))).err()?;
    Some(*panic.downcast::<String>().unwrap())
}

#[test]
fn impossible_path_is_refused_when_registered() {
    for path in
        ["", "echo", "echo/", "/echo?room=7", "/echo?", "/#part", "/a b", "/gr\u{fc}\u{df}e", "/a\n", "*", "ws://x/"]
    {
        for said in [
            panic_of(|server| server.route(path, crate::support::echo)),
            panic_of(|server| server.page(path, "")),
            panic_of(|server| server.subprotocol(path, "v1")),
            panic_of(|server| server.text(path, "text/plain", String::new)),
            panic_of(|server| server.route_with(path, |_, _| Ok(Admission::new(())), |_, ()| Ok(()))),
        ] {
            let said = said.unwrap_or_else(|| panic!("{path:?} was taken"));
            assert!(said.starts_with(&format!("no request can have the path {path:?}: ")), "{said}");
        }
    }
    for path in ["/", "/echo", "/chat/room-7", "/gr%C3%BC%C3%9Fe", "//", "/~a/!$&'()*+,;=:@\"<>"] {
        assert_eq!(
            panic_of(|server| server.route(path, crate::support::echo).page(path, "").subprotocol(path, "v1")),
            None
        );
    }
}

#[test]
fn every_path_that_can_be_registered_can_be_asked_for() {
    let visible: String = (0x21..0x7F_u8).map(char::from).filter(|c| !"?#".contains(*c)).collect();
    let path = format!("/{visible}");
    let server = Server::bind("127.0.0.1:0").unwrap().route(&path, crate::support::echo);
    let address = server.local_addr().unwrap();
    thread::spawn(|| server.run());
    Client::connect(address, &path);
}

#[test]
fn subprotocol_that_is_no_token_is_refused_when_registered() {
    for name in ["", "v 2", "v2,v1", "v2;q=1", "\"v2\"", "v/2", "gr\u{fc}n", "v2\r\nX: y"] {
        let said = panic_of(|server| server.subprotocol("/", name)).unwrap_or_else(|| panic!("{name:?} was taken"));
        assert!(said.starts_with(&format!("no client can offer the subprotocol {name:?}: ")), "{said}");
    }
    for name in ["v2.chat.example.com", "plainsocket.json", "!#$%&'*+-.^_`|~"] {
        assert_eq!(panic_of(|server| server.subprotocol("/", name)), None);
    }
}

#[test]
fn a_server_listens_on_every_address_that_the_machine_has() {
    // The machine does not have the last address (RFC 5737), and an address that is listed twice does no harm.
    let addresses = ["127.0.0.1:0", "[::1]:0", "127.0.0.1:0", "192.0.2.1:0"].map(|address| address.parse().unwrap());
    let has_ipv6 = TcpListener::bind("[::1]:0").is_ok();
    let server = Server::bind(&addresses[..]).unwrap();
    let (listening, handle) = (server.local_addrs().unwrap(), server.handle().unwrap());
    assert_eq!(listening.len(), if has_ipv6 { 2 } else { 1 }, "{listening:?}");
    assert!(listening.iter().all(|address| address.port() == listening[0].port()), "{listening:?}");
    assert_eq!((server.local_addr().unwrap(), handle.address()), (listening[0], listening[0]));
    let running = thread::spawn(|| server.route("/", crate::support::echo).run());
    let clients: Vec<Client> = listening.iter().map(|address| Client::connect(*address, "/")).collect();
    wait_for("all clients", || handle.clients() == clients.len());
    drop(clients);
    handle.shutdown();
    running.join().unwrap().unwrap();
    for address in listening {
        assert!(TcpStream::connect(address).is_err(), "{address} still listens");
    }
}

#[test]
fn a_client_of_ipv4_has_its_own_address_on_a_socket_for_both() {
    // Without IPv6, or where an IPv6 socket accepts only IPv6 clients, there is nothing to test.
    let Ok(server) = Server::bind("[::]:0") else { return };
    let port = server.local_addr().unwrap().port();
    let server = server.route("/", |connection| connection.send(connection.peer().ip().to_string()));
    thread::spawn(|| server.run());
    if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) {
        let mut client = Client::from_stream(stream);
        client.send(request("/"));
        client.read_head();
        assert_eq!(client.read_frame().1, b"127.0.0.1");
    }
}

#[test]
fn an_address_that_is_taken_is_an_error_though_another_is_free() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let _other_program = TcpListener::bind(taken).unwrap();
    let free = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), taken.port());
    assert_eq!(Server::bind(&[free, taken][..]).map(drop).unwrap_err().kind(), ErrorKind::AddrInUse);
}

#[test]
fn a_server_shows_where_it_listens_and_what_lives_there() {
    let server = Server::bind("127.0.0.1:0").unwrap().route("/echo", crate::support::echo).page("/", "<p>secret");
    let shown = format!("{server:?}");
    let address = server.local_addr().unwrap();
    for part in [address.to_string().as_str(), "max_clients: 10000", r#"["/echo"]"#, r#"["/"]"#] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(!shown.contains("secret"), "{shown}");
    let shown = format!("{:?}", server.handle().unwrap());
    assert_eq!(shown, format!("Handle {{ address: {address}, clients: 0 }}"));
}

#[test]
fn a_connection_shows_no_cookie_and_no_query() {
    let server = Server::bind("127.0.0.1:0").unwrap().route("/show", |connection| {
        let shown = format!("{connection:?}");
        connection.send(shown)
    });
    let (address, handle) = (server.local_addr().unwrap(), server.handle().unwrap());
    let running = std::thread::spawn(|| server.run());
    let mut client = Client::tcp(address);
    client.send(request("/show?token=secret").replace("Host", "Cookie: id=secret\r\nHost"));
    assert_eq!(status(&client.read_head()), 101);
    let shown = String::from_utf8(client.read_frame().1).unwrap();
    let peer = client.stream.local_addr().unwrap();
    assert_eq!(shown, format!("Connection {{ peer: {peer}, path: \"/show\", state: Open, .. }}"));
    drop(client);
    wait_for("nobody", || handle.clients() == 0);
    handle.shutdown();
    running.join().unwrap().unwrap();
}
