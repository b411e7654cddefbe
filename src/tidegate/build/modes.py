"""chmod's modes: octal, or clauses such as `u+rwX,g=u,o-w`. Pure."""

from __future__ import annotations

import re

from tidegate.build.native import NotNative

UMASK = 0o022
_OCTAL = re.compile(r"[0-7]{1,4}", re.ASCII)
_CLAUSE = re.compile(r"([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)")
_STEP = re.compile(r"([-+=])([rwxXst]*|[ugo])")
_SHIFT = {"u": 6, "g": 3, "o": 0}
_BITS = {"r": 4, "w": 2, "x": 1}


def changed_mode(text: str, mode: int, *, is_directory: bool) -> int:
    """What `chmod text` makes of `mode`. Raises NotNative where `text` is no mode."""
    if _OCTAL.fullmatch(text):
        # As GNU's: a directory keeps its set-ID bits where fewer than five digits are given.
        return int(text, 8) | (mode & 0o6000 if is_directory and len(text) < 5 else 0)
    for clause in text.split(","):
        match = _CLAUSE.fullmatch(clause)
        if match is None:
            raise NotNative(f"chmod: {text!r} is no mode")
        for operator, what in _STEP.findall(match[2]):
            mode = _step(mode, match[1], operator, what, is_directory=is_directory)
    return mode


def _step(mode: int, who: str, operator: str, what: str, *, is_directory: bool) -> int:
    masked = 0 if who else UMASK
    classes = "ugo" if not who or "a" in who else who
    bits = affected = 0
    for each in classes:
        shift = _SHIFT[each]
        affected |= 0o7 << shift
        bits |= _permissions(mode, what, is_directory=is_directory) << shift
        if "s" in what and each in "ug":
            bits |= 0o4000 if each == "u" else 0o2000
        if each in "ug" and not is_directory:
            affected |= 0o4000 if each == "u" else 0o2000
    if "t" in what and "o" in classes:
        bits |= 0o1000
    bits &= ~masked
    if operator == "+":
        return mode | bits
    if operator == "-":
        return mode & ~bits
    return (mode & ~affected) | bits


def _permissions(mode: int, what: str, *, is_directory: bool) -> int:
    if what in ("u", "g", "o"):
        return mode >> _SHIFT[what] & 0o7
    found = sum({_BITS[each] for each in what if each in _BITS})
    return found | 1 if "X" in what and (is_directory or mode & 0o111) else found
