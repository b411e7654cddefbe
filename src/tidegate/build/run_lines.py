"""RUN: as actions of ours where every command of it is understood, else as what must run, with the reason. Pure."""

from __future__ import annotations

import re

from tidegate.build.commands import Script, read_script, read_words
from tidegate.build.dockerfile import Instruction
from tidegate.build.native import NotNative
from tidegate.build.scope import Scope
from tidegate.build.stages import origin_of
from tidegate.build.steps import Command, Mount, NeedsShell, Run

_SHELLS = re.compile(r"(?:/usr)?/bin/(?:sh|bash|dash|ash)", re.ASCII)
_SHEBANG = re.compile(r"#! ?(?:/usr)?/bin/(?:env )?(?:sh|bash|dash|ash)(?: -[euxo]+)*\n")
_MOUNT_TYPES = ("bind", "cache", "secret", "ssh", "tmpfs")
_NETWORKS = ("default", "none", "host")


def run(scope: Scope, one: Instruction) -> None:
    """RUN. Raises ValueError where the line itself is wrong."""
    mounts, network = _flags(scope, one)
    command = scope.command(_argv(scope, one), mounts, network)
    try:
        _check_flags(command)
        found = _understood(scope, one, command)
    except NotNative as why:
        scope.steps.append(NeedsShell(one.line, one.text, str(why), command))
        return
    scope.notes += [f"line {one.line}: {note}" for note in found.notes]
    if found.actions:
        scope.steps.append(Run(one.line, one.text, found.actions, command))
    else:
        scope.noted(one)


def _flags(scope: Scope, one: Instruction) -> tuple[list[Mount], str]:
    mounts: list[Mount] = []
    network = "default"
    for flag in one.flags:
        name, _, value = flag.partition("=")
        if name == "--mount":
            mounts.append(_mount(scope, value))
        elif name == "--network" and value in _NETWORKS:
            network = value
        elif flag != "--security=sandbox":
            scope.fail(one, f"RUN {flag} is not built")
    return mounts, network


def _mount(scope: Scope, text: str) -> Mount:
    options = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        options[name.strip().lower()] = scope.word(value) if equals else "true"
    kind = options.pop("type", "bind")
    if kind not in _MOUNT_TYPES:
        raise ValueError(f"--mount: there is no type {kind!r}; it is one of {', '.join(_MOUNT_TYPES)}")
    origin = origin_of(scope.dockerfile, options["from"], scope.node.key.number) if options.get("from") else None
    mount = Mount(kind, options, origin)
    if kind in ("bind", "cache", "tmpfs") and not mount.target:
        raise ValueError(f"--mount=type={kind} needs a target")
    return mount


def _argv(scope: Scope, one: Instruction) -> tuple[str, ...]:
    if one.is_json:
        return one.arguments
    script = " ".join(one.arguments)
    if not script:
        raise ValueError("RUN needs a command")
    if not one.heredocs:
        return (*scope.shell, script)
    if is_script(one):
        return (*scope.shell, one.heredocs[0].content)
    documents = "".join(f"\n{each.content}{each.name}" for each in one.heredocs)
    return (*scope.shell, f"{script}{documents}\n")


def is_script(one: Instruction) -> bool:
    """Whether a heredoc is the whole RUN, and so the script itself."""
    return len(one.heredocs) == 1 and re.fullmatch(r"<<-?\s*\S+", " ".join(one.arguments).strip()) is not None


def _check_flags(command: Command) -> None:
    for mount in command.mounts:
        if mount.type != "cache":
            raise NotNative(f"--mount=type={mount.type} gives a command what no layer has")
    if command.network == "none":
        raise NotNative("--network=none is for a command that runs")


def _understood(scope: Scope, one: Instruction, command: Command) -> Script:
    variables = dict(entry.partition("=")[::2] for entry in command.environment)
    if not scope.user:
        variables.setdefault("HOME", "/root")
    if one.is_json:
        return read_words(one.arguments, variables, scope.folder)
    if len(scope.shell) < 2 or not _SHELLS.fullmatch(scope.shell[0]) or "c" not in scope.shell[-1]:
        raise NotNative(f"the shell {' '.join(scope.shell)} must be run")
    if not is_script(one):
        return read_script(" ".join(one.arguments), variables, scope.folder, one.heredocs)
    script = one.heredocs[0].content
    if script.startswith("#!") and not _SHEBANG.match(script):
        raise NotNative(f"{script.splitlines()[0][:100]} must be run")
    return read_script(script, variables, scope.folder)
