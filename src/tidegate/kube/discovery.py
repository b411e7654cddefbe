"""Which resource a kind is on this server: its plural, scope and versions; asked group by group and remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidegate.base.errors import NotFound, Unavailable
from tidegate.base.frozen import frozen
from tidegate.kube.client import KubeClient
from tidegate.kube.collection import Collection

ASK_AGAIN_AFTER = 1.0
"""Seconds before a kind that was not there is looked for again: a CRD may have been applied a moment ago."""


@frozen
class ServedKind:
    """A kind as one version of its group serves it."""

    collection: Collection
    kind: str
    namespaced: bool
    has_status: bool

    def path(self, namespace: str, name: str | None = None, subresource: str | None = None) -> str:
        """The URL path of one of its objects, or of the collection; a namespace counts only where the kind has one."""
        return self.collection.path(namespace if self.namespaced else None, name, subresource)


@dataclass(slots=True)
class _Group:
    """What is known of a group: its versions, the preferred one first, and the kinds of those that were asked for."""

    versions: Sequence[str]
    kinds: dict[str, dict[str, ServedKind]]
    asked_at: float


class Discovery:
    """Looks kinds up. One instance for a client."""

    def __init__(self, client: KubeClient):
        self._client = client
        self._groups: dict[str, _Group] = {}
        self._asking = asyncio.Lock()

    async def find(self, group: str, kind: str, version: str | None = None) -> ServedKind:
        """The kind in that version; without one, in the group's preferred version, or else in the next that has it.

        NotFound where the server does not serve it.
        """
        async with self._asking:
            found = await self._look(group, kind, version)
            known = self._groups.get(group)
            if found is None and known is not None and self._now() - known.asked_at >= ASK_AGAIN_AFTER:
                del self._groups[group]
                found = await self._look(group, kind, version)
        if found is None:
            name = f"{group or 'core'}/{version}" if version else group or "core"
            remedy = "is its CustomResourceDefinition installed?" if "." in group else None
            raise NotFound(f"the cluster serves no kind {kind} of {name}", remedy=remedy)
        return found

    def forget(self, group: str) -> None:
        """Ask again: something about this group has changed."""
        self._groups.pop(group, None)

    async def _look(self, group: str, kind: str, version: str | None) -> ServedKind | None:
        known = self._groups.get(group)
        if known is None:
            known = self._groups[group] = _Group(await self._versions(group), {}, self._now())
        for candidate in [version] if version else known.versions:
            if candidate not in known.versions:
                continue
            if candidate not in known.kinds:
                known.kinds[candidate] = await self._kinds(group, candidate)
            if kind in known.kinds[candidate]:
                return known.kinds[candidate][kind]
        return None

    async def _versions(self, group: str) -> list[str]:
        if not group:
            return ["v1"]
        try:
            answer = await self._client.get(f"/apis/{group}")
        except NotFound:
            return []
        preferred = str((answer.get("preferredVersion") or {}).get("version") or "")
        listed = [str(item.get("version")) for item in answer.get("versions") or []]
        return sorted(listed, key=lambda name: name != preferred)

    async def _kinds(self, group: str, version: str) -> dict[str, ServedKind]:
        try:
            answer = await self._client.get(f"/apis/{group}/{version}" if group else f"/api/{version}")
        except NotFound:
            return {}
        if not isinstance(answer, Mapping):
            raise Unavailable("the server sent no list of resources")
        lines = [line for line in answer.get("resources") or [] if isinstance(line, Mapping)]
        names = {str(line.get("name")) for line in lines}
        return {str(line["kind"]): _served(group, version, line, names) for line in lines if _is_main(line)}

    def _now(self) -> float:
        return self._client.clock.monotonic()


def _is_main(line: Mapping[str, Any]) -> bool:
    return "/" not in str(line.get("name", "/")) and bool(line.get("kind"))


def _served(group: str, version: str, line: Mapping[str, Any], names: set[str]) -> ServedKind:
    plural = str(line["name"])
    return ServedKind(
        collection=Collection(group, version, plural),
        kind=str(line["kind"]),
        namespaced=bool(line.get("namespaced")),
        has_status=f"{plural}/status" in names,
    )
