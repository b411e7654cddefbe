"""A tree of files with changes on top, which nobody has written yet. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.base.errors import AlreadyExists
from tidegate.base.files import Files


class Draft:
    """Files as they would be. What is there is never replaced by a file that is made, only edited."""

    def __init__(self, files: Files):
        self._files = files
        self._paths = tuple(files.paths())
        self.changed: dict[str, bytes] = {}
        """New and edited files, in the order in which they came up."""
        self.created: set[str] = set()
        self.executable: set[str] = set()

    def create(self, path: str, content: bytes, *, executable: bool = False) -> None:
        """A new file. One that is there with just this content stays; AlreadyExists where it has another."""
        if self.is_file(path) or self.is_dir(path):
            if self.is_file(path) and self.read(path) == content:
                return
            raise AlreadyExists(
                f"{path} is there already, and is not what would be written",
                remedy="move it away, or choose another name",
            )
        self.changed[path] = content
        self.created.add(path)
        if executable:
            self.executable.add(path)

    def edit(self, path: str, content: bytes) -> None:
        """Another content for a file that is there."""
        if content != self.read(path):
            self.changed[path] = content

    def paths(self) -> Iterable[str]:
        return sorted({*self._paths, *self.changed})

    def read(self, path: str) -> bytes:
        return self.changed[path] if path in self.changed else self._files.read(path)

    def is_file(self, path: str) -> bool:
        return path in self.changed or self._files.is_file(path)

    def is_dir(self, path: str) -> bool:
        prefix = f"{path}/" if path else ""
        return any(name.startswith(prefix) for name in self.changed) or self._files.is_dir(path)
