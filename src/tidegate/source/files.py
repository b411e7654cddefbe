"""The files of a source's artifact, as whoever renders them sees them. Nothing is written out: they are read from Git.

Calls block for as long as git takes: use them in a thread, one thread at a time.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from tidegate.base.errors import NotFound
from tidegate.git.files import CommitFiles
from tidegate.git.repository import Repository
from tidegate.source.ignoring import IGNORE_FILE, Ignoring
from tidegate.source.recipe import Recipe


class ArtifactFiles:
    """engine.ports.OpenFiles over a recipe. What is left out looks as if it were not there."""

    def __init__(self, recipe: Recipe):
        self._recipe = recipe
        self._files: CommitFiles = Repository(Path(recipe.location)).files(recipe.commit)
        self._ignoring: Ignoring | None = None
        self._left_out: dict[str, bool] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()

    def paths(self) -> Iterable[str]:
        return [path for path in self._files.paths() if not self._is_left_out(path)]

    def read(self, path: str) -> bytes:
        if not self.is_file(path):
            raise NotFound(f"no file {path!r}{self._where(path)}")
        return self._files.read(path)

    def is_file(self, path: str) -> bool:
        return self._files.is_file(path) and not self._is_left_out(path)

    def is_dir(self, path: str) -> bool:
        if not self._files.is_dir(path):
            return False
        below = f"{path}/" if path else ""
        return not path or any(name.startswith(below) and not self._is_left_out(name) for name in self._files.paths())

    def _where(self, path: str) -> str:
        if self._files.is_file(path):
            return f" in the artifact: spec.ignore or a {IGNORE_FILE} leaves it out"
        return f" in commit {self._recipe.commit[:12]}"

    def _is_left_out(self, path: str) -> bool:
        known = self._left_out.get(path)
        if known is None:
            known = self._left_out[path] = self._rules().leaves_out(path)
        return known

    def _rules(self) -> Ignoring:
        if self._ignoring is None:
            texts = {}
            for path in self._files.paths():
                folder, _, name = path.rpartition("/")
                if name == IGNORE_FILE:
                    texts[folder] = self._files.read(path).decode("utf-8", "surrogateescape")
            self._ignoring = Ignoring(texts, self._recipe.ignore)
        return self._ignoring
