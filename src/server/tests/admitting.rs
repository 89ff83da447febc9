//! The log's lines about clients that the program does not let in.

use super::logged::{keep_log, lines_about};
use super::{ClientsEnd, echo, request, serve, service};
use crate::config::Config;
use crate::protocol::admission::{Admission, Refusal};
use crate::protocol::response::Response;
use crate::server::routes::route;
use log::Level::{Debug, Error, Info};
use std::net::SocketAddr;

/// All lines about a client that sends this, and the reply.
fn logged(port: u16, sent: &str) -> (Vec<(log::Level, String)>, String) {
    keep_log();
    let peer = SocketAddr::from(([203, 0, 113, 3], port));
    let mut service = service(Config::default(), echo);
    let admit = |request: &crate::protocol::request::Request, _| {
        let name = request.query_value("name").expect("a name");
        if name.is_empty() { Ok(Admission::new(())) } else { Err(Refusal::new(403, &format!("nobody is \"{name}\""))) }
    };
    service.routes.insert("/private/*", route(admit, |_, ()| Ok(())));
    service.pages.insert("/figures", Box::new(|| -> Response { panic!("on purpose") }));
    let client = ClientsEnd::default();
    client.send(sent);
    client.end();
    serve(&service, &client, peer);
    let reply = String::from_utf8_lossy(&client.wait_for_end()).into_owned();
    (lines_about(peer), reply)
}

/// The lines that an operator sees without asking for more.
fn noted(lines: Vec<(log::Level, String)>) -> Vec<(log::Level, String)> {
    lines.into_iter().filter(|(level, _)| *level <= Info).collect()
}

#[test]
fn refusal_is_logged_with_its_status_and_its_text_escaped() {
    let (lines, reply) = logged(1, &request("/private/a?name=%1B[31m%0A%22x"));
    assert_eq!(noted(lines), [(Info, r#"refused with 403: nobody is \"\u{1b}[31m\n\"x\""#.to_owned())]);
    assert!(reply.ends_with("\r\n\r\nnobody is \"\u{1b}[31m\n\"x\""), "{reply:?}");
    let (lines, _) = logged(2, &request(&format!("/private/a?name={}", "x".repeat(5000))));
    let lines = noted(lines);
    assert!(matches!(&lines[..], [(Info, line)] if line.len() < 250 && line.ends_with("xxx...")), "{lines:?}");
}

#[test]
fn panic_is_one_line_at_the_level_error() {
    let line = "refused with 500: the program's own code for this path panicked".to_owned();
    assert_eq!(noted(logged(3, &request("/private/a")).0), [(Error, line.clone())]);
    assert_eq!(noted(logged(4, "GET /figures HTTP/1.1\r\nHost: x\r\n\r\n").0), [(Error, line)]);
}

#[test]
fn client_that_is_let_in_is_nothing_to_note() {
    let (lines, reply) = logged(5, &request("/private/a?name="));
    assert_eq!(noted(lines), []);
    assert!(reply.starts_with("HTTP/1.1 101 "), "{reply:?}");
}

#[test]
fn name_of_a_room_is_logged_escaped_and_without_its_query() {
    let (lines, _) = logged(6, &request(r#"/private/a"b\c?name="#));
    let expected = r#"connected to "/private/a\"b\\c", accept value s3pPLMBiTxaQ9kYGzzhZRbK+xOo="#.to_owned();
    assert_eq!(lines[0], (Debug, expected));
    let (lines, _) = logged(7, &request(&format!("/private/{}?name=", "x".repeat(5000))));
    assert!(lines[0].1.contains("xxx...\", accept value ") && lines[0].1.len() < 300, "{lines:?}");
}
