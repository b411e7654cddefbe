"""How many values a JSON document holds, and how many may be copied: a short patch can ask for gigabytes. Pure."""

from __future__ import annotations

import copy
import re
from typing import Any

from tidegate.base.errors import LimitExceeded

COPIED_LIMIT = 50_000
"""Values that the operations of one JSON patch may copy in all."""
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_PIECE = re.compile(rb'(?:[^"]*+"[^"\\]*+(?:\\.[^"\\]*+)*+"){1,4096}', re.DOTALL)


def count_values(value: Any, most: int) -> int:
    """How many values a document holds, maps and lists among them; LimitExceeded past `most`."""
    count, level = 1, [value]
    while level:
        item = level.pop()
        inner = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        count += len(inner)
        if count > most:
            raise LimitExceeded(f"more than {most} values")
        level += [one for one in inner if isinstance(one, (dict, list))]
    return count


def check_json(data: bytes, most: int) -> None:
    """LimitExceeded where JSON text holds more than `most` values, before it is read: as objects they take many times
    the memory of the text.
    """
    if _marks(data) > most and _marks_outside_strings(data, most) > most:
        raise LimitExceeded(f"more than {most} values")


def _marks_outside_strings(data: bytes, most: int) -> int:
    """Piece by piece, until there are more than `most`: what stands between millions of strings takes as many
    objects.
    """
    count = place = 0
    while count <= most and (piece := _PIECE.match(data, place)) is not None:
        count += _marks(_STRING.sub(b"", piece.group()))
        place = piece.end()
    return count if count > most else count + _marks(data[place:])


def _marks(data: bytes) -> int:
    return data.count(b",") + data.count(b"[") + data.count(b"{")


class Copier:
    """Copies values for the operations of one patch, up to COPIED_LIMIT in all; LimitExceeded beyond."""

    def __init__(self) -> None:
        self._left = COPIED_LIMIT

    def copy(self, value: Any) -> Any:
        """A copy that shares nothing."""
        try:
            self._left -= count_values(value, self._left)
        except LimitExceeded:
            raise LimitExceeded(f"a JSON patch may copy {COPIED_LIMIT} values in all") from None
        return copy.deepcopy(value)
