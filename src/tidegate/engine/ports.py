"""The ports between controllers and the home they run in. A controller sees these, a Clock and the clients, no more.

Each port has two homes (one machine, a cluster) and one contract suite that every implementation passes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol, Self

from tidegate.base.errors import NotFound
from tidegate.base.files import Files
from tidegate.base.frozen import frozen
from tidegate.kinds.objects import Object, ObjectKey

LastLines = Callable[[str, str, str, bool], Awaitable[Sequence[str]]]
"""The last lines of a container's log, by namespace, pod and container; with True those of the run before this one. On
one machine a pod's status has them, so no such thing is needed there.
"""


@frozen
class Listing:
    """Objects, and the resource version from which a watch goes on without a gap."""

    items: list[Object]
    resource_version: str


@frozen
class WatchEvent:
    """`type` is ADDED, MODIFIED or DELETED, as the API's watch says it."""

    type: str
    object: Object


@frozen
class Applied:
    """What an apply left behind, and whether it was created or changed by it."""

    object: Object
    created: bool
    changed: bool


class Store(Protocol):
    """Objects and their status, with the Kubernetes API's semantics.

    Errors: NotFound, AlreadyExists, Conflict (a stale resourceVersion or uid, another manager's field), InvalidInput.
    Returned objects are the caller's own copies. `metadata.generation` grows when anything but status and metadata
    changes; `metadata.uid`, `creationTimestamp` and `resourceVersion` are the store's.
    """

    async def get(self, key: ObjectKey) -> Object:
        """The object; NotFound."""
        ...

    async def list(
        self, group: str, kind: str, *, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Listing:
        """All objects of a kind, by namespace and by equality of labels, sorted by namespace and name."""
        ...

    async def create(self, obj: Object, *, manager: str) -> Object:
        """Store a new object; AlreadyExists."""
        ...

    async def update(self, obj: Object, *, manager: str) -> Object:
        """Replace all but status. With `metadata.resourceVersion` set, Conflict unless it is the present one."""
        ...

    async def apply(self, obj: Object, *, manager: str, force: bool = False, dry_run: bool = False) -> Applied:
        """Server-side apply: fields this manager gave before and no longer gives are removed; a field that another
        manager owns with another value is a Conflict that names it, unless `force`. Nothing is written where nothing
        changes. Status is never touched.
        """
        ...

    async def patch(self, key: ObjectKey, patch: Mapping[str, Any], *, manager: str) -> Object:
        """JSON merge patch (RFC 7396) of metadata and spec."""
        ...

    async def patch_status(
        self,
        key: ObjectKey,
        status: Mapping[str, Any],
        *,
        manager: str,
        uid: str | None = None,
        beside_owner: bool = False,
    ) -> Object:
        """JSON merge patch (RFC 7396) of status alone; lists are replaced whole. With `uid`, Conflict on another.
        OwnedByAnother where another program writes this status; with `beside_owner`, only where what is to be written
        would take something from it. Nothing is written where nothing changes.
        """
        ...

    async def delete(self, key: ObjectKey, *, uid: str | None = None) -> None:
        """Delete; with finalizers, set deletionTimestamp and wait for them to be removed. NotFound."""
        ...

    def other_owner(self, obj: Object) -> str | None:
        """Who else, by what `obj` itself says, writes its status; None where that is us or nobody."""
        ...

    def watch(
        self, group: str, kind: str, *, namespace: str | None = None, since: str | None = None
    ) -> AsyncIterator[WatchEvent]:
        """Changes after a resource version (None: from now on), in order and without a gap; Conflict with code
        `Expired` where that version is no longer kept (the API's 410).
        """
        ...


class Workloads(Protocol):
    """What a Kustomization applies: its objects, live."""

    async def apply(self, obj: Object, *, manager: str, force: bool = False, dry_run: bool = False) -> Applied:
        """Server-side apply of one object; what another manager has set otherwise is taken back. Nothing is written
        where nothing changes, nor in a dry run. With `force`, an object whose fixed fields are to change is deleted and
        made anew. When this returns, what was applied can be used: a namespace filled, a definition's objects applied.
        """
        ...

    async def get(self, key: ObjectKey) -> Object:
        """The live object with its status; NotFound."""
        ...

    async def pods(self, namespace: str) -> list[Object]:
        """The Pods of a namespace, which say why a workload is not ready. Denied where they may not be read."""
        ...

    async def delete(self, key: ObjectKey) -> None:
        """Delete it and what it owns; NotFound."""
        ...

    def unsupported(self, obj: Object) -> str | None:
        """Why this home keeps an object of that kind but can't run it; None where it can."""
        ...


class OpenFiles(Files, Protocol):
    """Files that hold something open until the end of a `with` block."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Trees(Protocol):
    """A source's artifact → its files."""

    async def record(self, source: ObjectKey, recipe: Mapping[str, Any]) -> None:
        """Say how a source's files are made: what that is, as JSON, only the source station knows."""
        ...

    async def open(self, source: ObjectKey, revision: str, digest: str | None = None) -> OpenFiles:
        """The files of an artifact by its revision and digest; NotFound where it is not kept. They are read in the
        calling thread: use to_thread.
        """
        ...


class TagsLost(NotFound):
    """No tags of an image are kept, or what is kept was damaged: its next scan brings them back."""

    code = "TagsLost"


class Tags(Protocol):
    """An image (canonical repository) → its tags, in a file that a scan can rebuild."""

    async def put(self, repository: str, tags: Sequence[str]) -> str:
        """Keep the tags; the answer is their checksum (Flux's `lastScanResult.revision`)."""
        ...

    async def get(self, repository: str) -> list[str]:
        """The tags as last put, sorted; TagsLost."""
        ...

    async def lines(self, repository: str, revision: str) -> str:
        """The same as one text, a line for each, which takes a fifth of the memory; TagsLost, also where the tags have
        not the checksum `revision`.
        """
        ...

    async def delete(self, repository: str) -> None:
        """Forget them."""
        ...


class Jobs(Protocol):
    """Where a workflow's jobs run. A job is given as JSON (the runner's plan for it), so that it can cross a process
    boundary or become a Kubernetes Job; what it prints comes back line by line.
    """

    async def run(self, job: Mapping[str, Any], events: JobEvents) -> Mapping[str, Any]:
        """Run a job to its end and return its result (`conclusion`, `outputs`, `steps`). Cancelling the task that
        awaits this ends the job and all its processes.
        """
        ...


class JobEvents(Protocol):
    """What a running job tells while it runs."""

    async def log(self, step: str, line: str) -> None:
        """One line of a step's log, secrets already masked."""
        ...

    async def step(self, step: Mapping[str, Any]) -> None:
        """A step began or ended: `id`, `name`, `number`, `status`, `conclusion`, `startedAt`, `completedAt`."""
        ...

    async def progress(self, line: str) -> None:
        """A line for whoever waits for the run, not for its log alone: an image's platform is built, say."""
        ...

    async def waits(self, reason: str) -> None:
        """The job has not begun: what it waits for now. Empty once it has."""
        ...

    async def summary(self, text: str) -> None:
        """Markdown to add to the run's summary."""
        ...

    async def cancelled(self) -> None:
        """Returns once somebody asked the job to end: its step is ended, its steps for that case (`always()`) run."""
        ...
