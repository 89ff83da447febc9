//! Wrong answers that end a whole process, or never end.

use crate::checks::subject::MY_SERVER;
use crate::checks::words::Frame;
use std::hint::black_box;
use std::thread;

struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        panic!("in the middle of another panic");
    }
}

pub fn panics_twice() -> ! {
    let _second = PanicsInDrop;
    panic!("the first");
}

#[allow(unconditional_recursion, clippy::only_used_in_recursion)] // that is its mistake
pub fn calls_itself(payload: &mut [u8], key: [u8; 4]) {
    let mut copy = [0_u8; 4096];
    calls_itself(black_box(&mut copy), key);
    payload.iter_mut().zip(copy).for_each(|(byte, other)| *byte ^= other);
}

pub fn prints_for_ever() -> ! {
    loop {
        // A test of libtest catches `println!`.
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), "still here");
    }
}

pub fn panics_in_the_library() -> ! {
    for _ in (0..3).step_by(black_box(0)) {}
    unreachable!("a step of 0 panics");
}

pub fn loops_for_ever() -> ! {
    loop {
        thread::park();
    }
}

/// Reserves memory for this many bytes.
pub fn reserves(bytes: usize) {
    black_box(Vec::<u8>::with_capacity(black_box(bytes)));
}

/// Runs `vec![0; header.length as usize]`, and only then checks whether the length is allowed.
pub fn reserves_what_is_announced(buffer: &mut Vec<u8>, limit: usize) -> Result<Option<Frame>, u16> {
    if let Ok(Some(header)) = (MY_SERVER.decode_header)(buffer) {
        black_box(vec![0_u8; header.length as usize]);
    }
    (MY_SERVER.take_frame)(buffer, limit)
}

pub fn keeps_everything() -> ! {
    let mut all = Vec::new();
    loop {
        all.push(Vec::<u8>::with_capacity(1 << 26));
        black_box(&all);
    }
}

pub fn starts_threads() -> ! {
    loop {
        thread::spawn(thread::park);
    }
}
