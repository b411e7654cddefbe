"""Reads `options` of a container: of what `docker create` takes, what stays inside of the container. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field

from tidegate.base.errors import InvalidInput, Where
from tidegate.base.frozen import frozen
from tidegate.kinds.duration import seconds

# Options that podman gets as they are; each has one value.
_PASSED = frozenset({"--hostname", "--label", "--shm-size", "--ulimit", "--tmpfs", "--cap-drop", "--cpus"})
_SWITCHES = frozenset({"--read-only", "--init", "--no-healthcheck"})
_OWN = frozenset({
    "--user", "--workdir", "--env", "--memory", "--pids-limit", "--cap-add", "--security-opt", "--name",
    "--network-alias", "--add-host", "--health-cmd", "--health-interval", "--health-timeout", "--health-retries",
    "--health-start-period", "--entrypoint",
})  # fmt: skip
_SHORT = {"-h": "--hostname", "-l": "--label", "-u": "--user", "-w": "--workdir", "-e": "--env", "-m": "--memory"}
# What an image may need and what reaches nothing outside of the container's own users.
_CAPABILITIES = frozenset({
    "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID",
    "SYS_CHROOT", "SYS_PTRACE",
})  # fmt: skip
_REFUSED = {
    "--privileged": "it gives the machine itself away",
    "--network": "a job has a network of its own",
    "--net": "a job has a network of its own",
    "--pid": "it shows processes of the machine",
    "--ipc": "it shares memory with the machine",
    "--uts": "it shares the machine's name",
    "--userns": "users of the container are never the machine's",
    "--cgroupns": "it shows the machine's groups of processes",
    "--cgroup-parent": "it takes the container out of its limits",
    "--device": "it gives a device of the machine away",
    "--gpus": "it gives devices of the machine away",
    "--volume": "write it under 'volumes'",
    "-v": "write it under 'volumes'",
    "--mount": "it reaches files of the machine",
    "--volumes-from": "it reaches files of other containers",
    "--publish": "write it under 'ports'",
    "-p": "write it under 'ports'",
    "--publish-all": "write the ports under 'ports'",
    "-P": "write the ports under 'ports'",
    "--env-file": "it names a file of the machine",
    "--label-file": "it names a file of the machine",
    "--cidfile": "it names a file of the machine",
    "--sysctl": "it changes the kernel's settings",
    "--restart": "a service that ends has failed",
    "--platform": "containers run on the machine's own platform",
}
_MEMORY = re.compile(r"(\d+)([bkmg]?)b?", re.IGNORECASE | re.ASCII)
_UNITS = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
LIMIT = 64 * 1024


@frozen
class Health:
    """How a container's health is told: a command, each time and between times in seconds."""

    command: tuple[str, ...]
    interval: float = 30.0
    timeout: float = 30.0
    start_period: float = 0.0
    retries: int = 3


@frozen
class Options:
    """`passed` goes to podman. `health` has the words given for it, by their names without `health-`; `names` are
    further names of the container. `memory` is in bytes, `pids` a number; None where nothing is said.
    """

    passed: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    health: Mapping[str, str] = field(default_factory=dict)
    no_health: bool = False
    user: str = ""
    workdir: str = ""
    entrypoint: str | None = None
    names: tuple[str, ...] = ()
    hosts: tuple[tuple[str, str], ...] = ()
    memory: int | None = None
    pids: int | None = None


def read_options(text: str, where: Where, *, service: bool) -> Options:
    """The options in `text`, written as for a shell. Raises InvalidInput with the name of what is not supported."""
    try:
        words = shlex.split(text) if len(text) <= LIMIT else []
    except ValueError as error:
        raise InvalidInput(f"'options' can't be read: {error}", where=where, remedy="close the quotes") from None
    found = list(_pairs(words, where))
    said = dict(found)
    if not service and "--entrypoint" in said:
        raise _unsupported("--entrypoint", "a job's container runs the steps", where)
    passed = [*_passed(found), *_security(found, where)]
    env = [value for name, value in found if name == "--env"]
    if wrong := next((value for value in env if "=" not in value), None):
        raise InvalidInput(f"--env {wrong} has no value", where=where, remedy="write it under 'env'")
    hosts = tuple(_host(value, where) for name, value in found if name == "--add-host")
    return Options(
        passed=tuple(passed),
        env=dict(value.partition("=")[::2] for value in env),
        health={name.removeprefix("--health-"): value for name, value in found if name.startswith("--health-")},
        no_health="--no-healthcheck" in said,
        user=said.get("--user", ""),
        workdir=said.get("--workdir", ""),
        entrypoint=said.get("--entrypoint"),
        names=tuple(value for name, value in found if name in ("--name", "--network-alias")),
        hosts=hosts,
        memory=_memory(said["--memory"], where) if "--memory" in said else None,
        pids=_number(said["--pids-limit"], "--pids-limit", where) if "--pids-limit" in said else None,
    )


