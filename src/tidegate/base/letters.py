"""Letters and their case as Go's unicode package knows them, one character at a time. Pure."""

from __future__ import annotations

import unicodedata


def upper(text: str) -> str:
    """strings.ToUpper: characters that would become several stay."""
    return "".join(map(upper_char, text))


def lower(text: str) -> str:
    """strings.ToLower."""
    return "".join(map(lower_char, text))


def upper_char(char: str) -> str:
    """unicode.ToUpper. Greek letters with an iota below have two capitals by the full mapping, and by the simple one
    the letter that is their title case.
    """
    mapped = char.upper()
    return mapped if len(mapped) == 1 else title_char(char)


def lower_char(char: str) -> str:
    """unicode.ToLower."""
    mapped = char.lower()
    return mapped if len(mapped) == 1 else mapped[0] if char == "\u0130" else char


def title_char(char: str) -> str:
    """unicode.ToTitle."""
    mapped = char.title()
    return mapped if len(mapped) == 1 else char


def is_space(char: str) -> bool:
    """unicode.IsSpace."""
    return char in "\t\n\v\f\r \x85\xa0" or (not char.isascii() and unicodedata.category(char) in ("Zs", "Zl", "Zp"))


def is_letter(char: str) -> bool:
    """unicode.IsLetter."""
    return unicodedata.category(char).startswith("L")


def is_digit(char: str) -> bool:
    """unicode.IsDigit."""
    return unicodedata.category(char) == "Nd"


def is_upper(char: str) -> bool:
    """unicode.IsUpper."""
    return unicodedata.category(char) == "Lu"


def is_lower(char: str) -> bool:
    """unicode.IsLower."""
    return unicodedata.category(char) == "Ll"
