"""Splits a template into text and the tokens of its actions, with the trimming of `{{-` and `-}}`. Pure."""

from __future__ import annotations

import re

from tidegate.base.errors import Where
from tidegate.base.frozen import frozen
from tidegate.update.gotemplate.values import TemplateError

BLANKS = " \t\r\n"
KEYWORDS = frozenset({"block", "break", "continue", "define", "else", "end", "if", "range", "nil", "template", "with"})
_WORD = re.compile(r"[^\W]+")
_NUMBER = re.compile(
    r"[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?|0[bB][01_]*|0[oO][0-7_]*"
    r"|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)i?"
)
_IMAGINARY = re.compile(rf"[+-](?:{_NUMBER.pattern.removeprefix('[+-]?').removesuffix('i?')})i")
_QUOTED = re.compile(r'"(?:[^"\\\n]|\\[^\n])*"')
_CHARACTER = re.compile(r"'(?:[^'\\\n]|\\[^\n])+'")
_RAW = re.compile(r"`[^`]*`")


@frozen
class Token:
    """`kind` is text, left, right, space, word, keyword, bool, field, dot, variable, number, char, string, raw or the
    sign itself (`|`, `,`, `(`, `)`, `:=`, `=`); `text` is as written.
    """

    kind: str
    text: str
    line: int


def tokenize(template: str) -> list[Token]:
    """The tokens of a template, `eof` last. Raises TemplateError at the line of a fault."""
    return _Lexer(template).run()


class _Lexer:
    def __init__(self, template: str):
        self._text = template
        self._at = 0
        self._tokens: list[Token] = []
        self._depth = 0
        self._counted = (0, 1)

    def run(self) -> list[Token]:
        trim_next = False
        while True:
            start = self._text.find("{{", self._at)
            piece = self._text[self._at :] if start < 0 else self._text[self._at : start]
            if trim_next:
                piece = piece.lstrip(BLANKS)
            if start >= 0 and self._trims_left(start):
                piece = piece.rstrip(BLANKS)
            if piece:
                self._add("text", piece)
            if start < 0:
                self._add("eof", "")
                return self._tokens
            self._at = start + 2
            if self._trims_left(start):
                self._at += 2
            trim_next = self._comment() if self._text.startswith("/*", self._at) else self._action()

    def _trims_left(self, start: int) -> bool:
        following = self._text[start + 2 : start + 4]
        return len(following) == 2 and following[0] == "-" and following[1] in BLANKS

    def _comment(self) -> bool:
        end = self._text.find("*/", self._at)
        if end < 0:
            raise self._error("unclosed comment")
        self._at = end + 2
        closed = self._right()
        if closed is None:
            raise self._error("comment ends before closing delimiter")
        return closed

    def _right(self) -> bool | None:
        """Take a closing delimiter: whether it trims, or None where there is none here."""
        text, at = self._text, self._at
        if text[at : at + 1] and text[at] in BLANKS and text.startswith("-}}", at + 1):
            self._at += 4
            return True
        if text.startswith("}}", at):
            self._at += 2
            return False
        return None

    def _action(self) -> bool:
        self._add("left", "{{")
        self._depth = 0
        while True:
            closed = self._right()
            if closed is not None:
                if self._depth:
                    raise self._error("unclosed left paren")
                self._add("right", "}}")
                return closed
            self._token()

    def _token(self) -> None:
        text, at = self._text, self._at
        char = text[at : at + 1]
        if not char:
            raise self._error("unclosed action")
        if char in BLANKS:
            end = at
            while text[end : end + 1] and text[end] in BLANKS and not text.startswith("-}}", end + 1):
                end += 1
            self._take("space", end)
        elif char in "|,()=" or text.startswith(":=", at):
            self._sign(char)
        elif char in "\"`'":
            self._quoted(char)
        elif char in ".$" or _WORD.match(char):
            self._name(char)
        elif char in "+-":
            self._number()
        else:
            raise self._error(f"unexpected character {char!r} in an action")

    def _sign(self, char: str) -> None:
        sign = ":=" if char == ":" else char
        self._depth += {"(": 1, ")": -1}.get(char, 0)
        if self._depth < 0:
            raise self._error("unexpected right paren")
        self._take(sign, self._at + len(sign))

    def _quoted(self, char: str) -> None:
        pattern, kind = {'"': (_QUOTED, "string"), "`": (_RAW, "raw"), "'": (_CHARACTER, "char")}[char]
        found = pattern.match(self._text, self._at)
        if found is None:
            raise self._error("unterminated quoted string" if char != "'" else "unterminated character constant")
        self._take(kind, found.end())

    def _name(self, char: str) -> None:
        text, at = self._text, self._at
        following = text[at + 1 : at + 2]
        if (char.isdecimal() and char.isascii()) or (char == "." and following.isascii() and following.isdecimal()):
            self._number()
            return
        found = _WORD.match(text, at + 1 if char in ".$" else at)
        end = found.end() if found else at + 1
        if char == ".":
            self._take("field" if found else "dot", end)
        elif char == "$":
            self._take("variable", end)
        else:
            word = text[at:end]
            kind = "keyword" if word in KEYWORDS else "bool" if word in ("true", "false") else "word"
            self._take(kind, end)
        if (found or char == "$") and not self._terminated():
            raise self._error(f"bad character {text[end : end + 1]!r}")

    def _terminated(self) -> bool:
        following = self._text[self._at : self._at + 1]
        return not following or following in BLANKS + ".,|:)(" or self._text.startswith("}}", self._at)

    def _number(self) -> None:
        found = _NUMBER.match(self._text, self._at)
        assert found is not None
        if _WORD.match(self._text, found.end()) or found.end() == self._at:
            raise self._error("bad number syntax")
        if self._text[found.end() : found.end() + 1] in ("+", "-"):
            found = _IMAGINARY.match(self._text, found.end())
            if found is None or _WORD.match(self._text, found.end()):
                raise self._error("bad number syntax")
        self._take("number", found.end())

    def _take(self, kind: str, end: int) -> None:
        self._add(kind, self._text[self._at : end])
        self._at = end

    def _add(self, kind: str, text: str) -> None:
        self._tokens.append(Token(kind, text, self._line()))

    def _line(self) -> int:
        seen, line = self._counted
        line += self._text.count("\n", seen, self._at)
        self._counted = (self._at, line)
        return line

    def _error(self, message: str) -> TemplateError:
        return TemplateError(f"the template does not parse: {message}", where=Where("commit message", self._line()))
