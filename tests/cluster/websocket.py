"""A WebSocket client for asyncio, as small as these tests allow, and as much of Redis's protocol as they need.

It is written out so that the tests need nothing but Python, and so that a client can cut its connection in mid-message.
"""

import asyncio
import os
import socket


def masked(opcode, payload):
    """Returns a frame of a client (RFC 6455 §5.2, §5.3)."""
    size = len(payload)
    if size < 126:
        head = bytes([0x80 | opcode, 0x80 | size])
    elif size < 65536:
        head = bytes([0x80 | opcode, 0x80 | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([0x80 | opcode, 0x80 | 127]) + size.to_bytes(8, "big")
    key = os.urandom(4)
    mask = (key * (size // 4 + 1))[:size]
    both = int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")
    return head + key + both.to_bytes(size, "big")


class Connection(asyncio.Protocol):
    """One connection. Calls `opened(status)`, `message(payload)` and `closed(code)` of its subclass."""

    def __init__(self, path, protocol=None):
        self.path, self.protocol = path, protocol
        self.buffer, self.is_open, self.code, self.transport = b"", False, 1006, None

    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        host, port = transport.get_extra_info("peername")[:2]
        lines = [f"GET {self.path} HTTP/1.1", f"Host: {host}:{port}", "Upgrade: websocket", "Connection: Upgrade",
                 "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
        if self.protocol:
            lines.append(f"Sec-WebSocket-Protocol: {self.protocol}")
        transport.write("\r\n".join([*lines, "", ""]).encode())

    def data_received(self, data):
        self.buffer += data
        if not self.is_open:
            head, blank, rest = self.buffer.partition(b"\r\n\r\n")
            if not blank:
                return
            status = int(head.split(b" ", 2)[1])
            if status != 101:
                self.transport.close()
                return self.opened(status)
            self.is_open, self.buffer = True, rest
            self.opened(status)
        self.frames()

    def frames(self):
        buffer, at = self.buffer, 0
        while len(buffer) - at >= 2:
            size, start = buffer[at + 1], at + 2
            if size >= 126:
                width = 2 if size == 126 else 8
                if len(buffer) < start + width:
                    break
                size, start = int.from_bytes(buffer[start:start + width], "big"), start + width
            if len(buffer) < start + size:
                break
            self.frame(buffer[at] & 0x0F, buffer[start:start + size])
            at = start + size
        self.buffer = buffer[at:]

    def frame(self, opcode, payload):
        if opcode in (1, 2):
            self.message(payload)
        elif opcode == 8:
            self.code = int.from_bytes(payload[:2], "big") or 1005
            self.transport.write(masked(8, payload[:2]))
            self.transport.close()
        elif opcode == 9:
            self.transport.write(masked(10, payload))

    def send(self, text):
        self.transport.write(masked(1, text.encode()))

    def cut(self, text):
        """Sends half of a message, and then resets the connection."""
        frame = masked(1, text.encode())
        self.transport.write(frame[:len(frame) // 2])
        self.transport.abort()

    def connection_lost(self, _):
        self.is_open = False
        self.closed(self.code)


def redis(port, *words):
    """Sends one command to Redis and returns its answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        parts = [str(word).encode() for word in words]
        connection.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
        with connection.makefile("rb") as file:
            return answer(file)


def answer(file):
    line = file.readline()
    kind, rest = line[:1], line[1:].strip()
    if kind == b"$":
        return None if rest == b"-1" else file.read(int(rest) + 2)[:-2].decode()
    if kind == b"*":
        return [answer(file) for _ in range(max(0, int(rest)))]
    if kind == b":":
        return int(rest)
    if kind == b"+":
        return rest.decode()
    raise RuntimeError(f"Redis says {line!r}")
