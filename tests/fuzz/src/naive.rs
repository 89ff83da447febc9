//! A second decoder for a client's frames, written from RFC 6455 alone. It is plain and slow: it needs all the bytes,
//! begins at the first one, and copies each part that it reads.

use crate::utf8::first_bad_byte;
use plainsocket::ProtocolError as E;
use plainsocket::protocol::decoder::Event;
use plainsocket::{CloseCode, CloseFrame, Message};

/// An event or an error that a decoder reports.
#[derive(Debug, PartialEq)]
pub struct Told {
    /// The number of bytes that it takes: with one byte less, no decoder can know it.
    pub at: usize,
    pub what: Result<Event, E>,
}

/// Returns all events in `wire`; an error is the last of them.
pub fn decode(wire: &[u8], limit: usize) -> Vec<Told> {
    let mut decoder = Naive { wire, at: 0, limit, open: None };
    let mut told = Vec::new();
    loop {
        let what = match decoder.frame() {
            Ok(None) => continue,
            Ok(Some(event)) => Ok(event),
            Err(Stop::Broken(error)) => Err(error),
            Err(Stop::MoreNeeded) => return told,
        };
        let is_error = what.is_err();
        told.push(Told { at: decoder.at, what });
        if is_error {
            return told;
        }
    }
}

struct Naive<'a> {
    wire: &'a [u8],
    at: usize,
    limit: usize,
    /// The message whose last fragment has not arrived yet: whether it is text, and its bytes.
    open: Option<(bool, Vec<u8>)>,
}

/// The reason why a frame cannot be read to its end.
enum Stop {
    MoreNeeded,
    Broken(E),
}

impl From<E> for Stop {
    fn from(error: E) -> Stop {
        Stop::Broken(error)
    }
}

fn rule(kept: bool, otherwise: E) -> Result<(), E> {
    if kept { Ok(()) } else { Err(otherwise) }
}

impl Naive<'_> {
    fn byte(&mut self) -> Result<u8, Stop> {
        let byte = *self.wire.get(self.at).ok_or(Stop::MoreNeeded)?;
        self.at += 1;
        Ok(byte)
    }

    fn number(&mut self, bytes: usize) -> Result<u64, Stop> {
        let mut number = 0;
        for _ in 0..bytes {
            number = number << 8 | u64::from(self.byte()?);
        }
        Ok(number)
    }

    /// Returns the next frame's event, if it completes one. Where one byte breaks two rules, the RFC does not say which
    /// one to report, so this decoder reports the same one as plainsocket.
    fn frame(&mut self) -> Result<Option<Event>, Stop> {
        let first = self.byte()?;
        let (fin, reserved, opcode) = (first >> 7 == 1, first >> 4 & 7, first & 15);
        let is_control = opcode >= 8;
        rule(reserved == 0, E::ReservedBit)?;
        rule(matches!(opcode, 0..=2 | 8..=10), E::ReservedOpcode(opcode))?;
        rule(fin || !is_control, E::FragmentedControl)?;

        let second = self.byte()?;
        let (masked, short) = (second >> 7 == 1, second & 127);
        rule(short <= 125 || !is_control, E::ControlTooLong)?;
        let (length, shortest) = match short {
            126 => (self.number(2)?, 126),
            127 => (self.number(8)?, 65536),
            _ => (u64::from(short), 0),
        };
        rule(length >= shortest, E::LengthNotMinimal)?;
        rule(length < 1 << 63, E::LengthTopBit)?;
        rule(masked, E::Unmasked)?;

        if is_control { self.control(opcode, length) } else { self.data(fin, opcode, length) }
    }

    fn control(&mut self, opcode: u8, length: u64) -> Result<Option<Event>, Stop> {
        let payload = self.payload(length)?;
        whole(&payload, length)?;
        Ok(Some(match opcode {
            9 => Event::Ping(payload),
            10 => Event::Pong(payload),
            _ => Event::Close(close(&payload)?),
        }))
    }

    fn data(&mut self, fin: bool, opcode: u8, length: u64) -> Result<Option<Event>, Stop> {
        let (is_text, mut message) = match (opcode, self.open.take()) {
            (0, Some(open)) => open,
            (0, None) => return Err(E::NothingToContinue.into()),
            (_, Some(_)) => return Err(E::MessageInsideMessage.into()),
            (_, None) => (opcode == 1, Vec::new()),
        };
        rule(message.len() as u64 + length <= self.limit as u64, E::MessageTooBig(self.limit))?;

        let payload = self.payload(length)?;
        message.extend_from_slice(&payload);
        if is_text && let Some(bad) = first_bad_byte(&message) {
            // The error belongs to the position just after the bad byte, because the bytes that follow do not matter.
            self.at -= message.len() - (bad + 1);
            return Err(E::InvalidUtf8.into());
        }
        whole(&payload, length)?;
        if !fin {
            self.open = Some((is_text, message));
            return Ok(None);
        }
        Ok(Some(Event::Message(if is_text { Message::from(text(message)?) } else { Message::Binary(message) })))
    }

    /// Takes the masking key, and as much of the payload as has arrived.
    fn payload(&mut self, length: u64) -> Result<Vec<u8>, Stop> {
        let key = [self.byte()?, self.byte()?, self.byte()?, self.byte()?];
        let masked = self.wire[self.at..].iter().zip(0..length);
        let payload: Vec<u8> = masked.map(|(byte, i)| byte ^ key[(i % 4) as usize]).collect();
        self.at += payload.len();
        Ok(payload)
    }
}

fn whole(payload: &[u8], length: u64) -> Result<(), Stop> {
    if payload.len() as u64 == length { Ok(()) } else { Err(Stop::MoreNeeded) }
}

fn text(bytes: Vec<u8>) -> Result<String, E> {
    String::from_utf8(bytes).map_err(|_| E::InvalidUtf8)
}

/// Decodes the payload of a Close (§5.5.1), with the codes of §7.4 and those that were registered later.
pub fn close(payload: &[u8]) -> Result<Option<CloseFrame>, E> {
    if payload.is_empty() {
        return Ok(None);
    }
    if payload.len() == 1 {
        return Err(E::CloseCodeCut);
    }
    let number = u16::from(payload[0]) << 8 | u16::from(payload[1]);
    let of_the_registry = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
    if !of_the_registry.contains(&number) && !(3000..5000).contains(&number) {
        return Err(E::CloseCodeForbidden(number));
    }
    let code = CloseCode::new(number).expect("a code that can be sent");
    let reason = str::from_utf8(&payload[2..]).map_err(|_| E::InvalidUtf8)?;
    // `CloseFrame::new` would shorten a reason that is too long for a control frame.
    let mut close = CloseFrame::new(code, "");
    close.reason = reason.to_owned();
    Ok(Some(close))
}
