//! The capture of a whole connection: the table of docs/capture.md agrees with the packets.

use super::{assert_none, at, markdown, read};
use plainsocket::protocol::close::CloseFrame;
use plainsocket::protocol::decoder::{Event, MessageDecoder};
use plainsocket::protocol::request::Request;
use plainsocket::protocol::upgrade::accept_key;
use std::fs;

struct Packet {
    milliseconds: f64,
    from_server: bool,
    flags: u8,
    payload: Vec<u8>,
}

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

fn packets() -> Vec<Packet> {
    let file = fs::read(at("docs/capture/echo.pcap")).unwrap();
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes[..4].try_into().unwrap());
    // Little-endian, microseconds, Ethernet.
    assert_eq!((number(&file), number(&file[20..])), (0xA1B2_C3D4, 1));
    let (mut packets, mut rest, mut start) = (Vec::new(), &file[24..], None);
    while !rest.is_empty() {
        let time = f64::from(number(rest)) * 1e3 + f64::from(number(&rest[4..])) / 1e3;
        let length = number(&rest[8..]) as usize;
        assert_eq!(length, number(&rest[12..]) as usize, "cut off");
        let ip = &rest[16 + 14..16 + length];
        let tcp = &ip[usize::from(ip[0] & 0x0F) * 4..];
        packets.push(Packet {
            milliseconds: time - *start.get_or_insert(time),
            from_server: u16::from_be_bytes([tcp[0], tcp[1]]) == 8000,
            flags: tcp[13],
            payload: tcp[usize::from(tcp[12] >> 4) * 4..].to_vec(),
        });
        rest = &rest[16 + length..];
    }
    packets
}

/// Returns whether these are the bytes. `hex` can show only the beginning of them, followed by `…`.
fn fits(hex: &str, payload: &[u8]) -> bool {
    let bytes: Vec<String> = payload.iter().map(|byte| format!("{byte:02x}")).collect();
    match hex.strip_suffix(" …") {
        Some(begin) => bytes.join(" ").starts_with(begin),
        None => bytes.join(" ") == hex,
    }
}

#[test]
fn table_of_the_capture_is_what_the_packets_contain() {
    let page = markdown::parse(&read("docs/capture.md").unwrap());
    let rows: Vec<_> = page.rows.iter().filter(|row| row.cells.len() == 5).collect();
    let packets = packets();
    assert_eq!(rows.len(), packets.len());
    let mut problems = Vec::new();
    for (index, (row, packet)) in rows.iter().zip(&packets).enumerate() {
        let [number, time, from, what, bytes] = &row.cells[..] else { unreachable!("five cells") };
        let hex = bytes.code.first().map_or("", String::as_str);
        let flag = |flag: u8, name: &str| (packet.flags & flag != 0) == what.text.contains(name);
        let right = number.text == (index + 1).to_string()
            && time.text == format!("{:.1}", packet.milliseconds)
            && (from.text == "server") == packet.from_server
            && flag(SYN, "SYN")
            && flag(FIN, "FIN")
            && (packet.flags & ACK != 0 || index == 0)
            && fits(hex, &packet.payload);
        if !right {
            problems.push(format!("docs/capture.md:{}: not what packet {} is", row.line, index + 1));
        }
    }
    assert_none(&problems);
}

#[test]
fn capture_is_a_connection_of_this_protocol() {
    let packets = packets();
    let [request, reply] = [3, 5].map(|index| &packets[index].payload);
    let (request, used) = Request::parse(request).unwrap().unwrap();
    assert_eq!(used, packets[3].payload.len());
    let accept = accept_key(request.header("Sec-WebSocket-Key").unwrap());
    assert!(String::from_utf8_lossy(reply).contains(&format!("Sec-WebSocket-Accept: {accept}\r\n")));

    let sent: Vec<u8> =
        packets[7..].iter().filter(|packet| !packet.from_server).flat_map(|packet| packet.payload.clone()).collect();
    let (mut decoder, mut rest, mut events) = (MessageDecoder::new(1000), &sent[..], Vec::new());
    while !rest.is_empty() {
        let (used, event) = decoder.decode(rest).unwrap();
        rest = &rest[used..];
        events.extend(event);
    }
    let [Event::Message(hello), Event::Message(long), Event::Message(binary), Event::Pong(pong), Event::Close(close)] =
        &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(hello.as_bytes(), b"Hello");
    assert_eq!(long.as_bytes(), [b'x'; 200]);
    assert_eq!(binary.as_bytes(), [1, 2, 3]);
    assert_eq!(pong[..], [0; 8]);
    assert_eq!(close, &Some(CloseFrame::new(plainsocket::CloseCode::NORMAL, "bye")));
}
