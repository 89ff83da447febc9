"""A WebSocket echo server on plain sockets, a thread for each client. The page "From Python" compares it with ours.

    python3 docs/python/echo_server.py 8000
"""
import base64
import binascii
import hashlib
import re
import socket
import sys
import time
from threading import Thread, current_thread

HANDSHAKE_TIMEOUT = 10
CLOSE_TIMEOUT = 5
MAX_HEAD = 8 * 1024
MAX_MESSAGE = 16 * 1024 * 1024
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


class ProtocolError(Exception):
    """A rule that the client broke, as the Close that it gets."""

    def __init__(self, code, reason):
        super().__init__(reason)
        self.payload = code.to_bytes(2, "big") + reason.encode()


def main(port):
    with socket.create_server(("127.0.0.1", port)) as listener:
        print(f"listening on 127.0.0.1:{listener.getsockname()[1]}", flush=True)
        while True:
            connection, peer = listener.accept()
            Thread(target=serve, args=(connection,), name=f"client-{peer[0]}:{peer[1]}", daemon=True).start()


def serve(connection):
    """One client's life."""
    try:
        with connection, connection.makefile("rb") as reader:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(HANDSHAKE_TIMEOUT)
            if handshake(connection, reader):
                connection.settimeout(None)
                echo(connection, reader)
            hang_up(connection)
    except EOFError:
        pass  # The client ended TCP without a Close frame.
    except OSError as error:
        print(f"{current_thread().name}: {error}", file=sys.stderr)


def handshake(connection, reader):
    """Reads the request and answers it: with 101 and True, or with 400, 405 or 426 and False."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = reader.readline(MAX_HEAD - len(head))
        if not line:
            raise EOFError  # or the head is too long
        head += line
    request_line, *lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.lower()] = value.strip()
    reply = answer(request_line, headers)
    connection.sendall(reply.encode("latin-1"))
    return reply.startswith("HTTP/1.1 101 ")


def answer(request_line, headers):
    key = headers.get("sec-websocket-key", "")
    if not re.fullmatch(r"[^ ]+ [^ ]+ HTTP/1\.1", request_line) or "host" not in headers:
        return refusal("400 Bad Request", "Connection: close")
    if not request_line.startswith("GET "):
        return refusal("405 Method Not Allowed", "Connection: close", "Allow: GET")
    if not has_token(headers, "upgrade", "websocket") or headers.get("sec-websocket-version") != "13":
        what = "Connection: close, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"
        return refusal("426 Upgrade Required", *what)
    if not has_token(headers, "connection", "upgrade") or not is_key(key):
        return refusal("400 Bad Request", "Connection: close")
    accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
    lines = "HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"
    return "\r\n".join(lines) + f"\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"


def refusal(status, *headers):
    return "\r\n".join([f"HTTP/1.1 {status}", "Content-Length: 0", *headers]) + "\r\n\r\n"


def has_token(headers, name, token):
    """Browsers send "keep-alive, Upgrade": it is a list."""
    return token in [word.strip().lower() for word in headers.get(name, "").split(",")]


def is_key(key):
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except binascii.Error:
        return False


def read_exactly(reader, count):
    data = reader.read(count)  # waits for all of it, or for the end
    if len(data) < count:
        raise EOFError
    return data


def read_frame(reader, room):
    """FIN, opcode and payload of the next frame. `room` is its maximum length."""
    first, second = read_exactly(reader, 2)
    fin, opcode = bool(first & 0x80), first & 0x0F
    if first & 0x70 or opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
        raise ProtocolError(1002, "an RSV bit, or a reserved opcode")
    if not second & 0x80:
        raise ProtocolError(1002, "not masked")
    length = second & 0x7F
    if opcode >= CLOSE and (not fin or length > 125):
        raise ProtocolError(1002, "a control frame that is long or a fragment")
    if length >= 126:
        least, size = (126, 2) if length == 126 else (65536, 8)
        length = int.from_bytes(read_exactly(reader, size), "big")
        if length < least or length >= 1 << 63:
            raise ProtocolError(1002, "not the shortest length, or its top bit")
    if opcode < CLOSE and length > room:
        raise ProtocolError(1009, "too long")
    key = read_exactly(reader, 4)
    payload = read_exactly(reader, length)
    return fin, opcode, unmask(payload, key)


def unmask(payload, key):
    return bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))


def send_frame(connection, opcode, payload):
    length = len(payload)
    if length < 126:
        header = bytes([0x80 | opcode, length])
    elif length < 65536:
        header = bytes([0x80 | opcode, 126]) + length.to_bytes(2, "big")
    else:
        header = bytes([0x80 | opcode, 127]) + length.to_bytes(8, "big")
    connection.sendall(header + payload)


def echo(connection, reader):
    """Every message comes back with its type, until a Close frame has gone each way."""
    message, kind = bytearray(), None  # None: no message is open
    try:
        while True:
            fin, opcode, payload = read_frame(reader, MAX_MESSAGE - len(message))
            if opcode == PING:
                send_frame(connection, PONG, payload)
            elif opcode == CLOSE:
                send_frame(connection, CLOSE, answer_to_close(payload))
                return
            elif opcode != PONG:
                if (opcode == CONTINUATION) == (kind is None):
                    raise ProtocolError(1002, "a fragment in the wrong place")
                kind = opcode if kind is None else kind
                message += payload
                if fin:
                    if kind == TEXT:
                        check_utf8(message)
                    send_frame(connection, kind, message)
                    message, kind = bytearray(), None
    except ProtocolError as broken:
        send_frame(connection, CLOSE, broken.payload)


def answer_to_close(payload):
    """The code that the client gave, or none if it gave none."""
    if not payload:
        return b""
    code = int.from_bytes(payload[:2], "big") if len(payload) > 1 else 0
    if not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        raise ProtocolError(1002, f"Close code {code}")
    check_utf8(payload[2:])
    return payload[:2]


def check_utf8(data):
    try:
        data.decode()  # "strict" is the default; errors="replace" would repair it
    except UnicodeDecodeError:
        raise ProtocolError(1007, "invalid UTF-8") from None


def hang_up(connection):
    """Closes our side of TCP, and reads until the client has closed its own: close() alone might send a reset."""
    connection.shutdown(socket.SHUT_WR)
    deadline = time.monotonic() + CLOSE_TIMEOUT
    while (left := deadline - time.monotonic()) > 0:
        connection.settimeout(left)
        if not connection.recv(4096):
            return


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8000)
