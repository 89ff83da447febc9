//! One client's life on the real protocol, with one slip.

use crate::checks::subject::MY_SERVER;
use crate::checks::words::{CLOSE, Failure, Frame, PING, Settings, TEXT};
use std::io::Write as _;
use std::net::TcpStream;

#[derive(Clone, Copy, PartialEq)]
pub enum Slip {
    None,
    NoMessageLimit,
    NoFrameLimit,
    PanicsAtAPing,
    ReadsBehindClose,
    FaultIgnored,
    Always1002,
    LittleEndian,
    RefusalDropped,
    DroppedAfterAFault,
    AlwaysText,
    AssemblerAnew,
    BufferAnew,
    EmptyBuffer,
    EmptyCloseAs1000,
    EndIgnored,
    Unwraps,
    UnwrapsReads,
    ClosePayloadEchoed,
    UnwrapsWrites,
    ShutDownAfterTheClose,
    QuietDropped,
    PongRefused,
    TenMessages,
    PongWhenAlone,
    OneEchoPath,
}

pub fn serve(mut stream: TcpStream, settings: &Settings, slip: Slip) {
    let outcome = match (MY_SERVER.shake_hands)(&mut stream) {
        Ok(Some((request, buffer))) => {
            let slip = if slip == Slip::OneEchoPath && request.path == "/echo" { Slip::None } else { slip };
            talk(&mut stream, buffer, settings, slip)
        }
        _ if slip == Slip::RefusalDropped => return,
        _ => Ok(()),
    };
    if slip == Slip::Unwraps {
        outcome.as_ref().unwrap();
    }
    if let Err(Failure::Close(code)) = outcome {
        let payload = match slip {
            Slip::Always1002 => 1002_u16.to_be_bytes(),
            Slip::LittleEndian => code.to_le_bytes(),
            _ => code.to_be_bytes(),
        };
        let _ = stream.write_all(&(MY_SERVER.encode_frame)(CLOSE, &payload));
        if slip == Slip::DroppedAfterAFault {
            return;
        }
    }
    if slip == Slip::ShutDownAfterTheClose {
        let _ = stream.shutdown(std::net::Shutdown::Both);
    }
    (MY_SERVER.hang_up)(stream, settings.close_timeout);
}

fn talk(stream: &mut TcpStream, mut buffer: Vec<u8>, settings: &Settings, slip: Slip) -> Result<(), Failure> {
    let limit = if slip == Slip::NoFrameLimit { 1 << 30 } else { settings.max_message };
    let mut assembler =
        (MY_SERVER.assembler)(if slip == Slip::NoMessageLimit { 1 << 30 } else { settings.max_message });
    if slip == Slip::QuietDropped {
        stream.set_read_timeout(Some(settings.close_timeout))?;
    }
    let mut messages = 0;
    if slip == Slip::EmptyBuffer {
        buffer.clear();
    }
    loop {
        let frame = match (MY_SERVER.read_frame)(stream, &mut buffer, limit) {
            Ok(Some(frame)) => frame,
            Ok(None) if slip == Slip::EndIgnored => {
                std::thread::sleep(std::time::Duration::from_millis(1));
                continue;
            }
            Ok(None) => return Ok(()),
            Err(Failure::Close(_)) if slip == Slip::FaultIgnored => {
                buffer.clear();
                continue;
            }
            Err(Failure::Io(error)) if slip == Slip::UnwrapsReads => panic!("{error:?}"),
            Err(failure) => return Err(failure),
        };
        if slip == Slip::AssemblerAnew {
            assembler = (MY_SERVER.assembler)(limit);
        }
        if slip == Slip::BufferAnew {
            buffer.clear();
        }
        messages += usize::from(frame.opcode < 8);
        if slip == Slip::PongRefused && frame.opcode == 10 || slip == Slip::TenMessages && messages > 10 {
            return Err(Failure::Close(1002));
        }
        assert!(frame.opcode != PING || slip != Slip::PanicsAtAPing, "a Ping");
        if frame.opcode == CLOSE {
            stream.write_all(&close(&frame, slip))?;
            if slip != Slip::ReadsBehindClose {
                return Ok(());
            }
        } else if let Some(pong) = (MY_SERVER.answer_ping)(&frame) {
            if slip != Slip::PongWhenAlone || buffer.is_empty() {
                stream.write_all(&pong)?;
            }
        } else if let Some(message) = assembler(frame)?.filter(|_| slip != Slip::OneEchoPath) {
            let opcode = if slip == Slip::AlwaysText { TEXT } else { message.opcode };
            let outcome = stream.write_all(&(MY_SERVER.encode_frame)(opcode, &message.payload));
            // The kind of error depends on the system.
            assert!(outcome.is_ok() || slip != Slip::UnwrapsWrites, "called `Result::unwrap()` on an `Err` value");
            outcome?;
        }
    }
}

fn close(frame: &Frame, slip: Slip) -> Vec<u8> {
    let payload = match slip {
        Slip::EmptyCloseAs1000 if frame.payload.is_empty() => 1000_u16.to_be_bytes().to_vec(),
        Slip::ClosePayloadEchoed => frame.payload.clone(),
        _ => (MY_SERVER.answer_close)(&frame.payload),
    };
    (MY_SERVER.encode_frame)(CLOSE, &payload)
}
