//! What an error tells of itself. Pure: no socket.

use plainsocket::{Error, ProtocolError};
use std::error::Error as _;
use std::io::{self, ErrorKind};

#[test]
fn an_error_shows_what_it_wraps_and_tells_it_as_its_source() {
    let cases = [
        (Error::from(io::Error::other("the socket failed")), "the socket failed", true),
        (Error::Protocol(ProtocolError::Unmasked), &ProtocolError::Unmasked.to_string(), true),
        (Error::handler("no such room"), "handler failed: no such room", true),
        (Error::Closed, "the Close frame has been sent, no message may follow it (§5.5.1)", false),
    ];
    for (error, text, has_source) in cases {
        assert_eq!(error.to_string(), text);
        assert_eq!(error.source().is_some(), has_source, "{error:?}");
    }
}

#[test]
fn a_question_mark_turns_an_error_of_the_system_into_one_of_ours() {
    fn read() -> Result<(), Error> {
        Err(io::Error::from(ErrorKind::ConnectionReset))?
    }
    assert!(matches!(read(), Err(Error::Io(error)) if error.kind() == ErrorKind::ConnectionReset));
}
