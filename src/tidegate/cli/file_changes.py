"""Changes to a folder's files, written all of them or none."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tidegate.base.errors import AlreadyExists, Conflict, InvalidInput, TidegateError


def replace_file(path: Path, data: bytes) -> None:
    """All of a file or nothing of it, with the rights that it has."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    written = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        written.chmod(path.stat().st_mode & 0o7777)
        written.replace(path)
    finally:
        written.unlink(missing_ok=True)


def write_all(
    folder: Path,
    files: Mapping[str, bytes],
    before: Mapping[str, bytes],
    executable: Collection[str] = (),
) -> None:
    """Write all files, or none: where one can't be, what was written is taken back.

    A file takes the place of its content in `before`; one that is not there is new, and takes nobody's place: else
    Conflict. A path that leads through a symlink is InvalidInput.
    """
    undo = _Undo()
    try:
        for path, data in files.items():
            mode = 0o777 if path in executable else 0o666
            _write(folder.resolve() / path, data, before.get(path), mode, undo)
    except BaseException as error:
        undo.run()
        if isinstance(error, OSError):
            raise TidegateError(f"nothing was written: {error}") from None
        raise


def _write(path: Path, data: bytes, before: bytes | None, mode: int, undo: _Undo) -> None:
    if path.parent.resolve() != path.parent or path.is_symlink():
        raise InvalidInput(f"{path} leads through a symlink, so nothing was written")
    if before is None:
        undo.make_folders(path.parent)
        _create(path, data, mode, undo)
        return
    if path.read_bytes() != before:
        raise Conflict(f"{path} has changed meanwhile, so nothing was written", remedy="try again")
    undo.edited[path] = before
    replace_file(path, data)


def _create(path: Path, data: bytes, mode: int, undo: _Undo) -> None:
    def opener(name: str, flags: int) -> int:
        return os.open(name, flags, mode)

    try:
        with open(path, "xb", opener=opener) as file:
            undo.made.append(path)
            file.write(data)
    except FileExistsError:
        raise AlreadyExists(f"{path} is there already, so nothing was written", remedy="try again") from None


@dataclass(slots=True)
class _Undo:
    """What was done so far, to be taken back."""

    made: list[Path] = field(default_factory=list)
    edited: dict[Path, bytes] = field(default_factory=dict)
    folders: list[Path] = field(default_factory=list)

    def make_folders(self, folder: Path) -> None:
        missing = [one for one in (folder, *folder.parents) if not one.exists()]
        for one in reversed(missing):
            one.mkdir()
            self.folders.append(one)

    def run(self) -> None:
        """Take everything back that can be; what is not ours any more is left."""
        for path in self.made:
            path.unlink(missing_ok=True)
        for path, data in self.edited.items():
            replace_file(path, data)
        for folder in reversed(self.folders):
            with contextlib.suppress(OSError):
                folder.rmdir()
