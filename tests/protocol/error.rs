//! The text and the source of an error. Pure: no socket.

use plainsocket::{Error, ProtocolError};
use std::error::Error as _;
use std::io::{self, ErrorKind};

#[test]
fn error_shows_the_error_it_wraps_and_has_it_as_source() {
    let cases = [
        (Error::Io(io::Error::other("the socket failed")), "the socket failed", true),
        (Error::from(io::Error::other("no such file")), "handler failed: no such file", true),
        (Error::Protocol(ProtocolError::Unmasked), &ProtocolError::Unmasked.to_string(), true),
        (Error::handler("no such room"), "handler failed: no such room", true),
        (Error::Closed, "the Close frame has been sent, no message can follow it (§5.5.1)", false),
    ];
    for (error, text, has_source) in cases {
        assert_eq!(error.to_string(), text);
        assert_eq!(error.source().is_some(), has_source, "{error:?}");
    }
}

#[test]
fn question_mark_turns_an_io_error_into_a_handler_error() {
    fn read() -> Result<(), Error> {
        Err(io::Error::from(ErrorKind::NotFound))?
    }
    let Err(error @ Error::Handler(_)) = read() else { panic!("`Error::Io` is the connection's") };
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    assert_eq!(source.map(io::Error::kind), Some(ErrorKind::NotFound));
}
