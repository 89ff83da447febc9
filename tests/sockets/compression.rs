//! permessage-deflate (RFC 7692) over real sockets: what client and server agree on, their frames, and rooms in which
//! only some members compress. Messages that inflate to too much are in `bombs.rs`.
#![cfg(feature = "deflate")]

use crate::support::deflate::{Compressing, RSV1, deflated, json, noise, offering};
use crate::support::{
    BINARY, CLOSE, Client, DEADLINE, PING, PONG, Running, TEXT, close_frame, frame, header, request, start, status,
};
use plainsocket::protocol::deflate::{Agreement, Deflater};
use plainsocket::protocol::request::Request;
use plainsocket::{Compression, Config, Connection, Error, Sender, Server};
use socket2::{Domain, Socket, Type};
use std::collections::HashMap;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

const OFFER: &str = "permessage-deflate; client_max_window_bits";

/// The answer to most offers if no side keeps its window between messages.
const ALONE: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// Header lines with offers, and the answers of a server that resets its window and of one that keeps it.
type Offer = (&'static [&'static str], Option<&'static str>, Option<&'static str>);

const OFFERS: &[Offer] = &[
    (&["permessage-deflate"], Some(ALONE), Some("permessage-deflate")),
    (&[OFFER], Some(ALONE), Some("permessage-deflate")),
    // Parameters that a client can add.
    (&["permessage-deflate; client_max_window_bits=12"], Some(ALONE), Some("permessage-deflate")),
    (&["permessage-deflate; server_no_context_takeover; client_no_context_takeover"], Some(ALONE), Some(ALONE)),
    (
        &["permessage-deflate; server_max_window_bits=10; client_max_window_bits=15"],
        Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10"),
        Some("permessage-deflate; server_max_window_bits=10"),
    ),
    (
        &["permessage-deflate\t;\tserver_max_window_bits = \"12\" ; server_no_context_takeover"],
        Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12"),
        Some("permessage-deflate; server_no_context_takeover; server_max_window_bits=12"),
    ),
    // The client's order decides, also across several lines.
    (
        &["permessage-deflate; server_max_window_bits=9, permessage-deflate"],
        Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9"),
        Some("permessage-deflate; server_max_window_bits=9"),
    ),
    (
        &["x-other; a=1", ", ,permessage-deflate , permessage-deflate; server_max_window_bits=9"],
        Some(ALONE),
        Some("permessage-deflate"),
    ),
    // A declined offer does not affect the others (§7).
    (&["permessage-deflate; server_max_window_bits=16, permessage-deflate"], Some(ALONE), Some("permessage-deflate")),
    (&["permessage-deflate; server_max_window_bits", "permessage-deflate"], Some(ALONE), Some("permessage-deflate")),
    (
        &["permessage-deflate; mystery, x-webkit-deflate-frame, permessage-deflate"],
        Some(ALONE),
        Some("permessage-deflate"),
    ),
    (
        &["permessage-deflate; client_max_window_bits=\"08\", permessage-deflate"],
        Some(ALONE),
        Some("permessage-deflate"),
    ),
    (
        &["permessage-deflate; server_no_context_takeover; server_no_context_takeover, permessage-deflate"],
        Some(ALONE),
        Some("permessage-deflate"),
    ),
    (&["permessage-deflate; client_no_context_takeover=1"], None, None),
    (&["permessage-deflate; server_max_window_bits=7"], None, None),
    (&["permessage-deflate; server_max_window_bits=010"], None, None),
    (&["permessage-deflate; server_max_window_bits=10; server_max_window_bits=10"], None, None),
    (&["permessage-deflate; client_max_window_bits; client_max_window_bits"], None, None),
    (&["x-webkit-deflate-frame"], None, None),
    (&["permessage-bzip2; server_max_window_bits=10"], None, None),
    (&[], None, None),
];

fn config(compression: Compression) -> Config {
    Config { compression, ..Config::default() }
}

