"""What a text with `${var}` says: plain text and expansions, as fluxcd/pkg/envsubst reads them. Pure.

That reading is not bash's. A `}` ends a word whatever is before it; `$$` stands for `$` outside of expansions and in
the words of a replacement; a backslash escapes a slash or a backslash only there; the pattern of a replacement goes on
to the next slash, over any `}`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from tidegate.base.errors import InvalidInput, LimitExceeded, Where
from tidegate.base.frozen import frozen
from tidegate.base.letters import is_digit, is_letter

DEEPEST = 100
"""How deep expansions may be nested."""

DEFAULTS = frozenset({"=", ":=", ":-", ":?", ":+"})
"""The operators that have something to say where a variable is missing; all of them give their words."""

_DOLLAR = {"$": "$"}
_REPLACING = {"$": "$", "\\": "/\\"}


@frozen
class Expansion:
    """`${name}`, or `${name` with an operator and its words, each of them text or an expansion in turn. `position`
    counts the characters before it.
    """

    name: str
    operator: str
    words: tuple[str | Expansion, ...]
    position: int


Part = str | Expansion


def parse(text: str) -> tuple[Part, ...]:
    """The parts of a text. Raises InvalidInput for an expansion that is none, and LimitExceeded for one too deep. A NUL
    ends the text.
    """
    reader = _Reader(text.partition("\0")[0])
    parts: list[Part] = []
    while not reader.at_end():
        if reader.skip("${"):
            parts.append(_expansion(reader, 0))
        else:
            parts.append(reader.word("", _DOLLAR))
    return tuple(parts)


def place(text: str, position: int) -> Where:
    """The line and column (from 1) of a position in a text."""
    before = text[:position]
    return Where(line=before.count("\n") + 1, column=position - (before.rfind("\n") + 1) + 1)


@cache
def _plain(ends: str) -> re.Pattern[str]:
    """Text in which nothing needs a second look."""
    return re.compile(rf"[^$\\{ends}]*")


class _Reader:
    def __init__(self, text: str):
        self._text = text
        self.position = 0

    def at_end(self) -> bool:
        return self.position >= len(self._text)

    def peek(self, ahead: int = 0) -> str:
        at = self.position + ahead
        return self._text[at : at + 1]

    def skip(self, wanted: str) -> bool:
        found = self._text.startswith(wanted, self.position)
        self.position += len(wanted) if found else 0
        return found

    def take(self, characters: str, most: int = 1) -> str:
        """Up to `most` of the characters, as they come."""
        start = self.position
        while self.position < start + most and (char := self.peek()) and char in characters:
            self.position += 1
        return self._text[start : self.position]

    def name(self) -> str:
        start = self.position
        while (char := self.peek()) and (char == "_" or is_letter(char) or is_digit(char)):
            self.position += 1
        return self._text[start : self.position]

    def word(self, ends: str, escapes: dict[str, str]) -> str:
        """Text up to `${`, the end, or one of the characters that end it; nothing where there is none."""
        parts, plain = [], _plain(ends)
        while run := plain.match(self._text, self.position):
            self.position = run.end()
            parts.append(run.group())
            char, after = self.peek(), self.peek(1)
            if after and after in escapes.get(char, ""):
                parts.append(after)
                self.position += 2
            elif not char or char in ends or (char == "$" and after == "{"):
                break
            else:
                parts.append(char)
                self.position += 1
        return "".join(parts)

    def refuse(self, start: int, told: str) -> InvalidInput:
        """The error for the expansion that starts there."""
        culprit = self._text[start : max(self.position + 1, start + 2)].partition("\n")[0]
        return InvalidInput(
            f"{culprit!r} is no substitution: {told}",
            where=place(self._text, start),
            remedy="write ${NAME} or ${NAME:=default}, and $${ where no substitution is meant",
        )


def _expansion(reader: _Reader, depth: int) -> Expansion:
    """What comes after `${`."""
    start = reader.position - 2
    if depth > DEEPEST:
        raise LimitExceeded(f"substitutions are nested more than {DEEPEST} deep")
    operator, words = "#", list[Part]()
    if reader.skip("#"):
        name = reader.name()
        if not name:
            raise reader.refuse(start, "a variable's name is missing after the '#'")
    else:
        name = reader.name()
        if not name:
            raise reader.refuse(start, "it does not start with a variable's name")
        operator, words = _operation(reader, start, depth)
    if not reader.skip("}"):
        raise reader.refuse(start, "a '}' is missing here")
    return Expansion(name, operator, tuple(words), start)


def _operation(reader: _Reader, start: int, depth: int) -> tuple[str, list[Part]]:
    """The operator after a name and its words, up to the `}`."""

    def word(ends: str, escapes: dict[str, str]) -> Part:
        if reader.skip("${"):
            return _expansion(reader, depth + 1)
        if found := reader.word(ends, escapes):
            return found
        raise reader.refuse(start, "a word is missing here")

    first = reader.peek()
    if first == "=" or (first == ":" and reader.peek(1) and reader.peek(1) in "=-?+"):
        return reader.take("=") or reader.take(":=-?+", 2), _until_brace(reader, word)
    if first == ":":
        if not reader.peek(1).isascii():
            raise reader.refuse(start, "an offset must be a number")
        return reader.take(":"), _substring(reader, word)
    if first == "/":
        return reader.take("/") + reader.take("/#%"), _replacement(reader, start, word)
    if first and first in ",^":
        return reader.take(",^", 2), []
    if first and first in "#%":
        return reader.take(first, 2), [word("}", {})]
    return "", []


_Word = Callable[[str, dict[str, str]], Part]


def _until_brace(reader: _Reader, word: _Word) -> list[Part]:
    words = []
    while reader.peek() != "}":
        words.append(word("}", {}))
    return words


def _substring(reader: _Reader, word: _Word) -> list[Part]:
    """An offset, and perhaps a length after any number of colons."""
    words = [word(":}", {})]
    if reader.take(":"):
        while reader.take(":"):
            pass
        words.append(word("}", {}))
    return words


def _replacement(reader: _Reader, start: int, word: _Word) -> list[Part]:
    """What is replaced, any number of slashes, and perhaps what it becomes."""
    words = [word("/", _REPLACING)]
    if not reader.take("/"):
        raise reader.refuse(start, "a '/' is missing after what is replaced")
    while reader.take("/"):
        pass
    if reader.peek() != "}":
        words.append(word("}", _REPLACING))
    return words
