"""What lint says: rules, findings with their places, and the whole report. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from enum import StrEnum

from tidegate.base.errors import Where
from tidegate.base.frozen import frozen


class Level(StrEnum):
    """How bad a finding is. `unreadable` says that nothing can be said about a file, and so about the repository."""

    ERROR = "error"
    WARNING = "warning"
    UNREADABLE = "unreadable"


@frozen
class Rule:
    """A check: its id, what it is about in one line, and the page of the documentation that explains it."""

    id: str
    summary: str
    page: str


@frozen
class Step:
    """One station of the way round a loop."""

    where: Where
    text: str


@frozen
class Finding:
    """One thing found. `help` is what to do about it; `way` is the way round, for a loop; `notes` are assumptions."""

    rule: Rule
    level: Level
    where: Where
    message: str
    help: str = ""
    way: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()


@frozen
class Safe:
    """An automation that can't come round, and the filters by which: each with its place."""

    where: Where
    message: str
    reasons: tuple[Step, ...] = ()


@frozen
class Report:
    """All that was found, in the order of the files, and what was proven."""

    findings: Sequence[Finding] = ()
    proven: Sequence[Safe] = ()
    rules: Sequence[Rule] = field(default=())

    @property
    def exit_code(self) -> int:
        """0 for nothing but warnings, 1 for errors, 2 where something could not be read."""
        levels = {finding.level for finding in self.findings}
        if Level.UNREADABLE in levels:
            return 2
        return 1 if Level.ERROR in levels else 0


def place(finding: Finding) -> tuple[str, int, int, str]:
    """The order in which findings are shown."""
    where = finding.where
    return where.file or "", where.line or 0, where.column or 0, finding.rule.id
