"""The Trees port: what each source's artifact is made from, kept in one file, so that it survives a restart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tidegate.base.errors import NotFound
from tidegate.engine.ports import OpenFiles, Store
from tidegate.git.origins import Origins
from tidegate.git.repository import Repository
from tidegate.kinds.objects import ObjectKey
from tidegate.source.files import ArtifactFiles
from tidegate.source.reading import read_source
from tidegate.source.recipe import Recipe
from tidegate.source.recipes import Recipes, recipe_of

KEPT = 3
"""How many recipes of each source are kept: whoever reads its status reads what was true a moment ago."""


class LocalTrees:
    """Remembers each source's newest recipes in the file `path`."""

    def __init__(self, path: Path):
        self._path = path
        self._recipes = _kept(path)

    async def record(self, source: ObjectKey, recipe: Mapping[str, Any]) -> None:
        """Say how a source's files are made."""
        found, known = Recipe.of_json(recipe), self._recipes.get(str(source), [])
        if known[:1] == [found]:
            return
        self._recipes[str(source)] = [found, *(one for one in known if one != found)][:KEPT]
        temporary = self._path.with_suffix(".new")
        kept = {name: [one.as_json() for one in recipes] for name, recipes in self._recipes.items()}
        temporary.write_text(json.dumps(kept))
        temporary.replace(self._path)

    async def open(self, source: ObjectKey, revision: str, digest: str | None = None) -> OpenFiles:
        """The files of an artifact; NotFound where it is not here."""
        return ArtifactFiles(await self.recipe(source, revision, digest))

    async def recipe(self, source: ObjectKey, revision: str, digest: str | None) -> Recipe:
        """The recipe of an artifact; without a digest that of the commit as the newest one has it."""
        commit, known = commit_of(revision), self._recipes.get(str(source), [])
        for one in known:
            if one.commit == commit and digest in (None, one.digest):
                return one
        alike = [] if digest else [one for one in known[:1] if not one.submodules and not one.includes]
        for one in alike:
            if await Repository(Path(one.location)).resolve(commit) is not None:
                return replace(one, commit=commit)
        raise NotFound(f"the files of {source} at {revision} are not here", remedy="they come when it is reconciled")


def _kept(path: Path) -> dict[str, list[Recipe]]:
    try:
        return {
            name: [Recipe.of_json(one) for one in recipes] for name, recipes in json.loads(path.read_text()).items()
        }
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return {}  # a reconciliation of the source records it again


class FetchedTrees:
    """Answers from `kept`, in a process whose disk may be new: an artifact that is not there, after a restart or in a
    process without the source controller, is fetched once from where its source says.
    """

    def __init__(self, kept: Recipes, origins: Origins, store: Store):
        self._kept = kept
        self._origins = origins
        self._store = store

    async def record(self, source: ObjectKey, recipe: Mapping[str, Any]) -> None:
        """Say how a source's files are made."""
        await self._kept.record(source, recipe)

    async def open(self, source: ObjectKey, revision: str, digest: str | None = None) -> OpenFiles:
        """The files; NotFound where the remote has moved on and no longer has that commit."""
        return ArtifactFiles(await self.recipe(source, revision, digest))

    async def recipe(self, source: ObjectKey, revision: str, digest: str | None) -> Recipe:
        """The recipe of an artifact, with all that it needs on this disk."""
        try:
            return await self._kept.recipe(source, revision, digest)
        except NotFound:
            obj = await self._store.get(source)
            head = await read_source(self._origins, self._store, obj)
            # Not the newest commit, which nobody may have verified yet, but the one that the status names.
            found = replace(head, commit=commit_of(revision))
            made = await recipe_of(obj, found, self._origins, self._store, self)
            await self._kept.record(source, made.as_json())
            return await self._kept.recipe(source, revision, digest)


def commit_of(revision: str) -> str:
    """The commit of a revision in Flux's form: `main@sha1:…` or `sha1:…`."""
    return revision.rpartition(":")[2]
