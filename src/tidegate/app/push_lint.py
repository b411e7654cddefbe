"""Lint of a pushed commit, for the pusher: in a process of its own, since a large repository takes memory and seconds
that the server, and the run which the push starts, need more.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path

from tidegate.base import process
from tidegate.base.errors import CommandFailed, LimitExceeded, TidegateError
from tidegate.git.files import CommitFiles
from tidegate.lint.check import lint
from tidegate.lint.findings import Finding, Level
from tidegate.lint.texts import finding_lines
from tidegate.workflow.parse import is_workflow

MEMORY_LIMIT = 512 * 1024 * 1024
SECONDS_LIMIT = 30
LINES_SHOWN = 40
_NICE = 10


async def push_problems(repository: Path, commit: str) -> list[str]:
    """The errors that lint finds in a commit of a bare repository, as lines; none where all is well.

    Warnings are left to `tidegate lint`, and so is what can't be read of a workflow, which the Runner tells itself. Of
    more than LINES_SHOWN lines the rest is counted. Never raises for what the commit holds: a line says that it was not
    looked at.
    """
    argv = [sys.executable, "-I", "-m", "tidegate.app.push_lint", str(repository), commit]
    try:
        ended = await process.run(argv, timeout=SECONDS_LIMIT * 2)
    except (CommandFailed, LimitExceeded) as error:
        return [f"lint did not look at {commit[:12]}: {error.message}; run `tidegate lint` in the checkout"]
    lines: list[str] = json.loads(ended.stdout)
    return shortened(lines)


def shortened(lines: list[str]) -> list[str]:
    """The first LINES_SHOWN lines, and how many more there are."""
    more = len(lines) - LINES_SHOWN
    return lines if more <= 0 else [*lines[:LINES_SHOWN], f"… and {more} lines more: `tidegate lint` shows them all"]


def is_told(finding: Finding) -> bool:
    """Whether a pusher hears of a finding."""
    if finding.level is Level.UNREADABLE:
        return not is_workflow(finding.where.file or "")
    return finding.level is Level.ERROR


def main() -> None:
    """The child: the lines of one commit, as JSON on stdout."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS_LIMIT, SECONDS_LIMIT))
    os.nice(_NICE)
    try:
        with CommitFiles(Path(sys.argv[1]), sys.argv[2]) as files:
            report = lint(files)
    except TidegateError as error:
        sys.exit(error.message)
    told = [line for finding in report.findings if is_told(finding) for line in finding_lines(finding)]
    json.dump([f"lint: {line}" if not line.startswith(" ") else line for line in told], sys.stdout)


if __name__ == "__main__":
    main()
