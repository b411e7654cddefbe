"""Reads `steps:`, of a job and of a composite action, whose steps may say a little less."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tidegate.base.frozen import frozen
from tidegate.workflow.cursor import Cursor, flag_or_false, scalar_or_none, table_or_empty
from tidegate.workflow.model import ALWAYS_ON_SUCCESS, Step, Template
from tidegate.workflow.scopes import ACTION_STEP, ACTION_STEP_IF, STEP, STEP_IF, Available

ID = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}", re.ASCII)
ID_HELP = "an id begins with a letter or _ and goes on with letters, digits, - and _, 100 at most"
_ACTION_KEYS = ("id", "if", "name", "uses", "run", "with", "env", "shell", "working-directory", "continue-on-error")


@frozen
class StepRules:
    """What a step may say, and what its expressions may use; `holder` is what has the steps, for messages."""

    holder: str
    keys: tuple[str, ...]
    step: Available
    condition: Available
    shell_needed: bool = False


IN_JOB = StepRules("a job", (*_ACTION_KEYS, "timeout-minutes"), STEP, STEP_IF)
IN_ACTION = StepRules("an action", _ACTION_KEYS, ACTION_STEP, ACTION_STEP_IF, shell_needed=True)


def read_steps(cursor: Cursor, rules: StepRules = IN_JOB) -> tuple[Step, ...]:
    """The steps in order; their ids are checked."""
    steps = tuple(_step(place, item, rules) for place, item in enumerate(cursor.items()))
    if not steps and isinstance(cursor.value, list):
        cursor.problem(f"{rules.holder} needs at least one step", where=cursor.key)
    seen: set[str] = set()
    for step, item in zip(steps, cursor.items() if steps else (), strict=True):
        if step.id is None:
            continue
        if not ID.fullmatch(step.id) or step.id.startswith("__"):
            item.child("id").problem(f"{step.id!r} is no id of a step", ID_HELP)
        if step.id.lower() in seen:
            item.child("id").problem(f"the step id {step.id!r} is used twice here (ids ignore case)")
        seen.add(step.id.lower())
    return steps


def _step(place: int, cursor: Cursor, rules: StepRules) -> Step:
    fields = cursor.fields(rules.keys)
    get = fields.get
    _check_kind(cursor, fields, rules)
    shell, shell_template = _shell(get("shell"), rules)
    minutes = get("timeout-minutes")
    return Step(
        index=place,
        where=cursor.where,
        id=fields["id"].text() if "id" in fields else None,
        name=scalar_or_none(get("name"), rules.step),
        condition=fields["if"].condition(rules.condition) if "if" in fields else ALWAYS_ON_SUCCESS,
        uses=fields["uses"].text() if "uses" in fields else None,
        run=scalar_or_none(get("run"), rules.step),
        inputs=table_or_empty(get("with"), rules.step),
        env=table_or_empty(get("env"), rules.step),
        shell=shell,
        shell_template=shell_template,
        working_directory=scalar_or_none(get("working-directory"), rules.step),
        timeout_minutes=minutes.setting(rules.step, "number") if minutes is not None else None,
        continue_on_error=flag_or_false(get("continue-on-error"), rules.step),
        uses_where=fields["uses"].where if "uses" in fields else cursor.where,
    )


def _shell(cursor: Cursor | None, rules: StepRules) -> tuple[str | None, Template | None]:
    """A shell's name; in an action it may be an expression."""
    if cursor is None or not rules.shell_needed:
        return (cursor.text() if cursor is not None else None), None
    scalar = cursor.scalar(rules.step)
    return (None, scalar) if isinstance(scalar, Template) else (cursor.text(), None)


_ACTION = re.compile(r"[.$]/.*|\.\\.*|docker://\S+|[^/@\s]+/[^/@\s]+(?:/[^@\s]+)?@\S+")


def _check_kind(cursor: Cursor, fields: Mapping[str, Cursor], rules: StepRules) -> None:
    if not isinstance(cursor.value, dict):
        return
    if ("uses" in fields) == ("run" in fields):
        problem = "a step has either 'uses' or 'run', not both" if "uses" in fields else "a step needs 'uses' or 'run'"
        cursor.problem(problem)
        return
    misplaced = ("shell", "working-directory") if "uses" in fields else ("with",)
    for name in misplaced:
        if name in fields:
            other = "run" if "uses" in fields else "uses"
            fields[name].problem(f"{name!r} goes with '{other}' only", where=fields[name].key)
    if rules.shell_needed and "run" in fields and "shell" not in fields:
        cursor.problem("a 'run' step of an action needs a 'shell'", "add `shell: bash`")
    uses = fields["uses"].value if "uses" in fields else None
    if isinstance(uses, str) and not _ACTION.fullmatch(uses):
        fields["uses"].problem(f"{uses!r} names no action", "write OWNER/NAME@REF, OWNER/NAME/PATH@REF or ./PATH")
