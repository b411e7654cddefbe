"""From a stage's instructions to what is to be done: steps that change files, and the image's configuration. Pure.

Follows the Dockerfile reference of BuildKit. Every fault of a file is found in one pass; what the native builder can't
do is a fault here too, at its line, with what would be needed.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.build.dockerfile import Dockerfile, Expander, Instruction, Problem, Stage
from tidegate.build.pip import NATIVE, NotNative, PipInstall, PipRun, parse_exec, parse_shell, with_settings
from tidegate.kinds.duration import parse as parse_duration
from tidegate.kinds.platform import Platform
from tidegate.oci.values import ContainerConfig

_DEFAULT_SHELL = ("/bin/sh", "-c")
_SHELLS = re.compile(r"(?:/usr)?/bin/(?:sh|bash|dash|ash)", re.ASCII)
_PORT = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/(tcp|udp|sctp))?", re.ASCII | re.IGNORECASE)
_MODE = re.compile(r"[0-7]{3,4}", re.ASCII)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_URL = re.compile(r"(?:https?|ftp|git|ssh)://|git@", re.IGNORECASE)


@frozen
class Copy:
    """Files of the context that come into the image. `destination` is absolute; a final slash says "a directory"."""

    line: int
    text: str
    sources: tuple[str, ...]
    destination: str
    owner: str = ""
    mode: int | None = None
    adds: bool = False


@frozen
class Install:
    """Wheels that come into the image; `folder` is what relative paths are relative to."""

    line: int
    text: str
    folder: str
    installs: tuple[PipInstall, ...]


@frozen
class MakeDirectory:
    """A directory that is to be there, with its parents; `owner` is the user it belongs to."""

    line: int
    text: str
    path: str
    owner: str = ""


@frozen
class Configure:
    """A line that changes the configuration alone; it stands in the history."""

    line: int
    text: str


Step = Copy | Install | MakeDirectory | Configure


@frozen
class Plan:
    """What a stage comes to for one platform. With `problems` it must not be carried out."""

    steps: tuple[Step, ...]
    config: ContainerConfig
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


def choose_stage(dockerfile: Dockerfile, target: str | None) -> Stage:
    """The stage to build: the one of that name or number, else the last. Raises InvalidInput."""
    if target is None:
        return dockerfile.stages[-1]
    for number, stage in enumerate(dockerfile.stages):
        if target.lower() == stage.name or target == str(number):
            return stage
    raise InvalidInput(f"{dockerfile.file} has no stage {target!r}")


def base_name(dockerfile: Dockerfile, stage: Stage, build_args: Mapping[str, str]) -> str:
    """What the stage's FROM names, with the ARGs before it filled in. Raises ValueError."""
    return Expander(dockerfile.escape, global_arguments(dockerfile, build_args)).word(stage.base)


def global_arguments(dockerfile: Dockerfile, build_args: Mapping[str, str]) -> dict[str, str]:
    """The ARGs before the first FROM, with what the build sets them to. Raises ValueError."""
    values: dict[str, str] = {}
    for instruction in dockerfile.arguments:
        for word in instruction.arguments:
            name, equals, default = word.partition("=")
            if name in build_args:
                values[name] = build_args[name]
            elif equals:
                values[name] = Expander(dockerfile.escape, values).word(default)
    return values


def platform_arguments(platform: Platform, builder: Platform) -> dict[str, str]:
    """The ARGs that BuildKit knows by itself; a stage has them where it says `ARG NAME`."""
    values: dict[str, str] = {}
    for prefix, one in (("TARGET", platform), ("BUILD", builder)):
        values |= {f"{prefix}PLATFORM": str(one), f"{prefix}OS": one.os, f"{prefix}ARCH": one.architecture}
        values[f"{prefix}VARIANT"] = one.variant
    return values


def plan(
    dockerfile: Dockerfile,
    stage: Stage,
    base: ContainerConfig,
    build_args: Mapping[str, str],
    platform: Platform,
    builder: Platform,
) -> Plan:
    """What `stage` on top of `base` comes to for `platform`. Never raises: what is wrong is in `problems`."""
    planner = _Planner(dockerfile, base, build_args, platform_arguments(platform, builder))
    for instruction in stage.instructions:
        planner.take(instruction)
    return planner.result()


