"""Explains one ImagePolicy: asks the controller what it would select, and the registry what it has now. Reads only."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from tidegate.base.errors import Denied, InvalidInput, NotFound, TidegateError, Unavailable
from tidegate.base.regexp.matcher import any_of
from tidegate.engine.journey import told_of
from tidegate.engine.outcome import Context, Stalled
from tidegate.kinds.common import mapping
from tidegate.kinds.conditions import READY, find
from tidegate.kinds.image_policy import ImagePolicy
from tidegate.kinds.image_repository import ImageRepository
from tidegate.kinds.objects import Object, ObjectKey, key_of
from tidegate.kinds.reference import Repository, parse_repository
from tidegate.kinds.rolled_back import ROLLED_BACK
from tidegate.oci.credentials import Access
from tidegate.oci.pull_secrets import image_access
from tidegate.select.advice import Rule
from tidegate.select.annotations import HOLD, PIN
from tidegate.select.controller import GROUP, KIND, REPOSITORY_KIND, ImagePolicyController
from tidegate.select.decision import KEPT
from tidegate.select.explanation import Explanation, Listed, explained
from tidegate.select.latest import ImageRef
from tidegate.select.standing import KEPT_FROM_LOWER

MOST_ASKED = 20
_HURRIED_OR_HELD = ("Expecting", "RateLimited")
"""An ImageRepository's conditions that say when the next scan is, other than its interval."""
AUTOMATION_KIND = "ImageUpdateAutomation"


class TagSource(Protocol):
    """The part of a registry client that is needed."""

    async def tags(self, repository: Repository) -> list[str]: ...

    def using(self, access: Access) -> TagSource: ...


class Explainer:
    """Explains policies of one store. `registry` is asked once for each explanation."""

    def __init__(self, controller: ImagePolicyController, context: Context, registry: TagSource):
        self._controller = controller
        self._context = context
        self._registry = registry

    async def explain(self, namespace: str, name: str, asked: Sequence[str] = ()) -> Explanation:
        """The explanation of a policy, and of at most MOST_ASKED tags that somebody asks about; NotFound. Where the
        registry can't be asked, a note says so and only what was scanned counts.
        """
        policy = await self._context.store.get(ObjectKey(GROUP, KIND, namespace, name))
        try:
            found = await self._controller.explain(policy, self._context)
        except (InvalidInput, NotFound) as error:
            return _without(policy, error.explain())
        except TidegateError as error:
            return _without(policy, f"{error.code}: {error.explain()}")
        if not isinstance(found, tuple):
            return _without(policy, found.message if isinstance(found, Stalled) else found.on)
        question, decision = found
        listed, notes = await self._listed(question.scanned, question.tags)
        rule = Rule(question.policy, question.tag_filter, question.wishes.newest_build)
        made = await asyncio.to_thread(explained, decision, rule, listed, asked[:MOST_ASKED])
        ways_out, told = _ways_out(key_of(policy), decision.because), await self._told(policy)
        notes = [*ways_out, *told, *_notes(policy, question.repository, decision.tag), *notes]
        return _with_status(replace(made, image=question.scanned.image, notes=notes), policy)

    async def explain_as_json(self, namespace: str, name: str, asked: Sequence[str] = ()) -> dict[str, Any]:
        """The explanation as a door sends it."""
        return (await self.explain(namespace, name, asked)).as_json()

    async def _told(self, policy: Object) -> list[str]:
        """What automations say of its updates; those that may not be read say nothing."""
        try:
            automations = (await self._context.store.list(GROUP, AUTOMATION_KIND)).items
        except (NotFound, Denied):
            return []
        return [f"{key_of(one)}: {told}" for one in automations for told in told_of(policy, one)]

    async def _listed(self, scanned: ImageRepository, known: Sequence[str]) -> tuple[Listed, list[str]]:
        try:
            tags = await self._tags(scanned)
        except TidegateError as error:
            return Listed(), [f"the registry can't be asked now, so only the last scan counts: {error}"]
        return await asyncio.to_thread(_told, scanned, tags, known)

    async def _tags(self, scanned: ImageRepository) -> list[str]:
        registry = self._registry.using(await image_access(self._context.store, scanned))
        try:
            async with asyncio.timeout(scanned.timeout_seconds):
                return await registry.tags(parse_repository(scanned.image))
        except TimeoutError:
            raise Unavailable(f"it did not answer within {scanned.timeout_seconds:g} s") from None


