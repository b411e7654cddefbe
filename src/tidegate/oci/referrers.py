"""The manifests that refer to an image, as OCI's distribution specification v1.1 lists them: by its referrers API, and
where a registry has none, by the index under the tag that stands in for it.
"""

from __future__ import annotations

from tidegate.base.errors import InvalidInput, NotFound, TidegateError, Unavailable
from tidegate.kinds.reference import Reference, Repository
from tidegate.oci.reading import ImageReader
from tidegate.oci.values import INDEX_TYPES, Descriptor, Index

MOST_REFERRERS = 64


def fallback_tag(digest: str) -> str:
    """The tag of the referrers' index where there is no API (Referrers Tag Schema)."""
    return digest.replace(":", "-", 1)


async def referrers(client: ImageReader, repository: Repository, digest: str) -> tuple[Descriptor, ...]:
    """What refers to a manifest, at most MOST_REFERRERS of it; nothing where nothing does. Raises Unavailable."""
    found = await _by_api(client, repository, digest)
    if found is None:
        found = await _by_tag(client, repository, digest)
    return found[:MOST_REFERRERS]


async def _by_api(client: ImageReader, repository: Repository, digest: str) -> tuple[Descriptor, ...] | None:
    """None where the registry has no such API: it may answer 404, another error, or a page for people."""
    try:
        pages = await client.referrers(repository, digest)
        return None if pages is None else tuple(one for page in pages for one in Index.from_bytes(page).manifests)
    except Unavailable:
        raise
    except TidegateError:
        return None


async def _by_tag(client: ImageReader, repository: Repository, digest: str) -> tuple[Descriptor, ...]:
    try:
        descriptor, data = await client.manifest(Reference(repository, fallback_tag(digest)))
        if descriptor.media_type not in INDEX_TYPES:
            return ()
        return Index.from_bytes(data, descriptor.media_type).manifests
    except (NotFound, InvalidInput):
        return ()
