"""Reconciles ImageRepository: which tags does the registry have now?"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, Protocol

from tidegate.base.errors import InvalidInput, RateLimited, TidegateError, Unavailable
from tidegate.base.steps import Step, reach
from tidegate.engine.clock import rfc3339
from tidegate.engine.finalizers import let_go
from tidegate.engine.outcome import Context, Handled, Outcome, Ready, Stalled, Trigger, Waiting
from tidegate.engine.ports import Tags, TagsLost
from tidegate.kinds.accepting import accepting, misread
from tidegate.kinds.common import mapping
from tidegate.kinds.image_repository import DEFAULT_EXCLUSIONS, ImageRepository, tags_name
from tidegate.kinds.objects import Object, ObjectKey, key_of
from tidegate.kinds.reference import Repository, parse_repository
from tidegate.oci.credentials import Access
from tidegate.oci.pull_secrets import image_access
from tidegate.scan.answer import Answer, Good, answer_of
from tidegate.scan.believing import Distrust, distrust
from tidegate.scan.exclusion import excluding
from tidegate.scan.expectations import Expectations
from tidegate.scan.failures import held_back, scan_failed, unfit_logins
from tidegate.scan.signals import Signals
from tidegate.scan.trust import Doubt

GROUP, KIND = "image.toolkit.fluxcd.io", "ImageRepository"
AT_ONCE = 2_000
"""As many tags are compared without a thread: some milliseconds."""
DISTRUSTED = "ScanDistrusted"
_SHOWN = 300
# Flux asks the cloud for a credential by the identity of its own Pod.
_INSTEAD = {
    "aws": "let a CronJob renew the 12 hours' token of `aws ecr get-login-password`",
    "azure": "make a token of the registry with `az acr token create`",
    "gcp": "make a key of a service account that may read, for the user `_json_key`",
}


class TagSource(Protocol):
    """The part of a registry client that a scan needs."""

    async def tags(self, repository: Repository) -> list[str]:
        """Every tag, each of them once."""
        ...

    def using(self, access: Access) -> TagSource: ...


class ImageRepositoryController:
    """Flux's image-reflector-controller, the scanning half."""

    name = "image-reflector-controller"
    group = GROUP
    kind = KIND

    def __init__(self, registry: TagSource, tags: Tags, told: Collection[str] = ()):
        """`told` are the hosts of registries that say by themselves when a tag is set."""
        self._registry = registry
        self._tags = tags
        self._doubts: dict[ObjectKey, Doubt] = {}
        signals = Signals(told)
        self._expectations = Expectations(signals)
        self.triggers: Sequence[Trigger] = signals.triggers()

    async def reconcile(self, obj: Object, ctx: Context) -> Outcome:
        """List the tags, keep them, and say what was found. An answer that looks like a registry's fault is not
        believed: the last good result stays.
        """
        if await let_go(obj, ctx, manager=self.name):
            return Handled()
        try:
            spec = ImageRepository.from_object(obj)
            repository = image_of(spec.image)
        except InvalidInput as error:
            return Stalled("ImageURLInvalid", str(error))
        try:
            if spec.exclusion_list != DEFAULT_EXCLUSIONS:
                await asyncio.to_thread(excluding, spec.exclusion_list)
        except InvalidInput as error:
            return Stalled("InvalidExclusionList", str(error))
        if (refused := _refused(spec)) is not None:
            return refused
        access = await image_access(ctx.store, spec)
        registry = self._registry.using(access)
        try:
            found = await _tags_in_time(registry, repository, spec)
        except RateLimited as error:
            return held_back(obj, str(repository), error, ctx.clock.now())
        except TidegateError as error:
            raise scan_failed(error, unfit_logins(spec, access.credentials, repository)) from error.__cause__
        answer = await self._answer(obj, spec, str(repository), found)
        distrusted = await distrust(obj, ctx, spec, answer, self._doubt(obj))
        if distrusted is not None:
            self._doubts[key_of(obj)] = distrusted.doubt
            return await _kept_back(obj, ctx, spec, distrusted)
        self._doubts.pop(key_of(obj), None)
        if answer.tags is not None:
            await self._tags.put(tags_name(str(repository), spec.exclusion_list, spec.view), answer.tags)
            reach(Step.TAGS_STORED)
        old = mapping(mapping(obj.get("status")).get("lastScanResult")).get("revision")
        following = self._expectations.next_scan(spec, old, answer.revision, ctx.clock.now())
        outcome = _believed(obj, ctx, spec, str(repository), answer)
        return replace(outcome, requeue_after=following.delay, conditions=following.conditions)

    def _doubt(self, obj: Object) -> Doubt | None:
        """What was doubted last: of the status, else, where that could not keep it, of this process."""
        return Doubt.of(mapping(obj.get("status"))) or self._doubts.get(key_of(obj))

    async def _answer(self, obj: Object, spec: ImageRepository, repository: str, found: list[str]) -> Answer:
        good, stored = Good.of(obj.get("status") or {}, repository), None
        if good is not None:
            with contextlib.suppress(TagsLost):
                stored = await self._tags.lines(tags_name(repository, good.excluded, spec.view), good.revision)
        if len(found) <= AT_ONCE and stored is not None:
            return answer_of(found, spec.exclusion_list, good, stored)
        return await asyncio.to_thread(answer_of, found, spec.exclusion_list, good, stored)


