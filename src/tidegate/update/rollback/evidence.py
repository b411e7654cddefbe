"""Looks at what applies a repository and at the workloads that came of it: all that is asked of the Store."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence

from tidegate.base.errors import NotFound, TidegateError
from tidegate.base.masking import Masker
from tidegate.engine.ports import LastLines, Store
from tidegate.kinds.common import mapping
from tidegate.kinds.git_repository import bare_url
from tidegate.kinds.objects import Object, ObjectKey, key_of
from tidegate.update.rollback.failure import Seen, cause, crashes, last_words, secret_names, secret_values
from tidegate.update.rollback.workloads import SOURCE_KIND, Rollout, applied_by, brought, rollouts, source_of

SOURCE_GROUP = "source.toolkit.fluxcd.io"
APPLIER_GROUP, APPLIER_KIND = "kustomize.toolkit.fluxcd.io", "Kustomization"


class Evidence:
    """What the objects say at one moment; each is read once."""

    def __init__(self, store: Store, url: str, last_lines: LastLines | None = None):
        self._store = store
        self._url = url
        self._last_lines = last_lines
        self._pods: dict[ObjectKey, list[Object]] = {}
        self._kustomizations: list[Object] | None = None

    async def rollouts(self, references: Mapping[str, str]) -> list[Rollout]:
        """The workloads that this repository has brought, with the references that are selected."""
        keys = brought(await self._appliers(), await self._sources())
        found = await asyncio.gather(*(self._get(key) for key in keys))
        workloads = {key: (one, keys[key]) for key, one in zip(keys, found, strict=True) if one is not None}
        return rollouts(workloads, references)

    async def applied(self) -> list[str]:
        """The commits that Kustomizations of this repository have applied; an empty text for one that has applied none.
        Those that are suspended are left out: nobody knows when they go on.
        """
        sources = await self._sources()
        own = [one for one in await self._appliers() if source_of(one) in sources]
        return [applied_by(one) for one in own if mapping(one.get("spec")).get("suspend") is not True]

    async def pods(self, rollout: Rollout) -> list[Object]:
        """The pods of a workload."""
        if rollout.key not in self._pods:
            labels, namespace = rollout.selector, rollout.key.namespace
            listed = await self._store.list("", "Pod", namespace=namespace, labels=labels) if labels else None
            self._pods[rollout.key] = [] if listed is None else listed.items
        return self._pods[rollout.key]

    async def cause(self, rollout: Rollout) -> str:
        """Why a workload is not ready, without secrets. What can't be read is left out: it only explains."""
        namespace = rollout.key.namespace
        pods = await self.pods(rollout)
        events: Sequence[Object] = ()
        with contextlib.suppress(TidegateError):
            events = (await self._store.list("", "Event", namespace=namespace)).items
        masker, hidden = await self._masker(namespace, rollout.own(pods))
        logs = await self._logs(rollout, pods) if hidden else {}
        return cause(rollout, Seen(pods, events, logs), masker)

    async def _logs(self, rollout: Rollout, pods: Sequence[Object]) -> dict[str, Sequence[str]]:
        logs: dict[str, Sequence[str]] = {}
        for crash in crashes(rollout, pods):
            pod = next(one for one in pods if one["metadata"]["name"] == crash.pod)
            lines = last_words(pod, crash.container)
            if not lines and self._last_lines is not None:
                with contextlib.suppress(TidegateError):
                    lines = list(await self._last_lines(crash.namespace, crash.pod, crash.container, crash.restarted))
            if lines:
                logs[crash.container] = lines
        return logs

    async def _masker(self, namespace: str, pods: Iterable[Object]) -> tuple[Masker, bool]:
        """What hides the values of the Secrets that pods are given; and whether all of them could be read."""
        masker, all_read = Masker(), True
        needed: dict[str, bool] = {}
        for pod in pods:
            for name, is_needed in secret_names(mapping(pod.get("spec"))).items():
                needed[name] = needed.get(name, False) or is_needed
        for name, is_needed in sorted(needed.items()):
            try:
                for value in secret_values(await self._store.get(ObjectKey("", "Secret", namespace, name))):
                    masker.add(value)
            except NotFound:  # what a pod needs was there when it began, and nobody knows any more what it held
                all_read = all_read and not is_needed
            except TidegateError:
                all_read = False
        return masker, all_read

    async def _get(self, key: ObjectKey) -> Object | None:
        try:
            return await self._store.get(key)
        except NotFound:
            return None

    async def _appliers(self) -> list[Object]:
        if self._kustomizations is None:
            try:
                self._kustomizations = (await self._store.list(APPLIER_GROUP, APPLIER_KIND)).items
            except NotFound:  # a cluster without the kind
                self._kustomizations = []
        return self._kustomizations

    async def _sources(self) -> set[ObjectKey]:
        """Every GitRepository of this URL: one may be read by the automation, and another one be applied."""
        listed = (await self._store.list(SOURCE_GROUP, SOURCE_KIND)).items
        urls = {key_of(one): str(mapping(one.get("spec")).get("url") or "") for one in listed}
        return {key for key, url in urls.items() if bare_url(url) == bare_url(self._url)}
