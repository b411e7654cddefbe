"""Reconciles GitRepository: which commit does the source name now, and are its files here?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from tidegate.base.errors import Denied, InvalidInput, NotFound, Unavailable
from tidegate.engine.clock import rfc3339
from tidegate.engine.finalizers import let_go
from tidegate.engine.outcome import Context, Failed, Handled, Outcome, Ready, Stalled, Trigger
from tidegate.engine.status import REQUESTED_AT
from tidegate.git.origins import Origins
from tidegate.git.repository import Repository
from tidegate.kinds.conditions import READY, Condition, is_true
from tidegate.kinds.git_repository import BUILDS, BUILDS_NOTHING, GitRepository
from tidegate.kinds.not_deployed import NOT_DEPLOYED, not_deployed
from tidegate.kinds.objects import Object, ObjectKey, annotation, key_of
from tidegate.source.reading import FoundSource, just_pushed, read_source, wanted_range
from tidegate.source.recipe import Recipe
from tidegate.source.recipes import Recipes, artifact_of, check_layers, check_parts, included_names, recipe_of
from tidegate.source.verification import stalled_without_tag, still_true, verification_of

GROUP, KIND = "source.toolkit.fluxcd.io", "GitRepository"
GIT_FAILED = "GitOperationFailed"
LOOK_AGAIN = 5.0
"""Seconds after which the remote is asked, where our own push was believed: somebody may have pushed right after it."""
AUTOMATION = ("image.toolkit.fluxcd.io", "ImageUpdateAutomation")
Announced: TypeAlias = Callable[[Repository, str, str | None, str], Awaitable[Sequence[str] | None]]
"""The workflows that may push an image when a ref goes from one commit to another; None where none are known."""


async def announce_nothing(_repository: Repository, _ref: str, _old: str | None, _new: str) -> None:
    """Where nobody looks at workflows."""


def _last_push(automation: Object) -> object:
    return (automation.get("status") or {}).get("lastPushCommit")


def _pushed_to(automation: Object, sources: Sequence[Object]) -> list[ObjectKey]:
    """The source whose branch an automation moves: its new commit need not be waited for until the next interval."""
    reference = (automation.get("spec") or {}).get("sourceRef") or {}
    namespace = reference.get("namespace") or key_of(automation).namespace
    wanted = (reference.get("name"), namespace)
    return [key for key in map(key_of, sources) if (key.name, key.namespace) == wanted]


def _digest(source: Object) -> object:
    return artifact_of(source).get("digest")


def _including(source: Object, sources: Sequence[Object]) -> list[ObjectKey]:
    """The sources that another one is laid into."""
    found = key_of(source)
    keys = [key_of(obj) for obj in sources if found.name in included_names(obj)]
    return [key for key in keys if key.namespace == found.namespace]


class GitRepositoryController:
    """Flux's source-controller for Git; the files stay in a repository on this disk."""

    name = "source-controller"
    group = GROUP
    kind = KIND
    triggers: Sequence[Trigger] = (
        Trigger(*AUTOMATION, _pushed_to, relevant=_last_push),
        Trigger(GROUP, KIND, _including, relevant=_digest),
    )

    def __init__(self, origins: Origins, trees: Recipes, announced: Announced = announce_nothing):
        self._origins = origins
        self._trees = trees
        self._announced = announced

    async def reconcile(self, obj: Object, ctx: Context) -> Outcome:
        """Find the commit, have its files here, and say so in `status.artifact`."""
        if await let_go(obj, ctx, manager=self.name):
            return Handled()
        try:
            spec = GitRepository.from_object(obj)
            wanted_range(obj)
            await check_parts(spec, obj, ctx.store)
        except InvalidInput as error:
            return Stalled("InvalidSpec", str(error))
        if refused := unsupported(spec):
            named = ", ".join(f"spec.{name}" for name in refused)
            return Stalled("UnsupportedField", f"not supported yet: {named}")
        if (stalled := stalled_without_tag(spec, obj)) is not None:
            return stalled
        pushed = just_pushed(self._origins, obj) if _waits_for_nothing_else(obj) else None
        found = pushed or await self._read(obj, spec, ctx)
        verification = await verification_of(obj, spec, ctx.store, self._origins, found)
        recipe = await self._recipe(obj, found, ctx)
        await self._trees.record(key_of(obj), recipe.as_json())
        own = self._origins.is_own(spec.url, found.ref, found.commit)
        artifact = await self._artifact(obj, found, recipe, rfc3339(ctx.clock.now()), own=own)
        message = f"stored artifact for revision '{found.revision}'"
        return Ready(
            message,
            status={
                "artifact": artifact,
                "includedArtifacts": await _included(spec, ctx) or None,
                **_observed(obj, spec),
                **verification.status,
            },
            requeue_after=min(spec.interval_seconds, LOOK_AGAIN) if pushed else spec.interval_seconds,
            event=message if _is_new(artifact, obj) else None,
            conditions=[*verification.conditions, *await _deployed(obj, ctx)],
        )

    async def _read(self, obj: Object, spec: GitRepository, ctx: Context) -> FoundSource:
        try:
            return await read_source(self._origins, ctx.store, obj)
        except (Unavailable, Denied, NotFound, InvalidInput) as error:
            failed = error.under(GIT_FAILED)
            if spec.verify_mode is None:
                raise failed from error
            raise Failed(str(failed), code=failed.code, remedy=failed.remedy, conditions=still_true(obj)) from error

    async def _recipe(self, obj: Object, found: FoundSource, ctx: Context) -> Recipe:
        """How the artifact is made; whether it can be is tried where it is another one than before."""
        recipe = await recipe_of(obj, found, self._origins, ctx.store, self._trees)
        if recipe.digest != artifact_of(obj).get("digest"):
            await check_layers(recipe)
        return recipe

    async def _artifact(
        self, obj: Object, found: FoundSource, recipe: Recipe, now: str, *, own: bool
    ) -> dict[str, Any]:
        """The artifact as Flux's tools show it; its files stay in this process, so the URL is only a name. `own` is a
        commit that an automation of this process has pushed: it starts no build.
        """
        before = artifact_of(obj)
        updated = before.get("lastUpdateTime", now) if before.get("digest") == recipe.digest else now
        if before.get("revision") == found.revision:
            metadata = before.get("metadata")
        else:
            updated = now
            metadata = {BUILDS: BUILDS_NOTHING} if own else await self._metadata(found, before.get("revision"))
        key = key_of(obj)
        path = f"gitrepository/{key.namespace}/{key.name}/{found.commit}.tar.gz"
        url = f"http://source-controller/{path}"
        return {
            "revision": found.revision,
            "digest": recipe.digest,
            "lastUpdateTime": updated,
            "path": path,
            "url": url,
            "metadata": metadata,
        }

    async def _metadata(self, found: FoundSource, before: str | None) -> dict[str, str] | None:
        """Which workflows the new commit starts that build; where none are there to ask, nothing is said."""
        name, _, old = (before or "").rpartition("@sha1:")
        same_ref = bool(name) and f"{name}@sha1:{found.commit}" == found.revision
        workflows = await self._announced(found.repository, found.ref, old if same_ref else None, found.commit)
        return None if workflows is None else {BUILDS: ",".join(workflows) or BUILDS_NOTHING}


