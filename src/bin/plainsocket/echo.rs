//! `/` and `/echo`: every message comes back with the same type.

use plainsocket::{Connection, Error};

pub fn echo(connection: &mut Connection) -> Result<(), Error> {
    while let Some(message) = connection.recv()? {
        connection.send(message)?;
    }
    Ok(())
}