/// A server for each of the two ways to keep windows.
fn both() -> [(Compression, SocketAddr); 2] {
    [Compression::PerMessage, Compression::Context].map(|compression| (compression, start(config(compression))))
}

fn assert_echo(client: &mut Compressing, first: u8, message: &[u8]) {
    client.send(first, message);
    client.expect(first, message);
}

// §5 and §7: negotiation

#[test]
fn agreement_is_the_first_offer_that_can_be_kept_and_holds() {
    let [(_, alone), (_, context)] = both();
    for &(lists, in_alone, in_context) in OFFERS {
        for (address, expected) in [(alone, in_alone), (context, in_context)] {
            let mut client = Compressing::connect(address, "/echo", lists);
            assert_eq!(client.answer.as_deref(), expected, "{lists:?}");
            let message = json(5000, 1);
            if expected.is_some() {
                assert_echo(&mut client, TEXT, &message);
                client.send(TEXT, &message);
                assert!(client.expect(TEXT, &message).compressed.is_some_and(|length| length < message.len() / 2));
            } else {
                client.client.send(frame(TEXT, &message));
                assert_eq!(client.expect(TEXT, &message).compressed, None);
                client.client.send(frame(TEXT | RSV1, &deflated(b"Hello")));
                client.client.expect_close(Some(1002));
            }
        }
    }
}

#[test]
fn offer_without_the_flag_is_declined_and_rsv1_is_a_broken_rule() {
    let address = start(Config::default());
    let mut client = Compressing::connect(address, "/echo", &[OFFER]);
    assert_eq!(client.answer, None);
    client.client.send(frame(TEXT, &[b'x'; 5000]));
    assert_eq!(client.expect(TEXT, &[b'x'; 5000]).compressed, None);
    // The server refuses the first byte, before the rest of the frame arrives.
    client.client.send([TEXT | RSV1]);
    client.client.expect_close(Some(1002));
}

#[test]
fn refused_upgrade_agrees_to_no_extension() {
    let (_, address) = both()[1];
    let good = offering("/echo", &[OFFER]);
    for (request, expected) in [
        (good.replace("/echo", "/nothing"), 404),
        (good.replace("Version: 13", "Version: 12"), 426),
        (good.replace("Host", "Origin: https://evil.example\r\nHost"), 403),
        (offering("/echo", &[&format!("{OFFER}; =")]), 400),
        (offering("/echo", &[&format!("{OFFER}; server_max_window_bits=\"1 0\"")]), 400),
        (offering("/", &[OFFER]).replace("Upgrade: websocket\r\n", ""), 200),
    ] {
        let mut client = Client::tcp(address);
        client.send(request);
        let head = client.read_head();
        assert_eq!((status(&head), header(&head, "Sec-WebSocket-Extensions")), (expected, None), "{head}");
    }
}

// §6: the frames

#[test]
fn rsv1_is_for_the_first_frame_of_a_message_only() {
    for (_, address) in both() {
        for bytes in [
            // Continuations, also of a compressed message.
            [frame(0x01, b"He"), vec![0x80 | RSV1]].concat(),
            [frame(0x01 | RSV1, &deflated(b"He")[..1]), vec![0x80 | RSV1]].concat(),
            [frame(0x01 | RSV1, &deflated(b"He")[..1]), vec![RSV1]].concat(),
            // Control frames.
            vec![PING | RSV1],
            vec![PONG | RSV1],
            vec![CLOSE | RSV1],
            // No extension uses these bits.
            vec![TEXT | 0x20],
            vec![TEXT | 0x10],
            vec![TEXT | RSV1 | 0x20],
            vec![0x83 | RSV1],
        ] {
            let mut client = Compressing::connect(address, "/echo", &[OFFER]);
            client.client.send(&bytes);
            assert_eq!(client.read().first, CLOSE, "{bytes:02x?}");
        }
    }
}

