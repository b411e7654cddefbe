"""Reaching files from a kustomization: relative to its folder, and never out of where it may reach. Pure."""

from __future__ import annotations

import posixpath
import re

from tidegate.base.errors import InvalidInput, NotFound, Where
from tidegate.base.files import Files
from tidegate.deploy.kustomize.openapi import Types

# What Flux leaves out of a source: files of other tools, and of the forge.
IGNORED_FOLDERS = frozenset({".git", ".github", ".circleci"})
IGNORED_FILES = frozenset(
    {
        ".travis.yml", ".gitlab-ci.yml", "appveyor.yml", ".drone.yml", "cloudbuild.yaml", "codeship-services.yml",
        "codeship-steps.yml", ".goreleaser.yml", ".goreleaser.brew.yml", ".sops.yaml", ".flux.yaml",
    }
)  # fmt: skip
NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_REMOTE = re.compile(r"[a-z][a-z0-9+.-]*://|git@|git::|github\.com[/:]|[^/]+@[^/]+:", re.IGNORECASE)


class Folder:
    """A kustomization's folder. `visited` are the folders that led to it; going back to one of them is a cycle.

    With `restricted`, files must lie in or below the folder, as `kustomize build` wants it; without, anywhere in the
    tree, as Flux allows. Folders may lie anywhere in the tree in both cases. All folders of a build share its `types`.
    """

    def __init__(
        self,
        files: Files,
        path: str,
        *,
        restricted: bool,
        visited: tuple[str, ...] = (),
        types: Types | None = None,
    ):
        self._files = files
        self.path = path
        self._restricted = restricted
        self._visited = visited
        self.types = types or Types()

    def read(self, name: str, where: Where | None = None) -> bytes:
        """A file's content; NotFound, or InvalidInput for one that it may not reach."""
        target = self._resolve(name, where)
        if self._restricted and not _is_below(target, self.path):
            raise InvalidInput(
                f"{name} is not in or below the folder of its kustomization", where=where, remedy="move it there"
            )
        if not self._files.is_file(target):
            raise NotFound(f"there is no file {name}", where=where)
        return self._files.read(target)

    def is_file(self, name: str) -> bool:
        """Whether `name` is a file of the tree."""
        path = _joined(self.path, name)
        return path is not None and not name.startswith("/") and self._files.is_file(path)

    def has_folder(self, name: str) -> bool:
        """Whether there is a folder of that path from here."""
        path = _joined(self.path, name)
        return path is not None and self._files.is_dir(path)

    def sub(self, name: str, where: Where | None = None) -> Folder:
        """Another folder, by its path from here; NotFound, or InvalidInput for a cycle or a remote one."""
        if is_remote(name):
            remedy = "copy it into the repository; nothing is fetched while manifests are built"
            raise InvalidInput(f"{name} is a remote base, which is not supported", where=where, remedy=remedy)
        target = self._resolve(name, where)
        if not self._files.is_dir(target):
            raise NotFound(f"there is no file or folder {name}", where=where)
        for visited in (*self._visited, self.path):
            if _is_below(visited, target):
                raise InvalidInput(f"{name} leads back to {visited or 'the root'}: a cycle", where=where)
        led_here = (*self._visited, self.path)
        return Folder(self._files, target, restricted=self._restricted, visited=led_here, types=self.types)

    def kustomization_file(self) -> str | None:
        """The name of its kustomization file; None where it has none, InvalidInput where it has several."""
        found = [name for name in NAMES if self._files.is_file(self.full_name(name))]
        if len(found) > 1:
            raise InvalidInput(f"there are several kustomization files: {', '.join(found)}", where=Where(self.path))
        return found[0] if found else None

    def full_name(self, name: str) -> str:
        """A file's path in the tree, for reading it and for messages."""
        return _joined(self.path, name) or name

    def manifests(self) -> list[str]:
        """What Flux takes for the resources of a folder without a kustomization file: every YAML file below it, but of
        a folder with a kustomization file the folder itself.
        """
        prefix = f"{self.path}/" if self.path else ""
        below = [path.removeprefix(prefix) for path in self._files.paths() if path.startswith(prefix)]
        folders = {
            posixpath.dirname(path) for path in below if posixpath.basename(path) in NAMES and posixpath.dirname(path)
        }
        found: dict[str, None] = {}
        for path in sorted(below, key=lambda path: path.split("/")):
            owner = next((folder for folder in _ancestors(path) if folder in folders), None)
            if owner is not None:
                found[owner] = None
            elif path.endswith((".yaml", ".yml")) and not _is_ignored(path):
                found[path] = None
        return list(found)

    def _resolve(self, name: str, where: Where | None) -> str:
        target = _joined(self.path, name)
        if not name or name.startswith("/") or target is None:
            raise InvalidInput(f"{name!r} leads out of the tree of files", where=where)
        return target


def is_remote(name: str) -> bool:
    """Whether a resource's name looks like something to fetch."""
    return _REMOTE.match(name) is not None


def _joined(folder: str, name: str) -> str | None:
    """The path from the tree's root, without `.` and `..`; None where it leads out of it."""
    path = posixpath.normpath(posixpath.join(folder, name))
    if path == ".." or path.startswith(("../", "/")):
        return None
    return "" if path == "." else path


def _is_below(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")


def _ancestors(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: n + 1]) for n in range(len(parts))]


def _is_ignored(path: str) -> bool:
    parts = path.split("/")
    return parts[-1] in IGNORED_FILES or not IGNORED_FOLDERS.isdisjoint(parts[:-1])
