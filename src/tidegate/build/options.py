"""Splits a command's words into options and operands as getopt_long does. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from tidegate.base.frozen import frozen
from tidegate.build.native import NotNative
from tidegate.build.shell import Word


@frozen
class Options:
    """What was given: each option's values by its one name, and the operands."""

    given: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    operands: tuple[Word, ...] = ()

    def has(self, name: str) -> bool:
        """Whether the option was given."""
        return name in self.given

    def value(self, name: str, otherwise: str = "") -> str:
        """The last value."""
        return self.given[name][-1] if name in self.given else otherwise

    def texts(self) -> list[str]:
        """The operands' texts."""
        return [word.text for word in self.operands]


def read_options(
    command: str, words: Sequence[Word], switches: Mapping[str, str], valued: Mapping[str, str] | None = None
) -> Options:
    """Read the words after the command's name.

    `switches` and `valued` say for each spelling (`-p`, `--parents`) what the option is called; an empty name is one
    that changes nothing. Raises NotNative for any other.
    """
    reader = _Reader(command, list(words), switches, valued or {})
    while reader.rest:
        reader.take(reader.rest.pop(0))
    return Options(reader.given, tuple(reader.operands))


class _Reader:
    def __init__(self, command: str, rest: list[Word], switches: Mapping[str, str], valued: Mapping[str, str]):
        self.rest = rest
        self.given: dict[str, tuple[str, ...]] = {}
        self.operands: list[Word] = []
        self._command, self._switches, self._valued = command, switches, valued

    def take(self, word: Word) -> None:
        if word.text == "--":
            self.operands += self.rest
            self.rest = []
        elif word.text.startswith("--"):
            self._long(word.text)
        elif word.text.startswith("-") and len(word.text) > 1:
            self._short(word.text)
        else:
            self.operands.append(word)

    def _long(self, text: str) -> None:
        option, equals, value = text.partition("=")
        if option in self._valued:
            self._note(self._valued[option], value if equals else self._next(option))
        elif option in self._switches and not equals:
            self._note(self._switches[option], "")
        else:
            raise self._unknown(option)

    def _short(self, text: str) -> None:
        for at in range(1, len(text)):
            option = f"-{text[at]}"
            if option in self._valued:
                self._note(self._valued[option], text[at + 1 :] or self._next(option))
                return
            if option not in self._switches:
                raise self._unknown(option)
            self._note(self._switches[option], "")

    def _note(self, name: str, value: str) -> None:
        if name:
            self.given[name] = (*self.given.get(name, ()), value)

    def _next(self, option: str) -> str:
        if not self.rest:
            raise NotNative(f"{self._command}'s option {option} needs a value")
        return self.rest.pop(0).text

    def _unknown(self, option: str) -> NotNative:
        return NotNative(f"{self._command}'s option {option} is not understood natively")
