//! Frames that a client is allowed to send, and frames that it is not.

use arbitrary::{Result, Unstructured};

pub const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// Returns a correct frame; `first` is its first byte.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut wire = vec![first];
    push_length(&mut wire, 0x80, shortest(payload.len()), payload.len() as u64);
    push_masked(&mut wire, KEY, payload);
    wire
}

/// Returns frames that are mostly correct, because random bytes seldom get past the first rules.
pub fn frames(choices: &mut Unstructured) -> Result<Vec<u8>> {
    let mut wire = Vec::new();
    while !choices.is_empty() && wire.len() < 1 << 16 {
        push_frame(&mut wire, choices)?;
    }
    Ok(wire)
}

fn push_frame(wire: &mut Vec<u8>, choices: &mut Unstructured) -> Result<()> {
    // An unfinished fragment is twice as likely as the others, so that messages grow.
    let right = [0x00, 0x00, 0x80, 0x80, 0x01, 0x81, 0x02, 0x82, 0x88, 0x89, 0x8A];
    wire.push(if seldom(choices)? { choices.arbitrary()? } else { *choices.choose(&right)? });

    let payload = payload(choices)?;
    let form = if seldom(choices)? { *choices.choose(&[125, 126, 127])? } else { shortest(payload.len()) };
    let announced = if seldom(choices)? { choices.arbitrary()? } else { payload.len() as u64 };
    if seldom(choices)? {
        push_length(wire, 0, form, announced);
        wire.extend(payload);
    } else {
        push_length(wire, 0x80, form, announced);
        push_masked(wire, choices.arbitrary()?, &payload);
    }
    Ok(())
}

fn payload(choices: &mut Unstructured) -> Result<Vec<u8>> {
    let count = choices.int_in_range(0..=130)?;
    let bytes = choices.bytes(choices.len().min(count))?.to_vec();
    // The payload is long enough for each form of a length, and for the decoder to offer its room.
    if seldom(choices)? && !bytes.is_empty() {
        let length = usize::from(choices.arbitrary::<u16>()?) * 2;
        return Ok(bytes.iter().copied().cycle().take(length).collect());
    }
    Ok(bytes)
}

fn seldom(choices: &mut Unstructured) -> Result<bool> {
    Ok(choices.arbitrary::<u8>()? > 240)
}

fn shortest(length: usize) -> u8 {
    match length {
        0..126 => 125,
        126..65536 => 126,
        _ => 127,
    }
}

/// Writes a length. `form` is 126 or 127 for the forms of §5.2, or anything else for the single byte.
fn push_length(wire: &mut Vec<u8>, mask: u8, form: u8, length: u64) {
    match form {
        126 => {
            wire.push(mask | 126);
            wire.extend((length as u16).to_be_bytes());
        }
        127 => {
            wire.push(mask | 127);
            wire.extend(length.to_be_bytes());
        }
        _ => wire.push(mask | length as u8 & 0x7F),
    }
}

fn push_masked(wire: &mut Vec<u8>, key: [u8; 4], payload: &[u8]) {
    wire.extend(key);
    wire.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
}
