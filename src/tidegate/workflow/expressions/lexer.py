"""From an expression's text to its tokens. Knows nothing of grammar."""

from __future__ import annotations

import math
import re
from enum import Enum

from tidegate.base.frozen import frozen
from tidegate.workflow.expressions.errors import MAX_LENGTH, ExpressionError
from tidegate.workflow.expressions.numbers import WHITESPACE, number_of_text


class Kind(Enum):
    """The kinds of token; a punctuation's value is its spelling."""

    LEFT_PARENTHESIS = "("
    RIGHT_PARENTHESIS = ")"
    LEFT_BRACKET = "["
    RIGHT_BRACKET = "]"
    COMMA = ","
    DOT = "."
    NOT = "!"
    NOT_EQUAL = "!="
    EQUAL = "=="
    GREATER = ">"
    GREATER_EQUAL = ">="
    LESS = "<"
    LESS_EQUAL = "<="
    AND = "&&"
    OR = "||"
    STAR = "*"
    NUMBER = "number"
    STRING = "string"
    NAME = "name"
    TRUE = "true"
    FALSE = "false"
    NULL = "null"
    END = "end"


@frozen
class Token:
    """A token, its spelling and its place; `value` is a number's or a string's."""

    kind: Kind
    text: str
    position: int
    value: float | str = 0.0


_PUNCTUATION = re.compile(r"!=|==|>=|<=|&&|\|\||[()\[\],!<>*]")
_STRING = re.compile(r"'((?:[^']|'')*)'")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)
_BOUNDARY = "()[],.!<>=&|" + WHITESPACE
_WORD = re.compile(f"[^{re.escape(_BOUNDARY)}]*")
_NUMERAL = re.compile(f"[^{re.escape(_BOUNDARY.replace('.', ''))}]*")
_BLANK = " \r\t\n"
_KEYWORDS = {"true": Kind.TRUE, "false": Kind.FALSE, "null": Kind.NULL}
_NUMBER_WORDS = {"NaN": math.nan, "Infinity": math.inf}
_BEFORE_DOT = {Kind.NAME, Kind.RIGHT_BRACKET, Kind.RIGHT_PARENTHESIS, Kind.STAR}


def tokenize(text: str) -> list[Token]:
    """The tokens of an expression, with END as the last one. Raises ExpressionError at the first illegal character."""
    if len(text.encode("utf-16-le", "surrogatepass")) // 2 > MAX_LENGTH:
        raise ExpressionError(f"the expression is longer than {MAX_LENGTH} characters")
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        if text[position] in _BLANK:
            position += 1
            continue
        token = _token(text, position, tokens[-1].kind if tokens else Kind.END)
        tokens.append(token)
        position += len(token.text)
    tokens.append(Token(Kind.END, "", len(text)))
    return tokens


def _token(text: str, position: int, previous: Kind) -> Token:
    if found := _PUNCTUATION.match(text, position):
        return Token(Kind(found[0]), found[0], position)
    first = text[position]
    if first == "'":
        return _string(text, position)
    if first == "." and previous in _BEFORE_DOT:
        return Token(Kind.DOT, ".", position)
    if first in "+-.0123456789":
        return _number(text, position)
    return _name(text, position, previous)


def _string(text: str, position: int) -> Token:
    found = _STRING.match(text, position)
    if found is None:
        raise _unexpected(text[position:], position, "end the text with a single quote; double a quote inside it")
    return Token(Kind.STRING, found[0], position, found[1].replace("''", "'"))


def _number(text: str, position: int) -> Token:
    found = _NUMERAL.match(text, position + 1)
    assert found is not None
    spelling = text[position] + found[0]
    value = number_of_text(spelling)
    if math.isnan(value):
        raise _unexpected(spelling, position, "a number is written 1, -1.5, 1e3, 0xff or 0o17; a text in single quotes")
    return Token(Kind.NUMBER, spelling, position, value)


def _name(text: str, position: int, previous: Kind) -> Token:
    found = _WORD.match(text, position + 1)
    assert found is not None
    spelling = text[position] + found[0]
    if not _NAME.fullmatch(spelling):
        double = spelling.startswith('"')
        raise _unexpected(spelling, position, "write texts in single quotes: 'text'" if double else None)
    if previous is not Kind.DOT:
        if spelling in _KEYWORDS:
            return Token(_KEYWORDS[spelling], spelling, position)
        if spelling in _NUMBER_WORDS:
            return Token(Kind.NUMBER, spelling, position, _NUMBER_WORDS[spelling])
    return Token(Kind.NAME, spelling, position)


def _unexpected(spelling: str, position: int, remedy: str | None = None) -> ExpressionError:
    return ExpressionError(
        f"unexpected symbol {spelling[:80]!r}", position=position, length=max(len(spelling), 1), remedy=remedy
    )
