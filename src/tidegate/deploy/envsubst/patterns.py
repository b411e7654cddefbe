"""Removing what a shell pattern matches from the start or the end of a value, as fluxcd/pkg/envsubst does. Pure.

The patterns are those of Go's path.Match, except that `*` also matches slashes. They match bytes: a piece of a value
may end within a character, which then counts as one byte that is none.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.base.errors import LimitExceeded
from tidegate.base.frozen import frozen

MOST_WORK = 300_000
"""How many places may be tried; a kilobyte that is searched counts as one."""

_NO_CHARACTER = 0xFFFD


@frozen
class _Class:
    """`[a-z]`, `[^a-z]`, or any character: ranges of code points, and whether they are what matches."""

    ranges: tuple[tuple[int, int], ...]
    matching: bool


_ANY = _Class((), matching=False)
_Chunk = tuple[bytes | _Class, ...]


@frozen
class Pattern:
    """Chunks without a star; before each but the first is one, before the first where `leading`, at the end where
    `trailing`.
    """

    chunks: tuple[_Chunk, ...]
    leading: bool
    trailing: bool

    def literals(self) -> Iterator[bytes]:
        """The texts that must be in whatever matches."""
        return (part for chunk in self.chunks for part in chunk if isinstance(part, bytes))


def remove_prefix(value: bytes, pattern: bytes, *, longest: bool) -> bytes:
    """A value without the longest or shortest start of it (of one byte at least) that matches. What is no pattern
    matches nothing. LimitExceeded where trying takes too long.
    """
    compiled = _compiled(pattern)
    if compiled is None or not all(part in value for part in compiled.literals()):
        return value
    search = _Search(compiled, value)
    lengths = range(len(value), 0, -1) if longest else range(1, len(value) + 1)
    return next((value[length:] for length in lengths if search.matches(length)), value)


def remove_suffix(value: bytes, pattern: bytes, *, longest: bool) -> bytes:
    """The same at the end: both are read backwards, so a pattern with `[` or a backslash means something else here."""
    return _backwards(remove_prefix(_backwards(value), _backwards(pattern), longest=longest))


def _backwards(data: bytes) -> bytes:
    """Its characters in reverse; a byte that is none becomes U+FFFD."""
    text = data.decode("utf-8", "surrogateescape")
    return "".join("\ufffd" if "\udc80" <= char <= "\udcff" else char for char in reversed(text)).encode()


def _character(data: bytes, at: int, end: int) -> tuple[int, int]:
    """The code point at a place and its length in bytes; U+FFFD and 1 where there is none."""
    if data[at] < 0x80:
        return data[at], 1
    for length in range(2, min(4, end - at) + 1):
        try:
            return ord(data[at : at + length].decode()), length
        except UnicodeDecodeError:
            continue
    return _NO_CHARACTER, 1


class _Search:
    """Looks for a pattern in pieces of one value, and counts the work."""

    def __init__(self, pattern: Pattern, value: bytes):
        self._pattern = pattern
        self._value = value
        self._left = MOST_WORK

    def matches(self, end: int) -> bool:
        """Whether the pattern matches all of the value up to there. Each chunk is taken where it comes first."""
        at, last = 0, len(self._pattern.chunks) - 1
        for number, chunk in enumerate(self._pattern.chunks):
            floats = number > 0 or self._pattern.leading
            must_end = number == last and not self._pattern.trailing
            found = self._find(chunk, at, end, floats=floats, must_end=must_end)
            if found is None:
                return False
            at = found
        return self._pattern.trailing or at == end

    def _find(self, chunk: _Chunk, at: int, end: int, *, floats: bool, must_end: bool) -> int | None:
        """Where the chunk ends that starts at a place, or (`floats`) at the first one after it that fits."""
        while True:
            self._work(1)
            after = self._chunk_end(chunk, at, end)
            if after is not None and (not must_end or after == end):
                return after
            if not floats or at >= end:
                return None
            at += 1
            if isinstance(chunk[0], bytes):
                found = self._value.find(chunk[0], at, end)
                self._work(((end if found < 0 else found) - at) >> 10)
                if found < 0:
                    return None
                at = found

    def _chunk_end(self, chunk: _Chunk, at: int, end: int) -> int | None:
        value = self._value
        for wanted in chunk:
            if isinstance(wanted, bytes):
                if not value.startswith(wanted, at, end):
                    return None
                at += len(wanted)
            elif at >= end:
                return None
            else:
                code, length = _character(value, at, end)
                if any(low <= code <= high for low, high in wanted.ranges) != wanted.matching:
                    return None
                at += length
        return at

    def _work(self, amount: int) -> None:
        self._left -= amount
        if self._left < 0:
            raise LimitExceeded("finding what a substitution's pattern matches takes too long")


def _compiled(pattern: bytes) -> Pattern | None:
    """A pattern's parts; None where it is malformed."""
    chunks: list[list[bytes | _Class]] = [[]]
    at, leading = 0, pattern.startswith(b"*")
    while at < len(pattern):
        char = pattern[at : at + 1]
        at += 1
        if char == b"*":
            if chunks[-1]:
                chunks.append([])
        elif char == b"?":
            chunks[-1].append(_ANY)
        elif char == b"[":
            found = _class(pattern, at)
            if found is None:
                return None
            one, at = found
            chunks[-1].append(one)
        else:
            if char == b"\\":
                char = pattern[at : at + 1]
                at += 1
                if not char:
                    return None
            _add_literal(chunks[-1], char)
    trailing = bool(pattern) and not chunks[-1]
    return Pattern(tuple(tuple(chunk) for chunk in chunks if chunk), leading, trailing)


def _add_literal(chunk: list[bytes | _Class], char: bytes) -> None:
    if chunk and isinstance(chunk[-1], bytes):
        chunk[-1] += char
    else:
        chunk.append(char)


def _class(pattern: bytes, at: int) -> tuple[_Class, int] | None:
    """What follows a `[`, and where it ends."""
    matching = pattern[at : at + 1] != b"^"
    at += not matching
    ranges: list[tuple[int, int]] = []
    while not ranges or pattern[at : at + 1] != b"]":
        found = _class_character(pattern, at)
        if found is None:
            return None
        low, at = found
        high = low
        if pattern[at : at + 1] == b"-":
            found = _class_character(pattern, at + 1)
            if found is None:
                return None
            high, at = found
        ranges.append((low, high))
    return _Class(tuple(ranges), matching), at + 1


def _class_character(pattern: bytes, at: int) -> tuple[int, int] | None:
    """A character in a class, and where it ends; there must be something after it."""
    if pattern[at : at + 1] in (b"", b"-", b"]"):
        return None
    at += pattern[at : at + 1] == b"\\"
    if at >= len(pattern):
        return None
    code, length = _character(pattern, at, len(pattern))
    if (code == _NO_CHARACTER and length == 1) or at + length >= len(pattern):
        return None
    return code, at + length