def _told(scanned: ImageRepository, tags: Sequence[str], known: Sequence[str]) -> tuple[Listed, list[str]]:
    excludes = any_of(scanned.exclusion_list, field="spec.exclusionList").test()
    before = frozenset(known)
    excluded = [tag for tag in tags if tag not in before and excludes(tag)]
    left_out = frozenset(excluded)
    unscanned = [tag for tag in tags if tag not in before and tag not in left_out]
    gone = sorted(before.difference(tags))
    where = f"spec.exclusionList of ImageRepository {scanned.key.namespace}/{scanned.key.name}"
    notes = [f"scanned, but not in the registry any more: {_few(gone)}"] if gone else []
    return Listed(excluded, unscanned, scanned.exclusion_list, where), notes


def _notes(policy: Object, repository: Object, tag: str | None) -> list[str]:
    """What else stands in the way of the answer, by what the objects say."""
    notes = []
    for obj in (policy, repository):
        key = key_of(obj)
        if mapping(obj.get("spec")).get("suspend") is True:
            word = key.kind.lower()
            notes.append(f"{key} is suspended: tidegate resume {word} {key.name} -n {key.namespace}")
        ready = find(mapping(obj.get("status")).get("conditions") or [], READY)
        if ready is not None and ready.get("status") != "True":
            notes.append(f"{key} is not ready: {_said(obj is policy, str(ready.get('message', '')))}")
    scan = mapping(mapping(repository.get("status")).get("lastScanResult"))
    conditions = mapping(repository.get("status")).get("conditions") or []
    found = (find(conditions, kind) for kind in _HURRIED_OR_HELD)
    notes += [str(one.get("message", "")) for one in found if one is not None]
    if scan.get("scanTime"):
        interval = mapping(repository.get("spec")).get("interval")
        notes.append(f"the last scan was at {scan['scanTime']}, and is repeated every {interval}")
    present = ImageRef.read(mapping(policy.get("status")).get("latestRef"))
    if present is not None and tag is not None and present.tag != tag:
        notes.append(f"the status still says {present.tag}: it is written with the next reconciliation")
    return notes


def _said(own: bool, message: str) -> str:
    """A condition's message; of the policy's own, not its last line, which names this very command."""
    return message.partition("\n")[0] if own else message


def _ways_out(key: ObjectKey, because: str) -> list[str]:
    """How to let go of what overrules the policy."""
    if because == KEPT_FROM_LOWER:
        return [f"to take the lower tag: tidegate reconcile imagepolicy {key.name} -n {key.namespace} --accept"]
    overruling = [name for name in (PIN, HOLD) if because.endswith(name)]
    overruling += [ROLLED_BACK] if because.startswith(f"{KEPT}{ROLLED_BACK}") else []
    return [f"to let it go: kubectl annotate imagepolicy {key.name} -n {key.namespace} {name}-" for name in overruling]


def _without(policy: Object, problem: str) -> Explanation:
    try:
        spec = ImagePolicy.from_object(policy)
        repository = f"{spec.repository_namespace or spec.key.namespace}/{spec.repository_name}"
        notes = [f"its tags come from {REPOSITORY_KIND} {repository}"]
    except InvalidInput:
        notes = []
    return _with_status(Explanation(problem=problem, notes=notes), policy)


def _with_status(explanation: Explanation, policy: Object) -> Explanation:
    status = mapping(policy.get("status"))
    present, previous = (ImageRef.read(status.get(name)) for name in ("latestRef", "observedPreviousRef"))
    return replace(explanation, present=str(present) if present else None, previous=str(previous) if previous else None)


def _few(tags: Sequence[str]) -> str:
    more = len(tags) - 3
    return f"{', '.join(tags[:3])}{f' and {more} more' if more > 0 else ''}"
