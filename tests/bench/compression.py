#!/usr/bin/env python3
"""Measures permessage-deflate (RFC 7692) in plainsocket, npm's ws and Python's websockets.

    cargo build --release --features deflate
    npm install --prefix DIR ws && python3 -m venv DIR/venv && DIR/venv/bin/pip install websockets
    tests/bench/compression.py speed --peers DIR     # 16 KiB of JSON: messages per second, ratio
    tests/bench/compression.py small                 # chat messages of some 100 bytes: ratio with and without context
    tests/bench/compression.py memory                # idle clients: KiB per client

Linux, standard library only. The client sends frames that it compressed in advance, and inflates only the first reply, so
it has time to spare. `taskset` gives a core each to server and client.
"""

import argparse
import base64
import json
import os
import pathlib
import random
import resource
import socket
import statistics
import subprocess
import sys
import time
import zlib

TAIL = b"\0\0\xff\xff"
ROOT = pathlib.Path(__file__).resolve().parents[2]
ALONE = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
CONTEXT = "permessage-deflate"

WS = """
const { WebSocketServer } = require("ws");
const [port, mode] = process.argv.slice(1);
const alone = mode === "alone";
new WebSocketServer({ host: "127.0.0.1", port: Number(port), perMessageDeflate: mode === "off" ? false
  : { serverNoContextTakeover: alone, clientNoContextTakeover: alone, threshold: alone ? 256 : 32 } })
  .on("connection", socket => socket.on("message", (data, binary) => socket.send(data, { binary })));
"""

WEBSOCKETS = """
import sys
from websockets.sync.server import serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory as Deflate
port, mode = sys.argv[1:]
alone = mode == "alone"
def echo(socket):
    for message in socket:
        socket.send(message)
deflate = Deflate(server_no_context_takeover=alone, client_no_context_takeover=alone)
extensions = [] if mode == "off" else [deflate]
with serve(echo, "127.0.0.1", int(port), compression=None, extensions=extensions) as server:
    server.serve_forever()
"""


def record(rng):
    """Returns a message of the kind that a chat or a dashboard sends."""
    words = "the a server client frame message window sends reads closes waits hello to of and with bytes".split()
    return {
        "type": "message",
        "id": rng.randrange(10**9),
        "from": rng.choice(["Ann", "Bob", "Carla", "Dieter", "Eve"]),
        "time": f"2026-11-27T{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}Z",
        "text": " ".join(rng.choice(words) for _ in range(rng.randrange(3, 12))),
    }


def sixteen_kib(rng):
    """Returns an array of such records. The text of the last one is cut so that the array has exactly 16 KiB."""
    records = []
    while len(json.dumps(records)) < 16_000:
        records.append(record(rng))
    records[-1]["text"] += "x" * (16 * 1024 - len(json.dumps(records)))
    return json.dumps(records).encode()


def deflate(message, zlib_object=None):
    deflater = zlib_object or zlib.compressobj(6, zlib.DEFLATED, -15)
    return (deflater.compress(message) + deflater.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)


def frame(payload, compressed):
    first = 0xC1 if compressed else 0x81
    length = len(payload)
    head = bytes([first, 0x80 | length]) if length < 126 else bytes([first, 0xFE]) + length.to_bytes(2, "big")
    # A masking key of zeros changes no byte, and the server does the same work.
    return head + bytes(4) + payload


