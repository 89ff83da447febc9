//! `/inspect`: every frame comes back explained, as text for people or as JSON for a page.

use plainsocket::{Connection, Error};

/// The subprotocol that a client offers for JSON.
pub const JSON: &str = "plainsocket.json";

pub fn inspect(connection: &mut Connection) -> Result<(), Error> {
    let json = connection.subprotocol() == Some(JSON);
    let handshake = connection.handshake();
    match json {
        true => connection.send(handshake.to_json())?,
        false => send_lines(connection, &handshake.to_text())?,
    }
    // A Close or a broken rule is told first; the next `recv_frame` then answers it, or ends the connection.
    while let Some(frame) = connection.recv_frame()? {
        match json {
            true => connection.send(frame.to_json())?,
            false => send_lines(connection, &frame.to_text())?,
        }
    }
    Ok(())
}

/// A message a line: websocat shows each message as one line, and would make spaces of the line breaks in it.
fn send_lines(connection: &mut Connection, text: &str) -> Result<(), Error> {
    text.lines().try_for_each(|line| connection.send(line))
}
