use crate::checks::words::{Head, Request};
use plainsocket::HandshakeError;
use plainsocket::protocol::request::{self, Method};
use plainsocket::protocol::response::Response;
use std::io::{self, Read, Write};
use std::net::TcpStream;

pub fn parse_request(bytes: &[u8]) -> Head {
    match request::Request::parse(bytes) {
        Ok(None) => Head::Incomplete,
        Ok(Some(_)) if !is_1_1(bytes) => Head::Refused(400),
        Ok(Some((request, length))) => {
            Head::Complete { request: Request { path: request.resource_name, headers: request.headers }, length }
        }
        Err(fault) => Head::Refused(status(&fault)),
    }
}

/// The exercises know only HTTP 1.1, and have one status for all other versions.
fn status(fault: &HandshakeError) -> u16 {
    match Response::from(fault).status.0 {
        505 => 400,
        status => status,
    }
}

fn is_1_1(bytes: &[u8]) -> bool {
    bytes.split(|byte| *byte == b'\r').next().is_some_and(|line| line.ends_with(b" HTTP/1.1"))
}

fn reply(request: &Request) -> Result<Response, HandshakeError> {
    let Request { path: resource_name, headers } = request.clone();
    let request = request::Request { method: Method::Get, resource_name, headers };
    if request.wants_websocket() { request.accept(&[]) } else { Err(HandshakeError::UpgradeRequired) }
}

pub fn answer(request: &Request) -> Result<String, u16> {
    match reply(request) {
        Ok(response) => Ok(String::from_utf8(response.encode(Method::Get)).expect("a head is ASCII")),
        Err(fault) => Err(Response::from(&fault).status.0),
    }
}

pub fn shake_hands(stream: &mut TcpStream) -> io::Result<Option<(Request, Vec<u8>)>> {
    let mut bytes = Vec::new();
    loop {
        let outcome = match request::Request::parse(&bytes) {
            Ok(None) => None,
            Ok(Some((request, length))) => {
                let request = Request { path: request.resource_name, headers: request.headers };
                Some(reply(&request).map(|response| (response, request, length)))
            }
            Err(fault) => Some(Err(fault)),
        };
        match outcome {
            Some(Ok((response, request, length))) => {
                stream.write_all(&response.encode(Method::Get))?;
                return Ok(Some((request, bytes.split_off(length))));
            }
            Some(Err(fault)) => {
                stream.write_all(&Response::from(&fault).encode(Method::Get))?;
                return Ok(None);
            }
            None => {}
        }
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer)? {
            0 => return Ok(None),
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}