#[test]
fn compressed_fragments_with_control_frames_in_between_are_read() {
    for (_, address) in both() {
        let mut client = Compressing::connect(address, "/echo", &[OFFER]);
        for round in 0..3 {
            let message = json(400, round);
            let payload = client.compress(&message);
            // One fragment for each byte, and an empty one at each end.
            let mut bytes = frame(0x01 | RSV1, b"");
            for byte in &payload {
                bytes.extend([frame(PING, &[*byte]), frame(0x00, &[*byte])].concat());
            }
            bytes.extend(frame(0x80, b""));
            client.client.send(bytes);
            for byte in payload {
                client.expect(PONG, &[byte]);
            }
            client.expect(TEXT, &message);
        }
        client.client.send(close_frame(1000, ""));
        client.client.expect_close(Some(1000));
    }
}

#[test]
fn compressed_message_in_single_bytes_of_tcp_is_read() {
    for (_, address) in both() {
        let mut client = Compressing::connect(address, "/echo", &[OFFER]);
        let message = json(3000, 7);
        let payload = client.compress(&message);
        for byte in frame(BINARY | RSV1, &payload) {
            client.client.send([byte]);
        }
        client.expect(BINARY, &message);
    }
}

#[test]
fn empty_messages_stay_empty_and_uncompressed() {
    for (_, address) in both() {
        let mut client = Compressing::connect(address, "/echo", &[OFFER]);
        // The first is from §7.2.3.6, zlib makes the third from no input, and the last ones are empty blocks with the
        // fixed code.
        for payload in [&[0x00][..], &[], &deflated(b""), &[0x02, 0x00], &[0x03, 0x00], &[0x03, 0x00, 0x00]] {
            client.client.send(frame(TEXT | RSV1, payload));
            assert_eq!(client.expect(TEXT, b"").compressed, None, "{payload:02x?}");
        }
        client.client.send([frame(0x02 | RSV1, b""), frame(0x00, b""), frame(0x80, b"")].concat());
        assert_eq!(client.expect(BINARY, b"").compressed, None);
        assert_echo(&mut client, TEXT, b"and on it goes");
    }
}

#[test]
fn compressor_makes_one_byte_of_an_empty_message() {
    let head = b"GET / HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    let (request, _) = Request::parse(head).unwrap().unwrap();
    let mut deflater = Deflater::new(Agreement::negotiate(&request, Compression::Context).unwrap());
    let mut out = b"before".to_vec();
    for _ in 0..3 {
        deflater.compress(b"", &mut out);
        assert!(!deflater.compress_if_shorter(b"", &mut out));
    }
    assert_eq!(out, b"before\0\0\0");
}

#[test]
fn blocks_with_bfinal_end_a_stream_and_not_the_message() {
    for (_, address) in both() {
        // §7.2.3.4: "Hello" with BFINAL, and an empty block without its tail.
        let hello = [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00];
        for (payload, expected) in [
            (hello.to_vec(), "Hello"),
            // Some senders leave out the empty block.
            (hello[..7].to_vec(), "Hello"),
            ([&hello[..7], &hello].concat(), "HelloHello"),
            ([&hello[..7], &deflated(b" you")].concat(), "Hello you"),
            // A stored block, with BFINAL (§7.2.3.3 without).
            ([&[0x01, 0x05, 0x00, 0xFA, 0xFF][..], b"Hello", &[0x00]].concat(), "Hello"),
            // Two blocks in one message (§7.2.3.5).
            ([&[0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00][..]].concat(), "Hello"),
        ] {
            let mut client = Compressing::connect(address, "/echo", &[OFFER]);
            client.client.send(frame(TEXT | RSV1, &payload));
            client.expect(TEXT, expected.as_bytes());
            client.client.send(frame(TEXT, b"next"));
            client.expect(TEXT, b"next");
        }
    }
}

// §7.1: the windows

