"""Follows a repository that lies elsewhere, as the command line says: its source, and the folder that is deployed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from tidegate.base.errors import AlreadyExists, NotFound, TidegateError
from tidegate.base.frozen import frozen
from tidegate.engine.clock import Clock
from tidegate.engine.events import EventRecorder
from tidegate.engine.ports import Store, Trees
from tidegate.engine.view import Objects, View
from tidegate.git.command import redact
from tidegate.kinds.common import mapping
from tidegate.kinds.not_deployed import NOT_DEPLOYED, source_of, with_reason
from tidegate.kinds.objects import Object, ObjectKey, annotation, key_of
from tidegate.serve.bootstrap import NAMESPACE, ROOT, Choice, choose_folder, source_object, sync_object

MANAGER = "tidegate"
SOURCE = ObjectKey("source.toolkit.fluxcd.io", "GitRepository", NAMESPACE, ROOT)
KINDS = ((SOURCE.group, SOURCE.kind), ("kustomize.toolkit.fluxcd.io", "Kustomization"))
FOR_EVER = 10 * 365 * 86400.0
RETRY = 5.0
DEPLOYED = "deployed"
_log = logging.getLogger(__name__)


@frozen
class Followed:
    """What the command line said: a URL, its branch, and the folder where one was named."""

    url: str
    branch: str
    path: str | None = None


class Follower:
    """Makes the objects of what is followed. `say` gets the lines for people."""

    def __init__(self, store: Store, trees: Trees, clock: Clock, followed: Followed, say: Callable[[str], None]):
        self._store = store
        self._trees = trees
        self._followed = followed
        self._say = say
        self._clock = clock
        self._events = EventRecorder(store, clock, MANAGER)

    async def begin(self) -> None:
        """Say which source is followed, and which folder is deployed where the user named it."""
        await self._apply(source_object(self._followed.url, self._followed.branch))
        self._say(f"following {redact(self._followed.url)} at {self._followed.branch}: its workflows do not run here")
        if self._followed.path is not None:
            await self._apply(sync_object(self._followed.path))

    async def run(self) -> None:
        """Where no folder was named, look for the only one below `clusters/` in each revision, until one is there."""
        seen = ""
        async with View(self._store, KINDS) as view:
            while (revision := await view.until(partial(_next, seen=seen), timeout=FOR_EVER)) != DEPLOYED:
                if await self._went_well(self._decide(revision)):
                    seen = revision
            while not await self._went_well(self._mark(None)):
                pass

    async def _went_well(self, work: Awaitable[None]) -> bool:
        """False, after a pause, where it has to be tried again."""
        try:
            await work
        except TidegateError as error:
            _log.warning("what to deploy of %s is not settled yet: %s", redact(self._followed.url), error)
            await self._clock.sleep(RETRY)
            return False
        return True

    async def _decide(self, revision: str) -> None:
        try:
            files = await self._trees.open(SOURCE, revision)
        except NotFound:
            return  # the source has moved on; its next revision is looked at

        def chosen() -> Choice:
            with files:
                return choose_folder(files.paths())

        choice = await asyncio.to_thread(chosen)
        if choice.folder is None:
            await self._mark(choice)
            return
        try:
            await self._store.create(sync_object(choice.folder), manager=MANAGER)
        except AlreadyExists:
            return
        self._say(f"deploying {choice.folder} from {self._followed.branch}")

    async def _mark(self, choice: Choice | None) -> None:
        """Say on the source why nothing is deployed, or no longer."""
        source = await self._store.get(SOURCE)
        marked = with_reason(source, choice.reason, choice.message) if choice else source
        text = annotation(marked, NOT_DEPLOYED) if choice else None
        if text == annotation(source, NOT_DEPLOYED):
            return
        await self._store.patch(SOURCE, {"metadata": {"annotations": {NOT_DEPLOYED: text}}}, manager=MANAGER)
        if choice is not None:
            self._say(f"nothing is deployed: {choice.message}")
            await self._events.warning(source, choice.reason, choice.message)

    async def _apply(self, obj: Object) -> None:
        await self._store.apply(obj, manager=MANAGER, force=True)


def _next(objects: Objects, seen: str) -> str | None:
    """DEPLOYED once a Kustomization follows the source; else a revision that was not looked at yet."""
    if any(source_of(one) == SOURCE for one in objects["Kustomization"]):
        return DEPLOYED
    for source in objects["GitRepository"]:
        revision = str(mapping(mapping(source.get("status")).get("artifact")).get("revision", ""))
        if key_of(source) == SOURCE and revision not in ("", seen):
            return revision
    return None
