use super::frame::{code, encode_frame, wire};
use crate::checks::words::{BINARY, CONTINUATION, Frame, Message, PING, PONG, TEXT};
use plainsocket::protocol::decoder::{Event, MessageDecoder};

pub fn answer_ping(frame: &Frame) -> Option<Vec<u8>> {
    (frame.opcode == PING).then(|| encode_frame(PONG, &frame.payload))
}

pub struct Assembler {
    decoder: MessageDecoder,
}

impl Assembler {
    pub fn new(limit: usize) -> Assembler {
        Assembler { decoder: MessageDecoder::new(limit) }
    }

    pub fn take(&mut self, frame: Frame) -> Result<Option<Message>, u16> {
        match self.decoder.decode(&wire(&frame)).map_err(code)?.1 {
            Some(Event::Message(message)) => {
                Ok(Some(Message { opcode: message.opcode() as u8, payload: message.into_bytes() }))
            }
            _ => Ok(None),
        }
    }
}

pub fn check_text(payload: &[u8]) -> Result<(), u16> {
    let frame = Frame { fin: true, opcode: TEXT, payload: payload.to_vec() };
    Assembler::new(payload.len()).take(frame).map(drop)
}

pub fn check_size(so_far: usize, more: u64, limit: usize) -> Result<(), u16> {
    let mut assembler = Assembler::new(limit);
    assembler.take(Frame { fin: false, opcode: BINARY, payload: vec![0; so_far] })?;
    let mut announced = wire(&Frame { fin: true, opcode: CONTINUATION, payload: vec![0; 1 << 16] });
    announced.truncate(2);
    // A header can hold no greater length than this.
    announced.extend(more.min(u64::MAX >> 1).to_be_bytes());
    if more <= 0xFFFF {
        announced = wire(&Frame { fin: true, opcode: CONTINUATION, payload: vec![0; more as usize] });
    }
    assembler.decoder.decode(&announced).map(drop).map_err(code)
}
