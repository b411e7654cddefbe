"""What a job's steps and actions work with: its place, its folder, its log, and the state that steps leave to others.

One for each job, thrown away with it. Whatever leaves through it (log, progress, summary) is masked here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tidegate.base.errors import Unavailable
from tidegate.base.frozen import frozen
from tidegate.base.masking import Masker
from tidegate.engine.clock import Clock
from tidegate.engine.ports import JobEvents
from tidegate.oci.credentials import Login
from tidegate.runner.folder import JobFolder
from tidegate.runner.layout import Layout
from tidegate.runner.place import Lines, Program, Running
from tidegate.runner.request import JobRequest, PushedImage
from tidegate.workflow.model import Condition

if TYPE_CHECKING:
    from tidegate.runner.containers.podman import Image, Mount
    from tidegate.runner.containers.wanted import Wanted

PROGRAM_TIMEOUT = 600.0
SYSTEM_FALLBACK = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""PATH in an image that says none."""


class Starter(Protocol):
    """The part of a Place that runs programs."""

    async def start(self, program: Program, lines: Lines) -> Running: ...


@frozen
class Inside:
    """The container in which a job's steps run, and what the image and the workflow say of its environment."""

    place: Starter
    env: Mapping[str, str]


class Images(Protocol):
    """Runs programs of images for single steps."""

    async def image(self, wanted: Wanted, /) -> Image: ...
    async def built(self, layout: Path, /) -> Image: ...
    async def run_image(self, image: Image, program: Program, mounts: Sequence[Mount], lines: Lines, /) -> int: ...


@dataclass(slots=True)
class Post:
    """What a step has still to do when all steps are over: its work, and the condition under which it is done. Its
    name is given by whoever runs the step.
    """

    condition: Condition
    work: Callable[[], Awaitable[None]]
    name: str = ""


@dataclass(slots=True)
class JobState:
    """What earlier steps leave to later ones."""

    env: dict[str, str] = field(default_factory=dict)
    path: list[str] = field(default_factory=list)
    logins: dict[str, Login] = field(default_factory=dict, repr=False)
    images: list[PushedImage] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    masked_lines: int = 0
    masked_characters: int = 0


class Workbench:
    """A job's tools. `variables` is what every program finds in its environment; `owner` owns the job's files;
    `limits_said` tells what its limits have done since it was asked last.
    """

    def __init__(
        self,
        *,
        request: JobRequest,
        layout: Layout,
        folder: JobFolder,
        place: Starter,
        masker: Masker,
        report: JobEvents,
        clock: Clock,
        github: Mapping[str, Any],
        variables: Mapping[str, str],
        owner: int,
        limits_said: Callable[[], list[str]] = list,
    ):
        self.request = request
        self.layout = layout
        self.folder = folder
        self.masker = masker
        self.clock = clock
        self.github = github
        self.owner = owner
        self.state = JobState()
        self.limits_said = limits_said
        self.inside: Inside | None = None
        self.images: Images | None = None
        self.abandoned = False
        self._place = place
        self._report = report
        self._variables = variables
        self._step = ""

    def at_step(self, identity: str) -> None:
        """Lines said from now on belong to this step."""
        self._step = identity

    async def say(self, *lines: str) -> None:
        """Add lines to the step's log; one text may hold several."""
        for text in lines:
            for line in text.splitlines() or ("",):
                await self._report.log(self._step, self.masker.mask(line))

    async def tell(self, line: str) -> None:
        """Say something in the log that is also for whoever waits for the run."""
        await self.say(line)
        await self._report.progress(self.masker.mask(line))

    async def summarise(self, text: str) -> None:
        """Add Markdown to the run's summary."""
        await self._report.summary(await asyncio.to_thread(self._masked, text))

    def _masked(self, text: str) -> str:
        return "\n".join(self.masker.mask(line) for line in text.split("\n"))

    async def shown(self, step: Mapping[str, Any]) -> None:
        """Pass a step's state on."""
        await self._report.step(step)

    def environment(self, said: Mapping[str, str] | None = None) -> dict[str, str]:
        """A program's environment: what the workflow says, and over it what no workflow can change."""
        merged = {"CI": "true", **self._variables, **(said or {})}
        merged |= {name: value for name, value in self._variables.items() if name not in _MAY_BE_SAID}
        merged["PATH"] = ":".join([*self.state.path, merged["PATH"]])
        return merged

    def environment_of_steps(self, said: Mapping[str, str]) -> dict[str, str]:
        """The environment of a step's own program: in the job's container, if it has one."""
        if self.inside is None:
            return self.environment(said)
        own = {name: value for name, value in self._variables.items() if name not in ("PATH", "USER", "LANG")}
        merged = {"CI": "true", **self.inside.env, **own, **said}
        merged |= {name: value for name, value in own.items() if name not in _MAY_BE_SAID}
        merged["PATH"] = ":".join([*self.state.path, merged["PATH"]])
        return merged

    async def run_step(self, program: Program, lines: Lines) -> int:
        """Run a step's own program to its end, in the job's container, if it has one."""
        return await self.run(program, lines, self.inside.place if self.inside is not None else None)

    async def run(self, program: Program, lines: Lines, place: Starter | None = None) -> int:
        """Run a program of the job's to its end; cancelled, it ends the program first, politely."""
        running = await (place or self._place).start(program, lines)
        try:
            return await running.wait()
        except asyncio.CancelledError:
            if not self.abandoned:
                await running.stop()
            raise

    async def tool(self, argv: Sequence[str], *, cwd: str | None = None, as_step: bool = False) -> tuple[int, str]:
        """Run a small program of the system's in the job's place (or, `as_step`, where its steps run); its exit code
        and the end of what it wrote. Unavailable where it takes longer than PROGRAM_TIMEOUT.
        """
        written: list[str] = []

        async def keep(lines: Sequence[str]) -> None:
            written.extend(lines)
            del written[:-_TOOL_LINES]

        env = self.environment_of_steps({}) if as_step else self.environment()
        program = Program(tuple(argv), env, cwd or self.layout.home)
        run = self.run_step if as_step else self.run
        try:
            async with asyncio.timeout(PROGRAM_TIMEOUT):
                code = await run(program, keep)
        except TimeoutError:
            raise Unavailable(f"{argv[0]} was ended in the job's place: it took over {PROGRAM_TIMEOUT:g} s") from None
        return code, "\n".join(written)

    async def must(self, argv: Sequence[str], *, cwd: str | None = None) -> None:
        """Run a small program of the system's that must succeed; Unavailable with its last words otherwise."""
        code, text = await self.tool(argv, cwd=cwd)
        if code:
            raise Unavailable(f"{argv[0]} ended with {code} in the job's place: {text.strip()}")


# A workflow may set these; everything else that the runner sets is its own.
_MAY_BE_SAID = ("PATH", "HOME", "LANG", "USER")
_TOOL_LINES = 50
