//! `/inspect`: every frame comes back explained, as text for people or as JSON for a page.

use plainsocket::{Connection, Error};
use std::thread;
use std::time::Duration;

/// The subprotocol that a client offers to get JSON, which begins with the handshake.
pub const JSON: &str = "plainsocket.json";

/// The pause between the 101 and the first message.
const PAUSE: Duration = Duration::from_millis(200);

pub fn inspect(connection: &mut Connection) -> Result<(), Error> {
    let json = connection.subprotocol() == Some(JSON);
    if json {
        // Some clients lose a frame that arrives together with the 101, although §4.2.2 allows it. Waiting for the
        // client's first frame would be safer, but the page shows the handshake before you send one.
        thread::sleep(PAUSE);
        connection.send(connection.handshake().to_json())?;
    }
    // A Close or a broken rule is explained first; the next `recv_frame` answers it, or fails the connection.
    while let Some(frame) = connection.recv_frame()? {
        connection.send(if json { frame.to_json() } else { frame.to_text() })?;
    }
    Ok(())
}
