"""Reconciles ImagePolicy: which of the scanned tags is the one to run?"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Protocol

from tidegate.base.errors import Denied, InvalidInput, NotFound, TidegateError
from tidegate.engine.finalizers import let_go
from tidegate.engine.misspelt import Misspelt
from tidegate.engine.outcome import Context, Handled, Outcome, Ready, Stalled, Trigger, Waiting
from tidegate.engine.ports import TagsLost
from tidegate.kinds.accepting import accepting
from tidegate.kinds.common import mapping
from tidegate.kinds.image_policy import ImagePolicy
from tidegate.kinds.image_repository import ImageRepository, tags_name
from tidegate.kinds.objects import Object, ObjectKey, key_of
from tidegate.kinds.reference import Reference, Repository, parse_repository
from tidegate.oci.facts_cache import Facts, FactsInMemory
from tidegate.oci.pull_secrets import image_access
from tidegate.oci.reading import ImageReader
from tidegate.select.access import access_refused
from tidegate.select.annotations import SELECTING, mark_of, unknown_annotations, wishes_of
from tidegate.select.choosing import Choice, Chooser, new_holds, rejections, soonest
from tidegate.select.decision import Decision
from tidegate.select.filters import TagFilter
from tidegate.select.latest import ImageRef, Latest, known_digest
from tidegate.select.policy import Policy
from tidegate.select.question import Question
from tidegate.select.standing import SELECTED_UNDER

GROUP, KIND = "image.toolkit.fluxcd.io", "ImagePolicy"
REPOSITORY_KIND = "ImageRepository"
NO_INTERVAL = "spec.interval must be set when spec.digestReflectionPolicy is set to 'Always'"
FAILED = "Failure"
"""Flux's reason where the tags are there and none of them is the one."""
MANY = 20_000
UNREFERRED = "failed to get the referred ImageRepository"


class ScannedTags(Protocol):
    """The part of the port Tags that selecting needs."""

    async def get(self, repository: str) -> list[str]:
        """The tags of the last scan, sorted; TagsLost."""
        ...


class ImagePolicyController:
    """Flux's image-reflector-controller, the selecting half."""

    name = "image-reflector-controller"
    group = GROUP
    kind = KIND

    def __init__(self, tags: ScannedTags, registry: ImageReader, facts: Facts | None = None):
        """`facts` keeps what was read of images; in memory alone where it is not given."""
        self._tags = tags
        self._registry = registry
        self._chooser = Chooser(registry, facts or FactsInMemory())
        self._misspelt = Misspelt("an ImagePolicy", SELECTING)
        self._many = asyncio.Lock()
        self.triggers: Sequence[Trigger] = (
            Trigger(GROUP, REPOSITORY_KIND, _of_repository, relevant=_scanned),
            Trigger("", "Namespace", _in_namespace, relevant=_labels),
        )

    async def reconcile(self, obj: Object, ctx: Context) -> Outcome:
        """Select from the tags of the last scan, and say what was selected and what before."""
        if await let_go(obj, ctx, manager=self.name):
            return Handled()
        await self._misspelt.tell(obj, unknown_annotations(obj), ctx)
        try:
            async with AsyncExitStack() as turn:
                question = await self._question(obj, ctx, turn)
                return await self._answer(question, ctx) if isinstance(question, Question) else question
        except (InvalidInput, NotFound) as error:
            if error.code == type(error).code:
                error.code = FAILED
            raise

    async def _answer(self, question: Question, ctx: Context) -> Outcome:
        choice = await self._chooser.choose(question, ctx)
        if choice.decision.tag is not None:
            return await self._conclude(question, choice, choice.decision.tag, ctx)
        if choice.decision.rejections:
            on = f"no tag may be selected now: {rejections(choice.decision)}"
            return Waiting(on, "NoTagAccepted", requeue_after=choice.retry_after)
        key, summary = question.spec.key, choice.decision.summary()
        raise NotFound(
            f"unable to determine latest version from {len(question.tags)} tags: {summary}",
            remedy=f"see: tidegate why {key.name} -n {key.namespace}",
        )

    async def explain(self, obj: Object, ctx: Context) -> tuple[Question, Decision] | Stalled | Waiting:
        """What `reconcile` would select now, and why; or why it can't. Nothing is written."""
        async with AsyncExitStack() as turn:
            question = await self._question(obj, ctx, turn)
            if not isinstance(question, Question):
                return question
            return question, (await self._chooser.choose(question, ctx)).decision

    async def _question(self, obj: Object, ctx: Context, turn: AsyncExitStack) -> Question | Stalled | Waiting:
        """What is to be decided. Of those with many tags that need nobody's answer one has its `turn` at a time: the
        memory of each is as large as that of all the rest, and threads make none of them faster.
        """
        try:
            spec = ImagePolicy.from_object(obj)
            policy = Policy.of(spec)
            tag_filter = await asyncio.to_thread(TagFilter.of, spec)
        except InvalidInput as error:
            return Stalled("InvalidPolicy", str(error))
        try:
            wishes = wishes_of(obj)
        except InvalidInput as error:
            return Stalled("InvalidAnnotation", error.explain())
        if spec.digest_policy == "Always" and spec.interval_seconds is None:
            return Stalled("IntervalNotConfigured", NO_INTERVAL)
        try:
            found = await self._repository(spec, ctx)
        except NotFound as error:
            return Waiting(f"{UNREFERRED}: referenced ImageRepository does not exist: {error.message}")
        scanned = ImageRepository.from_object(found)
        try:
            repository = parse_repository(scanned.image)
        except InvalidInput as error:
            return Stalled("ImageURLInvalid", f"ImageRepository {_named(found)}: {error}")
        asks = wishes.ask_the_registry or wishes.newest_build or spec.digest_policy != "Never"
        if not asks and _count(found) > MANY:
            await turn.enter_async_context(self._many)
        try:
            tags = await self._scanned_tags(found, repository, scanned)
        except TagsLost as error:
            return Waiting(f"{error.message}: {error.remedy}", reason=TagsLost.code)
        except NotFound as error:
            return Waiting(f"referenced ImageRepository {_named(found)} {error.message}")
        return Question(obj, spec, scanned, found, policy, tag_filter, tags, wishes)

    async def _repository(self, spec: ImagePolicy, ctx: Context) -> Object:
        """The ImageRepository that the policy refers to; NotFound, and Denied where it may not be used from there."""
        namespace = spec.repository_namespace or spec.key.namespace
        found = await ctx.store.get(ObjectKey(GROUP, REPOSITORY_KIND, namespace, spec.repository_name))
        if namespace != spec.key.namespace:
            labels = await _labels_of(ctx, spec.key.namespace)
            refused = access_refused(ImageRepository.from_object(found), spec.key.namespace, labels)
            if refused is not None:
                remedy = f"let spec.accessFrom of ImageRepository {_named(found)} select the namespace's labels"
                raise Denied(f"{UNREFERRED}: access denied: {refused}", remedy=remedy, code="AccessDenied")
        return found

    async def _scanned_tags(self, found: Object, repository: Repository, scanned: ImageRepository) -> list[str]:
        """The tags of the last good scan, as Flux stores them: of tags that count the same, the order decides."""
        _check_scanned(found, repository, scanned.image)
        excluded = mapping(found.get("status")).get("observedExclusionList") or ()
        name = tags_name(str(repository), excluded, scanned.view)
        return (await self._tags.get(name))[::-1]

    async def _conclude(self, question: Question, choice: Choice, tag: str, ctx: Context) -> Ready:
        spec, ref = question.spec, ImageRef(question.scanned.image, tag)
        status = mapping(question.obj.get("status"))
        digest = known_digest(spec, status, ref)
        if digest is None:
            digest = choice.digest or await self._digest(question.scanned, ref, ctx)
        latest = Latest.after(status, replace(ref, digest=digest))
        message = f"{latest.message()}; {choice.note}" if choice.note else latest.message()
        for held in new_holds(status, choice):
            await ctx.events.warning(question.obj, held.reason, held.message)
        selected = latest.status() | {SELECTED_UNDER: mark_of(question.obj, question.scanned.image)}
        if (accepted := accepting(question.obj, ctx.clock.now())) is not None:
            selected["lastHandledAcceptAt"] = accepted
        return Ready(
            message,
            status=selected,
            requeue_after=soonest(spec.interval_seconds, choice.retry_after),
            event=message if latest.changed else None,
            conditions=choice.conditions,
        )

    async def _digest(self, scanned: ImageRepository, ref: ImageRef, ctx: Context) -> str:
        """The digest that the tag has in the registry now: of a multi-platform image, its index's."""
        try:
            registry = self._registry.using(await image_access(ctx.store, scanned))
            found = await registry.head(Reference(parse_repository(ref.name), ref.tag))
            if found is None:
                raise NotFound("the registry does not have it any more", remedy="the next scan will see that too")
        except TidegateError as error:
            error.message = f"failed fetching digest of {ref}: {error.message}"
            raise
        return found.digest


