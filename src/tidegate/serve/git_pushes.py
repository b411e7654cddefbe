"""What happens after a push was taken: the hook reports it over a Unix socket, and the way back streams to the pusher.

The work never depends on the pusher still listening: the lines go on being made when nobody reads them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import secrets
import shlex
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tidegate.base.errors import TidegateError
from tidegate.base.frozen import frozen
from tidegate.base.steps import Step, reach

SOCKET = "push.sock"
REPORT_LIMIT = 4 * 1024 * 1024
REPORT_TIMEOUT = 10.0
SILENT_READER_TIMEOUT = 10.0
LINE_LIMIT = 2000
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]+")
_log = logging.getLogger(__name__)


class Update(NamedTuple):
    """One ref that a push changed; None where it was not there before, or no longer is."""

    ref: str
    old: str | None
    new: str | None


@frozen
class Push:
    """A push that was taken: the refs have changed already. `subject` is who pushed."""

    owner: str
    name: str
    updates: tuple[Update, ...]
    subject: str = ""


OnPush = Callable[[Push], AsyncIterator[str]]
Settle = Callable[[str, str], Awaitable[None]]


@frozen
class _Expected:
    owner: str
    name: str
    subject: str


def hook_script() -> str:
    """The post-receive hook: a shell that becomes this Python, isolated and without site packages."""
    script = Path(__file__).with_name("git_hook.py")
    return f"#!/bin/sh\nexec {shlex.join([sys.executable, '-I', '-S', str(script)])}\n"


class PushListener:
    """Listens below `folder` for hooks, and calls `on_push` for each push that it was told to expect."""

    def __init__(self, folder: Path, on_push: OnPush, settle: Settle):
        self._folder = folder
        self._on_push = on_push
        self._settle = settle
        self._expected: dict[str, _Expected] = {}
        self._server: asyncio.Server | None = None

    @property
    def hooks(self) -> Path:
        """The folder that git takes its hooks from."""
        return self._folder / "hooks"

    async def start(self) -> None:
        """Write the hook and listen."""
        self.hooks.mkdir(mode=0o700, parents=True, exist_ok=True)
        hook = self.hooks / "post-receive"
        hook.write_text(hook_script())
        hook.chmod(0o700)
        (self._folder / SOCKET).unlink(missing_ok=True)
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:  # a socket's address is short: reach the folder by its descriptor
            self._server = await asyncio.start_unix_server(self._report, f"/proc/self/fd/{folder}/{SOCKET}")
        finally:
            os.close(folder)
        (self._folder / SOCKET).chmod(0o600)

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            self._server = None
            (self._folder / SOCKET).unlink(missing_ok=True)

    @contextmanager
    def expect(self, owner: str, name: str, subject: str) -> Iterator[dict[str, str]]:
        """Expect a push into a repository; the variables are for the environment of the hook."""
        identity = secrets.token_hex(16)
        self._expected[identity] = _Expected(owner, name, subject)
        try:
            yield {"TIDEGATE_PUSH_ID": identity, "TIDEGATE_PUSH_SOCKET_FOLDER": str(self._folder.absolute())}
        finally:
            self._expected.pop(identity, None)

    async def _report(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            report = await _read_report(reader)
            if report is not None:
                await self._take(report, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _take(self, report: bytes, writer: asyncio.StreamWriter) -> None:
        identity, _, lines = report.decode("utf-8", "surrogateescape").partition("\n")
        expected = self._expected.pop(identity, None)
        if expected is None:
            return
        push = Push(expected.owner, expected.name, parse_updates(lines), expected.subject)
        reach(Step.PUSH_RECEIVED)
        await self._settle(push.owner, push.name)
        teller = _Teller(writer)
        try:
            async for line in self._on_push(push):
                await teller.tell(line)
        except (TidegateError, OSError) as error:
            _log.warning("after the push to %s/%s: %s", push.owner, push.name, error)
            await teller.tell(f"error: {error}")


async def _read_report(reader: asyncio.StreamReader) -> bytes | None:
    report = b""
    try:
        async with asyncio.timeout(REPORT_TIMEOUT):
            while chunk := await reader.read(65536):
                report += chunk
                if len(report) > REPORT_LIMIT:
                    return None
    except TimeoutError:
        return None
    return report


class _Teller:
    """Writes lines for as long as somebody reads them."""

    def __init__(self, writer: asyncio.StreamWriter):
        self._writer: asyncio.StreamWriter | None = writer

    async def tell(self, line: str) -> None:
        if self._writer is None:
            return
        try:
            self._writer.write(f"{printable(line)}\n".encode("utf-8", "replace"))
            async with asyncio.timeout(SILENT_READER_TIMEOUT):
                await self._writer.drain()
        except (ConnectionError, TimeoutError):
            self._writer = None


def parse_updates(lines: str) -> tuple[Update, ...]:
    """git's report to post-receive: `OLD NEW REF` on each line."""
    updates = []
    for line in lines.splitlines():
        words = line.split(" ", 2)
        if len(words) == 3:
            old, new, ref = words
            updates.append(Update(ref, _present(old), _present(new)))
    return tuple(updates)


def printable(line: str) -> str:
    """One line without control characters, of bounded length: it goes to somebody's terminal."""
    shown = _CONTROL.sub(" ", line).rstrip()
    return shown if len(shown) <= LINE_LIMIT else f"{shown[: LINE_LIMIT - 1]}…"


def _present(object_id: str) -> str | None:
    return None if set(object_id) == {"0"} else object_id
