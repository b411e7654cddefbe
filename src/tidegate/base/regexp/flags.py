"""The flags that an expression can set: `(?i)`, `(?m)`, `(?s)`, `(?U)`. Pure."""

from __future__ import annotations

from enum import Flag


class Flags(Flag):
    """Which flags are on."""

    FOLD_CASE = 1
    MULTILINE = 2
    DOT_NEWLINE = 4
    UNGREEDY = 8

    @classmethod
    def of_letter(cls, letter: str) -> Flags | None:
        """The flag of a letter, None where there is none."""
        return _LETTERS.get(letter)


_LETTERS = {"i": Flags.FOLD_CASE, "m": Flags.MULTILINE, "s": Flags.DOT_NEWLINE, "U": Flags.UNGREEDY}
