"""Redis, the servers and nginx as child processes, on ports that the system picks, in a folder of their own."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATH = os.environ["PATH"] + ":/usr/sbin"  # Debian's nginx and redis-server are on root's PATH only
DEADLINE = 20


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def program(*names):
    for name in names:
        if found := shutil.which(name, path=PATH):
            return found
    raise SystemExit(f"cluster: none of {', '.join(names)} is installed (Debian: redis-server, nginx-light)")


class Process:
    """A child process that can be killed, restarted and frozen. `stop` ends it."""

    def __init__(self, name, command, port, folder):
        self.name, self.command, self.port, self.child = name, command, port, None
        self.log = open(folder / f"{name}.log", "ab")

    async def start(self):
        env = {**os.environ, "RUST_LOG": "info"}
        self.child = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=env)
        end = time.monotonic() + DEADLINE
        while True:
            if self.child.poll() is not None:
                raise RuntimeError(f"{self.name} has ended: see {self.log.name}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > end:
                    raise
                await asyncio.sleep(0.02)

    def signal(self, number):
        self.child.send_signal(number)

    async def ended(self):
        end = time.monotonic() + DEADLINE
        while self.child.poll() is None:
            if time.monotonic() > end:
                raise RuntimeError(f"{self.name} does not end")
            await asyncio.sleep(0.02)
        return self.child.returncode

    def stop(self):
        if self.child and self.child.poll() is None:
            self.child.send_signal(signal.SIGCONT)
            self.child.kill()
            self.child.wait()
        self.log.close()


def redis_server(folder, fsync="always"):
    """With `always` each write is on the disk before Redis answers; with `everysec`, Redis's default, a second later."""
    port = free_port()
    command = [program("redis-server", "valkey-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "",
               "--appendonly", "yes", "--appendfsync", fsync, "--dir", str(folder), "--loglevel", "warning"]
    return Process("redis", command, port, folder)


def chat_server(number, binary, redis, folder, keep, more=()):
    port = free_port()
    command = [binary, "--listen", f"127.0.0.1:{port}", "--bus", f"redis://127.0.0.1:{redis.port}/",
               "--bus-keep", str(keep), "--close-timeout", "2", *more]
    return Process(f"server-{number}", command, port, folder)


class Nginx(Process):
    """nginx as configured in docs/nginx.conf.example, without TLS, and with these servers."""

    def __init__(self, servers, folder):
        self.servers, self.folder, self.down = servers, folder, set()
        port = free_port()
        self.listen = port
        self.write()
        command = [program("nginx"), "-e", f"{folder}/error.log", "-p", str(folder), "-c", f"{folder}/nginx.conf"]
        super().__init__("nginx", command, port, folder)

    def write(self):
        text = (ROOT / "docs/nginx.conf.example").read_text()

        def replace(old, new):
            nonlocal text
            assert old in text, f"docs/nginx.conf.example has no {old!r} any more"
            text = text.replace(old, new)

        rule = " max_fails=2 fail_timeout=5s"
        line = lambda s: f"server 127.0.0.1:{s.port}{rule}{' down' if s in self.down else ''};"
        replace(f"server 127.0.0.1:8000{rule};", "\n    ".join(line(server) for server in self.servers))
        replace("listen 443 ssl;", f"listen 127.0.0.1:{self.listen};")
        for setting in ["ssl_certificate     /etc/nginx/chat.example.crt;", "ssl_certificate_key /etc/nginx/chat.example.key;"]:
            replace(setting, "")
        replace("limit_conn clients 20;", "limit_conn clients 10000;")
        (self.folder / "plainsocket.conf").write_text(text)
        paths = "\n".join(f"    {name}_temp_path {self.folder}/{name};" for name in
                          ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
        (self.folder / "nginx.conf").write_text(
            f"daemon off;\npid {self.folder}/pid;\nerror_log {self.folder}/error.log;\nworker_processes 1;\n"
            f"events {{ worker_connections 8000; }}\nhttp {{\n    access_log off;\n{paths}\n"
            f"    include {self.folder}/plainsocket.conf;\n}}\n")

    def set_down(self, server, is_down):
        (self.down.add if is_down else self.down.discard)(server)
        self.write()
        self.signal(signal.SIGHUP)

    def stop(self):
        # SIGTERM makes the master end all of its workers, also those of earlier configurations.
        if self.child and self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(5)
            except subprocess.TimeoutExpired:
                pass
        super().stop()
