"""The annotation by which an ImagePolicy lets markers of other namespaces' automations name it. Pure."""

from __future__ import annotations

import re

from tidegate.base.errors import InvalidInput, Where
from tidegate.kinds.objects import Object, annotation

ALLOW_FROM = "tidegate.dev/allow-from"
"""Its value is `*`, or namespaces with commas between them."""
EVERY = "*"
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)


def allowed_namespaces(policy: Object) -> frozenset[str]:
    """The namespaces that an ImagePolicy allows besides its own, or EVERY; InvalidInput where it names none."""
    value = annotation(policy, ALLOW_FROM)
    if value is None:
        return frozenset()
    names = [name.strip() for name in str(value).split(",")]
    if wrong := next((name for name in names if name != EVERY and not _NAMESPACE.fullmatch(name)), None):
        raise _wrong(f"{wrong[:100]!r} is no namespace")
    if not all(names):
        raise _wrong("it names no namespace" if names == [""] else "between two commas stands no namespace")
    return frozenset(names)


def allows(policy: Object, namespace: str) -> bool:
    """Whether automations of a namespace may write what the policy selects. A wrong annotation allows nobody."""
    if (policy.get("metadata") or {}).get("namespace") == namespace:
        return True
    try:
        return not allowed_namespaces(policy).isdisjoint({namespace, EVERY})
    except InvalidInput:
        return False


def _wrong(message: str) -> InvalidInput:
    remedy = f'write namespaces with commas between them, as apps,shop, or "{EVERY}" for all of them'
    return InvalidInput(message, where=Where(field=f"metadata.annotations[{ALLOW_FROM}]"), remedy=remedy)
