"""Leader election by Leases, so that of several processes only one acts; by the protocol of Kubernetes' client-go.

No clock of another machine is trusted: a Lease has run out once it has not changed for its whole duration on this
process's own monotonic clock. The leader stops earlier than anybody can follow it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from tidegate.base.errors import AlreadyExists, Conflict, NotFound, TidegateError, Unavailable
from tidegate.base.frozen import frozen
from tidegate.engine.clock import Clock
from tidegate.engine.ports import Store
from tidegate.kinds.objects import Object, ObjectKey

GROUP, KIND = "coordination.k8s.io", "Lease"
_log = logging.getLogger("tidegate.leader")


@frozen
class Timing:
    """In seconds: how long a Lease lasts without renewal, how soon its holder gives up, how often each one looks.

    `deadline` must be well below `duration`: what the holder began just before it must be over when another follows.
    """

    duration: float = 15.0
    deadline: float = 10.0
    retry: float = 2.0


class LeadershipLost(Unavailable):
    """This process may no longer act: it could not renew its Lease in time. It should end and begin anew."""

    code = "LeadershipLost"


@dataclass(slots=True)
class _Lease:
    """What this process knows of one Lease: its spec when it last changed, when that was seen, where it is ours when
    the renewal was begun that went through, and what is wrong where the last one did not.
    """

    name: str
    spec: dict[str, Any] | None = None
    changed_at: float = 0.0
    renewed_at: float | None = None
    trouble: str = ""


class Leadership:
    """Holds the Leases `names` of a namespace together, for `identity` (unique to this process).

    They are taken in the given order, which must be the same everywhere.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        namespace: str,
        names: Sequence[str],
        identity: str,
        timing: Timing | None = None,
    ):
        self._store = store
        self._clock = clock
        self._namespace = namespace
        self._identity = identity
        self._timing = timing or Timing()
        self._leases = [_Lease(name) for name in names]

    async def acquire(self) -> None:
        """Wait until every Lease is held; whoever holds one now is named in the log."""
        for place, lease in enumerate(self._leases):
            told = None
            while not await self._attempt(lease):
                holder = (lease.spec or {}).get("holderIdentity")
                if holder != told:
                    _log.info("waiting for the lease %s/%s, which %s holds", self._namespace, lease.name, holder)
                    told = holder
                await self._clock.sleep(self._timing.retry)
                for held in self._leases[:place]:
                    await self._attempt(held)
                for later in self._leases[place + 1 :]:
                    await self._observe(later)
            _log.info("holding the lease %s/%s", self._namespace, lease.name)

    async def hold(self) -> NoReturn:
        """Renew until that fails for too long, or another holds a Lease: LeadershipLost."""
        while True:
            await self._clock.sleep(self._timing.retry)
            # At the same time: one after the other, a slow server would let the last one run out.
            await asyncio.gather(*(self._attempt(lease) for lease in self._leases))
            for lease in self._leases:
                if lease.renewed_at is None:
                    holder = (lease.spec or {}).get("holderIdentity")
                    raise LeadershipLost(
                        f"the lease {self._namespace}/{lease.name} was taken over by {holder}",
                        remedy="that one acts now; this process ends, to be started again and wait for its turn",
                    )
            self.check()

    def check(self) -> None:
        """Ask this right before anything is changed: LeadershipLost where another process may act by now, for instance
        because this one was stopped for a while.
        """
        for lease in self._leases:
            if lease.renewed_at is None or self._clock.monotonic() - lease.renewed_at >= self._timing.deadline:
                message = (
                    f"the lease {self._namespace}/{lease.name} could not be renewed for {self._timing.deadline:g} s"
                )
                raise LeadershipLost(
                    f"{message}: {lease.trouble}" if lease.trouble else message,
                    remedy="is the API server reachable, and this process not short of CPU?",
                )

    async def release(self) -> None:
        """Let others follow at once. Errors are left to the Lease's running out."""
        for lease in self._leases:
            if lease.renewed_at is None:
                continue
            lease.renewed_at = None
            try:
                live = await self._store.get(self._key(lease))
                if live["spec"].get("holderIdentity") == self._identity:
                    spec = live["spec"] | {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": self._now()}
                    await self._store.update(live | {"spec": spec}, manager=self._identity)
            except TidegateError as error:
                _log.info("the lease %s was not released: %s", lease.name, error)

    async def _attempt(self, lease: _Lease) -> bool:
        """Take or renew one Lease; False where it is another's, or the store doesn't answer."""
        begun = self._clock.monotonic()
        try:
            await self._take(lease, begun)
        except (Conflict, NotFound):
            return False  # somebody was quicker
        except TidegateError as error:
            _log.warning("the lease %s/%s can't be renewed: %s", self._namespace, lease.name, error)
            lease.trouble = str(error)
            return False
        lease.trouble = ""
        return lease.renewed_at == begun

    async def _observe(self, lease: _Lease) -> None:
        """See whether a Lease that is wanted later changes: those of one dead holder all run out at once."""
        try:
            self._note(lease, await self._store.get(self._key(lease)))
        except TidegateError:
            return  # its turn comes, and tells

    def _note(self, lease: _Lease, live: Object) -> None:
        if live["spec"] != lease.spec:
            lease.spec, lease.changed_at = live["spec"], self._clock.monotonic()

    async def _take(self, lease: _Lease, begun: float) -> None:
        try:
            live = await self._store.get(self._key(lease))
        except NotFound:
            try:
                await self._store.create(self._new(lease), manager=self._identity)
            except AlreadyExists:
                return
            lease.renewed_at = begun
            return
        self._note(lease, live)
        if not self._is_free(lease, live):
            lease.renewed_at = None
            return
        written = await self._store.update(live | {"spec": self._renewed(live["spec"])}, manager=self._identity)
        lease.spec, lease.renewed_at = written["spec"], begun

    def _is_free(self, lease: _Lease, live: Object) -> bool:
        """Whether it is ours, nobody's, or has run out."""
        holder = live["spec"].get("holderIdentity")
        if holder in (self._identity, None, ""):
            return True
        duration = max(self._timing.duration, float(live["spec"].get("leaseDurationSeconds") or 0))
        return self._clock.monotonic() - lease.changed_at > duration

    def _renewed(self, spec: dict[str, Any]) -> dict[str, Any]:
        now = self._now()
        own = {"holderIdentity": self._identity, "leaseDurationSeconds": int(self._timing.duration), "renewTime": now}
        if spec.get("holderIdentity") == self._identity:
            return spec | own
        return spec | own | {"acquireTime": now, "leaseTransitions": int(spec.get("leaseTransitions") or 0) + 1}

    def _new(self, lease: _Lease) -> Object:
        spec = self._renewed({}) | {"leaseTransitions": 0}
        metadata = {"name": lease.name, "namespace": self._namespace}
        return {"apiVersion": f"{GROUP}/v1", "kind": KIND, "metadata": metadata, "spec": spec}

    def _key(self, lease: _Lease) -> ObjectKey:
        return ObjectKey(GROUP, KIND, self._namespace, lease.name)

    def _now(self) -> str:
        return self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
