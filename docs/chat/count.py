"""Passes bytes on between a browser and a server, and says how many: each time that the direction changes.

    python3 docs/chat/count.py 8002 8001        # listens on 8002, connects to 8001
"""
import socket
import sys
from contextlib import suppress
from threading import Thread


def pass_on(source, target, arrow, number):
    while data := source.recv(65536):
        target.sendall(data)
        first = data.split(b"\r\n")[0]
        shown = first.decode() if b"HTTP/1.1" in first else data[:14].hex(" ")
        print(f"connection {number} {arrow} {len(data):5} bytes  {shown}", flush=True)
    with suppress(OSError):  # the target can be gone already
        target.shutdown(socket.SHUT_WR)


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
number = 0
while True:
    browser, _ = listener.accept()
    number += 1
    server = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
    for link in (browser, server):
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    Thread(target=pass_on, args=(browser, server, "->", number), daemon=True).start()
    Thread(target=pass_on, args=(server, browser, "<-", number), daemon=True).start()
