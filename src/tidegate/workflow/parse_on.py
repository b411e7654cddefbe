"""Reads `on:`: which events start a workflow, with their filters. Whether one does is triggers.py's decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tidegate.base.errors import InvalidInput
from tidegate.base.zones import zone_named
from tidegate.workflow.cron import parse_cron
from tidegate.workflow.cursor import Cursor, suggest
from tidegate.workflow.globs import Glob
from tidegate.workflow.inputs import default_problem
from tidegate.workflow.model import (
    CallTrigger,
    DispatchTrigger,
    Filter,
    Input,
    OtherTrigger,
    Pattern,
    PullRequestTrigger,
    PushTrigger,
    Schedule,
    ScheduleTrigger,
    Trigger,
    WorkflowRunTrigger,
)
from tidegate.workflow.scopes import CALL_OUTPUT, WORKFLOW

OTHER_EVENTS = (
    "branch_protection_rule", "check_run", "check_suite", "create", "delete", "deployment", "deployment_status",
    "discussion", "discussion_comment", "fork", "gollum", "image_version", "issue_comment", "issues", "label",
    "merge_group", "milestone", "page_build", "project", "project_card", "project_column", "public",
    "pull_request_review", "pull_request_review_comment", "pull_request_target", "registry_package", "release",
    "repository_dispatch", "status", "watch",
)  # fmt: skip
_PULL_REQUEST_TYPES = (
    "assigned", "unassigned", "labeled", "unlabeled", "opened", "edited", "closed", "reopened", "synchronize",
    "converted_to_draft", "locked", "unlocked", "enqueued", "dequeued", "milestoned", "demilestoned",
    "ready_for_review", "review_requested", "review_request_removed", "auto_merge_enabled", "auto_merge_disabled",
)  # fmt: skip
MOST_INPUTS = 25
_RUN_TYPES = ("requested", "in_progress", "completed")


def read_triggers(on: Cursor) -> Mapping[str, Trigger]:
    """The triggers by event name, from `on: push`, `on: [push, …]` or a mapping."""
    if isinstance(on.value, dict):
        found = {name: _read(name, cursor) for name, cursor in on.entries().items()}
    else:
        found = {}
        for item in on.one_or_more():
            name = item.text()
            if name in ("schedule", "workflow_run"):
                item.problem(f"{name!r} needs its own settings", "write `on:` as a mapping")
            elif name:
                found[name] = _read(name, item, bare=True)
    if not found and not on.value:
        on.problem("no event is named here", "write `on: push`")
    return {name: trigger for name, trigger in found.items() if trigger is not None}


def _read(name: str, cursor: Cursor, bare: bool = False) -> Trigger | None:
    if name in OTHER_EVENTS:
        return _other(cursor, bare)
    if name not in _READERS:
        where = cursor.where if bare else cursor.key
        cursor.problem(f"unknown event {name!r}", suggest(name, tuple(_READERS)), where=where)
        return None
    if bare or cursor.value is None:
        return _EMPTY.get(name, _READERS[name])(cursor)
    return _READERS[name](cursor)


def _other(cursor: Cursor, bare: bool) -> OtherTrigger:
    types: tuple[str, ...] = ()
    if not bare and isinstance(cursor.value, dict):
        types = cursor.child("types").texts() if "types" in cursor.value else ()
    return OtherTrigger(types, cursor.where if bare else cursor.key)


def _push(cursor: Cursor) -> PushTrigger:
    fields = cursor.fields(("branches", "branches-ignore", "tags", "tags-ignore", "paths", "paths-ignore"))
    branches, tags, paths = (_filter(fields, name) for name in ("branches", "tags", "paths"))
    return PushTrigger(branches, tags, paths, cursor.key)


def _pull_request(cursor: Cursor) -> PullRequestTrigger:
    fields = cursor.fields(("types", "branches", "branches-ignore", "paths", "paths-ignore"))
    branches, paths = (_filter(fields, name) for name in ("branches", "paths"))
    types = _types(fields, _PULL_REQUEST_TYPES, PullRequestTrigger().types)
    return PullRequestTrigger(types, branches, paths, cursor.key)


def _types(fields: Mapping[str, Cursor], allowed: tuple[str, ...], default: tuple[str, ...]) -> tuple[str, ...]:
    if "types" not in fields:
        return default
    return tuple(item.choice(allowed) for item in fields["types"].one_or_more())


def _filter(fields: Mapping[str, Cursor], name: str) -> Filter | None:
    positive, negative = fields.get(name), fields.get(f"{name}-ignore")
    if positive is not None and negative is not None:
        negative.problem(
            f"{name!r} and '{name}-ignore' can't both be set for one event",
            f"keep {name!r}, and exclude with a pattern that begins with !",
            where=negative.key,
        )
    chosen = positive if positive is not None else negative
    if chosen is None:
        return None
    patterns = tuple(pattern for item in chosen.one_or_more() if (pattern := _pattern(item)) is not None)
    if chosen is positive and patterns and all(pattern.negated for pattern in patterns):
        chosen.problem(
            f"{name!r} holds only patterns that exclude",
            f"use '{name}-ignore' instead, or put a pattern such as '**' before them",
            where=chosen.key,
        )
    return Filter(patterns, chosen is negative, chosen.key)


def _pattern(item: Cursor) -> Pattern | None:
    text = item.text()
    if not text:
        return None
    negated = text.startswith("!")
    try:
        return Pattern(text, Glob(text[negated:]), negated, item.where)
    except InvalidInput as error:
        item.problem(error.message, error.remedy)
        return None


def _dispatch(cursor: Cursor) -> DispatchTrigger:
    fields = cursor.fields(("inputs",))
    return DispatchTrigger(_inputs(fields.get("inputs"), called=False), cursor.key)


def _call(cursor: Cursor) -> CallTrigger:
    fields = cursor.fields(("inputs", "outputs", "secrets"))
    outputs, secrets = {}, {}
    for name, entry in fields["outputs"].entries().items() if "outputs" in fields else ():
        output = entry.fields(("description", "value"), ("value",))
        if "value" in output:
            outputs[name] = output["value"].scalar(CALL_OUTPUT)
    for name, entry in fields["secrets"].entries().items() if "secrets" in fields else ():
        secret = entry.fields(("description", "required")) if entry.value is not None else {}
        secrets[name] = "required" in secret and secret["required"].boolean()
    return CallTrigger(_inputs(fields.get("inputs"), called=True), outputs, secrets, cursor.key)


def _inputs(cursor: Cursor | None, *, called: bool) -> tuple[Input, ...]:
    if cursor is None or cursor.value is None:
        return ()
    entries = cursor.entries()
    if not called and len(entries) > MOST_INPUTS:
        cursor.problem(
            f"a workflow_dispatch has {len(entries)} inputs; {MOST_INPUTS} are the most",
            "pass several values in one, as JSON",
            where=cursor.key,
        )
    return tuple(_input(name, entry, called) for name, entry in entries.items())


def _input(name: str, cursor: Cursor, called: bool) -> Input:
    if cursor.value is None and not called:
        return Input(name, where=cursor.key)
    allowed = ("description", "required", "default", "type", "deprecationMessage")
    fields = cursor.fields(allowed if called else (*allowed, "options"), ("type",) if called else ())
    kinds = ("string", "boolean", "number") if called else ("string", "boolean", "number", "choice", "environment")
    kind = fields["type"].choice(kinds) if "type" in fields else "string"
    options = tuple(item.text() for item in fields["options"].items()) if "options" in fields else ()
    if kind == "choice" and not options:
        cursor.problem(
            f"the input {name!r} is a choice without options", "list them under `options:`", where=cursor.key
        )
    default = fields["default"].scalar(WORKFLOW) if "default" in fields else None
    required = "required" in fields and fields["required"].boolean()
    description = str(fields["description"].value) if "description" in fields else ""
    found = Input(name, kind, required, default, options, description, cursor.key)
    if "default" in fields and (wrong := default_problem(found)) is not None:
        fields["default"].problem(wrong)
    return found


def _schedule(cursor: Cursor) -> ScheduleTrigger:
    entries = []
    for item in cursor.items():
        fields = item.fields(("cron", "timezone"), ("cron",))
        if "cron" in fields:
            zone = fields["timezone"].text() if "timezone" in fields else "UTC"
            _check(fields["cron"], parse_cron)
            if "timezone" in fields:
                _check(fields["timezone"], zone_named)
            entries.append(Schedule(fields["cron"].text(), zone, fields["cron"].where))
    return ScheduleTrigger(tuple(entries), cursor.key)


def _check(cursor: Cursor, reader: Callable[[str], object]) -> None:
    try:
        reader(str(cursor.value))
    except InvalidInput as error:
        cursor.problem(error.message, error.remedy)


def _workflow_run(cursor: Cursor) -> WorkflowRunTrigger:
    fields = cursor.fields(("workflows", "types", "branches", "branches-ignore"), ("workflows",))
    workflows = fields["workflows"].texts() if "workflows" in fields else ()
    branches = _filter(fields, "branches")
    return WorkflowRunTrigger(workflows, _types(fields, _RUN_TYPES, _RUN_TYPES), branches, cursor.key)


_READERS: Mapping[str, Callable[[Cursor], Trigger]] = {
    "push": _push,
    "pull_request": _pull_request,
    "workflow_dispatch": _dispatch,
    "workflow_call": _call,
    "workflow_run": _workflow_run,
    "schedule": _schedule,
}
_EMPTY: Mapping[str, Callable[[Cursor], Trigger]] = {
    "push": lambda cursor: PushTrigger(where=cursor.key),
    "pull_request": lambda cursor: PullRequestTrigger(where=cursor.key),
    "workflow_dispatch": lambda cursor: DispatchTrigger(where=cursor.key),
    "workflow_call": lambda cursor: CallTrigger(where=cursor.key),
}
