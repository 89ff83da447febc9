//! Good clients of `/echo`: each message that they send must come back unchanged.

use super::Mix;
use super::good::Good;
use anyhow::{Result, ensure};
use rand::RngExt as _;
use rand::rngs::StdRng;
use std::thread;
use std::time::Duration;
use tungstenite::Message;

/// Characters of one to four bytes.
const CHARACTERS: [char; 6] = ['a', 'Z', '\n', 'ß', '€', '🦀'];

/// Stays connected until the mix is over.
pub fn talk(mix: &Mix, random: &mut StdRng) {
    let mut visit = || -> Result<()> {
        let mut client = Good::connect(mix.address, "/echo")?;
        while !mix.is_over() {
            exchange(mix, &mut client, random)?;
            thread::sleep(Duration::from_millis(random.random_range(0..10)));
        }
        client.leave()
    };
    note(mix, "echo", visit());
}

/// Makes a new connection for every few messages.
pub fn come_and_go(mix: &Mix, random: &mut StdRng) {
    while !mix.is_over() {
        let mut visit = || -> Result<()> {
            let mut client = Good::connect(mix.address, if random.random() { "/echo" } else { "/" })?;
            for _ in 0..random.random_range(0..4) {
                exchange(mix, &mut client, random)?;
            }
            client.leave()
        };
        let visited = visit();
        mix.tally.reconnects.add(1);
        note(mix, "reconnecting", visited);
        thread::sleep(Duration::from_millis(random.random_range(5..40)));
    }
}

fn note(mix: &Mix, who: &str, visited: Result<()>) {
    if let Err(error) = visited {
        mix.tally.cut_off.add(1);
        mix.tally.complain(format!("{who}: {error:#}"));
    }
}

fn exchange(mix: &Mix, client: &mut Good, random: &mut StdRng) -> Result<()> {
    let message = message(random);
    let mut turn = || -> Result<()> {
        if random.random_bool(0.3) {
            client.send_in_fragments(&message, random)?;
        } else {
            client.send(message.clone())?;
        }
        ensure!(client.receive()? == message, "another message came back");
        Ok(())
    };
    let result = turn();
    if result.is_ok() {
        mix.tally.echoed.add(1)
    } else {
        mix.tally.lost.add(1)
    }
    result
}

fn message(random: &mut StdRng) -> Message {
    let most = [125, 4 * 1024, 64 * 1024, 200 * 1024][random.random_range(0..4)];
    let length = random.random_range(0..=most);
    if random.random() {
        let mut text = String::with_capacity(length + 4);
        while text.len() < length {
            text.push(CHARACTERS[random.random_range(0..CHARACTERS.len())]);
        }
        Message::text(text)
    } else {
        let mut bytes = vec![0; length];
        random.fill(&mut bytes[..]);
        Message::binary(bytes)
    }
}
