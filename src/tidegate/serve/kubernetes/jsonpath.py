"""The part of Kubernetes' JSONPath that printer columns use: `.status.conditions[?(@.type=="Ready")].status`. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_STEP = re.compile(
    r"""\.(?P<field>(?:\\.|[^.\[\]\\])+)
      | \[(?P<index>-?[0-9]{1,9})\]
      | \[(?P<quote>['"])(?P<quoted>[^'"]*)(?P=quote)\]
      | \[\?\(@\.(?P<key>[A-Za-z0-9_]+)\s*==\s*(?P<mark>['"])(?P<value>[^'"]*)(?P=mark)\)\]""",
    re.VERBOSE,
)


def find(obj: Any, path: str) -> Any:
    """The value at a path; None where it leads nowhere, or where it isn't a path of this form."""
    position = 0
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            return None
        obj = _take(obj, step)
        if obj is None:
            return None
        position = step.end()
    return obj


def _take(obj: Any, step: re.Match[str]) -> Any:
    if step["index"] is not None:
        index = int(step["index"])
        return obj[index] if isinstance(obj, list) and -len(obj) <= index < len(obj) else None
    if step["key"] is not None:
        items = obj if isinstance(obj, list) else []
        return next(
            (item for item in items if isinstance(item, Mapping) and item.get(step["key"]) == step["value"]), None
        )
    name = step["quoted"] if step["quoted"] is not None else re.sub(r"\\(.)", r"\1", step["field"])
    return obj.get(name) if isinstance(obj, Mapping) else None
