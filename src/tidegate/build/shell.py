"""Reads a shell script, as far as it is a plain list of commands, into commands with their words. Pure.

Follows POSIX's Shell Command Language: quoting, parameters, field splitting, here-documents. Whatever else a shell can
do (pipes, loops, substitutions) is not native, by name. Every command counts as one that succeeds; what would fail is
found out when it is carried out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from tidegate.base.frozen import frozen
from tidegate.build.dockerfile import Expander, Heredoc
from tidegate.build.native import NotNative
from tidegate.build.shell_tokens import Token, closing_brace, is_redirect
from tidegate.build.shell_tokens import tokens as split_tokens

COMMAND_LIMIT = 1000
_RESERVED = frozenset({"if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "{",
                       "}", "!", "[[", "function", "select", "time"})  # fmt: skip
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_BRACED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(:?[-+]|##?|%%?)?(.*)", re.DOTALL | re.ASCII)
_PLAIN_IN_DOUBLE_QUOTES = '$`"\\\n'


@frozen
class Word:
    """A word as a command gets it; `pattern` where it has wildcards that are not quoted, for the files to answer."""

    text: str
    pattern: str = ""


@frozen
class Redirect:
    """`operator` is `>`, `>>`, `<`, `>&` or `<<`; the word is a path, a descriptor, or a here-document's content."""

    operator: str
    descriptor: int
    word: Word


@frozen
class ShellCommand:
    """A simple command: its words, the assignments in front of it, its redirections."""

    words: tuple[Word, ...]
    assignments: Mapping[str, str]
    redirects: tuple[Redirect, ...] = ()

    @property
    def texts(self) -> list[str]:
        """The words as texts."""
        return [word.text for word in self.words]


class Variables:
    """What names mean in a script: it changes while it is read."""

    def __init__(self, values: Mapping[str, str]):
        self.values = dict(values)
        self.strict = False

    def get(self, name: str) -> str:
        if self.strict and name not in self.values:
            raise NotNative(f"${name} is not set, and `set -u` ends the script there")
        return self.values.get(name, "")


def parse_script(
    text: str, variables: Variables, documents: Sequence[Heredoc], take: Callable[[ShellCommand], None]
) -> None:
    """Read a script and give each command to `take` as soon as it is read, since it may change what names mean.

    `documents` are the here-documents that the Dockerfile holds, in their order. Raises NotNative.
    """
    tokens = list(split_tokens(text))
    if len(tokens) > COMMAND_LIMIT * 10:
        raise NotNative("the script is too long")
    _Reader(tokens, variables, documents, take).read()


class _Reader:
    def __init__(
        self,
        tokens: list[Token],
        variables: Variables,
        documents: Sequence[Heredoc],
        take: Callable[[ShellCommand], None],
    ):
        self._tokens, self._variables, self._take = tokens, variables, take
        self._documents = list(documents)
        self._at = 0

    def read(self) -> None:
        skipped = False
        while self._at < len(self._tokens):
            tokens = self._until_end()
            if tokens and not skipped:
                self._take(self._command(tokens))
            elif tokens and tokens[0].text in _RESERVED:
                raise NotNative(f"the shell's `{tokens[0].text}` must be run")
            end = self._tokens[self._at].text if self._at < len(self._tokens) else ";"
            self._at += 1
            # What stands before `||` succeeds, so what stands after it is never run.
            skipped = end == "||"
            if end not in (";", "\n", "&&", "||"):
                raise NotNative(f"the shell's {end!r} must be run")

    def _until_end(self) -> list[Token]:
        start = self._at
        while self._at < len(self._tokens) and not self._ends(self._tokens[self._at]):
            self._at += 1
        return self._tokens[start : self._at]

    @staticmethod
    def _ends(token: Token) -> bool:
        return token.is_operator and token.text[0] not in "<>" and token.text != "&>"

    def _command(self, tokens: list[Token]) -> ShellCommand:
        assignments: dict[str, str] = {}
        words: list[Word] = []
        redirects: list[Redirect] = []
        at = 0
        while at < len(tokens):
            token = tokens[at]
            at += 1
            if token.is_operator or (at < len(tokens) and token.text.isdigit() and is_redirect(tokens[at])):
                at = self._redirect(tokens, at - 1, redirects)
            elif not words and (match := _ASSIGNMENT.fullmatch(token.text)):
                assignments[match[1]] = " ".join(word.text for word in self._expand(match[2], split=False))
            else:
                if not words and token.text in _RESERVED:
                    raise NotNative(f"the shell's `{token.text}` must be run")
                words += self._expand(token.text)
        if not words:
            self._variables.values |= assignments
        return ShellCommand(tuple(words), assignments, tuple(redirects))

    def _redirect(self, tokens: list[Token], at: int, redirects: list[Redirect]) -> int:
        descriptor = -1
        if not tokens[at].is_operator:
            descriptor, at = int(tokens[at].text), at + 1
        operator = tokens[at].text
        if at + 1 >= len(tokens) or tokens[at + 1].is_operator:
            raise NotNative(f"the shell's {operator!r} names nothing")
        text = tokens[at + 1].text
        if operator in ("<<", "<<-"):
            redirects.append(Redirect("<<", 0, Word(self._document(text))))
        elif operator in (">", ">>", ">|", "<"):
            (word, *others) = self._expand(text, split=False)
            if others or word.pattern:
                raise NotNative(f"the shell's {operator!r} needs one file")
            default = 0 if operator == "<" else 1
            redirects.append(Redirect(operator.rstrip("|"), default if descriptor < 0 else descriptor, word))
        elif operator == ">&" and text in ("1", "2") and descriptor in (-1, 1, 2):
            redirects.append(Redirect(">&", max(descriptor, 1), Word(text)))
        else:
            raise NotNative(f"the shell's {operator!r} must be run")
        return at + 2

    def _document(self, name: str) -> str:
        if not self._documents:
            raise NotNative(f"the here-document {name} has no end")
        document = self._documents.pop(0)
        return self._filled(document.content) if document.expands else document.content

    def _filled(self, content: str) -> str:
        """A here-document's content with its parameters; only `\\$`, `` \\` `` and `\\\\` are escapes in it."""
        text, at = "", 0
        while at < len(content):
            char = content[at]
            if char == "\\" and content[at + 1 : at + 2] in ("$", "`", "\\"):
                text, at = text + content[at + 1], at + 2
            elif char == "\\" and content[at + 1 : at + 2] == "\n":
                at += 2
            elif char == "`":
                raise NotNative("a command inside a command must be run")
            elif char == "$":
                value, at = self._parameter(content, at)
                text += value
            else:
                text, at = text + char, at + 1
        return text

    def _expand(self, text: str, *, split: bool = True) -> list[Word]:
        return _Expansion(text, self._parameter, self._variables, split=split).words()

    def _parameter(self, text: str, at: int) -> tuple[str, int]:
        """The value of the parameter at `$`, and where the text goes on."""
        rest = text[at + 1 :]
        if rest.startswith("("):
            raise NotNative("a command inside a command must be run")
        if rest.startswith("{"):
            end = closing_brace(text, at + 1)
            return self._braced(text[at + 2 : end]), end + 1
        match = _NAME.match(rest)
        if match:
            return self._variables.get(match[0]), at + 1 + match.end()
        if rest[:1] and rest[0] in "@*#?-$!0123456789":
            raise NotNative(f"the shell's ${rest[0]} is known only where it runs")
        return "$", at + 1

    def _braced(self, inner: str) -> str:
        match = _BRACED.fullmatch(inner)
        if match is None or (match[2] is None and match[3]):
            raise NotNative(f"the shell's ${{{inner[:50]}}} must be run")
        if match[2] is None:
            return self._variables.get(match[1])
        if "`" in inner or "$(" in inner:
            raise NotNative("a command inside a command must be run")
        try:
            return Expander("\\", self._variables.values).word(f"${{{inner}}}")
        except ValueError as error:
            raise NotNative(f"the shell's ${{{inner[:50]}}}: {error}") from error