#[test]
fn windows_go_on_over_many_messages_in_both_directions() {
    let [(_, alone), (_, context)] = both();
    let mut bytes = Vec::new();
    for address in [alone, context] {
        let mut client = Compressing::connect(address, "/echo", &[OFFER]);
        let mut sum = (0, 0);
        for round in 0..300 {
            // The server leaves some messages uncompressed, because they are too short or do not shrink, and so do we.
            let message = match round % 5 {
                0 => json(20, round),
                1 => noise(300, round),
                _ => json(400, round),
            };
            if round % 7 == 3 {
                client.client.send(frame(BINARY, &message));
            } else {
                let payload = client.compress(&message);
                sum.0 += payload.len();
                client.client.send(frame(BINARY | RSV1, &payload));
            }
            sum.1 += client.expect(BINARY, &message).compressed.unwrap_or(message.len());
        }
        bytes.push(sum);
    }
    let [alone, context] = bytes[..] else { unreachable!() };
    assert!(context.0 < alone.0 && context.1 * 10 < alone.1 * 9, "{alone:?}, {context:?}");
}

#[test]
fn each_side_can_go_without_its_window_by_itself() {
    let (_, address) = both()[1];
    let message = json(1000, 3);
    for (offer, server_keeps) in [("server_no_context_takeover", false), ("client_no_context_takeover", true)] {
        let mut client = Compressing::connect(address, "/echo", &[&format!("permessage-deflate; {offer}")]);
        assert_eq!(client.answer, Some(format!("permessage-deflate; {offer}")));
        let lengths: Vec<usize> = (0..2)
            .map(|_| {
                client.send(TEXT, &message);
                client.expect(TEXT, &message).compressed.unwrap()
            })
            .collect();
        assert_eq!(lengths[1] < lengths[0] / 4, server_keeps, "{offer}: {lengths:?}");
    }
}

#[test]
fn messages_fit_into_the_window_that_the_client_asked_for() {
    for (compression, address) in both() {
        for bits in 8..=15 {
            let offer = format!("permessage-deflate; server_max_window_bits={bits}");
            let mut client = Compressing::connect(address, "/echo", &[&offer]);
            assert!(client.answer.as_deref().unwrap().ends_with(&format!("server_max_window_bits={bits}")));
            // The message repeats itself within the window, at its edge, beyond it, and across the boundary between two
            // messages.
            let window: usize = 1 << bits;
            let mut message = Vec::new();
            for distance in
                [window - 6, window - 5, window - 1, window, window + 1, 2 * window, window.saturating_sub(262)]
            {
                let start = noise(distance, distance as u64);
                message.extend_from_slice(&[&start[..], &start[..start.len().min(500)]].concat());
            }
            message.extend_from_slice(&json(window, 5));
            for _ in 0..2 {
                client.client.send(frame(BINARY, &message));
                let said = client.expect(BINARY, &message);
                assert!(said.compressed.is_some(), "{compression:?}, {bits} bits");
            }
        }
    }
}

#[test]
fn short_messages_and_noise_are_not_compressed() {
    let [(_, alone), (_, context)] = both();
    let compressed = |client: &mut Compressing, message: &[u8]| {
        client.client.send(frame(BINARY, message));
        client.expect(BINARY, message).compressed
    };
    let mut client = Compressing::connect(alone, "/echo", &[OFFER]);
    assert_eq!(compressed(&mut client, &[b'x'; 255]), None);
    assert!(compressed(&mut client, &[b'x'; 256]).is_some());
    assert_eq!(compressed(&mut client, &noise(10_000, 1)), None);
    let mut client = Compressing::connect(context, "/echo", &[OFFER]);
    assert_eq!(compressed(&mut client, &[b'x'; 31]), None);
    assert!(compressed(&mut client, &[b'x'; 32]).is_some());
    // The next message can refer to this one, so even a message that does not shrink goes through the compressor.
    assert!(compressed(&mut client, &noise(10_000, 1)).is_some());
    assert!(compressed(&mut client, &noise(10_000, 1)).is_some_and(|length| length < 200));
}

#[test]
fn largest_limit_there_is_holds_for_compressed_messages_too() {
    for limit in [usize::MAX, usize::MAX / 2 + 1] {
        let address = start(Config { max_message_size: limit, ..config(Compression::PerMessage) });
        let mut client = Compressing::connect(address, "/echo", &[OFFER]);
        assert_echo(&mut client, BINARY, &noise(5000, 1));
    }
}

