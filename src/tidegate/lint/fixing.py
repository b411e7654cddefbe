"""What `--fix` changes: a line in a workflow's filter of paths, a version of Flux's. Only these bytes change. Pure.

What is written in a form that is not understood (`on: push`, a filter that is one text) is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tidegate.base.errors import Where
from tidegate.base.files import Files
from tidegate.lint.catalogue import Catalogue
from tidegate.lint.known import Known
from tidegate.lint.loops import Edge, prove, written_files
from tidegate.lint.remedies import patterns
from tidegate.lint.repository import read_repository
from tidegate.lint.rules.removed_version import SERVED, removed
from tidegate.lint.starting import Starts
from tidegate.workflow.model import Filter, PullRequestTrigger, PushTrigger

_SCALAR = re.compile(r"'(?:[^']|'')*'|\"(?:\\.|[^\"\\])*\"|[^\s,\[\]{}#'\"][^,\[\]{}\r\n]*?(?=\s*(?:[,\]}\r\n]|\s#|$))")
_ITEM = re.compile(r"[ ]*-[ ]+")
_BREAK = re.compile(r"\r?\n$")


@dataclass(frozen=True, slots=True, order=True)
class Insertion:
    """A text that takes the place of `length` characters; lines and columns count from 1."""

    line: int
    column: int
    text: str
    length: int = 0


def fixes(files: Files) -> dict[str, bytes]:
    """The files that change, with their new content."""
    repository = read_repository(files)
    known = Known(repository, Starts(repository), Catalogue(repository))
    edits: dict[str, list[Insertion]] = {}
    for found in removed(known):
        where = found.place.at("apiVersion")
        edits.setdefault(str(where.file), []).extend(
            _version(_lines(files, where), where, str(found.raw["apiVersion"]))
        )
    proof = prove(known)
    for circle in proof.loops:
        file = circle[0].started.first.file
        lines = _text(files, file)
        edits.setdefault(file, []).extend(_filter(lines, circle[0], written_files(circle[0], proof.turning)))
    return {path: _edited(_text(files, path), some) for path, some in edits.items() if some}


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
        yield from _more(lines, trigger.paths, quoted)


def _more(lines: Sequence[str], paths: Filter, quoted: Sequence[str]) -> Iterator[Insertion]:
    where = paths.patterns[-1].where
    line, column = where.line or 1, where.column or 1
    text = lines[line - 1]
    before, scalar = text[: column - 1], _SCALAR.match(text, column - 1)
    if _ITEM.fullmatch(before):
        yield from _below(lines, line, [f"{before}{pattern}" for pattern in quoted])
    elif scalar and ("[" in before or text[scalar.end() :].lstrip()[:1] in (",", "]")):
        yield Insertion(line, scalar.end() + 1, "".join(f", {pattern}" for pattern in quoted))


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
    yield from _below(lines, line, [f"{indent}paths-ignore:", *(f"{indent}  - {pattern}" for pattern in quoted)])


def _below(lines: Sequence[str], line: int, more: Sequence[str]) -> Iterator[Insertion]:
    """Whole lines below one, ended as that one is."""
    text = lines[line - 1]
    end = _BREAK.search(text)
    if end is None:
        yield Insertion(line, len(text) + 1, "".join(f"\n{one}" for one in more))
    else:
        yield Insertion(line + 1, 1, "".join(f"{one}{end[0]}" for one in more))


def _edited(lines: Sequence[str], edits: Sequence[Insertion]) -> bytes:
    """The text with its edits, the last one first, so that none moves another."""
    found = [*lines, ""]
    for edit in sorted(set(edits), reverse=True):
        text = found[edit.line - 1]
        start = edit.column - 1
        found[edit.line - 1] = text[:start] + edit.text + text[start + edit.length :]
    return "".join(found).encode("utf-8", "surrogateescape")


def _lines(files: Files, where: Where) -> Sequence[str]:
    return _text(files, str(where.file))


def _text(files: Files, path: str) -> Sequence[str]:
    """A file's lines with their ends; bytes that are no UTF-8 come through unharmed."""
    return re.findall(r"[^\n]*\n|[^\n]+$", files.read(path).decode("utf-8", "surrogateescape"))
