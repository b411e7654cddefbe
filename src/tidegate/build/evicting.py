"""Keeps the builds' cache within its budget: what is longest unused goes, and never what a build may be using. Blocks.

Every use of a blob says so in its time of access (BuildStore.has_blob), every use of a folder in its lock's time of
change. A build that is under way has a scratch folder since it began: nothing that was used after that is touched, nor
a locked folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.build.store import BuildStore
from tidegate.oci.unpack import remove_tree

VARIABLE = "TIDEGATE_BUILD_CACHE_SIZE"
DEFAULT = 10 * 1024**3
_SHARE = 4  # of the disk: no more than one part in so many
_MARGIN = 60.0  # seconds: clocks of file systems are coarse, and a use may be told a little late
_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_BLOBS = ("blobs/sha256", "packages")
_FOLDERS = ("roots/root", "roots/own", "buildah", "mounts")


@frozen
class Kept:
    """One thing that can go: when it was last used (seconds since 1970), its size in bytes, and its lock, if any."""

    used: float
    size: int
    path: Path
    lock: Path | None = None


def budget(environment: Mapping[str, str], disk: int) -> int:
    """Bytes that the cache may have on a disk of so many. Raises InvalidInput where the variable is no size."""
    text = environment.get(VARIABLE, "").strip().lower().removesuffix("b").removesuffix("i")
    if not text:
        return min(DEFAULT, disk // _SHARE)
    found = re.fullmatch(r"([0-9]{1,15})([kmgt]?)", text)
    if found is None:
        raise InvalidInput(f"{VARIABLE}={environment[VARIABLE][:40]!r} is no size", remedy="write 20GB")
    return int(found[1]) * _UNITS[found[2]]


def choose(kept: list[Kept], limit: int, before: float) -> list[Kept]:
    """What has to go for all to fit into `limit` bytes: the longest unused first, none used after `before`. Pure."""
    over = sum(one.size for one in kept) - limit
    gone = []
    for one in sorted(kept, key=lambda item: item.used):
        if over <= 0 or one.used >= before:
            break
        gone.append(one)
        over -= one.size
    return gone


def evict(store: BuildStore, limit: int) -> int:
    """Remove what does not fit; how many bytes that were. What can't be removed stays."""
    freed = 0
    for one in choose(list(_all(store.root)), limit, _oldest_build(store.root) - _MARGIN):
        with contextlib.suppress(OSError):
            freed += one.size if _remove(one) else 0
    return freed


def note_size(lock: Path, folder: Path) -> None:
    """Write a folder's size down in its lock, so that nobody has to walk through it again."""
    size = 0
    for path, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                size += os.lstat(os.path.join(path, name)).st_blocks * 512  # noqa: PTH118 - many files
    used = lock.stat().st_mtime
    lock.write_text(str(size))
    os.utime(lock, (used, used))


def _all(root: Path) -> Iterator[Kept]:
    for place in _BLOBS:
        for path in _listed(root / place):
            status = path.lstat()
            yield Kept(status.st_atime, status.st_size, path)
    for place in _FOLDERS:
        for lock in _listed(root / place):
            if lock.suffix == ".lock":
                folder = lock.with_suffix("")
                used, text = lock.stat().st_mtime, lock.read_text()
                if not text and folder.exists():
                    note_size(lock, folder)
                    text = lock.read_text()
                yield Kept(used, int(text or 0), folder, lock)


def _listed(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if not path.name.startswith(".")]
    except FileNotFoundError:
        return []


def _oldest_build(root: Path) -> float:
    """When the longest-running build began; one that asks has a scratch folder of its own."""
    return min((path.stat().st_ctime for path in _listed(root / "scratch")), default=0.0)


def _remove(one: Kept) -> bool:
    if one.lock is None:
        one.path.unlink()
        return True
    descriptor = os.open(one.lock, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove_tree(one.path)
        one.lock.unlink()
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
