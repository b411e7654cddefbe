"""How a `run:` script is started: GitHub's shells and custom ones, as argv. Starts nothing itself."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from tidegate.base.errors import InvalidInput, Where
from tidegate.base.frozen import frozen
from tidegate.workflow.model import RunDefaults, Step
from tidegate.workflow.resolve import Scope, text_value

_KNOWN = {
    None: ("bash", "-e", "{0}"),
    "bash": ("bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "{0}"),
    "sh": ("sh", "-e", "{0}"),
    "python": ("python", "{0}"),
    "pwsh": ("pwsh", "-command", ". '{0}'"),
}
_SUFFIXES = {"python": ".py", "pwsh": ".ps1"}


@frozen
class Shell:
    """A shell: its command, `{0}` standing for the script's file, and the suffix that this file must have."""

    command: tuple[str, ...]
    suffix: str = ".sh"

    def argv(self, script: str) -> list[str]:
        """The command that runs the script at a path."""
        return [part.replace("{0}", script) for part in self.command]


def shell_named(name: str | None, where: Where | None = None) -> Shell:
    """The shell of a name, or of a command with `{0}` in it; None is the default. Raises InvalidInput."""
    if name in _KNOWN:
        return Shell(_KNOWN[name], _SUFFIXES.get(name or "", ".sh"))
    if name in ("cmd", "powershell"):
        raise InvalidInput(f"the shell {name!r} exists on Windows only", where=where, remedy="use bash, sh or pwsh")
    try:
        command = tuple(shlex.split(name or ""))
    except ValueError as error:
        raise InvalidInput(f"the shell {name!r} cannot be read: {error}", where=where) from error
    if not command or not any("{0}" in part for part in command[1:]):
        raise InvalidInput(
            f"the shell {name!r} is not known here",
            where=where,
            remedy="use bash, sh, python or pwsh, or a command with {0} where the script's file stands",
        )
    return Shell(command, "")


def shell_of(step: Step, defaults_of: Sequence[RunDefaults], scope: Scope, unnamed: str | None = None) -> Shell:
    """The shell of a `run` step: its own, else the first that the defaults name (the job's, then the workflow's), else
    the one that `unnamed` names.
    """
    if step.shell is not None:
        return shell_named(step.shell, step.where)
    if step.shell_template is not None:
        return shell_named(text_value(step.shell_template, scope), step.where)
    for defaults in defaults_of:
        if defaults.shell is not None:
            return shell_named(text_value(defaults.shell, scope), defaults.shell.where)
    return shell_named(unnamed)


def working_directory_of(step: Step, defaults_of: Sequence[RunDefaults], scope: Scope) -> str:
    """The folder of a `run` step, relative to the workspace: its own, else the defaults', else the workspace (``)."""
    for scalar in (step.working_directory, *(defaults.working_directory for defaults in defaults_of)):
        if scalar is not None:
            return text_value(scalar, scope)
    return ""
