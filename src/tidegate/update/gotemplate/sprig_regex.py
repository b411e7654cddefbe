"""Sprig's regular expressions: Go's syntax (RE2) brought to Python's, where both mean the same. Pure.

Python's matcher backtracks, so a template that uses these runs where it can be ended: never on the event loop.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import lru_cache
from typing import Any

from tidegate.update.gotemplate.budget import Budget
from tidegate.update.gotemplate.functions import Registry
from tidegate.update.gotemplate.values import Slice, TemplateError, strings

REGEXES = Registry()
LENGTH_LIMIT = 1000
_POSIX = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": r"\x00-\x7f", "blank": r"\t ", "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9", "graph": "!-~", "lower": "a-z", "print": " -~", "punct": r"!-/:-@\[-`{-~", "space": r"\t\n\v\f\r ",
    "upper": "A-Z", "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f",
}  # fmt: skip
_CLASSES = {"d": "0-9", "s": r"\t\n\f\r ", "w": "0-9A-Za-z_"}
_CATEGORIES = set("LMNPSZC") | {
    major + minor for major, minors in (("L", "lmotu"), ("M", "cen"), ("N", "dlo"), ("P", "cdefios"), ("S", "ckmo"),
                                        ("Z", "lps"), ("C", "cfo")) for minor in minors
}  # fmt: skip
_REFERENCE = re.compile(r"\$(?:\$|(?P<name>[0-9A-Za-z_]+)|\{(?P<braced>[0-9A-Za-z_]+)\})?")
_SPECIAL = frozenset("\\.+*?()|[]{}^$")


@lru_cache(maxsize=64)
def compile_go(pattern: str) -> re.Pattern[str]:
    """A Go regular expression. TemplateError for one that Go refuses, or that has no equal here."""
    if len(pattern) > LENGTH_LIMIT:
        raise TemplateError(f"the regular expression is longer than {LENGTH_LIMIT} characters")
    try:
        return re.compile(_Translator(pattern).run(), re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise TemplateError(f"error parsing regexp: {error}: `{pattern}`") from None


class _Translator:
    def __init__(self, pattern: str):
        self._pattern = pattern
        self._at = 0
        self._parts: list[str] = []
        # For each open group: how many parentheses its end closes, and whether repeats are lazy in it.
        self._groups: list[tuple[int, bool]] = [(0, False)]

    def run(self) -> str:
        while self._at < len(self._pattern):
            self._one()
        if len(self._groups) != 1:
            raise re.error("missing closing )")
        return "".join(self._parts) + ")" * self._groups[0][0]

    def _one(self) -> None:
        pattern, at = self._pattern, self._at
        char = pattern[at]
        if char == "\\":
            self._escape()
        elif char == "[":
            self._bracket()
        elif pattern.startswith("(?", at):
            self._group()
        elif char == "(":
            self._open("(", 1)
        elif char == ")":
            self._close()
        elif char == "$":
            self._put(r"(?!\n)\Z" if not self._multiline() else "$", 1)
        elif char in "*+?" or (char == "{" and re.match(r"\{[0-9]+(?:,[0-9]*)?\}", pattern[at:])):
            self._repeat()
        else:
            self._put(r"\{" if char == "{" else char, 1)

    def _multiline(self) -> bool:
        return "(?m" in self._pattern or re.search(r"\(\?[a-zA-Z]*m", self._pattern) is not None

    def _put(self, text: str, length: int) -> None:
        self._parts.append(text)
        self._at += length

    def _repeat(self) -> None:
        found = re.match(r"(?:[*+?]|\{[0-9]+(?:,[0-9]*)?\})\??", self._pattern[self._at :])
        assert found is not None
        if any(int(number) > 1000 for number in re.findall(r"[0-9]+", found.group())):
            raise re.error("invalid repeat count")
        rest = self._pattern[self._at + found.end() :]
        if re.match(r"[*+?]|\{[0-9]+(?:,[0-9]*)?\}", rest):
            raise re.error("invalid nested repetition operator")
        lazy = found.group().endswith("?") and len(found.group()) > 1
        repeat = found.group()[:-1] if lazy else found.group()
        self._put(repeat + "?" * (lazy is not self._groups[-1][1]), found.end())

    def _open(self, text: str, length: int, *, lazy: bool | None = None) -> None:
        self._groups.append((1, self._groups[-1][1] if lazy is None else lazy))
        self._put(text, length)

    def _close(self) -> None:
        if len(self._groups) == 1:
            raise re.error("unexpected )")
        self._put(")" * self._groups.pop()[0], 1)

    def _escape(self) -> None:
        char = self._pattern[self._at + 1 : self._at + 2]
        if char in ("d", "s", "w"):
            self._put(f"[{_CLASSES[char]}]", 2)
        elif char in ("D", "S", "W"):
            self._put(f"[^{_CLASSES[char.lower()]}]", 2)
        elif char in ("p", "P"):
            found = re.match(r"\\[pP](?:\{(\^?)([A-Za-z]+)\}|([A-Z]))", self._pattern[self._at :])
            if found is None:
                raise re.error("invalid character class range")
            outside = (char == "P") is not bool(found[1])
            self._put(f"[{'^' * outside}{_category(found[2] or found[3])}]", found.end())
        elif char == "z":
            self._put(r"\Z", 2)
        elif char == "Q":
            end = self._pattern.find(r"\E", self._at + 2)
            quoted = self._pattern[self._at + 2 :] if end < 0 else self._pattern[self._at + 2 : end]
            self._put(re.escape(quoted), len(self._pattern) - self._at if end < 0 else end + 2 - self._at)
        elif char in ("A", "b", "B"):
            self._put(f"\\{char}", 2)
        else:
            text, length = self._character()
            self._put(text, length)

    def _character(self) -> tuple[str, int]:
        """An escaped single character, in a class or out of it."""
        found = re.match(
            r"\\(?:x([0-9A-Fa-f]{2})|x\{([0-9A-Fa-f]{1,6})\}|([0-7]{1,3})|([afnrtv])|([^0-9A-Za-z]))",
            self._pattern[self._at :],
        )
        if found is None or (found[3] and found[3][0] != "0" and len(found[3]) < 2):
            raise re.error("invalid escape sequence")
        hexadecimal = found[1] or found[2]
        if hexadecimal:
            return re.escape(chr(int(hexadecimal, 16))), found.end()
        if found[3]:
            return re.escape(chr(int(found[3], 8))), found.end()
        return (f"\\{found[4]}" if found[4] else re.escape(found[5])), found.end()

    def _bracket(self) -> None:
        self._put("[", 1)
        if self._pattern.startswith("^", self._at):
            self._put("^", 1)
        first = True
        while first or not self._pattern.startswith("]", self._at):
            if self._at >= len(self._pattern):
                raise re.error("missing closing ]")
            self._class_item()
            first = False
        self._put("]", 1)

    def _class_item(self) -> None:
        pattern, at = self._pattern, self._at
        posix = re.match(r"\[:(\^?)([a-z]+):\]", pattern[at:])
        char = pattern[at]
        if posix is not None and posix[2] in _POSIX and not posix[1]:
            self._put(_POSIX[posix[2]], posix.end())
        elif pattern.startswith("[:", at):
            raise re.error("invalid character class range")
        elif found := re.match(r"\\p(?:\{([A-Za-z]+)\}|([A-Z]))", pattern[at:]):
            self._put(_category(found[1] or found[2]), found.end())
        elif char == "\\" and pattern[at + 1 : at + 2] in _CLASSES:
            self._put(_CLASSES[pattern[at + 1]], 2)
        elif char == "\\":
            text, length = self._character()
            self._put(text, length)
        else:
            self._put(char if char == "-" else re.escape(char), 1)

    def _group(self) -> None:
        named = re.match(r"\(\?P?<([A-Za-z_][0-9A-Za-z_]*)>", self._pattern[self._at :])
        flags = re.match(r"\(\?([imsU]*)(?:-([imsU]+))?([:)])", self._pattern[self._at :])
        if named is not None:
            self._open(f"(?P<{named[1]}>", named.end())
        elif flags is None or not (flags[1] or flags[2] or flags[3] == ":"):
            raise re.error("this group is not supported here")
        else:
            self._flags(flags)

    def _flags(self, flags: re.Match[str]) -> None:
        on, off = flags[1], flags[2] or ""
        lazy = (self._groups[-1][1] or "U" in on) and "U" not in off
        scope = f"(?{on.replace('U', '')}{'-' * bool(off.strip('U'))}{off.replace('U', '')}:"
        if flags[3] == ":":
            self._open(scope, flags.end(), lazy=lazy)
            return
        if self._at and not (self._parts and self._parts[-1].startswith("(")):
            raise re.error("flags are supported at the start of a group alone")
        closing, _ = self._groups[-1]
        self._groups[-1] = (closing + 1, lazy)
        self._put(scope, flags.end())


@lru_cache(maxsize=16)
def _category(name: str) -> str:
    """The characters of a Unicode category (`L`, `Lu`), as they stand in a class."""
    if name not in _CATEGORIES:
        raise re.error(f"the character class \\p{{{name}}} is not supported here")
    ranges: list[list[int]] = []
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code)).startswith(name) and not 0xD800 <= code < 0xE000:
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"\\U{start:08x}-\\U{end:08x}" for start, end in ranges)


def find_all(pattern: re.Pattern[str], text: str) -> list[re.Match[str]]:
    """Go's matches: none that is empty directly after the one before."""
    found: list[re.Match[str]] = []
    for match in pattern.finditer(text):
        if match.group() == "" and found and match.start() == found[-1].end():
            continue
        found.append(match)
    return found


