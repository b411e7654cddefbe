"""When the images of many tags were made, for `tidegate.dev/newest-build`: as few requests as will do, few at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from tidegate.base.errors import InvalidInput, LimitExceeded, NotFound
from tidegate.engine.clock import Clock, rfc3339
from tidegate.kinds.reference import Reference, Repository
from tidegate.oci.facts_cache import Facts
from tidegate.oci.image_facts import ImageFacts
from tidegate.oci.reading import ImageReader
from tidegate.select.annotations import NEWEST_BUILD

MOST_BUILDS = 500
"""Candidates whose time is read; more would be thousands of requests to the registry."""
LEAST_TRUST, LONGEST_TRUST = 60.0, 3600.0
"""Seconds for which a tag's digest is believed: a quarter of the time that it has stayed, within these bounds."""
AHEAD = timedelta(days=1)
"""As much may the clock of whoever built an image be ahead of ours. A time beyond would win for ever."""
_AT_ONCE = 8
_TAGS_KEPT = 20_000
_DIGEST = "digest"


class Builds:
    """Remembers which digest a tag had, and since when, for a while."""

    def __init__(self, cache: Facts):
        self._cache = cache
        self._known: dict[str, tuple[str, float, float]] = {}

    async def created(
        self, client: ImageReader, repository: Repository, tags: Sequence[str], clock: Clock, view: str = ""
    ) -> dict[str, datetime | str]:
        """When each tag's image was made, or in words why that is not known. LimitExceeded for too many tags; what the
        registry can't answer now raises. What another `view` (`ImageRepository.view`) shows is not taken for this one.
        """
        if len(tags) > MOST_BUILDS:
            raise LimitExceeded(
                f"{len(tags)} tags qualify, and {NEWEST_BUILD} reads the images of at most {MOST_BUILDS}",
                remedy="let the policy or filterTags leave out more of them",
            )
        facts = ImageFacts(client, self._cache, repository)
        left, found = list(reversed(tags)), dict[str, datetime | str]()

        async def work() -> None:
            while left:
                tag = left.pop()
                found[tag] = await self._one(client, facts, Reference(repository, tag), clock, view)

        workers = [asyncio.create_task(work()) for _ in range(min(_AT_ONCE, len(tags)))]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        return found

    async def of_absent(self, client: ImageReader, repository: Repository, tag: str, view: str = "") -> datetime | None:
        """When the image of a tag was made that is no longer listed, as far as it is remembered."""
        digest = self._cache.get(_key(Reference(repository, tag), view), _DIGEST)
        if digest is None:
            return None
        try:
            return await ImageFacts(client, self._cache, repository).created(digest)
        except (InvalidInput, NotFound):
            return None

    async def _one(
        self, client: ImageReader, facts: ImageFacts, reference: Reference, clock: Clock, view: str
    ) -> datetime | str:
        digest = await self._digest(client, reference, clock.monotonic(), view)
        if digest is None:
            return "the registry does not have it any more"
        try:
            created = await facts.created(digest)
        except (InvalidInput, NotFound) as error:
            return error.message
        if created is None:
            return "its image does not say when it was made"
        if created - clock.now() > AHEAD:
            return f"its image says that it was made at {rfc3339(created)}, which is yet to come"
        return created

    async def _digest(self, client: ImageReader, reference: Reference, now: float, view: str) -> str | None:
        key = _key(reference, view)
        before = self._known.get(key)
        if before is not None:
            digest, since, asked = before
            if now - asked < min(max((asked - since) / 4, LEAST_TRUST), LONGEST_TRUST):
                return digest
        found = await client.head(reference)
        if found is None:
            self._known.pop(key, None)
            return None
        since = before[1] if before is not None and before[0] == found.digest else now
        self._known.pop(key, None)
        self._known[key] = (found.digest, since, now)
        if len(self._known) > _TAGS_KEPT:
            del self._known[next(iter(self._known))]
        if before is None or before[0] != found.digest:
            self._cache.put(key, _DIGEST, found.digest)
        return found.digest


def _key(reference: Reference, view: str) -> str:
    return f"{reference} as {view} sees it" if view else str(reference)
