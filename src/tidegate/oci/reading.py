"""The part of a registry client that reading an image needs, for those who decide on images."""

from __future__ import annotations

from typing import Protocol

from tidegate.kinds.reference import Reference, Repository
from tidegate.oci.credentials import Access
from tidegate.oci.values import Descriptor


class ImageReader(Protocol):
    """Manifests by tag or digest, small blobs, and what refers to an image; `RegistryClient` says what each raises."""

    def using(self, access: Access) -> ImageReader: ...

    async def head(self, reference: Reference) -> Descriptor | None: ...

    async def manifest(self, reference: Reference) -> tuple[Descriptor, bytes]: ...

    async def read_blob(self, repository: Repository, descriptor: Descriptor) -> bytes: ...

    async def referrers(self, repository: Repository, digest: str) -> list[bytes] | None: ...
