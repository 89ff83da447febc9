//! Clients that each break one rule, or just vanish.

use super::Mix;
use super::bad::{Habit, live};
use crate::server::MAX_MESSAGE;
use crate::wire::{Raw, frame, frames, header, request};
use anyhow::{Result, ensure};
use plainsocket::protocol::frame::Opcode;
use rand::RngExt as _;
use rand::rngs::StdRng;

const HABITS: [Habit; 14] = [
    ("vanishes with a reset", vanish_with_a_reset),
    ("vanishes within a frame", vanish_within_a_frame),
    ("vanishes within the handshake", vanish_within_the_handshake),
    ("half a handshake", half_a_handshake),
    ("big head", big_head),
    ("unmasked", unmasked),
    ("wrong UTF-8", wrong_utf8),
    ("announces too much", announces_too_much),
    ("too much in fragments", too_much_in_fragments),
    ("new message inside another", message_inside_message),
    ("forbidden Close code", forbidden_close_code),
    ("goes on after its Close", goes_on_after_its_close),
    ("ping flood", ping_flood),
    ("silent", silent),
];

pub fn clients(mix: &Mix, random: &mut StdRng) {
    live(mix, random, &HABITS);
}

fn upgrade(mix: &Mix, random: &mut StdRng) -> Result<Raw> {
    Raw::upgrade(mix.address, if random.random() { "/echo" } else { "/chat" })
}

/// Checks that the server answers these bytes with this Close code.
fn expect(mix: &Mix, random: &mut StdRng, bytes: &[u8], code: u16) -> Result<()> {
    let mut raw = upgrade(mix, random)?;
    raw.send(bytes);
    raw.expect_close(code)
}

/// Closing a socket with unread bytes sends a reset.
fn vanish_with_a_reset(mix: &Mix, _: &mut StdRng) -> Result<()> {
    let mut raw = Raw::upgrade(mix.address, "/echo")?;
    raw.send(frame(true, Opcode::Text, b"the echo of this is never read"));
    raw.0.peek(&mut [0])?;
    Ok(())
}

fn vanish_within_a_frame(mix: &Mix, random: &mut StdRng) -> Result<()> {
    let mut raw = upgrade(mix, random)?;
    let bytes = frame(true, Opcode::Binary, &[7; 100_000]);
    raw.send(&bytes[..random.random_range(1..bytes.len())]);
    Ok(())
}

fn vanish_within_the_handshake(mix: &Mix, random: &mut StdRng) -> Result<()> {
    let mut raw = Raw::connect(mix.address)?;
    let head = request("/echo");
    raw.send(&head[..random.random_range(0..head.len())]);
    Ok(())
}

fn half_a_handshake(mix: &Mix, _: &mut StdRng) -> Result<()> {
    let mut raw = Raw::connect(mix.address)?;
    raw.send("GET /echo HTTP/1.1\r\nHost: x\r\n");
    ensure!(raw.read_to_end()?.starts_with(b"HTTP/1.1 408 "), "no 408");
    Ok(())
}

fn big_head(mix: &Mix, _: &mut StdRng) -> Result<()> {
    let mut raw = Raw::connect(mix.address)?;
    raw.send(format!("GET /echo HTTP/1.1\r\nHost: x\r\nX: {}", "x".repeat(100_000)));
    ensure!(raw.read_to_end()?.starts_with(b"HTTP/1.1 431 "), "no 431");
    Ok(())
}

fn unmasked(mix: &Mix, random: &mut StdRng) -> Result<()> {
    expect(mix, random, b"\x81\x05Hello", 1002)
}

fn wrong_utf8(mix: &Mix, random: &mut StdRng) -> Result<()> {
    expect(mix, random, &frame(false, Opcode::Text, b"good \xFF bad"), 1007)
}

fn announces_too_much(mix: &Mix, random: &mut StdRng) -> Result<()> {
    expect(mix, random, &header(true, Opcode::Binary, MAX_MESSAGE + 1), 1009)
}

fn too_much_in_fragments(mix: &Mix, random: &mut StdRng) -> Result<()> {
    let first = frame(false, Opcode::Binary, &vec![7; MAX_MESSAGE]);
    expect(mix, random, &[first, frame(true, Opcode::Continuation, b"x")].concat(), 1009)
}

fn message_inside_message(mix: &Mix, random: &mut StdRng) -> Result<()> {
    let both = [frame(false, Opcode::Text, b"one"), frame(true, Opcode::Text, b"two")].concat();
    expect(mix, random, &both, 1002)
}

fn forbidden_close_code(mix: &Mix, random: &mut StdRng) -> Result<()> {
    expect(mix, random, &frame(true, Opcode::Close, &1005u16.to_be_bytes()), 1002)
}

fn goes_on_after_its_close(mix: &Mix, random: &mut StdRng) -> Result<()> {
    let close = frame(true, Opcode::Close, &1000u16.to_be_bytes());
    expect(mix, random, &[close, frame(true, Opcode::Binary, &[7; 50_000])].concat(), 1000)
}

/// Every Ping gets its Pong, and no other client suffers.
fn ping_flood(mix: &Mix, _: &mut StdRng) -> Result<()> {
    const PINGS: usize = 500;
    let mut raw = Raw::upgrade(mix.address, "/echo")?;
    raw.send(frame(true, Opcode::Ping, &[7; 125]).repeat(PINGS));
    raw.send(frame(true, Opcode::Close, b""));
    let pongs = frames(&raw.read_to_end()?)?.iter().filter(|frame| **frame == (Opcode::Pong, vec![7; 125])).count();
    ensure!(pongs == PINGS, "{pongs} Pongs for {PINGS} Pings");
    Ok(())
}

fn silent(mix: &Mix, random: &mut StdRng) -> Result<()> {
    upgrade(mix, random)?.expect_gone()
}
