"""A Git host that is not Tidegate: a bare repository behind git's own `http-backend`, on loopback."""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TIMEOUT = 60
Api = Callable[[str, str, Mapping[str, str], bytes], tuple[int, Mapping[str, str], bytes]]
"""What answers below `/api/`: from method, path with query, headers and body to status, headers and body."""
PERSON = {
    "GIT_AUTHOR_NAME": "Somebody", "GIT_AUTHOR_EMAIL": "somebody@example.com",
    "GIT_COMMITTER_NAME": "Somebody", "GIT_COMMITTER_EMAIL": "somebody@example.com",
}  # fmt: skip
USER, PASSWORD = "flux", "let-me-push"
PROTECTED = "receive-pack"


class GitHost:
    """One repository, `acme/shop.git`, and others beside it, which everybody may read unless the host is `private`, and
    whoever has the password may push to. With `old_protocol` it gives out only what its refs name.

    `before` is called once, in the server's thread, when a request comes whose path and query hold `moment`, `after`
    when it is done and not yet answered. Where one raises ConnectionAbortedError, the connection is cut. `asked` hears
    the path and the credential of every request.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.bare = folder / "acme/shop.git"
        self.port = 0
        self.moment = ""
        self.private = False
        self.old_protocol = False
        self.api: Api | None = None
        self.requests: list[str] = []
        self.before: Callable[[], None] | None = None
        self.after: Callable[[], None] | None = None
        self.asked: Callable[[str, str | None], None] | None = None
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(self.bare), cwd=None)
        for setting in ("http.receivepack=true", "core.logAllRefUpdates=true", "receive.fsckObjects=true"):
            self.git("config", *setting.split("="))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/acme/shop.git"

    def git(self, *arguments: str, cwd: Path | None = Path()) -> str:
        """Run git in the bare repository, or in another folder."""
        where = [] if cwd is None else ["-C", str(self.bare if cwd == Path() else cwd)]
        environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "LC_ALL": "C.UTF-8", **PERSON}
        done = subprocess.run(
            ["git", *where, *arguments], env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def head(self) -> str:
        """The branch's commit."""
        return self.git("rev-parse", "refs/heads/main")

    def commit(self, message: str, files: dict[str, str | None]) -> str:
        """Somebody's commit on top of the branch, whatever it is at, pushed past the server; the commit's id."""
        work = self.folder / "work"
        if not work.exists():
            self.git("clone", "--quiet", str(self.bare), str(work), cwd=None)
            self.git("checkout", "--quiet", "-B", "main", cwd=work)
        if self.git("for-each-ref", "refs/heads/main"):
            self.git("fetch", "--quiet", "origin", "main", cwd=work)
            self.git("reset", "--quiet", "--hard", "FETCH_HEAD", cwd=work)
        for name, text in files.items():
            path = work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink() if text is None else path.write_text(text)
        self.git("add", "--all", cwd=work)
        self.git("commit", "--quiet", "--message", message, cwd=work)
        self.git("push", "--quiet", "origin", "main", cwd=work)
        return self.git("rev-parse", "HEAD", cwd=work)

    def once_before(self, moment: str, before: Callable[[], None]) -> None:
        """Call `before` when the next request comes whose path and query hold `moment`."""
        self.moment, self.before = moment, before

    def once_after(self, moment: str, after: Callable[[], None]) -> None:
        """Call `after` when the next request that holds `moment` is done, before it is answered."""
        self.moment, self.after = moment, after

    def reached(self, target: str) -> None:
        """A request has come."""
        self.requests.append(target)
        if self.before is not None and self.moment in target:
            call, self.before = self.before, None
            call()

    def done(self, target: str) -> None:
        """A request has had its effect."""
        if self.after is not None and self.moment in target:
            call, self.after = self.after, None
            call()

    def hook(self, name: str, script: str) -> None:
        """Make a shell script a hook of the repository."""
        path = self.bare / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"
    host: GitHost

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers["Content-Length"])))

    def do_PATCH(self) -> None:
        self.do_POST()

    def do_PUT(self) -> None:
        self.do_POST()

    def _ask(self, api: Api, body: bytes) -> None:
        status, headers, answer = api(self.command, self.path, dict(self.headers.items()), body)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def _serve(self, body: bytes) -> None:
        if self.host.asked is not None:
            self.host.asked(self.path, self.headers.get("Authorization"))
        if self.path.startswith("/api/") and self.host.api is not None:
            self._ask(self.host.api, body)
            return
        if (self.host.private or PROTECTED in self.path) and self.headers.get("Authorization") != _basic():
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="host"')
            self.end_headers()
            return
        try:
            answer = self._answered(body)
        except ConnectionAbortedError:
            self.close_connection = True
            return
        head, _, content = answer.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send_response(int(headers.pop("Status", "200").split(" ")[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # a client that was killed
            self.end_headers()
            self.wfile.write(content)

    def _answered(self, body: bytes) -> bytes:
        self.host.reached(self.path)
        path, _, query = self.path.partition("?")
        environment = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(self.host.folder), "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null", "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": "" if self.host.old_protocol else self.headers.get("Git-Protocol", ""), "REMOTE_USER": USER,
        }  # fmt: skip
        done = subprocess.run(
            ["git", "http-backend"], input=body, env=environment, capture_output=True, timeout=TIMEOUT, check=False
        )
        self.host.done(self.path)
        return done.stdout

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def _basic() -> str:
    return f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"


@contextlib.contextmanager
def hosting(folder: Path) -> Iterator[GitHost]:
    """A host, as long as the context lasts."""
    host = GitHost(folder)
    handler = type("Handler", (_Handler,), {"host": host})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    host.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
