"""Workflow commands in a step's output (`::error file=a.py::text`, `##[group]title`), by the runner's rules.

Reads lines one by one and says what each means; whoever runs the step does it. Nothing is acted on here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TypeAlias

from tidegate.base.frozen import frozen

ANNOTATIONS = ("error", "warning", "notice")
_NAMES = frozenset(
    (*ANNOTATIONS, "set-output", "save-state", "add-mask", "debug", "group", "endgroup", "echo", "stop-commands",
     "set-env", "add-path", "add-matcher", "remove-matcher")
)  # fmt: skip
_OLD_ESCAPES = (("%3B", ";"), ("%0D", "\r"), ("%0A", "\n"), ("%5D", "]"), ("%25", "%"))
_DATA_ESCAPES = (("%0D", "\r"), ("%0A", "\n"), ("%25", "%"))
_PROPERTY_ESCAPES = (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%"))


@frozen
class Command:
    """A command as written: its name in lower case, its properties and its data."""

    name: str
    properties: Mapping[str, str]
    data: str


@frozen
class Text:
    """A plain line of output."""

    line: str


@frozen
class SetOutput:
    """`::set-output name=NAME::VALUE`, deprecated but working."""

    name: str
    value: str


@frozen
class SaveState:
    """`::save-state name=NAME::VALUE`, deprecated but working."""

    name: str
    value: str


@frozen
class AddMask:
    """`::add-mask::VALUE`: mask it, and never show the line itself."""

    value: str


@frozen
class Annotation:
    """`::error::`, `::warning::` or `::notice::`; `properties` may bring file, line, endLine, col, endColumn, title."""

    level: str
    message: str
    properties: Mapping[str, str] = field(default_factory=dict)


@frozen
class Group:
    """The start of a foldable group of lines."""

    title: str


@frozen
class EndGroup:
    """The end of a group."""


@frozen
class Debug:
    """A line that is shown only where debugging is on."""

    message: str


@frozen
class Echo:
    """Whether commands are shown in the log from now on."""

    on: bool


@frozen
class Hidden:
    """A line that was meant for the reader of commands only: stop-commands and its token."""

    line: str


@frozen
class Refused:
    """A command that the runner refuses; the step fails with this message."""

    message: str


Meaning: TypeAlias = (
    Text | SetOutput | SaveState | AddMask | Annotation | Group | EndGroup | Debug | Echo | Hidden | Refused
)


def parse_command(line: str) -> Command | None:
    """The command that a line holds, known or not; None for plain text. `::name k=v,k=v::data` or `##[name k=v;]data`.

    The first form stands at the start of a line (after blanks), the second anywhere in it.
    """
    return _new_form(line.lstrip()) or _old_form(line)


def _new_form(line: str) -> Command | None:
    if not line.startswith("::"):
        return None
    head, closed, data = line[2:].partition("::")
    name, _, properties = head.partition(" ")
    if not closed or not name:
        return None
    return Command(name.lower(), _properties(properties, ",", _PROPERTY_ESCAPES), _unescape(data, _DATA_ESCAPES))


def _old_form(line: str) -> Command | None:
    start = line.find("##[")
    end = line.find("]", start)
    if start < 0 or end < 0:
        return None
    name, _, properties = line[start + 3 : end].partition(" ")
    data = _unescape(line[end + 1 :], _OLD_ESCAPES)
    return Command(name.lower(), _properties(properties, ";", _OLD_ESCAPES), data) if name else None


def _properties(text: str, separator: str, escapes: tuple[tuple[str, str], ...]) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.strip().split(separator))
    return {name.strip(): _unescape(value, escapes) for name, _, value in pairs if name.strip() and value}


def _unescape(text: str, escapes: tuple[tuple[str, str], ...]) -> str:
    for escaped, plain in escapes:
        text = text.replace(escaped, plain)
    return text


class CommandReader:
    """Reads the output of one step. It remembers only whether commands are stopped, and by which token."""

    def __init__(self) -> None:
        self._token: str | None = None

    def acts_on(self, line: str) -> bool:
        """Whether a line, of which this may be the beginning only, is a command that counts."""
        command = parse_command(line) if self._token is None else None
        return command is not None and command.name in _NAMES

    def read(self, line: str) -> Meaning:
        """What a line (without its newline) means."""
        if "::" not in line and "##[" not in line:
            return Text(line)
        command = parse_command(line)
        if self._token is not None:
            if command is not None and command.name == self._token.lower() and line.lstrip().startswith("::"):
                self._token = None
                return Hidden(line)
            return Text(line)
        if command is None or command.name not in _NAMES:
            return Text(line)
        if command.name == "stop-commands":
            return self._stop(command.data, line)
        return _meaning(command)

    def _stop(self, token: str, line: str) -> Meaning:
        if not token.strip() or token.lower() in _NAMES:
            return Refused(f"::stop-commands:: needs a token of its own that is no command, not {token!r}")
        self._token = token
        return Hidden(line)


def _meaning(command: Command) -> Meaning:
    match command.name:
        case "set-output" | "save-state":
            return _named_value(command)
        case "add-mask":
            return AddMask(command.data) if command.data.strip() else _NOTHING_TO_MASK
        case "error" | "warning" | "notice":
            return Annotation(command.name, command.data, command.properties)
        case "group":
            return Group(command.data)
        case "endgroup":
            return EndGroup()
        case "debug":
            return Debug(command.data)
        case "echo":
            word = command.data.strip().lower()
            return Echo(word == "on") if word in ("on", "off") else Refused("::echo:: takes on or off")
        case "set-env" | "add-path":
            file = "GITHUB_ENV" if command.name == "set-env" else "GITHUB_PATH"
            return Refused(f"the command {command.name} is disabled: write to the file that ${file} names instead")
        case _:
            return Annotation("notice", f"{command.name} has no effect here: problem matchers are not supported")


# As the runner has it: scripts mask what may be empty.
_NOTHING_TO_MASK = Annotation("warning", "::add-mask:: has no value, so it hides nothing")


def _named_value(command: Command) -> Meaning:
    name = command.properties.get("name", "")
    if not name:
        return Refused(f"::{command.name}:: needs a name: ::{command.name} name=NAME::VALUE")
    return SetOutput(name, command.data) if command.name == "set-output" else SaveState(name, command.data)


def escape_data(text: str) -> str:
    """A text as the data of a command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
