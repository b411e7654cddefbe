"""`python -m venv` and `uv venv`, read into an action. Pure."""

from __future__ import annotations

import re

from tidegate.build.actions import MakeEnvironment
from tidegate.build.file_commands import absolute
from tidegate.build.native import NotNative
from tidegate.build.options import read_options
from tidegate.build.shell import ShellCommand, Word

_PYTHON = re.compile(r"(?:.*/)?python(?:3(?:\.[0-9]+)?)?", re.ASCII)
_PATH = re.compile(r"/[A-Za-z0-9/._-]*", re.ASCII)


def read_venv_command(command: ShellCommand, folder: str) -> MakeEnvironment | None:
    """The virtual environment that a command makes; None for any other command. Raises NotNative."""
    words = command.words
    if _PYTHON.fullmatch(words[0].text) and command.texts[1:3] == ["-m", "venv"]:
        switches = {"--without-pip": "bare", "--system-site-packages": "system", "--symlinks": "", "--clear": "clear"}
        options = read_options("venv", words[3:], switches, {"--prompt": "prompt"})
        return _environment(command, options.operands, folder, options.has("system"), options.has("bare"),
                            options.value("prompt"))  # fmt: skip
    return None


def _environment(
    command: ShellCommand, operands: tuple[Word, ...], folder: str, system: bool, bare: bool, prompt: str
) -> MakeEnvironment:
    if len(operands) != 1 or operands[0].pattern:
        raise NotNative("venv of several folders must be run")
    path = absolute(folder, operands[0]).text.rstrip("/")
    if not _PATH.fullmatch(path) or ".." in path.split("/"):
        raise NotNative(f"a virtual environment in {path} must be run")
    return MakeEnvironment(path, command.texts[0], operands[0].text, system, bare, prompt)