async def _labels_of(ctx: Context, namespace: str) -> Mapping[str, str]:
    try:
        found = await ctx.store.get(ObjectKey("", "Namespace", "", namespace))
    except NotFound:
        return {}
    return mapping(mapping(found.get("metadata")).get("labels"))


def _count(repository: Object) -> int:
    count = mapping(mapping(repository.get("status")).get("lastScanResult")).get("tagCount")
    return count if isinstance(count, int) else 0


def _named(repository: Object) -> str:
    key = key_of(repository)
    return f"{key.namespace}/{key.name}"


def _check_scanned(repository: Object, wanted: Repository, image: str) -> None:
    """NotFound where the last good scan was of none, or of another image that `spec.image` named before: its tags say
    nothing about this one.
    """
    canonical = mapping(repository.get("status")).get("canonicalImageName")
    if not canonical:
        raise NotFound("has not been scanned yet")
    if canonical != str(wanted):
        raise NotFound(
            f"has not been scanned yet since its spec.image became {image}: the last scan was of {canonical}"
        )


def _scanned(repository: Object) -> object:
    status, spec = mapping(repository.get("status")), mapping(repository.get("spec"))
    revision = mapping(status.get("lastScanResult")).get("revision")
    return revision, status.get("canonicalImageName"), spec.get("image"), spec.get("accessFrom")


def _of_repository(repository: Object, policies: Sequence[Object]) -> list[ObjectKey]:
    found = key_of(repository)
    return [key_of(policy) for policy in policies if _referred(policy) == (found.name, found.namespace)]


def _labels(namespace: Object) -> object:
    return mapping(namespace.get("metadata")).get("labels")


def _in_namespace(namespace: Object, policies: Sequence[Object]) -> list[ObjectKey]:
    """Those for which another namespace's ImageRepository may ask what labels theirs has."""
    name = key_of(namespace).name
    keys = [key_of(policy) for policy in policies if _referred(policy)[1] != key_of(policy).namespace]
    return [key for key in keys if key.namespace == name]


def _referred(policy: Object) -> tuple[object, object]:
    reference = mapping(mapping(policy.get("spec")).get("imageRepositoryRef"))
    return reference.get("name"), reference.get("namespace") or key_of(policy).namespace
