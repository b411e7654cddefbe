"""Where unpacked image layers lie, what they are called, and to whom they belong. Light: the server imports it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from tidegate.base.frozen import frozen

FOLDER = "layers"
NOBODY = 65534


@frozen
class Owners:
    """To whom unpacked files belong: `base` added to the image's ids; everything `nobody`'s; or the caller's."""

    base: int | None = None
    nobody: bool = False

    def chown(self) -> Callable[[int, int], tuple[int, int]] | None:
        """For the unpacker."""
        if self.nobody:
            return lambda _uid, _gid: (NOBODY, NOBODY)
        base = self.base
        return None if base is None else lambda uid, gid: (base + min(uid, 65535), base + min(gid, 65535))


def short(digest: str) -> str:
    """A folder's name for a layer; short, because overlayfs takes one page of options."""
    return digest.partition(":")[2][:32]


def chain_id(diff_ids: Sequence[str]) -> str:
    """The OCI ChainID of layers, lowest first."""
    chain = diff_ids[0]
    for diff_id in diff_ids[1:]:
        chain = "sha256:" + hashlib.sha256(f"{chain} {diff_id}".encode()).hexdigest()
    return chain


def missing(root: Path, diff_ids: Sequence[str]) -> list[str]:
    """The diff_ids of layers that are not unpacked; all of them where some may be needed to unpack the rest."""
    folder = root / FOLDER
    absent = [diff_id for diff_id in diff_ids if not (folder / short(diff_id)).exists()]
    for count in range(len(diff_ids), 0, -1):
        if (folder / ("c" + short(chain_id(diff_ids[:count])))).exists():
            return [diff_id for diff_id in absent if diff_id in diff_ids[count:]]
    return absent


def remove(path: Path) -> None:
    """Remove a tree that a workload may have closed to its owner; nothing happens if it is gone."""
    for folder, names, _ in os.walk(path):
        for name in names:
            inner = Path(folder, name)
            if not inner.is_symlink():
                with contextlib.suppress(FileNotFoundError):
                    inner.chmod(0o700)
    shutil.rmtree(path, ignore_errors=True)


def sweep(root: Path, kept: set[str]) -> int:
    """Remove unpacked layers that no kept image uses; how many there were."""
    folder = root / FOLDER
    gone = [path for path in folder.iterdir() if path.name not in kept] if folder.exists() else []
    for path in gone:
        remove(path)
    return len(gone)
