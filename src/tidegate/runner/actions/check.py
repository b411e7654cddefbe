"""Whether a workflow uses only actions and inputs that there are here; what is not there is named at its line. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from tidegate.base.errors import Where
from tidegate.runner.actions import built_in
from tidegate.runner.actions.action import Inputs
from tidegate.workflow.elsewhere import Elsewhere, elsewhere
from tidegate.workflow.model import Literal, Step, Table, Template, Tree, Workflow
from tidegate.workflow.problems import Problem
from tidegate.workflow.source import Source

Said = tuple[str, Where, str]


def action_problems(workflow: Workflow, lacking: Collection[str] = ()) -> list[Problem]:
    """What keeps the workflow's steps from running here, each with its place. `lacking` are built-in actions for which
    this home has no place.
    """
    say = (workflow.source or Source(b"", workflow.file)).problem
    found = (said for _, step in workflow.steps() for said in step_problems(step, lacking))
    return [say(message, where, remedy) for message, where, remedy in found]


def step_problems(step: Step, lacking: Collection[str] = ()) -> Iterator[Said]:
    """What keeps one step from running here, with its place and a way out."""
    yield from _uses(step, lacking)
    yield from _inputs(step)


def _uses(step: Step, lacking: Collection[str]) -> Iterator[Said]:
    if step.uses is None:
        return
    if (action := built_in(step.uses)) is not None:
        if action.inputs.action in lacking:
            why = f"the action {step.uses!r} is not supported in a cluster yet"
            yield why, step.uses_where, "leave the step out, or keep the files in an image or a registry"
        return
    if step.uses.startswith(("docker://", "./", ".\\")):
        return  # named by the language's own list, or looked at where the action's file is at hand
    if step.uses.startswith("$/"):
        remedy = f"check the repository out, and write .{step.uses[1:]}"
        yield "an action of the running commit ('$/…') is not supported yet", step.uses_where, remedy
        return
    if elsewhere(step.uses) is None:
        yield f"{step.uses!r} names no action", step.uses_where, "write OWNER/NAME@REF or OWNER/NAME/PATH@REF"


def _inputs(step: Step) -> Iterator[Said]:
    action = built_in(step.uses or "")
    if action is None or isinstance(step.inputs, Template):
        return
    for name, value in step.inputs.entries.items():
        reason = action.inputs.refused.get(name.lower())
        if reason is not None and not _is_default(value):
            message = f"the input {name!r} of {action.inputs.action} has no effect here: {reason}"
            yield message, value.where, "leave it out"


def borrowed(uses: str | None) -> Elsewhere | None:
    """Where the action of another repository is that a step uses; None where it uses none, or one that is built in."""
    return None if uses is None or built_in(uses) is not None else elsewhere(uses)


def unknown_inputs(inputs: Inputs, given: Table | Template) -> list[str]:
    """The names given that the action does not have; GitHub warns of them when the step runs, and so do we."""
    if isinstance(given, Template):
        return []
    return [name for name in given.entries if name.lower() not in inputs.names]


def _is_default(value: Tree) -> bool:
    """Whether a refused input says only that the thing is not wanted."""
    return isinstance(value, Literal) and value.value in (None, False, "", "false")
