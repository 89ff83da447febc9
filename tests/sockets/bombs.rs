//! Compressed messages that are meant to do harm (RFC 7692 §8): they inflate to too much, inflate too slowly, are cut,
//! or are not DEFLATE at all.
#![cfg(feature = "deflate")]

use crate::support::deflate::{Compressing, RSV1, bomb, deflated, json};
use crate::support::inflate::{Rules, inflate};
#[cfg(target_os = "linux")]
use crate::support::program::{Program, plainsocket};
use crate::support::{BINARY, CLOSE, Client, TEXT, frame, start};
#[cfg(target_os = "linux")]
use crate::support::{PING, PONG};
use plainsocket::protocol::decoder::MessageDecoder;
use plainsocket::protocol::deflate::Agreement;
use plainsocket::protocol::request::Request;
use plainsocket::{Compression, Config};
use std::net::SocketAddr;
#[cfg(target_os = "linux")]
use std::process::Stdio;
#[cfg(target_os = "linux")]
use std::time::Instant;

const OFFER: &str = "permessage-deflate";

/// A server for each of the two ways to keep windows.
fn both(config: Config) -> [SocketAddr; 2] {
    [Compression::PerMessage, Compression::Context].map(|compression| start(Config { compression, ..config.clone() }))
}

fn limited(max_message_size: usize) -> Config {
    Config { max_message_size, ..Config::default() }
}

/// Returns the code of the server's Close, which must be the next frame.
fn close_code(client: &mut Client) -> u16 {
    let (first, payload) = client.read_frame();
    assert_eq!(first, CLOSE, "a Close frame, not {:?}", String::from_utf8_lossy(&payload));
    u16::from_be_bytes(*payload.first_chunk().unwrap())
}

/// Returns the code of the Close that answers these bytes.
fn code_of(address: SocketAddr, bytes: &[u8]) -> u16 {
    let mut client = Compressing::connect(address, "/echo", &[OFFER]);
    client.client.send(bytes);
    close_code(&mut client.client)
}

/// The header of a frame of `length` bytes, and a part of its payload.
fn begun(first: u8, length: usize, part: &[u8]) -> Vec<u8> {
    let mut whole = part.to_vec();
    whole.resize(length, 0);
    let frame = frame(first, &whole);
    frame[..frame.len() - (length - part.len())].to_vec()
}

// The limit applies to the inflated message

#[test]
fn message_can_inflate_to_the_limit_and_no_further() {
    for address in both(limited(100_000)) {
        let mut client = Compressing::connect(address, "/echo", &[OFFER]);
        for first in [TEXT, BINARY] {
            client.send(first, &[b'x'; 100_000]);
            client.expect(first, &[b'x'; 100_000]);
        }
        client.send(TEXT, &[b'x'; 100_001]);
        assert_eq!(close_code(&mut client.client), 1009);
    }
}

#[test]
fn second_stream_beyond_the_limit_is_too_much_and_no_bad_data() {
    for address in both(limited(1000)) {
        // A stored block with BFINAL, and then a match of three bytes at distance one.
        let whole = [&[0x01, 0xE8, 0x03, 0x17, 0xFC][..], &[b'x'; 1000]].concat();
        let mut client = Compressing::connect(address, "/echo", &[OFFER]);
        client.client.send(frame(TEXT | RSV1, &[&whole[..], &[0x00]].concat()));
        client.expect(TEXT, &[b'x'; 1000]);
        client.client.send(frame(TEXT | RSV1, &[&whole[..], &[0x02, 0x02, 0x00]].concat()));
        assert_eq!(close_code(&mut client.client), 1009);
    }
}

#[test]
fn bomb_in_a_frame_in_fragments_or_in_parts_ends_with_1009() {
    for address in both(limited(100_000)) {
        let bomb = bomb(1000);
        let fragments: Vec<u8> = bomb[1..].chunks(100).flat_map(|part| frame(0x00, part)).collect();
        for bytes in [
            frame(BINARY | RSV1, &bomb),
            frame(TEXT | RSV1, &bomb),
            [frame(0x02 | RSV1, &bomb[..1]), fragments].concat(),
            // A bomb at the beginning of a frame that is much longer.
            begun(BINARY | RSV1, 100_000, &bomb),
        ] {
            assert_eq!(code_of(address, &bytes), 1009);
        }
    }
}

#[test]
fn bomb_inside_a_bomb_is_not_inflated() {
    for address in both(limited(100_000)) {
        let mut client = Compressing::connect(address, "/echo", &[OFFER]);
        let inner = bomb(50_000);
        client.send(BINARY, &inner);
        client.expect(BINARY, &inner);
    }
}