class Client:
    def __init__(self, port, offer):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        extension = f"Sec-WebSocket-Extensions: {offer}\r\n" if offer else ""
        self.socket.sendall(
            f"GET /echo HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{extension}\r\n".encode()
        )
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self.buffer += self.socket.recv(65536)
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        assert head.startswith(b"HTTP/1.1 101"), head
        agreed = [line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-extensions")]
        assert bool(agreed) == bool(offer), (head, offer)

    def read(self):
        """Returns the first byte and the payload of the next frame."""
        while (at := self.header()) is None or len(self.buffer) < sum(at):
            received = self.socket.recv(1 << 18)
            assert received, "the server has closed"
            self.buffer += received
        start, length = at
        first, payload = self.buffer[0], self.buffer[start : start + length]
        self.buffer = self.buffer[start + length :]
        return first, payload

    def header(self):
        if len(self.buffer) < 2:
            return None
        length = self.buffer[1] & 0x7F
        size = {126: 4, 127: 10}.get(length, 2)
        if len(self.buffer) < size:
            return None
        return size, int.from_bytes(self.buffer[2:size], "big") if size > 2 else length


def server(name, mode, args):
    """Starts a server on a free port. Returns the process and the port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    peers = pathlib.Path(args.peers).resolve() if args.peers else None
    environment = dict(os.environ)
    if name == "plainsocket":
        flag = {"off": [], "alone": ["--compress"], "context": ["--compress", "context"]}[mode]
        command = [args.plainsocket, "--listen", f"127.0.0.1:{port}", "--ping-interval", "3600", *flag]
    elif name == "ws":
        environment["NODE_PATH"] = str(peers / "node_modules")
        command = ["node", "-e", WS, str(port), mode]
    else:
        command = [str(peers / "venv/bin/python"), "-c", WEBSOCKETS, str(port), mode]
    process = subprocess.Popen(["taskset", "-c", "0", *command], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return process, port
        except OSError:
            assert time.monotonic() < deadline and process.poll() is None, f"{name} does not start"
            time.sleep(0.05)


OFFERS = {"off": None, "alone": ALONE, "context": CONTEXT}


def exchange(client, frames, in_flight, seconds):
    """Sends and reads for some seconds. Returns messages per second, and the mean length of a reply on the wire."""
    sent = received = length = 0
    started = time.monotonic()
    while (now := time.monotonic()) < started + seconds or received < sent:
        if now < started + seconds:
            while sent - received < in_flight:
                client.socket.sendall(frames[sent % len(frames)])
                sent += 1
        length += len(client.read()[1])
        received += 1
    return received / (time.monotonic() - started), length / received


def speed(args):
    rng = random.Random(1)
    messages = [sixteen_kib(rng) for _ in range(16)]
    plain = [frame(message, False) for message in messages]
    alone = [frame(deflate(message), True) for message in messages]
    names = ["plainsocket"] + (["ws", "websockets"] if args.peers else [])
    print("| server | compression | messages a second | bytes of a reply | ratio |\n| --- | --- | ---: | ---: | ---: |")
    for mode in OFFERS:
        for name in names:
            process, port = server(name, mode, args)
            try:
                client = Client(port, OFFERS[mode])
                # This side compresses each message by itself, which context takeover allows.
                frames = plain if mode == "off" else alone
                client.socket.sendall(frames[0])
                first, payload = client.read()
                if first & 0x40:
                    payload = zlib.decompressobj(-15).decompress(payload + TAIL)
                assert payload == messages[0] and bool(first & 0x40) == (mode != "off"), (name, mode, hex(first))
                readings = [exchange(client, frames, args.in_flight, args.seconds) for _ in range(args.rounds)]
            finally:
                process.kill()
                process.wait()
            rate = statistics.median(rate for rate, _ in readings)
            length = readings[-1][1]
            print(f"| {name} | {mode} | {rate:,.0f} | {length:,.0f} | {16 * 1024 / length:.1f} |", flush=True)


def small(args):
    rng = random.Random(2)
    messages = [json.dumps(record(rng)).encode() for _ in range(1000)]
    total = sum(map(len, messages))
    print(f"1,000 messages of JSON, {total / 1000:.0f} bytes on average\n")
    print("| compression | bytes of a reply | ratio |\n| --- | ---: | ---: |")
    for mode, offer in OFFERS.items():
        process, port = server("plainsocket", mode, args)
        try:
            client, length = Client(port, offer), 0
            for message in messages:
                client.socket.sendall(frame(message, False))
                length += len(client.read()[1])
        finally:
            process.kill()
            process.wait()
        print(f"| {mode} | {length / 1000:.0f} | {total / length:.1f} |")


def kib(pid):
    """Returns the memory of a process: its own, and its share of the memory that it shares with others."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))


def memory(args):
    """Each client sends one compressed message of 16 KiB, reads the reply, and is idle."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    message = sixteen_kib(random.Random(3))
    print("| server | compression | KiB a client |\n| --- | --- | ---: |")
    for name in ["plainsocket"] + (["ws", "websockets"] if args.peers else []):
        for mode, offer in OFFERS.items():
            process, port = server(name, mode, args)
            try:
                sent = frame(deflate(message) if offer else message, bool(offer))
                clients = []

                def join():
                    clients.append(client := Client(port, offer))
                    client.socket.sendall(sent)
                    client.read()

                join()
                before = kib(process.pid)
                for _ in range(args.clients):
                    join()
                # The server frees some memory a little later.
                time.sleep(2)
                print(f"| {name} | {mode} | {(kib(process.pid) - before) / args.clients:.1f} |", flush=True)
            finally:
                process.kill()
                process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "small", "memory"])
    parser.add_argument("--plainsocket", default=str(ROOT / "target/release/plainsocket"))
    parser.add_argument("--peers", help="a folder with node_modules/ws and venv/ with websockets")
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--in-flight", type=int, default=4)
    parser.add_argument("--clients", type=int, default=200)
    args = parser.parse_args()
    os.sched_setaffinity(0, {1 % os.cpu_count()})
    {"speed": speed, "small": small, "memory": memory}[args.what](args)


if __name__ == "__main__":
    sys.exit(main())
