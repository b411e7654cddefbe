"""Which kinds `reconcile`, `suspend` and `resume` take: those whose controllers know the request."""

from __future__ import annotations

from tidegate.base.errors import InvalidInput
from tidegate.cli.doors import resource_named
from tidegate.kinds.controllers import ALL, resource_of
from tidegate.kinds.resources import Resource

KINDS: tuple[Resource, ...] = tuple(resource_of(kind) for kind in ALL if kind != "WorkflowRun")
"""A run ends by itself: there is nothing to suspend, and nothing to ask for again."""
KINDS_HELP = f"KIND is one of {', '.join(resource.singular for resource in KINDS)}."
_WORDS = {"source": "gitrepository"}


def reconcilable(word: str, done: str) -> Resource:
    """The kind of a name; InvalidInput where an object of it can't be `done` (suspended, reconciled)."""
    resource = resource_named(_WORDS.get(word, word))
    if resource not in KINDS:
        remedy = f"one of: {', '.join(found.singular for found in KINDS)}"
        raise InvalidInput(f"a {resource.kind} can't be {done}", remedy=remedy)
    return resource
