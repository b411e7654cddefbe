"""Reads a shell script as far as its words can be told without running it: commands, with holes where only a run knows.
Pure. What is not understood becomes a hole, never nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from tidegate.base.frozen import frozen
from tidegate.lint.holes import ANY, DIGITS, HEX

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)(\+?)=(.*)", re.ASCII | re.DOTALL)
_KEYWORDS = frozenset(
    ("if", "then", "else", "elif", "fi", "while", "until", "do", "done", "esac", "{", "}", "!", "time", "exec", "sudo",
     "command", "env", "nohup")
)  # fmt: skip
_DECLARING = frozenset(("export", "local", "readonly", "declare", "typeset"))
_SETTING = frozenset(("read", "mapfile", "readarray", "getopts", "printf", "for", "select", "unset"))
_FREE = frozenset(("eval", "source", "."))
_OPENING = frozenset(("if", "while", "until", "for", "select", "case"))
_CLOSING = frozenset(("fi", "done", "esac"))
_LEAVING = frozenset(("exit", "return", "break", "continue"))


_FUNCTION = re.compile(r"\w\s*\(\)|^\s*function\b", re.MULTILINE)


@frozen
class Command:
    """A command's words, without redirections; `line` counts from 0; `writes` are the files that its output goes to.
    `perhaps` says that it may be passed over.
    """

    words: tuple[str, ...]
    line: int
    writes: tuple[str, ...] = ()
    perhaps: bool = False


@dataclass(slots=True)
class _Reader:
    """One pass over a script; `values` are the variables that are set so far."""

    text: str
    known: Mapping[str, str]
    values: dict[str, str] = field(default_factory=dict)
    place: int = 0
    depth: int = 0
    perhaps: bool = False
    joined: bool = False
    inner: list[str] = field(default_factory=list)

    def commands(self) -> Iterator[Command]:
        words: list[str] = []
        writes: list[str] = []
        line = 0
        self.perhaps = bool(_FUNCTION.search(self.text))
        while self.place < len(self.text):
            character = self.text[self.place]
            if character in " \t\r" or self.text.startswith("\\\n", self.place):
                self.place += 2 if character == "\\" else 1
            elif character in "#;\n|&)":
                yield from self._finished(words, writes, line)
                words, writes = [], []
                self.joined = self.text.startswith(("&&", "||"), self.place) or (self.joined and character in "\n&|")
                self._skip_separator(character)
            elif character in "<>":
                self._redirection(writes)
            elif character == "(":
                self.place += 1
            else:
                line = line if words else self.text.count("\n", 0, self.place)
                words.append(self._word())
        yield from self._finished(words, writes, line)

    def _skip_separator(self, character: str) -> None:
        if character == "#":
            end = self.text.find("\n", self.place)
            self.place = len(self.text) if end < 0 else end
        else:
            self.place += 2 if self.text.startswith(("&&", "||"), self.place) else 1

    def _finished(self, words: list[str], writes: list[str], line: int) -> Iterator[Command]:
        if not words:
            return
        while words and words[0] in _KEYWORDS:
            self.depth += (words[0] in _OPENING) - (words[0] in _CLOSING)
            words = words[1:]
        self.depth += bool(words and words[0] in _OPENING)
        uncertain = self.perhaps or self.joined or self.depth > 0
        self.joined = False
        while words and (found := _ASSIGNMENT.fullmatch(words[0])):
            self._assign(found[1], ANY if found[2] or uncertain else found[3])
            words = words[1:]
        if not words:
            return
        if words[0] in _DECLARING:
            for word in words[1:]:
                if found := _ASSIGNMENT.fullmatch(word):
                    self._assign(found[1], ANY if uncertain else found[3])
        elif words[0] in _SETTING:
            for word in words[1:]:
                if _NAME.fullmatch(word):
                    self.values[word] = ANY
        elif words[0] in _FREE:
            self.values = dict.fromkeys((*self.values, *self.known), ANY)
        self.perhaps = self.perhaps or (uncertain and words[0] in _LEAVING)
        yield Command(tuple(words), line, tuple(writes), uncertain)

    def _assign(self, name: str, value: str) -> None:
        """A variable that is set twice may be either: in branches both happen, in loops later ones come first."""
        before = self.values.get(name, self.known.get(name))
        self.values[name] = value if before in (None, value) else ANY

    def _redirection(self, writes: list[str]) -> None:
        operator = re.compile(r"<<<|<<-?|>>|>&|<&|&>|>\||[<>]").match(self.text, self.place)
        assert operator is not None
        self.place = operator.end()
        while self.text[self.place : self.place + 1] in (" ", "\t"):
            self.place += 1
        target = self._word()
        if operator[0] in ("<<", "<<-"):
            self._skip_document(target)
        elif operator[0].startswith(">"):
            writes.append(target)

    def _skip_document(self, word: str) -> None:
        """A here-document begins on the next line; it is left out, and what else is on this line is kept."""
        start = self.text.find("\n", self.place)
        if start < 0 or not word:
            return
        end = re.compile(rf"^[ \t]*{re.escape(word)}[ \t]*$", re.MULTILINE).search(self.text, start + 1)
        stop = end.end() if end else len(self.text)
        blank = "\n" * self.text.count("\n", start, stop)
        self.text = self.text[:start] + blank + self.text[stop:]

    def _word(self) -> str:
        parts: list[str] = []
        while self.place < len(self.text):
            character = self.text[self.place]
            if character in " \t\r\n;|&<>()":
                break
            if character == "'":
                end = self.text.find("'", self.place + 1)
                end = len(self.text) if end < 0 else end
                parts.append(self.text[self.place + 1 : end])
                self.place = end + 1
            elif character == '"':
                self.place += 1
                parts.append(self._quoted())
            elif character == "\\":
                parts.append(self.text[self.place + 1 : self.place + 2])
                self.place += 2
            elif character in "$`":
                parts.append(self._expansion())
            else:
                parts.append(ANY if character in "*?" and parts else character)
                self.place += 1
        return "".join(parts)

    def _quoted(self) -> str:
        parts: list[str] = []
        while self.place < len(self.text) and self.text[self.place] != '"':
            character = self.text[self.place]
            if character == "\\":
                following = self.text[self.place + 1 : self.place + 2]
                parts.append(following if following in '"\\$`' else "" if following == "\n" else f"\\{following}")
                self.place += 2
            elif character in "$`":
                parts.append(self._expansion())
            else:
                parts.append(character)
                self.place += 1
        self.place += 1
        return "".join(parts)

    def _expansion(self) -> str:
        """`$NAME`, `${…}`, `$(…)`, `$((…))` or a backtick's text; the place moves behind it."""
        start = self.place
        if self.text[start] == "`":
            end = self.text.find("`", start + 1)
            self.place = len(self.text) if end < 0 else end + 1
            return self._substituted(self.text[start + 1 : self.place - 1])
        if self.text.startswith("$(", start):
            self.place = _closing(self.text, start + 1, "(", ")")
            inner = self.text[start + 2 : self.place - 1]
            return ANY if inner.startswith("(") else self._substituted(inner)
        if self.text.startswith("${", start):
            self.place = _closing(self.text, start + 1, "{", "}")
            return self._parameter(self.text[start + 2 : self.place - 1])
        name = _NAME.match(self.text, start + 1)
        if name is None:
            self.place = start + 2
            return (
                ANY
                if self.text[start + 1 : start + 2] in "@*#?-$!0123456789"
                else "$" + self.text[start + 1 : start + 2]
            )
        self.place = name.end()
        return self._variable(name[0])

    def _substituted(self, inner: str) -> str:
        """What a command prints; the command itself is one of the script's."""
        self.inner.append(inner)
        return _output(inner)

    def _parameter(self, inner: str) -> str:
        name = _NAME.match(inner)
        if name is None:
            return ANY
        value, rest = self._variable(name[0]), inner[name.end() :]
        if not rest:
            return value
        if rest == ",,":
            return value.lower()
        if re.fullmatch(r":[0-9]*:[0-9]+", rest) and value == HEX:
            return HEX
        return ANY

    def _variable(self, name: str) -> str:
        return self.values.get(name, self.known.get(name, ANY))


