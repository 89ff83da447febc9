//! Bytes as hexadecimal digits.

/// Returns the digits with spaces, `37 fa 21 3d`.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// Returns the digits without spaces, `37fa213d`.
pub(super) fn hex_joined(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the first bytes, and dots if there are more, in `bytes` or `hidden`.
pub(super) fn hex_start(bytes: &[u8], hidden: u64, most: usize) -> String {
    let shown = bytes.len().min(most);
    let dots = if shown < bytes.len() || hidden > 0 { " ..." } else { "" };
    hex(&bytes[..shown]) + dots
}
