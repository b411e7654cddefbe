"""Runs `git http-backend` for one request, streaming both ways: no pack is ever held in memory.

A push whose body has arrived goes on when the pusher hangs up; a half-arrived one is given up by git itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from tidegate.base.errors import LimitExceeded, MissingTool, Unavailable
from tidegate.base.frozen import frozen
from tidegate.base.process import dying_with_parent, kill_group
from tidegate.git import command
from tidegate.git.command import TOLERATED_FSCK

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

CHUNK = 65536
HEADER_LIMIT = 16 * 1024
ERROR_TAIL = 4096
IDLE_TIMEOUT = 120.0
REQUEST_TIMEOUT = 3600.0
GIVE_UP_TIMEOUT = 5.0
UPLOAD_PACK, RECEIVE_PACK = "git-upload-pack", "git-receive-pack"
# A request for objects is a list of ids: far smaller than a pack, and git keeps up to 10 MiB of it in memory.
NEGOTIATION_LIMIT = 16 * 1024 * 1024
# Past its limit git refuses a pack with a clear word; the rest is thrown away up to this many times the limit.
DISCARD_FACTOR = 4
_PROTOCOL = re.compile(r"version=[0-9](?::[a-z0-9=.\-]+)*")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+/\-]{1,100}")
_log = logging.getLogger(__name__)


@frozen
class Request:
    """One request for git http-backend. `path` is `/OWNER/NAME.git/…`, checked by the caller."""

    root: Path
    path: str
    method: str
    query: str
    service: str
    headers: Mapping[str, str]
    limit: int


def backend_argv(hooks: Path, limit: int) -> list[str]:
    """git http-backend with our hook, strict about what it takes and modest in what it uses."""
    return command.argv(
        "http-backend",
        config=(
            f"core.hooksPath={hooks}",
            "safe.directory=*",  # everything below our own folder is ours, whoever the files belong to
            "http.receivepack=true",
            "http.getanyfile=false",
            "receive.fsckObjects=true",
            *(f"receive.fsck.{name}=ignore" for name in TOLERATED_FSCK),
            f"receive.maxInputSize={limit}",
            "receive.denyDeletes=false",
            "receive.denyDeleteCurrent=refuse",
            "receive.denyCurrentBranch=ignore",
            "receive.autogc=false",
            "transfer.hideRefs=refs/tidegate",
            "uploadpack.allowFilter=true",
            "pack.threads=1",
            "pack.windowMemory=32m",
            "core.packedGitLimit=64m",
            "core.deltaBaseCacheLimit=16m",
        ),
    )


def backend_environment(request: Request, extra: Mapping[str, str]) -> dict[str, str]:
    """The CGI variables (RFC 3875) that git http-backend reads; nothing else of the request gets there.

    CONTENT_LENGTH is left out: the body's end is the end of stdin, chunked or not, and git given a length spins for
    ever where the body ends before it.
    """
    values = {
        "GIT_PROJECT_ROOT": str(request.root.absolute()),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": request.path,
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": request.query,
        "REMOTE_ADDR": "127.0.0.1",
    }
    if _MEDIA_TYPE.fullmatch(request.headers.get("content-type", "")):
        values["CONTENT_TYPE"] = request.headers["content-type"]
    if request.headers.get("content-encoding") in ("gzip", "x-gzip"):
        values["HTTP_CONTENT_ENCODING"] = request.headers["content-encoding"]
    protocol = request.headers.get("git-protocol", "")
    if len(protocol) <= 100 and _PROTOCOL.fullmatch(protocol):
        values["GIT_PROTOCOL"] = protocol
    return command.environment(values | dict(extra))


async def serve(request: Request, hooks: Path, extra: Mapping[str, str], receive: Receive, send: Send) -> None:
    """Answer one request. Raises Unavailable where git answers nothing, LimitExceeded past the limit of a body."""
    process = await _start(backend_argv(hooks, request.limit), backend_environment(request, extra))
    exchange = _Exchange(request, process, receive, send)
    try:
        async with asyncio.timeout(REQUEST_TIMEOUT):
            await exchange.run()
    except TimeoutError:
        _log.warning("git http-backend for %s was ended after %g s", request.path, REQUEST_TIMEOUT)
        raise Unavailable("git did not finish in time") from None
    finally:
        await kill_group(process)


async def _start(argv: list[str], env: dict[str, str]) -> asyncio.subprocess.Process:
    try:
        command, preexec_fn = dying_with_parent(argv, env)
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=env,
            start_new_session=True,
            preexec_fn=preexec_fn,
        )
    except FileNotFoundError:
        raise MissingTool("the program 'git' is not installed", remedy="install it: apt-get install git") from None


class _Exchange:
    """One request's way through the child: body in, answer out, and what happens when the other side hangs up."""

    def __init__(self, request: Request, process: asyncio.subprocess.Process, receive: Receive, send: Send):
        self._request = request
        self._process = process
        self._receive = receive
        self._send = send
        self._gone = False
        self._too_large = False
        self._arrived = asyncio.Event()

    async def run(self) -> None:
        errors = asyncio.create_task(self._drain_errors())
        feeding = asyncio.create_task(self._feed())
        try:
            await self._answer()
            await self._process.wait()
        finally:
            feeding.cancel()
            await kill_group(self._process)
            await asyncio.wait([errors, feeding])
        if not feeding.cancelled():
            feeding.result()
        if self._process.returncode and errors.result():
            _log.info("git http-backend for %s: %s", self._request.path, command.redact(errors.result()))

    async def _feed(self) -> None:
        try:
            await self._feed_body()
        finally:
            self._arrived.set()
            self._close_stdin()
        while not self._gone and (await self._receive())["type"] != "http.disconnect":
            continue
        self._gone = True
        if self._request.service == UPLOAD_PACK:
            await kill_group(self._process)

    async def _feed_body(self) -> None:
        """Pass the body on; past the ceiling, or where it never becomes whole, give up."""
        taken, more = 0, True
        while more:
            message = await self._next_message()
            taken += len(message.get("body", b""))
            self._too_large = taken > self._ceiling()
            if message["type"] == "http.disconnect" or self._too_large:
                await self._give_up()
                return
            await self._write(message.get("body", b""))
            more = message.get("more_body", False)

    def _ceiling(self) -> int:
        receiving = self._request.service == RECEIVE_PACK
        return self._request.limit * DISCARD_FACTOR if receiving else NEGOTIATION_LIMIT

    async def _next_message(self) -> Message:
        try:
            async with asyncio.timeout(IDLE_TIMEOUT):
                return await self._receive()
        except TimeoutError:
            return {"type": "http.disconnect"}

    async def _write(self, body: bytes) -> None:
        """git may have refused and closed its end already: then the rest is read and thrown away."""
        stdin = self._process.stdin
        assert stdin is not None
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            stdin.write(body)
            await stdin.drain()

    def _close_stdin(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    async def _give_up(self) -> None:
        """The body will never be whole: git sees its end, cleans up and goes, or is made to."""
        self._gone = True
        self._close_stdin()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GIVE_UP_TIMEOUT):
                await self._process.wait()
                return
        await kill_group(self._process)

    async def _answer(self) -> None:
        """Nothing is answered before the body has arrived: clients stop sending when an answer comes early."""
        stdout = self._process.stdout
        assert stdout is not None
        head = await _read_head(stdout)
        first = await stdout.read(CHUNK)
        await self._arrived.wait()
        if self._too_large:
            raise LimitExceeded(f"a push may bring at most {self._request.limit} bytes")
        if self._gone:
            while await stdout.read(CHUNK):
                continue
            return
        if head is None:
            raise Unavailable("git http-backend gave no answer")
        status, headers = parse_head(head)
        await self._pass_on({"type": "http.response.start", "status": status, "headers": headers})
        chunk = first
        while chunk:
            await self._pass_on({"type": "http.response.body", "body": chunk, "more_body": True})
            chunk = await stdout.read(CHUNK)
        await self._pass_on({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pass_on(self, message: Message) -> None:
        if self._gone:
            return
        try:
            await self._send(message)
        except OSError:
            self._gone = True

    async def _drain_errors(self) -> str:
        stderr = self._process.stderr
        assert stderr is not None
        tail = b""
        while chunk := await stderr.read(CHUNK):
            tail = (tail + chunk)[-ERROR_TAIL:]
        return tail.decode("utf-8", "replace").strip()


async def _read_head(stdout: asyncio.StreamReader) -> bytes | None:
    head = b""
    while line := await stdout.readline():
        head += line
        if line in (b"\r\n", b"\n"):
            return head
        if len(head) > HEADER_LIMIT:
            return None
    return None


def parse_head(head: bytes) -> tuple[int, list[tuple[bytes, bytes]]]:
    """A CGI answer's status (200 unless it says so) and headers."""
    status, headers = 200, []
    for line in head.splitlines():
        name, colon, value = line.partition(b":")
        if not colon:
            continue
        if name.lower() == b"status":
            status = int(value.split()[0])
        else:
            headers.append((name.strip().lower(), value.strip()))
    return status, headers
