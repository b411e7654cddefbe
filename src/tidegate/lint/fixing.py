"""What `--fix` changes: a line in a workflow's filter of paths, a version of Flux's. Only these bytes change. Pure.

What is written in a form that is not understood (`on: push`, a filter that is one text) is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from tidegate.base.errors import Where
from tidegate.base.files import Files
from tidegate.base.text_edits import Insertion, below, edited, lines_of, more_items
from tidegate.lint.catalogue import Catalogue
from tidegate.lint.known import Known
from tidegate.lint.loops import Edge, prove, written_files
from tidegate.lint.remedies import patterns
from tidegate.lint.repository import read_repository
from tidegate.lint.rules.removed_version import SERVED, removed
from tidegate.lint.starting import Starts
from tidegate.workflow.model import PullRequestTrigger, PushTrigger


def fixes(files: Files) -> dict[str, bytes]:
    """The files that change, with their new content."""
    known = _known(files)
    edits: dict[str, list[Insertion]] = {}
    for found in removed(known):
        where = found.place.at("apiVersion")
        edits.setdefault(str(where.file), []).extend(
            _version(_lines(files, where), where, str(found.raw["apiVersion"]))
        )
    for path, some in _loops(files, known).items():
        edits.setdefault(path, []).extend(some)
    return _applied(files, edits)


def without_loops(files: Files) -> dict[str, bytes]:
    """The workflows whose filters change so that nothing loops, with their new content; versions stay as they are."""
    return _applied(files, _loops(files, _known(files)))


def _known(files: Files) -> Known:
    repository = read_repository(files)
    return Known(repository, Starts(repository), Catalogue(repository))


def _loops(files: Files, known: Known) -> dict[str, list[Insertion]]:
    edits: dict[str, list[Insertion]] = {}
    proof = prove(known)
    for circle in proof.loops:
        file = circle[0].started.first.file
        lines = lines_of(files.read(file))
        edits.setdefault(file, []).extend(_filter(lines, circle[0], written_files(circle[0], proof.turning)))
    return edits


def _applied(files: Files, edits: Mapping[str, Sequence[Insertion]]) -> dict[str, bytes]:
    return {path: edited(lines_of(files.read(path)), some) for path, some in edits.items() if some}


def _version(lines: Sequence[str], where: Where, written: str) -> Iterator[Insertion]:
    version = written.rpartition("/")[2]
    line, column = where.line or 1, where.column or 1
    start = lines[line - 1].find(f"/{version}", column - 1)
    if start >= 0:
        yield Insertion(line, start + 2, SERVED, len(version))


def _filter(lines: Sequence[str], edge: Edge, written: Sequence[str]) -> Iterator[Insertion]:
    """The patterns behind the last one of the filter; a filter of its own where there is none."""
    trigger = edge.started.first.triggers.get(edge.started.event)
    if not isinstance(trigger, PushTrigger | PullRequestTrigger):
        return
    quoted = ["'" + pattern.replace("'", "''") + "'" for pattern in patterns(trigger.paths, written)]
    if trigger.paths is None:
        yield from _new_filter(lines, trigger, quoted)
    elif trigger.paths.patterns:
        yield from more_items(lines, trigger.paths.patterns[-1].where, quoted)


def _new_filter(
    lines: Sequence[str], trigger: PushTrigger | PullRequestTrigger, quoted: Sequence[str]
) -> Iterator[Insertion]:
    """`paths-ignore` as the first field of the event, where the event is a key of a block."""
    line, column = trigger.where.line or 1, trigger.where.column or 1
    text = lines[line - 1]
    if text[: column - 1].strip() or not re.fullmatch(r"[\w\"']+:\s*(?:#.*)?", text[column - 1 :].strip()):
        return
    fields = [one for one in (trigger.branches, getattr(trigger, "tags", None)) if one is not None]
    indent = " " * ((fields[0].where.column or 1) - 1 if fields else column + 1)
    yield from below(lines, line, [f"{indent}paths-ignore:", *(f"{indent}  - {pattern}" for pattern in quoted)])


def _lines(files: Files, where: Where) -> Sequence[str]:
    return lines_of(files.read(str(where.file)))
