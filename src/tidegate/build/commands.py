"""Reads a RUN's script into actions, command by command; the first that is not understood makes it not native. Pure."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Mapping, Sequence

from tidegate.base.frozen import frozen
from tidegate.build.account_commands import read_account_command
from tidegate.build.actions import Action, EnterFolder, InstallWheels
from tidegate.build.apt import read_apt_command
from tidegate.build.dockerfile import Heredoc
from tidegate.build.file_commands import absolute, read_file_command, without_silence
from tidegate.build.native import NotNative
from tidegate.build.pip import PipInstall, read_pip_command
from tidegate.build.shell import ShellCommand, Variables, Word, parse_script
from tidegate.build.venv_commands import read_venv_command


@frozen
class Script:
    """What a RUN comes to: actions in order, and notes about what was left out, for the log."""

    actions: tuple[Action, ...]
    notes: tuple[str, ...] = ()


def read_script(text: str, variables: Mapping[str, str], folder: str, documents: Sequence[Heredoc] = ()) -> Script:
    """Read the shell form. `folder` is the working directory. Raises NotNative."""
    reader = _Reader(Variables(variables), folder)
    parse_script(text, reader.variables, documents, reader.take)
    return Script(tuple(reader.actions), tuple(reader.notes))


def read_words(words: Sequence[str], variables: Mapping[str, str], folder: str) -> Script:
    """Read the exec form, which no shell sees. Raises NotNative."""
    reader = _Reader(Variables(variables), folder)
    reader.take(ShellCommand(tuple(map(Word, words)), {}))
    return Script(tuple(reader.actions), tuple(reader.notes))


class _Reader:
    """The state between one command and the next: variables, the working directory."""

    def __init__(self, variables: Variables, folder: str):
        self.variables, self.folder = variables, folder
        self.actions: list[Action] = []
        self.notes: list[str] = []

    def take(self, command: ShellCommand) -> None:
        if not command.words:
            if command.redirects:
                raise NotNative("a redirection without a command must be run")
            return
        name = command.words[0].text
        builtin = _BUILTINS.get(name)
        if builtin is not None:
            builtin(self, without_silence(command))
            return
        found = read_file_command(command, self.folder)
        if found is None:
            found = self._program(without_silence(command))
        self.actions += found

    def _program(self, command: ShellCommand) -> list[Action]:
        if command.redirects:
            hint = "; put quotes around a requirement such as 'name>=1.0'" if "pip" in command.texts[0] else ""
            raise NotNative(f"what `{command.texts[0]}` says can't be sent to a file natively{hint}")
        accounts = read_account_command(command)
        if accounts is not None:
            return accounts
        packages = read_apt_command(command, self.notes)
        if packages is not None:
            return packages
        environment = read_venv_command(command, self.folder)
        if environment is not None:
            # What the image's own Python has bundled comes into it, as ensurepip does.
            pip = PipInstall(environments=(environment.path,), strict=True, bundled=True, no_deps=True)
            return [environment] if environment.bare else [environment, InstallWheels("/", pip)]
        if any(word.pattern for word in command.words):
            raise _must_run(command)
        settings = self.variables.values | dict(command.assignments)
        wheels = read_pip_command(command.texts, settings, self.notes)
        if wheels is None:
            raise _must_run(command)
        return [InstallWheels(self.folder, one) for one in wheels]


def _must_run(command: ShellCommand) -> NotNative:
    return NotNative(f"`{shlex.join(command.texts)[:200]}` must be run")


def _nothing(reader: _Reader, command: ShellCommand) -> None:
    """`true` and `:`."""


def _set(reader: _Reader, command: ShellCommand) -> None:
    for word in command.texts[1:]:
        if not re.fullmatch(r"-[euxo]+|pipefail", word):
            raise NotNative(f"the shell's `set {word}` must be run")
        reader.variables.strict = reader.variables.strict or "u" in word.removeprefix("-").replace("pipefail", "")


def _export(reader: _Reader, command: ShellCommand) -> None:
    for word in command.texts[1:]:
        name, equals, value = word.partition("=")
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise NotNative(f"the shell's `export {word}` must be run")
        if equals:
            reader.variables.values[name] = value


def _unset(reader: _Reader, command: ShellCommand) -> None:
    for name in command.texts[1:]:
        reader.variables.values.pop(name, None)


def _cd(reader: _Reader, command: ShellCommand) -> None:
    words = command.words[1:]
    if len(words) != 1 or words[0].pattern or words[0].text in ("-", ""):
        raise NotNative("the shell's `cd` without a plain folder must be run")
    folder = absolute(reader.folder, words[0])
    reader.folder = posixpath.normpath(folder.text)
    reader.actions.append(EnterFolder(folder))


def _source(reader: _Reader, command: ShellCommand) -> None:
    """A virtual environment's `activate`; any other file may do anything."""
    words = command.words[1:]
    if len(words) != 1 or words[0].pattern or not words[0].text.endswith("/bin/activate"):
        raise NotNative(f"the shell's `{shlex.join(command.texts)[:200]}` must be run")
    folder = posixpath.normpath(absolute(reader.folder, words[0]).text).removesuffix("/bin/activate")
    values = reader.variables.values
    values |= {"VIRTUAL_ENV": folder, "PATH": f"{folder}/bin:{values.get('PATH', '')}"}


_BUILTINS: dict[str, Callable[[_Reader, ShellCommand], None]] = {
    "true": _nothing, ":": _nothing, "set": _set, "export": _export, "unset": _unset, "cd": _cd, ".": _source,
    "source": _source,
}  # fmt: skip
