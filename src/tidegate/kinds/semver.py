"""Semantic versions in the loose reading of Flux: Masterminds/semver's NewVersion, and for tags two dots. Pure.

A version is a plain tuple that Python orders as the specification does, because 100 000 of them are compared at a time.
"""

from __future__ import annotations

import re

Identifier = tuple[int, int | str]
"""One identifier of a prerelease: (0, number) or (1, text); numbers come before text."""

Version = tuple[int, int, int, tuple[Identifier, ...]]
"""Major, minor, patch and prerelease. Build metadata is no part of the order, so it is left out."""

RELEASE: tuple[Identifier, ...] = ((2, 0),)
"""The prerelease of a version without one: after every prerelease."""

LONGEST = 256
_LARGEST = 2**64
_VERSION = re.compile(
    r"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?"
    r"(?:-([0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*))?"
    r"(?:\+[0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*)?"
)
_match = _VERSION.fullmatch
_SMALL = {str(number): number for number in range(1_000)}
"""The numbers that most versions are made of, by their text: looking one up takes a fifth of reading it."""


def parse(text: str) -> Version | None:
    """A version as Masterminds/semver's NewVersion reads it: an optional `v`, one to three numbers, leading zeros
    allowed in them but not in a prerelease's. None where it is none.
    """
    if len(text) > LONGEST:
        return None
    match = _match(text)
    if match is None:
        return None
    major_text, minor_text, patch_text, prerelease = match.groups("")
    major, minor, patch = int(major_text), int(minor_text or 0), int(patch_text or 0)
    if major >= _LARGEST or minor >= _LARGEST or patch >= _LARGEST:
        return None
    if not prerelease:
        return major, minor, patch, RELEASE
    identifiers = _identifiers(prerelease)
    return None if identifiers is None else (major, minor, patch, identifiers)


def parse_tag(tag: str) -> Version | None:
    """A tag as Flux reads it: what `parse` reads, but with at least two dots (`1.2` is no version)."""
    parts = tag.split(".", 2)
    if len(parts) < 3:
        return None
    major, minor, patch = parts
    major = major.removeprefix("v")
    if major in _SMALL and minor in _SMALL and patch in _SMALL:
        return _SMALL[major], _SMALL[minor], _SMALL[patch], RELEASE
    return parse(tag)


def _identifiers(prerelease: str) -> tuple[Identifier, ...] | None:
    identifiers: list[Identifier] = []
    for text in prerelease.split("."):
        if not text.isdigit():
            identifiers.append((1, text))
        elif len(text) > 1 and text[0] == "0":
            return None
        else:
            number = int(text)
            identifiers.append((0, number) if number < _LARGEST else (1, text))
    return tuple(identifiers)
