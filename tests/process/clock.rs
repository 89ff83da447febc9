//! `/clock` of the program: pushes from another thread, while each client's own waits.

use crate::support::program::Program;
use crate::support::{CLOSE, Client, TEXT, close_frame, frame};
use std::time::{Duration, Instant};

/// Returns the next tick: the second of the day in its text, and the time at which it arrived.
fn tick(client: &mut Client) -> (u32, Instant) {
    let (first, payload) = client.read_frame();
    let (now, text) = (Instant::now(), String::from_utf8(payload).unwrap());
    let shape: String = text.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect();
    assert_eq!((first, &*shape), (TEXT, "0000-00-00T00:00:00Z"), "{text}");
    let part = |at: usize| text[at..at + 2].parse::<u32>().unwrap();
    (part(11) * 3600 + part(14) * 60 + part(17), now)
}

#[test]
fn clock_pushes_each_second_to_silent_clients() {
    let program = Program::start(&[]);
    let mut clients = [(); 2].map(|()| Client::connect(program.address, "/clock"));
    let ticks = [(); 3].map(|()| tick(&mut clients[0]));
    for pair in ticks.windows(2) {
        let [(second, came), (next, next_came)] = *pair else { unreachable!() };
        // At midnight the seconds restart at zero. A busy machine can skip a second.
        assert!((1..10).contains(&((next + 86_400 - second) % 86_400)), "{second}, {next}");
        // If the first tick was late, the next one seems early.
        assert!(next_came - came > Duration::from_millis(200), "{:?}", next_came - came);
    }
    assert!(ticks[2].1 - ticks[0].1 > Duration::from_millis(1200), "{:?}", ticks[2].1 - ticks[0].1);
    // The other client got the same ticks, but can have started one earlier or later.
    let others = [(); 2].map(|()| tick(&mut clients[1]).0);
    assert!(others.iter().any(|other| ticks.iter().any(|(second, _)| second == other)), "{others:?}");
}

#[test]
fn clock_reads_its_clients_and_ends_with_the_program() {
    let mut program = Program::start(&[]);
    let (mut leaves, mut stays) =
        (Client::connect(program.address, "/clock"), Client::connect(program.address, "/clock"));
    leaves.send([frame(TEXT, b"what time is it?"), close_frame(1000, "")].concat());
    while leaves.read_frame().0 != CLOSE {}
    tick(&mut stays);
    program.signal("TERM");
    while stays.read_frame().0 != CLOSE {}
    stays.send(close_frame(1001, ""));
    drop(stays);
    assert_eq!(program.wait(), Some(0));
}
