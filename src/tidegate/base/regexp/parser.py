"""Reads an expression as Go's regexp/syntax does with its Perl flags, https://golang.org/s/re2syntax. Pure.

Nothing here recurses, so that groups may be nested as deeply as Go allows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tidegate.base.regexp import errors, program
from tidegate.base.regexp.errors import refused
from tidegate.base.regexp.escapes import CLASS_ESCAPES, ClassReader, class_escape, escaped_character, unicode_class
from tidegate.base.regexp.flags import Flags
from tidegate.base.regexp.program import EMPTY, Condition, Kind, Part, Program
from tidegate.base.regexp.runes import ANY, NOT_NEWLINE, Bounds, one, union
from tidegate.base.regexp.unicode import folded_one

LONGEST = 65_536
HIGHEST = 1_000
MOST_REPEATS = 1_000
MOST_INSTRUCTIONS = 100_000
MOST_OF_GO = 128 * 2**20 // 40
_REPEAT = re.compile(r"\{(0|[1-9][0-9]*)(?:(,)(0|[1-9][0-9]*)?)?\}")
_NAME = re.compile(r"[A-Za-z0-9_]+")
_MOST_DIGITS = 4
_ASSERTIONS = {
    "A": Condition.BEGIN_TEXT,
    "z": Condition.END_TEXT,
    "b": Condition.WORD_BOUNDARY,
    "B": Condition.NO_WORD_BOUNDARY,
}


def parse(text: str) -> Program:
    """The program of an expression. InvalidInput in Go's words where Go refuses it, and where it is longer than
    LONGEST characters or comes to more than MOST_INSTRUCTIONS instructions (Go: MOST_OF_GO).
    """
    if len(text) > LONGEST:
        raise refused(errors.LARGE, text)
    if any(0xD800 <= ord(char) < 0xE000 for char in text):
        raise refused(errors.UTF8, text)
    return _Parser(text).run()


@dataclass(slots=True)
class _Group:
    """A parenthesis that is open: `flags` are those to come back to, `number` is 0 where it captures nothing."""

    flags: Flags
    number: int = 0
    branches: list[Part] = field(default_factory=list)
    items: list[Part] = field(default_factory=list)


class _Parser:
    def __init__(self, text: str):
        self._text = text
        self._at = 0
        self._flags = Flags(0)
        self._groups = [_Group(self._flags)]
        self._names = [""]
        self._last_repeat: int | None = None
        self._classes = ClassReader(text)

    def run(self) -> Program:
        text = self._text
        while self._at < len(text):
            begun = self._at
            step = _STEPS.get(text[begun])
            repeated = False
            if step is None:
                self._literal(text[begun])
                self._at += 1
            else:
                repeated = bool(step(self))
            self._last_repeat = begun if repeated else None
        if len(self._groups) > 1:
            raise refused(errors.MISSING_PAREN, text)
        return program.link(self._finished(self._groups[0]), self._names)

    def _push(self, part: Part) -> None:
        self._groups[-1].items.append(self._checked(part))

    def _checked(self, part: Part) -> Part:
        if len(part.code) > MOST_INSTRUCTIONS:
            raise refused(errors.LARGE, self._text)
        if part.height > HIGHEST:
            raise refused(errors.NESTING, self._text)
        return part

    def _literal(self, char: str) -> None:
        self._push(_literal(ord(char), self._flags))

    def _condition(self, condition: Condition, length: int) -> None:
        self._push(program.assertion(condition))
        self._at += length

    def caret(self) -> None:
        self._condition(Condition.BEGIN_LINE if Flags.MULTILINE in self._flags else Condition.BEGIN_TEXT, 1)

    def dollar(self) -> None:
        self._condition(Condition.END_LINE if Flags.MULTILINE in self._flags else Condition.END_TEXT, 1)

    def dot(self) -> None:
        self._push(program.rune(ANY if Flags.DOT_NEWLINE in self._flags else NOT_NEWLINE, Kind.CLASS))
        self._at += 1

    def bracket(self) -> None:
        bounds, self._at = self._classes.bracket(self._at, self._flags)
        self._push(_of_class(bounds))

    def backslash(self) -> None:
        text, at = self._text, self._at
        kind = text[at + 1 : at + 2]
        if kind in _ASSERTIONS:
            self._condition(_ASSERTIONS[kind], 2)
        elif kind == "C":
            raise refused(errors.ESCAPE, "\\C")
        elif kind == "Q":
            self._quoted()
        elif kind and kind in "pP":
            bounds, self._at = unicode_class(text, at, self._flags)
            self._push(_of_class(bounds))
        elif kind in CLASS_ESCAPES:
            self._push(program.rune(class_escape(kind, self._flags), Kind.CLASS))
            self._at += 2
        else:
            code, self._at = escaped_character(text, at)
            self._push(_literal(code, self._flags))

    def _quoted(self) -> None:
        quoted, end, _ = self._text[self._at + 2 :].partition("\\E")
        for char in quoted:
            self._literal(char)
        self._at += 2 + len(quoted) + len(end)

    def bar(self) -> None:
        group = self._groups[-1]
        group.branches.append(self._checked(program.concatenation(group.items)))
        group.items = []
        self._at += 1

    def open(self) -> None:
        if self._text.startswith("(?", self._at):
            self._perl_group()
        else:
            self._begin(name="")
            self._at += 1

    def _begin(self, *, name: str | None) -> None:
        """Open a group; None is the name of one that captures nothing."""
        if name is None:
            self._groups.append(_Group(self._flags))
            return
        self._groups.append(_Group(self._flags, len(self._names)))
        self._names.append(name)

    def close(self) -> None:
        group = self._groups.pop()
        if not self._groups:
            raise refused(errors.UNEXPECTED_PAREN, self._text)
        part = self._finished(group)
        self._flags = group.flags
        self._push(program.capture(part, group.number) if group.number else part)
        self._at += 1

    def _finished(self, group: _Group) -> Part:
        group.branches.append(self._checked(program.concatenation(group.items)))
        return self._checked(program.alternation(_merged(group.branches)))

    def _perl_group(self) -> None:
        text, at = self._text, self._at
        start = next((at + len(begin) for begin in ("(?P<", "(?<") if text.startswith(begin, at)), None)
        if start is None or start == len(text):
            self._flag_group()
            return
        end = text.find(">", start)
        if end < 0:
            raise refused(errors.NAMED_CAPTURE, text[at:])
        if not _NAME.fullmatch(text, start, end):
            raise refused(errors.NAMED_CAPTURE, text[at : end + 1])
        self._begin(name=text[start:end])
        self._at = end + 1

    def _flag_group(self) -> None:
        """`(?i)`, `(?i-s:`, `(?:`: flags from here to the end of the group, or of a group that begins here."""
        text, flags = self._text, self._flags
        adding, wanting = True, False
        for at in range(self._at + 2, len(text)):
            char = text[at]
            flag = Flags.of_letter(char)
            if flag is not None:
                flags = flags | flag if adding else flags & ~flag
                wanting = False
            elif char == "-" and adding:
                adding, wanting = False, True
            elif char in ":)" and not wanting:
                if char == ":":
                    self._begin(name=None)
                self._flags, self._at = flags, at + 1
                return
            else:
                raise refused(errors.PERL_SYNTAX, text[self._at : at + 1])
        raise refused(errors.PERL_SYNTAX, text[self._at :])

    def star(self) -> bool:
        return self._repeat(0, None, self._at + 1)

    def plus(self) -> bool:
        return self._repeat(1, None, self._at + 1)

    def quest(self) -> bool:
        return self._repeat(0, 1, self._at + 1)

    def braces(self) -> bool:
        found = _REPEAT.match(self._text, self._at)
        if found is None:
            self._literal("{")
            self._at += 1
            return False
        if any(digits and len(digits) > _MOST_DIGITS for digits in (found[1], found[3])):
            raise refused(errors.REPEAT_SIZE, found[0])
        least = int(found[1])
        most = int(found[3]) if found[3] else None if found[2] else least
        if least > MOST_REPEATS or (most is not None and not least <= most <= MOST_REPEATS):
            raise refused(errors.REPEAT_SIZE, found[0])
        return self._repeat(least, most, found.end(), counted=True)

    def _repeat(self, least: int, most: int | None, end: int, *, counted: bool = False) -> bool:
        text, items = self._text, self._groups[-1].items
        lazy = text.startswith("?", end)
        end += lazy
        if self._last_repeat is not None:
            raise refused(errors.REPEAT_OP, text[self._last_repeat : end])
        if not items:
            raise refused(errors.MISSING_ARGUMENT, text[self._at : end])
        part = items.pop()
        size = program.repeated_size(part, least, most)
        if size > MOST_OF_GO:
            raise refused(errors.LARGE, text)
        product = part.repeats
        if counted:
            product = 0 if most == 0 else (least if most is None else most) * part.repeats or part.repeats
            if product > MOST_REPEATS and (least >= 2 or (most is not None and most >= 2)):
                raise refused(errors.REPEAT_SIZE, text[self._at : end])
        if size > MOST_INSTRUCTIONS:
            raise refused(errors.LARGE, text)
        greedy = lazy is (Flags.UNGREEDY in self._flags)
        self._push(program.repeated(part, least, most, greedy=greedy, product=product))
        self._at = end
        return True


_STEPS: Mapping[str, Callable[[_Parser], bool | None]] = {
    "(": _Parser.open,
    ")": _Parser.close,
    "|": _Parser.bar,
    "^": _Parser.caret,
    "$": _Parser.dollar,
    ".": _Parser.dot,
    "[": _Parser.bracket,
    "\\": _Parser.backslash,
    "*": _Parser.star,
    "+": _Parser.plus,
    "?": _Parser.quest,
    "{": _Parser.braces,
}


def _literal(code: int, flags: Flags) -> Part:
    return program.rune(folded_one(code) if Flags.FOLD_CASE in flags else one(code), Kind.LITERAL)


def _of_class(bounds: Bounds) -> Part:
    single = len(bounds) == 2 and bounds[0] + 1 == bounds[1]
    return program.rune(bounds, Kind.LITERAL if single else Kind.CLASS)


def _merged(branches: Sequence[Part]) -> list[Part]:
    """Neighbouring branches of a single character each become one set."""
    merged: list[Part] = []
    run: list[Part] = []
    for branch in (*branches, EMPTY):
        if branch.kind in (Kind.LITERAL, Kind.CLASS) and len(branch.code) == 1 and branch.height == 1:
            run.append(branch)
            continue
        if len(run) > 1:
            merged.append(_of_class(union(part.code[0].bounds for part in run)))
        else:
            merged += run
        run = []
        merged.append(branch)
    return merged[:-1]
