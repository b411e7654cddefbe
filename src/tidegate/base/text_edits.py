"""Edits of a file that a person wrote: where they are, and nothing else, the bytes change. Pure.

Places are those that the reader of YAML tells: lines and columns from 1, columns in characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from tidegate.base.errors import Where
from tidegate.base.frozen import frozen

_SCALAR = re.compile(r"'(?:[^']|'')*'|\"(?:\\.|[^\"\\])*\"|[^\s,\[\]{}#'\"][^,\[\]{}\r\n]*?(?=\s*(?:[,\]}\r\n]|\s#|$))")
_ITEM = re.compile(r"[ ]*-[ ]+")
_BREAK = re.compile(r"\r?\n$")
_LINE = re.compile(r"[^\n]*\n|[^\n]+$")


@frozen(order=True)
class Insertion:
    """A text that takes the place of `length` characters; lines and columns count from 1."""

    line: int
    column: int
    text: str
    length: int = 0


def lines_of(content: bytes) -> list[str]:
    """A file's lines with their ends; bytes that are no UTF-8 come through unharmed."""
    return _LINE.findall(content.decode("utf-8", "surrogateescape"))


def edited(lines: Sequence[str], edits: Iterable[Insertion]) -> bytes:
    """The text with its edits, the last one first, so that none moves another."""
    found = [*lines, ""]
    for edit in sorted(set(edits), reverse=True):
        text = found[edit.line - 1]
        start = edit.column - 1
        found[edit.line - 1] = text[:start] + edit.text + text[start + edit.length :]
    return "".join(found).encode("utf-8", "surrogateescape")


def scalar_span(lines: Sequence[str], where: Where) -> tuple[int, int] | None:
    """Where a scalar of one line begins and ends, as columns from 0; None where it is written otherwise."""
    found = _SCALAR.match(lines[(where.line or 1) - 1], (where.column or 1) - 1)
    return found.span() if found else None


def below(lines: Sequence[str], line: int, more: Sequence[str]) -> Iterator[Insertion]:
    """Whole lines below one, ended as that one is."""
    text = lines[line - 1]
    end = _BREAK.search(text)
    if end is None:
        yield Insertion(line, len(text) + 1, "".join(f"\n{one}" for one in more))
    else:
        yield Insertion(line + 1, 1, "".join(f"{one}{end[0]}" for one in more))


def more_items(lines: Sequence[str], last: Where, items: Sequence[str]) -> Iterator[Insertion]:
    """Further items behind the last one of a list of scalars, in a block or between brackets; nothing where the list is
    written in a way that is not understood.
    """
    line, column = last.line or 1, last.column or 1
    text = lines[line - 1]
    before, span = text[: column - 1], scalar_span(lines, last)
    if _ITEM.fullmatch(before):
        yield from below(lines, line, [f"{before}{item}" for item in items])
    elif span and ("[" in before or text[span[1] :].lstrip()[:1] in (",", "]")):
        yield Insertion(line, span[1] + 1, "".join(f", {item}" for item in items))
