"""Which texts are alike to a program: those that differ only in characters it never tells apart. Pure.

`1.2.3` and `4.5.6` are alike to `^[0-9.]+$`, so that the groups found in one are those of the other. An image's tags
are mostly alike; what was found for one is kept for the others.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from tidegate.base.regexp.program import Condition, Op, Program
from tidegate.base.regexp.runes import contains

MOST_SETS = 64
LONGEST = 256
MOST_KEPT = 8_192

T = TypeVar("T")


class Alike:
    """The classes of ASCII characters that a program does not tell apart."""

    def __init__(self, program: Program):
        self._table = _table(program)

    def key(self, text: str) -> bytes | None:
        """The same for texts that are alike; None where that is not looked at."""
        if len(text) > LONGEST or not text.isascii():
            return None
        return text.encode().translate(self._table)


class Kept(Generic[T]):
    """Answers by the key of a text, up to MOST_KEPT of them."""

    def __init__(self) -> None:
        self._answers: dict[bytes, T] = {}
        self.get = self._answers.get

    def keep(self, key: bytes, answer: T) -> None:
        """Keep an answer; where there are too many, forget all others."""
        if len(self._answers) >= MOST_KEPT:
            self._answers.clear()
        self._answers[key] = answer


def _table(program: Program) -> bytes:
    """For each byte the first one that is alike; each is only like itself where there are too many sets to look at."""
    sets = {bounds for op, bounds in zip(program.ops, program.sets, strict=True) if op == Op.RUNE}
    if len(sets) > MOST_SETS:
        return bytes(range(256))
    words = program.conditions & (Condition.WORD_BOUNDARY | Condition.NO_WORD_BOUNDARY)
    lines = program.conditions & (Condition.BEGIN_LINE | Condition.END_LINE)
    first: dict[tuple[bool, ...], int] = {}
    table = bytearray(range(256))
    for code in range(128):
        char = chr(code)
        word = bool(words) and (char.isalnum() or char == "_")
        looks = (*(contains(bounds, code) for bounds in sets), word, bool(lines) and char == "\n")
        table[code] = first.setdefault(looks, code)
    return bytes(table)