def health_of(options: Options, image: Health | None, where: Where) -> Health | None:
    """The health check of a container: what the options say over what its image says. Raises InvalidInput."""
    words = options.health
    command = ("sh", "-c", words["cmd"]) if words.get("cmd") else image.command if image is not None else ()
    if options.no_health or not command or words.get("cmd") == "none":
        return None
    base = image or Health(command)
    return Health(
        command,
        _seconds(words, "interval", where, base.interval),
        _seconds(words, "timeout", where, base.timeout),
        _seconds(words, "start-period", where, base.start_period),
        _number(words["retries"], "--health-retries", where) if "retries" in words else base.retries,
    )


def _pairs(words: Sequence[str], where: Where) -> Iterator[tuple[str, str]]:
    """Each option with its value; a switch has the empty text."""
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=") if word.startswith("--") else (word[:2], word[2:], word[2:])
        if name in _REFUSED:
            raise _unsupported(name, _REFUSED[name], where)
        name = _SHORT.get(name, name)
        if name in _SWITCHES and value in ("", "true"):
            yield name, ""
        elif name not in _PASSED | _OWN:
            raise _unsupported(name, "only what stays inside of the container is", where)
        elif equals:
            yield name, value
        elif rest:
            yield name, rest.pop(0)
        else:
            raise InvalidInput(f"the option {name} has no value", where=where, remedy=f"write {name} VALUE")


def _passed(found: Sequence[tuple[str, str]]) -> Iterator[str]:
    for name, value in found:
        if name in _PASSED:
            yield f"{name}={value}"
        elif name in ("--read-only", "--init"):
            yield name


def _security(found: Sequence[tuple[str, str]], where: Where) -> Iterator[str]:
    for name, value in found:
        if name == "--cap-add":
            if value.upper().removeprefix("CAP_") not in _CAPABILITIES:
                raise _unsupported(f"--cap-add {value}", "it reaches beyond the container", where)
            yield f"--cap-add={value}"
        elif name == "--security-opt":
            if value not in ("no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"):
                raise _unsupported(f"--security-opt {value}", "it takes protection away", where)
            yield "--security-opt=no-new-privileges"


def _host(value: str, where: Where) -> tuple[str, str]:
    name, colon, address = value.partition(":")
    if not colon or not name or not re.fullmatch(r"[0-9a-fA-F.:]+", address):
        raise InvalidInput(f"--add-host {value} is not understood", where=where, remedy="write NAME:ADDRESS")
    return name, address


def _seconds(words: Mapping[str, str], name: str, where: Where, default: float) -> float:
    if name not in words:
        return default
    try:
        return seconds(words[name])
    except InvalidInput as error:
        raise InvalidInput(f"--health-{name}: {error.message}", where=where, remedy=error.remedy) from None


def _number(text: str, name: str, where: Where) -> int:
    if not re.fullmatch(r"[1-9]\d{0,6}", text, re.ASCII):
        raise InvalidInput(f"{name} {text} is no number from 1", where=where, remedy=f"write {name} 3")
    return int(text)


def _memory(text: str, where: Where) -> int:
    found = _MEMORY.fullmatch(text)
    if found is None:
        raise InvalidInput(f"--memory {text} is no size", where=where, remedy="write --memory 512m")
    return int(found[1]) * _UNITS[found[2].lower()]


def _unsupported(name: str, why: str, where: Where) -> InvalidInput:
    return InvalidInput(f"the option {name} is not supported: {why}", where=where, remedy="leave it out")
