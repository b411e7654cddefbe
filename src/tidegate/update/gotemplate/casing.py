"""The cases of words: Go's strings.Title, those of Masterminds/goutils, and the word-joining ones of
huandu/xstrings 1.5. Pure.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from tidegate.base.letters import (
    is_digit,
    is_letter,
    is_lower,
    is_space,
    is_upper,
    lower_char,
    title_char,
    upper_char,
)

_CJK_START = 0x3400


def title(text: str) -> str:
    """strings.Title: the first letter of each word; a word's character is a letter, a digit or an underscore."""
    parts, previous = [], " "
    for char in text:
        parts.append(title_char(char) if _separates(previous) else char)
        previous = char
    return "".join(parts)


def _separates(char: str) -> bool:
    if char.isascii():
        return not (char.isalnum() or char == "_")
    return not (is_letter(char) or is_digit(char)) and char.isspace()


def to_lower_first(text: str) -> str:
    """goutils.Uncapitalize: the first letter of each word that blanks part."""
    parts, start = [], True
    for char in text:
        if is_space(char):
            start = True
            parts.append(char)
        else:
            parts.append(lower_char(char) if start else char)
            start = False
    return "".join(parts)


def swap_case(text: str) -> str:
    """goutils.SwapCase: lower becomes title at the start of a word and upper elsewhere."""
    parts, blank = [], True
    for char in text:
        if is_upper(char) or unicodedata.category(char) == "Lt":
            parts.append(lower_char(char))
            blank = False
        elif is_lower(char):
            parts.append(title_char(char) if blank else upper_char(char))
            blank = False
        else:
            blank = is_space(char)
            parts.append(char)
    return "".join(parts)


def _connects(char: str) -> bool:
    return char in "-_" or is_space(char)


def camel_case(text: str) -> str:
    """xstrings.ToPascalCase: connectors go, the next letter is upper case, a run of capitals is lowered. A text of
    connectors alone gets its last one twice, as there.
    """
    lead = 0
    while lead < len(text) and _connects(text[lead]):
        lead += 1
    if lead == len(text):
        return text + text[-1:]
    prefix, first = text[:lead], text[lead]
    if lead + 1 == len(text):
        return prefix + upper_char(first)
    return prefix + _camel_rest(upper_char(first), text[lead + 1 :], in_capitals=is_upper(first))


def _camel_rest(current: str, rest: str, *, in_capitals: bool) -> str:
    """`current` is the character that is still to be written; it decides together with the one after it."""
    parts: list[str] = []
    for char in rest:
        before, current = current, char
        if _connects(current) and _connects(before):
            parts.append(before)
        elif _connects(before):
            in_capitals = is_upper(current)
            current = upper_char(current)
        else:
            if in_capitals and is_upper(current):
                current = lower_char(current)
            else:
                in_capitals = False
            parts.append(before)
    return "".join([*parts, current])


def snake_case(text: str, connector: str) -> str:
    """xstrings.ToSnakeCase and ToKebabCase: lower-case words apart by `connector`; a number may belong to a word."""
    return _Words(text, connector).run() if text else ""


_NUMBER, _CAPITALS, _LETTERS, _CONNECTOR, _PUNCTUATION, _OTHER, _END = range(7)


class _Words:
    """Goes through the words of a text; `kind` and `word` are the present one."""

    def __init__(self, text: str, connector: str):
        self._rest = text
        self._connector = connector
        self._parts: list[str] = []
        self._advance()

    def run(self) -> str:
        while self._rest:
            if self._kind != _CONNECTOR:
                self._put()
            kind, word = self._kind, self._word
            self._advance()
            if kind == _NUMBER:
                self._joined()
            elif kind == _CONNECTOR:
                self._parts.append(_lowered(kind, word, self._connector))
            elif kind != _PUNCTUATION:
                self._after_word()
        self._put()
        return "".join(self._parts)

    def _advance(self) -> None:
        self._kind, self._word = _next_word(self._rest)
        self._rest = self._rest[len(self._word) :]

    def _put(self) -> None:
        self._parts.append(_lowered(self._kind, self._word, self._connector))

    def _joined(self) -> None:
        """After a number: letters and numbers that follow belong to it."""
        while self._kind in (_LETTERS, _NUMBER):
            self._put()
            self._advance()
        if self._kind not in (_END, _PUNCTUATION, _CONNECTOR):
            self._parts.append(self._connector)

    def _after_word(self) -> None:
        if self._kind != _NUMBER:
            if self._kind not in (_CONNECTOR, _PUNCTUATION):
                self._parts.append(self._connector)
            return
        if not self._rest:
            return
        number = self._word
        self._advance()
        if self._kind != _LETTERS:
            self._parts.append(number)
            if self._kind not in (_CONNECTOR, _PUNCTUATION):
                self._parts.append(self._connector)
            return
        self._parts += [self._connector, number]
        self._joined()


def _lowered(kind: int, word: str, connector: str) -> str:
    if kind not in (_CAPITALS, _CONNECTOR):
        return word
    return "".join(connector if _connects(char) else lower_char(char) for char in word)


def _next_word(text: str) -> tuple[int, str]:
    if not text:
        return _END, ""
    first = text[0]
    if _connects(first):
        return _CONNECTOR, _while(text, _connects)
    if unicodedata.category(first).startswith("P"):
        return _PUNCTUATION, _while(text, lambda char: unicodedata.category(char).startswith("P"))
    if is_upper(first):
        return _CAPITALS, _capitals(text)
    if _is_alphabet(first):
        return _LETTERS, _while(text, lambda char: _is_alphabet(char) and not is_upper(char))
    if unicodedata.category(first).startswith("N"):
        return _NUMBER, _while(text, lambda char: unicodedata.category(char).startswith("N"))
    return _OTHER, first + _while(text[1:], _is_other)


def _capitals(text: str) -> str:
    run = _while(text, is_upper)
    following = text[len(run) : len(run) + 1]
    if len(run) == 1:
        return run + _while(text[1:], lambda char: _is_alphabet(char) and not is_upper(char))
    return run[:-1] if following and _is_alphabet(following) else run


def _is_other(char: str) -> bool:
    return not (_connects(char) or _is_alphabet(char) or unicodedata.category(char)[0] in "NP")


def _is_alphabet(char: str) -> bool:
    """Letters, but no Chinese, Japanese or Korean ones."""
    return is_letter(char) and (ord(char) < _CJK_START or not _is_cjk(ord(char)))


def _is_cjk(code: int) -> bool:
    return any(start <= code <= end for start, end in ((0x4E00, 0x9FCC), (0x3400, 0x4D85), (0x20000, 0x2B81D)))


def _while(text: str, test: Callable[[str], bool]) -> str:
    end = 0
    while end < len(text) and test(text[end]):
        end += 1
    return text[:end]
