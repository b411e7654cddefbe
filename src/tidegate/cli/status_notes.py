"""What `tidegate status` says below its table: what stands otherwise than in Git, and what is not deployed. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.kinds.conditions import find
from tidegate.kinds.objects import Object, key_of

KINDS = ("Kustomization", "GitRepository", "Runner")
NOTED = (("FieldsKept", "True"), ("Deployed", "False"))
"""Conditions that a person should know of, though nothing has failed."""


def notes(objects: Iterable[Object]) -> list[str]:
    """A line for each such condition."""
    lines = []
    for obj in objects:
        for kind, state in NOTED:
            condition = find((obj.get("status") or {}).get("conditions") or [], kind) or {}
            if condition.get("status") == state:
                lines.append(f"{key_of(obj)}: {condition.get('message')}")
    return lines
