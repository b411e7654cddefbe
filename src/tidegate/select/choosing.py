"""From a policy, its annotations and the scanned tags to one choice: what the policy orders, what the registry says of
the images, and what stays as it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.base.frozen import frozen
from tidegate.base.threads import in_thread
from tidegate.engine.outcome import Context
from tidegate.kinds.accepting import accepting, misread
from tidegate.kinds.common import mapping
from tidegate.kinds.conditions import Condition, find
from tidegate.kinds.reference import Reference
from tidegate.kinds.rolled_back import RolledBack, split
from tidegate.oci.facts_cache import Facts
from tidegate.oci.image_facts import ImageFacts
from tidegate.oci.pull_secrets import image_access
from tidegate.oci.reading import ImageReader
from tidegate.oci.signatures import unsigned
from tidegate.select.annotations import mark_of
from tidegate.select.builds import Builds
from tidegate.select.decision import Decision, Reason
from tidegate.select.latest import ImageRef, known_digest
from tidegate.select.newest import by_creation
from tidegate.select.policy import select
from tidegate.select.question import Question
from tidegate.select.rejecting import accepted
from tidegate.select.requirements import Requirements
from tidegate.select.standing import (
    KEPT_FROM_LOWER,
    Fixed,
    failed_words,
    fixed_by,
    is_lower,
    kept_from_failed,
    lower_words,
    unchanged,
    what_else,
)
from tidegate.select.verification_keys import verification_keys

LARGE = 2_000
REBUILT_RETRY = 600.0
"""Seconds after which `newest-build` looks again: a tag that is pushed anew changes no list of tags."""
NEWER_REJECTED, DOWNGRADE_HELD, ROLLED_BACK = "NewerRejected", "DowngradeHeld", "RolledBack"
_TOLD = 3
Times = dict[str, datetime | str]


@frozen
class Choice:
    """What the decision came to in the end; its tag is None where what qualifies may not be selected now.

    `digest` is the one by which the tag was judged or is kept (None: none was looked up), `note` what has overruled the
    policy and what it says itself, `retry_after` (seconds) when the answer may be another one.
    """

    decision: Decision
    digest: str | None = None
    note: str = ""
    conditions: tuple[Condition, ...] = ()
    retry_after: float | None = None


class Chooser:
    """Chooses for all policies of a process; `cache` keeps what was read of images."""

    def __init__(self, registry: ImageReader, cache: Facts):
        self._registry = registry
        self._cache = cache
        self._builds = Builds(cache)

    async def choose(self, question: Question, ctx: Context) -> Choice:
        """Raises InvalidInput where the policy can't order these tags, NotFound for a pinned tag that is not there."""
        wishes, present = question.wishes, question.present
        fixed = fixed_by(wishes, present.tag if present else None)
        if fixed is not None:
            return await self._fixed(question, fixed, ctx)
        decision = await decide(question)
        if decision.tag is None:
            return Choice(decision)
        times: Times | None = None
        if wishes.newest_build:
            client = await self._client(question, ctx)
            candidates = await asyncio.to_thread(decision.candidates)
            times = await self._builds.created(client, question.image, candidates, ctx.clock, question.scanned.view)
            decision = await asyncio.to_thread(by_creation, decision, times)
        digest, retry_after = None, REBUILT_RETRY if wishes.newest_build else None
        if wishes.ask_the_registry:
            requirements = await self._requirements(question, ctx)
            decision = await accepted(decision, requirements.rejecting)
            digest = requirements.digests.get(decision.tag or "")
            retry_after = soonest(retry_after, requirements.retry_after)
        back = wishes.rolled_back
        if back is not None and await self._failed_already(question, back, Choice(decision, digest), times, ctx):
            return _before_failed(back, decision, retry_after, question)
        if present is not None and await self._goes_down(question, present, decision.tag, times, ctx):
            return _kept(present, decision, retry_after, question)
        return Choice(decision, digest, "", _told(decision), retry_after)

    async def _fixed(self, question: Question, fixed: Fixed, ctx: Context) -> Choice:
        """A pinned tag must be there, and signed where signatures are asked for; what is held stays as it is."""
        present = question.present
        stays = present is not None and present.tag == fixed.tag
        if fixed.tag not in question.tags and not stays:
            raise NotFound(
                f"the tag {fixed.tag}, {fixed.because}, is not among the {len(question.tags)} tags of the last scan",
                remedy="push it, name another one, or remove the annotation",
            )
        digest = present.digest if present is not None and stays and present.digest else None
        if question.wishes.pin is not None and question.wishes.verify is not None:
            requirements = await self._requirements(question, ctx)
            reason = await requirements.unverified(fixed.tag)
            if reason is not None:
                raise InvalidInput(f"the tag {fixed.tag}, {fixed.because}, may not be selected: {reason}")
            digest = requirements.digests[fixed.tag]
        decision = await _decide_anyhow(question)
        return Choice(decision.overruled(fixed.tag, fixed.because), digest, what_else(decision, fixed))

    async def _goes_down(
        self, question: Question, present: ImageRef, tag: str | None, times: Times | None, ctx: Context
    ) -> bool:
        if tag is None or tag == present.tag or not question.wishes.no_downgrade:
            return False
        if not unchanged(question.obj, mark_of(question.obj, question.scanned.image)):
            return False
        if accepting(question.obj, ctx.clock.now()) is not None:
            return False
        return await self._is_lower(question, tag, present.tag, times, ctx)

    async def _failed_already(
        self, question: Question, back: RolledBack, choice: Choice, times: Times | None, ctx: Context
    ) -> bool:
        """Whether the winner is the tag that was taken back, or comes before it. A tag that has another digest by now
        is another image, and so newer.
        """
        tag = choice.decision.tag
        if tag is None or back.released or back.name != question.scanned.image:
            return False
        if tag != back.bad_tag:
            return await self._is_lower(question, tag, back.bad_tag, times, ctx)
        bad = split(back.bad)[2]
        if not bad or question.spec.digest_policy == "Never":
            return True
        found = choice.digest
        if found is None:
            answer = await (await self._client(question, ctx)).head(Reference(question.image, tag))
            found = None if answer is None else answer.digest
        return found in (bad, None)

    async def _is_lower(self, question: Question, tag: str, than: str, times: Times | None, ctx: Context) -> bool:
        created = None
        if times is not None:
            created = {name: time for name, time in times.items() if isinstance(time, datetime)}
            if than not in times:
                client = await self._client(question, ctx)
                time = await self._builds.of_absent(client, question.image, than, question.scanned.view)
                created |= {} if time is None else {than: time}
        return is_lower(question.policy, question.tag_filter, tag, than, created)

    async def _requirements(self, question: Question, ctx: Context) -> Requirements:
        client, status = await self._client(question, ctx), mapping(question.obj.get("status"))
        image, wanted = question.image, question.wishes.verify
        keys = () if wanted is None else await verification_keys(ctx.store, question.spec.key.namespace, wanted)

        async def digest_of(tag: str) -> str | None:
            """The one that the status will show, else the one that the tag has now."""
            known = known_digest(question.spec, status, ImageRef(question.scanned.image, tag))
            if known:
                return known
            found = await client.head(Reference(image, tag))
            return None if found is None else found.digest

        async def why_unsigned(digest: str) -> str | None:
            return await unsigned(client, image, digest, keys)

        facts = ImageFacts(client, self._cache, image)
        return Requirements(question.wishes, facts, digest_of, why_unsigned, ctx.clock.now())

    async def _client(self, question: Question, ctx: Context) -> ImageReader:
        return self._registry.using(await image_access(ctx.store, question.scanned))


