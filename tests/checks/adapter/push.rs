//! A small version of one client's ticks, as the exercise asks for them. Those of the real server, which use its
//! `Sender`, are in `run.rs`.

use super::frame::encode_frame;
use super::registry::Client;
use crate::checks::words::{Settings, TEXT};
use std::thread;

pub fn tick_frame(number: u64) -> Vec<u8> {
    encode_frame(TEXT, format!("tick {number}").as_bytes())
}

pub fn push_ticks(client: &Client, settings: &Settings) {
    let mut number = 1;
    while client.send(&tick_frame(number)).is_ok() {
        number += 1;
        thread::sleep(settings.tick_interval);
    }
}
