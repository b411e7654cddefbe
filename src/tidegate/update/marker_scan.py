"""Which value a marker's comment belongs to, by the scanner's tokens: the value before it on its line, or the item of a
list that it stands directly before (as kyaml attaches comments). Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from tidegate.base.frozen import frozen
from tidegate.update.marker import WORD, FileMarkers, Marker, Problem, read_comment
from tidegate.update.objects import Region, object_at
from tidegate.update.yaml_text import LINE_BREAK, Positions, line_end, lines_of

BLOCK_STYLES = ("|", ">")
_BLOCK_HEADER = re.compile(r"[|>][-+0-9]*")
_PROPERTIES = (yaml.AnchorToken, yaml.TagToken)
_INSIDE_LIST = (yaml.BlockEntryToken, yaml.BlockEndToken, yaml.BlockSequenceStartToken, *_PROPERTIES)


@frozen
class _Heading:
    """A marker on a line of its own, waiting for the item that it stands before."""

    setter: str
    index: int


@dataclass(slots=True)
class MarkerScan:
    """One pass over a file's tokens. `value` is the scalar that a comment on this line would mark."""

    positions: Positions
    regions: list[Region]
    found: dict[int, Marker] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    previous: Any = None
    value: Any = None
    heading: _Heading | None = None

    def run(self, tokens: Iterator[Any]) -> FileMarkers:
        """The markers and what is wrong with others, both in order."""
        reached = 0
        for token in tokens:
            start, end = token.start_mark.index, token.end_mark.index
            self._gap(reached, start)
            self._take(token)
            reached = max(reached, end)
        self._gap(reached, len(self.positions.text))
        self._drop_heading()
        markers = sorted(self.found.values(), key=lambda marker: marker.start)
        return FileMarkers(tuple(markers), tuple(sorted(self.problems, key=lambda problem: problem.line or 0)))

    def _take(self, token: Any) -> None:
        if isinstance(token, yaml.ScalarToken):
            self._scalar(token)
        elif not isinstance(token, _INSIDE_LIST):
            self._drop_heading()
            if token.start_mark.index < token.end_mark.index and not isinstance(token, yaml.FlowEntryToken):
                self.value = None
        if not isinstance(token, (*_PROPERTIES, yaml.BlockEndToken)):
            self.previous = token

    def _scalar(self, token: Any) -> None:
        self.value = None if isinstance(self.previous, yaml.KeyToken) else token
        if self.heading is not None and isinstance(self.previous, yaml.BlockEntryToken):
            self._mark(token, self.heading.setter)
            self.heading = None
        self._drop_heading()
        if token.style in BLOCK_STYLES:
            self._header(token)

    def _header(self, token: Any) -> None:
        """The comment behind `|` lies within the scanner's token of the block."""
        text, start = self.positions.text, token.start_mark.index
        header = _BLOCK_HEADER.match(text, start)
        assert header is not None
        setter = self._setter(text[header.end() : line_end(text, start)].lstrip(), start)
        if setter:
            self._mark(token, setter)

    def _gap(self, start: int, end: int) -> None:
        """What lies between two tokens: blanks and comments."""
        text = self.positions.text
        if text.find(WORD, start, end) < 0:
            return
        own = []
        for index, line in lines_of(text, start, end):
            comment = line.lstrip()
            if not comment.startswith("#"):
                continue
            if index == start > 0 and not LINE_BREAK.fullmatch(text[start - 1]):
                self._behind(comment, index)
            else:
                own.append((index, comment))
        for index, comment in own:
            setter = self._setter(comment, index)
            if setter and len(own) == 1 and self._may_head(text[index:end]):
                self.heading = _Heading(setter, index)
            elif setter:
                self._unattached(index)

    def _may_head(self, rest: str) -> bool:
        """Between an item and the next, an empty line after the comment gives it to the item before."""
        parted = any(not line.strip() for _, line in list(lines_of(rest, 0, len(rest)))[1:-1])
        return not parted or isinstance(self.previous, (yaml.ValueToken, yaml.BlockSequenceStartToken))

    def _behind(self, comment: str, index: int) -> None:
        setter = self._setter(comment, index)
        if not setter:
            return
        if self.value is not None and self.value.style not in BLOCK_STYLES:
            self._mark(self.value, setter)
        elif isinstance(self.previous, yaml.BlockEntryToken):
            self.heading = _Heading(setter, index)
        else:
            self._unattached(index)

    def _mark(self, token: Any, setter: str) -> None:
        start, end = token.start_mark.index, token.end_mark.index
        if token.style in BLOCK_STYLES:
            start, end = _block_content(self.positions.text, start, end)
        if start == end:
            self._unattached(start)
            return
        self.found[start] = Marker(
            setter=setter,
            line=self.positions.line(start),
            start=self.positions.offset(start),
            end=self.positions.offset(end),
            style="" if token.plain else token.style,
            value=token.value,
            object=object_at(self.regions, token.start_mark.index),
        )

    def _setter(self, comment: str, index: int) -> str | None:
        setter, problem = read_comment(comment)
        if problem:
            self.problems.append(Problem(self.positions.line(index), problem))
        return setter

    def _drop_heading(self) -> None:
        if self.heading is not None:
            self._unattached(self.heading.index)
            self.heading = None

    def _unattached(self, index: int) -> None:
        self.problems.append(Problem(self.positions.line(index), "the marker belongs to no value"))


def _block_content(text: str, start: int, end: int) -> tuple[int, int]:
    """From the first character of a block scalar's text to the last one, without indentation and line breaks."""
    body = line_end(text, start)
    inside = text[body:end]
    stripped = inside.strip(" \t\r\n\x85\u2028\u2029")
    first = body + inside.index(stripped)
    return first, first + len(stripped)
