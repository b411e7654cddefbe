"""What a built-in action is: the inputs it knows, and a coroutine that works with a job's workbench."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Protocol

from tidegate.base.errors import InvalidInput, NotFound, Where
from tidegate.base.frozen import frozen
from tidegate.build.request import BuildRequest, BuildResult, RegistrySettings
from tidegate.git.repository import Repository
from tidegate.oci.auth import Endpoint
from tidegate.runner.artifacts import Artifacts
from tidegate.runner.caches import Caches
from tidegate.runner.pins import Pin
from tidegate.runner.workbench import Workbench


@frozen
class Inputs:
    """The inputs of an action. `known` have an effect, `accepted` have none here and do no harm, `refused` would have
    one that is missing here: a value other than the default given for it is an error. `secret` are never shown.
    """

    action: str
    known: Mapping[str, str] = field(default_factory=dict)
    accepted: frozenset[str] = frozenset()
    refused: Mapping[str, str] = field(default_factory=dict)
    secret: frozenset[str] = frozenset()

    @property
    def names(self) -> list[str]:
        """Every input that the real action has, as far as it is known here."""
        return sorted({*self.known, *self.accepted, *self.refused})


class Build(Protocol):
    """Builds and pushes an image, in a child process. `settings` carry the logins of this one build, `secrets` are what
    its lines may be given.
    """

    async def __call__(
        self,
        request: BuildRequest,
        settings: RegistrySettings,
        log: Callable[[str], None],
        /,
        *,
        secrets: Mapping[str, bytes] | None = None,
    ) -> BuildResult: ...


def no_pins(pin: Pin) -> Repository:
    """Where nothing of other repositories is kept."""
    raise NotFound(f"{pin.repository} is not here")


@frozen
class Services:
    """What built-in actions need of the home they run in.

    `repository` opens a hosted repository by `OWNER/NAME` (None where there is none). `build` makes images, with a
    folder `cache` that builds share, `bases` that stand in for names in FROM, and `endpoints`, by host, where this
    home's own registry answers: only a run's own token ever goes there. `mirrors` says for a host from which URL bases
    are pulled. `artifacts` and `caches` are None where there is no place for them. `may_read` says whether a
    token reads another repository of this home, `OWNER/NAME`. `pinned` opens the repository of a commit that a run
    takes from elsewhere.
    """

    repository: Callable[[str], Repository | None]
    build: Build
    cache: Path
    bases: Mapping[str, str] = field(default_factory=dict)
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    mirrors: Mapping[str, str] = field(default_factory=dict)
    may_read: Callable[[str, str], bool] = lambda token, name: False
    server_url: str = "https://github.com"
    artifacts: Artifacts | None = None
    caches: Caches | None = None
    pinned: Callable[[Pin], Repository] = no_pins


@frozen
class Call:
    """One use of an action: its inputs with defaults filled in (names in lower case), where it stands, and the
    variables that the workflow says for its step.
    """

    inputs: Mapping[str, str]
    bench: Workbench
    services: Services
    where: Where
    environment: Mapping[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """An input without blanks around it."""
        return self.inputs.get(name, "").strip()

    def flag(self, name: str) -> bool:
        """An input that is true or false, as @actions/core reads it. Raises InvalidInput."""
        value = self.text(name)
        if value in ("true", "True", "TRUE"):
            return True
        if value in ("false", "False", "FALSE", ""):
            return False
        raise InvalidInput(f"input {name!r} is {value!r}, not true or false", where=self.where)

    def lines(self, name: str) -> list[str]:
        """An input that is a list, one a line."""
        return [line.strip() for line in self.inputs.get(name, "").splitlines() if line.strip()]

    def items(self, name: str) -> list[str]:
        """An input that is a list, by lines and commas."""
        return [item.strip() for line in self.lines(name) for item in line.split(",") if item.strip()]


Outputs = Mapping[str, str]


class Action(Protocol):
    """A built-in action."""

    inputs: Inputs

    def run(self, call: Call) -> Awaitable[Outputs]:
        """Do it, and return its outputs. Raises TidegateError, whose text fails the step."""
        ...
