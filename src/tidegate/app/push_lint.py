"""Lint of a pushed commit, for the pusher: in a process of its own, since a large repository takes memory and seconds
that the server, and the run which the push starts, need more. The server never loads the rules.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from tidegate.base import process
from tidegate.base.errors import CommandFailed, LimitExceeded

PATIENCE = 60.0
LINES_SHOWN = 40
NICE = "10"


class PushLint:
    """Looks at one commit at a time: on a small machine two would be one too many."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def problems(self, repository: Path, commit: str) -> list[str]:
        """The errors that lint finds in a commit of a bare repository, as lines; none where all is well.

        Warnings are left to `tidegate lint`, and so is what can't be read of a workflow, which the Runner tells itself.
        Of more than LINES_SHOWN lines the rest is counted. Never raises for what the commit holds: a line says that it
        was not looked at.
        """
        # Nice from its first moment: the same push starts a run, and its beginning is what the pusher waits for.
        argv = ["nice", "-n", NICE, sys.executable, "-I", "-m", "tidegate.lint.commit", str(repository), commit]
        try:
            async with self._turn:
                ended = await process.run(argv, timeout=PATIENCE)
        except (CommandFailed, LimitExceeded) as error:
            return [f"lint did not look at {commit[:12]}: {error.message}; run `tidegate lint` in the checkout"]
        lines: list[str] = json.loads(ended.stdout)
        return shortened(lines)


def shortened(lines: list[str]) -> list[str]:
    """The first LINES_SHOWN lines, and how many more there are."""
    more = len(lines) - LINES_SHOWN
    return lines if more <= 0 else [*lines[:LINES_SHOWN], f"… and {more} lines more: `tidegate lint` shows them all"]
