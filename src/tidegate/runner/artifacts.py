"""Artifacts: what a run's jobs keep of their files, for its other jobs and for people. Each is a zip archive that is
written and read inside of jobs; here it is bytes with a name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

from tidegate.base.errors import Conflict, InvalidInput
from tidegate.base.frozen import frozen
from tidegate.engine.clock import Clock
from tidegate.runner.logs import file_name
from tidegate.runner.names import run_id
from tidegate.runner.shelf import GIB, Item, Shelf

BUDGET = 5 * GIB
MOST_DAYS = 90
MOST_OF_A_RUN = 500
DAY = 86400.0
_FORBIDDEN = '":<>|*?\r\n\\/'


@frozen
class Artifact:
    """One artifact. `created` and `expires` are seconds since 1970, `digest` is of the archive (SHA-256)."""

    id: int
    name: str
    run_id: int
    attempt: int
    repository: str
    size: int
    digest: str
    created: float
    expires: float
    item: Item


@frozen
class Upload:
    """What is said of an artifact when it is made. `days` is how long it is kept; the run may go before."""

    run: str
    attempt: int
    repository: str
    name: str
    days: int = MOST_DAYS
    overwrite: bool = False


class Artifacts:
    """The artifacts in the folder `root`. They go with their runs. All of it blocks: call it in a thread."""

    def __init__(self, root: Path, clock: Clock, budget: int = BUDGET):
        self._shelf = Shelf(root, clock, budget)
        self._clock = clock

    def add(self, upload: Upload, archive: BinaryIO) -> Artifact:
        """Keep an archive. Raises Conflict where the attempt has one of that name, unless it is to be overwritten."""
        check_name(upload.name)
        group, name = file_name(upload.run), hashlib.sha256(upload.name.encode()).hexdigest()[:32]
        others = self._shelf.items(group)
        before = next((item for item in others if item.name == name), None)
        if before is not None and before.facts["attempt"] == upload.attempt and not upload.overwrite:
            raise Conflict(
                f"this run has an artifact {upload.name!r} already", remedy="say overwrite: true, or rename it"
            )
        if before is None and len(others) >= MOST_OF_A_RUN:
            raise Conflict(
                f"this run has {len(others)} artifacts; more are not kept", remedy="upload several files as one"
            )
        facts = {
            "name": upload.name,
            "run_id": run_id(upload.run),
            "attempt": upload.attempt,
            "repository": upload.repository,
            "days": upload.days,
        }
        return _artifact(self._shelf.put(group, name, archive, facts))

    def of_run(self, run: str) -> list[Artifact]:
        """A run's artifacts, by name."""
        return self._live(self._shelf.items(file_name(run)))

    def of_run_id(self, repository: str, number: int) -> list[Artifact]:
        """The artifacts of another run of a repository, by its number in the GitHub API."""
        return [found for found in self.of_repository(repository) if found.run_id == number]

    def of_repository(self, repository: str) -> list[Artifact]:
        """All artifacts of a repository's runs."""
        found = self._live(self._shelf.items())
        return [one for one in found if one.repository.lower() == repository.lower()]

    def copy_out(self, artifact: Artifact, path: Path) -> None:
        """Copy an artifact's archive to a new file. Raises NotFound where it is gone."""
        self._shelf.copy_out(artifact.item, path)

    def open(self, artifact: Artifact) -> BinaryIO:
        """An artifact's archive, opened for reading. Raises NotFound where it is gone."""
        return self._shelf.open(artifact.item)

    def keep_only(self, runs: Collection[str]) -> None:
        """Delete the artifacts of all other runs, and what has expired."""
        self._shelf.keep_only({file_name(run) for run in runs})
        now = self._clock.now().timestamp()
        for artifact in map(_artifact, self._shelf.items()):
            if artifact.expires <= now:
                self._shelf.delete(artifact.item)

    def delete_all(self, run: str) -> None:
        """Delete all artifacts of a run."""
        for item in self._shelf.items(file_name(run)):
            self._shelf.delete(item)

    def delete(self, artifact: Artifact) -> None:
        """Delete one."""
        self._shelf.delete(artifact.item)

    def sweep(self) -> None:
        """Delete what a process that died has left half done."""
        self._shelf.sweep()

    def _live(self, items: list[Item]) -> list[Artifact]:
        now = self._clock.now().timestamp()
        found = [artifact for artifact in map(_artifact, items) if artifact.expires > now]
        return sorted(found, key=lambda artifact: artifact.name)


def check_name(name: str) -> None:
    """Refuse what GitHub refuses as an artifact's name. Raises InvalidInput."""
    wrong = next((character for character in name if character in _FORBIDDEN), None)
    if not name or name in (".", "..") or len(name) > 255 or wrong is not None:
        why = f"it has the character {wrong!r}" if wrong is not None else "it is empty, too long, or dots alone"
        raise InvalidInput(f"an artifact can't be named {name!r}: {why}")


def _artifact(item: Item) -> Artifact:
    facts = item.facts
    identity = f"{item.group}\0{facts['attempt']}\0{item.file}"
    return Artifact(
        id=int(hashlib.sha256(identity.encode()).hexdigest()[:12], 16),
        name=str(facts["name"]),
        run_id=int(facts["run_id"]),
        attempt=int(facts["attempt"]),
        repository=str(facts["repository"]),
        size=item.size,
        digest=item.digest,
        created=item.created,
        expires=item.created + float(facts["days"]) * DAY,
        item=item,
    )
