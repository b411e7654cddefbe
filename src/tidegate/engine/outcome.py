"""What a reconciliation came to. A controller returns one; the engine applies it once: conditions, status, event,
requeue. A raised TidegateError is the fourth outcome: Ready=False with its code as the reason, then backoff.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any, Protocol

from tidegate.base.errors import TidegateError
from tidegate.base.frozen import frozen
from tidegate.engine.clock import Clock
from tidegate.engine.ports import Store
from tidegate.kinds.conditions import Condition
from tidegate.kinds.objects import Object, ObjectKey


@frozen
class Ready:
    """The object is as its spec says.

    `status` is merged into the object's status (RFC 7396). `requeue_after` is in seconds, about; None means only when
    something changes. `at_latest` is when it comes again if not before, in seconds exactly. `event` is the text of a
    Normal event, None for none (nothing new happened). `conditions` are further conditions besides Ready.
    """

    message: str
    reason: str = "Succeeded"
    status: Mapping[str, Any] = field(default_factory=dict)
    requeue_after: float | None = None
    event: str | None = None
    conditions: Sequence[Condition] = ()
    at_latest: float | None = None


@frozen
class Waiting:
    """Nothing is wrong, but something else must happen first; `on` names it for people."""

    on: str
    reason: str = "DependencyNotReady"
    status: Mapping[str, Any] = field(default_factory=dict)
    requeue_after: float | None = None


@frozen
class Stalled:
    """The spec is wrong: no retry until it changes. `reason` is Flux's word for it. `conditions` are further ones."""

    reason: str
    message: str
    status: Mapping[str, Any] = field(default_factory=dict)
    conditions: Sequence[Condition] = ()


class Failed(TidegateError):
    """A raised error that says more than Ready=False: `conditions` are further ones."""

    def __init__(self, message: str, *, code: str, remedy: str | None = None, conditions: Sequence[Condition] = ()):
        super().__init__(message, code=code, remedy=remedy)
        self.conditions = conditions


@frozen
class Handled:
    """For kinds whose status is not Flux's (Deployment, WorkflowRun): the controller has written it itself."""

    requeue_after: float | None = None


Outcome = Ready | Waiting | Stalled | Handled


class Events(Protocol):
    """Kubernetes events, repeated ones counted up rather than added."""

    async def normal(self, regarding: Object, reason: str, message: str) -> None: ...

    async def warning(self, regarding: Object, reason: str, message: str) -> None: ...


@frozen
class Context:
    """What a controller gets with each call. It never knows which home it is in."""

    store: Store
    clock: Clock
    events: Events


def whole(changed: Object) -> object:
    """The default of Trigger.relevant: any change counts."""
    return changed.get("metadata", {}).get("resourceVersion")


@frozen
class Trigger:
    """A change of another kind wakes objects of ours. It only hints: what to do is derived from what is stored.

    `wakes(changed, all)` names the objects to wake, given all stored objects of the controller's own kind; they are
    woken only when `relevant(changed)` gives another value than before.
    """

    group: str
    kind: str
    wakes: Callable[[Object, Sequence[Object]], Sequence[ObjectKey]]
    relevant: Callable[[Object], object] = whole


class Controller(Protocol):
    """One kind's reconciler. `name` is Flux's name for the controller (`image-reflector-controller`): the event
    source, the log's name and the field manager.
    """

    name: str
    group: str
    kind: str
    triggers: Sequence[Trigger]

    async def reconcile(self, obj: Object, ctx: Context) -> Outcome:
        """Bring the world to what `obj` says. Called serially for each object, in parallel across objects; safe to
        repeat at any moment, also after a crash at any step. An object with deletionTimestamp is to be cleaned up
        and its finalizer removed.
        """
        ...