#[test]
fn empty_blocks_without_end_and_streams_without_end_are_refused() {
    for address in both(limited(10_000)) {
        // An empty stored block, and an empty block with the fixed code.
        for block in [&[0x00, 0x00, 0x00, 0xFF, 0xFF][..], &[0x02, 0x08, 0x20, 0x80, 0x00]] {
            let block = frame(0x00, &block.repeat(20));
            let bytes = [frame(BINARY | RSV1 & 0x7F, b""), block.repeat(300)].concat();
            assert_eq!(code_of(address, &[&[(0x02 | RSV1)][..], &bytes[1..]].concat()), 1009);
        }
        // Each stream of two bytes would cost a copy of the window.
        assert_eq!(code_of(address, &frame(BINARY | RSV1, &[0x03, 0x00].repeat(4000))), 1007);
    }
}

#[test]
fn decoder_that_has_more_waits_for_the_byte_that_it_holds_back() {
    let head = b"GET / HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    let (request, _) = Request::parse(head).unwrap().unwrap();
    let agreement = Agreement::negotiate(&request, Compression::PerMessage).unwrap();
    let mut decoder = MessageDecoder::new(1 << 20).with_compression(agreement);
    let wire = begun(BINARY | RSV1, 1000, &bomb(300));
    let (used, event) = decoder.decode(&wire).unwrap();
    assert!(decoder.has_more() && event.is_none() && used < wire.len());
    let held = decoder.held();
    assert_eq!(decoder.decode(&[]), Ok((0, None)));
    assert!(decoder.has_more() && decoder.held() == held);
    let (_, event) = decoder.decode(&wire[used..]).unwrap();
    assert!(event.is_none() && decoder.held() > held);
}

// Bad data

#[test]
fn bad_deflate_is_reported_at_its_first_bad_byte() {
    for address in both(Config::default()) {
        for (part, what) in [
            (&[0x07][..], "a block of the reserved type"),
            (&[0x00, 0x05, 0x00, 0xFA, 0xFE], "a length without its complement"),
            (&[0x00, 0x01, 0x00, 0xFE, 0xFF, b'x', 0x07], "the same after a good block"),
            (&[0x02, 0x02], "a reference beyond the start of the message"),
            (&[0xFC, 0xFF, 0xFF, 0xFF], "more codes than there are"),
        ] {
            let bytes = begun(BINARY | RSV1, 10_000, part);
            assert_eq!(code_of(address, &bytes), 1007, "{what}");
        }
    }
}

#[test]
fn reference_to_earlier_message_without_context_is_bad_data() {
    let [alone, context] = both(Config::default());
    let mut client = Compressing::connect(context, "/echo", &[OFFER]);
    let message = json(300, 1);
    let payloads = [client.compress(&message), client.compress(&message)];
    for payload in &payloads {
        client.client.send(frame(BINARY | RSV1, payload));
        client.expect(BINARY, &message);
    }
    let mut client = Compressing::connect(alone, "/echo", &[OFFER]);
    client.client.send(frame(BINARY | RSV1, &payloads[0]));
    client.expect(BINARY, &message);
    client.client.send(frame(BINARY | RSV1, &payloads[1]));
    assert_eq!(close_code(&mut client.client), 1007);
}

#[test]
fn stream_that_is_cut_anywhere_is_bad_data() {
    let whole = [deflated(&json(200, 1)), deflated(&json(50, 2))].concat();
    let [address, _] = both(Config::default());
    for length in 1..=whole.len() {
        let rules = Rules { before: b"", window: 1 << 15, limit: 1000, allows: |_, _| true };
        let expected = inflate(&whole[..length], rules);
        let mut client = Compressing::connect(address, "/echo", &[OFFER]);
        client.client.send(frame(BINARY | RSV1, &whole[..length]));
        match expected {
            Ok(message) => drop(client.expect(BINARY, &message)),
            Err(_) => assert_eq!(close_code(&mut client.client), 1007, "cut at {length}"),
        }
    }
}