async def decide(question: Question) -> Decision:
    """The policy's own decision; off the event loop where it may take long."""
    if len(question.tags) > LARGE or question.tag_filter is not None:
        return await in_thread(select, question.policy, question.tags, question.tag_filter)
    return select(question.policy, question.tags)


async def _decide_anyhow(question: Question) -> Decision:
    """For the words about what is fixed: a policy that can't decide must not undo a pin."""
    try:
        return await decide(question)
    except InvalidInput:
        return Decision(None, question.tags, bytes([Reason.UNASKED]) * len(question.tags), question.policy.words())


def _kept(present: ImageRef, decision: Decision, retry_after: float | None, question: Question) -> Choice:
    """The present tag, by its present digest."""
    note = lower_words(str(decision.tag), question.spec.key) + misread(question.obj)
    held = Condition(DOWNGRADE_HELD, "True", "NoDowngrade", f"{present.tag} is {note}")
    kept = decision.overruled(present.tag, KEPT_FROM_LOWER)
    return Choice(kept, present.digest or None, note, (held, *_told(decision)), retry_after)


def _before_failed(back: RolledBack, decision: Decision, retry_after: float | None, question: Question) -> Choice:
    """The tag that ran before the one which was taken back."""
    note = failed_words(back, question.spec.key)
    told = Condition(ROLLED_BACK, "True", "NotReadyInTime", note)
    kept = decision.overruled(back.good_tag, kept_from_failed(back))
    return Choice(kept, split(back.good)[2] or None, note, (told, *_told(decision)), retry_after)


def _told(decision: Decision) -> tuple[Condition, ...]:
    if not decision.rejections:
        return ()
    return (Condition(NEWER_REJECTED, "True", "Rejected", rejections(decision)),)


def rejections(decision: Decision) -> str:
    """The first of the rejected tags, from the best down, each with its reason."""
    words = [f"{decision.tags[index]}: {reason}" for index, reason in decision.rejections.items()]
    rest = len(words) - _TOLD
    return "; ".join(words[:_TOLD]) + (f"; and {rest} more" if rest > 0 else "")


def soonest(*seconds: float | None) -> float | None:
    """The smallest of the numbers that are there."""
    return min((one for one in seconds if one is not None), default=None)


def new_holds(status: Mapping[str, Any], choice: Choice) -> list[Condition]:
    """The conditions about a tag that is held back which the status does not have yet."""
    before = find(status.get("conditions") or [], DOWNGRADE_HELD) or {}
    held = [one for one in choice.conditions if one.type == DOWNGRADE_HELD]
    return [one for one in held if one.message != before.get("message")]
