"""Errors across the border between the build's process and its parent. Pure."""

from __future__ import annotations

from typing import Any

from tidegate.base.errors import (
    CommandFailed,
    Denied,
    InvalidInput,
    LimitExceeded,
    MissingTool,
    NotFound,
    TidegateError,
    Unavailable,
    Where,
)

_KINDS = (InvalidInput, NotFound, Denied, Unavailable, LimitExceeded, MissingTool)


def error_json(error: TidegateError) -> dict[str, Any]:
    """An error as one JSON object; a subclass goes as the kind that it is."""
    where = error.where or Where()
    kind = next((kind.__name__ for kind in _KINDS if isinstance(error, kind)), "CommandFailed")
    return {
        "type": kind,
        "code": error.code,
        "message": error.message,
        "remedy": error.remedy,
        "where": [where.file, where.line, where.column, where.field],
    }


def error_from_json(value: dict[str, Any]) -> TidegateError:
    """The error that `error_json` wrote; one of no known kind becomes CommandFailed."""
    message, remedy = str(value.get("message", "")), value.get("remedy")
    parts = value.get("where") or [None] * 4
    where = Where(*parts) if any(part is not None for part in parts) else None
    for kind in _KINDS:
        if kind.__name__ == value.get("type"):
            return kind(message, where=where, remedy=remedy, code=value.get("code"))
    return CommandFailed(message, exit_code=1, remedy=remedy)
