"""The files of a source's artifact, as whoever renders them sees them. Nothing is written out: they are read from Git.

Calls block for as long as git takes: use them in a thread, one thread at a time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import takewhile
from pathlib import Path
from types import TracebackType
from typing import Self

from tidegate.base.errors import InvalidInput, NotFound
from tidegate.base.files import Files, folders_of
from tidegate.git.files import CommitFiles
from tidegate.git.repository import Repository
from tidegate.source.ignore_files import IGNORE_FILES
from tidegate.source.ignoring import IGNORE_FILE, Ignoring
from tidegate.source.recipe import Recipe


class ArtifactFiles:
    """engine.ports.OpenFiles over a recipe. What is left out looks as if it were not there. Where the recipe is one
    commit, only what is asked for is read: not even its files are listed.
    """

    def __init__(self, recipe: Recipe):
        self._recipe = recipe
        self._opened = ExitStack()
        self._base: CommitFiles | LaidFiles | None = None
        self._ignoring: Ignoring | None = None
        self._left_out: dict[str, bool] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def paths(self) -> Iterable[str]:
        return [path for path in self._files().paths() if not self._is_left_out(path)]

    def read(self, path: str) -> bytes:
        if not self.is_file(path):
            raise NotFound(f"no file {path!r}{self._where(path)}")
        return self._files().read(path)

    def is_file(self, path: str) -> bool:
        return self._files().is_file(path) and not self._is_left_out(path)

    def is_dir(self, path: str) -> bool:
        if not path or not self._files().is_dir(path):
            return not path
        return any(not self._is_left_out(name) for name in self._files().below(path))

    def _where(self, path: str) -> str:
        if self._files().is_file(path):
            return f" in the artifact: spec.ignore or a {IGNORE_FILE} leaves it out"
        return f" in commit {self._recipe.commit[:12]}"

    def _is_left_out(self, path: str) -> bool:
        known = self._left_out.get(path)
        if known is None:
            known = self._left_out[path] = self._rules().leaves_out(path)
        return known

    def _rules(self) -> Ignoring:
        if self._ignoring is None:
            files = self._files()
            found = IGNORE_FILES.of(files) if isinstance(files, CommitFiles) else files.folders_with(IGNORE_FILE)
            texts = {folder: files.read(f"{folder}/{IGNORE_FILE}".lstrip("/")) for folder in found}
            decoded = {folder: text.decode("utf-8", "surrogateescape") for folder, text in texts.items()}
            self._ignoring = Ignoring(decoded, self._recipe.ignore)
        return self._ignoring

    def _files(self) -> CommitFiles | LaidFiles:
        if self._base is None:
            recipe = self._recipe
            parts = recipe.submodules or recipe.sparse or recipe.includes
            self._base = laid(recipe, self._opened) if parts else self._opened.enter_context(_main(recipe))
        return self._base


def _main(recipe: Recipe) -> CommitFiles:
    return Repository(Path(recipe.location)).files(recipe.commit)


def laid(recipe: Recipe, opened: ExitStack) -> LaidFiles:
    """What a recipe comes to before anything is left out; NotFound and InvalidInput where it comes to nothing sound."""
    found = LaidFiles()
    main = opened.enter_context(_main(recipe))
    found.lay({path: (main, path) for path in main.paths()})
    for module in recipe.submodules or ():
        files = opened.enter_context(Repository(Path(module.location)).files(module.commit))
        found.lay({f"{module.path}/{path}": (files, path) for path in files.paths()})
    if recipe.sparse:
        found.keep(recipe.sparse)
    for one in recipe.includes:
        other = opened.enter_context(ArtifactFiles(one.recipe))
        try:
            found.include(other, one.from_path, one.to_path)
        except (NotFound, InvalidInput) as error:
            message = f"failed to copy an include from '{one.from_path}' to '{one.to_path}': {error}"
            raise InvalidInput(message, code="CopyFailure") from None
    return found


Places = Mapping[str, tuple[Files, str]]
"""Where the file of each path is read."""


class LaidFiles:
    """Files of several trees in one."""

    def __init__(self) -> None:
        self._places: dict[str, tuple[Files, str]] = {}
        self._sorted: list[str] | None = None
        self._folders: set[str] | None = None

    def lay(self, places: Places) -> None:
        """Add files, none of which is there."""
        self._places |= places
        self._forget()

    def keep(self, folders: Iterable[str]) -> None:
        """Drop what lies in none of some folders (which may be files)."""
        kept: dict[str, tuple[Files, str]] = {}
        for folder in folders:
            below = {path: place for path, place in self._places.items() if is_at(path, folder)}
            if not below:
                raise NotFound(
                    "failed to sparse checkout directories: "
                    f"sparse checkout dir '{folder}' does not exist in repository",
                    code="GitOperationFailed",
                )
            kept |= below
        self._places = kept
        self._forget()

    def include(self, other: Files, from_path: str, to_path: str) -> None:
        """Lay in what lies at a path of another tree, where there is nothing yet."""
        if to_path in self._places or self.is_dir(to_path):
            raise InvalidInput(f"there is something at {to_path!r} already")
        if any(self.is_file(folder) for folder in folders_of([to_path])):
            raise InvalidInput(f"{to_path!r} would lie below a file")
        found = {path: path.removeprefix(from_path) for path in other.paths() if is_at(path, from_path)}
        if not found:
            raise NotFound(f"there is nothing at {from_path!r}")
        self.lay({f"{to_path}/{rest}".replace("//", "/").rstrip("/"): (other, path) for path, rest in found.items()})

    def paths(self) -> Sequence[str]:
        if self._sorted is None:
            self._sorted = sorted(self._places)
        return self._sorted

    def read(self, path: str) -> bytes:
        if path not in self._places:
            raise NotFound(f"no file {path!r}")
        files, name = self._places[path]
        return files.read(name)

    def is_file(self, path: str) -> bool:
        return path in self._places

    def is_dir(self, path: str) -> bool:
        if self._folders is None:
            self._folders = folders_of(self._places)
        return path in self._folders

    def below(self, folder: str) -> Iterator[str]:
        """The files at any depth below a folder."""
        names, prefix = self.paths(), f"{folder}/"
        following = (names[number] for number in range(bisect_left(names, prefix), len(names)))
        return takewhile(lambda name: name.startswith(prefix), following)

    def folders_with(self, name: str) -> list[str]:
        """The folders that have a file of this name ("" for the root)."""
        return [path[: -len(name)].rstrip("/") for path in self._places if path.rpartition("/")[2] == name]

    def _forget(self) -> None:
        self._sorted = self._folders = None


def is_at(path: str, place: str) -> bool:
    """Whether a path is a place or lies below it; everything lies below the empty one."""
    return not place or path == place or path.startswith(f"{place}/")
