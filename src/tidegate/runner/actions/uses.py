"""The actions that workflows use, with those that these use in turn: of the commit itself and of other repositories.
Whatever of them can't run here is told before the run, each at its line. Pure.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from tidegate.base.errors import InvalidInput, TidegateError
from tidegate.runner.actions.check import borrowed, step_problems
from tidegate.runner.containers.check import Lack, image_steps
from tidegate.workflow.action_file import MOST_DEEP, NAMES, ActionFile, parse_action
from tidegate.workflow.elsewhere import Elsewhere, Lookup, Read, nothing_known
from tidegate.workflow.model import Step, Workflow
from tidegate.workflow.problems import InvalidWorkflow, Problem
from tidegate.workflow.source import Source


def is_local(uses: str) -> bool:
    """Whether a step uses an action of the workspace."""
    return uses.startswith(("./", ".\\"))


def folder_of(step: Step) -> str:
    """The folder of the workspace that `uses` names, relative to it. Raises InvalidInput where it lies outside."""
    folder = posixpath.normpath((step.uses or "").replace("\\", "/"))
    if folder.startswith(("../", "/")) or folder == "..":
        raise InvalidInput(f"{step.uses!r} is outside of the workspace", where=step.uses_where)
    return "" if folder == "." else folder


def read_action(place: Elsewhere, read: Read) -> ActionFile | None:
    """The action at a place of another repository; None where there is none. Raises InvalidWorkflow."""
    for name in NAMES:
        path = posixpath.join(place.path, name)
        if (data := read(path)) is not None:
            return parse_action(data, place.at(path), others=True)
    return None


def action_file_problems(action: ActionFile, lacking: Collection[str] = (), lack: Lack | None = None) -> list[Problem]:
    """What keeps an action's own steps from running here."""
    say = _source_of(action).problem
    problems = (said for one in action.steps for said in step_problems(one, lacking))
    found = [say(message, where, remedy) for message, where, remedy in problems]
    uses = [("an action from an image", step.uses_where) for step in image_steps(action.steps)]
    uses += [("an action from an image", action.image.where)] if action.image is not None else []
    missing = lack() if uses and lack is not None else None
    return found + [say(f"{what} can't run here: {missing.why}", at, missing.remedy) for what, at in uses if missing]


def used_problems(
    workflows: Iterable[Workflow],
    read: Read,
    lacking: Collection[str] = (),
    lookup: Lookup = nothing_known,
    lack: Lack | None = None,
) -> list[Problem]:
    """What keeps the actions that these workflows use, but for the built-in ones, from running here, each at its line.

    `read` gives a file of the run's own commit, None where it is not there: a step before may put a local action there,
    so that is no problem yet. `lookup` gives the files of other repositories. `lacking` are built-in actions for which
    this home has no place, `lack` says why it runs no containers.
    """
    survey = _Survey(read, lacking, lookup, lack)
    for workflow in workflows:
        survey.look((step for _, step in workflow.steps()), workflow.source or Source(b"", workflow.file), "")
    survey.walk()
    return survey.problems


@dataclass(slots=True)
class _Use:
    """A step that uses an action, and where it stands; `within` is the action that it is of, empty for a workflow."""

    step: Step
    source: Source
    within: str


@dataclass(slots=True)
class _Survey:
    """One walk over all that is used. What is used twice is looked at once."""

    read: Read
    lacking: Collection[str]
    lookup: Lookup
    lack: Lack | None
    problems: list[Problem] = field(default_factory=list)
    waiting: list[tuple[str, _Use]] = field(default_factory=list)
    uses: dict[str, list[tuple[str, _Use]]] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)

    def look(self, steps: Iterable[Step], source: Source, within: str) -> None:
        """Note what some steps use."""
        for step in steps:
            use = _Use(step, source, within)
            if (place := borrowed(step.uses)) is not None:
                self._note(f"{place.key}/{place.path}", use)
            elif step.uses is not None and is_local(step.uses):
                try:
                    self._note(f"./{folder_of(step)}", use)
                except InvalidInput as error:
                    self._say(use, error.message)

    def _note(self, name: str, use: _Use) -> None:
        self.waiting.append((name, use))
        self.uses.setdefault(use.within, []).append((name, use))

    def walk(self) -> None:
        """Look at everything that was noted, and at what that uses."""
        seen: set[str] = set()
        while self.waiting:
            name, use = self.waiting.pop(0)
            if name in seen:
                continue
            seen.add(name)
            try:
                action = self._action(use)
            except InvalidWorkflow as error:
                self.problems += error.problems
                continue
            if action is not None:
                self.problems += action_file_problems(action, self.lacking, self.lack)
                self.look(action.steps, _source_of(action), name)
        self._check_depth()

    def _action(self, use: _Use) -> ActionFile | None:
        place = borrowed(use.step.uses)
        if place is None:
            folder = folder_of(use.step)
            paths = (posixpath.join(folder, name) for name in NAMES)
            path, data = next(((path, data) for path in paths if (data := self.read(path)) is not None), ("", b""))
            return parse_action(data, path) if path else None
        found = self.lookup(place)
        if isinstance(found, TidegateError):
            if place.key not in self.told:  # once for all that is used of it
                self.told.add(place.key)
                self._say(use, f"{use.step.uses!r} is not built in, and can't be had: {found.message}", found.remedy)
            return None
        if found is None:
            return None
        action = read_action(place, found)
        if action is None:
            remedy = "look at the path and the ref; an action from a Dockerfile alone is not supported yet"
            self._say(use, f"there is no action.yml in {place.path or 'the root'} of {place.key}", remedy)
        return action

    def _check_depth(self) -> None:
        """Tell what uses itself, and what lies too deep; of the commit's own actions the run tells: an `if` may end
        such a round, and their steps are read only when they run.
        """
        for way in self._ways():
            names = [name for name, _ in way]
            if all(name.startswith("./") for name in names):
                continue
            use = way[-1][1]
            if names[-1] in names[:-1]:
                round_ = " → ".join(names[names.index(names[-1]) :])
                self._say(use, f"actions use each other in a circle: {round_}")
            else:
                self._say(use, f"actions use each other more than {MOST_DEEP} deep", "use it from further up")

    def _ways(self) -> Iterator[list[tuple[str, _Use]]]:
        """The ways from a workflow that end in a circle, or too deep; one for each use that ends one."""
        done: dict[str, int] = {}
        ends: set[int] = set()
        stack = [[entry] for entry in self.uses.get("", ())]
        while stack:
            way = stack.pop()
            name, use = way[-1]
            if name in [other for other, _ in way[:-1]] or len(way) > MOST_DEEP:
                if id(use) not in ends:
                    ends.add(id(use))
                    yield way
            elif done.get(name, 0) < len(way):  # again only where it lies deeper than before
                done[name] = len(way)
                stack += [[*way, entry] for entry in self.uses.get(name, ())]

    def _say(self, use: _Use, message: str, remedy: str | None = None) -> None:
        self.problems.append(use.source.problem(message, use.step.uses_where, remedy))


def _source_of(action: ActionFile) -> Source:
    return action.source or Source(b"", action.file)
