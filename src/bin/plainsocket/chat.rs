//! `/chat`: every message goes to all clients of `/chat`, the sender included.

use plainsocket::{Connection, Error};

pub fn chat(connection: &mut Connection) -> Result<(), Error> {
    while let Some(message) = connection.recv()? {
        connection.broadcast(message)?;
    }
    Ok(())
}
