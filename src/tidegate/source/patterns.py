"""One line of gitignore's format, read as Flux reads it: Go's path/filepath.Match between slashes. Pure.

It differs from git's: `[^a]` negates and `[!a]` does not, `**` stands only for whole folders, `/**` alone for nothing,
and what follows a `**` is looked for at its first place only.
"""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.base.errors import LimitExceeded
from tidegate.base.frozen import frozen

PATTERN_LIMIT = 1024
WORK_LIMIT = 100_000_000
"""How many comparisons the files of one commit may take: patterns and names come from whoever may push."""
_ANY = ""  # as an item of a chunk: `?`


class Work:
    """Counts comparisons; LimitExceeded past WORK_LIMIT."""

    def __init__(self, limit: int = WORK_LIMIT):
        self._left = limit

    def spend(self, count: int) -> None:
        """Say that this many are about to be made."""
        self._left -= count
        if self._left < 0:
            raise LimitExceeded(
                "the patterns of spec.ignore and .sourceignore take too long for so many files",
                remedy="use fewer patterns, or patterns with fewer wildcards",
            )


@frozen
class Pattern:
    """One line. `segments` are what stands between slashes: None for `**`, "" for an empty one."""

    takes_in: bool
    folders_only: bool
    segments: tuple[Segment | str | None, ...]

    @property
    def is_name(self) -> bool:
        """Whether it is for names at any depth, having no slash but at its end."""
        return len(self.segments) == 1

    def consumed(self, parts: Sequence[str], work: Work) -> int:
        """How many parts of a path the pattern takes to match, from the first on; 0 where it does not match."""
        if not self.is_name:
            return self._consumed(parts, work)
        return next((at for at, part in enumerate(parts, 1) if self.is_of(part, work)), 0)

    def plain_name(self) -> str | None:
        """The one name that it is for, where it is for no other."""
        segment = self.segments[0]
        if not self.is_name or not isinstance(segment, Segment) or segment.chunks is None or len(segment.chunks) != 1:
            return None
        floating, chunk = segment.chunks[0]
        return chunk if isinstance(chunk, str) and not floating else None

    def is_of(self, name: str, work: Work) -> bool:
        """Whether a pattern for names matches one."""
        segment = self.segments[0]
        return isinstance(segment, Segment) and segment.matches(name, work)

    def _consumed(self, parts: Sequence[str], work: Work) -> int:
        at, anywhere = 0, False
        for segment in self.segments:
            if segment is None:
                anywhere = True
                continue
            if isinstance(segment, str):
                anywhere = False
                continue
            while at < len(parts) and not segment.matches(parts[at], work):
                if not anywhere:
                    return 0
                at += 1
            if at == len(parts):
                return 0
            at, anywhere = at + 1, False
        return at


@frozen
class Segment:
    """What stands between two slashes, as Go's path/filepath.Match reads it. `chunks` are (may something stand before
    it?, its characters); None is a malformed pattern, which matches nothing.
    """

    chunks: tuple[tuple[bool, Sequence[str | Class]], ...] | None

    def matches(self, name: str, work: Work) -> bool:
        """Whether a name matches, as a whole."""
        if self.chunks is None:
            return False
        at, last = 0, len(self.chunks) - 1
        for number, (floating, chunk) in enumerate(self.chunks):
            highest = len(name) - len(chunk)
            if highest < at:
                return False
            if number == last:
                if not floating and highest != at:
                    return False
                return _stands(chunk, name, highest)
            found = _find(chunk, name, at, work) if floating else (at if _stands(chunk, name, at) else -1)
            if found < 0:
                return False
            at = found + len(chunk)
        return not name


@frozen
class Class:
    """`[a-z]`: some ranges of characters, or all others."""

    negated: bool
    ranges: tuple[tuple[str, str], ...]

    def has(self, character: str) -> bool:
        """Whether a character is of it."""
        return self.negated != any(low <= character <= high for low, high in self.ranges)


