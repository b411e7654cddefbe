"""Reads an action's own file (`action.yml`), and says everything that is wrong with it at once. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tidegate.base.errors import Where
from tidegate.workflow.cursor import Cursor
from tidegate.workflow.model import NOWHERE, Scalar, Step
from tidegate.workflow.parse import opened
from tidegate.workflow.parse_steps import IN_ACTION, read_steps
from tidegate.workflow.scopes import ACTION_DEFAULT, ACTION_OUTPUT
from tidegate.workflow.source import Source

NAMES = ("action.yml", "action.yaml")
FILE_LIMIT = 1024 * 1024
MOST_DEEP = 10
"""Composite actions that use each other, the step's own included."""
_KEYS = ("name", "author", "description", "inputs", "outputs", "runs", "branding")
_NODE = ("node12", "node16", "node20", "node24")
_USING = ("composite", "docker", *_NODE)


@dataclass(frozen=True, slots=True)
class ActionInput:
    """An input of an action. That a `required` one is missing is no error, as on GitHub."""

    name: str
    required: bool = False
    default: Scalar | None = None
    deprecation: str = ""


@dataclass(frozen=True, slots=True)
class CompositeAction:
    """A composite action: its steps run in the job of the step that uses it."""

    file: str
    name: str = ""
    inputs: tuple[ActionInput, ...] = ()
    outputs: Mapping[str, Scalar] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    where: Where = NOWHERE
    source: Source | None = field(default=None, repr=False, compare=False)


def parse_action(data: bytes, file: str) -> CompositeAction:
    """The action that a file holds. Follows GitHub's metadata syntax.

    Raises InvalidWorkflow with every problem, each at its line; an action of another sort than composite is one.
    """
    source = Source(data, file)
    reading = opened(data, file, source, "an action")
    action = _action(Cursor(reading), file, source)
    reading.finish()
    return action


def _action(cursor: Cursor, file: str, source: Source) -> CompositeAction:
    fields = cursor.fields(_KEYS, ("runs",))
    runs = fields.get("runs")
    steps: tuple[Step, ...] = ()
    composite = False
    if runs is not None:
        using = runs.child("using").value if isinstance(runs.value, dict) and "using" in runs.value else None
        composite = using == "composite"
        steps = _composite(runs) if composite else _other(runs)
    return CompositeAction(
        file=file,
        name=str(fields["name"].value or "") if "name" in fields else "",
        inputs=tuple(_input(name, entry) for name, entry in _entries(fields.get("inputs")).items()),
        outputs=_outputs(fields.get("outputs")) if composite else {},
        steps=steps,
        where=runs.key if runs is not None else NOWHERE,
        source=source,
    )


def _composite(runs: Cursor) -> tuple[Step, ...]:
    fields = runs.fields(("using", "steps"), ("steps",))
    return read_steps(fields["steps"], IN_ACTION) if "steps" in fields else ()


def _other(runs: Cursor) -> tuple[Step, ...]:
    """Name what an action of another sort is; its further settings say nothing that matters here."""
    entries = runs.entries()
    if "using" not in entries:
        if isinstance(runs.value, dict):
            runs.problem("the key 'using' is missing here", "write `using: composite`", where=runs.key)
        return ()
    using = entries["using"].choice(_USING)
    if using in _NODE:
        entries["using"].problem(f"JavaScript actions ({using}) are not supported yet", "do it in a `run` step")
    elif using == "docker":
        entries["using"].problem("actions from images are not supported yet", "run the program in a `run` step")
    return ()


def _entries(cursor: Cursor | None) -> dict[str, Cursor]:
    return {} if cursor is None or cursor.value is None else cursor.entries()


def _input(name: str, cursor: Cursor) -> ActionInput:
    if cursor.value is None:
        return ActionInput(name)
    fields = cursor.fields(("description", "required", "default", "deprecationMessage", "type"))
    default = fields["default"].scalar(ACTION_DEFAULT) if "default" in fields else None
    required = "required" in fields and str(fields["required"].value).lower() == "true"
    note = str(fields["deprecationMessage"].value) if "deprecationMessage" in fields else ""
    return ActionInput(name, required, default, note)


def _outputs(cursor: Cursor | None) -> Mapping[str, Scalar]:
    found = {}
    for name, entry in _entries(cursor).items():
        fields = entry.fields(("description", "value"), ("value",))
        if "value" in fields:
            found[name] = fields["value"].scalar(ACTION_OUTPUT)
    return found
