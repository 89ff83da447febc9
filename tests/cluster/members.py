"""Members of the chat that reconnect, record every id, and report each error that they see."""

import asyncio
import json
import random
import time

from websocket import Connection

FIRST_PAUSE, LAST_PAUSE = 0.5, 5.0


class Member:
    """One member: it speaks and listens, and reconnects with `after=` however its connection ends."""

    def __init__(self, number, room, port):
        self.number, self.room, self.port = number, room, port
        self.name = f"m{number}"
        self.position, self.heard, self.wrong = None, [], []
        self.said = 0
        self.waiting = {}     # text -> since when: sent on this connection, not received back yet
        self.refused = {}     # text -> whether the notice says that the bus does not have it
        self.broken = set()   # sent on a connection that ended before they were received back
        self.link, self.failures, self.is_over = None, 0, False
        self.last_heard, self.silence = time.monotonic(), 0.0
        self.notices, self.reconnects = 0, 0

    async def connect(self):
        query = f"?name={self.name}" + (f"&after={self.position}" if self.position else "")
        link = Link(self, f"/chat/{self.room}{query}")
        try:
            await asyncio.get_running_loop().create_connection(lambda: link, "127.0.0.1", self.port)
        except OSError:
            self.come_back()

    def come_back(self):
        """Returns a random pause (jitter) up to a maximum, which doubles with each failure."""
        if self.is_over:
            return
        longest = min(LAST_PAUSE, FIRST_PAUSE * 2 ** self.failures)
        self.failures += 1
        asyncio.get_running_loop().call_later(random.random() * longest, lambda: asyncio.ensure_future(self.connect()))

    @property
    def is_there(self):
        return self.link is not None and self.position is not None

    def speak(self):
        if not self.is_there:
            return
        self.said += 1
        text = f"{self.number} {self.said}"
        self.waiting[text] = time.monotonic()
        self.link.texts.append(text)
        self.link.send(text)

    def hear(self, event):
        kind = event.get("type")
        if kind == "message":
            now = time.monotonic()
            self.silence = max(self.silence, now - self.last_heard)
            self.last_heard = now
            identity, before = event["id"], self.position
            number, last = (int(text.split("-")[1]) for text in (identity, before))
            if number != last + 1:
                self.wrong.append(f"{self.name}: {identity} after {before}")
            self.position = identity
            self.heard.append(identity)
            if event["from"].split("-")[0] == self.name:
                self.waiting.pop(event["text"], None)
        elif kind == "welcome":
            if self.position is None:
                self.position = event["id"]
            self.failures = 0
        elif kind == "gap":
            self.wrong.append(f"{self.name}: gap of {event['missing']}")
        elif kind == "refused":
            text = self.link.texts[event["number"] - 1]
            self.waiting.pop(text, None)
            self.refused[text] = event["known"]
        elif kind == "bus":
            self.notices += 1

    def lost(self, link):
        if self.link is link:
            self.link = None
            self.reconnects += 1
        self.broken.update(text for text in link.texts if text in self.waiting)
        for text in link.texts:
            self.waiting.pop(text, None)
        self.come_back()


class Link(Connection):
    def __init__(self, member, path):
        super().__init__(path, "plainsocket.json")
        self.member, self.texts, self.done = member, [], False

    def opened(self, status):
        if status == 101:
            self.member.link = self

    def message(self, payload):
        self.member.hear(json.loads(payload))

    def closed(self, _):
        if not self.done:
            self.done = True
            self.member.lost(self)