def _stands(chunk: Sequence[str | Class], name: str, at: int) -> bool:
    if isinstance(chunk, str):
        return name.startswith(chunk, at)
    for item, character in zip(chunk, name[at : at + len(chunk)], strict=True):
        if isinstance(item, Class):
            if not item.has(character):
                return False
        elif item not in (_ANY, character):
            return False
    return True


def _find(chunk: Sequence[str | Class], name: str, start: int, work: Work) -> int:
    if isinstance(chunk, str):
        return name.find(chunk, start)
    places = len(name) - len(chunk) + 1 - start
    work.spend(places * len(chunk))
    return next((at for at in range(start, start + places) if _stands(chunk, name, at)), -1)


class _Malformed(Exception):
    pass


def segment_of(text: str) -> Segment:
    """A segment by its text."""
    try:
        return Segment(tuple(_chunks(text)))
    except _Malformed:
        return Segment(None)


def _chunks(text: str) -> list[tuple[bool, Sequence[str | Class]]]:
    chunks: list[tuple[bool, Sequence[str | Class]]] = []
    at = 0
    while at < len(text) or not chunks:
        before = at
        while at < len(text) and text[at] == "*":
            at += 1
        floating, items = at > before, []
        while at < len(text) and text[at] != "*":
            item, at = _item(text, at)
            items.append(item)
        literal = all(isinstance(item, str) and item for item in items)
        chunks.append((floating, "".join(map(str, items)) if literal else tuple(items)))
    return chunks


def _item(text: str, at: int) -> tuple[str | Class, int]:
    if text[at] == "?":
        return _ANY, at + 1
    if text[at] == "[":
        return _class(text, at + 1)
    if text[at] == "\\":
        if at + 1 == len(text):
            raise _Malformed
        return text[at + 1], at + 2
    return text[at], at + 1


def _class(text: str, at: int) -> tuple[Class, int]:
    negated = text.startswith("^", at)
    at += negated
    ranges: list[tuple[str, str]] = []
    while not (ranges and text.startswith("]", at)):
        low, at = _bound(text, at)
        high = low
        if text.startswith("-", at):
            high, at = _bound(text, at + 1)
        ranges.append((low, high))
    return Class(negated, tuple(ranges)), at + 1


def _bound(text: str, at: int) -> tuple[str, int]:
    if text.startswith("\\", at):
        at += 1
    elif text.startswith(("-", "]"), at):
        raise _Malformed
    if at + 1 >= len(text):  # whatever it is, the class has no end
        raise _Malformed
    return text[at], at + 1


def pattern_of(line: str) -> Pattern:
    """One line that is neither blank nor a comment."""
    takes_in = line.startswith("!")
    text = line[1:] if takes_in else line
    if not text.endswith("\\ "):
        text = text.rstrip(" ")
    folders_only = text.endswith("/")
    parts = text.removesuffix("/").split("/")
    if len(parts) == 1:
        return Pattern(takes_in, folders_only, (segment_of(parts[0]),))
    if len(parts) == 2 and parts[0] == "**" and parts[1] and "**" not in parts[1]:
        del parts[0]  # a name at any depth, as without it
    segments = tuple(None if part == "**" else part and segment_of(part) for part in parts)
    if any(part != "**" and "**" in part for part in parts):
        segments = ("", "")  # as in Flux: it matches nothing
    return Pattern(takes_in, folders_only, segments)


def patterns_of(text: str, name: str) -> list[Pattern]:
    """The patterns of `spec.ignore` or of a file, in their order; `name` says which in an error."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")  # noqa: PLW2901 - what ends a line is no part of it
        if line.startswith("#") or not line.strip():
            continue
        if len(line) > PATTERN_LIMIT:
            raise LimitExceeded(f"{name}:{number}: a pattern may have at most {PATTERN_LIMIT} characters")
        found.append(pattern_of(line))
    return found
