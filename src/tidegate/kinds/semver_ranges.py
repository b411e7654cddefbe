"""Ranges of semantic versions, with the meaning that Masterminds/semver v3 gives them. Pure.

A range is groups joined by `||`; a version is in it if it is in one group; it is in a group if every comparison of the
group admits it. Where no comparison of a group names a prerelease, the group admits no prerelease.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.kinds.semver import RELEASE, Version, parse

LONGEST = 512
MOST_GROUPS = 32
WILDCARDS = ("x", "X", "*")
_VERSION = (
    r"v?([0-9|xX*]+)(\.[0-9|xX*]+)?(\.[0-9|xX*]+)?"
    r"(-(?:[0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*))?"
    r"(?:\+(?:[0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*))?"
)
_SPACE = r"[\t\n\f\r ]"
_HYPHEN_RANGE = re.compile(rf"{_SPACE}*({_VERSION}){_SPACE}+-{_SPACE}+({_VERSION}){_SPACE}*")
_SECOND_VERSION = 6
_COMPARISON = re.compile(rf"{_SPACE}*([=!<>~^]*){_SPACE}*([^\t\n\f\r ,]+){_SPACE}*(,?)")
_WRITTEN = re.compile(_VERSION)

Admits = Callable[[Version], bool]


@frozen
class _Bound:
    """A comparison's version; `exact` is how many of its three numbers were given (3: all of them)."""

    version: Version
    exact: int

    @property
    def numbers(self) -> tuple[int, ...]:
        return self.version[:3]


@frozen
class _Group:
    admits: Sequence[Admits]
    takes_prereleases: bool


@frozen
class Range:
    """A parsed range; `text` is as it was written."""

    text: str
    groups: tuple[_Group, ...]

    @property
    def takes_prereleases(self) -> bool:
        """Whether any group names a prerelease, and so admits some."""
        return any(group.takes_prereleases for group in self.groups)

    def test(self) -> Admits:
        """`admits` for many versions, among which are prereleases only where the range takes some."""
        only = self.groups[0].admits if len(self.groups) == 1 else ()
        return only[0] if len(only) == 1 else self.admits

    def admits(self, version: Version) -> bool:
        """Whether a version is in the range."""
        release = version[3] is RELEASE
        for group in self.groups:
            if release or group.takes_prereleases:
                for admits in group.admits:
                    if not admits(version):
                        break
                else:
                    return True
        return False


def parse_range(text: str) -> Range:
    """Read a range such as `>=1.0.0 <2`, `~1.2 || ^3`, `1.2 - 1.4`, `1.x`; InvalidInput where Masterminds refuses."""
    if len(text.encode("utf-8", "surrogatepass")) > LONGEST:
        raise InvalidInput(f"the range is longer than {LONGEST} bytes")
    parts = _without_hyphens(text).split("||")
    if len(parts) > MOST_GROUPS:
        raise InvalidInput(f"the range has more than {MOST_GROUPS} groups joined by ||")
    return Range(text, tuple(_group(text, part) for part in parts))


def _without_hyphens(text: str) -> str:
    """`1.2 - 1.4` becomes `>= 1.2, <= 1.4`, for each pair where its text first occurs."""
    result = text
    for match in _HYPHEN_RANGE.finditer(text):
        first, second = match.group(1), match.group(_SECOND_VERSION)
        result = result.replace(match.group(), f">= {first}, <= {second} ", 1)
    return result


def _group(text: str, part: str) -> _Group:
    admits, prereleases = [], False
    position, end = 0, len(part.rstrip("\t\n\f\r "))
    while True:
        match = _COMPARISON.match(part, position)
        if match is None or match.group(1) not in _OPERATORS:
            raise _improper(text, part)
        bound = _bound(text, part, match.group(2))
        admits.append(_OPERATORS[match.group(1)](bound))
        prereleases = prereleases or bound.version[3] is not RELEASE
        position = match.end()
        if position >= end and not match.group(3):
            return _Group(tuple(admits), prereleases)


def _bound(text: str, part: str, written: str) -> _Bound:
    match = _WRITTEN.fullmatch(written)
    if match is None:
        raise _improper(text, part)
    numbers = [(number or "").removeprefix(".") for number in match.groups()[:3]]
    exact = next((at for at, number in enumerate(numbers) if not number or number in WILDCARDS), 3)
    if exact < 3:
        known = [*numbers[:exact], "0", "0", "0"][:3]
        written = f"{'.'.join(known)}{match.group(4) or ''}"
    version = parse(written)
    if version is None:
        raise InvalidInput(f"the range {text!r} has {match.group()!r}, which is no version")
    return _Bound(version, exact)


def _improper(text: str, part: str) -> InvalidInput:
    what = f"{part.strip()!r} in the range {text!r}" if part != text else f"the range {text!r}"
    return InvalidInput(f"{what} is no comparison of versions", remedy="write for example >=1.0.0, ~1.2, ^2 or 1.x")


def _at_least(bound: _Bound) -> Admits:
    return bound.version.__le__


def _below(bound: _Bound) -> Admits:
    return bound.version.__gt__


def _above(bound: _Bound) -> Admits:
    """`>11` begins with 12.0.0, `>11.1` with 11.2.0."""
    if bound.exact in (1, 2):
        numbers = bound.numbers[: bound.exact]
        return lambda version: version[: len(numbers)] > numbers
    return bound.version.__lt__


def _at_most(bound: _Bound) -> Admits:
    """`<=11` takes 11.9, `<=11.1` takes 11.1.9; `<=*` takes 0.0.z alone."""
    if bound.exact == 3:
        return bound.version.__ge__
    numbers = bound.numbers[: bound.exact or 2]
    return lambda version: version[: len(numbers)] <= numbers


def _tilde(bound: _Bound) -> Admits:
    """`~1.2.3` and `~1.2` stay in 1.2, `~1` in 1; `~*` and `~0.0.0` take everything from there on."""
    least = bound.version
    if bound.exact in (0, 3) and bound.numbers == (0, 0, 0):
        return least.__le__
    numbers = bound.numbers[: 1 if bound.exact == 1 else 2]
    return lambda version: version >= least and version[: len(numbers)] == numbers


def _caret(bound: _Bound) -> Admits:
    """Up to the first number that is not zero: `^1.2.3` stays in 1, `^0.2.3` in 0.2, `^0.0.3` in 0.0.3."""
    least, (major, minor, _) = bound.version, bound.numbers
    if major > 0 or bound.exact == 1:
        kept = 1
    elif minor > 0 or bound.exact == 2:
        kept = 2
    else:
        kept = 3
    numbers = bound.numbers[:kept]
    return lambda version: version >= least and version[:kept] == numbers


def _equal(bound: _Bound) -> Admits:
    return bound.version.__eq__ if bound.exact == 3 else _tilde(bound)


def _unequal(bound: _Bound) -> Admits:
    """`!=1` leaves out all of 1, `!=1.2` all of 1.2 but, where prereleases are taken, those of another name."""
    if bound.exact not in (1, 2):
        return bound.version.__ne__
    numbers, prerelease, whole = bound.numbers[: bound.exact], bound.version[3], bound.exact == 1
    return lambda version: version[: len(numbers)] != numbers or (not whole and version[3] != prerelease)


_OPERATORS: dict[str, Callable[[_Bound], Admits]] = {
    "": _equal, "=": _equal, "!=": _unequal, ">": _above, "<": _below, ">=": _at_least, "=>": _at_least,
    "<=": _at_most, "=<": _at_most, "~": _tilde, "~>": _tilde, "^": _caret,
}  # fmt: skip
