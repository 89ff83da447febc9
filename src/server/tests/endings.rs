//! How loudly the log speaks of a connection's end: an error is what the operator of the server has to look at, and
//! nothing that a client does is one.

use super::logged::{keep_log, lines_about};
use super::{ClientsEnd, echo, request, serve, service};
use crate::config::Config;
use crate::error::Error;
use crate::protocol::close::CloseCode;
use crate::server::Connection;
use log::Level;
use std::io::ErrorKind;
use std::net::SocketAddr;

type Handler = fn(&mut Connection) -> Result<(), Error>;

/// The last line about a connection: its level, and the text behind the client's address.
fn last_line(port: u16, sent: &[&[u8]], handler: Handler) -> (Level, String) {
    keep_log();
    let peer = SocketAddr::from(([203, 0, 113, 1], port));
    let client = ClientsEnd::default();
    client.send(request("/"));
    sent.iter().for_each(|bytes| client.send(*bytes));
    client.end();
    serve(&service(Config::default(), handler), &client, peer);
    lines_about(peer).pop().expect("a line")
}

const TEXT: &[u8] = &[0x81, 0x80, 0, 0, 0, 0];
const UNMASKED: &[u8] = &[0x81, 0x00];
const CLOSE: &[u8] = &[0x88, 0x80, 0, 0, 0, 0];

#[test]
fn a_clean_close_is_a_matter_for_debugging() {
    assert_eq!(last_line(1, &[TEXT, CLOSE], echo), (Level::Debug, "closed".to_owned()));
}

#[test]
fn a_client_that_just_goes_is_too() {
    let (level, line) = last_line(2, &[TEXT], echo);
    assert_eq!(level, Level::Debug);
    assert!(line.starts_with("ended without a clean close: "), "{line}");
}

#[test]
fn a_client_that_breaks_a_rule_is_information() {
    let line = "failed: frame not masked (§5.1)".to_owned();
    assert_eq!(last_line(3, &[UNMASKED], echo), (Level::Info, line));
}

#[test]
fn handler_error_is_logged_as_error_in_one_line() {
    let line = r"handler failed: bad\nline".to_owned();
    assert_eq!(last_line(4, &[TEXT, CLOSE], |_| Err(Error::handler("bad\nline"))), (Level::Error, line));
}

#[test]
fn it_is_an_error_after_the_close_as_well() {
    let late: Handler = |connection| {
        connection.close(CloseCode::NORMAL, "")?;
        Err(Error::handler("late"))
    };
    assert_eq!(last_line(5, &[CLOSE], late), (Level::Error, "handler failed: late".to_owned()));
}

#[test]
fn an_error_of_other_io_is_the_handlers_own() {
    let (level, _) = last_line(6, &[CLOSE], |_| Err(Error::Io(ErrorKind::NotFound.into())));
    assert_eq!(level, Level::Error);
}

/// A file that the handler could not open.
fn no_file() -> Result<(), Error> {
    std::fs::File::open("/no such file")?;
    Ok(())
}

/// The end of the line depends on the system.
fn is_about_the_file((level, line): (Level, String)) -> bool {
    level == Level::Error && line.starts_with("handler failed: ")
}

#[test]
fn handlers_io_error_after_the_clients_close_is_the_handlers() {
    let late: Handler = |connection| {
        while connection.recv()?.is_some() {}
        no_file()
    };
    assert!(is_about_the_file(last_line(7, &[TEXT, CLOSE], late)));
    let made_by_hand: Handler = |connection| {
        while connection.recv()?.is_some() {}
        Err(Error::Io(ErrorKind::NotFound.into()))
    };
    assert_eq!(last_line(8, &[CLOSE], made_by_hand).0, Level::Error);
}

#[test]
fn handlers_io_error_after_its_own_close_is_the_handlers() {
    let late: Handler = |connection| {
        connection.close(CloseCode::NORMAL, "")?;
        no_file()
    };
    assert!(is_about_the_file(last_line(9, &[CLOSE], late)));
}

#[test]
fn handlers_io_error_after_a_lost_connection_is_the_handlers() {
    let late: Handler = |connection| {
        while let Ok(Some(_)) = connection.recv() {}
        no_file()
    };
    assert!(is_about_the_file(last_line(10, &[TEXT], late)));
    assert!(is_about_the_file(last_line(11, &[UNMASKED], late)));
}
