"""Characters, lines and bytes of a YAML text, and the scanner that reads it. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

import yaml

BYTE_ORDER_MARK = "\ufeff"
LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_SEPARATING_TABS = re.compile(r"(?:(?<=[:\-?,])|(?<=[^\s]))[ ]*\t[ \t]*(?=[^ \t])|[ \t]*\t[ \t]*(?=[\r\n#]|\Z)")


def loader() -> Any:
    """libyaml where PyYAML has it, else the scanner in Python."""
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def scannable(text: str) -> str:
    """The text with the tabs between values made blanks, one for one: PyYAML's own scanner refuses tabs there, which
    YAML allows. Positions stay as they were.
    """
    if "\t" not in text or loader() is not yaml.SafeLoader:
        return text
    return _SEPARATING_TABS.sub(lambda match: " " * len(match.group()), text)


class Positions:
    """Where a text's characters are in its bytes and lines. A byte order mark is no part of `text`."""

    def __init__(self, text: str):
        self.text = text.removeprefix(BYTE_ORDER_MARK)
        self._shift = 3 if len(self.text) != len(text) else 0
        self._ascii = self.text.isascii()
        self._breaks: list[int] | None = None
        self._known = (0, self._shift)

    def offset(self, index: int) -> int:
        """The byte in the file where a character begins."""
        if self._ascii:
            return self._shift + index
        # They are asked for in order, as a rule, so it is counted from the last one on.
        start, offset = self._known if self._known[0] <= index else (0, self._shift)
        self._known = index, offset + len(self.text[start:index].encode())
        return self._known[1]

    def line(self, index: int) -> int:
        """The line of a character, from 1."""
        if self._breaks is None:
            self._breaks = [found.end() for found in LINE_BREAK.finditer(self.text)]
        return bisect_right(self._breaks, index) + 1


def lines_of(text: str, start: int, end: int) -> Iterator[tuple[int, str]]:
    """The lines between two characters, each with where it begins."""
    for found in LINE_BREAK.finditer(text, start, end):
        yield start, text[start : found.start()]
        start = found.end()
    yield start, text[start:end]


def line_end(text: str, start: int) -> int:
    """Where the line of a character ends."""
    found = LINE_BREAK.search(text, start)
    return found.start() if found else len(text)