#[test]
fn text_is_checked_while_it_comes_out() {
    for address in both(Config::default()) {
        // A stored block maps each byte to itself, so the place of the bad byte is known.
        let stored = |bytes: &[u8]| [&[0x00, 0xE8, 0x03, 0x17, 0xFC], bytes].concat();
        for bad in [&b"\xFF"[..], b"abc\xC0", b"\xED\xA0", b"\xF4\x90"] {
            assert_eq!(code_of(address, &begun(TEXT | RSV1, 10_000, &stored(bad))), 1007, "{bad:02x?}");
        }
        // The same in a long message, most of which is never sent.
        let long = deflated(&[b"\xFF", &json(200_000, 1)[..]].concat());
        assert_eq!(code_of(address, &begun(TEXT | RSV1, long.len(), &long[..long.len() / 4])), 1007);
        // The end of a block, a stream or a fragment can cut a character. The end of the message cannot.
        let mut client = Compressing::connect(address, "/echo", &[OFFER]);
        let halves = [&[0x01, 0x01, 0x00, 0xFE, 0xFF, 0xC3][..], &[0x00, 0x01, 0x00, 0xFE, 0xFF, 0xBC, 0x00]];
        client.client.send([frame(0x01 | RSV1, halves[0]), frame(0x80, halves[1])].concat());
        client.expect(TEXT, "ü".as_bytes());
        client.client.send(frame(TEXT | RSV1, &[0x00, 0x01, 0x00, 0xFE, 0xFF, 0xC3, 0x00]));
        assert_eq!(close_code(&mut client.client), 1007);
    }
}

// Memory, measured from outside

/// The peak of the program's memory since its start, in KiB.
#[cfg(target_os = "linux")]
fn peak(program: &Program) -> usize {
    program.status("VmHWM")
}

/// A limit of 4 MiB, in KiB. A bomb of 5 KiB inflates to more, and a bomb of 1 MiB inflates to 1 GiB.
#[cfg(target_os = "linux")]
const LIMIT: usize = 4 * 1024;

#[cfg(target_os = "linux")]
#[test]
fn bomb_takes_no_more_memory_than_the_largest_message() {
    let bombs = [
        frame(BINARY | RSV1, &bomb(5 * 1024)),
        frame(TEXT | RSV1, &bomb(1 << 20)),
        [frame(0x02 | RSV1, &bomb(0)), frame(0x00, &[0; 5 * 1024])].concat(),
    ];
    for (path, log) in [("/echo", "info"), ("/inspect", "info"), ("/echo", "plainsocket::wire=trace")] {
        for bomb in &bombs {
            let limit = (LIMIT * 1024).to_string();
            let mut command = plainsocket(&["--listen", "127.0.0.1:0", "--compress", "--max-message-size", &limit]);
            command.env("RUST_LOG", log).stderr(Stdio::null());
            let program = Program::spawn_with_log(command);
            let mut client = Compressing::connect(program.address, path, &[OFFER]);
            let (before, started) = (peak(&program), Instant::now());
            // The write can fail, because the server does not read the bomb to its end.
            let _ = std::io::Write::write_all(&mut client.client.stream, bomb);
            while client.read().first != CLOSE {}
            let more = peak(&program) - before;
            println!("{path}, {log}: {:.0?}, {more} KiB more", started.elapsed());
            assert!(more < LIMIT + LIMIT / 4, "{path}, {log}: {more} KiB for a message of up to {LIMIT} KiB");
        }
    }
}

/// Sends a bomb from each of `count` clients at once. Returns how many were closed with 1009 and with 1013, the peak of
/// memory in KiB, and two times in ms: the longest wait of another client for an echo, and the whole run.
#[cfg(target_os = "linux")]
fn bombs_at_once(count: usize, limit: &str, max_memory: &str) -> ([usize; 2], usize, [u128; 2]) {
    let program = Program::start(&["--compress", "--max-message-size", limit, "--max-memory", max_memory]);
    let mut clients: Vec<Compressing> =
        (0..count).map(|_| Compressing::connect(program.address, "/echo", &[OFFER])).collect();
    let mut other = Client::connect(program.address, "/echo");
    let bomb = frame(BINARY | RSV1, &bomb(17 * 1024));
    let started = Instant::now();
    clients.iter_mut().for_each(|client| client.client.send(&bomb));
    let (mut codes, mut longest) = ([0, 0], 0);
    for client in &mut clients {
        let asked = Instant::now();
        other.send(frame(PING, b"?"));
        other.read_frame();
        longest = longest.max(asked.elapsed().as_millis());
        match close_code(&mut client.client) {
            1009 => codes[0] += 1,
            1013 => codes[1] += 1,
            code => panic!("closed with {code}"),
        }
    }
    (codes, peak(&program), [longest, started.elapsed().as_millis()])
}

