"""A program's output while it runs: to the log line by line, secrets hidden, and its end kept for an error."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from tidegate.base.errors import CommandFailed, MissingTool
from tidegate.base.masking import Masker
from tidegate.base.process import dying_with_parent, kill_group

_LINE_LIMIT = 16 * 1024
_KEPT = 200

Log = Callable[[str], None]


async def follow(
    argv: Sequence[str], environment: Mapping[str, str], log: Log, masker: Masker, *, timeout: float, limit: int
) -> tuple[int, str]:
    """Run a program to its end: its exit code and its last lines. `timeout` is in seconds, `limit` in bytes of what is
    shown; all of it is read. Raises CommandFailed where it takes too long, MissingTool where it is not there.
    """
    try:
        start, before = dying_with_parent(argv, environment)
    except FileNotFoundError:
        raise MissingTool(f"the program {argv[0]!r} is not installed") from None
    process = await asyncio.create_subprocess_exec(
        *start,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=dict(environment),
        start_new_session=True,
        preexec_fn=before,
    )
    output = _Output(log, masker, limit)
    try:
        async with asyncio.timeout(timeout):
            assert process.stdout is not None
            await output.read(process.stdout)
            code = await process.wait()
    except TimeoutError:
        raise CommandFailed(f"it was ended after {timeout:g} s", exit_code=None, output=output.last) from None
    finally:
        await kill_group(process)
    return code, output.last


class _Output:
    def __init__(self, log: Log, masker: Masker, limit: int):
        self._log, self._masker, self._left = log, masker, limit
        self._tail: deque[str] = deque(maxlen=_KEPT)

    @property
    def last(self) -> str:
        return "\n".join(self._tail)

    async def read(self, stream: asyncio.StreamReader) -> None:
        rest = b""
        while piece := await stream.read(_LINE_LIMIT):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                self._take(line.decode("utf-8", "replace"))
            if len(rest) > _LINE_LIMIT:
                text = rest.decode("utf-8", "replace")
                cut = self._masker.cut(text) or len(text)
                self._take(text[:cut])
                rest = text[cut:].encode()
        if rest:
            self._take(rest.decode("utf-8", "replace"))

    def _take(self, line: str) -> None:
        """A line as a terminal would show it: what a carriage return goes back over is not there any more."""
        text = self._masker.mask(line.rstrip("\r").rpartition("\r")[2])
        self._tail.append(text)
        if self._left >= 0:
            self._left -= len(line) + 1
            self._log(text if self._left >= 0 else "(it wrote more than is shown)")
