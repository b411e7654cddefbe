"""Starts a Tidegate for the demonstration, as `tidegate up` in a process of its own, and ends it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from tidegate.base.errors import CommandFailed, NotFound
from tidegate.base.home import Home, Server
from tidegate.base.process import die_with_parent

START_TIMEOUT = 30.0
STOP_TIMEOUT = 20.0
POLL = 0.02
TAIL_LINES = 20


class DemoServer:
    """A `tidegate up` with the home `home`; its output goes to the file `log`."""

    def __init__(self, home: Path, arguments: Sequence[str]):
        self.home = Home(home).make()
        self.log = self.home.root / "up.log"
        self._arguments = arguments
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> Server:
        """Start it and wait until its doors are open; CommandFailed with its last words where it ends before."""
        argv = [sys.executable, "-m", "tidegate", "up", "--home", str(self.home.root), *self._arguments]
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *argv, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, env=os.environ.copy(),
                start_new_session=True, preexec_fn=die_with_parent,
            )  # fmt: skip
        async with asyncio.timeout(START_TIMEOUT):
            while True:
                self.check()
                with contextlib.suppress(NotFound):
                    server = self.home.server()
                    if server.pid == self._process.pid:
                        return server
                await asyncio.sleep(POLL)

    @property
    def pid(self) -> int:
        """The long-lived process."""
        assert self._process is not None
        return self._process.pid

    def check(self) -> None:
        """Raise CommandFailed where the process has ended."""
        if self._process is not None and self._process.returncode is not None:
            message = f"tidegate up ended with {self._process.returncode}"
            raise CommandFailed(message, exit_code=self._process.returncode, output="\n".join(self.tail()))

    def tail(self) -> list[str]:
        """The last lines that it wrote."""
        if not self.log.exists():
            return []
        return self.log.read_text("utf-8", "replace").splitlines()[-TAIL_LINES:]

    async def stop(self) -> None:
        """End it as Ctrl-C would, then by force."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_TIMEOUT):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
