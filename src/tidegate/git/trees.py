"""The Trees port over repositories on this disk; where each source's repository is survives a restart in one file."""

from __future__ import annotations

import json
from pathlib import Path

from tidegate.base.errors import NotFound
from tidegate.git.files import CommitFiles
from tidegate.git.repository import Repository
from tidegate.kinds.objects import ObjectKey


class LocalTrees:
    """Remembers each source's repository in the file `path`."""

    def __init__(self, path: Path):
        self._path = path
        try:
            self._places: dict[str, str] = json.loads(path.read_text())
        except (FileNotFoundError, ValueError):
            self._places = {}  # a reconciliation of the source records it again

    async def record(self, source: ObjectKey, revision: str, location: str) -> None:
        """Say that the files of `revision` are in the repository at `location`."""
        if self._places.get(str(source)) == location:
            return
        self._places[str(source)] = location
        temporary = self._path.with_suffix(".new")
        temporary.write_text(json.dumps(self._places))
        temporary.replace(self._path)

    async def open(self, source: ObjectKey, revision: str) -> CommitFiles:
        """The files of a revision such as `main@sha1:…`; NotFound where that commit is not here."""
        commit = commit_of(revision)
        place = self._places.get(str(source))
        if place is None or await Repository(Path(place)).resolve(commit) is None:
            raise NotFound(
                f"the files of {source} at {revision} are not here", remedy="they come when it is reconciled"
            )
        return Repository(Path(place)).files(commit)


def commit_of(revision: str) -> str:
    """The commit of a revision in Flux's form: `main@sha1:…` or `sha1:…`."""
    return revision.rpartition(":")[2]
