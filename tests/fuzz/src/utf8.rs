//! The place where bytes stop being text.

/// Returns the position of the first byte after which `bytes` can no longer become UTF-8, whatever follows. `None`:
/// they are UTF-8, or the beginning of it.
pub fn first_bad_byte(bytes: &[u8]) -> Option<usize> {
    let valid = match str::from_utf8(bytes) {
        Ok(_) => return None,
        Err(error) => error.valid_up_to(),
    };
    (valid..bytes.len()).find(|&at| !can_become_text(&bytes[valid..=at]))
}

/// Tries endings, so that the structure of UTF-8 need not be known here. Two endings for each number of missing bytes
/// are enough: every character that has begun correctly can continue with the lowest or with the highest continuation
/// byte.
fn can_become_text(start: &[u8]) -> bool {
    let endings: [&[u8]; 7] = [b"", b"\x80", b"\xBF", b"\x80\x80", b"\xBF\x80", b"\x80\x80\x80", b"\xBF\x80\x80"];
    endings.iter().any(|ending| str::from_utf8(&[start, *ending].concat()).is_ok())
}