// A room in which each member has agreed to something else

/// What each member of a room offers
const KINDS: [&[&str]; 6] = [
    &[],
    &[OFFER],
    &[OFFER],
    &["permessage-deflate; server_no_context_takeover"],
    &["permessage-deflate; server_max_window_bits=9"],
    &["permessage-deflate; server_max_window_bits=12; server_no_context_takeover"],
];

/// A message with its sender and number, and a body that compresses well, badly, or not at all.
fn message(sender: usize, number: usize) -> Vec<u8> {
    let length = [10, 400, 30, 3000, 70_000, 400][number % 6];
    let seed = (sender * 1000 + number) as u64;
    let body = if number % 6 == 5 { noise(length, seed) } else { json(length, seed) };
    [&[sender as u8, number as u8], &body[..]].concat()
}

#[test]
fn members_with_different_agreements_read_the_same_in_order() {
    const MESSAGES: usize = 36;
    for compression in [Compression::PerMessage, Compression::Context] {
        let server = Running::start(config(compression));
        let mut members: Vec<Compressing> =
            KINDS.iter().map(|lists| Compressing::connect(server.address, "/chat", lists)).collect();
        server.wait_for_clients(KINDS.len());
        thread::scope(|scope| {
            for (sender, member) in members.iter_mut().enumerate() {
                let mut bytes = Vec::new();
                for number in 0..MESSAGES {
                    let message = message(sender, number);
                    let is_compressed = member.answer.is_some() && number % 4 != 0;
                    let payload = if is_compressed { member.compress(&message) } else { message };
                    bytes.push(frame(if is_compressed { BINARY | RSV1 } else { BINARY }, &payload));
                }
                let mut stream = member.client.stream.try_clone().unwrap();
                // Twelve frames in one write, so that the server gathers its answers.
                scope.spawn(move || bytes.chunks(12).for_each(|frames| stream.write_all(&frames.concat()).unwrap()));
                scope.spawn(move || {
                    let mut next = HashMap::new();
                    let mut compressed = 0;
                    for _ in 0..KINDS.len() * MESSAGES {
                        let said = member.read();
                        let sender = said.payload[0].into();
                        let number = next.entry(sender).or_insert(0);
                        assert!((said.first, said.payload) == (BINARY, message(sender, *number)), "{sender}: {number}");
                        *number += 1;
                        compressed += usize::from(said.compressed.is_some());
                    }
                    // Half of the messages shrink when each is compressed alone; with a window, others' messages are
                    // sent uncompressed.
                    let is_alone = member.answer.as_deref().is_some_and(|answer| answer.contains("server_no_context"));
                    assert_eq!(compressed == KINDS.len() * MESSAGES / 2, is_alone, "{compressed}: {:?}", member.answer);
                });
            }
        });
    }
}

#[test]
fn message_of_more_than_a_mebibyte_reaches_every_kind_of_member() {
    let server = Running::start(config(Compression::Context));
    let mut members: Vec<Compressing> =
        KINDS.iter().map(|lists| Compressing::connect(server.address, "/chat", lists)).collect();
    server.wait_for_clients(KINDS.len());
    let message = json(30_000, 1).repeat(36);
    for sender in [0, 1] {
        if sender == 0 {
            members[0].client.send(frame(TEXT, &message));
        } else {
            members[sender].send(TEXT, &message);
        }
        for member in &mut members {
            let said = member.expect(TEXT, &message);
            let is_alone = member.answer.as_deref().is_some_and(|answer| answer.contains("server_no_context"));
            assert_eq!(said.compressed.is_some(), is_alone, "{:?}", member.answer);
        }
    }
}

// The other ways to send

/// Hands out its Senders, and answers each message in two ways. "quit" ends it.
fn handler(
    give: mpsc::Sender<Sender>,
) -> impl Fn(&mut Connection) -> Result<(), Error> + Send + Sync + Clone + 'static {
    move |connection| {
        give.send(connection.sender()).unwrap();
        while let Some(message) = connection.recv()? {
            connection.send(message.clone())?;
            connection.broadcast_to(connection.subprotocol().map(str::to_owned).as_deref(), message)?;
        }
        Ok(())
    }
}

