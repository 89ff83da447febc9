//! `/inspect`: every frame comes back explained, as text for people or as JSON for a page.

use plainsocket::{Connection, Error};
use std::thread;
use std::time::Duration;

/// The subprotocol that a client offers for JSON. It tells the handshake first.
pub const JSON: &str = "plainsocket.json";

/// How long the first report waits after the 101.
const PAUSE: Duration = Duration::from_millis(200);

pub fn inspect(connection: &mut Connection) -> Result<(), Error> {
    let json = connection.subprotocol() == Some(JSON);
    if json {
        // Some clients lose a frame that they read together with the 101, which §4.2.2 allows it to follow at once.
        // Waiting for the client's first frame would be safer; but the page shows the handshake before you send any.
        thread::sleep(PAUSE);
        connection.send(connection.handshake().to_json())?;
    }
    // A Close or a broken rule is told first; the next `recv_frame` then answers it, or ends the connection.
    while let Some(frame) = connection.recv_frame()? {
        connection.send(if json { frame.to_json() } else { frame.to_text() })?;
    }
    Ok(())
}
