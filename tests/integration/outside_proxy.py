"""The proxy of a company's network: it asks for a password, and looks into TLS under a CA of its own.

It asks the real hosts as this machine does, through whatever proxy and authorities the environment names.
"""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from needed import need

from tidegate.base.http import tls_context

PORT = 3128
REQUEST_TIMEOUT = 60
PIECE = 256 * 1024
HERE = Path(__file__).parent
KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
HOP_BY_HOP = {"connection", "proxy-connection", "proxy-authorization", "keep-alive", "transfer-encoding", "host"}


NAME_PAUSES = (0.5, 1.0, 2.0)


class Proxy(ThreadingHTTPServer):
    """Give it a listening socket with `serving`. `looked_into` and `plain` are the hosts that were asked over TLS and
    without; `faults` what went wrong.
    """

    daemon_threads = True

    def __init__(self, folder: Path):
        need("openssl")
        super().__init__(("127.0.0.1", PORT), Handler, bind_and_activate=False)
        self.socket.close()
        self.user, self.password, self.authority = "courier", secrets.token_urlsafe(18), f"fence-{secrets.token_hex(8)}"
        self.looked_into: set[str] = set()
        self.plain: set[str] = set()
        self.faults: list[str] = []
        self._folder = folder
        self._lock = threading.Lock()
        self._contexts: dict[str, ssl.SSLContext] = {}
        self.ca_file = folder / "ca.pem"
        purpose = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        _openssl("req", "-x509", *KEY, "-subj", f"/CN={self.authority}", *purpose,
                 "-keyout", folder / "ca.key", "-out", self.ca_file)  # fmt: skip
        as_this_machine = urllib.request.HTTPSHandler(context=tls_context(os.environ))
        self.opener = urllib.request.build_opener(as_this_machine, _NoRedirect)

    @property
    def url(self) -> str:
        """The proxy with its user and password, as the setting HTTPS_PROXY has it."""
        return f"http://{self.user}:{self.password}@127.0.0.1:{PORT}"

    @property
    def credentials(self) -> str:
        """What a client sends to be let through."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    def traces(self) -> dict[str, bytes]:
        """What would give the proxy or its CA away wherever it were found."""
        certificate = self.ca_file.read_text().splitlines()
        return {
            "its address": f"127.0.0.1:{PORT}".encode(),
            "its password": self.password.encode(),
            "its credentials": self.credentials.removeprefix("Basic ").encode(),
            "its CA's name": self.authority.encode(),
            "its CA's certificate": certificate[len(certificate) // 2].encode(),
        }

    def context(self, host: str) -> ssl.SSLContext:
        """TLS as that host, under the CA of this proxy."""
        with self._lock:
            if host not in self._contexts:
                pair = self._folder / f"{host}.pem"
                names = ["-addext", f"subjectAltName=DNS:{host}", "-addext", "basicConstraints=critical,CA:FALSE"]
                _openssl("req", "-x509", *KEY, "-subj", f"/CN={host}", *names, "-CA", self.ca_file,
                         "-CAkey", self._folder / "ca.key", "-keyout", pair, "-out", f"{pair}.crt")  # fmt: skip
                self._contexts[host] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                self._contexts[host].load_cert_chain(f"{pair}.crt", pair)
            return self._contexts[host]

    @contextlib.contextmanager
    def serving(self, listening: socket.socket) -> Iterator[None]:
        """Answer on a socket that listens, perhaps in another network than this process is in."""
        self.socket = listening
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1})
        thread.start()
        try:
            yield
        finally:
            self.shutdown()
            thread.join()
            self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no fault."""
        error = sys.exception()
        if not isinstance(error, OSError):
            self.faults.append(repr(error))


class Handler(BaseHTTPRequestHandler):
    """One connection: requests with a whole URL, or CONNECT and then requests inside TLS."""

    protocol_version = "HTTP/1.1"
    server: Proxy
    host = ""

    def do_CONNECT(self) -> None:
        if not self._is_let_through():
            return
        self.host = self.path.rpartition(":")[0]
        self.send_response(200)
        self.end_headers()
        self.connection = self.server.context(self.host).wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)
        self.server.looked_into.add(self.host)
        self.close_connection = False

    def do_GET(self) -> None:
        if self.host:
            self._fetch(f"https://{self.host}{self.path}")
        elif self._is_let_through():
            self.server.plain.add(urllib.request.Request(self.path).host)
            self._fetch(self.path)

    do_HEAD = do_GET  # noqa: N815 - the name is http.server's

    def finish(self) -> None:
        super().finish()
        self.connection.close()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _is_let_through(self) -> bool:
        if self.headers.get("proxy-authorization") == self.server.credentials:
            return True
        self.send_response(407)
        self.send_header("proxy-authenticate", 'Basic realm="fence"')
        self.send_header("content-length", "0")
        self.end_headers()
        return False

    def _fetch(self, url: str) -> None:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        request = urllib.request.Request(url, headers=headers, method=self.command)
        try:
            with self._answer(request) as answer:
                self._pass_on(answer)
        except urllib.error.HTTPError as answer:
            with answer:
                self._pass_on(answer)
        except urllib.error.URLError as error:
            self.server.faults.append(f"{url}: {error}")
            self.send_error(502)

    def _answer(self, request: urllib.request.Request) -> Any:
        """What is outside answers. A name server that is busy (EAI_AGAIN) is asked again: nothing was sent yet."""
        for pause in NAME_PAUSES:
            try:
                return self.server.opener.open(request, timeout=REQUEST_TIMEOUT)
            except urllib.error.URLError as error:
                if not isinstance(error.reason, socket.gaierror) or error.reason.errno != socket.EAI_AGAIN:
                    raise
            time.sleep(pause)
        return self.server.opener.open(request, timeout=REQUEST_TIMEOUT)

    def _pass_on(self, answer: Any) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        has_end = "content-length" in answer.headers or answer.status in (204, 304) or self.command == "HEAD"
        if not has_end:
            self.send_header("connection", "close")
        self.end_headers()
        while self.command != "HEAD" and (piece := answer.read(PIECE)):
            self.wfile.write(piece)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def run_fenced(
    proxy: Proxy, argv: list[str], environment: dict[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run a command in a network of its own, where nothing but the proxy can be reached."""
    namespaces = ["--net"] if os.geteuid() == 0 else ["--user", "--map-current-user", "--keep-caps", "--net"]
    near, far = socket.socketpair()
    fence = [sys.executable, str(HERE / "fenced_command.py"), str(far.fileno()), str(PORT)]
    with near, subprocess.Popen(
        ["unshare", *namespaces, *fence, *argv], env=environment, pass_fds=[far.fileno()], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        far.close()
        received = socket.recv_fds(near, 1, 1)[1]
        if not received:
            said = process.communicate(timeout=timeout)[1].strip()
            assert said.startswith("unshare:"), said
            pytest.skip(f"no network namespace can be had ({said}): allow user namespaces, or be root")
        with proxy.serving(socket.socket(fileno=received[0])):
            try:
                stdout, stderr = process.communicate(timeout=timeout)
            finally:
                process.kill()
    return subprocess.CompletedProcess(argv, process.returncode, stdout, stderr)


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)
