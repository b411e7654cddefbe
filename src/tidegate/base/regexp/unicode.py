"""Unicode's named sets and simple case folding, from the tables of Go's version of Unicode. Pure.

Python's own `unicodedata` is of another version, which differs with Python's.
"""

from __future__ import annotations

import base64
import zlib
from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache

from tidegate.base.regexp import unicode_tables as tables
from tidegate.base.regexp.runes import ANY, Bounds, contains, negated, of_pairs, one, pairs_of, union

_CASED = ("Lu", "Ll", "Lt")


def named(name: str, *, fold_case: bool = False) -> Bounds | None:
    """The set of `\\p{name}`: a category, one of its long names, a script, Any, Assigned or ASCII; None for no such.

    As in Go 1.26, case, spaces, hyphens and underscores don't count; and so a script whose name has an underscore
    (Old_Italic) is not found. `fold_case` adds the other cases of its members; none to LC, in Go.
    """
    bounds = _named(_canonical(name)) if len(name) <= _LONGEST_NAME else None
    return folded(bounds) if bounds is not None and fold_case and bounds != _named("Lc") else bounds


def folded(bounds: Bounds) -> Bounds:
    """A set with all that differs from its members in case alone, by Unicode's simple folding (k, K and the Kelvin)."""
    codes, following = _folds()
    added: list[int] = []
    for low, high in pairs_of(bounds):
        for index in range(bisect_left(codes, low), bisect_left(codes, high)):
            code = following[codes[index]]
            while code != codes[index]:
                if not contains(bounds, code):
                    added.append(code)
                code = following[code]
    return of_pairs([*pairs_of(bounds), *((code, code + 1) for code in added)]) if added else bounds


def folds_within(bounds: Bounds) -> int:
    """How many members of a set have another case: what folding it costs."""
    codes, _ = _folds()
    return sum(bisect_left(codes, high) - bisect_left(codes, low) for low, high in pairs_of(bounds))


@lru_cache(maxsize=256)
def is_word_of_names(char: str) -> bool:
    """A letter, digit or underscore of any script: what a name in a template of Go's Expand is made of."""
    code = ord(char)
    letters, digits = _named("L"), _named("Nd")
    assert letters is not None
    assert digits is not None
    return char == "_" or contains(letters, code) or contains(digits, code)


_LONGEST_NAME = 1_000


def _canonical(name: str) -> str:
    letters = "".join(char for char in name if char not in "_- ")
    ascii_only = "".join(char.lower() if char.isascii() else char for char in letters)
    return (ascii_only[0].upper() if ascii_only[0].isascii() else ascii_only[0]) + ascii_only[1:] if ascii_only else ""


@lru_cache(maxsize=32)
def _named(name: str) -> Bounds | None:
    if name == "Any":
        return ANY
    if name == "Ascii":
        return (0, 0x80)
    if name == "Assigned":
        return negated(_category("Cn"))
    if name == "Lc":
        return union(_category(minor) for minor in _CASED)
    category = name if _is_category(name) else _aliases().get(name)
    if category is not None:
        return _named("Lc") if category == "LC" else union(map(_category, _minors(category)))
    return _script(name) if name in tables.SCRIPT_NAMES.split() else None


def _is_category(name: str) -> bool:
    return bool(_minors(name)) if len(name) in (1, 2) else False


def _minors(name: str) -> list[str]:
    return [minor for minor in tables.CATEGORY_NAMES.split() if name and minor.startswith(name)]


@lru_cache(maxsize=1)
def _aliases() -> dict[str, str]:
    pairs = (alias.split("=") for alias in tables.CATEGORY_ALIASES.split())
    return {_canonical(name): category for name, category in pairs}


def _category(name: str) -> Bounds:
    return _run_set(tables.CATEGORY_RUNS, tables.CATEGORY_NAMES.split().index(name))


def _script(name: str) -> Bounds:
    return _run_set(tables.SCRIPT_RUNS, tables.SCRIPT_NAMES.split().index(name) + 1)


def _run_set(packed: str, wanted: int) -> Bounds:
    start, pairs = 0, []
    data = iter(zlib.decompress(base64.b64decode(packed)))
    for length in _varints(data):
        if next(data) == wanted:
            pairs.append((start, start + length))
        start += length
    return of_pairs(pairs)


@lru_cache(maxsize=1)
def _folds() -> tuple[list[int], dict[int, int]]:
    """The code points that have another case, in order, and the next one of each one's orbit."""
    code, following = 0, {}
    numbers = _varints(iter(zlib.decompress(base64.b64decode(tables.FOLDS))))
    for distance in numbers:
        code += distance
        step = next(numbers)
        following[code] = code + ((step >> 1) ^ -(step & 1))
    return list(following), following


def _varints(data: Iterator[int]) -> Iterator[int]:
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield value
            value = shift = 0


@lru_cache(maxsize=512)
def folded_one(code: int) -> Bounds:
    """The set of a code point and its other cases."""
    return folded(one(code))
