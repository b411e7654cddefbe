"""What holds at one line of a stage: variables, the configuration so far, the shell. Changed by line, without I/O."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tidegate.build.dockerfile import Dockerfile, Expander, Instruction, Problem
from tidegate.build.stages import StageNode
from tidegate.build.steps import Command, Configure, Mount, Step
from tidegate.oci.values import ContainerConfig

DEFAULT_SHELL = ("/bin/sh", "-c")
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PROXY_ARGUMENTS = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
"""Every RUN sees them where the build is given them, also in lower case, and without an ARG; no layer has them."""


@dataclass(slots=True)
class Scope:
    """The state between one instruction and the next. `variables` are the stage's ARGs; `env` its ENVs."""

    dockerfile: Dockerfile
    node: StageNode
    build_args: Mapping[str, str]
    known: Mapping[str, str]
    config: ContainerConfig
    variables: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    other: dict[str, Any] = field(default_factory=dict)
    shell: tuple[str, ...] = DEFAULT_SHELL
    command_set: bool = False
    steps: list[Step] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.env = dict(entry.partition("=")[::2] for entry in self.config.env)
        self.other = dict(self.config.other)
        shell = self.other.get("Shell")
        if isinstance(shell, list) and shell:
            self.shell = tuple(map(str, shell))

    @property
    def user(self) -> str:
        """USER as it stands; empty for root, however it is spelled."""
        name, _, group = self.config.user.partition(":")
        is_root = name in ("", "root", "0") and group in ("", "root", "0")
        return "" if is_root else self.config.user

    @property
    def folder(self) -> str:
        """The working directory, absolute."""
        return posixpath.normpath(posixpath.join("/", self.config.working_dir)).replace("//", "/")

    def fail(self, one: Instruction, message: str) -> None:
        """Note what is wrong at a line."""
        self.problems.append(Problem(one.line, message))

    def noted(self, one: Instruction) -> None:
        """The line changes the configuration alone."""
        self.steps.append(Configure(one.line, one.text))

    def change(self, **fields: Any) -> None:
        """Change fields of the configuration."""
        self.config = replace(self.config, **fields)

    def no_flags(self, one: Instruction) -> None:
        """Note every flag of an instruction that takes none."""
        for flag in one.flags:
            self.fail(one, f"{one.name} has no flag {flag}")

    def expander(self) -> Expander:
        """ENV wins over ARG, wherever either stands."""
        return Expander(self.dockerfile.escape, self.variables | self.env)

    def word(self, text: str) -> str:
        """One word, variables filled in. Raises ValueError."""
        return self.expander().word(text)

    def absolute(self, path: str) -> str:
        """`path` from the working directory, cleaned; a final slash is kept."""
        joined = posixpath.normpath(posixpath.join(self.folder, path)).replace("//", "/")
        is_folder = path.endswith(("/", "/.")) or path == "."
        return joined if not is_folder or joined == "/" else f"{joined}/"

    def command(self, argv: tuple[str, ...], mounts: Iterable[Mount] = (), network: str = "default") -> Command:
        """What runs `argv` here: every variable that the command sees is in it."""
        names = (*PROXY_ARGUMENTS, *map(str.lower, PROXY_ARGUMENTS))
        given = {name: self.build_args[name] for name in names if name in self.build_args}
        environment = {"PATH": DEFAULT_PATH} | given | self.variables | self.env
        pairs = tuple(f"{name}={value}" for name, value in environment.items())
        return Command(argv, self.folder, self.user, pairs, tuple(mounts), network)

    def finished(self) -> ContainerConfig:
        """The configuration with all that stands beside it."""
        env = tuple(f"{name}={value}" for name, value in self.env.items())
        return replace(self.config, env=env, other=self.other)