def _both(name: str) -> tuple[str, str]:
    return name, f"must{name[0].upper()}{name[1:]}"


@REGEXES.add("string, string", "regexMatch")
def _match(_: Budget, pattern: str, text: str) -> bool:
    try:
        return compile_go(pattern).search(text) is not None
    except TemplateError:
        return False


@REGEXES.add("string, string", "mustRegexMatch")
def _must_match(_: Budget, pattern: str, text: str) -> bool:
    return compile_go(pattern).search(text) is not None


@REGEXES.add("string, string", *_both("regexFind"))
def _find(_: Budget, pattern: str, text: str) -> str:
    found = compile_go(pattern).search(text)
    return found.group() if found else ""


@REGEXES.add("string, string, int", *_both("regexFindAll"))
def _find_all(_: Budget, pattern: str, text: str, count: int) -> Slice:
    found = [match.group() for match in find_all(compile_go(pattern), text)]
    kept = strings(found if count < 0 else found[:count])
    kept.is_nil = not kept.items
    return kept


@REGEXES.add("string, string, string", *_both("regexReplaceAll"))
def _replace(budget: Budget, pattern: str, text: str, replacement: str) -> str:
    return _replaced(budget, pattern, text, lambda match: _expand(match, replacement))


@REGEXES.add("string, string, string", *_both("regexReplaceAllLiteral"))
def _replace_literal(budget: Budget, pattern: str, text: str, replacement: str) -> str:
    return _replaced(budget, pattern, text, lambda _: replacement)


