"""The files of one commit, read through a `git cat-file --batch`. Symlinks and submodules are left out.

Calls block for as long as git takes (well under a millisecond a file): use them in a thread, one thread at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from tidegate.base.errors import CommandFailed, LimitExceeded, NotFound
from tidegate.base.files import FILE_LIMIT
from tidegate.git.batch import BATCHES, WINDOW, Batch
from tidegate.git.names import check_object_id
from tidegate.git.tree import Paths, TreeCache, files_below, folders, root_of
from tidegate.git.values import TreeEntry


class CommitFiles:
    """base.files.Files over a commit, and its blobs by id. Close it, or use it as a context manager."""

    def __init__(self, git_dir: Path, commit: str):
        self._git_dir = git_dir
        self._commit = commit
        self._ids: dict[str, str] | None = None
        self._root: str | None = None
        self._places: Paths | None = None
        self._batch: Batch | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the child to others; the next read takes another."""
        if self._batch is not None:
            BATCHES.give(self._git_dir, self._batch)
            self._batch = None

    def blobs(self) -> dict[str, str]:
        """Every regular file's path, sorted, with the id of its blob."""
        if self._ids is None:
            with self._dropping():
                entries = [entry for entry in self._list() if entry.is_file]
            self._ids = {entry.path: entry.id for entry in sorted(entries, key=lambda entry: entry.path)}
        return self._ids

    def submodules(self) -> dict[str, str]:
        """The path of every submodule, with the commit that it is at."""
        with self._dropping():
            return {entry.path: entry.id for entry in self._list() if entry.type == "commit"}

    def paths(self) -> Iterable[str]:
        return self.blobs().keys()

    def below(self, folder: str) -> Iterator[str]:
        """The regular files at any depth below a folder, found one folder after the other as they are asked for."""
        place = self.entry(folder)
        waiting = [(f"{folder}/" if folder else "", place.id)] if place is not None and place.type == "tree" else []
        while waiting:
            prefix, tree = waiting.pop()
            for entry in self.folders([tree])[tree]:
                if entry.type == "tree":
                    waiting.append((f"{prefix}{entry.path}/", entry.id))
                elif entry.is_file:
                    yield prefix + entry.path

    def entry(self, path: str) -> TreeEntry | None:
        """What the commit has at a path (the root: the empty string), found without listing the rest."""
        with self._dropping():
            if self._places is None:
                self._places = Paths(self._tree())
            return self._places.entry(self._opened(), path)

    def folders(self, ids: Sequence[str]) -> Mapping[str, Sequence[TreeEntry]]:
        """What folders hold themselves, by their ids; they are not kept."""
        with self._dropping():
            return folders(self._opened(), ids, TreeCache())

    def read(self, path: str) -> bytes:
        entry = self.entry(path)
        if entry is None or not entry.is_file:
            raise NotFound(f"no file {path!r} in commit {self._commit[:12]}")
        return self.read_blob(entry.id, name=path)

    def is_file(self, path: str) -> bool:
        entry = self.entry(path)
        return entry is not None and entry.is_file

    def is_dir(self, path: str) -> bool:
        entry = self.entry(path)
        return entry is not None and entry.type == "tree"

    def read_blob(self, blob: str, *, name: str | None = None) -> bytes:
        """A blob by its id. Raises NotFound, or LimitExceeded past FILE_LIMIT."""
        for _, data in self.read_blobs([blob]):
            if data is None:
                raise LimitExceeded(f"{name or blob} is larger than {FILE_LIMIT} bytes")
            return data
        raise NotFound(f"no object {blob}")

    def read_blobs(self, blobs: Sequence[str]) -> Iterator[tuple[str, bytes | None]]:
        """Many blobs, asked for ahead of their answers; None for one past FILE_LIMIT. Raises NotFound."""
        for start in range(0, len(blobs), WINDOW):
            window = [check_object_id(blob) for blob in blobs[start : start + WINDOW]]
            with self._dropping():
                answers = self._opened().ask(window)
            for blob, found in zip(window, answers, strict=True):
                if found is None:
                    raise NotFound(f"no object {blob}")
                yield blob, found.data

    @contextmanager
    def _dropping(self) -> Iterator[None]:
        """A child that failed is of no more use; the next read starts another."""
        try:
            yield
        except CommandFailed:
            if self._batch is not None:
                self._batch.close()
                self._batch = None
            raise

    def _list(self) -> list[TreeEntry]:
        return list(files_below(self._opened(), self._tree()))

    def _tree(self) -> str:
        if self._root is None:
            self._root = root_of(self._opened(), self._commit)
        return self._root

    def _opened(self) -> Batch:
        if self._batch is None:
            self._batch = BATCHES.take(self._git_dir)
        return self._batch
