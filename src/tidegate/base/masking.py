"""Hides secrets in lines of a log: the values, the lines of long ones, and their usual encodings."""

from __future__ import annotations

import base64
import json
import urllib.parse

MASK = "***"
_SHORTEST_PART = 4
_OVERLAPS = 200_000
_XML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"})


class Masker:
    """Hides what it has been told to hide. Works line by line: a value of several lines is hidden in each of them."""

    def __init__(self, secrets: tuple[str, ...] = ()):
        self._hidden: list[str] = []
        self._known: set[str] = set()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Hide a value from now on; blank ones cannot be hidden."""
        if not secret.strip():
            return
        forms = {secret, secret.strip()}
        parts = [part.strip() for part in secret.splitlines()]
        if len(parts) > 1:
            forms.update(part for part in parts if len(part) >= _SHORTEST_PART)
        for value in sorted(forms):
            forms |= _encodings(value)
        self._known |= forms
        self._hidden = sorted(self._known, key=lambda form: (-len(form), form))

    @property
    def longest(self) -> int:
        """Characters of the longest form that is hidden; 0 without one."""
        return len(self._hidden[0]) if self._hidden else 0

    def mask(self, line: str) -> str:
        """The line with every hidden value replaced; values that overlap or touch are hidden as one."""
        ranges = self._ranges(line)
        if not ranges:
            return line
        parts = [line[: ranges[0][0]]]
        end = ranges[0][0]
        for start, stop in ranges:
            if start > end:
                parts.append(line[end:start])
            end = max(end, stop)
        return MASK.join([*parts, line[end:]])

    def cut(self, text: str) -> int:
        """How much of a text that goes on may be shown by itself: nothing hidden lies across that place or beyond."""
        place = max(0, len(text) - max(self.longest, 1) + 1)
        begun = end = 0
        for start, stop in self._ranges(text):
            if start >= place:
                break
            if start >= end:
                begun = start
            end = max(end, stop)
        return begun if end > place else place

    def _ranges(self, text: str) -> list[tuple[int, int]]:
        """Where hidden values are, in order."""
        return sorted(found for form in self._hidden if form in text for found in _occurrences(form, text))


def _occurrences(form: str, text: str) -> list[tuple[int, int]]:
    """Where a value is; where it overlaps itself, as one. A text that is nothing but overlaps is hidden to its end, so
    that nobody's choice of values makes this slow.
    """
    found, size = [], len(form)
    patience = _OVERLAPS // size + 16
    start = text.find(form)
    while start >= 0:
        end = start + size
        while (further := text.rfind(form, end - size + 1, end + size - 1)) >= 0:
            end = further + size
            patience -= 1
            if not patience:
                end = len(text)
                break
        found.append((start, end))
        start = text.find(form, end)
    return found


def _encodings(value: str) -> set[str]:
    """How a value looks in base64 (also inside a longer text), URLs, JSON, XML, shell and expression quotes."""
    data = value.encode("utf-8", "surrogateescape")
    forms = {
        urllib.parse.quote(data, safe=""),
        urllib.parse.quote(data),
        urllib.parse.quote_plus(data),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        value.translate(_XML),
        value.replace("'", "''"),
        value.replace("'", "'\\''"),
        value.replace('"', '\\"'),
    }
    if len(value) > 2 and value[0] == value[-1] == '"':
        forms.add(value[1:-1])
    return {form for form in forms | _base64_forms(data) if form.strip()}


def _base64_forms(data: bytes) -> set[str]:
    """Base64 of a value at each of the three places where it may begin in a longer text, the unstable ends cut off."""
    forms = set()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(data).decode()
        if len(data) >= _SHORTEST_PART:
            forms.add(whole)
        for shift in range(3):
            text = encode(b"\0" * shift + data).decode()
            stable = text[(0, 2, 3)[shift] : len(text) - (0, 3, 2)[(len(data) + shift) % 3]]
            if len(stable) >= 2 * _SHORTEST_PART:
                forms.add(stable)
    return forms
