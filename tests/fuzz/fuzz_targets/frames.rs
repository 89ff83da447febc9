//! Frames in any pieces: plainsocket's decoder is compared with the naive one.
//!
//! The first byte of the input is the size of the pieces, and the rest is what a client sends. If the first byte is
//! zero, the rest is choices from which frames and pieces are made.
#![no_main]

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use plainsocket_fuzz::arrival::{Arrival, check};
use plainsocket_fuzz::wire::frames;

fuzz_target!(|input: &[u8]| {
    match input {
        [] => {}
        [0, choices @ ..] => check_made(&mut Unstructured::new(choices)).unwrap_or_default(),
        [size, wire @ ..] => check(wire, 1000, &[Arrival::default(), Arrival::in_pieces_of((*size).into(), wire)]),
    }
});

/// Fails only if there are too few choices, which is no error.
fn check_made(choices: &mut Unstructured) -> arbitrary::Result<()> {
    let arrival: Arrival = choices.arbitrary()?;
    let limit = usize::from(choices.arbitrary::<u16>()?) * 2;
    let wire = frames(choices)?;
    check(&wire, limit, &[Arrival::default(), arrival]);
    Ok(())
}