def read_commands(script: str, known: Mapping[str, str]) -> list[Command]:
    """The commands of a script in order. `known` are the variables of its environment, with holes."""
    reader = _Reader(script, known)
    commands = list(reader.commands())
    several = {name: ANY for name, value in reader.values.items() if value == ANY}
    if several:
        reader = _Reader(script, {**known, **several})
        commands = list(reader.commands())
    for inner in reader.inner:
        line = script.count("\n", 0, max(script.find(inner), 0))
        for command in read_commands(inner, {**known, **reader.values}):
            commands.append(replace(command, line=line + command.line, perhaps=True))
    return commands


def _closing(text: str, place: int, opening: str, closing: str) -> int:
    """Behind the bracket that closes the one at `place`; quotes are looked into only for single ones."""
    depth = 0
    while place < len(text):
        if text[place] == "\\":
            place += 1
        elif text[place] == "'":
            end = text.find("'", place + 1)
            place = end if end >= 0 else place
        elif text[place] == opening:
            depth += 1
        elif text[place] == closing:
            depth -= 1
            if not depth:
                return place + 1
        place += 1
    return len(text) + 1


_OUTPUTS = (
    (re.compile(r"git rev-list --count(?: --?[\w=.-]+)* (?:HEAD|\w[\w./-]*)"), DIGITS),
    (re.compile(r"git rev-list (?:HEAD|--all)(?: --?[\w=.-]+)* --count"), DIGITS),
    (re.compile(r"git rev-parse (?:--short(?:=[0-9]+)? )?(?:HEAD|@|\"?\$\{?GITHUB_SHA\}?\"?)"), HEX),
    (re.compile(r"git (?:log|show) -(?:n ?)?1 --(?:pretty|format)=(?:format:)?['\"]?%[hH]['\"]?"), HEX),
    (re.compile(r"date (?:-u )?(?:-u)? ?['\"]?\+(?:%[YmdHMSsj])+['\"]?"), DIGITS),
)


def _output(command: str) -> str:
    """What a command prints, as far as its kind is sure: a count, a commit's id, a date in digits."""
    stripped = re.sub(r"\s+", " ", re.sub(r"2>\s*/dev/null", "", command)).strip()
    return next((hole for pattern, hole in _OUTPUTS if pattern.fullmatch(stripped)), ANY)
