//! Clients that send nonsense. However the server reacts, it must not leave them waiting.

use super::Mix;
use super::bad::{Habit, live};
use crate::wire::{Raw, frame, request};
use anyhow::Result;
use plainsocket::protocol::frame::Opcode;
use rand::RngExt as _;
use rand::rngs::StdRng;

const HABITS: [Habit; 3] = [
    ("nonsense after the handshake", nonsense_after_the_handshake),
    ("nonsense for a handshake", nonsense_for_a_handshake),
    ("a byte of a good conversation is changed", a_changed_byte),
];

pub fn clients(mix: &Mix, random: &mut StdRng) {
    live(mix, random, &HABITS);
}

/// Sends all bytes, closes our side, and waits for the server to close its own.
fn say(mut raw: Raw, bytes: &[u8]) -> Result<()> {
    raw.send(bytes);
    raw.hang_up();
    raw.expect_gone()
}

fn nonsense(random: &mut StdRng) -> Vec<u8> {
    let mut bytes = vec![0; random.random_range(0..20_000)];
    random.fill(&mut bytes[..]);
    bytes
}

fn nonsense_after_the_handshake(mix: &Mix, random: &mut StdRng) -> Result<()> {
    let mut bytes = nonsense(random);
    // Half of the first bytes would be refused at once, so a good one often replaces them and lets the others be read.
    if let [first, second, ..] = &mut bytes[..] {
        *first = [0x01, 0x02, 0x81, 0x82, 0x88, 0x89, *first][random.random_range(0..7)];
        *second |= 0x80;
    }
    say(Raw::upgrade(mix.address, "/echo")?, &bytes)
}

fn nonsense_for_a_handshake(mix: &Mix, random: &mut StdRng) -> Result<()> {
    say(Raw::connect(mix.address)?, &nonsense(random))
}

fn a_changed_byte(mix: &Mix, random: &mut StdRng) -> Result<()> {
    let (hello, close) = (frame(true, Opcode::Text, b"Hello"), frame(true, Opcode::Close, &1000u16.to_be_bytes()));
    let mut bytes = [request("/echo").into_bytes(), hello, close].concat();
    let at = random.random_range(0..bytes.len());
    bytes[at] = random.random();
    say(Raw::connect(mix.address)?, &bytes)
}
