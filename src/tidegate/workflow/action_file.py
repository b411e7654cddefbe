"""Reads an action's own file (`action.yml`), and says everything that is wrong with it at once. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace

from tidegate.base.errors import Where
from tidegate.base.frozen import frozen
from tidegate.workflow.cursor import Cursor
from tidegate.workflow.model import EMPTY, NOWHERE, Condition, Listing, Scalar, Step, Table, Template
from tidegate.workflow.parse import opened
from tidegate.workflow.parse_steps import IN_ACTION, read_steps
from tidegate.workflow.scopes import ACTION_DEFAULT, ACTION_OUTPUT, ACTION_POST_IF, ACTION_RUN
from tidegate.workflow.source import Source

NAMES = ("action.yml", "action.yaml")
FILE_LIMIT = 1024 * 1024
MOST_DEEP = 10
"""Composite actions that use each other, the step's own included."""
_KEYS = ("name", "author", "description", "inputs", "outputs", "runs", "branding")
_NODE = ("node16", "node20", "node24")
_INPUT_KEYS = ("description", "required", "default", "deprecationMessage", "type")
_IMAGE = (
    "using", "image", "entrypoint", "args", "env", "pre-entrypoint", "pre-if", "post-entrypoint", "post-if",
)  # fmt: skip
_SCRIPTS = ("using", "main", "pre", "pre-if", "post", "post-if")


ALWAYS = Condition("always()", None, has_status=True)


@frozen
class ActionInput:
    """An input of an action. That a `required` one is missing is no error, as on GitHub."""

    name: str
    required: bool = False
    default: Scalar | None = None
    deprecation: str = ""


@frozen
class Scripts:
    """What a JavaScript action runs: `main`, and `post` when all steps of the job are over and its condition holds.
    `node` is the version of Node.js that it asks for. `pre` is for before the first step; of an action of the
    workspace, which is not there yet then, it is never run, as on GitHub.
    """

    node: int
    main: str
    post: str = ""
    post_condition: Condition = ALWAYS
    pre: str = ""
    pre_condition: Condition = ALWAYS


@frozen
class ActionImage:
    """What an action from an image runs. `image` is `docker://NAME`, or a Dockerfile beside the action's file; `args`
    is None where the image's own count. `post` is the entrypoint when all steps of the job are over.
    """

    image: str
    entrypoint: str = ""
    args: Listing | None = None
    env: Table | Template = EMPTY
    post: str = ""
    post_condition: Condition = ALWAYS
    pre: str = ""
    where: Where = NOWHERE


@frozen
class ActionFile:
    """An action: a composite one, whose steps run in the job of the step that uses it, one of `scripts`, an `image`."""

    file: str
    name: str = ""
    inputs: tuple[ActionInput, ...] = ()
    outputs: Mapping[str, Scalar] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    scripts: Scripts | None = None
    image: ActionImage | None = None
    where: Where = NOWHERE
    source: Source | None = field(default=None, repr=False, compare=False)


def parse_action(data: bytes, file: str, *, others: bool = False) -> ActionFile:
    """The action that a file holds. Follows GitHub's metadata syntax. Of `others`, which nobody here can mend, what
    GitHub passes over is passed over too: further keys of the file and of its inputs, and that node12 is gone.

    Raises InvalidWorkflow with every problem, each at its line; that it runs in a container is one.
    """
    source = Source(data, file)
    reading = opened(data, file, source, "an action")
    action = _action(Cursor(reading), file, source, others=others)
    reading.finish()
    return action


def _action(cursor: Cursor, file: str, source: Source, *, others: bool) -> ActionFile:
    fields = cursor.fields(_known(cursor, _KEYS, others=others), ("runs",))
    runs = fields.get("runs")
    steps: tuple[Step, ...] = ()
    scripts: Scripts | None = None
    image: ActionImage | None = None
    composite = False
    if runs is not None:
        using = runs.child("using").value if isinstance(runs.value, dict) and "using" in runs.value else None
        composite = using == "composite"
        steps = _composite(runs) if composite else ()
        image = _image(runs) if using == "docker" else None
        scripts = None if composite or using == "docker" else _scripts(runs, others=others)
    return ActionFile(
        file=file,
        name=str(fields["name"].value or "") if "name" in fields else "",
        inputs=tuple(_input(name, entry, others=others) for name, entry in _entries(fields.get("inputs")).items()),
        outputs=_outputs(fields.get("outputs")) if composite else {},
        steps=steps,
        scripts=scripts,
        image=image,
        where=runs.key if runs is not None else NOWHERE,
        source=source,
    )


def _known(cursor: Cursor, keys: tuple[str, ...], *, others: bool) -> tuple[str, ...]:
    """The keys that may stand there: of others' files any."""
    return (*keys, *cursor.entries()) if others else keys


def _composite(runs: Cursor) -> tuple[Step, ...]:
    fields = runs.fields(("using", "steps"), ("steps",))
    return read_steps(fields["steps"], IN_ACTION) if "steps" in fields else ()


def _scripts(runs: Cursor, *, others: bool) -> Scripts | None:
    """The scripts of a JavaScript action; what an action of another sort is, is told."""
    entries = runs.entries()
    if "using" not in entries:
        if isinstance(runs.value, dict):
            runs.problem("the key 'using' is missing here", "write `using: composite`", where=runs.key)
        return None
    node = (*_NODE, "node12") if others else _NODE
    using = entries["using"].choice(("composite", "docker", *node))
    if using not in node:
        return None
    fields = runs.fields(_SCRIPTS, ("main",))
    found = Scripts(int(using.removeprefix("node")), _path(fields, "main"), _path(fields, "post"))
    if "post-if" in fields:
        # As written: no success() is added to it, as it is to an `if` of a workflow.
        condition = replace(fields["post-if"].condition(ACTION_POST_IF), has_status=True)
        found = replace(found, post_condition=condition)
    if "pre-if" in fields:
        condition = replace(fields["pre-if"].condition(ACTION_POST_IF), has_status=True)
        found = replace(found, pre_condition=condition)
    return replace(found, pre=_path(fields, "pre"))


def _image(runs: Cursor) -> ActionImage:
    """What an action from an image says."""
    fields = runs.fields(_IMAGE, ("image",))
    image = fields["image"].text() if "image" in fields else ""
    if image and not image.startswith("docker://") and (image.startswith("/") or ".." in image.split("/")):
        fields["image"].problem(f"{image!r} is not beside the action", "write Dockerfile, or docker://NAME:TAG")
    args = fields["args"].tree(ACTION_RUN) if "args" in fields else None
    if args is not None and not isinstance(args, Listing):
        fields["args"].expected("a list")
        args = None
    found = ActionImage(
        image=image,
        entrypoint=_path(fields, "entrypoint"),
        args=args,
        env=fields["env"].table(ACTION_RUN) if "env" in fields else EMPTY,
        post=_path(fields, "post-entrypoint"),
        pre=_path(fields, "pre-entrypoint"),
        where=fields["image"].where if "image" in fields else runs.key,
    )
    if "post-if" in fields:
        return replace(found, post_condition=replace(fields["post-if"].condition(ACTION_POST_IF), has_status=True))
    return found


def _path(fields: Mapping[str, Cursor], name: str) -> str:
    return fields[name].text() if name in fields else ""


def _entries(cursor: Cursor | None) -> dict[str, Cursor]:
    return {} if cursor is None or cursor.value is None else cursor.entries()


def _input(name: str, cursor: Cursor, *, others: bool) -> ActionInput:
    if cursor.value is None:
        return ActionInput(name)
    fields = cursor.fields(_known(cursor, _INPUT_KEYS, others=others))
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
