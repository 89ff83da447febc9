//! The parts of `plainsocket::protocol` without a socket. Parts that process many bytes are compared with `memcpy`, a
//! plain copy of the same number of bytes, which shows how fast the machine can be.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use plainsocket::protocol::decoder::MessageDecoder;
use plainsocket::protocol::frame::{Header, Opcode, apply_mask, encode};
use plainsocket::protocol::request::Request;
use std::hint::black_box;
use std::time::Duration;

const KIB: usize = 1024;

/// Masking with this key changes no byte, and costs as much as with any other.
const KEY: [u8; 4] = [0; 4];

fn masked_frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Header { fin: true, rsv1: false, opcode, masked: true, length: payload.len() as u64 }.encode(&mut bytes);
    bytes.extend(KEY);
    bytes.extend_from_slice(payload);
    bytes
}

/// `length` bytes of characters that take one to four bytes each.
fn mixed_text(length: usize) -> String {
    let sample = "Grüße aus Köln, Καλημέρα κόσμε, こんにちは世界, 🙂🚀, and so on. ";
    let text = sample.repeat(length / sample.len());
    let missing = length - text.len();
    text + &"x".repeat(missing)
}

fn memcpy(group: &mut BenchmarkGroup<WallTime>, bytes: &[u8]) {
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    let mut target = vec![0; bytes.len()];
    group.bench_with_input(BenchmarkId::new("memcpy", bytes.len()), bytes, |bencher, bytes| {
        bencher.iter(|| black_box(&mut target[..]).copy_from_slice(black_box(bytes)));
    });
}

fn mask(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mask");
    for size in [16, 64, KIB, 16 * KIB, 64 * KIB, KIB * KIB] {
        let mut payload = vec![b'x'; size];
        memcpy(&mut group, &payload);
        group.bench_function(BenchmarkId::new("apply_mask", size), |bencher| {
            bencher.iter(|| apply_mask(black_box(&mut payload), black_box([0x37, 0xfa, 0x21, 0x3d]), 0));
        });
    }
}

fn header(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("header");
    for (form, length) in [("7 bits", 125), ("16 bits", 0xFFFF), ("64 bits", 0x10000)] {
        let mut bytes = Vec::new();
        Header { fin: true, rsv1: false, opcode: Opcode::Binary, masked: true, length }.encode(&mut bytes);
        group.bench_function(BenchmarkId::new("decode", form), |bencher| {
            bencher.iter(|| Header::decode(black_box(&bytes)));
        });
    }
}

/// Decodes one message, and frees its memory as an application does.
fn decode_one(decoder: &mut MessageDecoder, bytes: &[u8]) {
    let _ = black_box(decoder.decode(black_box(bytes)));
}

fn frame(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frame");
    for size in [64, 16 * KIB] {
        let payload = vec![b'x'; size];
        memcpy(&mut group, &payload);
        let bytes = masked_frame(Opcode::Binary, &payload);
        let mut decoder = MessageDecoder::new(size);
        group.bench_function(BenchmarkId::new("decode", size), |bencher| {
            bencher.iter(|| decode_one(&mut decoder, &bytes));
        });
        let mut out = Vec::new();
        group.bench_function(BenchmarkId::new("encode", size), |bencher| {
            bencher.iter(|| {
                out.clear();
                encode(Opcode::Binary, black_box(&payload), &mut out);
                black_box(&out);
            });
        });
    }
}

/// `decode` handles a whole text message: it copies, unmasks and checks. `from_utf8` only checks.
fn text(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("text");
    let size = 64 * KIB;
    memcpy(&mut group, &vec![b'x'; size]);
    for (name, text) in [("ASCII", "x".repeat(size)), ("mixed", mixed_text(size))] {
        group.bench_function(BenchmarkId::new("from_utf8", name), |bencher| {
            bencher.iter(|| str::from_utf8(black_box(text.as_bytes())));
        });
        let bytes = masked_frame(Opcode::Text, text.as_bytes());
        let mut decoder = MessageDecoder::new(size);
        group.bench_function(BenchmarkId::new("decode", name), |bencher| {
            bencher.iter(|| decode_one(&mut decoder, &bytes));
        });
    }
}

const REQUEST: &[u8] = b"GET /chat?room=7 HTTP/1.1\r\n\
    Host: www.example.com:8000\r\n\
    Connection: keep-alive, Upgrade\r\n\
    Pragma: no-cache\r\n\
    Cache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Upgrade: websocket\r\n\
    Origin: http://www.example.com:8000\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: de-DE,de;q=0.8,en-US;q=0.5,en;q=0.3\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

/// Turns the bytes of a browser's request into the bytes of the reply.
fn handshake(criterion: &mut Criterion) {
    criterion.bench_function("handshake", |bencher| {
        bencher.iter(|| {
            let (request, _) = Request::parse(black_box(REQUEST)).unwrap().unwrap();
            request.accept(&[]).unwrap().encode(request.method)
        });
    });
}

/// Few samples, so that the whole takes less than a minute: these parts do the same work each time.
fn settings() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(30)
}

criterion_group! {
    name = pure;
    config = settings();
    targets = mask, header, frame, text, handshake
}
criterion_main!(pure);