@dataclass(slots=True)
class _Planner:
    """The state between one instruction and the next."""

    dockerfile: Dockerfile
    base: ContainerConfig
    build_args: Mapping[str, str]
    known: Mapping[str, str]
    steps: list[Step] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    config: ContainerConfig = field(default_factory=ContainerConfig)
    shell: tuple[str, ...] = _DEFAULT_SHELL
    other: dict[str, Any] = field(default_factory=dict)
    command_set: bool = False

    def __post_init__(self) -> None:
        self.config = self.base
        self.env = dict(entry.partition("=")[::2] for entry in self.base.env)
        self.other = dict(self.base.other)
        shell = self.other.get("Shell")
        if isinstance(shell, list) and shell:
            self.shell = tuple(map(str, shell))

    def take(self, one: Instruction) -> None:
        if one.heredoc:
            self.fail(one, f"{one.name} with a heredoc (<<) is not built natively yet")
            return
        method: Callable[[Instruction], None] | None = getattr(self, f"_{one.name.lower()}", None)
        if method is None:
            self.fail(one, f"{one.name} is not built natively yet")
            return
        try:
            method(one)
        except ValueError as error:
            self.fail(one, str(error))

    def result(self) -> Plan:
        config = replace(
            self.config, env=tuple(f"{name}={value}" for name, value in self.env.items()), other=self.other
        )
        return Plan(tuple(self.steps), config, tuple(self.problems), tuple(self.notes))

    def fail(self, one: Instruction, message: str) -> None:
        self.problems.append(Problem(one.line, message))

    def expander(self) -> Expander:
        """ENV wins over ARG, wherever either stands."""
        return Expander(self.dockerfile.escape, self.variables | self.env)

    def word(self, text: str) -> str:
        return self.expander().word(text)

    def noted(self, one: Instruction) -> None:
        self.steps.append(Configure(one.line, one.text))

    def no_flags(self, one: Instruction) -> None:
        for flag in one.flags:
            self.fail(one, f"{one.name} has no flag {flag}")

    def absolute(self, path: str) -> str:
        """`path` from the working directory, cleaned; a final slash is kept."""
        joined = posixpath.normpath(posixpath.join("/", self.config.working_dir, path)).replace("//", "/")
        is_folder = path.endswith(("/", "/.")) or path == "."
        return joined if not is_folder or joined == "/" else f"{joined}/"

    def _arg(self, one: Instruction) -> None:
        self.no_flags(one)
        defaults = dict(self.known) | global_arguments(self.dockerfile, self.build_args)
        for word in one.arguments:
            name, equals, default = word.partition("=")
            if not _NAME.fullmatch(name):
                raise ValueError(f"ARG {name!r} is no name of a variable")
            if name in self.build_args:
                self.variables[name] = self.build_args[name]
            elif equals:
                self.variables[name] = self.word(default)
            elif name in defaults:
                self.variables[name] = defaults[name]
        self.noted(one)

    def _pairs(self, one: Instruction) -> dict[str, str]:
        self.no_flags(one)
        if not one.arguments:
            raise ValueError(f"{one.name} needs a name and a value")
        names, values = one.arguments[::3], one.arguments[1::3]
        expander = self.expander()  # all pairs of a line see the values before it
        return {expander.word(name): expander.word(value) for name, value in zip(names, values, strict=True)}

    def _env(self, one: Instruction) -> None:
        pairs = self._pairs(one)
        if "" in pairs:
            raise ValueError("ENV needs a name before the =")
        self.env |= pairs
        self.noted(one)

    def _label(self, one: Instruction) -> None:
        self.config = replace(self.config, labels=dict(self.config.labels) | self._pairs(one))
        self.noted(one)

    def _workdir(self, one: Instruction) -> None:
        self.no_flags(one)
        path = self.word(" ".join(one.arguments))
        if not path:
            raise ValueError("WORKDIR needs a path")
        self.config = replace(self.config, working_dir=self.absolute(path).rstrip("/") or "/")
        self.steps.append(MakeDirectory(one.line, one.text, self.config.working_dir, self.config.user))

    def _user(self, one: Instruction) -> None:
        self.no_flags(one)
        user = self.word(" ".join(one.arguments))
        if not user:
            raise ValueError("USER needs a user")
        self.config = replace(self.config, user=user)
        self.noted(one)

    def _expose(self, one: Instruction) -> None:
        self.no_flags(one)
        ports = set(self.config.exposed_ports)
        for word in [value for text in one.arguments for value in self.expander().words(text)]:
            match = _PORT.fullmatch(word)
            first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
            if match is None or not 1 <= first <= last <= 65535:
                raise ValueError(f"EXPOSE {word!r} is no port")
            ports |= {f"{port}/{(match[3] or 'tcp').lower()}" for port in range(first, last + 1)}
        self.config = replace(self.config, exposed_ports=tuple(sorted(ports)))
        self.noted(one)

    def _volume(self, one: Instruction) -> None:
        self.no_flags(one)
        volumes = [self.word(text) for text in one.arguments]
        if not volumes or "" in volumes:
            raise ValueError("VOLUME needs a path")
        self.config = replace(self.config, volumes=tuple(sorted({*self.config.volumes, *volumes})))
        self.noted(one)

    def _stopsignal(self, one: Instruction) -> None:
        self.no_flags(one)
        signal = self.word(" ".join(one.arguments))
        if not re.fullmatch(r"(?:SIG)?[A-Z0-9+-]+", signal):
            raise ValueError(f"STOPSIGNAL {signal!r} is no signal")
        self.config = replace(self.config, stop_signal=signal)
        self.noted(one)

    def _maintainer(self, one: Instruction) -> None:
        self.no_flags(one)
        self.config = replace(self.config, labels=dict(self.config.labels) | {"maintainer": " ".join(one.arguments)})
        self.noted(one)

    def _shell(self, one: Instruction) -> None:
        self.no_flags(one)
        if not one.is_json or not one.arguments:
            raise ValueError('SHELL takes a JSON list: SHELL ["/bin/bash", "-c"]')
        self.shell = one.arguments
        self.other["Shell"] = list(one.arguments)
        self.noted(one)

    def _argv(self, one: Instruction) -> tuple[str, ...]:
        if one.is_json:
            return one.arguments
        return (*self.shell, *one.arguments) if one.arguments else ()

    def _cmd(self, one: Instruction) -> None:
        self.no_flags(one)
        self.config = replace(self.config, cmd=self._argv(one))
        self.command_set = True
        self.noted(one)

    def _entrypoint(self, one: Instruction) -> None:
        """A CMD of the base belonged to the base's ENTRYPOINT, and goes with it."""
        self.no_flags(one)
        cmd = self.config.cmd if self.command_set else ()
        self.config = replace(self.config, entrypoint=self._argv(one), cmd=cmd)
        self.noted(one)

    def _healthcheck(self, one: Instruction) -> None:
        kind, *command = one.arguments or ("",)
        if kind.upper() == "NONE":
            self.no_flags(one)
            self.other["Healthcheck"] = {"Test": ["NONE"]}
        elif kind.upper() == "CMD" and command:
            test = ["CMD", *command] if one.is_json else ["CMD-SHELL", *command]
            self.other["Healthcheck"] = {"Test": test} | _health_flags(one.flags)
        else:
            raise ValueError("HEALTHCHECK takes NONE, or CMD and a command")
        self.noted(one)

    def _copy(self, one: Instruction) -> None:
        owner, mode = "", None
        for flag in one.flags:
            name, _, value = flag.partition("=")
            if name == "--chown":
                owner = self.word(value)
            elif name == "--chmod":
                mode = self._mode_of(value)
            elif name == "--from":
                raise ValueError(f"{one.name} --from another stage or image is not built natively yet")
            elif name != "--link":
                raise ValueError(f"{one.name} {name} is not built natively yet")
        words = [self.word(text) for text in one.arguments]
        if len(words) < 2:
            raise ValueError(f"{one.name} needs a source and a destination")
        *sources, destination = words
        self._check_sources(one, sources, destination)
        target = self.absolute(destination)
        self.steps.append(Copy(one.line, one.text, tuple(sources), target, owner, mode, one.name == "ADD"))

    _add = _copy

    def _mode_of(self, value: str) -> int:
        text = self.word(value)
        if not _MODE.fullmatch(text):
            raise ValueError(f"--chmod={text} is not understood natively; write an octal mode such as 0644")
        return int(text, 8)

    def _check_sources(self, one: Instruction, sources: list[str], destination: str) -> None:
        if "" in sources or not destination:
            raise ValueError(f"{one.name} has an empty path")
        for source in sources:
            if one.name == "ADD" and _URL.match(source):
                raise ValueError("ADD of a URL is not built natively yet")
            if ".." in posixpath.normpath(source.lstrip("/")).split("/"):
                raise ValueError(f"{one.name} {source} leads out of the context")
        if len(sources) > 1 and not destination.endswith(("/", "/.")) and destination != ".":
            raise ValueError(f"{one.name} of several sources needs a destination that ends with /")

    def _run(self, one: Instruction) -> None:
        for flag in one.flags:
            if not flag.startswith("--mount=type=cache,") and flag != "--network=default":
                raise ValueError(f"RUN {flag} is not built natively")
        try:
            run = with_settings(self._pip_run(one), self.variables | self.env)
        except NotNative as why:
            raise ValueError(f"RUN can't be built natively: {why}") from why
        if run.installs and self.config.user not in ("", "root", "0", "0:0", "root:root"):
            message = f"pip install as the user {self.config.user} would go to that user's home; put it before USER"
            raise ValueError(f"RUN can't be built natively: {message}")
        self.notes += [f"line {one.line}: {note}" for note in run.notes]
        if run.installs:
            self.steps.append(Install(one.line, one.text, self.config.working_dir or "/", run.installs))
        else:
            self.noted(one)

    def _pip_run(self, one: Instruction) -> PipRun:
        if one.is_json:
            return parse_exec(one.arguments)
        if len(self.shell) != 2 or not _SHELLS.fullmatch(self.shell[0]) or "c" not in self.shell[1]:
            raise NotNative(f"the shell {' '.join(self.shell)} must be run; {NATIVE}")
        return parse_shell(" ".join(one.arguments), self.expander().words)


_HEALTH_TIMES = {
    "--interval": "Interval", "--timeout": "Timeout", "--start-period": "StartPeriod",
    "--start-interval": "StartInterval",
}  # fmt: skip


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