async def _kept_back(obj: Object, ctx: Context, spec: ImageRepository, distrusted: Distrust) -> Waiting:
    """No failure, which would be tried again ever faster than the interval: the registry has answered."""
    message = distrusted.message(spec.image, key_of(obj)) + misread(obj)
    if distrusted.doubt.scans == 1:
        await ctx.events.warning(obj, DISTRUSTED, message)
    status = {"distrustedScanResult": distrusted.doubt.as_json()}
    return Waiting(message, reason=DISTRUSTED, status=status, requeue_after=spec.interval_seconds)


def _believed(obj: Object, ctx: Context, spec: ImageRepository, repository: str, answer: Answer) -> Ready:
    before = obj.get("status") or {}
    message = f"successful scan: found {answer.count} tags with checksum {answer.revision}"
    status: dict[str, Any] = {
        "canonicalImageName": repository,
        "observedExclusionList": list(spec.exclusion_list),
        "lastScanResult": {
            "revision": answer.revision,
            "tagCount": answer.count,
            "scanTime": rfc3339(ctx.clock.now()),
            "latestTags": list(answer.latest),
        },
    }
    if "distrustedScanResult" in before:
        status["distrustedScanResult"] = None
    if (accepted := accepting(obj, ctx.clock.now())) is not None:
        status["lastHandledAcceptAt"] = accepted
    event = message if answer.revision != (before.get("lastScanResult") or {}).get("revision") else None
    return Ready(message, status=status, event=event)


def _refused(spec: ImageRepository) -> Stalled | None:
    """What a field asks for that is not there, and what to do instead."""
    if spec.provider == "generic":
        return None
    message = (
        f"spec.provider '{spec.provider}' is not supported: {_INSTEAD[spec.provider]}, keep it in a pull secret that"
        " spec.secretRef names, and set spec.provider to 'generic'"
    )
    return Stalled("UnsupportedProvider", message)


async def _tags_in_time(registry: TagSource, repository: Repository, spec: ImageRepository) -> list[str]:
    try:
        async with asyncio.timeout(spec.timeout_seconds):
            return await registry.tags(repository)
    except TimeoutError:
        raise Unavailable(
            f"{spec.image} was not scanned within {spec.timeout_seconds:g} s",
            remedy="see whether the registry is slow, or raise spec.timeout",
        ) from None


def image_of(image: str) -> Repository:
    """`spec.image` as a repository: no scheme, no tag, no digest; InvalidInput says so in Flux's words."""
    scheme, separator, _ = image.partition("://")
    if separator:
        raise InvalidInput(f"image '{image[:_SHOWN]}' should not include URL scheme; remove '{scheme[:_SHOWN]}://'")
    name = image.rpartition("/")[2]
    ends = [place for place in map(name.find, ":@") if place >= 0]
    if ends:
        told = name[min(ends) :][:_SHOWN]
        raise InvalidInput(f"image '{image[:_SHOWN]}' should not include a tag; remove '{told}'")
    return parse_repository(image)
