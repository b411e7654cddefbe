"""Hides secrets in lines of a log: the values, the lines of long ones, and their usual encodings."""

from __future__ import annotations

import base64
import json
import urllib.parse

MASK = "***"
_SHORTEST_PART = 4
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

    def mask(self, line: str) -> str:
        """The line with every hidden value replaced; values that overlap or touch are hidden as one."""
        ranges = sorted(found for form in self._hidden if form in line for found in _occurrences(form, line))
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
        longest = len(self._hidden[0]) if self._hidden else 1
        place = max(0, len(text) - longest + 1)
        while (before := min((self._start(form, text, place) for form in self._hidden), default=place)) < place:
            place = before
        return place

    @staticmethod
    def _start(form: str, text: str, place: int) -> int:
        """Where a hidden value begins that lies across `place`; `place` itself where none does."""
        found = text.find(form, max(0, place - len(form) + 1), place + len(form) - 1)
        return found if 0 <= found < place else place


def _occurrences(form: str, line: str) -> list[tuple[int, int]]:
    found = []
    start = line.find(form)
    while start >= 0:
        found.append((start, start + len(form)))
        start = line.find(form, start + 1)
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
