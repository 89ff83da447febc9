use super::frame::take_frame;
use super::message::check_size;
use crate::checks::inflate::Inflate;
use crate::checks::words::Frame;

pub fn agree(offers: &str) -> Option<String> {
    let understood = |parameter: &str| {
        let name = parameter.split('=').next().unwrap_or_default().trim();
        ["client_max_window_bits", "client_no_context_takeover", "server_no_context_takeover"].contains(&name)
    };
    let taken = offers.split(',').any(|offer| {
        let mut parts = offer.split(';').map(str::trim);
        parts.next() == Some("permessage-deflate") && parts.all(understood)
    });
    taken.then(|| "permessage-deflate; server_no_context_takeover; client_no_context_takeover".to_owned())
}

pub fn take_deflated(buffer: &mut Vec<u8>, limit: usize) -> Result<Option<(Frame, bool)>, u16> {
    const RSV1: u8 = 0x40;
    let Some(&first) = buffer.first() else { return Ok(None) };
    let compressed = first & RSV1 != 0;
    if compressed && !matches!(first & 0x0F, 1 | 2) {
        return Err(1002);
    }
    buffer[0] = first & !RSV1;
    let taken = take_frame(buffer, limit)?;
    if taken.is_none() {
        buffer[0] = first;
    }
    Ok(taken.map(|frame| (frame, compressed)))
}

pub fn inflate_message(payload: &[u8], limit: usize) -> Result<Vec<u8>, u16> {
    let (bytes, mut message) = ([payload, &[0, 0, 0xFF, 0xFF]].concat(), Vec::new());
    for piece in Inflate::new(&bytes) {
        let piece = piece.map_err(|_| 1007_u16)?;
        check_size(message.len(), piece.len() as u64, limit)?;
        message.extend(piece);
    }
    Ok(message)
}
