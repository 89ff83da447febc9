//! §5.5.1 and §7.4: the Close frame and its codes. Pure: no socket.

use plainsocket::{CloseCode, CloseFrame, ProtocolError as E};

// §7.4 Status Codes

#[test]
fn only_these_close_codes_can_be_sent() {
    for code in 0..=u16::MAX {
        let fine = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        assert_eq!(CloseCode::new(code).map(CloseCode::get), fine.then_some(code));
        let payload = code.to_be_bytes();
        let decoded = CloseFrame::decode(&payload);
        if fine {
            assert_eq!(decoded.unwrap().unwrap().encode(), payload);
        } else {
            assert_eq!(decoded, Err(E::CloseCodeForbidden(code)));
        }
    }
    assert_eq!(
        CloseFrame::new(CloseCode::NO_STATUS, "unsaid").encode(),
        b"",
        "1005 is for what arrived without a code"
    );
}

#[test]
fn each_code_has_a_name_and_each_range_one_for_all_its_codes() {
    let name = |code| CloseCode::new(code).map(CloseCode::name);
    let names: Vec<_> = (1000..=1014).filter_map(name).collect();
    assert_eq!(
        names,
        [
            "normal closure",
            "going away",
            "protocol error",
            "unsupported data",
            "invalid payload",
            "policy violation",
            "message too big",
            "extension missing",
            "internal error",
            "service restart",
            "try again later",
            "bad gateway",
        ]
    );
    for code in [3000, 3999] {
        assert_eq!(name(code), Some("registered by a library, framework or application"));
    }
    for code in [4000, 4999] {
        assert_eq!(name(code), Some("the application's own"));
    }
}

#[test]
fn a_code_is_shown_as_its_number() {
    assert_eq!(CloseCode::GOING_AWAY.to_string(), "1001");
}

// §5.5.1 Close

#[test]
fn an_empty_close_has_no_code_and_one_byte_is_refused() {
    assert_eq!(CloseFrame::decode(b""), Ok(None));
    assert_eq!(CloseFrame::decode(b"\x03"), Err(E::CloseCodeCut));
}

#[test]
fn the_reason_is_utf8() {
    let close = CloseFrame::new(CloseCode::GOING_AWAY, "bis später");
    assert_eq!(CloseFrame::decode(&close.encode()), Ok(Some(close)));
    assert_eq!(CloseFrame::decode(b"\x03\xE8\xFF"), Err(E::InvalidUtf8));
    // A character that is only cut short is refused too, because nothing can follow a Close.
    assert_eq!(CloseFrame::decode(b"\x03\xE8\xE2\x82"), Err(E::InvalidUtf8));
}

#[test]
fn long_reason_is_cut_between_characters_to_125_bytes() {
    for (reason, kept) in [("x".repeat(200), 123), ("ä".repeat(100), 122), ("🦀".repeat(50), 120)] {
        let close = CloseFrame::new(CloseCode::NORMAL, &reason);
        assert_eq!(close.reason, reason[..kept]);
        assert!(close.encode().len() <= 125);
    }
}

// §7.1.7 Fail the WebSocket Connection

#[test]
fn each_protocol_error_has_its_code_and_reason() {
    let cases = [
        (E::ReservedBit, 1002),
        (E::ReservedOpcode(3), 1002),
        (E::Unmasked, 1002),
        (E::LengthNotMinimal, 1002),
        (E::LengthTopBit, 1002),
        (E::FragmentedControl, 1002),
        (E::ControlTooLong, 1002),
        (E::NothingToContinue, 1002),
        (E::MessageInsideMessage, 1002),
        (E::CloseCodeCut, 1002),
        (E::CloseCodeForbidden(1005), 1002),
        (E::InvalidUtf8, 1007),
        (E::MessageTooBig(1), 1009),
    ];
    for (error, code) in cases {
        let close = CloseFrame::from(error);
        assert_eq!((close.code.get(), close.reason), (code, error.to_string()));
    }
}