def _observed(obj: Object, spec: GitRepository) -> dict[str, Any]:
    """What the artifact was made with, in Flux's fields."""
    return {
        "observedIgnore": spec.ignore,
        "observedInclude": (obj.get("spec") or {}).get("include") or None,
        "observedRecurseSubmodules": spec.recurse_submodules or None,
        "observedSparseCheckout": list(spec.sparse_checkout) or None,
    }


async def _included(spec: GitRepository, ctx: Context) -> list[Any]:
    keys = [ObjectKey(GROUP, KIND, spec.key.namespace, one.repository) for one in spec.include]
    return [artifact_of(await ctx.store.get(key)) for key in keys]


def _is_new(artifact: dict[str, Any], obj: Object) -> bool:
    before = artifact_of(obj)
    return any(artifact[name] != before.get(name) for name in ("revision", "digest"))


def _waits_for_nothing_else(obj: Object) -> bool:
    """Whether an object stands well and nobody has asked for a look at the remote."""
    status = obj.get("status") or {}
    requested = annotation(obj, REQUESTED_AT)
    return (
        is_true(status.get("conditions") or [], READY)
        and status.get("observedGeneration") == obj["metadata"].get("generation")
        and requested in (None, status.get("lastHandledReconcileAt"))
    )


async def _deployed(obj: Object, ctx: Context) -> list[Condition]:
    """Why nothing of a source that is followed is deployed, where that was left open."""
    if annotation(obj, NOT_DEPLOYED) is None:
        return []
    kustomizations = (await ctx.store.list("kustomize.toolkit.fluxcd.io", "Kustomization")).items
    return not_deployed(obj, {key_of(obj)}, kustomizations)


def unsupported(spec: GitRepository) -> list[str]:
    """Fields that would change what is deployed, or whether it may be, and have no effect here: refused by name."""
    asked = {
        "provider": spec.provider != "generic",
        "proxySecretRef with an ssh URL": spec.proxy_secret_ref is not None and spec.url.startswith("ssh:"),
    }
    return [name for name, value in asked.items() if value]
