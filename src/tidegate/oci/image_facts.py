"""What of an image decides whether a policy may select it, read from the registry only when asked and only once:
for which platforms it is there, when it was made, since when it is known here.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime

from tidegate.base.errors import InvalidInput, LimitExceeded
from tidegate.engine.clock import rfc3339
from tidegate.kinds.platform import Platform
from tidegate.kinds.reference import Reference, Repository
from tidegate.oci.facts_cache import Facts
from tidegate.oci.image import compatible
from tidegate.oci.reading import ImageReader
from tidegate.oci.values import INDEX_TYPES, Descriptor, ImageConfig, Index, Manifest

LONGEST_FACT = 4000
EARLIEST = datetime(2001, 1, 1, tzinfo=UTC)
"""What builds for the same bytes each time write as the time of creation (1970, 1980, Go's zero) lies before."""
_ATTESTATION = "vnd.docker.reference.type"
_FAULT = "!"


class ImageFacts:
    """Facts of the images of one repository, by digest.

    What is no image raises InvalidInput, and what is not there NotFound. What the registry can't say now raises what
    the client raises.
    """

    def __init__(self, client: ImageReader, cache: Facts, repository: Repository):
        self._client = client
        self._cache = cache
        self._repository = repository

    async def platforms(self, digest: str) -> tuple[Platform, ...]:
        """For which platforms there is an image: those of an index, else the one that the image itself names."""
        text = await self._known(digest, "platforms", self._read_platforms)
        return tuple(Platform.parse(part) for part in json.loads(text))

    async def created(self, digest: str) -> datetime | None:
        """When the image says that it was made; of an index, its first image. None where it says nothing, or a time
        that only stands there so that a build gives the same bytes again.
        """
        return moment(await self._known(digest, "created", self._read_created))

    def first_seen(self, digest: str, now: datetime) -> datetime:
        """When this was asked first for the digest, in whole seconds."""
        found = moment(self._cache.get(digest, "seen") or "")
        if found is None:
            self._cache.put(digest, "seen", rfc3339(now))
            return now
        return min(found, now)

    async def _known(self, digest: str, name: str, read: Callable[[str], Awaitable[str]]) -> str:
        """A fact from the cache, else read and kept; that something is no image is such a fact too. How a registry
        refuses to give it is none: another one, or this one later, has the same bytes under the digest.
        """
        found = self._cache.get(digest, name)
        if found is None:
            try:
                found = await read(digest)
            except _NoImageError as error:
                found = f"{_FAULT}{error.message[:1000]}"
            except (InvalidInput, LimitExceeded) as error:
                raise InvalidInput(f"no image that can be read: {error.message}") from error
            if len(found) > LONGEST_FACT:
                found = f"{_FAULT}what it says of {name} is longer than {LONGEST_FACT} letters"
            self._cache.put(digest, name, found)
        if found.startswith(_FAULT):
            raise InvalidInput(f"no image that can be read: {found.removeprefix(_FAULT)}")
        return found

    async def _read_platforms(self, digest: str) -> str:
        document = await self._document(digest)
        if isinstance(document, Index):
            return json.dumps(list(dict.fromkeys(str(one.platform) for one in _images(document))))
        return json.dumps([str((await self._config(document)).platform)])

    async def _read_created(self, digest: str) -> str:
        document = await self._document(digest)
        if isinstance(document, Index):
            images = _images(document)
            if not images:
                raise _NoImageError("the index has no image with a platform")
            document = await self._document(images[0].digest)
        if isinstance(document, Index):
            raise _NoImageError("the index has another index where an image belongs")
        return (await self._config(document)).created

    async def _document(self, digest: str) -> Index | Manifest:
        descriptor, data = await self._client.manifest(Reference(self._repository, digest=digest))
        with _content():
            if descriptor.media_type in INDEX_TYPES:
                return Index.from_bytes(data, descriptor.media_type)
            return Manifest.from_bytes(data, descriptor.media_type)

    async def _config(self, manifest: Manifest) -> ImageConfig:
        data = await self._client.read_blob(self._repository, manifest.config)
        with _content():
            return ImageConfig.from_bytes(data)


class _NoImageError(InvalidInput):
    """What stands under the digest, whoever is asked for it."""


@contextlib.contextmanager
def _content() -> Iterator[None]:
    """Where what has the right digest is read."""
    try:
        yield
    except (InvalidInput, LimitExceeded) as error:
        raise _NoImageError(error.message) from error


def missing_platforms(wanted: tuple[Platform, ...], there: tuple[Platform, ...]) -> tuple[Platform, ...]:
    """Those of `wanted` for which there is no image of their architecture, in their variant or an older one."""
    return tuple(one for one in wanted if not any(other in _served_by(one) for other in there))


def moment(text: str) -> datetime | None:
    """A time in RFC 3339, with an offset; None where it is none, or before EARLIEST."""
    try:
        found = datetime.fromisoformat(text)
        found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if found >= EARLIEST else None


def _images(index: Index) -> list[Descriptor]:
    """Not the attestations, which BuildKit adds with the platform unknown/unknown."""
    named = [one for one in index.manifests if one.platform and one.platform.os != "unknown"]
    return [one for one in named if _ATTESTATION not in one.annotations]


def _served_by(platform: Platform) -> tuple[Platform, ...]:
    """An arm/v6 image runs where arm/v7 is wanted; an arm image where arm64 is wanted is not what is meant."""
    return tuple(one for one in compatible(platform) if one.architecture == platform.architecture)
