"""`tidegate try metadata`: an image's tags, labels and annotations, as the metadata action makes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from tidegate.base.errors import InvalidInput, Where
from tidegate.cli.try_common import Request, answer_lines, field, jsonl_option, only, print_json, text_from_stdin
from tidegate.workflow.metadata import Source, metadata

_EVENT_FIELDS = ("event_name", "ref", "sha", "event", "now", "commit_date", "env")


def answer(request: Request) -> dict[str, str]:
    """`input` with `inputs` (of the action) and `event` → the action's outputs.

    `event` is like the `github` context: `event_name`, `ref`, `sha` and the payload as `event`; besides, `now` and
    `commit_date` (RFC 3339; the present time by default) and `env`, the DOCKER_METADATA_* variables.
    """
    only(request, "input")
    given = field(request, "input", dict)
    inputs, event = _mapping(given, "inputs"), _mapping(given, "event")
    for name in event:
        if name not in _EVENT_FIELDS:
            raise InvalidInput("is no field of an event here", where=Where(field=f"event.{name}"))
    texts = {name: _text(value, f"inputs.{name}") for name, value in inputs.items()}
    return dict(metadata(texts, _source(event)).outputs)


def _source(event: Mapping[str, Any]) -> Source:
    now = _time(event, "now") or datetime.now(UTC)
    payload = _mapping(event, "event")
    sha = _text(event.get("sha", ""), "event.sha")
    settings = {name: _text(value, f"event.env.{name}") for name, value in _mapping(event, "env").items()}
    return Source(
        event=_text(event.get("event_name", "push"), "event.event_name"),
        ref=_text(event.get("ref", ""), "event.ref"),
        sha=sha,
        now=now,
        payload=payload,
        committed=_time(event, "commit_date"),
        settings=settings,
    )


def _mapping(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = data.get(name)
    if value is not None and not isinstance(value, dict):
        raise InvalidInput("must be an object", where=Where(field=name))
    return value or {}


def _text(value: object, name: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        raise InvalidInput("must be a string", where=Where(field=name))
    return value


def _time(event: Mapping[str, Any], name: str) -> datetime | None:
    text = event.get(name)
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(_text(text, f"event.{name}"))
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise InvalidInput("is no RFC 3339 time such as 2024-01-15T10:20:30Z", where=Where(field=f"event.{name}"))
    return time


@click.command()
@jsonl_option
def command(jsonl: bool) -> None:
    """Print the outputs for the inputs and the event on stdin: {"inputs": {"images": …}, "event": {"ref": …}}."""
    if jsonl:
        answer_lines(answer)
        return
    try:
        given = json.loads(text_from_stdin())
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"stdin is no JSON: {error}") from None
    print_json(answer({"input": given}))
