"""The images of the registry in this very process, read from its folder: 100 000 tags are no answer over HTTP, and a
manifest is there sooner than a request for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Protocol, Self

from tidegate.base.errors import LimitExceeded, NotFound
from tidegate.kinds.reference import Reference, Repository
from tidegate.oci.blobs import BlobStore
from tidegate.oci.credentials import Access
from tidegate.oci.values import MANIFEST_LIMIT, Descriptor


class Elsewhere(Protocol):
    """Asks any other registry."""

    async def tags(self, repository: Repository) -> list[str]:
        """Every tag, each of them once."""
        ...

    async def manifest(self, reference: Reference) -> tuple[Descriptor, bytes]:
        """A manifest or index."""
        ...

    async def read_blob(self, repository: Repository, descriptor: Descriptor) -> bytes:
        """A small blob."""
        ...

    def using(self, access: Access) -> Self:
        """The same with another access."""
        ...


class OwnImages:
    """Reads tags, manifests and configurations: of `hosts` from `blobs`, whose reading is open on this machine; of all
    others by `elsewhere`.
    """

    def __init__(self, blobs: BlobStore, hosts: Collection[str], elsewhere: Elsewhere):
        self._blobs = blobs
        self._hosts = frozenset(hosts)
        self._elsewhere = elsewhere

    def using(self, access: Access) -> OwnImages:
        """The same with another access to the other registries."""
        return OwnImages(self._blobs, self._hosts, self._elsewhere.using(access))

    async def tags(self, repository: Repository) -> list[str]:
        """Every tag, each of them once; NotFound for an unknown repository, Unavailable where no list was to be had."""
        if repository.registry in self._hosts:
            return await asyncio.to_thread(self._blobs.tags, repository.path)
        return await self._elsewhere.tags(repository)

    async def manifest(self, reference: Reference) -> tuple[Descriptor, bytes]:
        """A manifest or index and its bytes; NotFound."""
        if reference.repository.registry not in self._hosts:
            return await self._elsewhere.manifest(reference)
        wanted = reference.digest or reference.tag or ""
        found = await asyncio.to_thread(self._blobs.manifest, reference.repository.path, wanted)
        return Descriptor.of(found.media_type, found.data), found.data

    async def read_blob(self, repository: Repository, descriptor: Descriptor) -> bytes:
        """A blob of at most MANIFEST_LIMIT bytes; NotFound, LimitExceeded."""
        if repository.registry not in self._hosts:
            return await self._elsewhere.read_blob(repository, descriptor)
        return await asyncio.to_thread(self._own_blob, repository.path, descriptor.digest)

    def _own_blob(self, repository: str, digest: str) -> bytes:
        size = self._blobs.blob_size(repository, digest)
        if size is None:
            raise NotFound(f"{repository} has no blob {digest}")
        if size > MANIFEST_LIMIT:
            raise LimitExceeded(f"the blob {digest} of {repository} is larger than {MANIFEST_LIMIT} bytes")
        return self._blobs.blob_path(digest).read_bytes()
