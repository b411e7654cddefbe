"""What a call of a hook brings about: the objects that its Receiver names are asked to reconcile, and nothing else.

They are asked as `flux reconcile` asks, by the annotation `reconcile.fluxcd.io/requestedAt`, so that it does not matter
which process reconciles them; each finds out by itself what is new.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from math import ceil

from tidegate.base.errors import Denied, InvalidInput, NotFound, TidegateError
from tidegate.base.frozen import frozen
from tidegate.engine.clock import Clock
from tidegate.engine.ports import Store
from tidegate.engine.status import REQUESTED_AT
from tidegate.engine.view import View
from tidegate.kinds.api_kinds import KINDS
from tidegate.kinds.common import LabelSelector
from tidegate.kinds.conditions import READY, is_true
from tidegate.kinds.objects import Object, ObjectKey, key_of
from tidegate.kinds.receiver import GROUP, KIND, Receiver, ReceiverResource
from tidegate.notify.calls import Call, news
from tidegate.notify.receivers import CONTROLLER, token_of

BURST, PER_SECOND = 30, 1.0
"""As many calls of one hook are answered at once, and as many in the long run."""
WOKEN_LIMIT = 1_000
_log = logging.getLogger(f"tidegate.{CONTROLLER}")


@frozen
class Answer:
    """What the caller gets; with `retry_after` seconds where it called too often."""

    code: int
    text: str
    retry_after: int | None = None


class Hooks:
    """The hooks of all Receivers, while `run` follows them."""

    def __init__(self, store: Store, clock: Clock):
        self._store = store
        self._clock = clock
        self._view: View | None = None
        self._budgets: dict[ObjectKey, _Budget] = {}

    async def run(self) -> None:
        """Follow the Receivers until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):  # they can't be listed yet
                async with View(self._store, [(GROUP, KIND)]) as self._view:
                    await asyncio.Event().wait()

    def at(self, path: str) -> Object | None:
        """The Receiver that listens at a path, `/hook/…`."""
        for obj in self._view.objects[KIND] if self._view else ():
            if (obj.get("status") or {}).get("webhookPath") == path:
                return obj
        return None

    def refusal(self, receiver: Object) -> Answer | None:
        """Why a Receiver answers no call now, before the call's body is read; None where it does."""
        if (receiver.get("spec") or {}).get("suspend"):
            return Answer(503, "unable to process request: the receiver is suspended")
        if not is_true((receiver.get("status") or {}).get("conditions") or [], READY):
            return Answer(503, "unable to process request: the receiver is not ready")
        budget = self._budgets.setdefault(key_of(receiver), _Budget(self._clock.monotonic()))
        wait = budget.take(self._clock.monotonic())
        return Answer(429, "too many calls", retry_after=ceil(wait)) if wait else None

    async def receive(self, receiver: Object, headers: Mapping[str, str], body: bytes) -> Answer:
        """Verify a call of a Receiver's hook, and wake what it names; the caller is told in few words."""
        key = key_of(receiver)
        try:
            spec = Receiver.from_object(receiver)
            event = news(spec.type, Call(headers, body), await token_of(spec, self._store), spec.events)
            if event is None:
                return Answer(200, "nothing to do for this event")
            woken = await self._wake(spec)
        except (Denied, InvalidInput) as error:
            _log.warning("a call was refused: %s", error, extra={"object": _named(key)})
            return Answer(400, f"unable to validate the call: {error.message}")
        except TidegateError as error:
            _log.error("a call could not be answered: %s", error, extra={"object": _named(key)})
            return Answer(500, "unable to process request: see the log of notification-controller")
        _log.info("%s: %d objects asked to reconcile", event, woken, extra={"object": _named(key)})
        return Answer(200, f"{woken} {'object' if woken == 1 else 'objects'} asked to reconcile")

    async def _wake(self, spec: Receiver) -> int:
        """All that are there are woken, also where one of them is missing: that is what NotFound then says."""
        missing: list[str] = []
        woken: set[ObjectKey] = set()
        for resource in spec.resources:
            for key in await self._named_by(resource, spec.key.namespace):
                if len(woken) < WOKEN_LIMIT and key not in woken:
                    woken.add(key)
                    if not await self._ask(key):
                        missing.append(str(key))
        if missing:
            raise NotFound(f"the Receiver names what is not there: {', '.join(missing)}")
        return len(woken)

    async def _named_by(self, resource: ReceiverResource, namespace: str) -> Sequence[ObjectKey]:
        group = resource.group or group_of_kind(resource.kind)
        namespace = resource.namespace or namespace
        if resource.name != "*":
            return [ObjectKey(group, resource.kind, namespace, resource.name)]
        meant = LabelSelector(resource.match_labels)
        found = (await self._store.list(group, resource.kind)).items
        labelled = [key_of(obj) for obj in found if meant.matches(obj["metadata"].get("labels") or {})]
        return [key for key in labelled if key.namespace == namespace]

    async def _ask(self, key: ObjectKey) -> bool:
        """Whether the object is there."""
        patch = {"metadata": {"annotations": {REQUESTED_AT: self._clock.now().isoformat()}}}
        try:
            await self._store.patch(key, patch, manager=CONTROLLER)
        except NotFound:
            return False
        return True


class _Budget:
    """A bucket of tokens, from Receiver to Receiver."""

    def __init__(self, now: float):
        self._tokens = float(BURST)
        self._seen = now

    def take(self, now: float) -> float:
        """Take a token; else the seconds until there is one."""
        self._tokens = min(BURST, self._tokens + (now - self._seen) * PER_SECOND)
        self._seen = now
        if self._tokens < 1:
            return (1 - self._tokens) / PER_SECOND
        self._tokens -= 1
        return 0.0


def group_of_kind(kind: str) -> str:
    """The group in which Flux has a kind; empty for a kind that Flux does not have."""
    return next((group for group, kinds in KINDS.items() if group.endswith(".fluxcd.io") and kind in kinds), "")


def _named(key: ObjectKey) -> Mapping[str, str]:
    return {"kind": key.kind, "namespace": key.namespace, "name": key.name}
