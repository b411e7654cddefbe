"""The errors of one commit of a bare repository, as a program: `python -m tidegate.lint.commit GIT_DIR COMMIT`."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from tidegate.base.errors import TidegateError
from tidegate.git.files import CommitFiles
from tidegate.lint.check import lint
from tidegate.lint.findings import Finding, Level
from tidegate.lint.texts import finding_lines
from tidegate.workflow.parse import is_workflow

MEMORY_LIMIT = 512 * 1024 * 1024
SECONDS_LIMIT = 30


def is_told(finding: Finding) -> bool:
    """Whether a pusher hears of a finding."""
    if finding.level is Level.UNREADABLE:
        return not is_workflow(finding.where.file or "")
    return finding.level is Level.ERROR


def main() -> None:
    """The lines as JSON on stdout; what keeps it from answering, on stderr with exit code 1."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS_LIMIT, SECONDS_LIMIT))
    try:
        with CommitFiles(Path(sys.argv[1]), sys.argv[2]) as files:
            report = lint(files)
    except TidegateError as error:
        sys.exit(error.message)
    told = [line for finding in report.findings if is_told(finding) for line in finding_lines(finding)]
    json.dump([f"lint: {line}" if not line.startswith(" ") else line for line in told], sys.stdout)


if __name__ == "__main__":
    main()
