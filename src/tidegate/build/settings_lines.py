"""The instructions that change the image's configuration: ENV, LABEL, USER, CMD and their like. Pure.

Follows the Dockerfile reference of BuildKit. Each function reads one instruction into the scope; a ValueError says what
is wrong with it.
"""

from __future__ import annotations

import re

from tidegate.base.errors import InvalidInput
from tidegate.build.dockerfile import Instruction
from tidegate.build.scope import Scope
from tidegate.build.stages import global_arguments
from tidegate.build.steps import MakeDirectory
from tidegate.kinds.duration import parse as parse_duration

_PORT = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/(tcp|udp|sctp))?", re.ASCII | re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_SIGNAL = re.compile(r"(?:SIG)?[A-Z0-9+-]+")
_HEALTH_TIMES = {
    "--interval": "Interval", "--timeout": "Timeout", "--start-period": "StartPeriod",
    "--start-interval": "StartInterval",
}  # fmt: skip


def arg(scope: Scope, one: Instruction) -> None:
    """ARG: the build's value, else the default here, else the one before FROM, else the platform's."""
    scope.no_flags(one)
    defaults = dict(scope.known) | global_arguments(scope.dockerfile, scope.build_args, scope.known)
    for word in one.arguments:
        name, equals, default = word.partition("=")
        if not _NAME.fullmatch(name):
            raise ValueError(f"ARG {name!r} is no name of a variable")
        if name in scope.build_args:
            scope.variables[name] = scope.build_args[name]
        elif equals:
            scope.variables[name] = scope.word(default)
        elif name in defaults:
            scope.variables[name] = defaults[name]
    scope.noted(one)


def _pairs(scope: Scope, one: Instruction) -> dict[str, str]:
    scope.no_flags(one)
    if not one.arguments:
        raise ValueError(f"{one.name} needs a name and a value")
    names, values = one.arguments[::3], one.arguments[1::3]
    expander = scope.expander()  # all pairs of a line see the values before it
    return {expander.word(name): expander.word(value) for name, value in zip(names, values, strict=True)}


def env(scope: Scope, one: Instruction) -> None:
    """ENV: values for the lines that follow, and for the container."""
    pairs = _pairs(scope, one)
    if "" in pairs:
        raise ValueError("ENV needs a name before the =")
    scope.env |= pairs
    scope.noted(one)


def label(scope: Scope, one: Instruction) -> None:
    """LABEL."""
    scope.change(labels=dict(scope.config.labels) | _pairs(scope, one))
    scope.noted(one)


def workdir(scope: Scope, one: Instruction) -> None:
    """WORKDIR: from the one before; it is made where it is missing."""
    scope.no_flags(one)
    path = scope.word(" ".join(one.arguments))
    if not path:
        raise ValueError("WORKDIR needs a path")
    scope.change(working_dir=scope.absolute(path).rstrip("/") or "/")
    scope.steps.append(MakeDirectory(one.line, one.text, scope.config.working_dir, scope.config.user))


def user(scope: Scope, one: Instruction) -> None:
    """USER."""
    scope.no_flags(one)
    name = scope.word(" ".join(one.arguments))
    if not name:
        raise ValueError("USER needs a user")
    scope.change(user=name)
    scope.noted(one)


def expose(scope: Scope, one: Instruction) -> None:
    """EXPOSE: ports and ranges, of tcp where nothing else is said."""
    scope.no_flags(one)
    ports = set(scope.config.exposed_ports)
    for word in [value for text in one.arguments for value in scope.expander().words(text)]:
        match = _PORT.fullmatch(word)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if match is None or not 1 <= first <= last <= 65535:
            raise ValueError(f"EXPOSE {word!r} is no port")
        ports |= {f"{port}/{(match[3] or 'tcp').lower()}" for port in range(first, last + 1)}
    scope.change(exposed_ports=tuple(sorted(ports)))
    scope.noted(one)


