//! The ways to authenticate a client, from the book's chapter Authentication: which clients each lets in, and which it
//! refuses.

use crate::support::{self, Client, DEADLINE, TEXT, close_frame, frame, request, status, wait_for};
use plainsocket::{
    Admission, CloseCode, Connection, Error, Message, Received, Refusal, Request, Running, Sender, Server,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Private codes begin at 4000 (§7.4.2). A page finds this one in `event.code`, and shows its login form.
const SESSION_OVER: u16 = 4001;

fn session_over() -> CloseCode {
    CloseCode::new(SESSION_OVER).expect("a code that can be sent")
}

// A cookie

/// The users who are logged in. The key is the cookie: a long random number, which nobody can guess.
#[derive(Default)]
struct Sessions(Mutex<HashMap<String, Session>>);

struct Session {
    user: String,
    connections: Vec<Sender>,
}

impl Sessions {
    fn log_in(&self, id: &str, user: &str) {
        let session = Session { user: user.to_owned(), connections: Vec::new() };
        self.0.lock().unwrap().insert(id.to_owned(), session);
    }

    /// The hook before the 101. The server has already checked `Origin`.
    fn admit(&self, request: &Request) -> Result<Admission<String>, Refusal> {
        let id = request.cookie("session").unwrap_or_default();
        match self.0.lock().unwrap().get(id) {
            Some(_) => Ok(Admission::new(id.to_owned())),
            None => Err(Refusal::new(401, "log in first").header("WWW-Authenticate", "Cookie")),
        }
    }

    /// Records a connection and returns its user, unless the session has ended after the handshake.
    fn enter(&self, id: &str, sender: Sender) -> Option<String> {
        let mut sessions = self.0.lock().unwrap();
        let session = sessions.get_mut(id)?;
        session.connections.retain(Sender::is_open);
        session.connections.push(sender);
        Some(session.user.clone())
    }

    /// Ends a session and closes its connections, whose own threads wait in `recv`.
    fn log_out(&self, id: &str) {
        // This statement releases the lock, so the lock is free before the first Close.
        let session = self.0.lock().unwrap().remove(id);
        for sender in session.into_iter().flat_map(|session| session.connections) {
            // An error means that this connection has already ended.
            let _ = sender.close(session_over(), "logged out");
        }
    }

    fn serve(&self, connection: &mut Connection, id: &str) -> Result<(), Error> {
        let Some(user) = self.enter(id, connection.sender()) else {
            return connection.close(session_over(), "logged out");
        };
        connection.send(format!("hello {user}"))?;
        while connection.recv()?.is_some() {}
        Ok(())
    }
}

// A ticket in the query

/// Tickets that the login page has given out and that were not used yet, with their users and expiry times.
type Tickets = Mutex<HashMap<String, (String, Instant)>>;

fn admit_ticket(tickets: &Tickets, request: &Request) -> Result<Admission<String>, Refusal> {
    let ticket = request.query_value("ticket").unwrap_or_default();
    // `remove` makes a ticket valid once: a second client with this ticket is refused.
    match tickets.lock().unwrap().remove(&ticket) {
        Some((user, end)) if Instant::now() < end => Ok(Admission::new(user)),
        _ => Err(Refusal::new(401, "no ticket, or an old one").header("WWW-Authenticate", "Ticket")),
    }
}

// A token in the subprotocol

/// The tokens that the login page has given out, and the user of each.
type Tokens = HashMap<String, String>;

fn admit_token(tokens: &Tokens, request: &Request) -> Result<Admission<String>, Refusal> {
    let token = request.offered_subprotocols().find_map(|name| name.strip_prefix("bearer."));
    match token.and_then(|token| tokens.get(token)) {
        Some(user) => Ok(Admission::new(user.clone())),
        None => Err(Refusal::new(401, "no token, or none of ours").header("WWW-Authenticate", "Bearer")),
    }
}

// The first message

/// How long a client has for its first message.
const PATIENCE: Duration = Duration::from_millis(500);

/// Waits for the token. Returns `None`, after closing the connection, if none arrives.
fn log_in(connection: &mut Connection, tokens: &Tokens) -> Result<Option<String>, Error> {
    let user = match connection.recv_timeout(PATIENCE)? {
        Received::Message(Message::Text(token)) => tokens.get(token.as_str()),
        Received::Message(Message::Binary(_)) | Received::Nothing => None,
        Received::Closed => return Ok(None),
    };
    if user.is_none() {
        connection.close(CloseCode::POLICY_VIOLATION, "log in first")?;
    }
    Ok(user.cloned())
}

fn serve_after_first_message(connection: &mut Connection, tokens: &Tokens) -> Result<(), Error> {
    let Some(user) = log_in(connection, tokens)? else { return Ok(()) };
    greet(connection, user)
}

// Expiry

/// An echo that ends when its client's token expires.
fn serve_until(connection: &mut Connection, end: Instant) -> Result<(), Error> {
    loop {
        let left = end.saturating_duration_since(Instant::now());
        // Without this check a client that keeps sending would stay: a timeout of zero still takes what has arrived.
        if left.is_zero() {
            return connection.close(session_over(), "log in again");
        }
        match connection.recv_timeout(left)? {
            Received::Message(message) => connection.send(message)?,
            Received::Nothing => {}
            Received::Closed => return Ok(()),
        }
    }
}

/// A handler that uses the user which its hook has found.
fn greet(connection: &mut Connection, user: String) -> Result<(), Error> {
    connection.send(format!("hello {user}"))?;
    while connection.recv()?.is_some() {}
    Ok(())
}

/// A server with one path for each way to authenticate.
struct Site {
    running: Running,
    sessions: Arc<Sessions>,
    tickets: Arc<Tickets>,
}

impl Site {
    fn start() -> Site {
        let (sessions, tickets) = (Arc::<Sessions>::default(), Arc::<Tickets>::default());
        let tokens = Arc::new(Tokens::from([("dG9rZW4".to_owned(), "Ann".to_owned())]));
        let (for_hook, for_handler) = (Arc::clone(&sessions), Arc::clone(&sessions));
        let (its_tickets, its_tokens) = (Arc::clone(&tickets), Arc::clone(&tokens));
        let server = Server::bind("127.0.0.1:0")
            .unwrap()
            .route_with(
                "/cookie",
                move |request, _| for_hook.admit(request),
                move |connection, id: String| for_handler.serve(connection, &id),
            )
            .route_with("/ticket", move |request, _| admit_ticket(&its_tickets, request), greet)
            .route_with("/token", move |request, _| admit_token(&its_tokens, request), greet)
            // The browser requires one of the subprotocols that it offered, and the server must not pick the token.
            .subprotocol("/token", "chat.v1")
            .route("/first", move |connection| serve_after_first_message(connection, &tokens))
            .route("/expiring", |connection| serve_until(connection, Instant::now() + PATIENCE));
        Site { running: server.start().unwrap(), sessions, tickets }
    }

    /// Sends a request to this server and returns the client and the head of the reply.
    fn ask(&self, path: &str, header: &str) -> (Client, String) {
        let mut client = Client::tcp(self.running.handle().address());
        client.send(request(path).replace("\r\n\r\n", &format!("\r\n{header}\r\n\r\n")));
        let head = client.read_head();
        (client, head)
    }

    fn assert_refused(&self, path: &str, header: &str, expected: u16) {
        let (mut client, head) = self.ask(path, header);
        assert_eq!(status(&head), expected, "{path} {header}");
        assert_eq!(support::header(&head, "WWW-Authenticate").is_some(), expected == 401, "RFC 9110 §15.5.2");
        assert!(!client.read_to_end().is_empty(), "the reply says why");
    }

    fn assert_greeted(&self, path: &str, header: &str) -> (Client, String) {
        let (mut client, head) = self.ask(path, header);
        assert_eq!(status(&head), 101, "{path} {header}: {head}");
        assert_eq!(client.read_frame(), (TEXT, b"hello Ann".to_vec()));
        (client, head)
    }
}

#[test]
fn cookie_of_a_session_is_admitted_and_no_other() {
    let site = Site::start();
    site.sessions.log_in("s3cret", "Ann");
    site.assert_greeted("/cookie", "Cookie: theme=dark; session=s3cret");
    for other in ["Cookie: session=guess", "Cookie: session=", "Cookie: xsession=s3cret", "Cookie: theme=dark"] {
        site.assert_refused("/cookie", other, 401);
    }
}

#[test]
fn cookie_from_a_page_of_another_site_is_refused() {
    let site = Site::start();
    site.sessions.log_in("s3cret", "Ann");
    site.assert_refused("/cookie", "Cookie: session=s3cret\r\nOrigin: https://evil.example", 403);
    site.assert_greeted("/cookie", "Cookie: session=s3cret\r\nOrigin: https://server.example.com");
}

#[test]
fn ticket_is_good_once_and_not_after_its_end() {
    let site = Site::start();
    let give = |ticket: &str, end| site.tickets.lock().unwrap().insert(ticket.to_owned(), ("Ann".to_owned(), end));
    give("7f3a", Instant::now() + DEADLINE);
    site.assert_greeted("/ticket?ticket=7f3a", "X-A: b");
    site.assert_refused("/ticket?ticket=7f3a", "X-A: b", 401);
    give("old", Instant::now());
    site.assert_refused("/ticket?ticket=old", "X-A: b", 401);
    site.assert_refused("/ticket", "X-A: b", 401);
}

#[test]
fn token_among_subprotocols_is_read_and_not_selected() {
    let site = Site::start();
    let (_, head) = site.assert_greeted("/token", "Sec-WebSocket-Protocol: chat.v1, bearer.dG9rZW4");
    assert_eq!(support::header(&head, "Sec-WebSocket-Protocol"), Some("chat.v1"));
    assert!(!head.contains("dG9rZW4"), "the token does not come back: {head}");
    site.assert_refused("/token", "Sec-WebSocket-Protocol: chat.v1, bearer.guess", 401);
    site.assert_refused("/token", "Sec-WebSocket-Protocol: chat.v1", 401);
}

#[test]
fn first_message_with_a_token_logs_in() {
    let site = Site::start();
    let mut client = Client::connect(site.running.handle().address(), "/first");
    client.send(frame(TEXT, b"dG9rZW4"));
    assert_eq!(client.read_frame(), (TEXT, b"hello Ann".to_vec()));
}

#[test]
fn wrong_or_late_first_message_ends_with_1008() {
    let site = Site::start();
    for message in [&frame(TEXT, b"guess")[..], &frame(0x82, b"dG9rZW4"), b"", &frame(TEXT, b"dG9rZW4")[..8]] {
        let mut client = Client::connect(site.running.handle().address(), "/first");
        let started = Instant::now();
        client.send(message);
        let (first, payload) = client.read_frame();
        assert_eq!((first, &payload[..2]), (0x88, &1008_u16.to_be_bytes()[..]), "{message:02x?}");
        if message.len() < 9 {
            assert!(started.elapsed() >= PATIENCE - Duration::from_millis(40), "it had its time");
        }
    }
}

#[test]
fn log_out_closes_every_connection_of_the_session_and_no_other() {
    let site = Site::start();
    for session in ["s3cret", "another"] {
        site.sessions.log_in(session, "Ann");
    }
    let (mut first, _) = site.assert_greeted("/cookie", "Cookie: session=s3cret");
    let (mut second, _) = site.assert_greeted("/cookie", "Cookie: session=s3cret");
    let (mut other, _) = site.assert_greeted("/cookie", "Cookie: session=another");
    site.sessions.log_out("s3cret");
    for client in [&mut first, &mut second] {
        let (first, payload) = client.read_frame();
        assert_eq!((first, payload), (0x88, [&SESSION_OVER.to_be_bytes()[..], b"logged out"].concat()));
        client.send(close_frame(SESSION_OVER, ""));
        assert_eq!(client.read_to_end(), b"");
    }
    other.send(frame(0x89, b"still here"));
    assert_eq!(other.read_frame(), (0x8A, b"still here".to_vec()));
    wait_for("only the other session's client", || site.running.handle().clients() == 1);
    site.assert_refused("/cookie", "Cookie: session=s3cret", 401);
}

#[test]
fn session_that_ends_between_handshake_and_handler_is_closed() {
    let sessions = Sessions::default();
    sessions.log_in("s3cret", "Ann");
    let sessions = Arc::new(sessions);
    let (for_hook, for_handler) = (Arc::clone(&sessions), Arc::clone(&sessions));
    let admit = move |request: &Request, _| {
        let admission = for_hook.admit(request);
        // Another thread could log the user out at this moment.
        for_hook.log_out("s3cret");
        admission
    };
    let handler = move |connection: &mut Connection, id: String| for_handler.serve(connection, &id);
    let running = Server::bind("127.0.0.1:0").unwrap().route_with("/cookie", admit, handler).start().unwrap();
    let mut client = Client::tcp(running.handle().address());
    client.send(request("/cookie").replace("\r\n\r\n", "\r\nCookie: session=s3cret\r\n\r\n"));
    assert_eq!(status(&client.read_head()), 101);
    assert_eq!(client.read_frame().1[..2], SESSION_OVER.to_be_bytes());
}

#[test]
fn expiry_ends_a_client_that_goes_on_talking_too() {
    let site = Site::start();
    let mut client = Client::connect(site.running.handle().address(), "/expiring");
    let deadline = Instant::now() + DEADLINE;
    loop {
        client.send(frame(TEXT, b"x"));
        match client.read_frame() {
            (TEXT, _) => assert!(Instant::now() < deadline, "it stays"),
            (first, payload) => {
                assert_eq!((first, &payload[..2]), (0x88, &SESSION_OVER.to_be_bytes()[..]));
                break;
            }
        }
    }
}