#[cfg(target_os = "linux")]
#[test]
fn forty_bombs_at_once_stay_within_the_memory_for_all() {
    let (codes, peak, times) = bombs_at_once(40, "1048576", "8388608");
    println!("1009, 1013: {codes:?}; at most {peak} KiB; longest echo, all: {times:?} ms");
    assert_eq!(codes[0] + codes[1], 40);
    assert!(peak < 32 * 1024, "{peak} KiB with 8 MiB for all");
}

/// `cargo test --release --features deflate --test suite bombs -- --include-ignored --nocapture`
#[cfg(target_os = "linux")]
#[test]
#[ignore = "1,000 bombs; meant for a release build"]
fn thousand_bombs_at_once_stay_within_the_memory_for_all() {
    for count in [1, 100, 1000] {
        let (codes, peak, times) = bombs_at_once(count, "16777216", "67108864");
        println!("{count} bombs: 1009, 1013: {codes:?}; at most {peak} KiB; longest echo, all: {times:?} ms");
        // 64 MiB for messages, 16 MiB for the program, and 96 KiB for each client, which are its stack, an inflater and
        // the first step of its buffer.
        assert!(peak < 64 * 1024 + 16 * 1024 + 96 * count, "{peak} KiB for {count} clients");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn half_inflated_messages_count_for_the_memory_of_all() {
    const MEMORY: usize = 8 << 20;
    let program = Program::start(&["--compress", "--max-memory", &MEMORY.to_string()]);
    // A fragment that inflates to 1 MiB and is not the last.
    let part = frame(0x02 | RSV1, &bomb(1030));
    let mut clients: Vec<Compressing> =
        (0..12).map(|_| Compressing::connect(program.address, "/echo", &[OFFER])).collect();
    let mut codes = Vec::new();
    for client in &mut clients {
        client.client.send(&part);
        // The server counts what it holds before the next read, so the second Pong shows that the client passed the
        // count.
        for _ in 0..2 {
            client.client.send(frame(PING, b"?"));
            match client.client.read_frame() {
                (PONG, _) => {}
                (CLOSE, payload) => {
                    codes.push(u16::from_be_bytes(*payload.first_chunk().unwrap()));
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    // Seven messages fit into 8 MiB, or six, with the other buffers of the clients.
    assert!(codes == [1013; 5] || codes == [1013; 6], "{codes:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn clients_beyond_the_memory_for_windows_get_no_context() {
    const MEMORY: usize = 8 << 20;
    let program = Program::start(&["--compress", "context", "--max-memory", &MEMORY.to_string()]);
    let connect = || Compressing::connect(program.address, "/echo", &[OFFER]);
    let has_context = |client: &Compressing| client.answer.as_deref() == Some("permessage-deflate");
    let mut clients: Vec<Compressing> = (0..40).map(|_| connect()).collect();
    let with_context = clients.iter().filter(|client| has_context(client)).count();
    // Each client's windows take 344 KiB, of half the memory. The other half is for messages and for later clients.
    assert!((10..=11).contains(&with_context), "{with_context} clients keep their windows in 4 of 8 MiB");
    clients.extend((0..100).map(|_| connect()));
    let message = json(30_000, 1).repeat(30);
    for client in [0, 20, 100] {
        clients[client].client.send(frame(TEXT, &message));
        clients[client].expect(TEXT, &message);
    }
    // The clients that leave free their memory for others.
    clients.clear();
    crate::support::wait_for("room for windows", || has_context(&connect()));
}

/// `ulimit -n 22000; cargo test --release --features deflate --test suite bombs -- --include-ignored --nocapture`
#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs 10,000 clients; meant for a release build"]
fn windows_of_ten_thousand_clients_stay_within_max_memory() {
    const MEMORY: usize = 256 << 20;
    let arguments = ["--compress", "context", "--max-memory", &MEMORY.to_string(), "--ping-interval", "600"];
    let program = Program::start(&arguments);
    let message = json(1000, 1);
    let (mut clients, mut with_context) = (Vec::new(), 0);
    for _ in 0..9_900 {
        let mut client = Compressing::connect(program.address, "/echo", &[OFFER]);
        with_context += usize::from(client.answer.as_deref() == Some("permessage-deflate"));
        // This message puts both windows to use.
        client.send(TEXT, &message);
        client.expect(TEXT, &message);
        clients.push(client.client);
    }
    let resident = program.status("VmRSS");
    println!("{} clients, {with_context} with context: {resident} KiB", clients.len());
    assert!((350..=390).contains(&with_context), "{with_context}");
    assert!(resident < 256 * 1024 + 10_000 * 24, "{resident} KiB");
}
