"""From a source and the commit that it names to the recipe of its artifact; all that it needs is on this disk then."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Protocol

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.engine.outcome import Failed
from tidegate.engine.ports import Store, Trees
from tidegate.git.origins import Origins
from tidegate.kinds.conditions import Condition
from tidegate.kinds.git_repository import GitRepository, Include
from tidegate.kinds.objects import Object, ObjectKey, key_of
from tidegate.source.files import laid
from tidegate.source.reading import FoundSource, way_of
from tidegate.source.recipe import Inclusion, Recipe, Submodule

INCLUDE_UNAVAILABLE = "IncludeUnavailable"
INCLUDES_LIMIT = 10
"""How deep sources may include each other."""


class Recipes(Trees, Protocol):
    """The trees of a process, and what they are made from."""

    async def recipe(self, source: ObjectKey, revision: str, digest: str | None) -> Recipe:
        """The recipe of a source's artifact; NotFound where it is not here."""
        ...


async def recipe_of(obj: Object, found: FoundSource, origins: Origins, store: Store, recipes: Recipes) -> Recipe:
    """The recipe of what a source names. Failed where an included source has no artifact, and as Origins raises."""
    spec = GitRepository.from_object(obj)
    commit = await found.repository.log(found.commit)
    return Recipe(
        location=str(found.repository.path),
        commit=found.commit,
        tree=commit.tree,
        ignore=spec.ignore,
        submodules=await _submodules(spec, found, origins, store),
        sparse=tuple(folder for path in spec.sparse_checkout if (folder := plain_path(path))),
        includes=tuple([await _inclusion(one, spec, store, recipes) for one in spec.include]),
    )


async def _submodules(
    spec: GitRepository, found: FoundSource, origins: Origins, store: Store
) -> tuple[Submodule, ...] | None:
    if not spec.recurse_submodules:
        return None
    from tidegate.source.gathering import Gathering  # noqa: PLC0415 - few sources have submodules

    way = await way_of(store, spec)
    return await Gathering(origins, spec.url, way["credentials"], way["timeout"]).of(found.repository, found.commit)


async def _inclusion(include: Include, spec: GitRepository, store: Store, recipes: Recipes) -> Inclusion:
    key = ObjectKey(spec.key.group, spec.key.kind, spec.key.namespace, include.repository)
    try:
        other = await store.get(key)
    except NotFound as error:
        raise _unavailable("NotFound", f"could not get resource for include '{include.repository}': {error}") from None
    artifact = artifact_of(other)
    if not artifact:
        raise _unavailable("NoArtifact", f"no artifact available for include '{include.repository}'")
    recipe = await recipes.recipe(key, str(artifact.get("revision")), artifact.get("digest"))
    to_path = plain_path(include.to_path) or plain_path(include.repository)
    return Inclusion(plain_path(include.from_path), to_path, recipe)


def _unavailable(reason: str, message: str) -> Failed:
    return Failed(message, code=reason, conditions=[Condition(INCLUDE_UNAVAILABLE, "True", reason, message)])


def artifact_of(source: Object) -> Mapping[str, Any]:
    """A source's artifact as its status has it; empty where there is none yet."""
    return (source.get("status") or {}).get("artifact") or {}


async def check_parts(spec: GitRepository, obj: Object, store: Store) -> None:
    """InvalidInput where a path leads out of the repository, or a source includes itself, directly or through others:
    it would never come to rest.
    """
    for path in (*spec.sparse_checkout, *(path for one in spec.include for path in (one.from_path, one.to_path))):
        plain_path(path)
    await _walk(obj, store, (key_of(obj).name,))


async def _walk(obj: Object, store: Store, way: tuple[str, ...]) -> None:
    if len(way) > INCLUDES_LIMIT:
        raise InvalidInput(f"spec.include: sources include each other too deep: {' → '.join(way)}")
    key = key_of(obj)
    for name in included_names(obj):
        if name in way:
            raise InvalidInput(f"spec.include leads back: {' → '.join((*way, name))}")
        try:
            other = await store.get(ObjectKey(key.group, key.kind, key.namespace, name))
        except NotFound:
            continue  # told where it is read
        await _walk(other, store, (*way, name))


def included_names(obj: Object) -> list[str]:
    """The sources that are laid into one, whatever else its spec says."""
    included = (obj.get("spec") or {}).get("include") or []
    return [str((one.get("repository") or {}).get("name")) for one in included if isinstance(one, dict)]


async def check_layers(recipe: Recipe) -> None:
    """NotFound or InvalidInput where the parts can't be laid together: a folder is not there, a place is taken."""
    if not recipe.sparse and not recipe.includes:
        return

    def tried() -> None:
        with ExitStack() as opened:
            laid(recipe, opened)

    await asyncio.to_thread(tried)


def plain_path(path: str) -> str:
    """`./a/b/` → `a/b`; empty for the root. InvalidInput where it leads out."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in path:
        raise InvalidInput(f"{path!r} is no path inside a repository")
    return "/".join(parts)
