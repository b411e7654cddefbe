"""Asks the registry whether a tag may be selected: for which platforms it is there, how old it is, who signed it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.engine.clock import rfc3339
from tidegate.kinds import duration
from tidegate.oci.image_facts import ImageFacts, missing_platforms
from tidegate.select.annotations import Wishes

LEAST_RETRY, LONGEST_RETRY = 30.0, 1800.0
"""Seconds after which a rejected tag is looked at again: half as long as it is known, within these bounds. A signature
is made after the push, and a platform may be added to an index; neither changes the list of tags.
"""
Digests = Callable[[str], Awaitable[str | None]]
"""The digest that a tag stands for; None where the registry has it no more."""
Signatures = Callable[[str], Awaitable[str | None]]
"""Why an image, by its digest, is not signed as it must be; None where it is."""


class Requirements:
    """For one choice at one moment. `retry_after` says, after the questions, in how many seconds the answer may be
    another one; `digests` by which digest each tag was judged.
    """

    def __init__(self, wishes: Wishes, facts: ImageFacts, digest_of: Digests, unsigned: Signatures, now: datetime):
        self._wishes = wishes
        self._facts = facts
        self._digest_of = digest_of
        self._unsigned = unsigned
        self._now = now
        self.retry_after: float | None = None
        self.digests: dict[str, str] = {}

    async def rejecting(self, tag: str) -> str | None:
        """Why `tag` may not be selected, in words; None where it may. What the registry can't answer now raises."""
        try:
            digest = await self._digest_of(tag)
            if digest is None:
                return "the registry does not have it any more"
            self.digests[tag] = digest
            return await self._why_not(digest)
        except NotFound as error:
            return f"the registry does not have all of it: {error.message}"

    async def unverified(self, tag: str) -> str | None:
        """Why `tag` may not be selected although somebody pinned it: a pin overrules an order, but no signature."""
        if self._wishes.verify is None:
            return None
        digest = await self._digest_of(tag)
        if digest is None:
            return "the registry does not have it any more"
        self.digests[tag] = digest
        return await self._unsigned(digest)

    async def _why_not(self, digest: str) -> str | None:
        seen = self._facts.first_seen(digest, self._now)
        reason = await self._lacking(digest)
        if reason is None and self._wishes.minimum_age:
            reason = await self._young(digest, seen)
            if reason is not None:
                return reason
        if reason is None and self._wishes.verify is not None:
            reason = await self._unsigned(digest)
        if reason is not None:
            known = (self._now - seen).total_seconds()
            self._again(min(max(known / 2, LEAST_RETRY), LONGEST_RETRY))
        return reason

    async def _lacking(self, digest: str) -> str | None:
        if not self._wishes.platforms:
            return None
        try:
            there = await self._facts.platforms(digest)
        except InvalidInput as error:
            return error.message
        missing = missing_platforms(self._wishes.platforms, there)
        return f"lacks {_listed(missing)}: it is there for {_listed(there) or 'no platform'}" if missing else None

    async def _young(self, digest: str, seen: datetime) -> str | None:
        """The time that the image says counts, unless it can't be true; then since when it is known here."""
        try:
            created = await self._facts.created(digest)
        except InvalidInput:  # another artifact than an image, say
            created = None
        since = created if created is not None and created <= self._now else seen
        age = self._wishes.minimum_age
        counts = since + timedelta(seconds=age)
        left = (counts - self._now).total_seconds()
        if left <= 0:
            return None
        self._again(max(left, 1.0))
        return f"younger than {duration.render(round(age * 1e9))}: it counts from {rfc3339(counts)}"

    def _again(self, seconds: float) -> None:
        self.retry_after = seconds if self.retry_after is None else min(self.retry_after, seconds)


def _listed(platforms: Sequence[object]) -> str:
    names = [str(one) for one in platforms]
    return ", ".join(names[:10]) + (" …" if len(names) > 10 else "")
