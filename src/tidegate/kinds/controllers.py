"""Which controller reconciles which kinds, under Flux's names, and the words by which people choose among them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

from tidegate.base.errors import InvalidInput, Where
from tidegate.kinds.resources import FLUX, OURS, Resource

CONTROLLERS: Mapping[str, tuple[str, ...]] = {
    "source-controller": ("GitRepository",),
    "kustomize-controller": ("Kustomization",),
    "image-reflector-controller": ("ImageRepository", "ImagePolicy"),
    "image-automation-controller": ("ImageUpdateAutomation",),
    "notification-controller": ("Alert", "Provider", "Receiver"),
    "runner-controller": ("Runner", "WorkflowRun"),
}
WORDS: Mapping[str, tuple[str, ...]] = {
    "source": CONTROLLERS["source-controller"],
    "kustomize": CONTROLLERS["kustomize-controller"],
    "image": (*CONTROLLERS["image-reflector-controller"], *CONTROLLERS["image-automation-controller"]),
    "notification": CONTROLLERS["notification-controller"],
    "runner": CONTROLLERS["runner-controller"],
}
"""What `--kinds` takes besides the names of kinds."""
_SHARD = re.compile(r"-[0-9a-f]{8}-leader-election\Z")
ALL: tuple[str, ...] = tuple(kind for kinds in CONTROLLERS.values() for kind in kinds)
_RESOURCES: Mapping[str, Resource] = {resource.kind: resource for resource in (*FLUX, *OURS) if resource.kind in ALL}


def kinds_of(words: Iterable[str]) -> tuple[str, ...]:
    """The kinds that people chose by group (`image`), kind, plural or short name; all where they chose none.

    Kinds that one controller must reconcile together come together. Raises InvalidInput for an unknown word.
    """
    chosen: set[str] = set()
    for word in words:
        chosen.update(_named(word))
    if not chosen:
        return ALL
    return tuple(kind for kinds in CONTROLLERS.values() if chosen.intersection(kinds) for kind in kinds)


def controllers_of(kinds: Iterable[str]) -> tuple[str, ...]:
    """The names of the controllers that reconcile these kinds."""
    wanted = set(kinds)
    return tuple(name for name, own in CONTROLLERS.items() if wanted.intersection(own))


def lease_names(kinds: Iterable[str], selector: str = "") -> list[str]:
    """The Leases that the controllers of these kinds hold, in order: those of Flux's controllers for the same kinds, so
    that the two never act at once in a namespace; for a shard, names of its own.
    """
    shard = f"-{hashlib.sha256(selector.encode()).hexdigest()[:8]}" if selector else ""
    return sorted(f"{name}{shard}-leader-election" for name in controllers_of(kinds))


def whole_name(name: str) -> str:
    """The Lease of the whole to which the Lease of a shard belongs; any other name as it is."""
    return _SHARD.sub("-leader-election", name)


def resource_of(kind: str) -> Resource:
    """How a reconciled kind stands in URLs and rules."""
    return _RESOURCES[kind]


def _named(word: str) -> tuple[str, ...]:
    name = word.strip().lower()
    if name in WORDS:
        return WORDS[name]
    for resource in _RESOURCES.values():
        if name in (resource.kind.lower(), resource.plural, *resource.short_names):
            return (resource.kind,)
    known = ", ".join([*WORDS, *ALL])
    raise InvalidInput(f"{word!r} is no kind that Tidegate reconciles", where=Where(field="--kinds"), remedy=known)