#[test]
fn senders_handles_and_shutdown_keep_each_agreement() {
    for compression in [Compression::PerMessage, Compression::Context] {
        let (give, senders) = mpsc::channel();
        let server = Server::bind("127.0.0.1:0").unwrap().config(config(compression)).route("/room", handler(give));
        let (address, handle) = (server.local_addr().unwrap(), server.handle().unwrap());
        let running = thread::spawn(|| server.run());
        let mut members: Vec<(Compressing, Sender)> = KINDS
            .iter()
            .map(|lists| (Compressing::connect(address, "/room", lists), senders.recv_timeout(DEADLINE).unwrap()))
            .collect();
        let long = json(2000, 1);
        let text = String::from_utf8(long.clone()).unwrap();
        for (member, sender) in &mut members {
            sender.send(text.clone()).unwrap();
            sender.send_when_ready("short", Instant::now() + DEADLINE).unwrap();
            member.expect(TEXT, &long);
            member.expect(TEXT, b"short");
        }
        for _ in 0..3 {
            assert_eq!(handle.broadcast("/room", text.clone()), KINDS.len());
            for (member, _) in &mut members {
                let said = member.expect(TEXT, &long);
                let is_alone = member.answer.as_deref().is_some_and(|answer| answer.contains("server_no_context"));
                assert_eq!(said.compressed.is_some(), is_alone, "{:?}", member.answer);
            }
        }
        for speaker in 0..members.len() {
            members[speaker].0.client.send(frame(TEXT, &long));
            members[speaker].0.expect(TEXT, &long);
            members.iter_mut().for_each(|(member, _)| drop(member.expect(TEXT, &long)));
        }
        // Both sides must still agree on the windows.
        for (member, _) in &mut members {
            member.client.send(frame(PING, b"?"));
            assert_eq!(member.read().first, PONG);
        }
        handle.shutdown();
        for (member, _) in &mut members {
            let said = member.read();
            assert_eq!((said.first, said.payload.first_chunk()), (CLOSE, Some(&1001u16.to_be_bytes())));
            member.client.send(close_frame(1001, ""));
        }
        running.join().unwrap().unwrap();
    }
}

#[test]
fn late_reader_gets_compressed_messages_whole_and_in_order() {
    const MESSAGES: u64 = 60;
    let server = Running::start(Config { ping_interval: Duration::from_secs(60), ..config(Compression::PerMessage) });
    let narrow = || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(2048).unwrap();
        socket.connect(&server.address.into()).unwrap();
        Client::from_stream(socket.into())
    };
    let mut late = [&[OFFER], &["permessage-deflate; server_max_window_bits=10"], &[][..]]
        .map(|lists| Compressing::over(narrow(), "/chat", lists));
    let mut sender = Client::connect(server.address, "/chat");
    server.wait_for_clients(4);
    // This exceeds what the sockets buffer, even when compressed.
    let message = |number| [noise(80_000, number), json(5000, number)].concat();
    for number in 0..MESSAGES {
        sender.send(frame(BINARY, &message(number)));
        assert!(sender.read_frame() == (BINARY, message(number)));
    }
    for number in 0..MESSAGES {
        for client in &mut late {
            assert_eq!(client.expect(BINARY, &message(number)).compressed.is_some(), client.answer.is_some());
        }
    }
}

#[test]
fn client_without_an_offer_is_served_as_without_the_flag() {
    let (_, address) = both()[0];
    let mut client = Client::tcp(address);
    client.send(request("/echo"));
    assert_eq!(header(&client.read_head(), "Sec-WebSocket-Extensions"), None);
    for first in [TEXT, BINARY] {
        client.send(frame(first, &[b'x'; 5000]));
        assert_eq!(client.read_frame(), (first, vec![b'x'; 5000]));
    }
}
