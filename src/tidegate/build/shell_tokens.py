"""Splits a shell script into words as they are written and the operators between them. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.base.frozen import frozen
from tidegate.build.native import NotNative

_OPERATORS = ("&&", "||", ";;", ">>", "<<-", "<<", ">&", "<&", "&>", ">|", ";", "&", "|", "(", ")", "<", ">", "\n")


@frozen
class Token:
    """A word as it is written, or an operator; `glued` where it follows a word without a space."""

    text: str
    is_operator: bool = False
    glued: bool = False


def tokens(text: str) -> Iterator[Token]:
    """Words as they are written, quotes and all, and between them the shell's operators."""
    word, at = "", 0
    while at < len(text):
        char = text[at]
        if char == "\\" and text[at + 1 : at + 2] == "\n":
            at += 2
            continue
        operator = next((one for one in _OPERATORS if text.startswith(one, at)), "")
        if operator or char in " \t\r":
            if word:
                yield Token(word)
            if operator:
                yield Token(operator, is_operator=True, glued=bool(word))
            word = ""
            at += len(operator) or 1
        elif char == "#" and not word:
            end = text.find("\n", at)
            at = len(text) if end < 0 else end
        else:
            length = _unit(text, at)
            word += text[at : at + length]
            at += length
    if word:
        yield Token(word)


def _unit(text: str, at: int) -> int:
    """How many characters from `at` belong together: an escape, a quoted part, a parameter, else one."""
    char = text[at]
    if char == "\\":
        return 2
    if char in "'\"":
        return _quoted_length(text, at)
    if char == "$" and text[at + 1 : at + 2] == "{":
        return closing_brace(text, at + 1) + 1 - at
    if char == "`" or text.startswith("$(", at):
        raise NotNative("a command inside a command must be run")
    return 1


def _quoted_length(text: str, start: int) -> int:
    quote, at = text[start], start + 1
    while at < len(text) and text[at] != quote:
        if quote == '"' and (text[at] == "`" or text.startswith("$(", at)):
            raise NotNative("a command inside a command must be run")
        at += 2 if text[at] == "\\" and quote == '"' else 1
    if at >= len(text):
        raise NotNative(f"the shell would wait for another {quote}")
    return at + 1 - start


def is_redirect(token: Token) -> bool:
    """Whether a number in front of the token is a descriptor."""
    return token.is_operator and token.glued and token.text[0] in "<>"


def closing_brace(text: str, start: int) -> int:
    """Where the brace that opens at `start` is closed. Raises NotNative."""
    depth = 0
    for at in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if not depth:
            return at
    raise NotNative("the shell would wait for another }")
