"""A report for people, for GitHub's log, and as plain JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tidegate.base.errors import Where
from tidegate.lint.findings import Finding, Level, Report, Step

_WORDS = {Level.ERROR: "error", Level.WARNING: "warning", Level.UNREADABLE: "error"}


def as_text(report: Report) -> str:
    """A block for each finding, one for each automation that is proven, and a line that counts."""
    lines = [line for finding in report.findings for line in finding_lines(finding)]
    for safe in report.proven:
        lines += _with_steps(f"{_place(safe.where)}: ok: {safe.message}", safe.reasons)
    return "".join(f"{line}\n" for line in (*lines, _count(report)))


def finding_lines(finding: Finding) -> list[str]:
    """A finding: its place and message, then, indented, the way round, what was assumed, and what to do."""
    head = f"{_place(finding.where)}: {_WORDS[finding.level]}: {finding.message} [{finding.rule.id}]"
    lines = [*_with_steps(head, finding.way), *(f"  note: {note}" for note in finding.notes)]
    if finding.help:
        lines.append(f"  help: {finding.help}")
    return lines


def _with_steps(head: str, steps: tuple[Step, ...]) -> list[str]:
    return [head, *(f"  → {_place(step.where)}: {step.text}" for step in steps)]


def _place(where: Where) -> str:
    return f"{where.file}:{where.line}" if where.line else str(where.file)


def _count(report: Report) -> str:
    errors = sum(finding.level is not Level.WARNING for finding in report.findings)
    warnings = len(report.findings) - errors
    counted = (f"{errors} error{'s' * (errors != 1)}", f"{warnings} warning{'s' * (warnings != 1)}")
    return f"{', '.join(counted)}; {len(report.proven)} automation{'s' * (len(report.proven) != 1)} proven not to loop"


def as_github(report: Report) -> str:
    """Workflow commands, which GitHub shows beside the lines of a pull request."""
    return "".join(f"{line}\n" for finding in report.findings for line in _command(finding))


def _command(finding: Finding) -> Iterator[str]:
    text = "\n".join(
        [
            finding.message,
            *(f"→ {_place(step.where)}: {step.text}" for step in finding.way),
            *finding.notes,
            finding.help,
        ]
    ).strip()
    where = finding.where
    given = {"file": where.file, "line": where.line, "col": where.column, "title": finding.rule.id}
    properties = ",".join(f"{name}={_escaped(str(value), more=True)}" for name, value in given.items() if value)
    yield f"::{_WORDS[finding.level]} {properties}::{_escaped(text)}"


def _escaped(text: str, *, more: bool = False) -> str:
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if more else text


def as_json(report: Report) -> Mapping[str, Any]:
    """The report as data."""
    return {
        "findings": [
            {
                "rule": finding.rule.id,
                "level": finding.level.value,
                "message": finding.message,
                "help": finding.help or None,
                **_where(finding.where),
                "way": [_step(step) for step in finding.way],
                "notes": list(finding.notes),
            }
            for finding in report.findings
        ],
        "proven": [
            {"message": safe.message, **_where(safe.where), "reasons": [_step(step) for step in safe.reasons]}
            for safe in report.proven
        ],
    }


def _step(step: Step) -> Mapping[str, Any]:
    return {**_where(step.where), "text": step.text}


def _where(where: Where) -> Mapping[str, Any]:
    return {"file": where.file, "line": where.line, "column": where.column}
