//! `/inspect`: every frame comes back explained, as text for people or as JSON for a page.

use plainsocket::{Connection, Error};

/// The subprotocol that a client offers for JSON. It tells the handshake first.
pub const JSON: &str = "plainsocket.json";

pub fn inspect(connection: &mut Connection) -> Result<(), Error> {
    let json = connection.subprotocol() == Some(JSON);
    if json {
        connection.send(connection.handshake().to_json())?;
    }
    // A Close or a broken rule is told first; the next `recv_frame` then answers it, or ends the connection.
    while let Some(frame) = connection.recv_frame()? {
        connection.send(if json { frame.to_json() } else { frame.to_text() })?;
    }
    Ok(())
}
