"""All pods that run in this process: who is ready for whom, and word of every change."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

from tidegate.runtime.pod_worker import PodWorker


class Fleet:
    """Workers by their pod's uid."""

    def __init__(self) -> None:
        self._workers: dict[str, PodWorker] = {}
        self._withdrawn: set[str] = set()
        self._changed = asyncio.Event()

    def __iter__(self) -> Iterator[PodWorker]:
        return iter(list(self._workers.values()))

    def get(self, uid: str) -> PodWorker | None:
        """The worker of a pod, if it has one."""
        return self._workers.get(uid)

    def add(self, worker: PodWorker) -> None:
        """A pod is run from now on."""
        self._workers[worker.uid] = worker
        self.tell()

    def remove(self, uid: str) -> None:
        """A pod has ended."""
        self._workers.pop(uid, None)
        self._withdrawn.discard(uid)
        self.tell()

    def withdraw(self, uid: str) -> None:
        """A pod is about to end: from now on it gets no new connection, before its worker has even heard of it."""
        if uid in self._workers:
            self._withdrawn.add(uid)

    def is_ready(self, uid: str) -> bool:
        """Whether a pod serves now. Its stored status may be that of a process which was killed."""
        worker = self._workers.get(uid)
        return worker is not None and worker.backend is not None

    def tell(self) -> None:
        """Wake whoever waits for a change."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def change(self) -> None:
        """Wait for the next change of any pod."""
        await self._changed.wait()

    def selected(self, namespace: str, selector: Mapping[str, str]) -> list[PodWorker]:
        """The pods that a selector means, those that are ending left out, the oldest first."""
        return [
            worker
            for worker in self._workers.values()
            if not worker.stopping
            and worker.uid not in self._withdrawn
            and worker.pod["metadata"]["namespace"] == namespace
            and selector.items() <= (worker.pod["metadata"].get("labels") or {}).items()
        ]