def _replaced(budget: Budget, pattern: str, text: str, replacement: Any) -> str:
    parts: list[str] = []
    position = 0
    for match in find_all(compile_go(pattern), text):
        parts += [text[position : match.start()], budget.text(replacement(match))]
        position = match.end()
    return "".join([*parts, text[position:]])


def _expand(match: re.Match[str], template: str) -> str:
    """regexp.Expand: `$1`, `$name`, `${1}`; a name takes as many letters, digits and underscores as there are."""

    def group(reference: re.Match[str]) -> str:
        name = reference["name"] or reference["braced"]
        if name is None:
            return "$"
        key: str | int = int(name) if name.isdecimal() else name
        try:
            return match.group(key) or ""
        except (IndexError, OverflowError):
            return ""

    return _REFERENCE.sub(group, template)


@REGEXES.add("string, string, int", *_both("regexSplit"))
def _split(_: Budget, pattern: str, text: str, count: int) -> Slice:
    compiled = compile_go(pattern)
    if count == 0:
        return Slice([], "[]string", is_nil=True)
    if pattern and not text:
        return strings([""])
    parts: list[str] = []
    begin, end = 0, 0
    for match in find_all(compiled, text):
        if 0 < count == len(parts) + 1:
            break
        end = match.start()
        if match.end() != 0:
            parts.append(text[begin:end])
        begin = match.end()
    if end != len(text):
        parts.append(text[begin:])
    return strings(parts)


@REGEXES.add("string", "regexQuoteMeta")
def _quote_meta(_: Budget, text: str) -> str:
    return "".join(f"\\{char}" if char in _SPECIAL else char for char in text)
