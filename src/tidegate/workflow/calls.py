"""Which workflows a workflow's jobs call, and everything that is wrong with those calls before anything runs. Pure.

As GitHub has it: what is called has the trigger `workflow_call`, gets only inputs and secrets that it declares, and its
jobs may do no more than the job that calls it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field

from tidegate.base.errors import TidegateError, Where
from tidegate.base.frozen import frozen
from tidegate.workflow.cursor import suggest
from tidegate.workflow.elsewhere import elsewhere
from tidegate.workflow.inputs import fits
from tidegate.workflow.model import (
    NOWHERE,
    CalledWorkflow,
    CallTrigger,
    Input,
    Job,
    Literal,
    Permissions,
    Table,
    Tree,
    Workflow,
)
from tidegate.workflow.parse import is_workflow
from tidegate.workflow.permissions import DEFAULT_PERMISSIONS, allows, granted, limited
from tidegate.workflow.problems import InvalidWorkflow, Problem
from tidegate.workflow.source import Source

MOST_LEVELS = 10
"""Levels of workflows, the one that the event starts included."""
MOST_WORKFLOWS = 50
"""Different workflows that one may call, directly or not."""
MOST_CALLS = 256
"""Calls in all: a workflow that is called by two is called twice."""
Read = Callable[[str], Workflow | None]


class NotLooked(TidegateError):
    """What another repository has was not looked at (yet), so nothing is said of it."""


@frozen
class Linked:
    """A workflow, and what its jobs call, by the jobs' ids."""

    workflow: Workflow
    calls: Mapping[str, Linked] = field(default_factory=dict)

    def every(self) -> Iterator[Workflow]:
        """All workflows of the tree, each once."""
        seen: dict[str, Workflow] = {}
        waiting = [self]
        while waiting:
            one = waiting.pop(0)
            if one.workflow.file not in seen:
                seen[one.workflow.file] = one.workflow
                waiting += one.calls.values()
        yield from seen.values()


def link(workflow: Workflow, read: Read, repository: str = "") -> tuple[Linked, tuple[Problem, ...]]:
    """The tree of calls, and what is wrong with it, each at its line.

    `read` gives the workflow of a path, or of `OWNER/NAME/PATH@REF`, None where there is no such file; it raises
    InvalidWorkflow, NotLooked, and what keeps another repository from being read. `repository` is the run's own.
    """
    linker = _Linker(read, repository)
    linked = linker.link(workflow, (workflow.file,), None)
    others = len(linker.seen.keys() - {workflow.file})
    if others > MOST_WORKFLOWS:
        message = f"the workflow calls {others} others; {MOST_WORKFLOWS} are the most"
        linker.say(workflow, message, Where(workflow.file, 1, 1), "do some of it in one workflow")
    return linked, tuple(dict.fromkeys(linker.problems))


