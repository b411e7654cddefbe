"""Tells of annotations that nothing reads: they may be misspelt."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.engine.outcome import Context
from tidegate.kinds.objects import Object, ObjectKey, key_of


class Misspelt:
    """Tells by an event what nothing reads of an object, once as long as it stands there. `what` is such an object for
    people (`an ImagePolicy`), `known` are the annotations that there are.
    """

    def __init__(self, what: str, known: Sequence[str]):
        self._what = what
        self._known = known
        self._told: dict[ObjectKey, list[str]] = {}

    async def tell(self, obj: Object, unknown: list[str], ctx: Context) -> None:
        """Tell of those that are `unknown` now."""
        key = key_of(obj)
        if unknown == self._told.get(key, []):
            return
        self._told[key] = unknown
        if unknown:
            message = f"nothing reads {', '.join(unknown)} of {self._what}; there are {', '.join(self._known)}"
            await ctx.events.warning(obj, "UnknownAnnotation", message)
