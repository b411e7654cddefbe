"""GitHub's filter patterns (the cheat sheet of its workflow syntax page), matched in linear time.

`*` any characters but a slash, `**` any characters, `**/` also no folder at all, `?` zero or one and `+` one or more
of the preceding character, `[]` one of the characters listed, `\\` takes a special character literally. A pattern
matches the whole name. Each pattern becomes an automaton whose states are found as they are needed, so that no
pattern and no name takes more than linear time.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen

MAX_PATTERN = 1024
_MOST_STATES = 500


class _Do(Enum):
    """What an element of a compiled pattern does."""

    ONE = "one"  # one character of the set
    MAYBE = "maybe"  # one or none
    STAR = "star"  # any number
    FOLDERS = "folders"  # skips the two elements after it, or not


@frozen
class _Element:
    do: _Do
    characters: frozenset[str] = frozenset()
    but: bool = False

    def takes(self, character: str) -> bool:
        return self.do is not _Do.FOLDERS and (character in self.characters) != self.but


_ANY = _Element(_Do.STAR, but=True)
_NO_SLASH = _Element(_Do.STAR, frozenset("/"), but=True)
_SLASH = _Element(_Do.ONE, frozenset("/"))


@dataclass(slots=True)
class _State:
    places: int
    accepts: bool
    next: dict[str, _State] = field(default_factory=dict)


class Glob:
    """One pattern, without the `!` that may negate it. Raises InvalidInput for what GitHub does not define."""

    __slots__ = ("_closures", "_elements", "_known", "_start", "literal", "prefix", "text")

    def __init__(self, text: str):
        self.text = text
        self._elements = tuple(_compile(text))
        self._closures = _closures(self._elements)
        self.prefix, self.literal = _fixed_parts(self._elements)
        self._forget()

    @property
    def is_literal(self) -> bool:
        """Whether it matches one name only, its prefix."""
        return len(self.prefix) == len(self._elements)

    def matches(self, name: str) -> bool:
        """Whether the pattern matches the whole name."""
        state = self._start
        for character in name:
            state = state.next.get(character) or self._advance(state, character)
            if not state.places:
                return False
        return state.accepts

    def _forget(self) -> None:
        self._known: dict[int, _State] = {}
        self._start = self._state(self._closures[0])

    def _state(self, places: int) -> _State:
        if places not in self._known:
            self._known[places] = _State(places, bool(places >> len(self._elements) & 1))
        return self._known[places]

    def _advance(self, state: _State, character: str) -> _State:
        if len(self._known) > _MOST_STATES:
            self._forget()
        places = 0
        for place, element in enumerate(self._elements):
            if state.places >> place & 1 and element.takes(character):
                places |= self._closures[place if element.do is _Do.STAR else place + 1]
        following = self._state(places)
        state.next[character] = following
        return following


def _closures(elements: Sequence[_Element]) -> list[int]:
    """For each place, the places reachable without a character, itself included, as bits."""
    closures = [0] * (len(elements) + 3)
    closures[len(elements)] = 1 << len(elements)
    for place in range(len(elements) - 1, -1, -1):
        closures[place] = 1 << place
        if elements[place].do is not _Do.ONE:
            closures[place] |= closures[place + 1]
        if elements[place].do is _Do.FOLDERS:
            closures[place] |= closures[place + 3]
    return closures


def _fixed_parts(elements: Sequence[_Element]) -> tuple[str, str]:
    """The text that every match begins with, and the longest text that every match contains."""
    runs, run = [], ""
    optional = 0
    for element in elements:
        optional -= 1
        if element.do is _Do.FOLDERS:
            optional = 2
        if element.do is _Do.ONE and len(element.characters) == 1 and not element.but and optional < 0:
            run += next(iter(element.characters))
        else:
            runs.append(run)
            run = ""
    runs.append(run)
    return runs[0], max(runs, key=len)


def _compile(text: str) -> Iterable[_Element]:
    if not text:
        raise InvalidInput("a pattern is empty", remedy="write '**' for everything, or leave the filter out")
    if len(text) > MAX_PATTERN:
        raise InvalidInput(f"a pattern is longer than {MAX_PATTERN} characters")
    elements: list[_Element] = []
    quantifiable = False
    place = 0
    while place < len(text):
        character = text[place]
        if character in "?+":
            if not quantifiable:
                raise _bad(text, place, f"{character!r} must follow a character that it can repeat")
            elements += _repeated(elements.pop(), character)
            quantifiable = False
            place += 1
        elif character == "*":
            place += _wildcard(text, place, elements)
            quantifiable = False
        else:
            element, length = _single(text, place)
            elements.append(element)
            quantifiable = True
            place += length
    return elements


def _repeated(element: _Element, quantifier: str) -> list[_Element]:
    if quantifier == "?":
        return [_Element(_Do.MAYBE, element.characters)]
    return [element, _Element(_Do.STAR, element.characters)]


def _wildcard(text: str, place: int, elements: list[_Element]) -> int:
    """Add the elements of `*`, `**` or `**/` at the start of a segment; how many characters they took."""
    if not text.startswith("**", place):
        elements.append(_NO_SLASH)
        return 1
    if text.startswith("**/", place) and text[place - 1 : place] in ("", "/"):
        elements += [_Element(_Do.FOLDERS), _ANY, _SLASH]
        return 3
    elements.append(_ANY)
    return 2


def _single(text: str, place: int) -> tuple[_Element, int]:
    """One character, an escaped one, or a set."""
    character = text[place]
    if character == "\\":
        if place + 1 == len(text):
            raise _bad(text, place, "a backslash must stand before the character that it takes literally")
        return _Element(_Do.ONE, frozenset(text[place + 1])), 2
    if character == "[":
        return _set(text, place)
    return _Element(_Do.ONE, frozenset(character)), 1


def _set(text: str, place: int) -> tuple[_Element, int]:
    end = text.find("]", place + 1)
    body = text[place + 1 : end]
    if end < 0 or not body:
        raise _bad(text, place, "a set of characters is written [abc] or [a-z]")
    if body[0] in "!^" or "/" in body:
        raise _bad(text, place, "a set lists letters and digits; it can't be negated, and holds no slash")
    characters: set[str] = set()
    at = 0
    while at < len(body):
        if body[at + 1 : at + 2] == "-" and at + 2 < len(body):
            characters |= _range(text, place, body[at], body[at + 2])
            at += 3
        else:
            characters.add(body[at])
            at += 1
    return _Element(_Do.ONE, frozenset(characters)), end - place + 1


def _range(text: str, place: int, first: str, last: str) -> set[str]:
    same_kind = any(low <= first <= last <= high for low, high in (("a", "z"), ("A", "Z"), ("0", "9")))
    if not same_kind:
        raise _bad(text, place, f"{first}-{last} is no range: ranges lie within a-z, A-Z and 0-9")
    return {chr(code) for code in range(ord(first), ord(last) + 1)}


def _bad(text: str, place: int, why: str) -> InvalidInput:
    return InvalidInput(
        f"pattern {text!r}, character {place + 1}: {why}", remedy="to mean it literally, write \\ before it"
    )


class Names:
    """Many names (the files of a push) prepared so that many patterns can be asked which of them they match.

    A pattern is asked only about names that hold its fixed text, found by searching all names at once; answers are
    kept by pattern, because many workflows share theirs.
    """

    def __init__(self, names: Sequence[str]):
        self.names = tuple(names)
        self._order = sorted(range(len(self.names)), key=self.names.__getitem__)
        self._sorted = [self.names[place] for place in self._order]
        self._text = "\0".join(self.names)
        self._starts: list[int] = []
        start = 0
        for name in self.names:
            self._starts.append(start)
            start += len(name) + 1
        self._answers: dict[str, frozenset[int]] = {}

    def matching(self, glob: Glob) -> frozenset[int]:
        """The places of the names that match."""
        answer = self._answers.get(glob.text)
        if answer is None:
            answer = frozenset(place for place in self._candidates(glob) if glob.matches(self.names[place]))
            self._answers[glob.text] = answer
        return answer

    def _candidates(self, glob: Glob) -> Iterable[int]:
        if glob.prefix:
            low = bisect_left(self._sorted, glob.prefix)
            length = len(glob.prefix)
            key = None if glob.is_literal else (lambda name: name[:length])
            return self._order[low : bisect_right(self._sorted, glob.prefix, low, key=key)]
        if glob.literal:
            return self._holding(glob.literal)
        return range(len(self.names))

    def _holding(self, literal: str) -> Iterable[int]:
        found = self._text.find(literal)
        while found >= 0:
            place = bisect_right(self._starts, found) - 1
            yield place
            if place + 1 == len(self._starts):
                return
            found = self._text.find(literal, self._starts[place + 1])
