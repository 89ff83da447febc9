"""One chat, three ways without WebSocket: polling, long polling and server-sent events.

    python3 docs/chat/four-ways.py 8001

The fourth way is plainsocket's /chat. The chapter "What WebSocket is" explains all four.
"""
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Condition
from urllib.parse import parse_qs, urlsplit

PAGE = Path(__file__).with_name("four-ways.html")
messages = []
said = Condition()  # a lock, and a way to sleep until somebody calls notify_all


class Chat(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # so that a connection serves more than one request

    def do_GET(self):
        url = urlsplit(self.path)
        after = int(parse_qs(url.query).get("after", ["0"])[0])
        if url.path == "/":
            self.reply(PAGE.read_bytes(), "text/html; charset=utf-8")
        elif url.path == "/poll":
            self.reply(json.dumps(messages[after:]).encode())
        elif url.path == "/long-poll":
            with said:
                said.wait_for(lambda: len(messages) > after, timeout=25)
            self.reply(json.dumps(messages[after:]).encode())
        elif url.path == "/events":
            self.stream(int(self.headers["Last-Event-ID"] or 0))
        else:
            self.send_error(404)

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with said:
            messages.append(text)
            said.notify_all()
        self.send_response(204)
        self.end_headers()

    def reply(self, body, kind="application/json"):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, after):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")  # the reply has no length: it ends with the connection
        self.end_headers()
        while True:
            with said:
                said.wait_for(lambda: len(messages) > after)
            for text in messages[after:]:
                after += 1
                lines = text.replace("\n", "\ndata: ")
                self.wfile.write(f"id: {after}\ndata: {lines}\n\n".encode())

    def log_message(self, *args):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Chat)
    print(f"listening on 127.0.0.1:{server.server_address[1]}", flush=True)
    server.handle_error = lambda *_: None  # a page can leave in the middle of its reply
    server.serve_forever()
