"""The text of a workflow file, to show the line of a problem and to find a character inside a scalar again."""

from __future__ import annotations

import re

from tidegate.base.errors import Where
from tidegate.workflow.problems import Problem

_LONGEST_LINE = 300
_FLOW_WORD = re.compile(r"""[\w./$-]+(?=\s*:(?:\s|$))|"[^"]*"|'[^']*'|\[[^]]*\]|[^\s,\[\]{}]+""")
_WORD = re.compile(r"""[\w./$-]+(?=\s*:(?:\s|$))|"[^"]*"|'[^']*'|\[[^]]*\]|.+?(?=\s+\#|\s*$)""")


class Source:
    """A file's lines. Lines and columns count from 1."""

    def __init__(self, data: bytes, file: str):
        self.file = file
        text = data.decode("utf-8", "replace").removeprefix("\ufeff")
        self._lines = re.split(r"\r\n|\r|\n", text)

    @property
    def text(self) -> str:
        """The whole text, its lines ended by line feeds."""
        return "\n".join(self._lines)

    def line(self, number: int | None) -> str:
        """A line's text, cut to what a person can look at."""
        if number is None or not 1 <= number <= len(self._lines):
            return ""
        return self._lines[number - 1][:_LONGEST_LINE]

    def problem(self, message: str, where: Where, remedy: str | None = None, length: int | None = None) -> Problem:
        """A problem with its line; `length` is the culprit's, by default that of the key or value at the place."""
        line = self.line(where.line)
        if length is None:
            start = max((where.column or 1) - 1, 0)
            word = _FLOW_WORD if re.search(r"[\[{]", line[:start]) else _WORD
            found = word.match(line, start)
            length = len(found[0]) if found else 1
        return Problem(message, where, remedy, line, length)

    def within(self, scalar: Where, value: str, position: int) -> Where:
        """The place of a character of a scalar's value, as near as the way it is written lets one say.

        Looks for the value's line from the scalar's own line on: block scalars, plain and quoted ones keep the
        characters of a line together, whatever indentation stands before them.
        """
        line, column = scalar.line or 1, scalar.column or 1
        start = value.rfind("\n", 0, position) + 1
        end = value.find("\n", position)
        wanted = value[start : end if end >= 0 else len(value)]
        nth = sum(1 for earlier in value[:start].split("\n")[:-1] if wanted.strip() and wanted in earlier)
        for number in range(line, min(line + value.count("\n") + 3, len(self._lines) + 1)):
            found = self._lines[number - 1].find(wanted, column - 1 if number == line else 0)
            if found >= 0 and wanted.strip():
                if nth == 0:
                    return Where(self.file, number, found + 1 + position - start, scalar.field)
                nth -= 1
        return self._near(scalar, value, position)

    def _near(self, scalar: Where, value: str, position: int) -> Where:
        """Where a line of the value is folded over several lines of the file: the same `${{` by its number."""
        wanted = value.count("${{", 0, position)
        number, column = scalar.line or 1, scalar.column or 1
        while wanted and number <= len(self._lines):
            for found in re.finditer(r"\$\{\{", self._lines[number - 1]):
                if number > (scalar.line or 1) or found.start() >= column - 1:
                    wanted -= 1
                    if not wanted:
                        return Where(self.file, number, found.start() + 1, scalar.field)
            number += 1
        return scalar
