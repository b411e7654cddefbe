"""Actions of other repositories as a job uses them: their files, laid into its folder from the commit that its run has
pinned. What an action says is read from that commit, not from the folder, where the job may write.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable

from tidegate.base.errors import NotFound
from tidegate.base.frozen import frozen
from tidegate.git.repository import Repository
from tidegate.runner.actions.check import borrowed
from tidegate.runner.actions.uses import action_file_problems, read_action
from tidegate.runner.folder import give_away
from tidegate.runner.layout import ACTIONS
from tidegate.runner.pins import Pin, Pins
from tidegate.runner.workbench import Workbench
from tidegate.workflow.action_file import ActionFile
from tidegate.workflow.elsewhere import Elsewhere
from tidegate.workflow.model import Step
from tidegate.workflow.problems import InvalidWorkflow

Open = Callable[[Pin], Repository]


@frozen
class UsedAction:
    """An action that a step uses, and its folder as the job sees it; `repository` and `ref` are empty for one of the
    workspace.
    """

    action: ActionFile
    path: str
    repository: str = ""
    ref: str = ""

    @property
    def variables(self) -> dict[str, str]:
        """What its programs find beside everything else."""
        if not self.repository:
            return {}
        return {"GITHUB_ACTION_REPOSITORY": self.repository, "GITHUB_ACTION_REF": self.ref}

    @property
    def name(self) -> str:
        """The value of GITHUB_ACTION where the step has no id."""
        return "__" + self.repository.replace("/", "_") if self.repository else "__self"


class BorrowedActions:
    """Those of one job. `open` gives the repository of a pin."""

    def __init__(self, bench: Workbench, open_pin: Open, pins: Pins):
        self._bench = bench
        self._open = open_pin
        self._pins = pins
        self._folders: dict[str, str] = {}
        self._known: dict[tuple[str, str], UsedAction] = {}

    async def prepare(self, steps: Iterable[Step]) -> None:
        """Lay everything that steps use, directly or not, into the job's folder before the first one runs. What an
        action of the workspace uses follows when that runs.
        """
        waiting, seen = list(steps), set[tuple[str, str]]()
        while waiting:
            step = waiting.pop(0)
            place = borrowed(step.uses)
            if place is not None and (place.key, place.path) not in seen:
                seen.add((place.key, place.path))
                waiting += (await self.used(step, place)).action.steps

    def prepared(self, step: Step) -> UsedAction | None:
        """The action of a step, if it is one of another repository and was laid in."""
        place = borrowed(step.uses)
        return self._known.get((place.key, place.path)) if place is not None else None

    async def used(self, step: Step, place: Elsewhere) -> UsedAction:
        """The action that a step uses. Raises NotFound where the run has not pinned it, InvalidWorkflow."""
        if (known := self._known.get((place.key, place.path))) is not None:
            return known
        pin = self._pins.get(place.key)
        if pin is None:
            raise NotFound(
                f"the action {step.uses!r} was not known when the run was planned",
                where=step.uses_where,
                remedy="let the commit itself have the action that uses it, or use it in a step of the workflow",
            )
        repository = self._open(pin)
        action = await asyncio.to_thread(_read, repository, pin, place)
        if problems := action_file_problems(action):
            raise InvalidWorkflow(tuple(problems))
        folder = await self._laid(repository, pin)
        path = f"{folder}/{place.path}".rstrip("/")
        found = self._known[place.key, place.path] = UsedAction(action, path, pin.repository, pin.ref)
        return found

    async def _laid(self, repository: Repository, pin: Pin) -> str:
        """The folder with the files of a pin, as the job sees it."""
        if (folder := self._folders.get(pin.key)) is not None:
            return folder
        bench = self._bench
        staged = bench.layout.staging / f"action-{secrets.token_hex(8)}"
        staged.mkdir(mode=0o755)
        await bench.say(f"Download action repository '{pin.repository}@{pin.ref}' (SHA:{pin.commit})")
        await repository.export(pin.commit, staged)
        await asyncio.to_thread(give_away, staged, bench.owner)
        above, _, name = f"{ACTIONS}/{pin.repository}/{pin.ref}".rpartition("/")
        self._folders[pin.key] = bench.layout.inside(bench.folder.take_in(staged, above, name))
        return self._folders[pin.key]


def _read(repository: Repository, pin: Pin, place: Elsewhere) -> ActionFile:
    with repository.files(pin.commit) as files:

        def read(path: str) -> bytes | None:
            try:
                return files.read(path)
            except NotFound:
                return None

        action = read_action(place, read)
    if action is None:
        raise NotFound(f"there is no action.yml in {place.path or 'the root'} of {place.key}")
    return action
