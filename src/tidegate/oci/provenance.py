"""From which commit an image was built, by the standard label in its configuration."""

from __future__ import annotations

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.kinds.reference import Reference, parse
from tidegate.oci.client import RegistryClient
from tidegate.oci.credentials import Access
from tidegate.oci.values import INDEX_TYPES, ImageConfig, Index, Manifest

REVISION = "org.opencontainers.image.revision"


async def revision_of_image(client: RegistryClient, access: Access, reference: str) -> str | None:
    """The value of the label `org.opencontainers.image.revision`; None where the image has none, is not there, or is
    none that could run (a chart, say).

    All platforms of an index are built from one commit, so its first image answers for all.
    """
    wanted, client = parse(reference), client.using(access)
    try:
        descriptor, data = await client.manifest(wanted)
        if descriptor.media_type in INDEX_TYPES:
            manifests = Index.from_bytes(data, descriptor.media_type).manifests
            if not manifests:
                return None
            descriptor, data = await client.manifest(Reference(wanted.repository, digest=manifests[0].digest))
        manifest = Manifest.from_bytes(data, descriptor.media_type)
        data = await client.read_blob(wanted.repository, manifest.config)
    except NotFound:
        return None
    try:
        config = ImageConfig.from_bytes(data)
    except InvalidInput:
        return None
    return config.config.labels.get(REVISION)
