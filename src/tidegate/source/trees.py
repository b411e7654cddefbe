"""The Trees port: what each source's artifact is made from, kept in one file, so that it survives a restart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tidegate.base.errors import NotFound
from tidegate.engine.ports import OpenFiles, Store, Trees
from tidegate.git.origins import Origins
from tidegate.git.repository import Repository
from tidegate.kinds.objects import ObjectKey
from tidegate.source.files import ArtifactFiles
from tidegate.source.reading import read_source
from tidegate.source.recipe import Recipe
from tidegate.source.recipes import recipe_of


class LocalTrees:
    """Remembers each source's newest recipe in the file `path`."""

    def __init__(self, path: Path):
        self._path = path
        self._recipes = _kept(path)

    async def record(self, source: ObjectKey, recipe: Mapping[str, Any]) -> None:
        """Say how a source's files are made."""
        found = Recipe.of_json(recipe)
        if self._recipes.get(str(source)) == found:
            return
        self._recipes[str(source)] = found
        temporary = self._path.with_suffix(".new")
        temporary.write_text(json.dumps({name: kept.as_json() for name, kept in self._recipes.items()}))
        temporary.replace(self._path)

    async def open(self, source: ObjectKey, revision: str) -> OpenFiles:
        """The files of a revision such as `main@sha1:…`; NotFound where that commit is not here."""
        commit = commit_of(revision)
        recipe = self._recipes.get(str(source))
        if recipe is None or await Repository(Path(recipe.location)).resolve(commit) is None:
            raise NotFound(
                f"the files of {source} at {revision} are not here", remedy="they come when it is reconciled"
            )
        return ArtifactFiles(replace(recipe, commit=commit))


def _kept(path: Path) -> dict[str, Recipe]:
    try:
        return {name: Recipe.of_json(recipe) for name, recipe in json.loads(path.read_text()).items()}
    except (FileNotFoundError, ValueError):
        return {}  # a reconciliation of the source records it again


class FetchedTrees:
    """Answers from `kept`, in a process whose disk may be new: a revision that is not there, after a restart or in a
    process without the source controller, is fetched once from where its source says.
    """

    def __init__(self, kept: Trees, origins: Origins, store: Store):
        self._kept = kept
        self._origins = origins
        self._store = store

    async def record(self, source: ObjectKey, recipe: Mapping[str, Any]) -> None:
        """Say how a source's files are made."""
        await self._kept.record(source, recipe)

    async def open(self, source: ObjectKey, revision: str) -> OpenFiles:
        """The files; NotFound where the remote has moved on and no longer has that commit."""
        try:
            return await self._kept.open(source, revision)
        except NotFound:
            obj = await self._store.get(source)
            found = await read_source(self._origins, self._store, obj)
            await self._kept.record(source, (await recipe_of(obj, found)).as_json())
            return await self._kept.open(source, revision)


def commit_of(revision: str) -> str:
    """The commit of a revision in Flux's form: `main@sha1:…` or `sha1:…`."""
    return revision.rpartition(":")[2]
