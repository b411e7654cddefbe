"""Files that runs leave to others, on disk: each with what is known of it, within a budget, the longest unused going
first. What lies in a file is never looked at here.

A file and its facts are two: the file is written first and named by the facts, so a crash leaves nothing half told.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from tidegate.base.disk import disk_error
from tidegate.base.errors import LimitExceeded, NotFound
from tidegate.base.frozen import frozen
from tidegate.engine.clock import Clock
from tidegate.runner.folder import remove

GIB = 1024**3
LEFT_FREE = GIB
"""Bytes of the disk that nothing is put on, or a tenth of a small one."""
_CHUNK = 1024 * 1024
_FACTS, _FILE, _NEW = ".json", ".data", ".new"


@frozen
class Item:
    """One file: its group's folder and its name there, its size in bytes, its digest (SHA-256, hexadecimal), when it
    was put there and last used (seconds since 1970), and what whoever put it there says of it.
    """

    group: str
    name: str
    file: str
    size: int
    digest: str
    created: float
    used: float
    facts: Mapping[str, Any]


class Shelf:
    """The folder `root`, of `budget` bytes at most, and a fifth of its disk. All of it blocks: call it in a thread."""

    def __init__(self, root: Path, clock: Clock, budget: int):
        self._root = root
        self._clock = clock
        self._budget = budget
        self._promised = 0
        self._lock = threading.Lock()

    def items(self, group: str | None = None) -> list[Item]:
        """What is there, of one group or all."""
        pattern = f"{group or '*'}/*{_FACTS}"
        found = (self._read(path) for path in self._root.glob(pattern))
        return [item for item in found if item is not None]

    def get(self, group: str, name: str) -> Item | None:
        """One item by its group and name."""
        return self._read(self._root / group / f"{name}{_FACTS}")

    def put(self, group: str, name: str, source: BinaryIO, facts: Mapping[str, Any]) -> Item:
        """Copy a file in, in the place of one of that name. What is longest unused makes room, but for `group`'s own.

        Raises LimitExceeded where there is no room, Unavailable where the disk refuses.
        """
        size = os.fstat(source.fileno()).st_size
        folder = self._root / group
        file = f"{name}-{secrets.token_hex(6)}{_FILE}"
        with self._lock:
            self._make_room(size, keep=group)
            self._promised += size
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            digest = _copied(source, folder / f"{file}{_NEW}", size)
            now = self._clock.now().timestamp()
            item = Item(group, name, file, size, digest, now, now, facts)
            with self._lock:
                before = self.get(group, name)
                (folder / f"{file}{_NEW}").rename(folder / file)
                self._write(item)
                if before is not None:
                    (folder / before.file).unlink(missing_ok=True)
        except OSError as error:
            raise disk_error(error) from None
        finally:
            (folder / f"{file}{_NEW}").unlink(missing_ok=True)
            with self._lock:
                self._promised -= size
        return item

    def copy_out(self, item: Item, path: Path) -> None:
        """Copy an item's file to a new one at `path`; it counts as used.

        Raises NotFound where it is gone, LimitExceeded where it would fill the disk.
        """
        disk = shutil.disk_usage(path.parent)
        if item.size > _free(disk.total, disk.free):
            raise _nearly_full(item.size)
        try:
            with self.open(item) as source, path.open("xb") as target:
                shutil.copyfileobj(source, target, _CHUNK)
        except OSError as error:
            raise disk_error(error, path) from None

    def open(self, item: Item) -> BinaryIO:
        """An item's file, opened for reading; it counts as used. Raises NotFound where it is gone."""
        folder, now = self._root / item.group, self._clock.now().timestamp()
        try:
            file = (folder / item.file).open("rb")
            os.utime(folder / f"{item.name}{_FACTS}", (now, now))
        except FileNotFoundError:
            raise NotFound(f"{item.facts.get('name', item.name)!r} was deleted meanwhile") from None
        return file

    def delete(self, item: Item) -> None:
        """Remove one item, its facts first."""
        folder = self._root / item.group
        for name in (f"{item.name}{_FACTS}", item.file):
            with contextlib.suppress(OSError):
                (folder / name).unlink()
        with contextlib.suppress(OSError):
            folder.rmdir()

    def keep_only(self, groups: Collection[str]) -> None:
        """Delete all other groups, and what a process that died has left half done."""
        for folder in self._folders():
            if folder.name not in groups:
                remove(folder)

    def sweep(self) -> None:
        """Delete files that belong to nothing. Call it before anything is put here."""
        for folder in self._folders():
            known = {item.file for item in self.items(folder.name)}
            for path in folder.iterdir():
                if path.name.endswith((_FILE, _NEW)) and path.name not in known:
                    path.unlink(missing_ok=True)

    def _folders(self) -> list[Path]:
        return [path for path in self._root.iterdir() if path.is_dir()] if self._root.is_dir() else []

    def _make_room(self, size: int, *, keep: str) -> None:
        items = sorted(self.items(), key=lambda item: item.used)
        taken = sum(item.size for item in items) + self._promised
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        disk = shutil.disk_usage(self._root)
        budget = min(self._budget, disk.total // 5)
        free = _free(disk.total, disk.free) - self._promised
        for item in items:
            if taken + size <= budget and size <= free:
                return
            if item.group != keep:
                self.delete(item)
                taken, free = taken - item.size, free + item.size
        if taken + size > budget:
            raise LimitExceeded(f"{size} bytes are too many: {taken} of {budget} are taken, and nothing else can go")
        if size > free:
            raise _nearly_full(size)

    def _read(self, path: Path) -> Item | None:
        try:
            value = json.loads(path.read_bytes())
            used = path.stat().st_mtime
            item = Item(**value, used=used, group=path.parent.name, name=path.name.removesuffix(_FACTS))
            return item if (path.parent / item.file).stat().st_size == item.size else None
        except (OSError, ValueError, TypeError):
            return None  # deleted meanwhile, or torn by a power cut

    def _write(self, item: Item) -> None:
        value = {"file": item.file, "size": item.size, "digest": item.digest, "created": item.created}
        path = self._root / item.group / f"{item.name}{_FACTS}"
        new = path.with_suffix(f"{_FACTS}{_NEW}")
        new.write_text(json.dumps(value | {"facts": dict(item.facts)}))
        os.utime(new, (item.used, item.used))
        new.rename(path)


def _free(total: int, free: int) -> int:
    """The bytes of a disk that may be used."""
    return free - min(LEFT_FREE, total // 10)


def _nearly_full(size: int) -> LimitExceeded:
    return LimitExceeded(f"{size} bytes don't fit: the disk would be nearly full", remedy="free some space on it")


def _copied(source: BinaryIO, path: Path, size: int) -> str:
    """Copy `size` bytes into a new file; the digest. Raises LimitExceeded where the source has another size now."""
    digest, left = hashlib.sha256(), size
    with path.open("xb") as target:
        path.chmod(0o600)
        while left and (chunk := source.read(min(_CHUNK, left))):
            target.write(chunk)
            digest.update(chunk)
            left -= len(chunk)
    if left:
        raise LimitExceeded("the file was cut short while it was read")
    return digest.hexdigest()
