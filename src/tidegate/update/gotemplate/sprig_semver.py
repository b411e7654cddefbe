"""Sprig's `semver` and `semverCompare`, with the methods of Masterminds/semver's Version. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.kinds.semver import LONGEST, Version, parse
from tidegate.kinds.semver_ranges import parse_range
from tidegate.update.gotemplate.budget import Budget
from tidegate.update.gotemplate.functions import Registry
from tidegate.update.gotemplate.values import Method, Struct, TemplateError, Uint64

SEMVER = Registry()
_POINTER = "*semver.Version"
_IDENTIFIERS = r"[0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*"
_VERSION = re.compile(
    rf"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:-({_IDENTIFIERS}))?(?:\+({_IDENTIFIERS}))?"
)  # fmt: skip


@SEMVER.add("string", "semver")
def _semver(_: Budget, text: str) -> Struct:
    found = _VERSION.fullmatch(text)
    if found is None or parse(text) is None:
        raise TemplateError("invalid semantic version")
    major, minor, patch = (int(number or 0) for number in found.groups()[:3])
    return version((major, minor, patch), found[4] or "", found[5] or "", text)


@SEMVER.add("string, string", "semverCompare")
def _semver_compare(_: Budget, wanted: str, text: str) -> bool:
    try:
        allowed = parse_range(wanted)
    except InvalidInput as error:
        raise TemplateError(error.message) from None
    found = parse(text)
    if found is None:
        raise TemplateError("invalid semantic version")
    return allowed.admits(found)


def version(
    numbers: tuple[int, int, int], prerelease: str, metadata: str, original: str, *, pointer: bool = True
) -> Struct:
    """A *semver.Version, or with `pointer` off a semver.Version, which has the methods of values only."""
    written = ".".join(map(str, numbers)) + f"-{prerelease}" * bool(prerelease) + f"+{metadata}" * bool(metadata)
    prefix = "v" if original.startswith("v") else ""
    methods: dict[str, Callable[..., Any]] = {
        "String": lambda _: written,
        "MarshalJSON": lambda _: written,
        "Major": lambda _: Uint64(numbers[0]),
        "Minor": lambda _: Uint64(numbers[1]),
        "Patch": lambda _: Uint64(numbers[2]),
        "Prerelease": lambda _: prerelease,
        "Metadata": lambda _: metadata,
        "IncMajor": lambda _: _increased((numbers[0] + 1, 0, 0), prefix),
        "IncMinor": lambda _: _increased((numbers[0], numbers[1] + 1, 0), prefix),
        "IncPatch": lambda _: _increased((*numbers[:2], numbers[2] + (not prerelease)), prefix),
        "SetPrerelease": Method(("string",), lambda _, text: _changed(numbers, text, metadata, prefix)),
        "SetMetadata": Method(("string",), lambda _, text: _changed(numbers, prerelease, text, prefix)),
    }
    if pointer:
        methods["Original"] = lambda _: original
        methods |= {name: Method((_POINTER,), compare) for name, compare in _COMPARISONS.items()}
    return Struct("semver.Version", (), methods, is_pointer=pointer)


def _increased(numbers: tuple[int, int, int], prefix: str) -> Struct:
    return version(numbers, "", "", prefix + ".".join(map(str, numbers)), pointer=False)


def _changed(numbers: tuple[int, int, int], prerelease: str, metadata: str, prefix: str) -> Struct:
    made = version(numbers, prerelease, metadata, "", pointer=False)
    written = made.methods["String"](made)
    valid = all(re.fullmatch(_IDENTIFIERS, part or "0") for part in (prerelease, metadata))
    if not valid or parse(written[:LONGEST]) is None:
        raise TemplateError("invalid prerelease or metadata")
    return version(numbers, prerelease, metadata, prefix + written, pointer=False)


def _order(struct: Struct) -> Version:
    found = parse(struct.methods["String"](struct))
    if found is None:
        raise TemplateError("a version is too long to be compared")
    return found


_COMPARISONS: dict[str, Callable[[Struct, Struct], int | bool]] = {
    "Compare": lambda one, other: (_order(one) > _order(other)) - (_order(one) < _order(other)),
    "LessThan": lambda one, other: _order(one) < _order(other),
    "LessThanEqual": lambda one, other: _order(one) <= _order(other),
    "GreaterThan": lambda one, other: _order(one) > _order(other),
    "GreaterThanEqual": lambda one, other: _order(one) >= _order(other),
    "Equal": lambda one, other: _order(one) == _order(other),
}
