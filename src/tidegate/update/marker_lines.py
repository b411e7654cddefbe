"""The markers of a file that does not parse, a Helm template say: those whose line alone is clear. Pure."""

from __future__ import annotations

import re
from bisect import bisect_left

import yaml

from tidegate.update.marker import WORD, FileMarkers, Marker, Problem, read_comment
from tidegate.update.objects import ObjectIdentity
from tidegate.update.yaml_text import Positions, lines_of

# One key, one value without blanks and templates, a comment.
_CLEAR_LINE = re.compile(
    r"""[ ]*(?:-[ ]+)*(?:[A-Za-z0-9_./\-]+|"[^"\\{}]*"|'[^'{}]*'):[ \t]+"""
    r"""(?P<value>"[^"\\{}]*"|'[^'{}]*'|[A-Za-z0-9_./][A-Za-z0-9_./:@+\-]*)[ \t]+(?P<comment>\#.*)"""
)
_OPENS_BLOCK = re.compile(r"(?:.*[:\-?][ \t]+|[ \t]*)(?:[&!]\S*[ \t]+)*[|>][-+0-9]*[ \t]*(?:#.*)?")


def find_by_line(positions: Positions, error: yaml.YAMLError) -> FileMarkers:
    """The markers on clear lines; `error` says why the file does not parse, and is reported with the others."""
    text = positions.text
    lines = list(lines_of(text, 0, len(text)))
    problems, markers = [Problem(_line_of(error), f"it does not parse ({_reason(error)})")], []
    in_block = in_blocks(lines)
    for number, (index, line) in enumerate(lines):
        if WORD not in line:
            continue
        clear = _CLEAR_LINE.fullmatch(line)
        setter, problem = read_comment(clear["comment"]) if clear else (None, None)
        if clear is None or setter is None or in_block[number]:
            said = problem or "this marked line alone does not say what is marked, so it is not edited"
            problems.append(Problem(number + 1, said))
            continue
        start, end = (positions.offset(index + place) for place in clear.span("value"))
        value = clear["value"]
        style = value[0] if value[0] in "\"'" else ""
        plain = value[1:-1] if style else value
        markers.append(Marker(setter, number + 1, start, end, style, plain, ObjectIdentity()))
    return FileMarkers(tuple(markers), tuple(problems))


def in_blocks(lines: list[tuple[int, str]]) -> list[bool]:
    """Whether each line seems to lie in a block scalar: some line that it is nested in ends with `|` or `>`."""
    found: list[bool] = []
    around: list[tuple[int, bool]] = []
    """The lines that the next one may be nested in: how far each is indented, and whether it or one around it opens a
    block.
    """
    for _, line in lines:
        indent = _indent(line)
        own = bisect_left(around, (indent,))
        inside = own > 0 and around[own - 1][1]
        found.append(inside)
        if line.strip() and not line.lstrip().startswith("{{"):
            around[own:] = [(indent, inside or _OPENS_BLOCK.fullmatch(line) is not None)]
    return found


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _line_of(error: yaml.YAMLError) -> int | None:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    return mark.line + 1 if mark else None


def _reason(error: yaml.YAMLError) -> str:
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or next(iter(error.args), None)
    return str(said or "a character is not allowed")
