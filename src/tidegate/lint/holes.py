"""Texts of which parts are only known when a workflow runs: `ghcr.io/acme/web:1.0.▯`. Pure.

Such a text is an ordinary string in which a hole is one character of Unicode's private use area, so that it can be
joined, split and searched like any other. Whatever is asked here is answered for every text that the holes may become.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tidegate.base.frozen import frozen

ANY, NAME, HEX, DIGITS = "\ue000", "\ue001", "\ue002", "\ue003"
"""Any text (also none, also several lines); one part of a path (no `/`, `:`, `@` or blank); hexadecimal or decimal
digits, at least one.
"""

HOLES = (ANY, NAME, HEX, DIGITS)
_HOLE = re.compile(f"[{ANY}-{DIGITS}]")
_SHOWN = {ANY: "…", NAME: "…", HEX: "HEX", DIGITS: "N"}
_LONGEST = 4096


@frozen
class Token:
    """A character or a hole's kind of character; where it `repeats`, any number of times, or not at all."""

    character: str
    repeats: bool = False

    @property
    def is_hole(self) -> bool:
        """Whether it stands for any of several characters."""
        return self.character in HOLES


def literal(text: str) -> str:
    """A text in which nothing is open; characters that would be taken for holes become holes for any text."""
    return _HOLE.sub(ANY, text)


def is_known(text: str) -> bool:
    """Whether nothing of a text is open."""
    return not _HOLE.search(text)


def shown(text: str) -> str:
    """A text for people: `1.0.N`, `…/web`."""
    return _HOLE.sub(lambda found: _SHOWN[found[0]], text)


def pieces(text: str) -> list[str]:
    """The parts that are known for certain, in order."""
    return _HOLE.split(text)


def may_be(one: str, other: str) -> bool:
    """Whether two texts can be the same text. Never False where they can."""
    if is_known(one) and is_known(other):
        return one == other
    starts, ends = (_HOLE.split(one, 1)[0], _HOLE.split(other, 1)[0]), (pieces(one)[-1], pieces(other)[-1])
    length = min(map(len, starts))
    if starts[0][:length] != starts[1][:length]:
        return False
    length = min(map(len, ends))
    if length and ends[0][-length:] != ends[1][-length:]:
        return False
    if len(one) + len(other) > _LONGEST:
        return True
    return _meet(tokens_of(one), tokens_of(other))


def tokens_of(text: str) -> list[Token]:
    """A text as what may follow one another in it."""
    tokens: list[Token] = []
    for character in text:
        if character == ANY:
            tokens.append(Token(ANY, repeats=True))
        elif character in HOLES:
            tokens += [Token(character), Token(character, repeats=True)]
        else:
            tokens.append(Token(character))
    return tokens


def takes(hole: str, character: str) -> bool:
    """Whether a character may stand in a hole."""
    if hole == ANY:
        return True
    if hole == NAME:
        return character not in "/:@" and not character.isspace()
    return character in ("0123456789abcdef" if hole == HEX else "0123456789")


def _meet(one: list[Token], other: list[Token]) -> bool:
    """Whether some text goes through both: the reachable pairs of places."""
    seen = {(0, 0)}
    waiting = [(0, 0)]
    while waiting:
        left, right = waiting.pop()
        if left == len(one) and right == len(other):
            return True
        for pair in _following(one, other, left, right):
            if pair not in seen:
                seen.add(pair)
                waiting.append(pair)
    return False


def _following(one: list[Token], other: list[Token], left: int, right: int) -> Iterator[tuple[int, int]]:
    if left < len(one) and one[left].repeats:
        yield left + 1, right
    if right < len(other) and other[right].repeats:
        yield left, right + 1
    if left < len(one) and right < len(other) and _share(one[left].character, other[right].character):
        yield left + (not one[left].repeats), right + (not other[right].repeats)


def _share(one: str, other: str) -> bool:
    """Whether some character is in both; the kinds of holes lie in one another."""
    if one in HOLES:
        return other in HOLES or takes(one, other)
    return one == other or (other in HOLES and takes(other, one))
