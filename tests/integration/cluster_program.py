"""A program of a test's cluster that can be killed, stopped, continued and started again with the same words."""

import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tidegate.base.process import die_with_parent, minimal_environment

END_TIMEOUT = 30
LOG_TAIL = 4000


class Program:
    """One process, whose output goes to `log`; `env` is beside the little that any has. It dies with the test run, also
    where that is killed.
    """

    def __init__(self, argv: list[str], log: Path, env: Mapping[str, str] | None = None):
        self.argv = argv
        self.log = log
        self._env = minimal_environment(env)
        self._process: subprocess.Popen[Any] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.argv[0]} was not started"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int:
        """Of a process that has ended; minus a signal's number where that ended it."""
        assert self._process is not None
        assert self._process.returncode is not None
        return int(self._process.returncode)

    def start(self) -> None:
        """Start it. Call this from the thread that runs the tests: the kernel ties the child to its thread."""
        assert not self.running
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.log.parent,
                env=self._env,
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - it only calls prctl
            )

    def kill(self) -> None:
        """SIGKILL, and wait for its end. Harmless where it has ended."""
        self._end(signal.SIGKILL)

    def terminate(self) -> None:
        """SIGTERM, and wait for its end; SIGKILL where that takes too long."""
        try:
            self._end(signal.SIGTERM)
        except subprocess.TimeoutExpired:
            self.kill()

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nobody answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def tail(self) -> str:
        """The last of what it wrote."""
        return self.log.read_text(errors="replace")[-LOG_TAIL:] if self.log.exists() else ""

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            if number != signal.SIGKILL:
                self._process.send_signal(signal.SIGCONT)
            self._process.wait(END_TIMEOUT)
