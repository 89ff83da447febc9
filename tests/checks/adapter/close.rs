use super::frame::code;
use plainsocket::CloseFrame;
use std::io::Read;
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

pub fn answer_close(payload: &[u8]) -> Vec<u8> {
    match CloseFrame::decode(payload) {
        Ok(None) => Vec::new(),
        Ok(Some(close)) => close.code.get().to_be_bytes().to_vec(),
        Err(error) => code(error).to_be_bytes().to_vec(),
    }
}

pub fn hang_up(mut stream: TcpStream, patience: Duration) {
    let deadline = Instant::now() + patience;
    let _ = stream.shutdown(Shutdown::Write);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // The system would refuse a timeout of zero.
        if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() {
            return;
        }
        match stream.read(&mut [0; 4096]) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}