def volume(scope: Scope, one: Instruction) -> None:
    """VOLUME."""
    scope.no_flags(one)
    volumes = [scope.word(text) for text in one.arguments]
    if not volumes or "" in volumes:
        raise ValueError("VOLUME needs a path")
    scope.change(volumes=tuple(sorted({*scope.config.volumes, *volumes})))
    scope.noted(one)


def stopsignal(scope: Scope, one: Instruction) -> None:
    """STOPSIGNAL."""
    scope.no_flags(one)
    signal = scope.word(" ".join(one.arguments))
    if not _SIGNAL.fullmatch(signal):
        raise ValueError(f"STOPSIGNAL {signal!r} is no signal")
    scope.change(stop_signal=signal)
    scope.noted(one)


def maintainer(scope: Scope, one: Instruction) -> None:
    """MAINTAINER, which was given up for a label of that name."""
    scope.no_flags(one)
    scope.change(labels=dict(scope.config.labels) | {"maintainer": " ".join(one.arguments)})
    scope.noted(one)


def shell(scope: Scope, one: Instruction) -> None:
    """SHELL: for the shell forms that follow, in stages built upon this one too."""
    scope.no_flags(one)
    if not one.is_json or not one.arguments:
        raise ValueError('SHELL takes a JSON list: SHELL ["/bin/bash", "-c"]')
    scope.shell = one.arguments
    scope.other["Shell"] = list(one.arguments)
    scope.noted(one)


def _argv(scope: Scope, one: Instruction) -> tuple[str, ...]:
    if one.is_json:
        return one.arguments
    return (*scope.shell, *one.arguments) if one.arguments else ()


def cmd(scope: Scope, one: Instruction) -> None:
    """CMD."""
    scope.no_flags(one)
    scope.change(cmd=_argv(scope, one))
    scope.command_set = True
    scope.noted(one)


def entrypoint(scope: Scope, one: Instruction) -> None:
    """ENTRYPOINT. A CMD of the base belonged to the base's ENTRYPOINT, and goes with it."""
    scope.no_flags(one)
    scope.change(entrypoint=_argv(scope, one), cmd=scope.config.cmd if scope.command_set else ())
    scope.noted(one)


def healthcheck(scope: Scope, one: Instruction) -> None:
    """HEALTHCHECK: NONE, or CMD with its times."""
    kind, *command = one.arguments or ("",)
    if kind.upper() == "NONE":
        scope.no_flags(one)
        scope.other["Healthcheck"] = {"Test": ["NONE"]}
    elif kind.upper() == "CMD" and command:
        test = ["CMD", *command] if one.is_json else ["CMD-SHELL", *command]
        scope.other["Healthcheck"] = {"Test": test} | _health_flags(one.flags)
    else:
        raise ValueError("HEALTHCHECK takes NONE, or CMD and a command")
    scope.noted(one)


def _health_flags(flags: tuple[str, ...]) -> dict[str, int]:
    values: dict[str, int] = {}
    for flag in flags:
        name, _, text = flag.partition("=")
        if name == "--retries" and text.isascii() and text.isdigit():
            values["Retries"] = int(text)
        elif name in _HEALTH_TIMES:
            try:
                values[_HEALTH_TIMES[name]] = parse_duration(text)
            except InvalidInput as error:
                raise ValueError(f"HEALTHCHECK {flag}: {error.message}") from error
        else:
            raise ValueError(f"HEALTHCHECK has no flag {flag}")
    return values


def onbuild(scope: Scope, one: Instruction) -> None:
    """ONBUILD: kept for whoever builds upon this image."""
    scope.no_flags(one)
    text = " ".join(one.arguments).strip()
    name = text.partition(" ")[0].upper()
    if not text or name in ("ONBUILD", "FROM", "MAINTAINER"):
        raise ValueError(f"ONBUILD {name} is not allowed" if text else "ONBUILD needs an instruction")
    scope.other["OnBuild"] = [*scope.other.get("OnBuild", ()), text]
    scope.noted(one)
