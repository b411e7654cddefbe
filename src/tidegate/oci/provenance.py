"""From which commit an image was built, by the standard label in its configuration."""

from __future__ import annotations

from typing import Protocol, Self

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.kinds.reference import Reference, Repository, parse
from tidegate.oci.credentials import Access
from tidegate.oci.values import INDEX_TYPES, Descriptor, ImageConfig, Index, Manifest

REVISION = "org.opencontainers.image.revision"


class Images(Protocol):
    """Reads images of any registry."""

    async def manifest(self, reference: Reference) -> tuple[Descriptor, bytes]:
        """A manifest or index and its bytes; NotFound."""
        ...

    async def read_blob(self, repository: Repository, descriptor: Descriptor) -> bytes:
        """A small blob; NotFound."""
        ...

    def using(self, access: Access) -> Self:
        """The same with another access."""
        ...


async def revision_of_image(images: Images, access: Access, reference: str) -> str | None:
    """The value of the label `org.opencontainers.image.revision`; None where the image has none, is not there, or is
    none that could run (a chart, say).

    All platforms of an index are built from one commit, so its first image answers for all.
    """
    wanted, images = parse(reference), images.using(access)
    try:
        descriptor, data = await images.manifest(wanted)
        if descriptor.media_type in INDEX_TYPES:
            manifests = Index.from_bytes(data, descriptor.media_type).manifests
            if not manifests:
                return None
            descriptor, data = await images.manifest(Reference(wanted.repository, digest=manifests[0].digest))
        manifest = Manifest.from_bytes(data, descriptor.media_type)
        data = await images.read_blob(wanted.repository, manifest.config)
    except NotFound:
        return None
    try:
        config = ImageConfig.from_bytes(data)
    except InvalidInput:
        return None
    return config.config.labels.get(REVISION)
