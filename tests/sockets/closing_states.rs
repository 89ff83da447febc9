//! The table of the page "The states of closing": each event in each state, as seen by the client and by the handler.

use crate::support::{CLOSE, Client, PING, PONG, TEXT, close_frame, frame};
use plainsocket::{CloseCode, Connection, Error, Running, Server};
use std::io::ErrorKind;
use std::net::Shutdown;
use std::sync::mpsc::{Receiver, channel};

/// The results of the handler's last call.
type Ends = Receiver<Result<(), Error>>;

fn start(handler: fn(&mut Connection) -> Result<(), Error>) -> (Running, Ends) {
    let (report, ends) = channel();
    let handler = move |connection: &mut Connection| {
        let end = handler(connection);
        let late = connection.send("late");
        assert!(late.is_err(), "no state after Open lets data through");
        report.send(end).unwrap();
        Ok(())
    };
    (Server::bind("127.0.0.1:0").unwrap().route("/", handler).start().unwrap(), ends)
}

/// A connection whose handler receives: the state `Open`.
fn open() -> (Running, Ends, Client) {
    let (server, ends) = start(crate::support::echo);
    let client = Client::connect(server.handle().address(), "/");
    (server, ends, client)
}

/// A connection whose handler has closed with 1000 and waits for the client: the state `CloseSent`.
fn close_sent() -> (Running, Ends, Client) {
    let (server, ends) = start(|connection| connection.close(CloseCode::NORMAL, ""));
    let mut client = Client::connect(server.handle().address(), "/");
    assert_eq!(client.read_frame(), (CLOSE, 1000_u16.to_be_bytes().to_vec()));
    (server, ends, client)
}

/// Returns the bytes up to the server's FIN.
fn rest(mut client: Client) -> Vec<u8> {
    client.read_to_end()
}

fn is_eof(end: &Result<(), Error>) -> bool {
    matches!(end, Err(Error::Io(error)) if error.kind() == ErrorKind::UnexpectedEof)
}

#[test]
fn open_message_and_ping_are_answered() {
    let (_server, _ends, mut client) = open();
    client.send([frame(TEXT, b"hi"), frame(PING, b"p")].concat());
    assert_eq!(client.read_frame(), (TEXT, b"hi".to_vec()));
    assert_eq!(client.read_frame(), (PONG, b"p".to_vec()));
}

#[test]
fn open_close_leads_to_closed() {
    let (_server, ends, mut client) = open();
    client.send([close_frame(3000, "why"), frame(TEXT, b"dropped"), frame(PING, b"no Pong")].concat());
    assert_eq!(rest(client), [CLOSE, 2, 0x0B, 0xB8]);
    assert!(ends.recv().unwrap().is_ok());
}

#[test]
fn open_violation_leads_to_failed() {
    let (_server, ends, mut client) = open();
    client.send([frame(0x83, b"reserved"), frame(PING, b"no Pong"), close_frame(1000, "")].concat());
    let said = rest(client);
    assert_eq!((said[0], usize::from(said[1]), &said[2..4]), (CLOSE, said.len() - 2, &1002_u16.to_be_bytes()[..]));
    assert!(matches!(ends.recv().unwrap(), Err(Error::Protocol(_))));
}

#[test]
fn open_end_of_tcp_leads_to_lost() {
    let (_server, ends, client) = open();
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(client), b"", "no Close to a client that sent none");
    let end = ends.recv().unwrap();
    assert!(is_eof(&end), "{end:?}");
}

#[test]
fn close_sent_message_is_dropped_and_ping_answered() {
    let (_server, ends, mut client) = close_sent();
    client.send([frame(TEXT, b"dropped"), frame(PING, b"p")].concat());
    assert_eq!(client.read_frame(), (PONG, b"p".to_vec()));
    client.send(close_frame(1000, ""));
    assert_eq!(rest(client), b"");
    assert!(ends.recv().unwrap().is_ok());
}

#[test]
fn close_sent_close_with_another_code_leads_to_closed() {
    let (_server, ends, mut client) = close_sent();
    client.send(close_frame(4000, "crossing"));
    assert_eq!(rest(client), b"", "a Close is answered with none if one of ours is sent");
    assert!(ends.recv().unwrap().is_ok());
}

#[test]
fn close_sent_violation_leads_to_failed_without_second_close() {
    let (_server, ends, mut client) = close_sent();
    client.send(frame(0x83, b"reserved"));
    assert_eq!(rest(client), b"");
    assert!(matches!(ends.recv().unwrap(), Err(Error::Protocol(_))));
}

#[test]
fn close_sent_end_of_tcp_leads_to_lost() {
    let (_server, ends, client) = close_sent();
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(client), b"");
    let end = ends.recv().unwrap();
    assert!(is_eof(&end), "{end:?}");
}
