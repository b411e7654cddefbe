"""The finalizer that Flux's controllers put on every object of theirs, and who takes it off once they are gone."""

from __future__ import annotations

from tidegate.engine.outcome import Context
from tidegate.kinds.objects import Object, key_of

FINALIZER = "finalizers.fluxcd.io"


async def let_go(obj: Object, ctx: Context, *, manager: str) -> bool:
    """Whether an object is being deleted; then Flux's finalizer is taken off it, and other ones are left to others.

    For kinds of which nothing has to be undone. A controller of Flux that worked on the object before left it there,
    and without this the object would stay for ever.
    """
    if not obj["metadata"].get("deletionTimestamp"):
        return False
    found = obj["metadata"].get("finalizers") or []
    if FINALIZER in found:
        remaining = [name for name in found if name != FINALIZER]
        await ctx.store.patch(key_of(obj), {"metadata": {"finalizers": remaining or None}}, manager=manager)
    return True
