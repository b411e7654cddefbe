"""The tags of the registry in this very process, read from its folder: 100 000 of them are no answer over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Protocol, Self

from tidegate.kinds.reference import Repository
from tidegate.oci.blobs import BlobStore
from tidegate.oci.credentials import Access


class Elsewhere(Protocol):
    """Asks any other registry."""

    async def tags(self, repository: Repository) -> list[str]:
        """Every tag, each of them once."""
        ...

    def using(self, access: Access) -> Self:
        """The same with another access."""
        ...


class OwnTags:
    """Lists tags: of `hosts` from `blobs`, whose reading is open on this machine; of all others by `elsewhere`."""

    def __init__(self, blobs: BlobStore, hosts: Collection[str], elsewhere: Elsewhere):
        self._blobs = blobs
        self._hosts = frozenset(hosts)
        self._elsewhere = elsewhere

    def using(self, access: Access) -> OwnTags:
        """The same with another access to the other registries."""
        return OwnTags(self._blobs, self._hosts, self._elsewhere.using(access))

    async def tags(self, repository: Repository) -> list[str]:
        """Every tag, each of them once; NotFound for an unknown repository, Unavailable where no list was to be had."""
        if repository.registry in self._hosts:
            return await asyncio.to_thread(self._blobs.tags, repository.path)
        return await self._elsewhere.tags(repository)
