"""Reconciles GitRepository: which commit does the source name now, and are its files here?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.engine.clock import rfc3339
from tidegate.engine.finalizers import let_go
from tidegate.engine.outcome import Context, Handled, Outcome, Ready, Stalled, Trigger
from tidegate.engine.ports import Trees
from tidegate.engine.status import REQUESTED_AT
from tidegate.git.origins import Origins
from tidegate.kinds.conditions import READY, Condition, is_true
from tidegate.kinds.git_repository import GitRepository
from tidegate.kinds.not_deployed import NOT_DEPLOYED, not_deployed
from tidegate.kinds.objects import Object, ObjectKey, annotation, key_of
from tidegate.source.reading import just_pushed, read_source, wanted_ref

GROUP, KIND = "source.toolkit.fluxcd.io", "GitRepository"
LOOK_AGAIN = 5.0
"""Seconds after which the remote is asked, where our own push was believed: somebody may have pushed right after it."""
AUTOMATION = ("image.toolkit.fluxcd.io", "ImageUpdateAutomation")


def _last_push(automation: Object) -> object:
    return (automation.get("status") or {}).get("lastPushCommit")


def _pushed_to(automation: Object, sources: Sequence[Object]) -> list[ObjectKey]:
    """The source whose branch an automation moves: its new commit need not be waited for until the next interval."""
    reference = (automation.get("spec") or {}).get("sourceRef") or {}
    namespace = reference.get("namespace") or key_of(automation).namespace
    wanted = (reference.get("name"), namespace)
    return [key for key in map(key_of, sources) if (key.name, key.namespace) == wanted]


class GitRepositoryController:
    """Flux's source-controller for Git; the files stay in a repository on this disk."""

    name = "source-controller"
    group = GROUP
    kind = KIND
    triggers: Sequence[Trigger] = (Trigger(*AUTOMATION, _pushed_to, relevant=_last_push),)

    def __init__(self, origins: Origins, trees: Trees):
        self._origins = origins
        self._trees = trees

    async def reconcile(self, obj: Object, ctx: Context) -> Outcome:
        """Find the commit, have its files here, and say so in `status.artifact`."""
        if await let_go(obj, ctx, manager=self.name):
            return Handled()
        try:
            spec = GitRepository.from_object(obj)
            wanted_ref(obj)
        except InvalidInput as error:
            return Stalled("InvalidSpec", str(error))
        if refused := unsupported(spec):
            named = ", ".join(f"spec.{name}" for name in refused)
            return Stalled("UnsupportedField", f"not supported yet: {named}")
        pushed = just_pushed(self._origins, obj) if _waits_for_nothing_else(obj) else None
        found = pushed or await read_source(self._origins, ctx.store, obj)
        await self._trees.record(key_of(obj), found.revision, str(found.repository.path))
        before = ((obj.get("status") or {}).get("artifact") or {}).get("revision")
        message = f"stored artifact for revision '{found.revision}'"
        return Ready(
            message,
            status={"artifact": _artifact(obj, found.revision, found.commit, rfc3339(ctx.clock.now()))},
            requeue_after=min(spec.interval_seconds, LOOK_AGAIN) if pushed else spec.interval_seconds,
            event=message if found.revision != before else None,
            conditions=await _deployed(obj, ctx),
        )


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
        "verify": spec.verify_mode,
        "ignore": spec.ignore,
        "include": spec.include,
        "recurseSubmodules": spec.recurse_submodules,
        "sparseCheckout": spec.sparse_checkout,
        "proxySecretRef": spec.proxy_secret_ref,
    }
    return [name for name, value in asked.items() if value]


def _artifact(obj: Object, revision: str, commit: str, now: str) -> dict[str, Any]:
    """The artifact as Flux's tools show it; its files stay in this process, so the URL is only a name."""
    key = key_of(obj)
    path = f"gitrepository/{key.namespace}/{key.name}/{commit}.tar.gz"
    before = (obj.get("status") or {}).get("artifact") or {}
    updated = before.get("lastUpdateTime", now) if before.get("revision") == revision else now
    return {"revision": revision, "lastUpdateTime": updated, "path": path, "url": f"http://source-controller/{path}"}
