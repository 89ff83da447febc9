//! Close payloads, and reasons of any length.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plainsocket::{CloseCode, CloseFrame};
use plainsocket_fuzz::naive;

fuzz_target!(|payload: &[u8]| {
    let decoded = CloseFrame::decode(payload);
    assert_eq!(decoded, naive::close(payload));
    if let Ok(close) = decoded {
        let encoded = close.as_ref().map(CloseFrame::encode).unwrap_or_default();
        assert_eq!(encoded, payload);
        assert_eq!(CloseFrame::decode(&encoded), Ok(close));
    }
    check_cut(&String::from_utf8_lossy(payload));
});

/// A Close frame has room for 123 bytes of a reason, so it keeps as many whole characters as fit.
fn check_cut(reason: &str) {
    let close = CloseFrame::new(CloseCode::NORMAL, reason);
    let cut = reason.strip_prefix(&close.reason).expect("the beginning of the reason");
    assert!(close.reason.len() <= 123);
    if let Some(next) = cut.chars().next() {
        assert!(close.reason.len() + next.len_utf8() > 123, "there was room for {next:?}");
    }
    assert_eq!(CloseFrame::decode(&close.encode()), Ok(Some(close)));
}
