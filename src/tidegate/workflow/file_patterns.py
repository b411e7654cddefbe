"""Which files a list of patterns means, as the package @actions/glob reads it: for hashFiles. Pure.

Names of folders are matched one by one, so that a folder in which nothing can match is never looked into.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Iterable, Sequence

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen

_ANY_DEPTH = "**"
_ESCAPED = re.compile(r"\\(.)")


@frozen
class FilePattern:
    """One line: the names of the way, `**` standing for any number of them; None is that."""

    negated: bool
    parts: tuple[re.Pattern[str] | None, ...]

    def matches(self, way: Sequence[str]) -> bool:
        """Whether it means the file, or a folder that holds it."""
        return not self.parts or any(len(self.parts) in reached for reached in self._reached(way))

    def may_hold(self, way: Sequence[str]) -> bool:
        """Whether a file below this folder may be meant."""
        reached = list(self._reached(way))
        return not reached or bool(reached[-1]) or self.matches(way)

    def _reached(self, way: Sequence[str]) -> Iterable[set[int]]:
        """For each name of the way the places in the pattern that are reached behind it."""
        places = self._free({0})
        for name in way:
            following = {place for place in places if place < len(self.parts) and self.parts[place] is None}
            following |= {place + 1 for place in places if place < len(self.parts) and self._fits(place, name)}
            places = self._free(following)
            yield places

    def _fits(self, place: int, name: str) -> bool:
        part = self.parts[place]
        return part is not None and part.match(name) is not None

    def _free(self, places: set[int]) -> set[int]:
        """With the places that are reached without a name: `**` may stand for none."""
        found = set(places)
        for place in sorted(places):
            while place < len(self.parts) and self.parts[place] is None:
                place += 1  # noqa: PLW2901
                found.add(place)
        return found


def file_patterns(lines: Iterable[str], workspace: str) -> list[FilePattern]:
    """The patterns of lines; empty ones and comments are none. Relative ones start at the workspace, and what leads out
    of it means nothing. Raises InvalidInput for an option.
    """
    found = []
    for line in (one.strip() for text in lines for one in text.splitlines()):
        if line.startswith("--"):
            remedy = "leave it out: symlinks are not followed"
            raise InvalidInput(f"hashFiles does not know {line!r} here", remedy=remedy)
        if line and not line.startswith("#") and (pattern := _pattern(line, workspace)) is not None:
            found.append(pattern)
    return found


def is_meant(way: Sequence[str], patterns: Sequence[FilePattern]) -> bool:
    """Whether the patterns mean a file: the last one that fits it counts."""
    last = next((one for one in reversed(patterns) if one.matches(way)), None)
    return last is not None and not last.negated


def _pattern(line: str, workspace: str) -> FilePattern | None:
    bare = line.lstrip("!")
    negated = (len(line) - len(bare)) % 2 == 1
    path = posixpath.normpath(posixpath.join(workspace, bare.strip()))
    if path != workspace and not path.startswith(f"{workspace}/"):
        return None
    names = [name for name in path.removeprefix(workspace).split("/") if name]
    return FilePattern(negated, tuple(None if name == _ANY_DEPTH else _name(name) for name in names))


def _name(text: str) -> re.Pattern[str]:
    """A name with `*`, `?` and `[…]`; a backslash takes a character as it is."""
    plain = _ESCAPED.sub(lambda found: f"[{found[1]}]" if found[1] in "*?[" else found[1], text)
    return re.compile(fnmatch.translate(plain.replace("[^", "[!")))
