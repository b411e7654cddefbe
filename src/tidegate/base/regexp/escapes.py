"""Character classes and escapes: what stands in brackets, `\\d`, `\\pN`, `[:alpha:]`, `\\x{10FFFF}`. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

from tidegate.base.regexp import errors
from tidegate.base.regexp.errors import refused
from tidegate.base.regexp.flags import Flags
from tidegate.base.regexp.runes import LIMIT, Bounds, negated, of_pairs, pairs_of
from tidegate.base.regexp.unicode import folded, folds_within, named

MOST_WORK = 500_000
_CONTROL = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_HEX = "0123456789abcdef"
_OCTAL = re.compile(r"0[0-7]{0,2}|[1-7][0-7]{1,2}")


def _ascii(*ranges: str) -> Bounds:
    return of_pairs((ord(pair[0]), ord(pair[-1]) + 1) for pair in ranges)


_WORD = _ascii("09", "AZ", "__", "az")
CLASS_ESCAPES = {
    "d": _ascii("09"),
    "s": _ascii("\t\n", "\f\r", "  "),
    "w": _WORD,
    "D": negated(_ascii("09")),
    "S": negated(_ascii("\t\n", "\f\r", "  ")),
    "W": negated(_WORD),
}
_POSIX = {
    "alnum": _ascii("09", "AZ", "az"),
    "alpha": _ascii("AZ", "az"),
    "ascii": _ascii("\x00\x7f"),
    "blank": _ascii("\t\t", "  "),
    "cntrl": _ascii("\x00\x1f", "\x7f\x7f"),
    "digit": _ascii("09"),
    "graph": _ascii("!~"),
    "lower": _ascii("az"),
    "print": _ascii(" ~"),
    "punct": _ascii("!/", ":@", "[`", "{~"),
    "space": _ascii("\t\r", "  "),
    "upper": _ascii("AZ"),
    "word": _WORD,
    "xdigit": _ascii("09", "AF", "af"),
}
_POSIX_NAME = re.compile(r"\[:(.*?):\]", re.DOTALL)


def class_escape(letter: str, flags: Flags) -> Bounds:
    """The set of `\\d`, `\\D`, …"""
    bounds = CLASS_ESCAPES[letter]
    if Flags.FOLD_CASE not in flags:
        return bounds
    return folded(bounds) if letter.islower() else negated(folded(CLASS_ESCAPES[letter.lower()]))


def escaped_character(text: str, at: int) -> tuple[int, int]:
    """The code point of the escape at `at`, and where it ends."""
    char = text[at + 1 : at + 2]
    if not char:
        raise refused(errors.TRAILING_BACKSLASH, "")
    if char == "x":
        return _hexadecimal(text, at)
    if char in _CONTROL:
        return _CONTROL[char], at + 2
    octal = _OCTAL.match(text, at + 1)
    if octal is not None:
        return int(octal[0], 8), octal.end()
    if not char.isascii() or char.isalnum():
        raise refused(errors.ESCAPE, text[at : at + 2])
    return ord(char), at + 2


def _hexadecimal(text: str, at: int) -> tuple[int, int]:
    if not text.startswith("{", at + 2):
        digits = text[at + 2 : at + 4]
        if len(digits) < 2 or any(digit.lower() not in _HEX for digit in digits):
            raise refused(errors.ESCAPE, text[at : at + 4])
        return int(digits, 16), at + 4
    code = 0
    for place in range(at + 3, len(text)):
        digit = text[place]
        if digit == "}" and place > at + 3:
            return code, place + 1
        code = code * 16 + int(digit, 16) if digit in f"{_HEX}ABCDEF" else LIMIT
        if code >= LIMIT:
            raise refused(errors.ESCAPE, text[at : place + 1])
    raise refused(errors.ESCAPE, text[at:])


def unicode_class(text: str, at: int, flags: Flags) -> tuple[Bounds, int]:
    """The set of the `\\pN`, `\\p{Greek}`, `\\P{^Greek}` at `at`, and where it ends."""
    inside = text.startswith("{", at + 2)
    end = text.find("}", at) + 1 if inside else min(at + 3, len(text))
    if not end:
        raise refused(errors.CHAR_RANGE, text[at:])
    name = text[at + 3 : end - 1] if inside else text[at + 2 : end]
    outside = (text[at + 1] == "P") is not name.startswith("^")
    bounds = _unicode_set(name.removeprefix("^"), Flags.FOLD_CASE in flags)
    if bounds is None:
        raise refused(errors.CHAR_RANGE, text[at:end])
    return (negated(bounds) if outside else bounds), end


@lru_cache(maxsize=32)
def _unicode_set(name: str, fold_case: bool) -> Bounds | None:
    return named(name, fold_case=fold_case)


class ClassReader:
    """Reads the bracket expressions of one text, and limits what they cost together."""

    def __init__(self, text: str):
        self._text = text
        self._work = 0

    def bracket(self, at: int, flags: Flags) -> tuple[Bounds, int]:
        """The set of the `[…]` at `at`, and where it ends."""
        text, begun = self._text, at
        outside = text.startswith("^", at + 1)
        at += 1 + outside
        pairs: list[tuple[int, int]] = []
        first = True
        while first or not text.startswith("]", at):
            first = False
            bounds, at = self._item(begun, at, flags)
            self._work += len(bounds)
            if self._work > MOST_WORK:
                raise refused(errors.LARGE, text)
            pairs += pairs_of(bounds)
        bounds = of_pairs(pairs)
        return (negated(bounds) if outside else bounds), at + 1

    def _item(self, begun: int, at: int, flags: Flags) -> tuple[Bounds, int]:
        text = self._text
        posix = _POSIX_NAME.match(text, at) if text.startswith("[:", at) else None
        if posix is not None:
            return _posix(posix[0], posix[1], flags), posix.end()
        kind = text[at + 1 : at + 2] if text.startswith("\\", at) else ""
        if kind and kind in "pP":
            return unicode_class(text, at, flags)
        if kind in CLASS_ESCAPES:
            return class_escape(kind, flags), at + 2
        low, end = self._character(begun, at)
        high = low
        if text.startswith("-", end) and not text.startswith("]", end + 1) and end + 1 < len(text):
            high, end = self._character(begun, end + 1)
            if high < low:
                raise refused(errors.CHAR_RANGE, text[at:end])
        bounds = (low, high + 1)
        if Flags.FOLD_CASE not in flags:
            return bounds, end
        self._work += folds_within(bounds)
        return folded(bounds), end

    def _character(self, begun: int, at: int) -> tuple[int, int]:
        if at >= len(self._text):
            raise refused(errors.MISSING_BRACKET, self._text[begun:])
        if self._text[at] == "\\":
            return escaped_character(self._text, at)
        return ord(self._text[at]), at + 1


def _posix(item: str, name: str, flags: Flags) -> Bounds:
    bounds = _POSIX.get(name.removeprefix("^"))
    if bounds is None:
        raise refused(errors.CHAR_RANGE, item)
    bounds = folded(bounds) if Flags.FOLD_CASE in flags else bounds
    return negated(bounds) if name.startswith("^") else bounds