class _Expansion:
    """One word as it is written → the words that it gives."""

    def __init__(
        self,
        text: str,
        parameter: Callable[[str, int], tuple[str, int]],
        variables: Variables,
        *,
        split: bool,
    ):
        self._text, self._parameter, self._variables, self._split = text, parameter, variables, split
        self._words: list[Word] = []
        self._plain, self._pattern = "", ""
        self._wild = self._begun = False

    def words(self) -> list[Word]:
        at = self._home()
        while at < len(self._text):
            at = self._step(at)
        self._end()
        return self._words if self._split else self._words or [Word("")]

    def _home(self) -> int:
        """A `~` at the beginning of a word."""
        match = re.match(r"~(?=/|$)", self._text)
        if not match:
            return 0
        self._quoted(self._variables.get("HOME"))
        return 1

    def _step(self, at: int) -> int:
        text, char = self._text, self._text[at]
        if char == "'":
            end = text.index("'", at + 1)
            self._quoted(text[at + 1 : end])
            return end + 1
        if char == '"':
            return self._double(at + 1)
        if char == "\\":
            self._quoted(text[at + 1 : at + 2])
            return at + 2
        if char == "`":
            raise NotNative("a command inside a command must be run")
        if char == "$":
            value, end = self._parameter(text, at)
            self._unquoted_value(value)
            return end
        if char in "*?[" or (char == "{" and re.match(r"\{[^{}]*[,.][^{}]*\}", text[at:])):
            if char == "{":
                raise NotNative("what braces give depends on the shell")
            self._wild = True
        self._add(char, char)
        return at + 1

    def _double(self, at: int) -> int:
        self._begun = True
        text = self._text
        while text[at] != '"':
            if text[at] == "\\" and text[at + 1] in _PLAIN_IN_DOUBLE_QUOTES:
                self._quoted("" if text[at + 1] == "\n" else text[at + 1])
                at += 2
            elif text[at] == "`":
                raise NotNative("a command inside a command must be run")
            elif text[at] == "$":
                value, at = self._parameter(text, at)
                self._quoted(value)
            else:
                self._quoted(text[at])
                at += 1
        return at + 1

    def _quoted(self, value: str) -> None:
        self._add(value, re.sub(r"([*?\[\]\\])", r"\\\1", value))

    def _unquoted_value(self, value: str) -> None:
        if not self._split:
            self._quoted(value)
            return
        for piece in re.split(r"([ \t\n]+)", value):
            if piece.strip(" \t\n"):
                self._wild = self._wild or bool(re.search(r"[*?\[]", piece))
                self._add(piece, piece)
            elif piece:
                self._end()

    def _add(self, plain: str, pattern: str) -> None:
        self._begun = True
        self._plain += plain
        self._pattern += pattern

    def _end(self) -> None:
        if self._begun:
            self._words.append(Word(self._plain, self._pattern if self._wild else ""))
        self._plain, self._pattern, self._wild, self._begun = "", "", False, False
