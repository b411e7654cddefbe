"""The Trees port of a process whose disk may be new: what is not here is fetched from where its source says."""

from __future__ import annotations

from tidegate.base.errors import NotFound
from tidegate.engine.ports import OpenFiles, Store, Trees
from tidegate.git.origins import Origins
from tidegate.kinds.objects import ObjectKey
from tidegate.source.reading import read_source


class FetchedTrees:
    """Answers from `kept`; a revision that is not there, after a restart or in a process without the source
    controller, is fetched once.
    """

    def __init__(self, kept: Trees, origins: Origins, store: Store):
        self._kept = kept
        self._origins = origins
        self._store = store

    async def record(self, source: ObjectKey, revision: str, location: str) -> None:
        """Say where the files of a revision are."""
        await self._kept.record(source, revision, location)

    async def open(self, source: ObjectKey, revision: str) -> OpenFiles:
        """The files; NotFound where the remote has moved on and no longer has that commit."""
        try:
            return await self._kept.open(source, revision)
        except NotFound:
            found = await read_source(self._origins, self._store, await self._store.get(source))
            await self._kept.record(source, revision, str(found.repository.path))
            return await self._kept.open(source, revision)
