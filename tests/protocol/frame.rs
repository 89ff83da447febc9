//! §5: frames. Pure: no socket.

use crate::support::{KEY, frame};
use plainsocket::ProtocolError as E;
use plainsocket::protocol::frame::{Header, Opcode, apply_mask, encode};
use std::hint::black_box;
use std::time::{Duration, Instant};

fn header(fin: bool, opcode: Opcode, masked: bool, length: u64) -> Header {
    Header { fin, rsv1: false, opcode, masked, length }
}

/// Decodes, and checks that every shorter piece asks for more.
fn decode(bytes: &[u8]) -> Result<(Header, usize), E> {
    for cut in 0..bytes.len() {
        match Header::decode(&bytes[..cut]) {
            Ok(None) => {}
            Ok(Some((header, used))) => {
                assert!(used <= cut);
                return Ok((header, used));
            }
            Err(error) => return Err(error),
        }
    }
    Header::decode(bytes).map(|found| found.expect("the header is complete"))
}

// §5.7 Examples

#[test]
fn examples_of_section_5_7() {
    let cases: [(&[u8], Header, usize); 7] = [
        (b"\x81\x05Hello", header(true, Opcode::Text, false, 5), 2),
        (b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", header(true, Opcode::Text, true, 5), 2),
        (b"\x01\x03Hel", header(false, Opcode::Text, false, 3), 2),
        (b"\x80\x02lo", header(true, Opcode::Continuation, false, 2), 2),
        (b"\x89\x05Hello", header(true, Opcode::Ping, false, 5), 2),
        (b"\x82\x7E\x01\x00", header(true, Opcode::Binary, false, 256), 4),
        (b"\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00", header(true, Opcode::Binary, false, 65536), 10),
    ];
    for (bytes, header, used) in cases {
        assert_eq!(decode(bytes), Ok((header, used)), "{bytes:02x?}");
        let mut encoded = Vec::new();
        header.encode(&mut encoded);
        assert_eq!(encoded, bytes[..used], "{header:?}");
    }
}

#[test]
fn a_masked_pong_of_section_5_7_unmasks() {
    let mut payload = *b"\x7f\x9f\x4d\x51\x58";
    apply_mask(&mut payload, KEY, 0);
    assert_eq!(&payload, b"Hello");
}

// §5.2 Base Framing Protocol

#[test]
fn every_length_takes_its_shortest_form_and_comes_back() {
    for (length, used) in
        [(0, 2), (1, 2), (125, 2), (126, 4), (127, 4), (65535, 4), (65536, 10), (1 << 32, 10), (i64::MAX as u64, 10)]
    {
        for masked in [false, true] {
            let header = header(true, Opcode::Binary, masked, length);
            let mut bytes = Vec::new();
            header.encode(&mut bytes);
            assert_eq!(bytes.len(), used);
            assert_eq!(decode(&bytes), Ok((header, used)));
        }
    }
}

#[test]
fn a_length_in_more_bytes_than_it_needs_is_refused() {
    for bytes in [
        &b"\x82\xFE\x00\x00"[..],
        b"\x82\xFE\x00\x7D",
        b"\x82\xFF\x00\x00\x00\x00\x00\x00\x00\x7D",
        b"\x82\xFF\x00\x00\x00\x00\x00\x00\xFF\xFF",
    ] {
        assert_eq!(decode(bytes), Err(E::LengthNotMinimal), "{bytes:02x?}");
    }
}

#[test]
fn a_length_with_its_top_bit_set_is_refused() {
    assert_eq!(decode(b"\x82\xFF\x80\x00\x00\x00\x00\x00\x00\x00"), Err(E::LengthTopBit));
    assert_eq!(decode(b"\x82\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"), Err(E::LengthTopBit));
}

#[test]
fn each_rsv_bit_is_refused_at_the_first_byte() {
    for bit in [0x40, 0x20, 0x10] {
        assert_eq!(Header::decode(&[0x81 | bit]), Err(E::ReservedBit));
    }
}

#[test]
fn every_reserved_opcode_is_refused_at_the_first_byte() {
    for opcode in (0x3..=0x7).chain(0xB..=0xF) {
        assert_eq!(Header::decode(&[0x80 | opcode]), Err(E::ReservedOpcode(opcode)));
    }
}

#[test]
fn every_first_byte_is_either_known_or_refused() {
    let good = (0..=255).filter(|&first| Header::decode(&[first]).is_ok());
    assert_eq!(good.collect::<Vec<u8>>(), [0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8A]);
}

// §5.3 Client-to-Server Masking

#[test]
fn masking_is_xor_with_key_byte_i_modulo_4_everywhere() {
    for length in 0..200 {
        for offset in 0..9 {
            let mut payload: Vec<u8> = (0..length).map(|i| (i * 7) as u8).collect();
            let plain: Vec<u8> = payload.iter().zip(offset..).map(|(byte, i)| byte ^ KEY[i % 4]).collect();
            let is_ascii = apply_mask(&mut payload, KEY, offset as u64);
            assert_eq!(payload, plain, "length {length}, offset {offset}");
            assert_eq!(is_ascii, plain.is_ascii(), "length {length}, offset {offset}");
        }
    }
}

#[test]
fn one_byte_that_is_not_ascii_is_seen_wherever_it_is() {
    for length in 1..100 {
        for place in 0..length {
            let mut payload = vec![b'a'; length];
            payload[place] = 0x80;
            apply_mask(&mut payload, KEY, 0);
            assert!(!apply_mask(&mut payload, KEY, 0), "length {length}, place {place}");
            payload[place] = 0x7F;
            apply_mask(&mut payload, KEY, 0);
            assert!(apply_mask(&mut payload, KEY, 0), "length {length}, place {place}");
        }
    }
}

#[test]
fn the_offset_of_a_huge_payload_does_not_overflow() {
    let mut payload = *b"abcd";
    apply_mask(&mut payload, KEY, u64::MAX);
    assert_eq!(payload, [b'a' ^ KEY[3], b'b' ^ KEY[0], b'c' ^ KEY[1], b'd' ^ KEY[2]]);
}

#[test]
#[ignore = "a measurement: needs --release"]
fn masking_is_at_least_four_times_as_fast_as_the_plain_loop() {
    let mut payload = vec![0; 64 * 1024];
    let plain = fastest(|| {
        for (i, byte) in payload.iter_mut().enumerate() {
            *byte ^= black_box(KEY)[i % 4];
        }
    });
    let wide = fastest(|| {
        apply_mask(black_box(&mut payload), KEY, 0);
    });
    assert!(plain >= wide * 4, "plain {plain:?}, wide {wide:?}");
}

/// Returns the time of the fastest of many runs, which was disturbed least.
fn fastest(mut run: impl FnMut()) -> Duration {
    let time = |_| {
        let started = Instant::now();
        run();
        started.elapsed()
    };
    (0..200).map(time).min().unwrap()
}

// §5.5 Control Frames

#[test]
fn a_control_frame_must_not_be_fragmented() {
    for opcode in [0x08, 0x09, 0x0A] {
        assert_eq!(Header::decode(&[opcode]), Err(E::FragmentedControl));
    }
}

#[test]
fn a_control_frame_takes_125_bytes_and_no_more() {
    for first in [0x88, 0x89, 0x8A] {
        assert!(decode(&frame(first, &[0; 125])).is_ok());
        // The second byte is enough for this error: the decoder does not wait for the length.
        assert_eq!(Header::decode(&[first, 0xFE]), Err(E::ControlTooLong));
        assert_eq!(Header::decode(&[first, 0xFF]), Err(E::ControlTooLong));
    }
}

// §6.1 Sending Data

#[test]
fn a_whole_frame_is_header_and_payload_unmasked() {
    let mut out = b"before".to_vec();
    encode(Opcode::Pong, b"", &mut out);
    encode(Opcode::Binary, &[7; 126], &mut out);
    assert_eq!(out, [&b"before\x8A\x00\x82\x7E\x00\x7E"[..], &[7; 126]].concat());
}