class _Linker:
    def __init__(self, read: Read, repository: str):
        self._read = read
        self._owner = repository.partition("/")[0].lower()
        self._left = MOST_CALLS
        self.seen: dict[str, Workflow | None] = {}
        self.problems: list[Problem] = []

    def say(self, workflow: Workflow, message: str, where: Where, remedy: str | None = None) -> None:
        self.problems.append((workflow.source or Source(b"", workflow.file)).problem(message, where, remedy))

    def link(self, workflow: Workflow, way: tuple[str, ...], most: Mapping[str, str] | None) -> Linked:
        """`way` are the files from the first one to this; `most` is what its caller may do, None for the first."""
        calls: dict[str, Linked] = {}
        self._check_permissions(workflow, workflow.permissions, most)
        for job in workflow.jobs.values():
            self._check_permissions(workflow, job.permissions, most)
            if job.calls is None:
                continue
            called = self._called(workflow, job.calls, way)
            if called is not None and self._has_room(workflow, job.calls):
                trigger = called.triggers.get("workflow_call")
                assert isinstance(trigger, CallTrigger)
                self._check_inputs(workflow, job.calls, trigger)
                self._check_secrets(workflow, job.calls, trigger)
                calls[job.id] = self.link(called, (*way, called.file), _allowed(workflow, job, most))
        return Linked(workflow, calls)

    def _has_room(self, workflow: Workflow, call: CalledWorkflow) -> bool:
        self._left -= 1
        if self._left == -1:
            self.say(workflow, f"workflows are called more than {MOST_CALLS} times", call.uses_where)
        return self._left >= 0

    def _called(self, workflow: Workflow, call: CalledWorkflow, way: tuple[str, ...]) -> Workflow | None:
        """The workflow that is called; None where it can't be, which is told."""
        path, inside = _named(workflow, call)
        if not is_workflow(inside):
            self.say(workflow, f"{inside} is no workflow's path", call.uses_where, "it must lie in .github/workflows")
            return None
        if path in way:
            round_ = " → ".join([*way[way.index(path) :], path])
            self.say(workflow, f"workflows call each other in a circle: {round_}", call.uses_where)
            return None
        if len(way) >= MOST_LEVELS:
            message = f"this is level {len(way) + 1} of workflows that call each other; {MOST_LEVELS} are the most"
            self.say(workflow, message, call.uses_where, "call it from further up")
            return None
        try:
            found = self._file(path)
        except NotLooked:
            return None
        except TidegateError as error:
            self.say(workflow, f"{path} can't be called: {error.message}", call.uses_where, error.remedy)
            return None
        if found is None and path not in self._unreadable:
            commit = "that commit" if path != inside else "this commit"
            self.say(workflow, f"there is no file {path} in {commit}", call.uses_where)
        elif found is not None and not isinstance(found.triggers.get("workflow_call"), CallTrigger):
            message = f"{path} can't be called: it has no 'workflow_call' trigger"
            self.say(workflow, message, call.uses_where, "add workflow_call to its `on:`")
            return None
        return found

    @property
    def _unreadable(self) -> set[str | None]:
        return {problem.where.file for problem in self.problems}

    def _file(self, path: str) -> Workflow | None:
        if path not in self.seen:
            try:
                self.seen[path] = self._read(path)
            except InvalidWorkflow as error:
                self.problems += error.problems
                self.seen[path] = None
        return self.seen[path]

    def _check_inputs(self, workflow: Workflow, call: CalledWorkflow, trigger: CallTrigger) -> None:
        if not isinstance(call.inputs, Table):
            return  # an expression's value is looked at when it is there
        known = {one.name.lower(): one for one in trigger.inputs}
        given = {name.lower() for name in call.inputs.entries}
        for name, tree in call.inputs.entries.items():
            one = known.get(name.lower())
            if one is None:
                names = [other.name for other in trigger.inputs]
                remedy = suggest(name, names) if names else "it takes none"
                self.say(workflow, f"{call.uses} has no input {name!r}", _where(tree), remedy)
            elif (wrong := _wrong(one, tree)) is not None:
                self.say(workflow, f"the input {name!r} of {call.uses} must be {wrong}", _where(tree))
        for one in trigger.inputs:
            if one.required and one.default is None and one.name.lower() not in given:
                remedy = f"add {one.name} to `with:`"
                self.say(workflow, f"{call.uses} needs the input {one.name!r}", call.uses_where, remedy)

    def _check_secrets(self, workflow: Workflow, call: CalledWorkflow, trigger: CallTrigger) -> None:
        other = elsewhere(call.uses)
        is_anothers = other is not None and other.owner.lower() != self._owner
        if call.secrets == "inherit":
            if is_anothers:
                message = f"{call.uses} is another owner's, and inherits no secrets"
                self.say(workflow, message, call.uses_where, "pass each of them by its name")
            return
        passed = call.secrets.entries if isinstance(call.secrets, Table) else {}
        known = {name.lower() for name in trigger.secrets}
        for name, tree in passed.items():
            if name.lower() not in known:
                remedy = suggest(name, list(trigger.secrets)) if trigger.secrets else "it takes none"
                self.say(workflow, f"{call.uses} has no secret {name!r}", _where(tree), remedy)
        for name, required in trigger.secrets.items():
            if required and name.lower() not in {other.lower() for other in passed}:
                remedy = f"add {name} to `secrets:`" + ("" if is_anothers else ", or write `secrets: inherit`")
                self.say(workflow, f"{call.uses} needs the secret {name!r}", call.uses_where, remedy)

    def _check_permissions(self, workflow: Workflow, asked: Permissions | None, most: Mapping[str, str] | None) -> None:
        """A called workflow's permissions: no more than its caller has."""
        if asked is None or most is None:
            return
        for scope, level in granted(asked).items():
            if not allows(most, scope, level):
                has = most.get(scope, most.get("*", "none"))
                name = f"'{scope}: {level}'" if scope != "*" else f"'{level}-all'"
                message = f"{name} is more than the calling job has, which is {has!r}"
                self.say(workflow, message, asked.where, "give the calling job that permission, or ask for less here")


def _named(workflow: Workflow, call: CalledWorkflow) -> tuple[str, str]:
    """What is called, by the name that is its alone, and its path in its repository: a workflow of another repository
    finds those beside it in the commit that it is of itself.
    """
    if not call.uses.startswith("./"):
        other = elsewhere(call.uses)
        return (other.at(other.path), other.path) if other is not None else (call.uses, call.uses)
    path = call.uses.removeprefix("./")
    own = elsewhere(workflow.file)
    return (own.at(path) if own is not None else path), path


def _allowed(workflow: Workflow, job: Job, most: Mapping[str, str] | None) -> Mapping[str, str]:
    """What a called workflow may do at most."""
    written = job.permissions or workflow.permissions
    own = granted(written) if written is not None else most if most is not None else DEFAULT_PERMISSIONS
    return own if most is None else limited(own, most)


def _wrong(one: Input, tree: Tree) -> str | None:
    if not isinstance(tree, Literal) or fits(one, tree.value) is not None:
        return None
    return {"boolean": "true or false", "number": "a number"}.get(one.type, "a text")


def _where(tree: Tree) -> Where:
    return tree.where or NOWHERE
