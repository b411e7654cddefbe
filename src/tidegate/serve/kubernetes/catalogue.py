"""Which resources are served: the vocabulary, what CustomResourceDefinitions define, and whatever else is stored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from tidegate.base.errors import NotFound
from tidegate.kinds.objects import Object
from tidegate.kinds.resources import KNOWN, Resource, guessed, known, resource_of_definition, version_priority
from tidegate.serve.kubernetes.target import Path, Target

DEFINITIONS = ("apiextensions.k8s.io", "CustomResourceDefinition")
_BY_PATH = {(resource.group, version, resource.plural): resource for resource in KNOWN for version in resource.versions}


class Stored(Protocol):
    """What the catalogue reads of the store."""

    def kinds(self) -> Sequence[tuple[str, str, str, bool]]: ...

    def pages(
        self, group: str, kind: str, *, namespace: str | None = None, after: tuple[str, str] | None = None
    ) -> AsyncIterator[tuple[str, list[Object]]]: ...


class Catalogue:
    """The resources of one store, read anew with every question: what a Kustomization applied is there at once."""

    def __init__(self, store: Stored):
        self._store = store

    async def resources(self) -> list[Resource]:
        """Every resource that is served, the vocabulary's first."""
        defined = [found for item in await self.definitions() if (found := resource_of_definition(item)) is not None]
        return combined(KNOWN, defined, self._store.kinds())

    async def definitions(self) -> list[Object]:
        """The stored CustomResourceDefinitions."""
        return [item async for _, page in self._store.pages(*DEFINITIONS) for item in page]

    async def find(self, path: Path) -> Target:
        """The target of a path; NotFound where nothing is served there."""
        resource = _BY_PATH.get((path.group, path.version, path.plural))
        if resource is None:
            wanted = (path.group, path.plural)
            for candidate in await self.resources():
                if (candidate.group, candidate.plural) == wanted and path.version in candidate.versions:
                    resource = candidate
                    break
        if resource is None or (path.namespace and not resource.namespaced):
            raise NotFound("the server could not find the requested resource")
        return Target(resource, path.version, path.namespace, path.name, path.subresource)


def combined(
    listed: Iterable[Resource], defined: Iterable[Resource], stored: Iterable[tuple[str, str, str, bool]]
) -> list[Resource]:
    """The vocabulary, then what is defined, then what is merely stored, one resource for each kind. Pure."""
    resources = {(resource.group, resource.kind): resource for resource in listed}
    for resource in defined:
        resources.setdefault((resource.group, resource.kind), resource)
    for group, kind, version, namespaced in sorted(stored):
        found = resources.get((group, kind))
        if found is None:
            resources[group, kind] = guessed(group, kind, [version], namespaced=namespaced)
        elif version not in found.versions:
            extra = [*found.versions, version]
            versions = extra if known(group, kind) else sorted(extra, key=version_priority)
            resources[group, kind] = replace(found, versions=tuple(versions))
    return list(resources.values())
