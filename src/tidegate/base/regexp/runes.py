"""Sets of code points, as the places where membership turns: `(97, 123)` is a-z. Pure.

A tuple has an even length and rises strictly: `bisect_right(bounds, code) & 1` tells whether a code point is in.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

Bounds = tuple[int, ...]

LIMIT = 0x110000
ANY: Bounds = (0, LIMIT)
NOTHING: Bounds = ()
NOT_NEWLINE: Bounds = (0, 10, 11, LIMIT)
SURROGATES: Bounds = (0xD800, 0xE000)
REPLACEMENT = 0xFFFD


def one(code: int) -> Bounds:
    """The set of one code point."""
    return code, code + 1


def of_pairs(pairs: Iterable[tuple[int, int]]) -> Bounds:
    """The set of half-open ranges, in any order, overlapping or not."""
    bounds: list[int] = []
    for low, high in sorted(pairs):
        if bounds and low <= bounds[-1]:
            bounds[-1] = max(bounds[-1], high)
        else:
            bounds += low, high
    return tuple(bounds)


def pairs_of(bounds: Bounds) -> Iterator[tuple[int, int]]:
    """The half-open ranges of a set."""
    return zip(bounds[::2], bounds[1::2], strict=True)


def union(sets: Iterable[Bounds]) -> Bounds:
    """What is in any of the sets."""
    return of_pairs(pair for bounds in sets for pair in pairs_of(bounds))


def negated(bounds: Bounds) -> Bounds:
    """Every code point that is not in the set."""
    start = bounds[1:] if bounds[:1] == (0,) else (0, *bounds)
    return start[:-1] if start[-1:] == (LIMIT,) else (*start, LIMIT)


def contains(bounds: Bounds, code: int) -> bool:
    """Whether a code point is in the set."""
    return bool(bisect_right(bounds, code) & 1)


def code_of(char: str) -> int:
    """A character as Go sees it: half of a surrogate pair stands for bytes that are no UTF-8, read as U+FFFD."""
    code = ord(char)
    return REPLACEMENT if 0xD800 <= code < 0xE000 else code
