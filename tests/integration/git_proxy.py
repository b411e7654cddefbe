"""A proxy in front of a Git host: by HTTP (plain requests and CONNECT) or SOCKS5, with a user and a password."""

from __future__ import annotations

import base64
import contextlib
import http.client
import select
import socket
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

USER, PASSWORD = "courier", "p@ss/w:rd ü"
TIMEOUT = 60


class Passage:
    """What went through: hosts and ports that were asked for, and how many were turned away."""

    def __init__(self) -> None:
        self.port = 0
        self.passed: list[str] = []
        self.refused = 0


class _Http(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    passage: Passage

    def do_GET(self) -> None:
        self._forward()

    def do_POST(self) -> None:
        self._forward()

    def do_CONNECT(self) -> None:
        if not self._is_let_through():
            return
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=TIMEOUT) as there:
            self.send_response(200)
            self.end_headers()
            join(self.connection, there)
        self.close_connection = True

    def _is_let_through(self) -> bool:
        expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Proxy-Authorization") == expected:
            self.passage.passed.append(self.path)
            return True
        self.passage.refused += 1
        self.send_response(407)
        self.send_header("Proxy-Authenticate", 'Basic realm="proxy"')
        self.send_header("Content-Length", "0")
        self.end_headers()
        return False

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self._is_let_through():
            return
        parts = urlsplit(self.path)
        there = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=TIMEOUT)
        headers = {name: value for name, value in self.headers.items() if not name.lower().startswith("proxy-")}
        there.request(self.command, f"{parts.path}?{parts.query}", body, headers)
        answer = there.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        there.close()

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


class _Socks(socketserver.BaseRequestHandler):
    """SOCKS5 (RFC 1928) with the user's name and password (RFC 1929), to hosts by name or IPv4 address."""

    passage: Passage

    def handle(self) -> None:
        _, count = self._take(2)
        self._take(count)
        self.request.sendall(b"\x05\x02")
        user = self._take(self._take(2)[1])
        password = self._take(self._take(1)[0])
        if (user.decode(), password.decode()) != (USER, PASSWORD):
            self.passage.refused += 1
            self.request.sendall(b"\x01\x01")
            return
        self.request.sendall(b"\x01\x00")
        kind = self._take(4)[3]
        host = socket.inet_ntoa(self._take(4)) if kind == 1 else self._take(self._take(1)[0]).decode()
        port = int.from_bytes(self._take(2), "big")
        self.passage.passed.append(f"{host}:{port}")
        with socket.create_connection((host, port), timeout=TIMEOUT) as there:
            self.request.sendall(b"\x05\x00\x00\x01" + bytes(6))
            join(self.request, there)

    def _take(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self.request.recv(count - len(data))
            if not piece:
                raise ConnectionError("the client went away")
            data += piece
        return data


def join(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until one side ends."""
    ways = {one: other, other: one}
    while True:
        for ready in select.select(list(ways), [], [], TIMEOUT)[0] or [None]:
            data = ready.recv(65536) if ready is not None else b""
            if not data:
                return
            ways[ready].sendall(data)


class _SocksServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextlib.contextmanager
def proxying(kind: str) -> Iterator[Passage]:
    """A proxy (`http` or `socks5`) on loopback, as long as the context lasts."""
    passage = Passage()
    handler = type("Handler", (_Socks if kind == "socks5" else _Http,), {"passage": passage})
    make = _SocksServer if kind == "socks5" else ThreadingHTTPServer
    server = make(("127.0.0.1", 0), handler)
    passage.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield passage
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
