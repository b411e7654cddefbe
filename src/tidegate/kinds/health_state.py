"""The states in which kstatus sees an object, and what to say of one."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from tidegate.base.frozen import frozen
from tidegate.kinds.conditions import find


class State(StrEnum):
    """kstatus's states."""

    CURRENT = "Current"
    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    TERMINATING = "Terminating"


@frozen
class Health:
    """A state and, for people, what is missing."""

    state: State
    message: str


def words(conditions: Sequence[dict[str, Any]], kind: str) -> str:
    """What a condition says for people, else its reason."""
    found = find(conditions, kind) or {}
    return str(found.get("message") or found.get("reason") or kind)
